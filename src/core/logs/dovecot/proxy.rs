//! proxy - a login that a Dovecot in front of others has passed on
//!
//! `proxy(name): started proxying to host:143: user=<name>, ...` up to Dovecot 2.3.11,
//! `proxy(name,host:143): Started proxying to remote host ...: user=<name>, ...` later. The other server has accepted the
//! password by then. `Login failed to ...` is told again when the connection ends (`ending`).
//!
//! The name stands in front of the outcome and may imitate it, and stands again behind it: a line is believed if only one
//! name fits both places.
//! `client_proxy_finish_destroy_client` and `client_proxy_log_failure` in src/login-common/client-common-auth.c.

use super::super::scan::{Scan, find};

/// What a proxy's line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passed<'a> {
    /// The login was accepted; the elements behind it.
    Accepted(&'a [u8]),
    /// It cannot be read for certain.
    Ambiguous,
    /// Nothing about an outcome.
    OfNoMatter,
}

/// Reads a login process's message. `None`: it is not a proxy's.
pub(super) fn read(text: &[u8]) -> Option<Passed<'_>> {
    const NAMED: &[u8] = b"user=<";
    let mut scan = Scan::new(text);
    let named = scan.skip(b"proxy(");
    let starts: [&[u8]; 2] = [b"tarted proxying to ", b"proxying to "];
    if !named {
        let begins = matches!(text.first(), Some(b's' | b'S'));
        let started = text
            .get(1..)
            .is_some_and(|rest| rest.starts_with(starts[0]));
        if !(begins && started) {
            return None;
        }
        return Some(only(text, NAMED).map_or(Passed::Ambiguous, |at| {
            Passed::Accepted(text.get(at..).unwrap_or_default())
        }));
    }
    let text = scan.rest();
    if find(text, starts[0]).is_none() {
        return Some(Passed::OfNoMatter);
    }
    let Some(at) = only(text, NAMED) else {
        // Either the name holds a field, or there are no elements.
        return Some(match find(text, NAMED) {
            Some(_) => Passed::Ambiguous,
            None => Passed::OfNoMatter,
        });
    };
    Some(outcome(text, at).unwrap_or(Passed::Ambiguous))
}

/// The line, if its elements begin at `at` and its name is the one that both places show.
fn outcome(text: &[u8], at: usize) -> Option<Passed<'_>> {
    let (front, elements) = text.split_at_checked(at)?;
    let close = find(elements, b">")?;
    let name = elements.get(6..close)?;
    let mut scan = Scan::new(front.strip_prefix(name)?);
    if scan.skip(b",") {
        scan.run(|byte| !matches!(byte, b')' | b' '))?;
    }
    scan.literal(b"): ")?;
    let started = scan.skip(b"started proxying to ") || scan.skip(b"Started proxying to ");
    Some(if started {
        Passed::Accepted(elements)
    } else {
        Passed::OfNoMatter
    })
}

/// Where `needle` stands, if it stands once.
fn only(text: &[u8], needle: &[u8]) -> Option<usize> {
    let at = find(text, needle)?;
    let behind = text.get(at + 1..)?;
    find(behind, needle).is_none().then_some(at)
}
