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
pub struct CommonClock(Option<i64>);

impl CommonClock {
    /// The store's clock shows `theirs` when ours shows `ours`.
    pub fn set(&mut self, theirs: Moment, ours: Moment) {
        let ahead = i128::from(theirs.as_nanos()) - i128::from(ours.as_nanos());
        let held = self.0.map(|held| i128::from(held) * SECOND);
        if held.is_none_or(|held| (ahead - held).abs() > STEP) {
            let rounded = (ahead + SECOND / 2).div_euclid(SECOND);
            self.0 = i64::try_from(rounded).ok();
        }
    }

    /// In seconds; negative: it is behind. 0 before it was asked.
    pub fn ahead(self) -> i64 {
        self.0.unwrap_or_default()
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
        clock.set(now + millis(3_600_400), now);
        assert_eq!(clock.ahead(), 3600);
        clock.set(now + millis(3_601_500), now);
        assert_eq!(clock.ahead(), 3600);
        clock.set(now + millis(3_598_500), now);
        assert_eq!(clock.ahead(), 3600);
        clock.set(now + millis(3_601_501), now);
        assert_eq!(clock.ahead(), 3602);
        clock.set(now - millis(900), now);
        assert_eq!(clock.ahead(), -1);
    }
}
