//! dovecot - what Dovecot logs about logins
//!
//! Its login processes log successes and, when a connection ends, how many attempts failed on it; with
//! `auth_verbose = yes` its auth processes log every failure. Read in the forms of Dovecot 2.2, 2.3
//! and 2.4, out of syslog (`dovecot: imap-login: …`) or a log file of Dovecot's own (`imap-login: Info: …`).
//! Not here: which of these lines are about one attempt (`merge`).
//!
//! Login processes print the client's name in front of its address, and a name may look like an address:
//! behind the *last* `, rip=` no octet comes from the client. Auth processes print the name first and
//! sometimes the password or the name last: where more than one reading is possible, none is believed.
//! src/login-common/client-common.c, src/auth/auth-request.c, src/auth/passdb-pam.c of Dovecot.

use std::time::Duration;

use super::scan::{Scan, find, find_last};
use super::{LogSource, LoginReport, Parsed, Service};
use crate::gate::request::attempt::AuthOutcome;
use crate::gate::request::client::ClientKey;

mod auth;

/// Whether `program` is Dovecot.
pub fn is_dovecot(program: &[u8]) -> bool {
    program == b"dovecot"
}

/// Reads one message of Dovecot.
pub fn read(message: &[u8]) -> Parsed<'_> {
    if message.starts_with(b"auth") {
        return auth::read(message);
    }
    let services: [(&[u8], Service); 4] = [
        (b"imap-login: ", Service::Imap),
        (b"pop3-login: ", Service::Pop3),
        (b"submission-login: ", Service::Submission),
        (b"managesieve-login: ", Service::Sieve),
    ];
    for (name, service) in services {
        if let Some(text) = message.strip_prefix(name) {
            return login_process(without_level(text), service);
        }
    }
    Parsed::Unrelated
}

/// A log file of Dovecot's own names the level.
fn without_level(text: &[u8]) -> &[u8] {
    let levels: [&[u8]; 3] = [b"Info: ", b"Warning: ", b"Error: "];
    levels
        .iter()
        .find_map(|level| text.strip_prefix(*level))
        .unwrap_or(text)
}

fn login_process(text: &[u8], service: Service) -> Parsed<'_> {
    for success in [&b"Login: "[..], b"Logged in: "] {
        if let Some(elements) = text.strip_prefix(success) {
            return report(elements, service, AuthOutcome::Accept, 1, Duration::ZERO);
        }
    }
    let endings: [&[u8]; 5] = [
        b"Disconnected",
        b"Aborted login",
        b"Login aborted",
        b"Remote closed connection",
        b"Client has quit the connection",
    ];
    if !endings.iter().any(|ending| text.starts_with(ending)) {
        return Parsed::Unrelated;
    }
    let Some(at) = find(text, b" (auth failed, ") else {
        return Parsed::Unrelated;
    };
    if find(text, b"user=<").is_some_and(|name| name < at) {
        return Parsed::Unrelated;
    }
    let Some((attempts, within, elements)) = text.get(at..).and_then(failures) else {
        return Parsed::Ambiguous;
    };
    report(elements, service, AuthOutcome::Reject, attempts, within)
}

/// ` (auth failed, 3 attempts in 16 secs): elements`, with the event's name in between from 2.4 on.
fn failures(text: &[u8]) -> Option<(u32, Duration, &[u8])> {
    let mut scan = Scan::new(text);
    scan.literal(b" (auth failed, ")?;
    let attempts = scan.number()?;
    scan.literal(b" attempts")?;
    let mut within = 0;
    if scan.skip(b" in ") {
        within = scan.number()?;
        scan.literal(b" secs")?;
    }
    scan.literal(b")")?;
    scan.skip(b" (auth_failed)");
    scan.literal(b": ")?;
    Some((attempts, Duration::from_secs(within.into()), scan.rest()))
}

fn report(
    elements: &[u8],
    service: Service,
    outcome: AuthOutcome,
    attempts: u32,
    within: Duration,
) -> Parsed<'_> {
    let Some((user, client)) = user_and_address(elements) else {
        return Parsed::Ambiguous;
    };
    Parsed::Report(LoginReport {
        client,
        user,
        service,
        outcome,
        source: LogSource::LoginProcess,
        attempts,
        within,
    })
}

/// `user=<name>, method=PLAIN, rip=address, lip=…`; an element without a value is left out, but for
/// the user, who is then `<>`.
fn user_and_address(elements: &[u8]) -> Option<(Option<&[u8]>, ClientKey)> {
    const ADDRESS: &[u8] = b"rip=";
    const NEXT: &[u8] = b", rip=";
    let (front, rest) = match find_last(elements, NEXT) {
        Some(at) => elements.split_at_checked(at)?,
        None => (&b""[..], elements),
    };
    let mut scan = Scan::new(rest);
    scan.skip(b", ");
    scan.literal(ADDRESS)?;
    let address = scan.address()?;
    if !scan.rest().is_empty() && !scan.rest().starts_with(b", ") {
        return None;
    }
    let front = without_method(front);
    let user = match front.strip_prefix(b"user=<") {
        Some(rest) => Some(rest.strip_suffix(b">")?),
        None if front.is_empty() => None,
        None => return None,
    };
    let user = user.filter(|name| !name.is_empty());
    Some((user, ClientKey::new(address)))
}

/// `front` without the mechanism at its end.
fn without_method(front: &[u8]) -> &[u8] {
    const METHOD: &[u8] = b"method=";
    let is_method = |text: &[u8]| {
        text.iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if front.strip_prefix(METHOD).is_some_and(is_method) {
        return b"";
    }
    match find_last(front, b", method=").and_then(|at| front.split_at_checked(at)) {
        Some((user, method)) if method.get(9..).is_some_and(is_method) => user,
        _ => front,
    }
}

#[cfg(test)]
mod tests;
