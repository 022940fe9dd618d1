//! tries - what a client tried last, and which wrong passwords a user saw last
//!
//! A client's last 4 tries that were refused, wrong or not answered, and a user's last 8 wrong ones, as
//! keyed hashes: so that the same wrong password again is no new guess, and a mail program that retries is
//! told from a guesser. Two bounded tables; those that tried longest ago are evicted. It does not outlive
//! the process, nor do the keys of its hashes.
//! Not here: what a repetition is worth (`judge`).

use std::time::Duration;

use crate::gate::buckets::bucket::seconds;
use crate::gate::buckets::key::Key;
use crate::gate::buckets::table::Table;
use crate::gate::request::client::ClientKey;
use crate::gate::request::keys::{Guess, UserId};
use crate::moment::Moment;

/// How a try came out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::gate) enum Fate {
    /// No try.
    #[default]
    None,
    /// The gate refused it.
    Refused,
    /// Postfix rejected it.
    Wrong,
    /// Postfix has not answered in time. Its tokens may be held for it (`held`).
    Stalled,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Entry {
    guess: u64,
    /// Seconds since the epoch.
    at: u32,
    fate: Fate,
    /// How often Postfix was asked about it again, up to [`MOST_CHECKS`]. Kept of a client's tries only.
    checks: u8,
}

/// What the four bits of a count hold.
const MOST_CHECKS: u8 = 15;

/// A wrong password of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) struct WrongTry {
    /// When Postfix last found it wrong.
    pub(in crate::gate) at: Moment,
    /// How often Postfix was asked about it after the first time.
    pub(in crate::gate) checks: u8,
}

/// The last `K` tries, the latest first, in a row of `N` words: id, guesses, times, the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RecentTries<const K: usize> {
    entries: [Entry; K],
    /// The last new failure, in seconds since the epoch.
    failed: u32,
}

type OfClient = RecentTries<4>;
type OfUser = RecentTries<8>;
const CLIENT_WORDS: usize = 8;
const USER_WORDS: usize = 14;

pub(in crate::gate) struct Tries {
    clients: Table<CLIENT_WORDS>,
    users: Table<USER_WORDS>,
}

/// What the tables say of a try.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::gate) struct Past {
    /// Whether it is one of the client's last tries.
    pub(in crate::gate) repeated: bool,
    /// When Postfix last rejected it from this client.
    pub(in crate::gate) wrong_here: Option<WrongTry>,
    /// What this client's last try of it came to.
    pub(in crate::gate) fate_here: Fate,
    /// When Postfix last rejected it for this user, from any client.
    pub(in crate::gate) wrong_for_user: Option<Moment>,
    /// The last new failure of this client.
    pub(in crate::gate) failed: Option<Moment>,
    /// Whether it has tried anything else.
    pub(in crate::gate) history: History,
}

/// Whether a client has tried anything else lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::gate) enum History {
    /// Nothing, or one other password of the same user, as after a typing error: a newcomer.
    #[default]
    First,
    /// Another user, or several passwords.
    Repeat,
}

impl Tries {
    pub(in crate::gate) fn new(clients: usize, users: usize, secret: &[u8; 16]) -> Self {
        Self {
            clients: Table::new(clients, secret, OfClient::latest),
            users: Table::new(users, secret, OfUser::latest),
        }
    }

    /// What is known of this try.
    pub(in crate::gate) fn past(
        &self,
        client: ClientKey,
        user: UserId,
        guess: Option<Guess>,
    ) -> Past {
        let Some(client) = self.clients.read(Key::client(client)) else {
            return self.past_of_user(user, guess, Past::default());
        };
        let client = OfClient::unpack(&client);
        let entry = guess.and_then(|guess| client.find(guess));
        let past = Past {
            repeated: entry.is_some(),
            wrong_here: entry
                .filter(|entry| entry.fate == Fate::Wrong)
                .map(|entry| WrongTry {
                    at: moment(entry.at),
                    checks: entry.checks,
                }),
            fate_here: entry.map(|entry| entry.fate).unwrap_or_default(),
            wrong_for_user: None,
            failed: (client.failed != 0).then(|| moment(client.failed)),
            history: client.history(user, guess),
        };
        self.past_of_user(user, guess, past)
    }

    fn past_of_user(&self, user: UserId, guess: Option<Guess>, past: Past) -> Past {
        let Some(guess) = guess else { return past };
        let row = self.users.read(Key::far(user));
        let entry = row.and_then(|row| OfUser::unpack(&row).find(guess));
        Past {
            wrong_for_user: entry.map(|entry| moment(entry.at)),
            ..past
        }
    }

    /// Notes a try that the gate refused. What Postfix said of it stays known.
    pub(in crate::gate) fn refused(&self, client: ClientKey, guess: Option<Guess>, now: Moment) {
        self.unanswered(client, guess, Fate::Refused, now);
    }

    /// Notes a try that Postfix has not answered in time.
    pub(in crate::gate) fn stalled(&self, client: ClientKey, guess: Option<Guess>, now: Moment) {
        self.unanswered(client, guess, Fate::Stalled, now);
    }

    fn unanswered(&self, client: ClientKey, guess: Option<Guess>, fate: Fate, now: Moment) {
        let Some(guess) = guess else { return };
        self.clients.with(Key::client(client), now, |row| {
            let mut recent = row.map(OfClient::unpack).unwrap_or_default();
            let wrong = recent.find(guess).filter(|held| held.fate == Fate::Wrong);
            let entry = match (wrong, fate) {
                (Some(wrong), Fate::Stalled) => wrong.checked_again(),
                (Some(wrong), _) => wrong,
                (None, _) => Entry {
                    guess: guess.0,
                    at: seconds_up(now),
                    fate,
                    checks: 0,
                },
            };
            recent.push(entry);
            ((), Some(recent.pack()))
        });
    }

    /// Notes a try that Postfix rejected.
    pub(in crate::gate) fn wrong(
        &self,
        client: ClientKey,
        user: UserId,
        guess: Option<Guess>,
        new: Novelty,
        now: Moment,
    ) {
        self.clients.with(Key::client(client), now, |row| {
            let mut recent = row.map(OfClient::unpack).unwrap_or_default();
            if let Some(guess) = guess {
                let known = recent.find(guess).filter(|held| held.fate == Fate::Wrong);
                let first = Entry::wrong(guess, now);
                recent.push(match (known, new) {
                    (Some(known), Novelty::Repeat) => Entry {
                        checks: known.checked_again().checks,
                        ..first
                    },
                    _ => first,
                });
            }
            if new == Novelty::New {
                recent.failed = seconds_up(now);
            }
            ((), Some(recent.pack()))
        });
        let Some(guess) = guess else { return };
        self.users.with(Key::far(user), now, |row| {
            let mut recent = row.map(OfUser::unpack).unwrap_or_default();
            recent.push(Entry::wrong(guess, now));
            ((), Some(recent.pack()))
        });
    }

    /// Forgets a try that turned out right.
    pub(in crate::gate) fn right(
        &self,
        client: ClientKey,
        user: UserId,
        guess: Option<Guess>,
        now: Moment,
    ) {
        let Some(guess) = guess else { return };
        self.clients.with(Key::client(client), now, |row| {
            ((), row.and_then(|row| OfClient::unpack(row).without(guess)))
        });
        self.users.with(Key::far(user), now, |row| {
            ((), row.and_then(|row| OfUser::unpack(row).without(guess)))
        });
    }

    /// Forgets what a client tried.
    pub(in crate::gate) fn forget_client(&self, client: ClientKey) {
        self.clients.remove(Key::client(client));
    }

    /// Forgets a user's wrong passwords.
    pub(in crate::gate) fn forget_user(&self, user: UserId) {
        self.users.remove(Key::far(user));
    }

    pub(in crate::gate) fn clear(&self) {
        self.clients.clear();
        self.users.clear();
    }
}

/// Whether a failure tells something that was not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) enum Novelty {
    New,
    Repeat,
}

impl Entry {
    fn wrong(guess: Guess, now: Moment) -> Self {
        Self {
            guess: guess.0,
            at: seconds(now),
            fate: Fate::Wrong,
            checks: 0,
        }
    }

    fn checked_again(self) -> Self {
        let checks = self.checks.saturating_add(1).min(MOST_CHECKS);
        Self { checks, ..self }
    }
}

impl<const K: usize> Default for RecentTries<K> {
    fn default() -> Self {
        Self {
            entries: [Entry::default(); K],
            failed: 0,
        }
    }
}

impl<const K: usize> RecentTries<K> {
    /// Beside the fates of four tries the last word has room for four counts.
    const COUNTS_CHECKS: bool = K <= 4;

    fn find(&self, guess: Guess) -> Option<Entry> {
        let mut entries = self.entries.iter();
        entries
            .find(|entry| entry.fate != Fate::None && entry.guess == guess.0)
            .copied()
    }

    /// What the tries beside this one say.
    fn history(&self, user: UserId, guess: Option<Guess>) -> History {
        let entries = self.entries.iter().filter(|entry| entry.fate != Fate::None);
        let mut others = entries
            .map(|entry| Guess(entry.guess))
            .filter(|other| Some(*other) != guess);
        match (others.next(), others.next()) {
            (None, _) => History::First,
            (Some(only), None) if only.is_at(user) => History::First,
            _ => History::Repeat,
        }
    }

    /// Puts a try in front; it was there already, or the oldest goes.
    fn push(&mut self, entry: Entry) {
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
    fn without<const N: usize>(mut self, guess: Guess) -> Option<[u64; N]> {
        let held = self
            .entries
            .iter()
            .position(|entry| entry.guess == guess.0)?;
        self.entries.get_mut(held..)?.rotate_left(1);
        *self.entries.last_mut()? = Entry::default();
        Some(self.pack())
    }

    fn unpack<const N: usize>(row: &[u64; N]) -> Self {
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
        recent.failed = (meta >> 32) as u32;
        recent
    }

    fn pack<const N: usize>(self) -> [u64; N] {
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
        let meta = u64::from(self.failed) << 32 | fates;
        for (word, value) in row.iter_mut().skip(1).zip(guesses.chain(times)) {
            *word = value;
        }
        if let Some(last) = row.last_mut() {
            *last = meta;
        }
        row
    }

    /// When it was last written to, in nanoseconds since the epoch.
    fn latest<const N: usize>(row: &[u64; N]) -> u64 {
        let recent = Self::unpack(row);
        let latest = recent.entries.iter().map(|entry| entry.at).max();
        let latest = latest.unwrap_or_default().max(recent.failed);
        u64::from(latest) * 1_000_000_000
    }
}

/// Rounded up, so that no failure is older than it is.
fn seconds_up(now: Moment) -> u32 {
    seconds(now + Duration::from_nanos(999_999_999))
}

fn moment(seconds: u32) -> Moment {
    Moment::from_seconds(u64::from(seconds))
}

#[cfg(test)]
mod tests;
