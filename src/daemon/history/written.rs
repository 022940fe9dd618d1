//! written - the counters as they stand in the file, so that who reads the hours knows what is still on its way there;
//! and why nothing gets there, where that is so
//!
//! Not here: who writes (`historian`), who reads (`reader::hours`), what is counted (`server`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counters since the start, by name: what they have grown by goes to the hour.
pub type Totals = BTreeMap<String, u64>;

/// What the counters were when they were last written. Cheap to clone: all clones are one.
#[derive(Clone, Debug, Default)]
pub struct WrittenTotals {
    totals: Arc<Mutex<Totals>>,
    fault: Arc<Mutex<Option<String>>>,
}

impl WrittenTotals {
    /// Why the disk takes nothing; none: it does.
    pub fn fault(&self) -> Option<String> {
        lock(&self.fault).clone()
    }

    pub(super) fn set_fault(&self, fault: Option<String>) {
        *lock(&self.fault) = fault;
    }

    pub(super) fn set(&self, totals: Totals) {
        *lock(&self.totals) = totals;
    }

    pub(super) fn get(&self) -> Totals {
        lock(&self.totals).clone()
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What has grown, and by how much.
pub(super) fn grown(before: &Totals, now: &Totals) -> Vec<(String, u64)> {
    let grown = |(name, count): (&String, &u64)| {
        let before = before.get(name).copied().unwrap_or_default();
        (name.clone(), count.saturating_sub(before))
    };
    now.iter().map(grown).filter(|(_, by)| *by > 0).collect()
}
