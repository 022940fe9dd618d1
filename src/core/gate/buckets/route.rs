//! route - the buckets that one attempt pays, in their order
//!
//! As long as the table of buckets makes it at most, and no heap.
//! Not here: which buckets those are (`ladder`), taking from them (`judge`).

use crate::gate::buckets::key::BucketKey;
use crate::gate::buckets::limit::Limit;
use crate::gate::buckets::spec::{BUCKETS, Bucket, BucketSpec, BucketStore};
use crate::gate::request::attempt::Trust;
use crate::gate::request::verdict::Reason;

/// One bucket that an attempt must pay.
#[derive(Clone, Copy, Debug)]
pub(in crate::gate) struct Due {
    pub(in crate::gate) key: BucketKey,
    pub(in crate::gate) limit: Limit,
}

/// At most one of each bucket that one attempt pays, in the order of [`BUCKETS`]; no heap.
#[derive(Clone, Copy, Debug)]
pub(in crate::gate) struct Few<T>([Option<T>; LONGEST]);

/// The buckets that an attempt must pay, in the order in which they may refuse it.
pub(in crate::gate) type Route = Few<Due>;

/// The most buckets that one attempt pays: what the table says of those it is for, and of the shared ones
/// the first that fits.
const LONGEST: usize = {
    let (familiar, near, far) = (
        route_length(&BUCKETS, Trust::Familiar) + route_length(&BUCKETS, Trust::Unproven),
        route_length(&BUCKETS, Trust::Near),
        route_length(&BUCKETS, Trust::Far),
    );
    let most = if familiar > near { familiar } else { near };
    if most > far { most } else { far }
};

const fn route_length(mut specs: &[BucketSpec], trust: Trust) -> usize {
    let (mut keyed, mut shared) = (0, 0);
    while let [spec, rest @ ..] = specs {
        match (spec.payers.include(trust), spec.store) {
            (true, BucketStore::Rows(_)) => keyed += 1,
            (true, BucketStore::Shared(_)) => shared = 1,
            (true, BucketStore::Earned) | (false, _) => {}
        }
        specs = rest;
    }
    keyed + shared
}

impl<T: Copy> Few<T> {
    pub(in crate::gate) const NONE: Self = Self([None; LONGEST]);

    /// Adds one in the first empty place. There is a place for each bucket that one attempt pays.
    pub(in crate::gate) fn push(&mut self, value: T) {
        if let Some(empty) = self.0.iter_mut().find(|place| place.is_none()) {
            *empty = Some(value);
        }
    }

    pub(in crate::gate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.0.iter().flatten()
    }
}

impl Route {
    /// What it rests on: its last bucket.
    pub(in crate::gate) fn grounds(&self) -> Reason {
        let last = self.iter().next_back();
        Reason::Bucket(last.map_or(Bucket::Strangers, |due| due.key.bucket()))
    }
}
