//! tries - what a client tried last as each user, and which wrong passwords a user saw last
//!
//! The last 4 tries of a client as one user that were refused, wrong or not answered, and a user's last 8 wrong
//! ones, as keyed hashes: so that the same wrong password again is no new guess, and a mail program that retries is
//! told from a guesser. They are kept by client and user, for behind one address may be a crowd, and nobody's
//! tries may push out those of the next. Two bounded tables; those that tried longest ago are evicted, those
//! that were only refused a day earlier, for they cost nothing. It does not outlive the process, nor do the keys of
//! its hashes.
//! Not here: whether a client has tried anything else, and when it last failed (`clients`); what a repetition is
//! worth (`judge`).

use std::hash::Hasher;
use std::time::Duration;

use siphasher::sip::SipHasher13;

use crate::gate::buckets::key::Key;
use crate::gate::buckets::spec::Kind;
use crate::gate::buckets::table::{Table, seconds};
use crate::gate::request::client::ClientKey;
use crate::gate::request::keys::{Guess, UserId};
use crate::moment::Moment;

mod clients;
mod row;

use clients::ClientTries;
pub(in crate::gate) use clients::History;
use row::{Entry, OfPair, OfUser, PAIR_WORDS, USER_WORDS};

/// A try that the gate refused, and that comes again after this, is a retry. At once, it may be anybody's.
const RETRY: Duration = Duration::from_secs(60);

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

/// A wrong password of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) struct WrongTry {
    /// When Postfix last found it wrong.
    pub(in crate::gate) at: Moment,
    /// How often Postfix was asked about it after the first time.
    pub(in crate::gate) checks: u8,
}

pub(in crate::gate) struct Tries {
    clients: ClientTries,
    pairs: Table<PAIR_WORDS>,
    users: Table<USER_WORDS>,
    hasher: SipHasher13,
}

/// What the tables say of a try.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::gate) struct Past {
    /// Whether it is one of the client's last tries as this user.
    pub(in crate::gate) repeated: bool,
    /// When Postfix last rejected it from this client.
    pub(in crate::gate) wrong_here: Option<WrongTry>,
    /// What this client's last try of it came to.
    pub(in crate::gate) fate_here: Fate,
    /// When Postfix last rejected it for this user, from any client.
    pub(in crate::gate) wrong_for_user: Option<Moment>,
    /// The last new failure of this client.
    pub(in crate::gate) failed: Option<Moment>,
    /// Whether it has tried anything else, or comes again with what was refused.
    pub(in crate::gate) history: History,
    /// Whether it has tried anything else: the same whether the gate has refused this try or Postfix.
    pub(in crate::gate) others: History,
}

impl Tries {
    /// Room for the tries of so many clients, as so many users in all, and for so many users' wrong passwords.
    pub(in crate::gate) fn new(clients: usize, users: usize, secret: &[u8; 16]) -> Self {
        Self {
            clients: ClientTries::new(clients, secret),
            pairs: Table::new(clients, secret, OfPair::kept_until),
            users: Table::new(users, secret, OfUser::kept_until),
            hasher: SipHasher13::new_with_key(secret),
        }
    }

    /// What is known of this try.
    pub(in crate::gate) fn past(
        &self,
        client: ClientKey,
        user: UserId,
        guess: Option<Guess>,
        now: Moment,
    ) -> Past {
        let (history, failed) = self.clients.past(client, user, guess);
        let past = Past {
            history,
            others: history,
            failed,
            ..Past::default()
        };
        let Some(guess) = guess else { return past };
        let row = self.pairs.read(self.pair(client, user).0);
        let entry = row.and_then(|row| OfPair::unpack(&row).find(guess));
        let wrong = entry.filter(|entry| entry.fate == Fate::Wrong);
        let comes_again = entry.is_some_and(|entry| {
            entry.fate == Fate::Refused && now.since(moment(entry.at)) >= RETRY
        });
        let past = Past {
            history: if comes_again { History::Retry } else { history },
            repeated: entry.is_some(),
            wrong_here: wrong.map(|entry| WrongTry {
                at: moment(entry.at),
                checks: entry.checks,
            }),
            fate_here: entry.map(|entry| entry.fate).unwrap_or_default(),
            ..past
        };
        self.past_of_user(user, guess, past)
    }

    fn past_of_user(&self, user: UserId, guess: Guess, past: Past) -> Past {
        let row = self.users.read(Key::far(user));
        let entry = row.and_then(|row| OfUser::unpack(&row).find(guess));
        Past {
            wrong_for_user: entry.map(|entry| moment(entry.at)),
            ..past
        }
    }

    /// When the first of the failures that are remembered of this client was, or earlier.
    pub(in crate::gate) fn first_failure(&self, client: ClientKey) -> Option<Moment> {
        self.clients.first_failure(client)
    }

    /// Notes a try that the gate refused. What Postfix said of it stays known.
    pub(in crate::gate) fn refused(
        &self,
        client: ClientKey,
        user: UserId,
        guess: Option<Guess>,
        now: Moment,
    ) {
        self.unanswered((client, user), guess, Fate::Refused, now);
    }

    /// Notes a try that Postfix has not answered in time.
    pub(in crate::gate) fn stalled(
        &self,
        client: ClientKey,
        user: UserId,
        guess: Option<Guess>,
        now: Moment,
    ) {
        self.unanswered((client, user), guess, Fate::Stalled, now);
    }

    fn unanswered(
        &self,
        (client, user): (ClientKey, UserId),
        guess: Option<Guess>,
        fate: Fate,
        now: Moment,
    ) {
        let Some(guess) = guess else { return };
        self.clients.tried(client, guess, now);
        let (key, client) = self.pair(client, user);
        self.pairs.with(key, now, |row| {
            let mut recent = OfPair::of(row, client);
            let held = recent.find(guess);
            let known = held.map(|held| (held.fate, fate, held));
            let entry = match known {
                Some((Fate::Wrong, Fate::Stalled, wrong)) => wrong.checked_again(),
                // Of several refusals the first counts, so that a client that comes too soon need not wait anew.
                Some((Fate::Wrong, _, held) | (Fate::Refused, Fate::Refused, held)) => held,
                _ => Entry {
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
        self.clients.wrong(client, guess, new, now);
        let Some(guess) = guess else { return };
        let (key, client) = self.pair(client, user);
        self.pairs.with(key, now, |row| {
            let mut recent = OfPair::of(row, client);
            let known = recent.find(guess).filter(|held| held.fate == Fate::Wrong);
            let first = Entry::wrong(guess, now);
            recent.push(match (known, new) {
                (Some(known), Novelty::Repeat) => Entry {
                    checks: known.checked_again().checks,
                    ..first
                },
                _ => first,
            });
            ((), Some(recent.pack()))
        });
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
        self.clients.right(client, guess, now);
        self.pairs.with(self.pair(client, user).0, now, |row| {
            ((), row.and_then(|row| OfPair::unpack(row).without(guess)))
        });
        self.users.with(Key::far(user), now, |row| {
            ((), row.and_then(|row| OfUser::unpack(row).without(guess)))
        });
    }

    /// Forgets what a client tried.
    pub(in crate::gate) fn forget_client(&self, client: ClientKey) {
        self.clients.forget(client);
        let (_, client) = self.pair(client, UserId(0));
        self.pairs.change(|_, row| {
            let is_of_client = OfPair::unpack(row).client == client;
            is_of_client.then(|| OfPair::default().pack())
        });
    }

    /// Forgets a user's wrong passwords.
    pub(in crate::gate) fn forget_user(&self, user: UserId) {
        self.users.remove(Key::far(user));
    }

    pub(in crate::gate) fn clear(&self) {
        self.clients.clear();
        self.pairs.clear();
        self.users.clear();
    }

    /// Where the tries of a client as a user stand, and what the row says of the client.
    fn pair(&self, client: ClientKey, user: UserId) -> (Key, u32) {
        let Key { kind, id } = Key::client(client);
        let mut hasher = self.hasher;
        hasher.write_u64(id);
        hasher.write_u8(kind.number());
        let client = (hasher.finish() as u32).max(1);
        hasher.write_u64(user.0);
        let id = hasher.finish();
        (
            Key {
                kind: Kind::PAIR,
                id,
            },
            client,
        )
    }
}

/// Whether a failure tells something that was not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) enum Novelty {
    New,
    Repeat,
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
