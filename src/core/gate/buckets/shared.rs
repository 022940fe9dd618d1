//! shared - one bucket that all clients pay together: what this machine owns of it, and what it was lent
//!
//! The owned part is a level, which is told of and kept over a restart. What was lent dies with the process.
//! Not here: the locks (`bucket`), how much of a bucket is owned and lent (`division`).

use std::time::Duration;

use crate::gate::buckets::key::BucketKey;
use crate::gate::buckets::limit::{Limit, Taken, carry_over};
use crate::gate::buckets::quota::KeptPart;
use crate::gate::buckets::slice::Slice;
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

/// A shared bucket, as this machine has it.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::gate) struct SharedBucket {
    pub(in crate::gate) level: BucketLevel,
    pub(in crate::gate) slice: Slice,
    /// Whether the machine may not use what it owns.
    pub(in crate::gate) withheld: bool,
}

impl SharedBucket {
    /// From what an attempt that must leave this much to others would pay: first from what was lent, which
    /// does not keep.
    pub(in crate::gate) fn peek(
        &self,
        bucket: Bucket,
        limit: &Limit,
        kept: KeptPart,
        now: Moment,
    ) -> Result<BucketKey, Duration> {
        if self.slice.has_token(kept, now) {
            return Ok(BucketKey::Lent(bucket));
        }
        if limit.is_nothing() || self.withheld {
            return Err(Duration::from_nanos(limit.every()));
        }
        let mut level = self.level;
        level.carry_over(limit.every(), now);
        limit.peek(level.arrival, limit.kept(kept), now)?;
        Ok(BucketKey::Shared(bucket))
    }

    /// Takes one of the machine's own tokens; the arrival time then.
    pub(in crate::gate) fn take(
        &mut self,
        bucket: Bucket,
        limit: &Limit,
        now: Moment,
        changes: &mut Vec<Change>,
    ) -> Result<u64, Duration> {
        if limit.is_nothing() || self.withheld {
            return Err(Duration::from_nanos(limit.every()));
        }
        self.level.carry_over(limit.every(), now);
        self.level.arrival = limit.take(self.level.arrival, now)?;
        changes.push(self.level.change(bucket, now));
        Ok(self.level.arrival)
    }

    /// Gives one of the machine's own tokens back.
    pub(in crate::gate) fn refund(
        &mut self,
        bucket: Bucket,
        taken: Taken,
        now: Moment,
        changes: &mut Vec<Change>,
    ) {
        let taken = taken.at_speed(self.level.every, now);
        self.level.arrival = taken.refund(self.level.arrival, now);
        changes.push(self.level.change(bucket, now));
    }

    /// The machine's own whole tokens.
    pub(in crate::gate) fn owned(&self, limit: &Limit, now: Moment) -> u32 {
        if limit.is_nothing() || self.withheld {
            return 0;
        }
        let mut level = self.level;
        level.carry_over(limit.every(), now);
        limit.left(level.arrival, now)
    }
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
