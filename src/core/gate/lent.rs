//! lent - what this machine asks others for of the buckets that all clients share, and gets
//!
//! Not here: asking (the daemon's `cluster`), how much there is to lend (`buckets::division`).

use crate::gate::Gate;
use crate::gate::buckets::slice::{Lend, SliceRequest, is_needed};
use crate::gate::buckets::spec::Bucket;
use crate::moment::Moment;

impl Gate {
    /// What to ask the lender for now. What goes back with it cannot be spent here any more, whether the
    /// question arrives or not.
    pub fn slice_requests(&self, now: Moment) -> Vec<SliceRequest> {
        let rules = self.rules.load();
        let known = self.familiar.users();
        let of = |bucket| {
            let (own, lent) = (rules.limit(bucket, known), rules.lent(bucket, known)?);
            let mut shared = self.buckets.shared(bucket);
            let needed = is_needed(shared.owned(&own, now), &own);
            shared.slice.request(bucket, lent, needed, now)
        };
        Bucket::all_shared().filter_map(of).collect()
    }

    /// What goes back to the lender when this machine stops. Nothing that was lent can be spent any more.
    pub fn return_slices(&self, now: Moment) -> Vec<SliceRequest> {
        let rules = self.rules.load();
        let known = self.familiar.users();
        let of = |bucket| {
            let lent = rules.lent(bucket, known)?;
            let request = self
                .buckets
                .shared(bucket)
                .slice
                .give_all_back(bucket, lent, now);
            (request.unspent.tokens > 0 || request.refunded.tokens > 0).then_some(request)
        };
        Bucket::all_shared().filter_map(of).collect()
    }

    /// Takes what was lent upon a request of the moment `asked`.
    pub fn lend(&self, request: &SliceRequest, lend: Lend, asked: Moment, now: Moment) {
        let mut shared = self.buckets.shared(request.bucket);
        shared.slice.lend(lend, request, asked, now);
    }

    /// Whether this machine may not use its own part of the shared buckets, because another one does.
    pub fn withhold_own_part(&self, withheld: bool) {
        for bucket in Bucket::all_shared() {
            self.buckets.shared(bucket).withheld = withheld;
        }
    }
}
