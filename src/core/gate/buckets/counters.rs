//! counters - how often each reason allowed or refused, since the start
//!
//! Not here: names and formats of metrics (`report`).

use std::sync::atomic::{AtomicU64, Ordering};

use crate::gate::request::attempt::Trust;
use crate::gate::request::verdict::Reason;

const REASONS: usize = Reason::COUNT;

#[derive(Default)]
pub(in crate::gate) struct DecisionCounters {
    allowed: [AtomicU64; REASONS],
    refused: [AtomicU64; REASONS],
    would_refuse: [AtomicU64; REASONS],
    familiar_refused: [AtomicU64; REASONS],
}

/// What became of one reason's attempts, in numbers since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The reason.
    pub reason: Reason,
    /// Attempts that were forwarded on these grounds.
    pub allowed: u64,
    /// Attempts that were refused or, for `repeat`, answered without asking Postfix.
    pub refused: u64,
    /// Attempts that were forwarded only because of a dry run or while settling in.
    pub would_refuse: u64,
    /// Of those refused: attempts of users who are at home there (familiar, or unproven), by anything but an operator's
    /// order. They may hold the right password.
    pub familiar_refused: u64,
}

impl DecisionCounters {
    pub(in crate::gate) fn allow(&self, reason: Reason) {
        add(&self.allowed, reason);
    }

    pub(in crate::gate) fn refuse(&self, reason: Reason) {
        add(&self.refused, reason);
    }

    /// As [`Self::refuse`], of an attempt whose user is known to have logged in from so near.
    pub(in crate::gate) fn refuse_trusted(&self, trust: Trust, reason: Reason) {
        self.refuse(reason);
        // No automatic ban holds for a user at home.
        if trust.is_at_home() && !reason.is_ordered() {
            add(&self.familiar_refused, reason);
        }
    }

    pub(in crate::gate) fn would_refuse(&self, reason: Reason) {
        add(&self.would_refuse, reason);
    }

    /// All of them, in the order of [`Reason::all`].
    pub(in crate::gate) fn tallies(&self) -> Vec<Tally> {
        let all = self
            .allowed
            .iter()
            .zip(&self.refused)
            .zip(&self.would_refuse)
            .zip(&self.familiar_refused);
        Reason::all()
            .zip(all)
            .map(
                |(reason, (((allowed, refused), would_refuse), familiar_refused))| Tally {
                    reason,
                    allowed: allowed.load(Ordering::Relaxed),
                    refused: refused.load(Ordering::Relaxed),
                    would_refuse: would_refuse.load(Ordering::Relaxed),
                    familiar_refused: familiar_refused.load(Ordering::Relaxed),
                },
            )
            .collect()
    }
}

fn add(counts: &[AtomicU64; REASONS], reason: Reason) {
    if let Some(count) = counts.get(reason.place()) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_counter_of_its_own() {
        let counters = DecisionCounters::default();
        for (times, reason) in Reason::all().enumerate() {
            for _ in 0..=times {
                counters.refuse(reason);
            }
        }
        assert_eq!(counters.tallies().len(), Reason::COUNT);
        for (times, tally) in counters.tallies().into_iter().enumerate() {
            assert_eq!(tally.refused, times as u64 + 1, "{}", tally.reason);
        }
    }

    #[test]
    fn refusals_of_users_at_home_are_counted_apart_and_operators_orders_are_not_among_them() {
        let counters = DecisionCounters::default();
        for trust in [Trust::Familiar, Trust::Unproven, Trust::Near, Trust::Far] {
            for reason in Reason::all() {
                counters.refuse_trusted(trust, reason);
            }
        }
        for tally in counters.tallies() {
            assert_eq!(tally.refused, 4, "{}", tally.reason);
            let ordered = tally.reason.is_ordered();
            assert_eq!(
                tally.familiar_refused,
                2 * u64::from(!ordered),
                "{}",
                tally.reason
            );
        }
    }
}
