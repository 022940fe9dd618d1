//! variants - passwords that are one edit from what strangers tried at the same user
//!
//! Who has an old password of somebody's tries what its owner may have made of it since: other digits, a capital, a letter that is
//! replaced, added or left out. Such a guess is no word by itself, and for no second user. So of each wrong password of a stranger's the
//! folded form is kept, and this form without each one of its octets: of two forms that are one edit apart one is
//! among those kept of the other. Where two different passwords from two networks have one of these in common, whatever has it too
//! counts as a word: a third guess, and no typing error of one person at one place.
//! Names that are not known here are treated alike, else what is told of them would tell that they are not.

use crate::gate::buckets::key::Key;
use crate::gate::buckets::spec::{Ladder, Tweaks};
use crate::gate::buckets::words::{FoldedPassword, Seen, tag};
use crate::gate::request::client::NetworkKey;
use crate::gate::request::keys::{Guess, Keys, UserId};
use crate::moment::Moment;

/// Octets of a folded password of which one may be left out.
const OCTETS: usize = 16;
/// A shorter one has too much in common with others.
const SHORTEST: usize = 5;

/// Keyed hashes of a folded password of one user's, and of what is left of it without one octet.
#[derive(Clone, Copy, Debug)]
pub(in crate::gate) struct Variants {
    user: u32,
    count: u8,
    hashes: [u32; OCTETS + 1],
}

impl Variants {
    /// Of what shows no password, or is not compared.
    pub(in crate::gate) const NONE: Self = Self {
        user: 0,
        count: 0,
        hashes: [0; OCTETS + 1],
    };

    /// Those of `password`, as tried for `user`.
    pub(in crate::gate) fn of(
        password: &FoldedPassword<'_>,
        user: UserId,
        keys: &Keys,
        ladder: &Ladder,
    ) -> Self {
        let FoldedPassword::Short(folded) = password else {
            return Self::NONE;
        };
        if folded.len() < SHORTEST || ladder.tweaks == Tweaks::Ignored {
            return Self::NONE;
        }
        let mut variants = Self {
            user: user.0 as u32,
            ..Self::NONE
        };
        variants.push(keys.variant(user, folded, &[]));
        for at in 0..folded.len().min(OCTETS) {
            if let (Some(head), Some(tail)) = (folded.get(..at), folded.get(at + 1..)) {
                variants.push(keys.variant(user, head, tail));
            }
        }
        variants
    }

    fn push(&mut self, hash: u32) {
        if let Some(place) = self.hashes.get_mut(usize::from(self.count)) {
            *place = hash;
            self.count += 1;
        }
    }

    fn keys(&self) -> impl Iterator<Item = Key> {
        let user = u64::from(self.user) << 32;
        let hashes = self.hashes.iter().take(usize::from(self.count));
        hashes.map(move |hash| Key::word(user | u64::from(*hash)))
    }
}

/// The variants of strangers' wrong passwords. They have a table of their own, for they are many, and words are to stay.
pub(in crate::gate) struct SeenVariants(Seen);

impl SeenVariants {
    pub(in crate::gate) fn new(rows: usize, secret: &[u8; 16]) -> Self {
        Self(Seen::new(rows, secret))
    }

    /// Whether two different passwords from two networks have had one of these.
    pub(in crate::gate) fn has_any(&self, variants: &Variants) -> bool {
        variants.keys().any(|key| self.0.is_shared(key))
    }

    /// Notes a stranger's wrong password.
    pub(in crate::gate) fn note(
        &self,
        variants: &Variants,
        guess: Guess,
        network: NetworkKey,
        now: Moment,
    ) {
        let who = guess.hash() | tag(network) << 32;
        for key in variants.keys() {
            self.0.note_row(key, who, now);
        }
    }

    /// Forgets those of a right password: what was one edit from it may have been its owner's typing errors.
    pub(in crate::gate) fn forget(&self, variants: &Variants) {
        for key in variants.keys() {
            self.0.0.remove(key);
        }
    }

    pub(in crate::gate) fn clear(&self) {
        self.0.clear();
    }
}
