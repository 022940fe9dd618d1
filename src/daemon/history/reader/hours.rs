//! hours - the counters by the hour up to this moment
//!
//! Counts go to the disk every ten seconds; a page that is looked at shall not be late by as much.
//! Not here: the other questions (`reader`).

use super::{HistoryReader, HourCount, maybe_moment};
use crate::clock::Clock;
use crate::history::database::HistoryFault;
use crate::history::written::{Totals, WrittenTotals, grown};
use gatepost_core::moment::Moment;

const HOUR: u64 = 3600;

/// How often it is read again when something was written meanwhile.
const TRIES: u32 = 3;

impl HistoryReader {
    /// The first hour that anything was counted in.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn kept_since(&self) -> Result<Option<Moment>, HistoryFault> {
        let question = "SELECT min(hour) FROM hours";
        let first = self.ask(question, [], |row| maybe_moment(row, 0))?;
        Ok(first.into_iter().next().flatten())
    }

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
