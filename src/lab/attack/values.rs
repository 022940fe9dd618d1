//! values - the values of the options of `attack`, parsed
//!
//! A target that is not this machine is refused here, by name, and once more by `lab::botnet`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A target as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AttackTarget {
    pub(super) address: IpAddr,
    pub(super) port: Option<u16>,
}

/// An honest user's account. Its `Debug` does not show the password.
#[derive(Clone)]
pub(super) struct HonestAccount {
    pub(super) user: String,
    pub(super) password: String,
}

impl std::fmt::Debug for HonestAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Account({:?})", self.user)
    }
}

pub(super) fn read_target(text: &str) -> Result<AttackTarget, String> {
    let (host, port) = match text.parse::<SocketAddr>() {
        Ok(address) => (address.ip().to_string(), Some(address.port())),
        Err(_) => split_port(text)?,
    };
    let address = match host.as_str() {
        "localhost" => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        host => host.parse(),
    };
    match address {
        Ok(address) if address.to_canonical().is_loopback() => Ok(AttackTarget { address, port }),
        _ => Err("attacks stay on this machine: write 127.0.0.1, localhost or [::1]".to_owned()),
    }
}

/// `localhost:465`, `localhost`, `::1` or `[::1]` into host and port.
fn split_port(text: &str) -> Result<(String, Option<u16>), String> {
    if text.parse::<IpAddr>().is_ok() {
        return Ok((text.to_owned(), None));
    }
    match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(['[', ':']) => match port.parse() {
            Ok(port) => Ok((host.to_owned(), Some(port))),
            Err(_) => Err(format!("{port:?} is no port: 1 to 65535")),
        },
        _ => Ok((text.trim_matches(['[', ']']).to_owned(), None)),
    }
}

pub(super) fn read_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.01..=100_000.0).contains(&rate) => Ok(rate),
        _ => Err("0.01 to 100000 a second".to_owned()),
    }
}

pub(super) fn read_account(text: &str) -> Result<HonestAccount, String> {
    match text.split_once(':') {
        Some((user, password)) if !user.is_empty() && !password.is_empty() => Ok(HonestAccount {
            user: user.to_owned(),
            password: password.to_owned(),
        }),
        _ => Err("write USER:PASS".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Option<(String, Option<u16>)> {
        let host = read_target(text).ok()?;
        Some((host.address.to_string(), host.port))
    }

    #[test]
    fn this_machine_is_a_target_however_it_is_written() {
        let v4 = |port| Some(("127.0.0.1".to_owned(), port));
        let v6 = |port| Some(("::1".to_owned(), port));
        assert_eq!(target("127.0.0.1"), v4(None));
        assert_eq!(target("127.0.0.1:4650"), v4(Some(4650)));
        assert_eq!(target("localhost"), v4(None));
        assert_eq!(target("localhost:587"), v4(Some(587)));
        assert_eq!(target("::1"), v6(None));
        assert_eq!(target("[::1]"), v6(None));
        assert_eq!(target("[::1]:465"), v6(Some(465)));
    }

    #[test]
    fn every_other_machine_is_refused_with_what_would_be_right() {
        for elsewhere in [
            "mx.example.org",
            "mx.example.org:465",
            "192.0.2.1",
            "192.0.2.1:465",
            "0.0.0.0:465",
            "[2001:db8::1]:465",
            "::",
            "::ffff:192.0.2.1",
            "localhost.example.org",
            "",
            "127.0.0.1.example.org:465",
        ] {
            let fault = read_target(elsewhere).unwrap_err();
            assert!(fault.contains("127.0.0.1"), "{elsewhere}: {fault}");
        }
        let fault = read_target("localhost:70000").unwrap_err();
        assert!(fault.contains("no port"), "{fault}");
    }

    #[test]
    fn a_password_may_hold_colons_and_is_not_shown() {
        let account = read_account("ann@example.org:a:b").unwrap();
        assert_eq!(
            (account.user.as_str(), account.password.as_str()),
            ("ann@example.org", "a:b")
        );
        assert_eq!(format!("{account:?}"), r#"Account("ann@example.org")"#);
        for wrong in ["ann", ":x", "ann:"] {
            assert!(read_account(wrong).is_err(), "{wrong}");
        }
    }
}
