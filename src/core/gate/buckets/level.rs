//! level - the level of a bucket that all clients pay: when it is empty of debt, at which speed, and when it changed
//!
//! Not here: what is taken from it and given back (`shared`, `slice::accepted`), the arithmetic of a limit (`limit`).

use crate::gate::buckets::limit::carry_over;
use crate::gate::buckets::spec::Bucket;
use crate::gate::request::change::{Change, Fact, SharedLevel};
use crate::moment::Moment;

/// What is kept of a shared bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::gate) struct BucketLevel {
    /// The arrival time, in nanoseconds since the epoch.
    pub(in crate::gate) arrival: u64,
    /// Nanoseconds a token when the arrival time was written; 0: never.
    pub(in crate::gate) every: u64,
    /// The moment of the last change, in nanoseconds since the epoch.
    pub(in crate::gate) changed: u64,
}

impl BucketLevel {
    /// Tells that this level has changed now: later than it did last, whatever the clock says.
    pub(in crate::gate) fn change(&mut self, bucket: Bucket, now: Moment) -> Change {
        self.changed = now.as_nanos().max(self.changed.saturating_add(1));
        let level = SharedLevel {
            bucket: bucket.shared_number().unwrap_or(u8::MAX),
            arrival: self.arrival,
            every: self.every,
        };
        Change::here(Moment::from_nanos(self.changed), Fact::SharedBucket(level))
    }

    /// Carries the debt over to a speed of one token in `every` nanoseconds.
    pub(in crate::gate) fn carry_over(&mut self, every: u64, now: Moment) {
        self.arrival = carry_over(self.arrival, self.every, every, now);
        self.every = every;
    }
}
