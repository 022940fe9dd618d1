//! quiet - one line where strangers would write a thousand
//!
//! [`Quiet`] remembers when it last spoke of a key and how often it kept silent since. It is a fixed
//! number of rows; two keys in one row push each other out, which costs a line too many, never memory.
//! Not here: what is written (`events`).

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gatepost_core::moment::Moment;

/// Rows. A row is 24 octets.
const ROWS: usize = 4096;

/// Whether to speak now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Say {
    /// Yes, and this many were kept silent since the last time.
    Now {
        /// How many were kept silent.
        unsaid: u32,
    },
    /// Not now.
    Later,
}

#[derive(Clone, Copy, Default)]
struct Row {
    key: u64,
    spoke: Moment,
    unsaid: u32,
}

/// Limits each key to one line in a span.
#[derive(Debug)]
pub struct Quiet {
    span: Duration,
    hasher: RandomState,
    rows: Mutex<Box<[Row]>>,
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.unsaid)
    }
}

impl Quiet {
    /// One line a key in `span`.
    pub fn new(span: Duration) -> Self {
        let rows = Mutex::new(vec![Row::default(); ROWS].into_boxed_slice());
        Self {
            span,
            hasher: RandomState::new(),
            rows,
        }
    }

    /// Asks to speak of `key`.
    pub fn ask(&self, key: &impl Hash, now: Moment) -> Say {
        let hash = self.hasher.hash_one(key);
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let index = usize::try_from(hash % ROWS as u64).unwrap_or_default();
        let Some(row) = rows.get_mut(index) else {
            return Say::Now { unsaid: 0 };
        };
        if row.key == hash && row.spoke != Moment::EPOCH && now.since(row.spoke) < self.span {
            row.unsaid = row.unsaid.saturating_add(1);
            return Say::Later;
        }
        let unsaid = if row.key == hash { row.unsaid } else { 0 };
        *row = Row {
            key: hash,
            spoke: now,
            unsaid: 0,
        };
        Say::Now { unsaid }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_speaks_once_a_span_and_tells_what_it_kept_silent() {
        let quiet = Quiet::new(Duration::from_secs(600));
        let start = Moment::from_seconds(1_000_000);
        assert_eq!(quiet.ask(&"a", start), Say::Now { unsaid: 0 });
        for second in 1..600 {
            assert_eq!(
                quiet.ask(&"a", start + Duration::from_secs(second)),
                Say::Later
            );
        }
        assert_eq!(quiet.ask(&"b", start), Say::Now { unsaid: 0 });
        assert_eq!(
            quiet.ask(&"a", start + Duration::from_secs(600)),
            Say::Now { unsaid: 599 }
        );
        assert_eq!(
            quiet.ask(&"a", start + Duration::from_secs(601)),
            Say::Later
        );
    }
}
