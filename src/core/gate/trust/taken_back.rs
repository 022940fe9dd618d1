//! taken_back - what an operator took back, and when: of each the latest moment
//!
//! Bounded: the oldest go. Not here: what follows from it (`familiar::revoked`, `familiar::forgotten`, `ban`).

use std::collections::{BTreeMap, BTreeSet};

use crate::moment::Moment;

/// What was taken back, and when.
pub(in crate::gate) struct TakenBack<What> {
    latest: BTreeMap<What, Moment>,
    /// The same, the oldest first.
    by_age: BTreeSet<(Moment, What)>,
}

impl<What> Default for TakenBack<What> {
    fn default() -> Self {
        Self {
            latest: BTreeMap::new(),
            by_age: BTreeSet::new(),
        }
    }
}

impl<What: Copy + Ord> TakenBack<What> {
    pub(in crate::gate) fn is_empty(&self) -> bool {
        self.latest.is_empty()
    }

    /// When this was taken back the last time.
    pub(in crate::gate) fn at(&self, what: What) -> Option<Moment> {
        self.latest.get(&what).copied()
    }

    pub(in crate::gate) fn add(&mut self, what: What, at: Moment, capacity: usize) {
        let held = self.at(what);
        if held.is_some_and(|held| held >= at) {
            return;
        }
        if let Some(held) = held {
            self.by_age.remove(&(held, what));
        }
        self.latest.insert(what, at);
        self.by_age.insert((at, what));
        while self.latest.len() > capacity {
            self.drop_oldest();
        }
    }

    /// Lets go of this; when it was taken back the last time.
    pub(in crate::gate) fn take(&mut self, what: What) -> Option<Moment> {
        let at = self.latest.remove(&what)?;
        self.by_age.remove(&(at, what));
        Some(at)
    }

    /// Lets go of all from `first` on for as long as `is_meant` says so, in the order of what was taken back.
    pub(in crate::gate) fn take_from(
        &mut self,
        first: What,
        is_meant: impl Fn(What) -> bool,
    ) -> Vec<(What, Moment)> {
        let held = self.latest.range(first..);
        let held = held.map(|(what, at)| (*what, *at));
        let taken: Vec<_> = held.take_while(|(what, _)| is_meant(*what)).collect();
        for (what, _) in &taken {
            self.take(*what);
        }
        taken
    }

    /// Drops those of before, as long as `is_over` says so of the oldest.
    pub(in crate::gate) fn drop_while(&mut self, is_over: impl Fn(Moment) -> bool) {
        while self.by_age.first().is_some_and(|(at, _)| is_over(*at)) {
            self.drop_oldest();
        }
    }

    /// All, the oldest first.
    pub(in crate::gate) fn all(&self) -> Vec<(What, Moment)> {
        let all = self.by_age.iter();
        all.map(|(at, what)| (*what, *at)).collect()
    }

    fn drop_oldest(&mut self) {
        if let Some((_, what)) = self.by_age.pop_first() {
            self.latest.remove(&what);
        }
    }
}
