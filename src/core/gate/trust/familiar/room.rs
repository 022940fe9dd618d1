//! room - what goes when familiar pairs and users reach the capacity
//!
//! A part of everything at once, those whose last login is longest ago first.
//! Not here: one user's own networks (`familiar`).

use super::{Familiar, PairBook, ROOM};
use crate::gate::request::keys::UserId;

impl Familiar {
    /// How many pairs there is room for.
    pub(in crate::gate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many pairs and users were evicted because the capacity was reached.
    pub(in crate::gate) fn evictions(&self) -> u64 {
        self.read().evicted
    }
}

impl PairBook {
    /// Lets the oldest part of all pairs go.
    pub(super) fn make_room_for_pairs(&mut self, capacity: usize) {
        let mut ages: Vec<(u32, UserId, u64)> = Vec::with_capacity(self.pairs);
        for (user, known) in &self.users {
            ages.extend(known.pairs.iter().map(|p| (p.last, *user, p.network)));
        }
        let surplus = (self.pairs - capacity + capacity / ROOM).min(ages.len());
        for (_, user, network) in oldest(ages, surplus) {
            if let Some(known) = self.users.get_mut(&user) {
                known.pairs.retain(|pair| pair.network != network);
            }
            self.let_go(network);
            self.evicted += 1;
        }
    }

    pub(super) fn make_room_for_user(&mut self, capacity: usize) {
        if self.users.len() < capacity {
            return;
        }
        let ages = self.users.iter().map(|(user, known)| (known.last, *user));
        for (_, user) in oldest(ages.collect(), 1 + capacity / ROOM) {
            let pairs = self.users.remove(&user).unwrap_or_default().pairs;
            for pair in pairs {
                self.let_go(pair.network);
            }
            self.evicted += 1;
        }
        self.count_listed();
    }
}

/// The `count` smallest.
fn oldest<T: Ord>(mut ages: Vec<T>, count: usize) -> Vec<T> {
    if count < ages.len() {
        ages.select_nth_unstable(count);
        ages.truncate(count);
    }
    ages
}
