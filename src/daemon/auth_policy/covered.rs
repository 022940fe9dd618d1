//! covered - the questions that an attempt at Gatepost's own SMTP covers, until Dovecot's report can be over
//!
//! What came of such an attempt Postfix tells, and the gate settles it with that: a decoy's right password as a wrong one.
//! So the report that Dovecot sends too teaches nothing. The latest are kept, and no more than a fixed number.
//! Not here: which questions those are (`judging::own`), what a report teaches (`auth_policy`).

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::open::AskKey;
use gatepost_core::moment::Moment;

/// Questions that are remembered, at 24 octets each.
const MOST: usize = 8_192;

/// All of them, the oldest first.
#[derive(Debug, Default)]
pub(super) struct CoveredQuestions(Mutex<VecDeque<(AskKey, Moment)>>);

impl CoveredQuestions {
    /// One more was covered; the oldest is forgotten, if there is no room.
    pub(super) fn note(&self, key: AskKey, now: Moment) {
        let mut all = self.lock();
        if all.len() >= MOST {
            all.pop_front();
        }
        all.push_back((key, now));
    }

    /// Whether a report is about one of them.
    pub(super) fn holds(&self, key: AskKey) -> bool {
        self.lock().iter().rev().any(|(one, _)| *one == key)
    }

    /// Forgets those that came before `then`.
    pub(super) fn forget_before(&self, then: Moment) {
        let mut all = self.lock();
        while all.front().is_some_and(|(_, at)| *at <= then) {
            all.pop_front();
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(AskKey, Moment)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_remembered_and_the_old_ones_forgotten() {
        let covered = CoveredQuestions::default();
        for number in 0..=MOST as u64 {
            let at = Moment::from_seconds(number);
            covered.note(AskKey(u128::from(number)), at);
        }
        assert!(!covered.holds(AskKey(0)), "there was no room");
        assert!(covered.holds(AskKey(1)) && covered.holds(AskKey(MOST as u128)));
        covered.forget_before(Moment::from_seconds(1));
        assert!(!covered.holds(AskKey(1)) && covered.holds(AskKey(2)));
    }
}
