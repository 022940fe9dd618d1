//! written - the counters as they stand in the file, so that who reads the hours knows what is still on its way there
//!
//! Counts go to the disk every ten seconds; a page that is looked at shall not be late by as much.
//! Not here: who writes (`historian`), what is counted (`server`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::database::HistoryFault;
use super::reader::{HistoryReader, HourCount};
use crate::clock::Clock;
use gatepost_core::moment::Moment;

/// Counters since the start, by name: what they have grown by goes to the hour.
pub type Totals = BTreeMap<String, u64>;

const HOUR: u64 = 3600;

/// How often it is read again when something was written meanwhile.
const TRIES: u32 = 3;

/// What the counters were when they were last written. Cheap to clone: all clones are one.
#[derive(Clone, Debug, Default)]
pub struct WrittenTotals(Arc<Mutex<Totals>>);

impl WrittenTotals {
    pub(super) fn set(&self, totals: Totals) {
        *self.lock() = totals;
    }

    pub(super) fn get(&self) -> Totals {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Totals> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HistoryReader {
    /// What is in the file of the counters: for who writes it.
    pub const fn written(&self) -> &WrittenTotals {
        &self.written
    }

    /// The counters of each hour that ended after `since`, the oldest first, with what is not written yet; and
    /// what `totals` said then.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn hours_until_now(
        &self,
        since: Moment,
        totals: impl Fn() -> Totals,
    ) -> Result<(Vec<HourCount>, Totals), HistoryFault> {
        let mut tries = 0;
        loop {
            let written = self.written.get();
            let mut hours = self.hours(since)?;
            let now = totals();
            tries += 1;
            // What was written meanwhile would count twice.
            if tries < TRIES && self.written.get() != written {
                continue;
            }
            if self.is_kept() {
                add(&mut hours, grown(&written, &now));
            }
            return Ok((hours, now));
        }
    }
}

/// Adds to the hour that it is now.
fn add(hours: &mut Vec<HourCount>, grown: Vec<(String, u64)>) {
    let hour = Moment::from_seconds(Clock::wall().as_seconds() / HOUR * HOUR);
    for (name, count) in grown {
        let fits = |one: &&mut HourCount| one.hour == hour && one.name == name;
        match hours.iter_mut().rev().find(fits) {
            Some(one) => one.count += count,
            None => hours.push(HourCount { hour, name, count }),
        }
    }
}

/// What has grown, and by how much.
pub(super) fn grown(before: &Totals, now: &Totals) -> Vec<(String, u64)> {
    let grown = |(name, count): (&String, &u64)| {
        let before = before.get(name).copied().unwrap_or_default();
        (name.clone(), count.saturating_sub(before))
    };
    now.iter().map(grown).filter(|(_, by)| *by > 0).collect()
}
