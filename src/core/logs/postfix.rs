//! postfix - what smtpd logs about logins
//!
//! Failures: `warning: host[address]: SASL LOGIN authentication failed: reason`, and behind it
//! `, sasl_username=name` from Postfix 3.9 on (and in the packages that took it over). Successes: the
//! first `queue-id: client=host[address], sasl_method=…, sasl_username=name` of a session, one a message.
//! Not here: sessions (`parser`), Dovecot's view of the same attempt (`dovecot`), what a reason means (`reason`).
//!
//! A name ends the line, so it can imitate nothing in front of it; the host is a checked DNS name. An
//! exchange that the client broke off, or a mechanism that is not offered, tried no password.
//! smtpd(8), src/smtpd/smtpd_sasl_glue.c and smtpd.c of Postfix 3.4 to 3.12.

use std::time::Duration;

use super::scan::{Scan, find, find_last};
use super::{LogSource, LoginReport, Parsed, Service};
use crate::gate::request::attempt::AuthOutcome;
use crate::gate::request::client::ClientKey;

mod reason;

/// Whether `program` is an smtpd: `postfix/smtpd`, `postfix/submission/smtpd`, `other-name/smtpd`.
pub fn is_smtpd(program: &[u8]) -> bool {
    program.ends_with(b"/smtpd")
}

/// Whether `program` is another program of Postfix's, which takes no logins.
pub(super) fn is_other(program: &[u8]) -> bool {
    let names: [&[u8]; 24] = [
        b"qmgr",
        b"cleanup",
        b"smtp",
        b"lmtp",
        b"local",
        b"virtual",
        b"pipe",
        b"bounce",
        b"pickup",
        b"anvil",
        b"scache",
        b"trivial-rewrite",
        b"tlsmgr",
        b"postscreen",
        b"dnsblog",
        b"tlsproxy",
        b"verify",
        b"error",
        b"retry",
        b"discard",
        b"master",
        b"postfix-script",
        b"proxymap",
        b"sendmail",
    ];
    let name = program
        .rsplit(|&byte| byte == b'/')
        .next()
        .unwrap_or_default();
    name.len() < program.len() && names.contains(&name)
}

/// Reads one message of an smtpd.
pub fn read(message: &[u8]) -> Parsed<'_> {
    if message.starts_with(b"connect from ") {
        return Parsed::SessionBegins;
    }
    if message.starts_with(b"disconnect from ") {
        return Parsed::SessionEnds;
    }
    let parsed = match message.strip_prefix(b"warning: ") {
        Some(warning) => failure(warning),
        None => success(message),
    };
    match parsed {
        Parsed::Foreign if is_of_no_matter(message) => Parsed::Unrelated,
        parsed => parsed,
    }
}

/// What smtpd says beside logins. A line that holds a client's text must be known here: the text may look like a login.
fn is_of_no_matter(message: &[u8]) -> bool {
    let beginnings: [&[u8]; 11] = [
        b"lost connection after ",
        b"timeout after ",
        b"too many errors after ",
        b"improper command pipelining after ",
        b"SSL_accept error ",
        b"setting up TLS connection ",
        b"warning: non-SMTP command ",
        b"warning: hostname ",
        b"warning: Illegal address syntax ",
        b"warning: SASL authentication failure: ",
        b"statistics: ",
    ];
    if beginnings
        .iter()
        .any(|beginning| message.starts_with(beginning))
    {
        return true;
    }
    let mut scan = Scan::new(message);
    let word = scan.run(|byte| byte.is_ascii_alphanumeric());
    if word.is_some() && scan.skip(b" TLS connection ") {
        return true;
    }
    let actions: [&[u8]; 13] = [
        b"reject: ",
        b"reject_warning: ",
        b"milter-",
        b"filter: ",
        b"hold: ",
        b"discard: ",
        b"redirect: ",
        b"prepend: ",
        b"replace: ",
        b"bcc: ",
        b"warn: ",
        b"info: ",
        b"strip: ",
    ];
    let is_action = |text: &[u8]| actions.iter().any(|action| text.starts_with(action));
    word.is_some() && scan.skip(b": ") && is_action(scan.rest())
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
        return if aborted(warning) {
            Parsed::Unrelated
        } else {
            Parsed::Foreign
        };
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
    let Some(outcome) = reason::outcome(reason) else {
        return Parsed::Unrelated;
    };
    let user = user.filter(|name| !name.is_empty() && *name != b"(unavailable)");
    report(client, user, outcome)
}

/// The client has ended the exchange itself.
fn aborted(warning: &[u8]) -> bool {
    let mut scan = Scan::new(warning);
    let mut read = || {
        endpoint(&mut scan)?;
        scan.literal(b": SASL ")?;
        mechanism(&mut scan)?;
        scan.literal(b" authentication aborted")
    };
    read().is_some()
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
        return Parsed::Foreign;
    };
    let name = |scan: &mut Scan<'_>| {
        mechanism(scan)?;
        scan.literal(b", sasl_username=")
    };
    let (Some(client), Some(())) = (client, name(&mut scan)) else {
        return Parsed::Ambiguous;
    };
    let report = report(client, certain(scan.rest()), AuthOutcome::Accept);
    match report {
        // The login was at any time of the session.
        Parsed::Report(report) => Parsed::Report(LoginReport {
            within: Duration::MAX,
            ..report
        }),
        other => other,
    }
}

/// The name, without `, sasl_sender=` at the end of the line: that is xtext, without a blank (src/smtpd/smtpd.c), so the
/// last one without a blank behind it is the field. Where other fields seem to stand behind the name, a name may hold
/// their text too: it is not known where it ends.
fn certain(rest: &[u8]) -> Option<&[u8]> {
    const SENDER: &[u8] = b", sasl_sender=";
    let name = match find_last(rest, SENDER).and_then(|at| rest.split_at_checked(at)) {
        Some((name, sender)) if !sender.get(2..)?.contains(&b' ') => name,
        _ => rest,
    };
    let fields: [&[u8]; 3] = [SENDER, b", orig_queue_id=", b", orig_client="];
    let whole = !name.is_empty() && fields.iter().all(|field| find(name, field).is_none());
    whole.then_some(name)
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
