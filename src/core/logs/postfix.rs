//! postfix - what smtpd logs about logins
//!
//! Failures: `warning: host[address]: SASL LOGIN authentication failed: reason`, and behind it
//! `, sasl_username=name` from Postfix 3.9 on (and in the packages that took it over). Successes: the
//! first `queue-id: client=host[address], sasl_method=…, sasl_username=name` of a session, one a message.
//! Not here: sessions (`parser`), Dovecot's view of the same attempt (`dovecot`).
//!
//! A name ends the line, so it can imitate nothing in front of it; the host is a checked DNS name. An
//! exchange that the client broke off, or a mechanism that is not offered, tried no password.
//! smtpd(8), src/smtpd/smtpd_sasl_glue.c and smtpd.c of Postfix 3.4 to 3.12.

use std::time::Duration;

use super::scan::{Scan, find};
use super::{LogSource, LoginReport, Parsed, Service};
use crate::gate::request::attempt::AuthOutcome;
use crate::gate::request::client::ClientKey;

/// Whether `program` is an smtpd: `postfix/smtpd`, `postfix/submission/smtpd`, `other-name/smtpd`.
pub fn is_smtpd(program: &[u8]) -> bool {
    program.ends_with(b"/smtpd")
}

/// Reads one message of an smtpd.
pub fn read(message: &[u8]) -> Parsed<'_> {
    if message.starts_with(b"connect from ") || message.starts_with(b"disconnect from ") {
        return Parsed::SessionBoundary;
    }
    if let Some(warning) = message.strip_prefix(b"warning: ") {
        return failure(warning);
    }
    success(message)
}

fn failure(warning: &[u8]) -> Parsed<'_> {
    let mut scan = Scan::new(warning);
    let head = |scan: &mut Scan<'_>| {
        let client = endpoint(scan)?;
        scan.literal(b": SASL ")?;
        mechanism(scan)?;
        scan.literal(b" authentication failed:")?;
        Some(client)
    };
    let Some(client) = head(&mut scan) else {
        return Parsed::Unrelated;
    };
    let Some(client) = client else {
        return Parsed::Ambiguous;
    };
    scan.skip(b" ");
    let text = scan.rest();
    let (reason, user) = match find(text, b", sasl_username=") {
        Some(at) => {
            let (reason, rest) = text.split_at_checked(at).unwrap_or((text, b""));
            (reason, rest.strip_prefix(b", sasl_username="))
        }
        None => (text, None),
    };
    let outcome = match reason {
        b"Invalid authentication mechanism" => return Parsed::Unrelated,
        reason if reason.starts_with(b"Invalid base64 data") => return Parsed::Unrelated,
        b"Connection lost to authentication server" => AuthOutcome::Defer,
        reason if reason.starts_with(b"Temporary authentication") => AuthOutcome::Defer,
        _ => AuthOutcome::Reject,
    };
    let user = user.filter(|name| !name.is_empty() && *name != b"(unavailable)");
    report(client, user, outcome)
}

/// `host[address]` or `host[address]:port`. The inner `None`: the address is unknown.
fn endpoint(scan: &mut Scan<'_>) -> Option<Option<ClientKey>> {
    scan.run(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))?;
    scan.literal(b"[")?;
    let client = match scan.address() {
        Some(address) => Some(ClientKey::new(address)),
        None => {
            scan.literal(b"unknown")?;
            None
        }
    };
    scan.literal(b"]")?;
    let mut port = *scan;
    if port.skip(b":") && port.number().is_some() {
        *scan = port;
    }
    Some(client)
}

fn mechanism(scan: &mut Scan<'_>) -> Option<()> {
    scan.run(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))?;
    Some(())
}

fn success(message: &[u8]) -> Parsed<'_> {
    let mut scan = Scan::new(message);
    let head = |scan: &mut Scan<'_>| {
        scan.run(|byte| byte.is_ascii_alphanumeric())?;
        scan.literal(b": client=")?;
        let client = endpoint(scan)?;
        scan.literal(b", sasl_method=")?;
        Some(client)
    };
    let Some(client) = head(&mut scan) else {
        return Parsed::Unrelated;
    };
    let name = |scan: &mut Scan<'_>| {
        mechanism(scan)?;
        scan.literal(b", sasl_username=")
    };
    let (Some(client), Some(())) = (client, name(&mut scan)) else {
        return Parsed::Ambiguous;
    };
    report(client, certain(scan.rest()), AuthOutcome::Accept)
}

/// The name, unless other fields seem to stand behind it: a name may hold their text too, so it is
/// not known where it ends.
fn certain(rest: &[u8]) -> Option<&[u8]> {
    let fields: [&[u8]; 3] = [b", sasl_sender=", b", orig_queue_id=", b", orig_client="];
    let whole = !rest.is_empty() && fields.iter().all(|field| find(rest, field).is_none());
    whole.then_some(rest)
}

fn report(client: ClientKey, user: Option<&[u8]>, outcome: AuthOutcome) -> Parsed<'_> {
    Parsed::Report(LoginReport {
        client,
        user,
        service: Service::Smtp,
        outcome,
        source: LogSource::Postfix,
        attempts: 1,
        within: Duration::ZERO,
    })
}

#[cfg(test)]
mod tests;
