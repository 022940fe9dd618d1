//! clients - whether a client has tried anything else lately, and when it failed first and last
//!
//! Kept by client alone: a botnet's address is one that has tried before, whatever the user. The last two tries are
//! enough, and whether there were more.
//! Not here: what became of a try (`tries`).

use crate::gate::buckets::key::Key;
use crate::gate::buckets::table::Table;
use crate::gate::buckets::tries::{Novelty, moment, seconds_up};
use crate::gate::request::client::ClientKey;
use crate::gate::request::keys::{Guess, UserId};
use crate::moment::Moment;

/// What speaks for a try, or against it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::gate) enum History {
    /// Nothing, or one other password of the same user, as after a typing error: a newcomer.
    #[default]
    First,
    /// Another user, or several passwords.
    Repeat,
    /// The gate refused this very try some time ago. A mail program comes again with the same password; few guessers do.
    Retry,
}

/// The id, two tries, the rest.
const WORDS: usize = 4;
/// The time of the last try is kept without so many of its bits: it is known to half an hour.
const DROPPED: u32 = 11;
/// Below it is the row's kind, above it two bits for the first failure, then the last try.
const MORE: u64 = 1 << 8;
const FIRST: u32 = 9;
const LAST: u32 = 11;
/// The first failure is known to so many seconds.
const STEP: u32 = 32;
/// So many steps or more.
const LONG_AGO: u32 = 3;

pub(super) struct ClientTries(Table<WORDS>);

/// The last tries of a client, as keyed hashes; 0: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct LastTries {
    guesses: [u64; 2],
    /// Whether there were more.
    more: bool,
    /// The last try, in units of 2,048 seconds since the epoch.
    last: u32,
    /// The last new failure, in seconds since the epoch; 0: none.
    failed: u32,
    /// How many steps since the epoch the first failure was before that.
    first: u32,
}

impl ClientTries {
    pub(super) fn new(clients: usize, secret: &[u8; 16]) -> Self {
        Self(Table::new(clients, secret, latest))
    }

    /// Whether the client has tried anything but this, and its last new failure.
    pub(super) fn past(
        &self,
        client: ClientKey,
        user: UserId,
        guess: Option<Guess>,
    ) -> (History, Option<Moment>) {
        let Some(row) = self.0.read(Key::client(client)) else {
            return (History::First, None);
        };
        let last = LastTries::unpack(&row);
        let failed = (last.failed != 0).then(|| moment(last.failed));
        (last.history(user, guess), failed)
    }

    /// When the client's first failure was, as far as it is remembered; never later than it was.
    pub(super) fn first_failure(&self, client: ClientKey) -> Option<Moment> {
        let row = self.0.read(Key::client(client))?;
        let LastTries { failed, first, .. } = LastTries::unpack(&row);
        match (failed, first) {
            (0, _) => None,
            (_, LONG_AGO) => Some(Moment::EPOCH),
            _ => Some(moment((failed / STEP).saturating_sub(first) * STEP)),
        }
    }

    /// Notes a try that was not answered.
    pub(super) fn tried(&self, client: ClientKey, guess: Guess, now: Moment) {
        self.note(client, now, |last| last.push(guess));
    }

    /// Notes a try that Postfix rejected.
    pub(super) fn wrong(&self, client: ClientKey, guess: Option<Guess>, new: Novelty, now: Moment) {
        self.note(client, now, |last| {
            if let Some(guess) = guess {
                last.push(guess);
            }
            if new == Novelty::New {
                last.fail(seconds_up(now));
            }
        });
    }

    /// Forgets a try that turned out right.
    pub(super) fn right(&self, client: ClientKey, guess: Guess, now: Moment) {
        self.0.with(Key::client(client), now, |row| {
            let held = row.map(LastTries::unpack);
            ((), held.and_then(|held| Some(held.without(guess)?.pack())))
        });
    }

    pub(super) fn forget(&self, client: ClientKey) {
        self.0.remove(Key::client(client));
    }

    pub(super) fn clear(&self) {
        self.0.clear();
    }

    fn note(&self, client: ClientKey, now: Moment, change: impl FnOnce(&mut LastTries)) {
        self.0.with(Key::client(client), now, |row| {
            let mut last = row.map(LastTries::unpack).unwrap_or_default();
            change(&mut last);
            last.last = seconds_up(now) >> DROPPED;
            ((), Some(last.pack()))
        });
    }
}

impl LastTries {
    /// What the tries beside this one say.
    fn history(&self, user: UserId, guess: Option<Guess>) -> History {
        let tries = self.guesses.into_iter().filter(|guess| *guess != 0);
        let mut others = tries.map(Guess).filter(|other| Some(*other) != guess);
        match (self.more, others.next(), others.next()) {
            (false, None, _) => History::First,
            (false, Some(only), None) if only.is_at(user) => History::First,
            _ => History::Repeat,
        }
    }

    /// A new failure, in seconds since the epoch.
    fn fail(&mut self, at: u32) {
        if self.failed != 0 {
            let later = (at / STEP).saturating_sub(self.failed / STEP);
            self.first = self.first.saturating_add(later).min(LONG_AGO);
        }
        self.failed = at;
    }

    /// Puts a try in front.
    fn push(&mut self, Guess(guess): Guess) {
        let [first, second] = self.guesses;
        if first == guess {
            return;
        }
        self.more |= second != 0 && second != guess;
        self.guesses = [guess, first];
    }

    /// The row without this try; none if it is not there.
    fn without(mut self, Guess(guess): Guess) -> Option<Self> {
        let [first, second] = self.guesses;
        self.guesses = match guess {
            _ if guess == first => [second, 0],
            _ if guess == second => [first, 0],
            _ => return None,
        };
        Some(self)
    }

    fn unpack(row: &[u64; WORDS]) -> Self {
        let [_, first, second, meta] = *row;
        Self {
            guesses: [first, second],
            more: meta & MORE != 0,
            last: (meta as u32) >> LAST,
            failed: (meta >> 32) as u32,
            first: (meta as u32) >> FIRST & LONG_AGO,
        }
    }

    fn pack(self) -> [u64; WORDS] {
        let [first, second] = self.guesses;
        let more = if self.more { MORE } else { 0 };
        let last = u64::from(self.last) << LAST & u64::from(u32::MAX);
        let since = u64::from(self.first & LONG_AGO) << FIRST;
        let failed = u64::from(self.failed) << 32;
        [0, first, second, more | last | since | failed]
    }
}

/// When it was last written to, in nanoseconds since the epoch.
fn latest(row: &[u64; WORDS]) -> u64 {
    let LastTries { last, failed, .. } = LastTries::unpack(row);
    let latest = (u64::from(last) << DROPPED).max(u64::from(failed));
    latest * 1_000_000_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Moment = Moment::from_seconds(1_800_000_000);
    const HERE: ClientKey = ClientKey::V4(1);
    const ANNA: UserId = UserId(1);
    const BERT: UserId = UserId(2);

    fn guess(user: UserId, number: u64) -> Guess {
        Guess(number << 16 | user.0)
    }

    #[test]
    fn a_newcomer_has_tried_nothing_but_one_other_password_of_the_same_user() {
        let (one, two, three) = (guess(ANNA, 1), guess(ANNA, 2), guess(ANNA, 3));
        let other = guess(BERT, 1);
        let clients = |tried: &[Guess]| {
            let clients = ClientTries::new(512, &[1; 16]);
            for guess in tried {
                clients.wrong(HERE, Some(*guess), Novelty::New, NOW);
            }
            clients.past(HERE, ANNA, Some(one)).0
        };
        for tried in [&[][..], &[one], &[two], &[two, one], &[one, two, one]] {
            assert_eq!(clients(tried), History::First, "{tried:?}");
        }
        for tried in [
            &[other][..],
            &[two, three],
            &[one, two, three],
            &[other, two, one],
        ] {
            assert_eq!(clients(tried), History::Repeat, "{tried:?}");
        }
    }

    #[test]
    fn a_right_password_is_no_try_and_a_repetition_no_failure() {
        let clients = ClientTries::new(512, &[1; 16]);
        clients.tried(HERE, guess(BERT, 1), NOW);
        assert_eq!(clients.past(HERE, ANNA, None), (History::Repeat, None));
        clients.right(HERE, guess(BERT, 1), NOW);
        assert_eq!(clients.past(HERE, ANNA, None), (History::First, None));
        clients.wrong(HERE, Some(guess(ANNA, 1)), Novelty::Repeat, NOW);
        assert_eq!(clients.past(HERE, ANNA, None), (History::First, None));
        clients.wrong(HERE, None, Novelty::New, NOW);
        assert_eq!(clients.past(HERE, ANNA, None), (History::First, Some(NOW)));
    }

    #[test]
    fn the_first_failure_is_never_remembered_as_later_than_it_was() {
        let clients = ClientTries::new(512, &[1; 16]);
        assert_eq!(clients.first_failure(HERE), None);
        let mut now = NOW;
        for (gap, ago) in [(0, 0), (1, 1), (31, 32), (8, 40), (9_999, 10_039)] {
            now = now + std::time::Duration::from_secs(gap);
            clients.wrong(HERE, None, Novelty::New, now);
            let since = now.since(clients.first_failure(HERE).unwrap()).as_secs();
            assert!(since >= ago, "{since} {ago}");
            assert!(since < ago + 32 || ago > 4_000, "{since} {ago}");
        }
    }

    proptest! {
        #[test]
        fn a_row_is_read_back_as_it_was_written(
            guesses in any::<[u64; 2]>(),
            more in any::<bool>(),
            last in 0u32..1 << 21,
            failed in any::<u32>(),
            first in 0u32..=LONG_AGO,
        ) {
            let tries = LastTries { guesses, more, last, failed, first };
            prop_assert_eq!(LastTries::unpack(&tries.pack()), tries);
        }
    }
}
