//! attempt - one login attempt, as the gate is asked about it, and how it came out
//!
//! Not here: how credentials travel in AUTH (`smtp::sasl`), and what the gate keeps of them
//! (keyed hashes only: `familiar`, `words`).

use std::fmt;

use zeroize::Zeroizing;

use crate::gate::request::client::ClientKey;
use crate::gate::request::device::Device;
use crate::gate::request::doors::{Door, PasswordHash};
use crate::gate::request::place::Located;

/// The name that a client wants to log in as: the authcid, as decoded, any octets at all.
///
/// Shown (`Display`, `Debug`) only escaped: printable ASCII as it is, all else as `\xNN`, cut after
/// 64 octets. It is safe in a log line, a terminal and JSON.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct UserName(Box<[u8]>);

impl UserName {
    /// Takes the decoded octets of an authcid.
    pub fn new(octets: impl Into<Box<[u8]>>) -> Self {
        Self(octets.into())
    }

    /// The name that is shown as this text, where that differs from it: what an operator copies from the log. None: nothing
    /// is escaped in it, or what it shows was cut.
    pub fn of_shown(text: &str) -> Option<Self> {
        let mut octets = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let [first, behind @ ..] = rest {
            let (octet, behind) = match (first, behind) {
                (b'\\', [b'\\', behind @ ..]) => (b'\\', behind),
                (b'\\', [b'x', high, low, behind @ ..]) => {
                    let digits = [*high, *low];
                    let digits = std::str::from_utf8(&digits).ok()?;
                    (u8::from_str_radix(digits, 16).ok()?, behind)
                }
                (octet, behind) => (*octet, behind),
            };
            octets.push(octet);
            rest = behind;
        }
        let name = Self::new(octets);
        (name.as_bytes() != text.as_bytes() && name.to_string() == text).then_some(name)
    }

    /// The octets as the client sent them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The octets with ASCII letters lower-cased: what the gate counts by.
    pub fn folded(&self) -> Vec<u8> {
        self.0.to_ascii_lowercase()
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 64;
        for &octet in self.0.iter().take(SHOWN) {
            match octet {
                b'\\' => f.write_str("\\\\")?,
                b'"' => f.write_str("\\x22")?,
                0x21..=0x7e => write!(f, "{}", char::from(octet))?,
                _ => write!(f, "\\x{octet:02x}")?,
            }
        }
        if self.0.len() > SHOWN {
            write!(f, "...({} octets)", self.0.len())?;
        }
        Ok(())
    }
}

impl fmt::Debug for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserName({self})")
    }
}

/// A password or token. It has no `Display`, its `Debug` tells nothing, and it wipes itself.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the decoded octets.
    pub fn new(octets: Vec<u8>) -> Self {
        Self(Zeroizing::new(octets))
    }

    /// The octets, for the one who must send or hash them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What the mechanism shows of the password.
#[derive(Clone, Copy, Debug)]
pub enum Password<'a> {
    /// PLAIN and LOGIN show the password.
    Shown(&'a Secret),
    /// The OAuth mechanisms show a token, which ends by itself.
    Token(&'a Secret),
    /// A door of Dovecot's shows its hash.
    Hashed(&'a PasswordHash),
    /// The same of a token.
    HashedToken(&'a PasswordHash),
    /// SCRAM and CRAM-MD5 show nothing that two tries could be compared by.
    Hidden,
}

/// One AUTH exchange for which a password would be checked.
#[derive(Clone, Copy, Debug)]
pub struct AuthAttempt<'a> {
    /// The session that asks, as its log lines and replies name it.
    pub session: u64,
    /// Who asks.
    pub client: ClientKey,
    /// Which user it claims to be.
    pub user: &'a UserName,
    /// With what.
    pub password: Password<'a>,
    /// Where.
    pub door: Door,
    /// From which device, where the door can tell one.
    pub device: Option<Device>,
    /// Where its client is in the world.
    pub country: Located,
    /// The number of the autonomous system that announces its client, where that is known.
    pub system: Option<u32>,
}

/// How far a user is trusted in the network of an attempt, or with its device. The texts (`Display`) are public API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Logged in from this network within 90 days.
    Familiar,
    /// Logged in from this device within 90 days, and is not familiar in the network.
    Device,
    /// Logged in from this network within 90 days, but not since the password was changed.
    Unproven,
    /// Logged in from its /16 or /32, or from its autonomous system.
    Near,
    /// Everything else.
    Far,
}

impl Trust {
    /// Whether the user has logged in from this network or device, so that neither bans nor turns for strangers hold.
    pub const fn is_at_home(self) -> bool {
        match self {
            Self::Familiar | Self::Device | Self::Unproven => true,
            Self::Near | Self::Far => false,
        }
    }

    /// Whether so it did with a password that is not known to be changed since.
    pub const fn is_familiar(self) -> bool {
        match self {
            Self::Familiar | Self::Device => true,
            Self::Unproven | Self::Near | Self::Far => false,
        }
    }
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Familiar => "familiar",
            Self::Device => "device",
            Self::Unproven => "unproven",
            Self::Near => "near",
            Self::Far => "far",
        })
    }
}

/// What Postfix made of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthOutcome {
    /// 235: logged in.
    Accept,
    /// 5xx to the credentials: a failure that counts.
    Reject,
    /// 4xx, a dead or silent Postfix, an exchange that ended before a challenge: no failure of the credentials.
    Defer,
    /// 4xx after a wait: Dovecot let Postfix wait longer than Postfix does. The password may have been
    /// checked all the same.
    Stalled,
    /// The client left an exchange after Postfix had given it a challenge, or nobody could check its proof:
    /// the name was probed, and the password was not checked.
    Abandoned,
    /// Dovecot has not told what came of it. The password may have been checked.
    Unreported,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_is_shown_harmless_and_short() {
        let name = UserName::new(b"a b\r\n\x1b\"\\\xe2\x80\xae".to_vec());
        assert_eq!(name.to_string(), r"a\x20b\x0d\x0a\x1b\x22\\\xe2\x80\xae");
        let long = UserName::new(vec![b'x'; 1_000_000]).to_string();
        assert!(long.len() < 100, "{}", long.len());
    }

    #[test]
    fn a_name_is_read_as_it_is_shown() {
        for name in ["CORP\\anna", "a b", "m\u{fc}ller@example.org", "\"\\\\x41"] {
            let name = UserName::new(name.as_bytes());
            assert_eq!(UserName::of_shown(&name.to_string()), Some(name));
        }
        let cut = UserName::new(vec![b' '; 65]).to_string();
        for plain in [
            "anna",
            "CORP\\anna",
            r"CORP\xavier",
            r"a\x+1",
            r"a\x41",
            r"a\xFF",
            "a\\",
            "",
            "a b",
            &cut,
        ] {
            assert_eq!(UserName::of_shown(plain), None, "{plain}");
        }
    }

    #[test]
    fn a_secret_shows_nothing() {
        assert_eq!(
            format!("{:?}", Secret::new(b"hunter2".to_vec())),
            "Secret(..)"
        );
    }
}
