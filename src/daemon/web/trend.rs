//! trend - the counters of the last ten minutes, a row each five seconds
//!
//! For the page's charts of what goes on now; in memory only, of fixed size. What was before is in the history.
//! Not here: who samples it (`server`).

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::admin::message::StatusMessage;
use gatepost_core::moment::Moment;

/// Samples that are kept: ten minutes, with one each five seconds.
const SAMPLES: usize = 120;

/// What was counted since the sample before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TrendRow {
    /// When, in seconds since the Unix epoch by the wall clock.
    pub at: u64,
    /// Logins that Postfix accepted.
    pub accepted: u64,
    /// Guesses that reached Postfix.
    pub guesses: u64,
    /// Attempts refused.
    pub refused: u64,
    /// Repetitions of a wrong password, answered without asking.
    pub repeated: u64,
    /// Attempts that Postfix gave no answer to.
    pub deferred: u64,
    /// Connections turned away before TLS.
    pub closed: u64,
}

/// The samples, and the counters at the last one.
#[derive(Debug, Default)]
pub struct Trend(Mutex<TrendState>);

#[derive(Debug, Default)]
struct TrendState {
    lately: VecDeque<TrendRow>,
    last: TrendRow,
}

/// What the page gets of it.
#[derive(Debug, Serialize)]
pub(super) struct TrendMessage {
    /// What the last samples added, the oldest first.
    lately: Vec<TrendRow>,
    /// The counters since the start, at the last sample.
    last: TrendRow,
}

impl Trend {
    /// Takes the counters as they are now; `wall` is what the wall clock shows.
    pub fn sample(&self, status: &StatusMessage, wall: Moment) {
        let counts = counts(status, wall);
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut state.last, counts);
        state.lately.push_back(counts.since(&before));
        if state.lately.len() > SAMPLES {
            state.lately.pop_front();
        }
    }

    /// All of it.
    pub(super) fn message(&self) -> TrendMessage {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        TrendMessage {
            lately: state.lately.iter().copied().collect(),
            last: state.last,
        }
    }
}

impl TrendRow {
    /// What was counted since `before`.
    fn since(&self, before: &Self) -> Self {
        Self {
            at: self.at,
            accepted: self.accepted.saturating_sub(before.accepted),
            guesses: self.guesses.saturating_sub(before.guesses),
            refused: self.refused.saturating_sub(before.refused),
            repeated: self.repeated.saturating_sub(before.repeated),
            deferred: self.deferred.saturating_sub(before.deferred),
            closed: self.closed.saturating_sub(before.closed),
        }
    }
}

fn counts(status: &StatusMessage, wall: Moment) -> TrendRow {
    let counter = |name: &str| status.counters.get(name).copied().unwrap_or_default();
    TrendRow {
        at: wall.as_seconds(),
        accepted: counter("accepted"),
        guesses: counter("guesses"),
        refused: counter("refused"),
        repeated: counter("repeated"),
        deferred: counter("deferred"),
        closed: status.turned_away.values().sum(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn status(accepted: u64) -> StatusMessage {
        StatusMessage {
            counters: BTreeMap::from([
                ("accepted".to_owned(), accepted),
                ("refused".to_owned(), 3 * accepted),
                ("repeated".to_owned(), accepted),
            ]),
            turned_away: BTreeMap::from([("ban".to_owned(), 2 * accepted)]),
            ..StatusMessage::default()
        }
    }

    #[test]
    fn a_row_has_what_came_since_the_one_before_and_the_last_ten_minutes_are_kept() {
        let trend = Trend::default();
        let start = Moment::from_seconds(1_000_000);
        trend.sample(&status(5), start);
        trend.sample(&status(7), start + std::time::Duration::from_secs(5));
        let expected = TrendRow {
            at: 1_000_005,
            accepted: 2,
            guesses: 0,
            refused: 6,
            repeated: 2,
            deferred: 0,
            closed: 4,
        };
        let told = trend.message();
        assert_eq!((told.lately[0].accepted, told.lately[1]), (5, expected));
        assert_eq!((told.last.accepted, told.last.at), (7, 1_000_005));
        for _ in 0..1_000 {
            trend.sample(&status(7), start);
        }
        let told = trend.message();
        assert_eq!(told.lately.len(), SAMPLES);
        assert!(told.lately.iter().all(|row| row.accepted == 0));
    }
}
