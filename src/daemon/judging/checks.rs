//! checks - a stranger's password is checked when no familiar user's is, as far as a moment's wait allows
//!
//! Dovecot checks one bcrypt after the other, and two at once on one processor take twice as long each. So an attempt
//! that has its turn waits for the checks that have begun before, of familiar users and of other strangers. But one
//! stranger's begins each [`LONGEST_WAIT`]: familiar users, however many they are and whatever they intend, keep nobody out. How long a check takes,
//! and whether one waits for the other, follows from the logins that were accepted: where a server has several
//! processes that check, nobody waits for long. When a check ends is estimated, not seen: a wrong password is
//! answered late on purpose, and Dovecot is idle meanwhile.
//! Not here: who needs a turn (`gate`), and who is next (`gate::queue`).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use gatepost_core::moment::Moment;

/// The longest that the first attempt with its turn waits, and the next one after it: four checks a second remain to
/// strangers however busy familiar users are.
const LONGEST_WAIT: Duration = Duration::from_millis(250);
/// A login that took longer than is known moves what is known by this part: most of them have waited for others.
const RISE: u32 = 64;

/// By this part the estimate of what a check delays the next one moves with each login that had others before it.
const STEP: u32 = 16;

/// A check that waited for nobody here.
#[derive(Clone, Copy, Debug)]
pub(in crate::judging) struct BegunCheck {
    at: Moment,
    /// How long it waits at Dovecot, if the estimate is right.
    expected_wait: Duration,
}

/// The checks that have begun.
#[derive(Debug, Default)]
pub(in crate::judging) struct Checks(Mutex<CheckEstimate>);

#[derive(Debug)]
struct CheckEstimate {
    /// How long one takes. Zero: not known yet.
    length: Duration,
    /// How long one delays the next: as long as it takes, or less where several are checked at once.
    delay: Duration,
    /// When the last one that has begun ends.
    busy_until: Moment,
    /// When the last stranger's began.
    last_began: Moment,
}

impl Default for CheckEstimate {
    fn default() -> Self {
        Self {
            length: Duration::ZERO,
            delay: Duration::ZERO,
            busy_until: Moment::EPOCH,
            last_began: Moment::EPOCH,
        }
    }
}

impl Checks {
    /// A check begins that waits for nobody.
    pub(in crate::judging) fn begins(&self, now: Moment) -> BegunCheck {
        self.lock().begins(now)
    }

    /// Its password was right.
    pub(in crate::judging) fn accepted(&self, check: BegunCheck, now: Moment) {
        self.lock().accepted(check, now);
    }

    /// Waits until no check is under way, then begins one. Cancel-safe.
    pub(in crate::judging) async fn begin_when_idle(&self, mut now: Moment) {
        let since = now;
        loop {
            // The lock is let go before the wait.
            let next = self.lock().begin_if_idle(since, now);
            match next {
                Ok(()) => return,
                Err(next) => {
                    sleep(next.since(now)).await;
                    now = next;
                }
            }
        }
    }

    /// A panic elsewhere leaves it as it was: every change is complete when the lock is let go.
    fn lock(&self) -> MutexGuard<'_, CheckEstimate> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CheckEstimate {
    fn begins(&mut self, now: Moment) -> BegunCheck {
        let free = self.busy_until.max(now);
        self.busy_until = (free + self.delay).min(now + LONGEST_WAIT);
        BegunCheck {
            at: now,
            expected_wait: free.since(now),
        }
    }

    fn accepted(&mut self, check: BegunCheck, now: Moment) {
        let took = now.since(check.at).min(LONGEST_WAIT);
        if !check.expected_wait.is_zero() && !self.length.is_zero() {
            let has_waited = took.saturating_sub(self.length) >= check.expected_wait / 2;
            self.delay = match has_waited {
                true => self.delay + self.length / STEP,
                false => self.delay - self.delay / STEP,
            };
        }
        self.length = match self.length {
            Duration::ZERO => {
                self.delay = took;
                took
            }
            length if took < length => took,
            length => length + (took - length) / RISE,
        };
        self.delay = self.delay.min(self.length);
    }

    /// Begins one that has waited since then; or when to ask again.
    fn begin_if_idle(&mut self, since: Moment, now: Moment) -> Result<(), Moment> {
        let next = self
            .busy_until
            .min(since.max(self.last_began) + LONGEST_WAIT);
        if next > now {
            return Err(next);
        }
        let _ = self.begins(now);
        self.last_began = now;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const CHECK: Duration = Duration::from_millis(45);
    const NOW: Moment = Moment::from_seconds(1_795_478_400);

    /// A login that began then was accepted after so long.
    fn accepted(estimate: &mut CheckEstimate, since: Moment, took: Duration) {
        let check = BegunCheck {
            at: since,
            expected_wait: Duration::ZERO,
        };
        estimate.accepted(check, since + took);
    }

    fn learnt() -> CheckEstimate {
        let mut estimate = CheckEstimate::default();
        accepted(&mut estimate, NOW, CHECK);
        estimate
    }

    #[test]
    fn strangers_wait_for_familiar_users_and_for_each_other() {
        let mut estimate = learnt();
        let _ = estimate.begins(NOW);
        assert_eq!(estimate.begin_if_idle(NOW, NOW), Err(NOW + CHECK));
        assert_eq!(estimate.begin_if_idle(NOW, NOW + CHECK), Ok(()));
        let next = estimate.begin_if_idle(NOW, NOW + CHECK);
        assert_eq!(next, Err(NOW + 2 * CHECK), "another stranger has begun");
    }

    #[test]
    fn familiar_users_without_end_keep_no_stranger_out() {
        let mut estimate = learnt();
        for _ in 0..1_000 {
            let _ = estimate.begins(NOW);
        }
        assert_eq!(
            estimate.begin_if_idle(NOW, NOW),
            Err(NOW + LONGEST_WAIT),
            "however many there are"
        );
        let later = NOW + LONGEST_WAIT;
        for _ in 0..1_000 {
            let _ = estimate.begins(later);
        }
        assert_eq!(estimate.begin_if_idle(NOW, later), Ok(()));
        let next = estimate.begin_if_idle(NOW, later);
        assert_eq!(next, Err(later + LONGEST_WAIT), "one at a time");
    }

    #[test]
    fn nobody_waits_while_nothing_is_known() {
        let mut estimate = CheckEstimate::default();
        let _ = estimate.begins(NOW);
        assert_eq!(estimate.begin_if_idle(NOW, NOW), Ok(()));
        assert_eq!(estimate.begin_if_idle(NOW, NOW), Ok(()));
    }

    #[test]
    fn the_quickest_login_counts_and_slow_ones_hardly() {
        let mut estimate = learnt();
        accepted(&mut estimate, NOW, 2 * CHECK);
        assert_eq!(estimate.length, CHECK + CHECK / RISE);
        accepted(&mut estimate, NOW, CHECK / 2);
        assert_eq!(estimate.length, CHECK / 2);
        for _ in 0..10_000 {
            accepted(&mut estimate, NOW, Duration::from_secs(60));
        }
        assert!(estimate.length <= LONGEST_WAIT, "{estimate:?}");
    }

    /// Logins of familiar users, two at the same moment each second; the second of two takes so long.
    fn pairs(estimate: &mut CheckEstimate, second: Duration) {
        for seconds in 1..100 {
            let now = NOW + Duration::from_secs(seconds);
            let checks = [estimate.begins(now), estimate.begins(now)];
            for (check, took) in checks.into_iter().zip([CHECK, second]) {
                estimate.accepted(check, now + took);
            }
        }
    }

    #[test]
    fn where_several_are_checked_at_once_strangers_hardly_wait() {
        let mut estimate = learnt();
        pairs(&mut estimate, CHECK);
        assert!(estimate.delay < CHECK / 8, "{estimate:?}");
        pairs(&mut estimate, 2 * CHECK);
        assert_eq!(estimate.delay, estimate.length, "one after the other again");
    }

    #[tokio::test(start_paused = true)]
    async fn one_begins_after_the_other() {
        let checks = Checks(Mutex::new(learnt()));
        let four = async {
            for _ in 0..4 {
                checks.begin_when_idle(NOW).await;
            }
        };
        let soon = timeout(3 * CHECK - Duration::from_millis(1), four).await;
        assert!(soon.is_err(), "all at once");
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_waited_begins_when_the_others_are_done() {
        let checks = Checks(Mutex::new(learnt()));
        let _ = checks.begins(NOW);
        let begun = timeout(2 * CHECK, checks.begin_when_idle(NOW)).await;
        assert!(begun.is_ok());
    }
}
