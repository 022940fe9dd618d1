//! busiest - who makes the most attempts, in a table of fixed size
//!
//! Misra and Gries, "Finding repeated elements" (1982): when the table is full, a newcomer takes one from every row's
//! weight, and rows without weight go. A client that makes more than one in `ROWS` of all attempts is in it, and what a
//! row counts is never more than what was there. So a botnet that comes with a new address each time fills no memory,
//! and hides nobody who tries often.
//! Not here: over which time (`lately`).

use std::collections::HashMap;
use std::hash::Hash;

use super::verdicts::AttemptVerdict;

/// Rows.
const ROWS: usize = 256;

/// What somebody's attempts came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttemptCounts {
    /// All of them.
    pub attempts: u64,
    /// Postfix accepted.
    pub accepted: u64,
    /// Postfix rejected.
    pub rejected: u64,
    /// We refused, or answered a known wrong password ourselves.
    pub refused: u64,
}

impl AttemptCounts {
    pub(in crate::report) fn count(&mut self, verdict: AttemptVerdict) {
        self.attempts += 1;
        match verdict {
            AttemptVerdict::Accept => self.accepted += 1,
            AttemptVerdict::Reject => self.rejected += 1,
            AttemptVerdict::Refuse | AttemptVerdict::Repeat => self.refused += 1,
            AttemptVerdict::Defer | AttemptVerdict::Cancel => {}
        }
    }

    pub(in crate::report) fn add(&mut self, other: Self) {
        self.attempts += other.attempts;
        self.accepted += other.accepted;
        self.rejected += other.rejected;
        self.refused += other.refused;
    }
}

#[derive(Debug, Default)]
struct BusyRow {
    weight: u64,
    counts: AttemptCounts,
}

/// The table.
#[derive(Debug)]
pub(in crate::report) struct Busiest<K>(HashMap<K, BusyRow>);

impl<K> Default for Busiest<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Hash + Eq> Busiest<K> {
    /// One more attempt of `key`.
    pub(in crate::report) fn count(&mut self, key: K, verdict: AttemptVerdict) {
        if self.0.len() >= ROWS && !self.0.contains_key(&key) {
            self.0.retain(|_, row| {
                row.weight -= 1;
                row.weight > 0
            });
            return;
        }
        let row = self.0.entry(key).or_default();
        row.weight += 1;
        row.counts.count(verdict);
    }

    /// All rows, in no order.
    pub(in crate::report) fn rows(&self) -> impl Iterator<Item = (&K, AttemptCounts)> {
        self.0.iter().map(|(key, row)| (key, row.counts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_botnet_of_new_addresses_fills_no_memory_and_hides_nobody_who_tries_often() {
        let mut busiest = Busiest::default();
        let mut new = 1_000;
        for _ in 0..1_000 {
            for often in 0..10 {
                busiest.count(often, AttemptVerdict::Refuse);
            }
            for _ in 0..100 {
                new += 1;
                busiest.count(new, AttemptVerdict::Reject);
            }
            assert!(busiest.0.len() <= ROWS);
        }
        for often in 0..10 {
            let rows = busiest.rows().find(|(key, _)| **key == often);
            let counts = rows.map(|(_, counts)| counts).unwrap();
            // All but one in ROWS of 110,000.
            assert!((570..=1_000).contains(&counts.attempts), "{counts:?}");
            assert_eq!(counts.refused, counts.attempts);
        }
    }

    #[test]
    fn what_came_of_the_attempts_is_counted() {
        let mut busiest = Busiest::default();
        for verdict in [
            AttemptVerdict::Accept,
            AttemptVerdict::Reject,
            AttemptVerdict::Refuse,
            AttemptVerdict::Repeat,
            AttemptVerdict::Defer,
            AttemptVerdict::Cancel,
        ] {
            busiest.count("one", verdict);
        }
        let (_, counts) = busiest.rows().next().unwrap();
        let expected = AttemptCounts {
            attempts: 6,
            accepted: 1,
            rejected: 1,
            refused: 2,
        };
        assert_eq!(counts, expected);
    }
}
