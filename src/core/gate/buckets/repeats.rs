//! repeats - how often Postfix is asked once more about known wrong passwords of unfamiliar clients
//!
//! A repetition is no guess, and free. But a password check is expensive, and a botnet has many addresses that
//! may each repeat: all of them together get 8,640 checks a day. What one try may ask beyond that is its own
//! ([`is_due`]), so that a client that empties this takes nothing from a password that has become right.
//! Not here: what a repetition is (`tries`), what becomes of one that is neither due nor has a token (`judge`). This does not outlive the process: a burst is all that is lost.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::gate::buckets::limit::Limit;
use crate::gate::buckets::quota::Quota;
use crate::gate::buckets::tries::WrongTry;
use crate::moment::Moment;

const ALL: Quota = Quota {
    burst: 20,
    every: Duration::from_secs(10),
};

/// How long after it was found wrong a try may be asked about for the first time.
const FIRST: Duration = Duration::from_secs(60);
/// How often that time doubles: to three days.
const DOUBLINGS: u32 = 12;

/// Whether a try's own next check is due. The first is after a minute, each later one after twice the time, so
/// that a try that was paid for once is checked a dozen times on its first day, and hardly ever later.
pub(in crate::gate) fn is_due(wrong: WrongTry, now: Moment) -> bool {
    let doublings = u32::from(wrong.checks).min(DOUBLINGS);
    now.since(wrong.at) >= FIRST * (1 << doublings)
}

/// The bucket of all of them; its arrival time.
#[derive(Default)]
pub(in crate::gate) struct RepeatLimit(Mutex<u64>);

impl RepeatLimit {
    /// Whether there is a token; takes nothing.
    pub(in crate::gate) fn has_token(&self, now: Moment) -> bool {
        let arrival = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Limit::new(ALL).peek(arrival, 0, now).is_ok()
    }

    /// Whether Postfix may be asked once more.
    pub(in crate::gate) fn take(&self, now: Moment) -> bool {
        let mut arrival = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match Limit::new(ALL).take(*arrival, now) {
            Ok(later) => {
                *arrival = later;
                true
            }
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tries_own_checks_come_ever_more_seldom() {
        let at = Moment::from_seconds(1_000_000);
        for (checks, minutes) in [(0, 1), (1, 2), (2, 4), (9, 512), (12, 4096), (15, 4096)] {
            let wrong = WrongTry { at, checks };
            let due = at + Duration::from_secs(60 * minutes);
            assert!(is_due(wrong, due), "{checks}");
            assert!(!is_due(wrong, at + Duration::from_secs(60 * minutes - 1)));
        }
    }

    #[test]
    fn twenty_at_once_and_then_one_in_ten_seconds() {
        let repeats = RepeatLimit::default();
        let mut now = Moment::from_seconds(1_000_000);
        assert_eq!((0..100).filter(|_| repeats.take(now)).count(), 20);
        let mut later = 0;
        for _ in 0..86_400 {
            now = now + Duration::from_secs(1);
            later += usize::from(repeats.take(now));
        }
        assert_eq!(later, 8_640);
    }
}
