//! row - the last tries of a client as one user, or of a user, as a row of the table
//!
//! Not here: the tables (`tries`).

use super::{Fate, seconds};
use crate::gate::request::keys::Guess;
use crate::moment::Moment;

/// For how much longer a row is kept that tells more than a refusal, in seconds.
const PAID: u32 = 86_400;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) guess: u64,
    /// Seconds since the epoch.
    pub(super) at: u32,
    pub(super) fate: Fate,
    /// How often Postfix was asked about it again, up to [`MOST_CHECKS`]. Kept of a client's tries only.
    pub(super) checks: u8,
}

/// What the four bits of a count hold.
pub(super) const MOST_CHECKS: u8 = 15;

/// The last `K` tries, the latest first, in a row of `N` words: id, guesses, times, the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecentTries<const K: usize> {
    pub(super) entries: [Entry; K],
    /// Of which client they are, as far as 32 bits tell; 0: of all.
    pub(super) client: u32,
}

/// Of a client as one user.
pub(super) type OfPair = RecentTries<4>;
pub(super) type OfUser = RecentTries<8>;
pub(super) const PAIR_WORDS: usize = 8;
pub(super) const USER_WORDS: usize = 14;

impl Entry {
    pub(super) fn wrong(guess: Guess, now: Moment) -> Self {
        Self {
            guess: guess.0,
            at: seconds(now),
            fate: Fate::Wrong,
            checks: 0,
        }
    }

    pub(super) fn checked_again(self) -> Self {
        let checks = self.checks.saturating_add(1).min(MOST_CHECKS);
        Self { checks, ..self }
    }
}

impl<const K: usize> Default for RecentTries<K> {
    fn default() -> Self {
        Self {
            entries: [Entry::default(); K],
            client: 0,
        }
    }
}

impl<const K: usize> RecentTries<K> {
    /// Beside the fates of four tries the last word has room for four counts.
    const COUNTS_CHECKS: bool = K <= 4;

    /// What a row holds of this client.
    pub(super) fn of<const N: usize>(row: Option<&[u64; N]>, client: u32) -> Self {
        let held = row.map(Self::unpack).unwrap_or_default();
        Self { client, ..held }
    }

    pub(super) fn find(&self, guess: Guess) -> Option<Entry> {
        let mut entries = self.entries.iter();
        entries
            .find(|entry| entry.fate != Fate::None && entry.guess == guess.0)
            .copied()
    }

    /// Puts a try in front; it was there already, or the oldest goes.
    pub(super) fn push(&mut self, entry: Entry) {
        let held = self.entries.iter().position(|old| old.guess == entry.guess);
        let last = held.unwrap_or(K - 1);
        if let Some(head) = self.entries.get_mut(..=last) {
            head.rotate_right(1);
        }
        if let Some(first) = self.entries.first_mut() {
            *first = entry;
        }
    }

    /// The row without this try; none if it is not there.
    pub(super) fn without<const N: usize>(mut self, guess: Guess) -> Option<[u64; N]> {
        let held = self
            .entries
            .iter()
            .position(|entry| entry.guess == guess.0)?;
        self.entries.get_mut(held..)?.rotate_left(1);
        *self.entries.last_mut()? = Entry::default();
        Some(self.pack())
    }

    pub(super) fn unpack<const N: usize>(row: &[u64; N]) -> Self {
        let mut recent = Self::default();
        let guesses = row.iter().skip(1);
        for (entry, guess) in recent.entries.iter_mut().zip(guesses) {
            entry.guess = *guess;
        }
        let times = row.iter().skip(1 + K);
        for (pair, two) in recent.entries.chunks_mut(2).zip(times) {
            for (entry, at) in pair.iter_mut().zip([*two as u32, (two >> 32) as u32]) {
                entry.at = at;
            }
        }
        let meta = row.last().copied().unwrap_or_default();
        for (at, entry) in recent.entries.iter_mut().enumerate() {
            entry.fate = match (meta >> (8 + 2 * at)) & 3 {
                1 => Fate::Refused,
                2 => Fate::Wrong,
                3 => Fate::Stalled,
                _ => Fate::None,
            };
            if Self::COUNTS_CHECKS {
                entry.checks = (meta >> (16 + 4 * at)) as u8 & MOST_CHECKS;
            }
        }
        recent.client = (meta >> 32) as u32;
        recent
    }

    pub(super) fn pack<const N: usize>(self) -> [u64; N] {
        let mut row = [0; N];
        let guesses = self.entries.iter().map(|entry| entry.guess);
        let times = self.entries.chunks(2).map(|pair| {
            let at = |at: usize| pair.get(at).map_or(0, |entry| u64::from(entry.at));
            at(0) | at(1) << 32
        });
        let fates = self.entries.iter().enumerate();
        let fates = fates.fold(0, |fates, (at, entry)| {
            let checks = match Self::COUNTS_CHECKS {
                true => u64::from(entry.checks) << (16 + 4 * at),
                false => 0,
            };
            fates | (entry.fate as u64) << (8 + 2 * at) | checks
        });
        let meta = u64::from(self.client) << 32 | fates;
        for (word, value) in row.iter_mut().skip(1).zip(guesses.chain(times)) {
            *word = value;
        }
        if let Some(last) = row.last_mut() {
            *last = meta;
        }
        row
    }

    /// Until when it is kept before others, in nanoseconds since the epoch: what was paid for, longer.
    pub(super) fn kept_until<const N: usize>(row: &[u64; N]) -> u64 {
        let until = Self::unpack(row).entries.map(|entry| match entry.fate {
            Fate::None => 0,
            Fate::Refused => entry.at,
            Fate::Wrong | Fate::Stalled => entry.at.saturating_add(PAID),
        });
        u64::from(until.into_iter().max().unwrap_or_default()) * 1_000_000_000
    }
}
