//! dovecot - what Dovecot logs about logins
//!
//! Its login processes log successes and, when a connection ends (`ending`), how many attempts failed on it; with
//! `auth_verbose = yes` its auth processes log every failure. Read in the forms of Dovecot 2.2, 2.3
//! and 2.4, out of syslog (`dovecot: imap-login: …`) or a log file of Dovecot's own (`imap-login: Info: …`).
//! Not here: which of these lines are about one attempt (`merge`).
//!
//! Login processes print the client's name in front of its address, and a name may look like an address:
//! behind the *last* `, rip=` no octet comes from the client. Auth processes print the name first and
//! sometimes the password or the name last: where more than one reading is possible, none is believed.
//! src/login-common/client-common.c, src/auth/auth-request.c, src/auth/passdb-pam.c of Dovecot.

use std::time::Duration;

use super::scan::{Scan, find_last};
use super::{LogSource, LoginReport, Parsed, Service};
use crate::gate::request::attempt::AuthOutcome;
use crate::gate::request::client::ClientKey;

mod auth;
mod ending;
mod proxy;

/// Dovecot's services, as they name themselves in front of a message.
const SERVICES: [&[u8]; 38] = [
    b"anvil",
    b"aggregator",
    b"auth",
    b"auth-worker",
    b"config",
    b"dict",
    b"dict-async",
    b"director",
    b"dns-client",
    b"dns_client",
    b"doveadm",
    b"doveadm-server",
    b"dsync-local",
    b"dsync-server",
    b"health-check",
    b"imap",
    b"imap-hibernate",
    b"imap-login",
    b"imap-urlauth",
    b"imap-urlauth-login",
    b"indexer",
    b"indexer-worker",
    b"ipc",
    b"lda",
    b"lmtp",
    b"log",
    b"managesieve",
    b"managesieve-login",
    b"master",
    b"old-stats",
    b"pop3",
    b"pop3-login",
    b"replicator",
    b"ssl-params",
    b"stats",
    b"submission",
    b"submission-login",
    b"quota-status",
];

/// The services that take logins.
const LOGIN_SERVICES: [(&[u8], Service); 4] = [
    (b"imap-login", Service::Imap),
    (b"pop3-login", Service::Pop3),
    (b"submission-login", Service::Submission),
    (b"managesieve-login", Service::Sieve),
];

/// Whether `name` is one of Dovecot's services.
pub(super) fn is_service(name: &[u8]) -> bool {
    SERVICES.contains(&name)
}

/// Whether `program` is surely Dovecot. Its name is the setting `instance_name`: any other may be, if the message is.
pub fn is_dovecot(program: &[u8]) -> bool {
    program.starts_with(b"dovecot")
}

/// Reads one message of Dovecot, or of a program that may be one.
pub fn read(message: &[u8]) -> Parsed<'_> {
    if message.starts_with(b"auth") {
        return auth::read(message);
    }
    for (name, service) in LOGIN_SERVICES {
        if let Some(text) = message.strip_prefix(name).and_then(behind_service) {
            return login_process(without_level(text), service);
        }
    }
    let end = message.iter().position(|byte| matches!(byte, b':' | b'('));
    match end.and_then(|end| message.get(..end)) {
        Some(name) if is_service(name) => Parsed::Unrelated,
        _ => Parsed::Foreign,
    }
}

/// Reads a message of a program that names itself as the login process. `None`: it does not.
pub(super) fn read_of_service<'a>(program: &[u8], message: &'a [u8]) -> Option<Parsed<'a>> {
    let (_, service) = LOGIN_SERVICES.iter().find(|(name, _)| *name == program)?;
    Some(login_process(without_level(message), *service))
}

/// Whether the line is one of a login process.
pub(super) fn is_login_process(program: &[u8], message: &[u8]) -> bool {
    program.ends_with(b"-login")
        || LOGIN_SERVICES.iter().any(|(name, _)| {
            message
                .strip_prefix(*name)
                .and_then(behind_service)
                .is_some()
        })
}

/// `: `, or `(12): ` and `(12)<session>: ` where a log shows the process.
fn behind_service(text: &[u8]) -> Option<&[u8]> {
    let mut scan = Scan::new(text);
    if scan.skip(b"(") {
        scan.number()?;
        scan.literal(b")")?;
        while scan.skip(b"<") {
            scan.run(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+' | b'='))?;
            scan.literal(b">")?;
        }
    }
    scan.literal(b": ")?;
    Some(scan.rest())
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
    if text.starts_with(b"Debug: ") {
        return Parsed::Unrelated;
    }
    for success in [&b"Login: "[..], b"Logged in: "] {
        if let Some(elements) = text.strip_prefix(success) {
            return report(elements, service, AuthOutcome::Accept, 1, Duration::ZERO);
        }
    }
    match proxy::read(text) {
        Some(proxy::Passed::Accepted(elements)) => {
            return report(elements, service, AuthOutcome::Accept, 1, Duration::ZERO);
        }
        Some(proxy::Passed::Ambiguous) => return Parsed::Ambiguous,
        Some(proxy::Passed::OfNoMatter) => return Parsed::Unrelated,
        None => {}
    }
    match ending::read(text) {
        Some(ending::LoginEnding::Refused(0, ..) | ending::LoginEnding::OfNoMatter) | None => {
            Parsed::Unrelated
        }
        Some(ending::LoginEnding::Refused(attempts, within, elements)) => {
            report(elements, service, AuthOutcome::Reject, attempts, within)
        }
        Some(ending::LoginEnding::Unknown) => Parsed::Ambiguous,
    }
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
