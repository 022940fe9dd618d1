//! checks - a stranger's password is checked when no familiar user's is, as far as a moment's wait allows
//!
//! Dovecot checks one bcrypt after the other, and two at once on one processor take twice as long each. So an attempt
//! that has its turn waits for the checks that have begun before, of familiar users and of other strangers. But one
//! stranger's begins each [`LONGEST_WAIT`]: familiar users, many or with a plan, keep nobody out. How long a check takes
//! follows from the logins that were accepted. When a check ends is reckoned, not seen: a wrong password is answered
//! late on purpose, and Dovecot is idle meanwhile.
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

/// The checks that have begun.
#[derive(Debug, Default)]
pub(in crate::judging) struct Checks(Mutex<Reckoning>);

#[derive(Debug)]
struct Reckoning {
    /// How long one takes. Zero: not known yet.
    length: Duration,
    /// When the last one that has begun ends.
    busy_until: Moment,
    /// When the last stranger's began.
    last_began: Moment,
}

impl Default for Reckoning {
    fn default() -> Self {
        Self {
            length: Duration::ZERO,
            busy_until: Moment::EPOCH,
            last_began: Moment::EPOCH,
        }
    }
}

impl Checks {
    /// A check begins that waits for nobody.
    pub(in crate::judging) fn begins(&self, now: Moment) {
        self.lock().begins(now);
    }

    /// A login that waited for nobody was accepted after so long.
    pub(in crate::judging) fn accepted(&self, took: Duration) {
        self.lock().accepted(took);
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
    fn lock(&self) -> MutexGuard<'_, Reckoning> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reckoning {
    fn begins(&mut self, now: Moment) {
        let ends = self.busy_until.max(now) + self.length;
        self.busy_until = ends.min(now + LONGEST_WAIT);
    }

    fn accepted(&mut self, took: Duration) {
        let took = took.min(LONGEST_WAIT);
        self.length = match self.length {
            Duration::ZERO => took,
            length if took < length => took,
            length => length + (took - length) / RISE,
        };
    }

    /// Begins one that has waited since then; or when to ask again.
    fn begin_if_idle(&mut self, since: Moment, now: Moment) -> Result<(), Moment> {
        let next = self
            .busy_until
            .min(since.max(self.last_began) + LONGEST_WAIT);
        if next > now {
            return Err(next);
        }
        self.begins(now);
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

    fn learnt() -> Reckoning {
        let mut reckoning = Reckoning::default();
        reckoning.accepted(CHECK);
        reckoning
    }

    #[test]
    fn strangers_wait_for_familiar_users_and_for_each_other() {
        let mut reckoning = learnt();
        reckoning.begins(NOW);
        assert_eq!(reckoning.begin_if_idle(NOW, NOW), Err(NOW + CHECK));
        assert_eq!(reckoning.begin_if_idle(NOW, NOW + CHECK), Ok(()));
        let next = reckoning.begin_if_idle(NOW, NOW + CHECK);
        assert_eq!(next, Err(NOW + 2 * CHECK), "another stranger has begun");
    }

    #[test]
    fn familiar_users_without_end_keep_no_stranger_out() {
        let mut reckoning = learnt();
        for _ in 0..1_000 {
            reckoning.begins(NOW);
        }
        assert_eq!(
            reckoning.begin_if_idle(NOW, NOW),
            Err(NOW + LONGEST_WAIT),
            "however many there are"
        );
        let later = NOW + LONGEST_WAIT;
        for _ in 0..1_000 {
            reckoning.begins(later);
        }
        assert_eq!(reckoning.begin_if_idle(NOW, later), Ok(()));
        let next = reckoning.begin_if_idle(NOW, later);
        assert_eq!(next, Err(later + LONGEST_WAIT), "one at a time");
    }

    #[test]
    fn nobody_waits_while_nothing_is_known() {
        let mut reckoning = Reckoning::default();
        reckoning.begins(NOW);
        assert_eq!(reckoning.begin_if_idle(NOW, NOW), Ok(()));
        assert_eq!(reckoning.begin_if_idle(NOW, NOW), Ok(()));
    }

    #[test]
    fn the_quickest_login_counts_and_slow_ones_hardly() {
        let mut reckoning = learnt();
        reckoning.accepted(2 * CHECK);
        assert_eq!(reckoning.length, CHECK + CHECK / RISE);
        reckoning.accepted(CHECK / 2);
        assert_eq!(reckoning.length, CHECK / 2);
        for _ in 0..10_000 {
            reckoning.accepted(Duration::from_secs(60));
        }
        assert!(reckoning.length <= LONGEST_WAIT, "{:?}", reckoning.length);
    }

    #[tokio::test(start_paused = true)]
    async fn one_begins_after_the_other() {
        let checks = Checks::default();
        checks.accepted(CHECK);
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
        let checks = Checks::default();
        checks.accepted(CHECK);
        checks.begins(NOW);
        let begun = timeout(2 * CHECK, checks.begin_when_idle(NOW)).await;
        assert!(begun.is_ok());
    }
}
