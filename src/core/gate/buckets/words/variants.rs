//! variants - passwords that are one edit from what strangers tried at the same user
//!
//! Who has an old password of somebody's tries what its owner may have made of it since: other digits, a capital, a letter that is
//! replaced, added or left out. Such a guess is no word by itself, and for no second user. So of each wrong password of a stranger's the
//! folded form is kept, and this form without each one of its octets: of two forms that are one edit apart one is
//! among those kept of the other. Where two different passwords from two networks have one of these in common, whatever has it too
//! counts as a word: a third guess, and no typing error of one person at one place.
//! Names that are not known here are treated alike, else what is told of them would tell that they are not.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
/// How soon the right password must follow a typing error.
const FOLLOWS: Duration = Duration::from_secs(600);
/// Wrong passwords that wait so long, of some 130 octets each.
const MOST_WAITING: usize = 1024;

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
///
/// A wrong password counts only after ten minutes without the right one: what its owner has mistyped says how theirs looks.
pub(in crate::gate) struct SeenVariants {
    seen: Seen,
    waiting: Mutex<VecDeque<WrongPassword>>,
}

/// A stranger's wrong password that may be a typing error.
#[derive(Clone, Copy)]
struct WrongPassword {
    at: Moment,
    user: UserId,
    network: NetworkKey,
    guess: Guess,
    variants: Variants,
}

impl SeenVariants {
    pub(in crate::gate) fn new(rows: usize, secret: &[u8; 16]) -> Self {
        Self {
            seen: Seen::new(rows, secret),
            waiting: Mutex::default(),
        }
    }

    /// Whether two different passwords from two networks have had one of these.
    pub(in crate::gate) fn has_any(&self, variants: &Variants, now: Moment) -> bool {
        if variants.count == 0 {
            return false;
        }
        self.note_old(&mut self.lock(), now);
        variants.keys().any(|key| self.seen.is_shared(key))
    }

    /// Keeps a stranger's wrong password.
    pub(in crate::gate) fn wrong(
        &self,
        user: UserId,
        network: NetworkKey,
        (guess, variants): (Guess, Variants),
        now: Moment,
    ) {
        if variants.count == 0 {
            return;
        }
        let mut waiting = self.lock();
        waiting.push_back(WrongPassword {
            at: now,
            user,
            network,
            guess,
            variants,
        });
        self.note_old(&mut waiting, now);
    }

    /// The user has logged in from there: what they got wrong just before were typing errors.
    pub(in crate::gate) fn right(&self, user: UserId, network: NetworkKey) {
        let mut waiting = self.lock();
        waiting.retain(|wrong| wrong.user != user || wrong.network != network);
    }

    pub(in crate::gate) fn clear(&self) {
        self.lock().clear();
        self.seen.clear();
    }

    /// Notes those that have waited long enough, and the oldest of too many.
    fn note_old(&self, waiting: &mut VecDeque<WrongPassword>, now: Moment) {
        let is_due = |wrong: &&WrongPassword, waiting: usize| {
            waiting > MOST_WAITING || now.since(wrong.at) >= FOLLOWS
        };
        while let Some(wrong) = waiting.front().filter(|wrong| is_due(wrong, waiting.len())) {
            let who = wrong.guess.hash() | tag(wrong.network) << 32;
            for key in wrong.variants.keys() {
                self.seen.note_row(key, who, now);
            }
            waiting.pop_front();
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<WrongPassword>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
