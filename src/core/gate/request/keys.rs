//! keys - the keyed hashes that stand for users, passwords and words
//!
//! No name and no password is kept where its hash serves: the tables hold 64-bit SipHash-2-4
//! values. The keys for users and places live in the state directory, so that what we learnt
//! survives; the key for passwords is made at start and dies with the process.
//! Not here: making or storing the keys (`store`, `server`).

use std::fmt;
use std::hash::Hasher;
use std::num::ParseIntError;
use std::str::FromStr;

use siphasher::sip::SipHasher24;

use crate::gate::request::client::NetworkKey;
use crate::gate::request::device::{Device, DeviceId, HashedDevice};
use crate::gate::request::names::{Characters, FoldedName};

/// The secrets that the gate hashes with.
#[derive(Clone)]
pub struct Keys {
    /// For user names and familiar pairs: kept with the state.
    pub users: [u8; 16],
    /// For passwords and words: made at every start.
    pub passwords: [u8; 16],
    /// For the rows of the tables, so that nobody can aim at one. Kept with the state, too: under
    /// the same key a snapshot goes back in the order in which it was written, which is quick.
    pub table: [u8; 16],
}

/// Tells nothing.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

/// A user, as the tables know one: half of it stands for the name's local part, half for all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub(in crate::gate) u64);

/// The keyed hash, which tells nobody the name who has not the key.
impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// As it is displayed.
impl FromStr for UserId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

impl UserId {
    const LOCAL_PART: u64 = (u32::MAX as u64) << 32;

    /// The hash as a number.
    pub const fn code(self) -> u64 {
        self.0
    }

    /// What all names with this local part have in common.
    pub const fn local_part(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The user of the same name without a domain.
    pub(in crate::gate) const fn without_domain(self) -> Self {
        Self(self.0 & Self::LOCAL_PART | self.0 >> 32)
    }

    /// The user who pays for an attempt as a user that is not known here. Dovecot may lead many such names to one
    /// mailbox, so names that differ in their domain are one, and all names with unusual characters are one.
    pub(in crate::gate) const fn unknown(self, characters: Characters) -> Self {
        match characters {
            Characters::Plain => Self(self.0 & Self::LOCAL_PART),
            Characters::Unusual => Self(0),
        }
    }
}

/// One password tried for one user. Its low bits are the user's, so that a guess tells which
/// user it was made at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) struct Guess(pub(in crate::gate) u64);

impl Guess {
    const USER: u64 = 0xffff;

    /// Whether this guess was made at `user`; one in 65,536 other users is taken for this one.
    pub(in crate::gate) fn is_at(self, user: UserId) -> bool {
        (self.0 ^ user.0) & Self::USER == 0
    }
}

impl Keys {
    /// The user of this name.
    pub(in crate::gate) fn user(&self, name: &FoldedName<'_>) -> UserId {
        let mut hasher = SipHasher24::new_with_key(&self.users);
        write(&mut hasher, name.local());
        let local = UserId(hasher.finish() << 32);
        if !name.has_domain() {
            return local.without_domain();
        }
        write(&mut hasher, name.domain());
        UserId(local.0 | hasher.finish() & u64::from(u32::MAX))
    }

    /// This password for this user.
    pub(in crate::gate) fn guess(&self, user: UserId, password: &[u8]) -> Guess {
        let mut hasher = SipHasher24::new_with_key(&self.passwords);
        hasher.write(&user.0.to_le_bytes());
        hasher.write(password);
        Guess(hasher.finish() & !Guess::USER | user.0 & Guess::USER)
    }

    /// A folded password, whatever the user.
    pub(in crate::gate) fn word(&self, folded: &[u8]) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.passwords);
        hasher.write(folded);
        hasher.finish()
    }

    /// A device under the number that the tables know.
    pub(in crate::gate) fn device(&self, device: Device) -> HashedDevice {
        let mut hasher = SipHasher24::new_with_key(&self.users);
        hasher.write(device.expose());
        HashedDevice {
            id: DeviceId(hasher.finish()),
            ticket: device.ticket(),
        }
    }

    /// A user at one device.
    pub(in crate::gate) fn at_device(&self, user: UserId, device: DeviceId) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.users);
        hasher.write(&user.0.to_le_bytes());
        hasher.write(&device.0.to_le_bytes());
        hasher.finish()
    }

    /// A user in one network.
    pub(in crate::gate) fn pair(&self, user: UserId, network: NetworkKey) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.users);
        hasher.write(&user.0.to_le_bytes());
        hasher.write(&network.code().to_le_bytes());
        hasher.finish()
    }
}

/// Hashes octets as if they stood in one slice.
fn write(hasher: &mut SipHasher24, octets: impl Iterator<Item = u8>) {
    let mut chunk = [0; 64];
    let mut length = 0;
    for octet in octets {
        if length == chunk.len() {
            hasher.write(&chunk);
            length = 0;
        }
        if let Some(to) = chunk.get_mut(length) {
            *to = octet;
            length += 1;
        }
    }
    hasher.write(chunk.get(..length).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::request::attempt::UserName;
    use crate::gate::request::names::NameFolding;

    const KEYS: Keys = Keys {
        users: [1; 16],
        passwords: [2; 16],
        table: [3; 16],
    };

    #[test]
    fn a_guess_tells_which_user_it_was_made_at() {
        let folding = NameFolding::default();
        let user = |name: &str| KEYS.user(&folding.fold(&UserName::new(name.as_bytes())));
        let guess = KEYS.guess(user("anna"), b"secret");
        assert!(guess.is_at(user("anna")) && !guess.is_at(user("bert")));
        assert_ne!(guess, KEYS.guess(user("anna"), b"other"));
    }

    #[test]
    fn a_name_in_other_letters_is_the_same_user_at_any_length() {
        let folding = NameFolding::default();
        for length in [0, 1, 63, 64, 65, 1000] {
            let upper = UserName::new(vec![b'A'; length]);
            let lower = UserName::new(vec![b'a'; length]);
            let other = UserName::new(vec![b'a'; length + 1]);
            let [upper, lower, other] =
                [&upper, &lower, &other].map(|name| KEYS.user(&folding.fold(name)));
            assert_eq!(upper, lower);
            assert_ne!(lower, other);
        }
    }

    #[test]
    fn names_that_differ_in_their_domain_are_two_users_with_one_local_part() {
        let folding = NameFolding::default();
        let user = |name: &str| KEYS.user(&folding.fold(&UserName::new(name.as_bytes())));
        let (bare, one, other) = (user("anna"), user("Anna@a.example"), user("anna@b.example"));
        assert!(bare != one && one != other);
        assert_eq!(bare.local_part(), one.local_part());
        assert_eq!(one.local_part(), other.local_part());
        assert_ne!(bare.local_part(), user("bert").local_part());
    }
}
