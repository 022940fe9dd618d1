//! passwords - which passwords were right for a user last, and since when the user's networks must earn trust anew
//!
//! A password that was right, is refused, and another one is right: it was changed, perhaps since somebody had
//! stolen it. Then each of the user's networks whose last login is not later than the old password's is unproven
//! until the next login there. Two passwords that are both right (one for each device) change nothing; nor do the
//! tokens of OAuth, which end by themselves.
//! The passwords are keyed hashes, in a bounded table that dies with the process as their key does: the users who
//! logged in longest ago go. The moments are kept with the state, for as long as a pair stays familiar.
//! Not here: what an unproven network may do (`ladder`, `spec`), the networks themselves (`familiar`).

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::gate::buckets::key::Key;
use crate::gate::buckets::table::{Table, seconds};
use crate::gate::buckets::tries::Novelty;
use crate::gate::request::change::{Change, Fact, PasswordChange};
use crate::gate::request::keys::{Guess, UserId};
use crate::moment::Moment;

/// Passwords of one user that are remembered.
const PASSWORDS: usize = 4;
/// The id, the passwords, their times two a word, the flags.
const WORDS: usize = 2 + PASSWORDS + PASSWORDS / 2;
/// How long a change matters, in seconds: as long as a pair is familiar.
const KEPT: u32 = 90 * 86_400;

/// A password that was right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct RightPassword {
    /// 0: none.
    guess: u64,
    /// When it was last accepted, in seconds since the epoch.
    accepted: u32,
    state: PasswordState,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum PasswordState {
    #[default]
    Right,
    /// Refused since it was last accepted.
    Refused,
    /// Refused, and another one is right: it was changed.
    Replaced,
}

/// What is known of a password that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) enum PastPassword {
    /// It was right once: nobody guesses it.
    OnceRight,
    Unknown,
}

pub(in crate::gate) struct RightPasswords {
    /// The latest accepted first.
    users: Table<WORDS>,
    changes: RwLock<HashMap<UserId, u32>>,
    /// How many there are: mostly few, and with none nobody takes the lock.
    count: AtomicUsize,
    capacity: usize,
}

impl RightPasswords {
    /// Room for the passwords of so many users, and for changes of `capacity`.
    pub(in crate::gate) fn new(users: usize, capacity: usize, secret: &[u8; 16]) -> Self {
        Self {
            users: Table::new(users, secret, latest),
            changes: RwLock::default(),
            count: AtomicUsize::new(0),
            capacity: capacity.max(1),
        }
    }

    /// A password was accepted: whether it is another than the one before, and what follows from that.
    pub(in crate::gate) fn accepted(
        &self,
        user: UserId,
        guess: Guess,
        now: Moment,
    ) -> (Novelty, Option<Change>) {
        let (novelty, ended) = self.users.with(Key::far(user), now, |row| {
            let mut held = row.map(unpack).unwrap_or_default();
            let novelty = match held.first().is_some_and(|first| first.guess == guess.0) {
                true => Novelty::Repeat,
                false => Novelty::New,
            };
            let others = held.into_iter();
            let others = others.filter(|one| one.guess != guess.0 && one.guess != 0);
            let (mut gone, right): (Vec<_>, Vec<_>) =
                others.partition(|one| one.state != PasswordState::Right);
            let refused = gone
                .iter()
                .filter(|one| one.state == PasswordState::Refused);
            let ended = refused.map(|one| one.accepted).max();
            for one in &mut gone {
                one.state = PasswordState::Replaced;
            }
            let first = RightPassword {
                guess: guess.0,
                accepted: seconds(now),
                state: PasswordState::Right,
            };
            held = [RightPassword::default(); PASSWORDS];
            for (place, one) in held
                .iter_mut()
                .zip([first].into_iter().chain(right).chain(gone))
            {
                *place = one;
            }
            ((novelty, ended), Some(pack(held)))
        });
        (novelty, ended.map(|last| self.changed(user, last, now)))
    }

    /// A password was refused: whether it was right once. If it was before another one was, it was changed.
    pub(in crate::gate) fn refused(
        &self,
        user: UserId,
        guess: Guess,
        now: Moment,
    ) -> (PastPassword, Option<Change>) {
        let unknown = (PastPassword::Unknown, None);
        let (past, ended) = self.users.with(Key::far(user), now, |row| {
            let Some(mut held) = row.map(unpack) else {
                return (unknown, None);
            };
            let mut places = held.iter_mut().enumerate();
            let Some((at, one)) = places.find(|(_, one)| one.guess == guess.0) else {
                return (unknown, None);
            };
            let (state, ended) = match (at, one.state) {
                (0, _) => (PasswordState::Refused, None),
                (_, PasswordState::Replaced) => (PasswordState::Replaced, None),
                (_, _) => (PasswordState::Replaced, Some(one.accepted)),
            };
            one.state = state;
            ((PastPassword::OnceRight, ended), Some(pack(held)))
        });
        (past, ended.map(|last| self.changed(user, last, now)))
    }

    /// Since when a user's networks must have had a login to be proven; 0: ever.
    pub(in crate::gate) fn proven_since(&self, user: UserId) -> u32 {
        if self.count.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        self.read().get(&user).copied().unwrap_or_default()
    }

    /// Takes over a change: the latest holds.
    pub(in crate::gate) fn merge(&self, user: UserId, since: u32) {
        let mut changes = self.write();
        if changes.len() >= self.capacity && !changes.contains_key(&user) {
            let oldest = changes.iter().min_by_key(|(_, since)| **since);
            if let Some(oldest) = oldest.map(|(user, _)| *user) {
                changes.remove(&oldest);
            }
        }
        let held = changes.entry(user).or_default();
        *held = (*held).max(since);
        self.count.store(changes.len(), Ordering::Relaxed);
    }

    /// Forgets that a user's password was changed: nothing of before counts any more.
    pub(in crate::gate) fn forget(&self, user: UserId) {
        let mut changes = self.write();
        changes.remove(&user);
        self.count.store(changes.len(), Ordering::Relaxed);
    }

    /// Forgets all changes.
    pub(in crate::gate) fn forget_all(&self) {
        let mut changes = self.write();
        changes.clear();
        self.count.store(0, Ordering::Relaxed);
    }

    /// All changes that matter.
    pub(in crate::gate) fn all(&self) -> Vec<PasswordChange> {
        let changes = self.read();
        changes
            .iter()
            .map(|(&user, &since)| PasswordChange { user, since })
            .collect()
    }

    /// Forgets the changes that no familiar pair is older than.
    pub(in crate::gate) fn sweep(&self, now: Moment) {
        let now = seconds(now);
        let mut changes = self.write();
        changes.retain(|_, since| now.saturating_sub(*since) < KEPT);
        self.count.store(changes.len(), Ordering::Relaxed);
    }

    /// Logins up to the last one with the old password prove nothing.
    fn changed(&self, user: UserId, last: u32, now: Moment) -> Change {
        let since = last.saturating_add(1).min(seconds(now));
        self.merge(user, since);
        Change::here(now, Fact::PasswordChanged(PasswordChange { user, since }))
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<UserId, u32>> {
        self.changes.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<UserId, u32>> {
        self.changes.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unpack(row: &[u64; WORDS]) -> [RightPassword; PASSWORDS] {
    let meta = row.last().copied().unwrap_or_default();
    let mut held = [RightPassword::default(); PASSWORDS];
    let guesses = row.iter().skip(1);
    for (at, (one, guess)) in held.iter_mut().zip(guesses).enumerate() {
        let times = row.get(1 + PASSWORDS + at / 2).copied().unwrap_or_default();
        *one = RightPassword {
            guess: *guess,
            accepted: (times >> (32 * (at % 2))) as u32,
            state: match (meta >> (8 + 2 * at)) & 3 {
                0 => PasswordState::Right,
                1 => PasswordState::Refused,
                _ => PasswordState::Replaced,
            },
        };
    }
    held
}

fn pack(held: [RightPassword; PASSWORDS]) -> [u64; WORDS] {
    let mut row = [0; WORDS];
    for (at, one) in held.iter().enumerate() {
        if let Some(word) = row.get_mut(1 + at) {
            *word = one.guess;
        }
        if let Some(word) = row.get_mut(1 + PASSWORDS + at / 2) {
            *word |= u64::from(one.accepted) << (32 * (at % 2));
        }
        if let Some(meta) = row.last_mut() {
            *meta |= (one.state as u64) << (8 + 2 * at);
        }
    }
    row
}

/// When a password of this user was last accepted, in nanoseconds since the epoch.
fn latest(row: &[u64; WORDS]) -> u64 {
    let accepted = unpack(row).map(|one| one.accepted);
    u64::from(accepted.into_iter().max().unwrap_or_default()) * 1_000_000_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ANNA: UserId = UserId(7);
    const OLD: Guess = Guess(1);
    const NEW: Guess = Guess(2);

    fn at(second: u64) -> Moment {
        Moment::from_seconds(1_800_000_000 + second)
    }

    fn passwords() -> RightPasswords {
        RightPasswords::new(64, 3, &[1; 16])
    }

    #[test]
    fn a_password_is_changed_when_it_is_refused_and_another_is_right_in_either_order() {
        let before = passwords();
        before.accepted(ANNA, OLD, at(0));
        assert_eq!(
            before.refused(ANNA, OLD, at(50)),
            (PastPassword::OnceRight, None)
        );
        let (novelty, change) = before.accepted(ANNA, NEW, at(60));
        assert_eq!(novelty, Novelty::New);
        assert!(change.is_some());
        let after = passwords();
        after.accepted(ANNA, OLD, at(0));
        assert_eq!(after.accepted(ANNA, NEW, at(50)).1, None);
        assert!(after.refused(ANNA, OLD, at(60)).1.is_some());
        for passwords in [before, after] {
            assert_eq!(passwords.proven_since(ANNA), 1_800_000_001);
            assert_eq!(passwords.refused(ANNA, OLD, at(70)).1, None, "told once");
        }
    }

    #[test]
    fn two_right_passwords_and_a_refusal_that_was_none_change_nothing() {
        let passwords = passwords();
        for second in 0..20 {
            let guess = if second % 2 == 0 { OLD } else { NEW };
            assert_eq!(passwords.accepted(ANNA, guess, at(second)).1, None);
        }
        let (novelty, _) = passwords.accepted(ANNA, NEW, at(30));
        assert_eq!(novelty, Novelty::Repeat);
        assert_eq!(passwords.refused(ANNA, NEW, at(40)).1, None);
        assert_eq!(passwords.accepted(ANNA, NEW, at(41)).1, None);
        let never = passwords.refused(ANNA, Guess(9), at(42));
        assert_eq!(never, (PastPassword::Unknown, None));
        assert_eq!(passwords.proven_since(ANNA), 0);
    }

    #[test]
    fn a_password_that_was_changed_stays_known_as_once_right_and_may_come_back() {
        let passwords = passwords();
        for (guess, second) in [(1, 0), (2, 10), (3, 20)] {
            passwords.accepted(ANNA, Guess(guess), at(second));
            passwords.refused(ANNA, Guess(guess), at(second + 1));
        }
        passwords.accepted(ANNA, Guess(4), at(30));
        for guess in 1..=3 {
            let (past, change) = passwords.refused(ANNA, Guess(guess), at(40));
            assert_eq!((past, change), (PastPassword::OnceRight, None));
        }
        assert_eq!(passwords.accepted(ANNA, Guess(1), at(50)).1, None);
        assert_eq!(
            passwords.accepted(ANNA, Guess(4), at(51)).1,
            None,
            "both are right"
        );
    }

    #[test]
    fn changes_are_bounded_and_end_with_the_pairs() {
        let passwords = passwords();
        for user in 0..5 {
            passwords.merge(UserId(user), 100 + user as u32);
        }
        let held = (0..5).map(|user| passwords.proven_since(UserId(user)));
        assert_eq!(held.collect::<Vec<_>>(), [0, 0, 102, 103, 104]);
        passwords.sweep(Moment::from_seconds(u64::from(103 + KEPT)));
        let held = (0..5).map(|user| passwords.proven_since(UserId(user)));
        assert_eq!(held.collect::<Vec<_>>(), [0, 0, 0, 0, 104]);
    }

    proptest! {
        #[test]
        fn a_row_is_read_back_as_it_was_written(
            entries in prop::array::uniform4((any::<u64>(), any::<u32>(), 0usize..3)),
        ) {
            let held = entries.map(|(guess, accepted, state)| RightPassword {
                guess,
                accepted,
                state: [PasswordState::Right, PasswordState::Refused, PasswordState::Replaced][state],
            });
            prop_assert_eq!(unpack(&pack(held)), held);
        }
    }
}
