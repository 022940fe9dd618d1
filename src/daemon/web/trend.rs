//! trend - the counters of the last day, ten minutes a row, and of the last minutes, a row each sample
//!
//! For the page's charts; in memory only, of fixed size, from the start of the process on.
//! Not here: who samples it (`server`).

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::admin::message::StatusMessage;
use gatepost_core::moment::Moment;

/// The time of a row.
const SPAN: Duration = Duration::from_secs(600);

/// Rows: a day.
const ROWS: usize = 144;

/// Samples that are kept one by one: ten minutes, with one each five seconds.
const SAMPLES: usize = 120;

/// What was counted in one span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TrendRow {
    /// When it began, in seconds since the Unix epoch by the wall's clock.
    pub at: u64,
    /// Logins that Postfix accepted.
    pub accepted: u64,
    /// Passwords that Postfix rejected: guesses that reached it.
    pub rejected: u64,
    /// Attempts refused.
    pub refused: u64,
    /// Connections turned away before TLS.
    pub closed: u64,
}

/// The rows, and the counters at the last one's beginning.
#[derive(Debug, Default)]
pub struct Trend(Mutex<TrendState>);

#[derive(Debug, Default)]
struct TrendState {
    rows: VecDeque<TrendRow>,
    began: Option<(Moment, TrendRow)>,
    lately: VecDeque<TrendRow>,
    last: TrendRow,
}

impl Trend {
    /// Takes the counters as they are now; `wall` is what the wall's clock shows.
    pub fn sample(&self, status: &StatusMessage, now: Moment, wall: Moment) {
        let counts = counts(status, wall);
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the first sample all counters were zero.
        let start = TrendRow {
            at: counts.at,
            ..TrendRow::default()
        };
        let (began, before) = *state.began.get_or_insert((now, start));
        let row = counts.since(&before, before.at);
        let sample = counts.since(&std::mem::replace(&mut state.last, counts), counts.at);
        state.lately.push_back(sample);
        if state.lately.len() > SAMPLES {
            state.lately.pop_front();
        }
        match state.rows.back_mut() {
            Some(last) if last.at == row.at => *last = row,
            _ => state.rows.push_back(row),
        }
        if state.rows.len() > ROWS {
            state.rows.pop_front();
        }
        if now.since(began) >= SPAN {
            state.began = Some((now, counts));
        }
    }

    /// All rows, the oldest first.
    pub(super) fn rows(&self) -> Vec<TrendRow> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.rows.iter().copied().collect()
    }

    /// What the last samples added, the oldest first.
    pub(super) fn lately(&self) -> Vec<TrendRow> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.lately.iter().copied().collect()
    }
}

impl TrendRow {
    /// What was counted since `before`, in a row of this time.
    fn since(&self, before: &Self, at: u64) -> Self {
        Self {
            at,
            accepted: self.accepted.saturating_sub(before.accepted),
            rejected: self.rejected.saturating_sub(before.rejected),
            refused: self.refused.saturating_sub(before.refused),
            closed: self.closed.saturating_sub(before.closed),
        }
    }
}

fn counts(status: &StatusMessage, wall: Moment) -> TrendRow {
    let verdict = |name: &str| {
        let reasons = status.attempts.get(name);
        reasons.map_or(0, |reasons| reasons.values().sum())
    };
    TrendRow {
        at: wall.as_seconds(),
        accepted: verdict("accept"),
        rejected: verdict("reject"),
        refused: verdict("refuse") + verdict("repeat"),
        closed: status.turned_away.values().sum(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn status(accepted: u64) -> StatusMessage {
        let reasons = BTreeMap::from([("familiar".to_owned(), accepted)]);
        StatusMessage {
            attempts: BTreeMap::from([("accept".to_owned(), reasons)]),
            turned_away: BTreeMap::from([("ban".to_owned(), 2 * accepted)]),
            ..StatusMessage::default()
        }
    }

    #[test]
    fn a_row_has_what_was_counted_in_its_ten_minutes_and_a_day_is_kept() {
        let trend = Trend::default();
        let minutes = 60 * 24 * 3;
        for minute in 0..=minutes {
            let now = Moment::from_seconds(1_000_000 + minute * 60);
            trend.sample(&status(5 + minute), now, now);
        }
        let rows = trend.rows();
        assert_eq!(rows.len(), ROWS);
        let whole = &rows[..ROWS - 1];
        assert!(
            whole
                .iter()
                .all(|row| row.accepted == 10 && row.closed == 20),
            "{whole:?}"
        );
        assert!(whole.windows(2).all(|pair| pair[1].at - pair[0].at == 600));
        let last = 1_000_000 + minutes * 60;
        assert!(last - rows[ROWS - 1].at <= 600);
    }

    #[test]
    fn the_row_under_way_is_there_at_once() {
        let trend = Trend::default();
        let start = Moment::from_seconds(1_000_000);
        trend.sample(&status(5), start, start);
        trend.sample(&status(7), start + Duration::from_secs(5), start);
        let expected = TrendRow {
            at: 1_000_000,
            accepted: 7,
            closed: 14,
            ..TrendRow::default()
        };
        assert_eq!(trend.rows(), [expected]);
        let lately: Vec<u64> = trend.lately().iter().map(|row| row.accepted).collect();
        assert_eq!(lately, [5, 2]);
        for _ in 0..1_000 {
            trend.sample(&status(7), start, start);
        }
        assert_eq!(trend.lately().len(), SAMPLES);
    }
}
