//! moment - a point in time, always an argument
//!
//! The pure rooms calculate with moments and never ask for one, so the gate runs under a simulated month
//! as it runs live. Not here: the clock that makes them (the daemon's `clock`).

use std::ops::{Add, Sub};
use std::time::Duration;

/// A point in time, in nanoseconds since the Unix epoch. Arithmetic saturates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// The moment `nanos` nanoseconds after the Unix epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The moment `seconds` seconds after the Unix epoch.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch.
    pub const fn as_seconds(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// How long before `self` the `earlier` moment was; zero if it was not.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// So many seconds later; fewer than none: earlier.
    #[must_use]
    pub const fn shifted(self, seconds: i64) -> Self {
        let nanos = seconds.saturating_mul(1_000_000_000);
        Self(self.0.saturating_add_signed(nanos))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(nanos(span)))
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(span)))
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let hour = Duration::from_secs(3600);
        assert_eq!(Moment::EPOCH - hour, Moment::EPOCH);
        assert_eq!(
            Moment::from_nanos(u64::MAX) + hour,
            Moment::from_nanos(u64::MAX)
        );
        assert_eq!(Moment::EPOCH.since(Moment::from_seconds(1)), Duration::ZERO);
    }
}
