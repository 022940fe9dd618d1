//! shared - one bucket that all clients pay together: what this machine owns of it, and what it was lent
//!
//! The owned part is a level, which is told of and kept over a restart. What was lent dies with the process.
//! Not here: the level itself (`level`), the locks (`bucket`), how much of a bucket is owned and lent (`division`).

use std::time::Duration;

use crate::gate::buckets::key::BucketKey;
use crate::gate::buckets::level::BucketLevel;
use crate::gate::buckets::limit::{Limit, Taken};
use crate::gate::buckets::quota::KeptPart;
use crate::gate::buckets::slice::Slice;
use crate::gate::buckets::spec::Bucket;
use crate::gate::request::change::Change;
use crate::moment::Moment;

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
