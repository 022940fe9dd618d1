//! pam - authentication failures that a PAM module logs itself
//!
//! `pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=name
//! rhost=address  user=name`, as it stands in CentOS's /var/log/secure and Debian's auth.log.
//! Dovecot's PAM service may have any name (`dovecot2`, `imap`, `mail`): the terminal `dovecot` says whose line it is.
//! Not here: Dovecot's own line about the same attempt (`dovecot`).
//!
//! The name stands twice, in front of the address and behind it, and may hold anything. Only the
//! true address splits the line into two equal names, so an address inside a name is never taken.
//! pam_unix(8), modules/pam_unix/pam_unix_auth.c of Linux-PAM.

use std::time::Duration;

use super::scan::{Scan, find};
use super::{LogSource, LoginReport, Parsed, Service};
use crate::gate::request::attempt::AuthOutcome;
use crate::gate::request::client::ClientKey;

/// Reads one message. Those about other users of PAM are `Unrelated`, and what is not PAM's `Foreign`.
pub fn read(message: &[u8]) -> Parsed<'_> {
    let mut scan = Scan::new(message);
    if !message.starts_with(b"pam_") {
        let Some(text) = behind_auth(message).filter(|text| text.starts_with(b"pam_")) else {
            return Parsed::Foreign;
        };
        scan = Scan::new(text);
    }
    if head(&mut scan).is_none() {
        return Parsed::Unrelated;
    }
    let Some((name, client)) = split(scan.rest()) else {
        return Parsed::Ambiguous;
    };
    Parsed::Report(LoginReport {
        client,
        user: Some(name).filter(|name| !name.is_empty()),
        service: Service::Unknown,
        outcome: AuthOutcome::Reject,
        source: LogSource::Pam,
        attempts: 1,
        within: Duration::ZERO,
    })
}

/// What stands behind `auth: `, `auth-worker(12): `, where PAM writes into Dovecot's own log.
fn behind_auth(message: &[u8]) -> Option<&[u8]> {
    let mut scan = Scan::new(message);
    scan.literal(b"auth")?;
    scan.skip(b"-worker");
    if scan.skip(b"(") {
        scan.number()?;
        scan.literal(b")")?;
    }
    scan.literal(b": ")?;
    Some(scan.rest())
}

/// Up to and with `ruser=`: all of it the module's own text.
fn head(scan: &mut Scan<'_>) -> Option<()> {
    scan.literal(b"pam_")?;
    scan.run(|byte| byte.is_ascii_alphanumeric() || byte == b'_')?;
    scan.literal(b"(")?;
    scan.run(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))?;
    scan.literal(b":auth): authentication failure; logname=")?;
    scan.until(b' ')?;
    scan.literal(b"uid=")?;
    scan.number()?;
    scan.literal(b" euid=")?;
    scan.number()?;
    scan.literal(b" tty=dovecot ruser=")
}

/// `name rhost=address  user=name`, or with one of the names left out.
fn split(text: &[u8]) -> Option<(&[u8], ClientKey)> {
    let mut single = None;
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| find(rest, b" rhost=")) {
        let (front, rest) = text.split_at_checked(from + at)?;
        from += at + 1;
        let mut scan = Scan::new(rest);
        scan.literal(b" rhost=")?;
        let Some(address) = scan.address() else {
            continue;
        };
        scan.skip(b" ");
        scan.skip(b" ");
        let behind = scan.rest().strip_prefix(b"user=");
        let client = ClientKey::new(address);
        match behind {
            Some(behind) if behind == front => return Some((front, client)),
            // Without a name in front, what comes first is the address.
            Some(behind) if front.is_empty() && find(behind, b" rhost=").is_none() => {
                single = Some((behind, client));
            }
            None if scan.rest().is_empty() && !front.contains(&b' ') => {
                single = Some((front, client));
            }
            _ => {}
        }
    }
    single
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=";

    #[track_caller]
    fn check(tail: &str, user: &str) {
        let message = format!("{HEAD}{tail}");
        let Parsed::Report(report) = read(message.as_bytes()) else {
            panic!("{message}");
        };
        assert_eq!(report.client, "203.0.113.7".parse().unwrap(), "{message}");
        assert_eq!(
            report.user.map(String::from_utf8_lossy).as_deref(),
            Some(user)
        );
    }

    #[test]
    fn every_form_is_read() {
        check("bob rhost=203.0.113.7  user=bob", "bob");
        check("bob rhost=203.0.113.7 user=bob", "bob");
        check("bob@example.org rhost=203.0.113.7 ", "bob@example.org");
        check("bob rhost=203.0.113.7", "bob");
        check(" rhost=203.0.113.7  user=bob", "bob");
    }

    #[test]
    fn the_service_may_have_any_name_and_another_line_in_front() {
        let tail = "bob rhost=203.0.113.7  user=bob";
        for head in [
            HEAD.replace("(dovecot:", "(dovecot2:"),
            HEAD.replace("(dovecot:", "(imap:"),
            HEAD.replace("pam_unix(dovecot:", "pam_sss(mail-in.x:"),
            format!("auth: {HEAD}"),
            format!("auth-worker: {HEAD}"),
            format!("auth-worker(12): {HEAD}"),
        ] {
            let message = format!("{head}{tail}");
            let Parsed::Report(report) = read(message.as_bytes()) else {
                panic!("{message}");
            };
            assert_eq!(report.user, Some(&b"bob"[..]), "{message}");
        }
    }

    #[test]
    fn an_address_in_a_name_is_never_taken() {
        for name in [
            "rhost=192.0.2.9",
            "x rhost=192.0.2.9  user=root",
            " rhost=192.0.2.9  user=root",
            "x rhost=192.0.2.9  user=x",
            "x rhost=192.0.2.9  user=x rhost=192.0.2.9  user=x",
        ] {
            check(&format!("{name} rhost=203.0.113.7  user={name}"), name);
        }
    }

    #[test]
    fn a_hostile_name_that_stands_once_is_not_believed() {
        for front in ["x", ""] {
            let message = format!("{HEAD}{front} rhost=192.0.2.9  user=root rhost=203.0.113.7 ");
            assert_eq!(read(message.as_bytes()), Parsed::Ambiguous);
        }
    }

    #[test]
    fn other_users_of_pam_are_not_ours() {
        for message in [
            "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=203.0.113.7  user=root",
            "pam_unix(dovecot:auth): check pass; user unknown",
            "pam_unix(dovecot:session): session opened for user bob",
        ] {
            assert_eq!(read(message.as_bytes()), Parsed::Unrelated, "{message}");
        }
    }
}
