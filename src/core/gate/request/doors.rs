//! doors - where an attempt is made, and the hash by which one password is the same at every door
//!
//! Gatepost's own door is SMTP; at the others Dovecot asks, by its auth-policy protocol. It shows no password, but
//! `sha256(nonce, login, NUL, password)`. The nonce is the operator's secret, so the same hash is made here of what is
//! tried at Gatepost's own door, and a password that was refused at one is no new guess at another.
//! Not here: the protocol (the daemon's `auth_policy`), the hash that is kept (`keys`).
//! Dovecot's auth_policy_hash_mech = sha256, auth_policy_hash_truncate = 0.

use data_encoding::HEXLOWER_PERMISSIVE;
use std::fmt;

use sha2::{Digest, Sha256};

/// Where an attempt is made. The texts are public API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Door {
    /// Gatepost's own SMTP.
    #[default]
    Own,
    /// Another Postfix that asks Dovecot.
    Smtp,
    /// Dovecot's IMAP.
    Imap,
    /// Dovecot's POP3.
    Pop3,
    /// Dovecot's ManageSieve.
    Sieve,
    /// Dovecot's own submission.
    Submission,
    /// An operator's `doveadm auth test`.
    Doveadm,
    /// Whatever else asks Dovecot.
    Other,
}

impl Door {
    /// Every door, in the order of the numbers.
    pub const ALL: [Self; 8] = [
        Self::Own,
        Self::Smtp,
        Self::Imap,
        Self::Pop3,
        Self::Sieve,
        Self::Submission,
        Self::Doveadm,
        Self::Other,
    ];

    /// The door that Dovecot calls so.
    pub fn of_protocol(protocol: &str) -> Self {
        match protocol {
            "smtp" => Self::Smtp,
            "imap" => Self::Imap,
            "pop3" => Self::Pop3,
            "sieve" | "managesieve" => Self::Sieve,
            "submission" => Self::Submission,
            "doveadm" => Self::Doveadm,
            _ => Self::Other,
        }
    }

    /// The log value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Own | Self::Smtp => "smtp",
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
            Self::Sieve => "sieve",
            Self::Submission => "submission",
            Self::Doveadm => "doveadm",
            Self::Other => "other",
        }
    }

    /// Whether a client can be told to come again later. At Dovecot's doors every refusal reads as a wrong password.
    pub const fn has_later(self) -> bool {
        matches!(self, Self::Own)
    }
}

/// The log value.
impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What Dovecot tells of a password: never kept as it came, and never shown.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PasswordHash([u8; 32]);

impl PasswordHash {
    /// Takes the 64 hexadecimal digits of a whole hash. None: it is cut off, or none.
    pub fn from_hex(text: &str) -> Option<Self> {
        let octets = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?;
        octets.try_into().ok().map(Self)
    }

    /// The octets, to be hashed again.
    pub(in crate::gate) const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Shows nothing.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// Dovecot's `auth_policy_hash_nonce`.
#[derive(Clone, PartialEq, Eq)]
pub struct PolicyNonce(String);

impl PolicyNonce {
    /// The operator's secret.
    pub fn new(nonce: impl Into<String>) -> Self {
        Self(nonce.into())
    }

    /// The nonce, for the one who must write it into Dovecot's config.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What Dovecot tells of this password.
    pub fn hash(&self, login: &[u8], password: &[u8]) -> PasswordHash {
        self.of_login(login).hash(password)
    }

    /// What comes before a password of this login, for those who hash many.
    pub(in crate::gate) fn of_login(&self, login: &[u8]) -> LoginHasher {
        let mut hasher = Sha256::new();
        hasher.update(self.0.as_bytes());
        hasher.update(login);
        hasher.update([0]);
        LoginHasher(hasher)
    }
}

/// Hashes passwords of one login.
pub(in crate::gate) struct LoginHasher(Sha256);

impl LoginHasher {
    pub(in crate::gate) fn hash(&self, password: &[u8]) -> PasswordHash {
        let mut hasher = self.0.clone();
        hasher.update(password);
        PasswordHash(hasher.finalize().into())
    }
}

/// Shows nothing.
impl fmt::Debug for PolicyNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PolicyNonce(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_dovecots_and_is_read_only_as_a_whole() {
        // Of `printf 'saltanna@example.org\\0secret' | sha256sum`.
        let whole = "a3ec3b0fbba7e403414ba259d362cf6d0cfe4b91368c5ca8e97f378a80002a94";
        let made = PolicyNonce::new("salt").hash(b"anna@example.org", b"secret");
        assert_eq!(PasswordHash::from_hex(whole), Some(made));
        for none in [
            "",
            "0854",
            &whole[1..],
            &whole[2..],
            &format!("{whole}00"),
            &whole.replace('0', "x"),
        ] {
            assert_eq!(PasswordHash::from_hex(none), None, "{none}");
        }
        let shown = format!(
            "{:?}",
            (PolicyNonce::new("salt"), PasswordHash::from_hex(whole))
        );
        assert!(
            !shown.contains("salt") && !shown.contains(char::is_numeric),
            "{shown}"
        );
    }

    #[test]
    fn every_door_has_its_place_and_only_our_own_has_a_later() {
        for (place, door) in Door::ALL.into_iter().enumerate() {
            assert_eq!(door as usize, place);
            assert_eq!(door.has_later(), door == Door::Own);
            if door != Door::Own {
                assert_eq!(Door::of_protocol(door.as_str()), door);
            }
        }
        assert_eq!(Door::of_protocol("imap\r\n"), Door::Other);
    }
}
