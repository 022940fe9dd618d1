//! repeats - how often Postfix is asked once more about known wrong passwords of unfamiliar clients
//!
//! A repetition is no guess, and free. But a password check is dear, and a botnet has many addresses that
//! may each repeat: all of them together get 8,640 checks a day. Beyond that the rejection that the password
//! met the last time is the answer.
//! Not here: what a repetition is (`tries`). This does not outlive the process: a burst is all that is lost.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::gate::buckets::limit::Limit;
use crate::gate::buckets::quota::Quota;
use crate::moment::Moment;

const ALL: Quota = Quota {
    burst: 20,
    every: Duration::from_secs(10),
};

/// The bucket of all of them; its arrival time.
#[derive(Default)]
pub(in crate::gate) struct RepeatLimit(Mutex<u64>);

impl RepeatLimit {
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
