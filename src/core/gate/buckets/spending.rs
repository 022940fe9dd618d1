//! spending - what this machine has spent of keyed buckets and the others of a cluster do not know yet
//!
//! It is kept as a sum of time for each bucket, so that what was given back before it was told is not told at all. What
//! finds no room is lost: it stays spent here and is not known elsewhere. Then what is given back is not told for a while
//! either: it may belong to what was lost, and other machines would add a token that nobody had spent there. A flood of
//! addresses has no part in that where users have room.
//! Not here: what others have spent (`gate::spent`), how it is told (the daemon's `server::sharing`).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::capacity::give_back;
use crate::gate::buckets::key::Key;
use crate::moment::Moment;

/// Buckets that wait in each of the two parts.
pub(in crate::gate) const WAITING: usize = 32_768;
/// Every permit is settled by then, in nanoseconds: what was lost is given back no later.
const SETTLED: u64 = 300 * 1_000_000_000;

/// What waits to be told.
#[derive(Default)]
pub(in crate::gate) struct Spending {
    /// Whether anybody is told.
    is_told: AtomicBool,
    /// Of users, with networks or without: a flood of addresses takes nothing of their room.
    users: SpendingPart,
    places: SpendingPart,
    /// How often something found no room.
    lost: AtomicU64,
}

/// What waits of users, or of places.
#[derive(Default)]
struct SpendingPart {
    waiting: Mutex<HashMap<Key, i64>>,
    /// When something found no room here, in nanoseconds since the epoch.
    lost_at: AtomicU64,
}

impl Spending {
    /// From now on what is spent is noted.
    pub(in crate::gate) fn begin(&self) {
        self.is_told.store(true, Ordering::Relaxed);
    }

    /// Notes so many nanoseconds; fewer than none were given back.
    pub(in crate::gate) fn note(&self, key: Key, nanos: i64, now: Moment) {
        if nanos == 0 || !self.is_told.load(Ordering::Relaxed) {
            return;
        }
        let part = self.part(key);
        let lost = part.lost_at.load(Ordering::Relaxed);
        let may_be_of_lost = lost != 0 && now.as_nanos().saturating_sub(lost) < SETTLED;
        if nanos < 0 && may_be_of_lost {
            return;
        }
        let mut waiting = part.locked();
        let has_room = waiting.len() < WAITING;
        match waiting.entry(key) {
            Entry::Occupied(mut held) => {
                let sum = held.get().saturating_add(nanos);
                match sum {
                    0 => drop(held.remove()),
                    _ => *held.get_mut() = sum,
                }
            }
            Entry::Vacant(place) if has_room => drop(place.insert(nanos)),
            Entry::Vacant(_) => {
                part.lost_at.store(now.as_nanos().max(1), Ordering::Relaxed);
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// What waits, up to this many buckets: those of users first.
    pub(in crate::gate) fn take(&self, most: usize) -> Vec<(Key, i64)> {
        let mut taken = Vec::new();
        for part in [&self.users, &self.places] {
            let mut waiting = part.locked();
            let room = most.saturating_sub(taken.len());
            if waiting.len() <= room {
                taken.extend(waiting.drain());
            } else {
                taken.extend(waiting.extract_if(|_, _| true).take(room));
            }
            give_back(&mut waiting);
        }
        taken
    }

    /// How often something found no room.
    pub(in crate::gate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Forgets what waits of a bucket that is full again.
    pub(in crate::gate) fn forget(&self, key: Key) {
        if self.is_told.load(Ordering::Relaxed) {
            self.part(key).locked().remove(&key);
        }
    }

    fn part(&self, key: Key) -> &SpendingPart {
        match key.is_of_user() {
            true => &self.users,
            false => &self.places,
        }
    }
}

impl SpendingPart {
    fn locked(&self) -> MutexGuard<'_, HashMap<Key, i64>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::gate::buckets::spec::Kind;
    use crate::gate::request::keys::UserId;

    const NOW: Moment = Moment::from_seconds(1_800_000_000);

    fn address(id: u64) -> Key {
        let kind = Kind::CLIENT_V4;
        Key { kind, id }
    }

    fn waiting() -> Spending {
        let spending = Spending::default();
        spending.begin();
        spending
    }

    #[test]
    fn what_was_given_back_in_time_is_not_told_and_nobody_is_told_before_there_is_anybody() {
        let spending = Spending::default();
        spending.note(address(1), 5, NOW);
        assert!(spending.take(9).is_empty());
        spending.begin();
        spending.note(address(1), 5, NOW);
        spending.note(address(2), 5, NOW);
        spending.note(address(1), -5, NOW);
        spending.note(address(3), 0, NOW);
        spending.note(address(2), 7, NOW);
        assert_eq!(spending.take(9), [(address(2), 12)]);
        assert!(spending.take(9).is_empty());
        spending.note(address(4), 5, NOW);
        spending.forget(address(4));
        assert!(spending.take(9).is_empty());
    }

    #[test]
    fn a_flood_of_addresses_fills_no_memory_and_takes_no_room_of_users() {
        let spending = waiting();
        (0..=WAITING as u64).for_each(|id| spending.note(address(id), 5, NOW));
        let user = Key::far(UserId(7));
        spending.note(user, 5, NOW);
        spending.note(address(0), 5, NOW);
        assert_eq!(spending.take(1), [(user, 5)]);
        let first = spending.take(WAITING - 1);
        let rest = spending.take(WAITING);
        assert_eq!((first.len(), rest.len()), (WAITING - 1, 1));
        let all = || first.iter().chain(&rest);
        assert!(all().all(|(key, nanos)| *nanos == if key.id == 0 { 10 } else { 5 }));
    }

    #[test]
    fn what_may_be_of_what_was_lost_is_not_told_as_given_back() {
        let spending = waiting();
        (0..WAITING as u64).for_each(|id| spending.note(address(id), 5, NOW));
        spending.note(address(1), -2, NOW);
        assert_eq!(spending.lost(), 0);
        spending.note(address(u64::MAX), 5, NOW);
        assert_eq!(spending.lost(), 1);
        spending.take(WAITING);
        // Of users nothing was lost.
        let user = Key::far(UserId(7));
        spending.note(user, -5, NOW);
        assert_eq!(spending.take(9), [(user, -5)]);
        let settled = NOW + Duration::from_nanos(SETTLED);
        spending.note(address(u64::MAX), -5, settled - Duration::from_nanos(1));
        assert!(spending.take(9).is_empty());
        spending.note(address(1), -5, settled);
        assert_eq!(spending.take(9), [(address(1), -5)]);
    }
}
