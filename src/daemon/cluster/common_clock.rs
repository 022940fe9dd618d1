//! common_clock - the store's clock, which all machines of a cluster have in common
//!
//! In whole seconds, and changed only where it is clearly another: so that of two facts of one machine the later one stays
//! later, and machines whose clocks agree change nothing. A machine's own clock may show anything.
//! Not here: reading clocks (`crate::clock`), asking the store (`stream`).

use gatepost_core::moment::Moment;

const SECOND: i128 = 1_000_000_000;
/// A difference of this much is another one.
const STEP: i128 = SECOND * 3 / 2;

/// How far the store's clock is ahead of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommonClock(i64);

impl CommonClock {
    /// The store's clock showed `theirs` between `asked` and `answered` by ours.
    pub fn set(&mut self, theirs: Moment, asked: Moment, answered: Moment) {
        let [theirs, asked, answered] =
            [theirs, asked, answered].map(|at| i128::from(at.as_nanos()));
        let ahead = theirs - i128::midpoint(asked, answered);
        if (ahead - i128::from(self.0) * SECOND).abs() > STEP {
            let rounded = (ahead + SECOND / 2).div_euclid(SECOND);
            self.0 = i64::try_from(rounded).unwrap_or_default();
        }
    }

    /// What it shows at a moment of ours.
    pub fn of(self, own: Moment) -> Moment {
        own.shifted(self.0)
    }

    /// Our moment when it shows this.
    pub fn own(self, theirs: Moment) -> Moment {
        theirs.shifted(self.0.saturating_neg())
    }

    /// In seconds; negative: it is behind.
    pub const fn ahead(self) -> i64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_stays_where_it_is_until_it_is_clearly_another() {
        let now = Moment::from_seconds(1_800_000_000);
        let millis = Duration::from_millis;
        let mut clock = CommonClock::default();
        assert_eq!(clock.ahead(), 0);
        let mut set = |theirs| {
            clock.set(theirs, now, now);
            clock.ahead()
        };
        assert_eq!(set(now + millis(1_500)), 0);
        assert_eq!(set(now - millis(1_500)), 0);
        assert_eq!(set(now + millis(3_600_400)), 3600);
        assert_eq!(set(now + millis(3_601_500)), 3600);
        assert_eq!(set(now + millis(3_598_500)), 3600);
        assert_eq!(set(now + millis(3_601_501)), 3602);
        assert_eq!(set(now - millis(1_600)), -2);
    }

    #[test]
    fn an_answer_that_took_long_is_no_other_clock() {
        let now = Moment::from_seconds(1_800_000_000);
        let second = Duration::from_secs(1);
        let mut clock = CommonClock::default();
        // The question was long on its way, or the answer.
        clock.set(now, now - 3 * second, now);
        clock.set(now, now, now + 3 * second);
        assert_eq!(clock.ahead(), 0);
    }
}
