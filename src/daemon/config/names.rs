//! names - the keys of `[names]`: which names lead Dovecot to one user
//!
//! Not here: folding (`gate::request::names`), and what Dovecot's own settings say (`dovecot`).

use super::finding::{Findings, Remark};
use super::raw;
use super::rules;
use super::value::Given;
use gatepost_core::gate::request::names::NameSettings;

/// The settings; a refused value becomes its default.
pub(super) fn read(given: &raw::RawNames, findings: &mut Findings) -> NameSettings {
    NameSettings {
        domain: given
            .domain
            .as_ref()
            .map_or_else(Default::default, |domain| domain.get_ref().0),
        default_realm: text(&given.default_realm, realm, findings),
        translate: text(&given.translate, pairs, findings),
        master_separator: text(&given.master_separator, separator, findings),
        subaddress: text(&given.subaddress, separator, findings),
    }
}

/// What is wrong with a value, and what would be right.
type Wrong = (&'static str, &'static str);

fn text<T: Default>(
    given: &Given<String>,
    read: impl Fn(&str) -> Result<T, Wrong>,
    findings: &mut Findings,
) -> T {
    let Some(given) = given.as_ref().filter(|given| !given.get_ref().is_empty()) else {
        return T::default();
    };
    match read(given.get_ref()) {
        Ok(value) => value,
        Err((why, help)) => {
            let message = format!("{:?}: {why}", given.get_ref());
            findings.refuse(Remark::at(given.span(), message).help(help));
            T::default()
        }
    }
}

fn realm(text: &str) -> Result<String, Wrong> {
    const HELP: &str = "write what auth_default_realm has in Dovecot, for example \"example.org\"";
    rules::check_name(text).map_err(|why| (why, HELP))?;
    match text.contains('@') {
        true => Err(("the realm is what follows the @", HELP)),
        false => Ok(text.to_owned()),
    }
}

/// Pairs of characters, in the form of Dovecot's auth_username_translation.
pub(super) fn pairs(text: &str) -> Result<Vec<(u8, u8)>, Wrong> {
    const HELP: &str = "write pairs as in Dovecot's auth_username_translation: \"%@\" makes @ of %";
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !text.bytes().all(|octet| octet.is_ascii_graphic()) {
        return Err(("only printable ASCII characters can be translated", HELP));
    }
    if !rest.is_empty() {
        return Err(("the last character has no partner", HELP));
    }
    if pairs.iter().any(|[from, _]| *from == b'@') {
        return Err(("@ cannot be translated: no name would have a domain", HELP));
    }
    Ok(pairs.iter().map(|[from, to]| (*from, *to)).collect())
}

/// One character that separates parts of a name.
pub(super) fn separator(text: &str) -> Result<Option<u8>, Wrong> {
    const HELP: &str = "write one character, for example \"*\" or \"+\"";
    match text.as_bytes() {
        [b'@'] => Err(("@ separates the domain", HELP)),
        [one] if one.is_ascii_punctuation() => Ok(Some(*one)),
        _ => Err((
            "a separator is one ASCII character, no letter and no digit",
            HELP,
        )),
    }
}
