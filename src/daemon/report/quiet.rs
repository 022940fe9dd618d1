//! quiet - one line where strangers would write a thousand
//!
//! [`LineBudget`] is a bucket of lines: a burst, then some a second. [`Quiet`] gives each key one line in a span, and
//! all keys together a bucket. What is beyond either is counted: by key, for the key's next line, and beyond the
//! bucket by reason too, for the summary. Memory is fixed. Two keys that share a row push each other out; that spends
//! the bucket faster, and never writes more than it allows.
//! Not here: what is written (`events`).

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gatepost_core::moment::Moment;

/// Rows. A row is 24 octets: 393 KB.
const ROWS: usize = 16_384;

/// Lines about strangers at once, over all keys, and the time that gives back one.
pub const STRANGERS: LineRate = LineRate {
    burst: 200,
    every: Duration::from_millis(500),
};

/// Reasons counted apart. They come out of the code, not from clients, so there are never more.
const REASONS: usize = 64;

/// Whether to write the line now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Say {
    /// Yes, and this many of the same key were suppressed since its last one.
    Now {
        /// How many were suppressed.
        suppressed: u32,
    },
    /// No: the key had its line.
    Later,
    /// No: all keys together had theirs. Counted for the summary.
    Counted,
}

/// The lines that were only counted, by reason.
pub type Summary = BTreeMap<&'static str, u64>;

#[derive(Clone, Copy, Default)]
struct QuietRow {
    key: u64,
    spoke: Moment,
    suppressed: u32,
}

/// Limits each key to one line in a span, and all of them to a rate.
#[derive(Debug)]
pub struct Quiet {
    span: Duration,
    hasher: RandomState,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rows: Box<[QuietRow]>,
    budget: LineBudget,
}

/// How many lines a bucket holds, and how fast it fills.
#[derive(Clone, Copy, Debug)]
pub struct LineRate {
    /// Lines at once.
    pub burst: u32,
    /// The time that gives back one.
    pub every: Duration,
}

/// A bucket of lines, and what came when it was empty.
#[derive(Debug)]
pub struct LineBudget {
    rate: LineRate,
    /// When it is full again.
    full_at: Moment,
    summary: Summary,
}

impl std::fmt::Debug for QuietRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.suppressed)
    }
}

impl Quiet {
    /// One line a key in `span`, and of all keys together as many as `rate` allows.
    pub fn new(span: Duration, rate: LineRate) -> Self {
        Self {
            span,
            hasher: RandomState::new(),
            state: Mutex::new(State {
                rows: vec![QuietRow::default(); ROWS].into_boxed_slice(),
                budget: LineBudget::new(rate),
            }),
        }
    }

    /// Asks to write a line about `key`, for `reason`.
    pub fn ask(&self, key: &impl Hash, reason: &'static str, now: Moment) -> Say {
        let hash = self.hasher.hash_one(key);
        let mut state = self.lock();
        let index = usize::try_from(hash % ROWS as u64).unwrap_or_default();
        let row = state.rows.get(index).copied().unwrap_or_default();
        let is_ours = row.key == hash && row.spoke != Moment::EPOCH;
        let is_recent = row.spoke != Moment::EPOCH && now.since(row.spoke) < self.span;
        let (said, row) = if is_ours && is_recent {
            (Say::Later, row.with_one_more())
        } else if state.budget.take_line(now) {
            let suppressed = if row.key == hash { row.suppressed } else { 0 };
            let row = QuietRow {
                key: hash,
                spoke: now,
                suppressed: 0,
            };
            (Say::Now { suppressed }, row)
        } else {
            state.budget.count(reason);
            let row = match (row.key == hash, is_recent) {
                (true, _) => row.with_one_more(),
                // The other key's line was written, and its count is still to be told.
                (false, true) => row,
                (false, false) => QuietRow {
                    key: hash,
                    spoke: Moment::EPOCH,
                    suppressed: 1,
                },
            };
            (Say::Counted, row)
        };
        if let Some(place) = state.rows.get_mut(index) {
            *place = row;
        }
        said
    }

    /// What was only counted since the last call, by reason.
    pub fn take_summary(&self) -> Summary {
        self.lock().budget.take_summary()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl QuietRow {
    fn with_one_more(self) -> Self {
        Self {
            suppressed: self.suppressed.saturating_add(1),
            ..self
        }
    }
}

impl LineBudget {
    /// A full one.
    pub fn new(rate: LineRate) -> Self {
        Self {
            rate,
            full_at: Moment::EPOCH,
            summary: Summary::new(),
        }
    }

    /// Takes one line out of the bucket, if it holds one.
    pub fn take_line(&mut self, now: Moment) -> bool {
        let LineRate { burst, every } = self.rate;
        let full_at = self.full_at.max(now) + every;
        let fits = full_at.since(now) <= every * burst;
        if fits {
            self.full_at = full_at;
        }
        fits
    }

    /// How long until there is one.
    pub fn wait(&self, now: Moment) -> Duration {
        let LineRate { burst, every } = self.rate;
        let spare = every * burst.saturating_sub(1);
        self.full_at.since(now).saturating_sub(spare)
    }

    /// Whether it is as it was at first.
    pub fn is_full(&self, now: Moment) -> bool {
        self.full_at <= now
    }

    /// Counts a line that is not written.
    pub fn count(&mut self, reason: &'static str) {
        if self.summary.len() < REASONS || self.summary.contains_key(reason) {
            *self.summary.entry(reason).or_default() += 1;
        }
    }

    /// What was only counted since the last call, by reason.
    pub fn take_summary(&mut self) -> Summary {
        std::mem::take(&mut self.summary)
    }
}

/// Counts by name, as they are told.
pub fn list(counts: &Summary) -> String {
    let entries: Vec<_> = counts
        .iter()
        .map(|(name, count)| format!("{name}={count}"))
        .collect();
    entries.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment::from_seconds(1_000_000);

    fn quiet() -> Quiet {
        Quiet::new(Duration::from_secs(600), STRANGERS)
    }

    #[test]
    fn a_key_has_one_line_a_span_which_tells_how_many_were_suppressed() {
        let quiet = quiet();
        assert_eq!(quiet.ask(&"a", "r", START), Say::Now { suppressed: 0 });
        for second in 1..600 {
            let now = START + Duration::from_secs(second);
            assert_eq!(quiet.ask(&"a", "r", now), Say::Later);
        }
        assert_eq!(quiet.ask(&"b", "r", START), Say::Now { suppressed: 0 });
        let later = START + Duration::from_secs(600);
        assert_eq!(quiet.ask(&"a", "r", later), Say::Now { suppressed: 599 });
        let later = START + Duration::from_secs(601);
        assert_eq!(quiet.ask(&"a", "r", later), Say::Later);
        assert!(quiet.take_summary().is_empty());
    }

    #[test]
    fn a_hundred_thousand_clients_in_ten_minutes_write_a_burst_and_two_lines_a_second() {
        let quiet = quiet();
        let (mut lines, mut counted) = (0, 0);
        for number in 0..100_000_u64 {
            let now = START + Duration::from_millis(number * 6);
            for _ in 0..3 {
                match quiet.ask(&number, "client", now) {
                    Say::Now { .. } => lines += 1,
                    Say::Counted => counted += 1,
                    Say::Later => {}
                }
            }
        }
        assert_eq!(lines, 200 + 1_199);
        let summary = quiet.take_summary();
        assert_eq!(summary, Summary::from([("client", counted)]));
        assert!(quiet.take_summary().is_empty(), "it is told once");
    }

    #[test]
    fn a_key_that_met_an_empty_bucket_has_its_line_later_with_its_count() {
        let quiet = quiet();
        while quiet.take_one_line(START) {}
        for _ in 0..5 {
            assert_eq!(quiet.ask(&"a", "r", START), Say::Counted);
        }
        let later = START + Duration::from_secs(1);
        assert_eq!(quiet.ask(&"a", "r", later), Say::Now { suppressed: 5 });
        assert_eq!(quiet.take_summary(), Summary::from([("r", 5)]));
    }

    impl Quiet {
        fn take_one_line(&self, now: Moment) -> bool {
            self.lock().budget.take_line(now)
        }
    }
}
