//! dovecot - what the settings of this machine's Dovecot say of names, beside `[names]`
//!
//! `gatepost check` asks `doveconf -n`, where there is one, and proposes the lines of `[names]` that are missing. A Dovecot
//! that does not answer in time, or is not there, says nothing; no start depends on it.
//! Not here: what a passdb does by its own query, which its settings do not show.
//! Dovecot 2.3: auth_username_format, auth_default_realm, auth_username_translation, auth_master_user_separator;
//! 2.4 has auth_default_domain, and filters in its variables.

use super::finding::{Findings, Remark};
use super::mail_servers::MailServers;
use super::names;
use gatepost_core::gate::request::names::{Domain, NameSettings};

/// Warns where the Dovecot of this machine folds names otherwise than `own`.
pub(super) fn warn(own: &NameSettings, servers: &MailServers, findings: &mut Findings) {
    if let Some(said) = servers.doveconf(&["-n"]) {
        compare(&said, own, findings);
    }
}

fn compare(said: &str, own: &NameSettings, findings: &mut Findings) {
    let settings = DovecotSettings::read(said);
    let (folding, unclear) = settings.folding(own);
    for setting in unclear {
        let message = format!("[names] cannot express what Dovecot has in {setting}");
        findings.warn(Remark::of_file(message).help(
            "names that are not known here are limited all the same; if one mailbox has several known names, \
             each is limited by itself",
        ));
    }
    let lines = lines(&folding, own);
    if !lines.is_empty() {
        let message = "the Dovecot of this machine makes one mailbox of names that are counted as several here, \
                       or the other way round";
        let help = format!("write into [names]:\n{}", lines.join("\n"));
        findings.warn(Remark::of_file(message).help(help));
    }
}

/// The settings of Dovecot that names depend on; what is not set is empty.
#[derive(Default)]
struct DovecotSettings {
    format: Option<String>,
    realm: String,
    translation: String,
    separator: String,
    /// The format of each passdb; none: it has none of its own.
    passdbs: Vec<Option<String>>,
}

impl DovecotSettings {
    fn read(said: &str) -> Self {
        let mut settings = Self::default();
        let mut blocks: Vec<&str> = Vec::new();
        for line in said.lines().map(str::trim) {
            if let Some(block) = line.strip_suffix('{') {
                if blocks.is_empty() && block.starts_with("passdb") {
                    settings.passdbs.push(None);
                }
                blocks.push(block.trim());
            } else if line == "}" {
                blocks.pop();
            } else if let Some((key, value)) = line.split_once('=') {
                settings.take(blocks.first().copied(), key.trim(), value.trim());
            }
        }
        settings
    }

    fn take(&mut self, block: Option<&str>, key: &str, value: &str) {
        match (block, key) {
            (None, "auth_username_format") => self.format = Some(value.to_owned()),
            (None, "auth_default_realm" | "auth_default_domain") => {
                value.clone_into(&mut self.realm)
            }
            (None, "auth_username_translation") => value.clone_into(&mut self.translation),
            (None, "auth_master_user_separator") => value.clone_into(&mut self.separator),
            (Some("auth_username_translation"), from) => {
                self.translation += from.trim_matches('"');
                self.translation += value.trim_matches('"');
            }
            (Some(block), key) if block.starts_with("passdb") => self.take_of_passdb(key, value),
            _ => {}
        }
    }

    fn take_of_passdb(&mut self, key: &str, value: &str) {
        let format = match key {
            "auth_username_format" => Some(value),
            "args" => {
                let mut words = value.split_ascii_whitespace();
                words.find_map(|word| word.strip_prefix("username_format="))
            }
            // Its users are in none of the others.
            "master" | "deny" if value == "yes" => {
                self.passdbs.pop();
                return;
            }
            _ => None,
        };
        if let (Some(last), Some(format)) = (self.passdbs.last_mut(), format) {
            *last = Some(format.to_owned());
        }
    }

    /// How Dovecot folds names, and which of its settings cannot be expressed.
    fn folding(&self, own: &NameSettings) -> (NameSettings, Vec<&'static str>) {
        let mut unclear = Vec::new();
        let mut folding = own.clone();
        match self.domain() {
            Some(domain) => folding.domain = domain,
            None => unclear.push("auth_username_format"),
        }
        self.realm.clone_into(&mut folding.default_realm);
        match names::pairs(&self.translation) {
            Ok(pairs) => folding.translate = pairs,
            Err(_) => unclear.push("auth_username_translation"),
        }
        // Dovecot takes the first character alone.
        let first = self.separator.get(..1).unwrap_or(&self.separator);
        match names::separator(first) {
            _ if first.is_empty() => folding.master_separator = None,
            Ok(separator) => folding.master_separator = separator,
            Err(_) => unclear.push("auth_master_user_separator"),
        }
        (folding, unclear)
    }

    /// What becomes of domains: before the passdbs, or in all of them.
    fn domain(&self) -> Option<Domain> {
        let global = self
            .format
            .as_deref()
            .map_or(Some(Domain::Keep), domain_of)?;
        let strips =
            |format: &Option<String>| format.as_deref().map(domain_of) == Some(Some(Domain::Strip));
        let all = !self.passdbs.is_empty() && self.passdbs.iter().all(strips);
        Some(if all { Domain::Strip } else { global })
    }
}

/// A part of a name that a variable stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NamePart {
    Whole,
    Local,
    Domain,
}

/// What a format makes of the domain; none if it depends on more than the name, or changes it otherwise.
fn domain_of(format: &str) -> Option<Domain> {
    let parts = variables(format)?;
    let has = |part| parts.contains(&part);
    if format.is_empty() || has(NamePart::Whole) || has(NamePart::Local) && has(NamePart::Domain) {
        return Some(Domain::Keep);
    }
    has(NamePart::Local).then_some(Domain::Strip)
}

/// The variables of a format; none if one of them cannot be expressed.
fn variables(format: &str) -> Option<Vec<NamePart>> {
    let mut parts = Vec::new();
    let mut rest = format;
    while let Some((_, variable)) = rest.split_once('%') {
        // The letters may be changed; the gate folds them anyway.
        let variable = variable.trim_start_matches(['L', 'U']);
        let long = variable
            .strip_prefix('{')
            .and_then(|long| long.split_once('}'));
        let (name, after) = long.or_else(|| variable.split_at_checked(1))?;
        parts.push(part_of(name)?);
        rest = after;
    }
    Some(parts)
}

/// `u`, `user`, `user | username | lower` and the like.
fn part_of(name: &str) -> Option<NamePart> {
    let mut words = name.split('|').map(str::trim);
    let mut part = match words.next()? {
        "u" | "user" => NamePart::Whole,
        "n" | "username" => NamePart::Local,
        "d" | "domain" => NamePart::Domain,
        _ => return None,
    };
    for filter in words {
        part = match (filter, part) {
            ("lower" | "upper", part) => part,
            ("username", NamePart::Whole | NamePart::Local) => NamePart::Local,
            ("domain", NamePart::Whole | NamePart::Domain) => NamePart::Domain,
            _ => return None,
        };
    }
    Some(part)
}

/// The lines that make `own` fold as `folding` does.
fn lines(folding: &NameSettings, own: &NameSettings) -> Vec<String> {
    let domain = |settings: &NameSettings| match settings.domain {
        Domain::Keep => "keep".to_owned(),
        Domain::Strip => "strip".to_owned(),
    };
    // Without domains there is no realm.
    let realm = |settings: &NameSettings| match folding.domain {
        Domain::Keep => settings.default_realm.to_ascii_lowercase(),
        Domain::Strip => String::new(),
    };
    let translate = |settings: &NameSettings| {
        let pairs = settings.translate.iter();
        pairs
            .flat_map(|(from, to)| [char::from(*from), char::from(*to)])
            .collect()
    };
    let separator = |settings: &NameSettings| {
        let separator = settings.master_separator.map(char::from);
        separator.map(String::from).unwrap_or_default()
    };
    [
        ("domain", domain(folding), domain(own)),
        ("default-realm", realm(folding), realm(own)),
        ("translate", translate(folding), translate(own)),
        ("master-separator", separator(folding), separator(own)),
    ]
    .into_iter()
    .filter(|(_, right, own)| right != own)
    .map(|(key, right, _)| format!("{key} = {}", toml::Value::String(right)))
    .collect()
}

#[cfg(test)]
mod tests;
