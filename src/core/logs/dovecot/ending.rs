//! ending - how a login process says that a connection ended without a login
//!
//! `Disconnected: Connection closed (auth failed, 3 attempts in 16 secs): user=<name>, rip=...`, and behind the parenthesis the
//! event's name from Dovecot 2.4 on; a count of the logins that succeeded, `, last failure: text` and a failing proxy's
//! address are read too.
//! Not here: the elements behind the reason (`dovecot`).
//!
//! The tables hold all reasons of the source. What they do not hold, on a connection whose user is named, is not understood.
//! `client_get_extra_disconnect_reason` and `client_auth_fail_code_reasons` in src/login-common/client-common.c of Dovecot
//! 2.2 to 2.4.

use std::time::Duration;

use super::super::scan::{Scan, find, find_last};

/// A password was tried and refused, by Dovecot or by the server that it is a proxy of.
const REFUSED: [&[u8]; 6] = [
    b"auth failed",
    b"authorization failed",
    b"user disabled",
    b"password expired",
    b"proxy dest auth failed",
    b"proxy dest authentication failure",
];

/// No password was tried, the client left, or a server did not work.
const OF_NO_MATTER: [&[u8]; 32] = [
    b"no auth attempts",
    b"disconnected before auth was ready",
    b"disconnected during TLS handshake",
    b"disconnected while authenticating",
    b"disconnected while finishing login",
    b"client didn't finish SASL auth",
    b"client didn't send a cert",
    b"client sent an invalid cert",
    b"client sent an untrusted cert",
    b"cert required, client didn't start TLS",
    b"client_limit and process_limit was hit",
    b"The process is shutting down",
    b"aborted authentication",
    b"auth aborted by client",
    b"auth process communication failure",
    b"auth referral",
    b"auth service reported temporary failure",
    b"connection limit reached",
    b"internal failure",
    b"sent invalid base64 in response",
    b"login disabled",
    b"tried to use unsupported auth mechanism",
    b"tried to use disallowed",
    b"anonymous logins disabled",
    b"credentials contain control characters",
    b"proxy dest connection failed",
    b"proxy dest internal failure",
    b"proxy dest remote failure",
    b"proxy dest protocol failure",
    b"proxy dest temporary authentication failure",
    b"proxy dest connection limit reached",
    b"waited ",
];

/// What an ending says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LoginEnding<'a> {
    /// That many logins failed, in the time before; the elements behind it.
    Refused(u32, Duration, &'a [u8]),
    /// No password was refused.
    OfNoMatter,
    /// A reason that is not known, on a connection whose user is named.
    Unknown,
}

/// Reads what a login process says of a connection that ended. `None`: it says nothing of one.
pub(super) fn read(text: &[u8]) -> Option<LoginEnding<'_>> {
    // Without the elements it is no line about a client.
    find(text, b"rip=")?;
    // A name may hold anything: what counts stands in front of it.
    let name = find(text, b"user=<").unwrap_or(text.len());
    let (front, _) = text.split_at_checked(name)?;
    let mut from = 0;
    while let Some(at) = front.get(from..).and_then(|rest| find(rest, b"(")) {
        let reason = text.get(from + at + 1..)?;
        from += at + 1;
        if OF_NO_MATTER.iter().any(|known| reason.starts_with(known)) {
            return Some(LoginEnding::OfNoMatter);
        }
        if let Some(refused) = REFUSED.iter().find(|known| reason.starts_with(known)) {
            return Some(refusals(reason.get(refused.len()..)?).unwrap_or(LoginEnding::Unknown));
        }
    }
    let nobody =
        !text.get(name..)?.starts_with(b"user=<") || text.get(name..)?.starts_with(b"user=<>");
    let limited = find(front, b"Maximum number of connections").is_some();
    let internal = front.starts_with(b"Internal login failure");
    Some(if nobody || limited || internal {
        LoginEnding::OfNoMatter
    } else {
        LoginEnding::Unknown
    })
}

/// ` to host, 3 attempts in 16 secs, last failure: text) (auth_failed): elements`, behind the reason.
fn refusals(text: &[u8]) -> Option<LoginEnding<'_>> {
    let mut scan = Scan::new(text);
    if scan.skip(b" to ") {
        scan.run(|byte| !matches!(byte, b',' | b')' | b' '))?;
    }
    let mut attempts = 1;
    let mut within = 0;
    if scan.skip(b", ") {
        attempts = scan.number()?;
        if scan.skip(b"/") {
            // So many of them succeeded.
            attempts = scan.number()?.saturating_sub(attempts);
            scan.literal(b" successful auths")?;
        } else {
            scan.literal(b" attempt")?;
            scan.skip(b"s");
        }
        scan.skip(b" ");
        if scan.skip(b"in ") {
            within = scan.number()?;
            scan.literal(b" secs")?;
        }
    }
    let within = Duration::from_secs(within.into());
    if scan.skip(b", last failure: ") {
        return behind_free_text(scan.rest())
            .map(|elements| LoginEnding::Refused(attempts, within, elements));
    }
    scan.literal(b")")?;
    if scan.skip(b" (") {
        scan.run(|byte| byte.is_ascii_lowercase() || byte == b'_')?;
        scan.literal(b")")?;
    }
    scan.literal(b": ")?;
    Some(LoginEnding::Refused(attempts, within, scan.rest()))
}

/// The elements behind what another server answered. Where it or the name may imitate them, they begin at the address,
/// and the user is not named.
fn behind_free_text(text: &[u8]) -> Option<&[u8]> {
    const USER: &[u8] = b"): user=<";
    let elements = |at: usize| text.get(at + 3..);
    let first = find(text, USER);
    match first {
        Some(at) if find_last(text, b"user=<") == Some(at + 3) => elements(at),
        _ => find_last(text, b", rip=").and_then(|at| text.get(at + 2..)),
    }
}
