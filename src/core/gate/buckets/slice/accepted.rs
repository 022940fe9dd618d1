//! accepted - how much this machine takes of what a lender lends: a bucket of its own, as large and as fast as the part that is lent
//!
//! A lender that keeps to its part never lends one machine more than that, so this refuses only what was not its to lend: somebody
//! else has written into the store, or it was set back. What is spent is counted; what goes back unspent is not.
//! It dies with the process, and begins full. Not here: slices, and when one is asked for (`slice`).

use std::time::Duration;

use crate::gate::buckets::division::LentLimit;
use crate::gate::buckets::level::BucketLevel;
use crate::gate::buckets::limit::Limit;
use crate::gate::buckets::quota::Quota;
use crate::gate::buckets::table::seconds;
use crate::moment::Moment;

/// What was taken and is not back yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AcceptedLoans(BucketLevel);

impl AcceptedLoans {
    /// How many of these tokens are taken, and the second until which it is remembered that they were.
    pub(super) fn take(&mut self, tokens: u32, lent: LentLimit, now: Moment) -> (u32, u32) {
        let limit = Limit::new(Quota {
            burst: lent.burst,
            every: Duration::from_micros(lent.every),
        });
        self.0.carry_over(limit.every(), now);
        let tokens = tokens.min(limit.left(self.0.arrival, now));
        if tokens > 0 {
            self.0.arrival = limit.drain(self.0.arrival, tokens, now);
        }
        (tokens, seconds(Moment::from_nanos(self.0.arrival)))
    }

    /// Gives tokens back that were not spent, as far as they have not come back by themselves since.
    pub(super) fn give_back(&mut self, tokens: u32, counted: u32, now: Moment) {
        let left = Moment::from_seconds(counted.into()).since(now).as_nanos();
        let whole = u128::from(self.0.every) * u128::from(tokens);
        let back = u64::try_from(whole.min(left)).unwrap_or(u64::MAX);
        self.0.arrival = self.0.arrival.saturating_sub(back);
    }
}
