//! spec - the table of buckets: all that sets one bucket apart from the others
//!
//! Limits, reasons, the config's keys under `[limits]`, `explain`, `status` and the steps of the
//! ladder follow from [`BUCKETS`]. A new bucket is a variant and a row here, and its key in `key`.
//! Numbers that a snapshot or a journal holds are written out: they never change.
//! Not here: how a row is found (`key`), who pays what in which order (`ladder`).

use std::time::Duration;

use crate::gate::buckets::quota::{BucketQuota, Quota};
use crate::gate::request::attempt::Trust;

mod kind;
mod parts;

pub(in crate::gate) use kind::Kind;
pub use parts::Ladder;
pub(in crate::gate) use parts::{Folding, WordList};

/// A bucket of tokens. As a reason it stands for a refusal by that bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Bucket {
    /// By user and network, where that user has logged in from that network.
    Familiar,
    /// By user and device, which that user has logged in from.
    Device,
    /// By user and network, where that user has not logged in since the password was changed.
    Unproven,
    /// By address or /64, attempts from near.
    ClientNear,
    /// By address or /64, attempts from far.
    Client,
    /// By /24 or /48.
    Network,
    /// By /32, in IPv6 alone.
    Region,
    /// By user, attempts from near.
    UserNear,
    /// By user, attempts from far.
    UserFar,
    /// All near attempts together.
    Near,
    /// All attempts with a word together.
    Words,
    /// All attempts for unknown users together.
    Unknown,
    /// All others together.
    Strangers,
    /// By user, what settling in forgives.
    SettlingUser,
    /// All that settling in forgives together.
    Settling,
    /// By user, what is paid from credit.
    UserCredit,
    /// By address or /64, what its users have earned by their logins.
    Credit,
}

/// What sets a bucket apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketSpec {
    /// Which bucket.
    pub bucket: Bucket,
    /// What it refuses with: the log value, public API.
    pub reason: &'static str,
    /// Its table under `[limits]` in the config; buckets with the same one have one quota.
    pub key: &'static str,
    /// The quota where the config gives none.
    pub quota: BucketQuota,
    pub(in crate::gate) store: BucketStore,
    pub(in crate::gate) payers: Payers,
    pub(in crate::gate) reserve: Reserve,
    pub(in crate::gate) when_empty: WhenEmpty,
}

/// Where a bucket is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) enum BucketStore {
    /// In rows of the table, one for each key; under these kinds.
    Rows(&'static [Kind]),
    /// In one place, for all who pay it; under this number in snapshot and journal.
    Shared(u8),
    /// With what its client's users have earned (`credit`). No token comes back with time.
    Earned,
}

/// Which attempts pay from a bucket, if it is the one that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) enum Payers {
    Familiar,
    Device,
    Unproven,
    Near,
    Far,
    /// What settling in forgives, whatever refused it.
    Forgiven,
    /// Whatever another bucket refuses, where there is credit.
    InCredit,
    Nobody,
}

/// Tokens that are kept. Newcomers are clients that have tried nothing before but one other password of the same
/// user: so a botnet that comes back with its addresses leaves something to a traveller. Retries are attempts that
/// were refused and come again: so a crowd behind the address of a guesser, where nobody is a newcomer, gets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) enum Reserve {
    Nothing,
    /// The last sixth for retries.
    Retries,
    /// The last third for newcomers and retries.
    Newcomers,
    /// The last sixth for retries, and the one before it for newcomers too.
    Both,
}

/// What an empty bucket means for the attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) enum WhenEmpty {
    Refuse,
    /// It may pay as an attempt from far does.
    PayAsFar,
    /// In a network where somebody has logged in it may pay from `near`, as long as half of that is left.
    PayFromNear,
}

/// One value for each bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::gate) struct PerBucket<T>([T; BUCKETS.len()]);

/// All buckets, in the order in which they may refuse an attempt.
pub const BUCKETS: [BucketSpec; 17] = [
    BucketSpec {
        store: BucketStore::Rows(&[Kind::PAIR]),
        payers: Payers::Familiar,
        ..own(Bucket::Familiar, "familiar", "familiar", quota(20, 30))
    },
    BucketSpec {
        store: BucketStore::Rows(&[Kind::DEVICE]),
        payers: Payers::Device,
        when_empty: WhenEmpty::PayAsFar,
        ..own(Bucket::Device, "device", "device", quota(5, 30))
    },
    BucketSpec {
        store: BucketStore::Rows(&[Kind::UNPROVEN]),
        payers: Payers::Unproven,
        when_empty: WhenEmpty::PayAsFar,
        ..own(Bucket::Unproven, "unproven", "unproven", quota(2, 24 * 60))
    },
    BucketSpec {
        store: BucketStore::Rows(&[Kind::CLIENT_NEAR_V4, Kind::CLIENT_NEAR_V6]),
        payers: Payers::Near,
        reserve: Reserve::Retries,
        when_empty: WhenEmpty::PayAsFar,
        ..own(Bucket::ClientNear, "client-near", "client", quota(10, 30))
    },
    BucketSpec {
        store: BucketStore::Rows(&[Kind::CLIENT_V4, Kind::CLIENT_V6]),
        reserve: Reserve::Retries,
        ..own(Bucket::Client, "client", "client", quota(10, 30))
    },
    BucketSpec {
        store: BucketStore::Rows(&[Kind::NETWORK]),
        reserve: Reserve::Retries,
        ..own(Bucket::Network, "network", "network", quota(20, 10))
    },
    BucketSpec {
        store: BucketStore::Rows(&[Kind::REGION]),
        reserve: Reserve::Retries,
        ..own(Bucket::Region, "region", "region", quota(60, 4))
    },
    BucketSpec {
        store: BucketStore::Rows(&[Kind::USER_NEAR]),
        payers: Payers::Near,
        reserve: Reserve::Both,
        ..own(Bucket::UserNear, "user-near", "user", quota(10, 60))
    },
    BucketSpec {
        store: BucketStore::Rows(&[Kind::USER_FAR]),
        reserve: Reserve::Both,
        ..own(Bucket::UserFar, "user-far", "user", quota(10, 60))
    },
    BucketSpec {
        payers: Payers::Near,
        when_empty: WhenEmpty::PayAsFar,
        ..shared(Bucket::Near, 0, "near", GROWING)
    },
    BucketSpec {
        when_empty: WhenEmpty::PayFromNear,
        ..shared(Bucket::Words, 1, "words", quota(20, 30))
    },
    shared(Bucket::Unknown, 2, "unknown", quota(20, 10)),
    shared(Bucket::Strangers, 3, "strangers", GROWING),
    BucketSpec {
        store: BucketStore::Rows(&[Kind::SETTLING_USER]),
        payers: Payers::Forgiven,
        ..own(
            Bucket::SettlingUser,
            "settling-user",
            "settling-user",
            quota(20, 15),
        )
    },
    BucketSpec {
        payers: Payers::Forgiven,
        ..shared(Bucket::Settling, 4, "settling", FORGIVEN)
    },
    BucketSpec {
        store: BucketStore::Rows(&[Kind::USER_CREDIT]),
        payers: Payers::InCredit,
        ..own(Bucket::UserCredit, "user-credit", "user", quota(10, 60))
    },
    BucketSpec {
        store: BucketStore::Earned,
        payers: Payers::InCredit,
        ..own(Bucket::Credit, "credit", "credit", EARNED)
    },
];

/// A user's logins at home and at work: two clients a day.
const EARNED: BucketQuota = BucketQuota {
    daily_per_user: Some(2),
    ..quota(30, 24 * 60)
};

/// A mistyped password in ten of 300 first logins in a morning fits, and a botnet of 10,000 addresses does not.
const FORGIVEN: BucketQuota = BucketQuota {
    base: Quota {
        burst: 200,
        every: Duration::from_secs(10),
    },
    daily_per_user: Some(3),
};

const GROWING: BucketQuota = BucketQuota {
    daily_per_user: Some(3),
    ..quota(100, 2)
};

/// A keyed bucket of attempts from far.
const fn own(
    bucket: Bucket,
    reason: &'static str,
    key: &'static str,
    quota: BucketQuota,
) -> BucketSpec {
    BucketSpec {
        bucket,
        reason,
        key,
        quota,
        store: BucketStore::Rows(&[]),
        payers: Payers::Far,
        reserve: Reserve::Nothing,
        when_empty: WhenEmpty::Refuse,
    }
}

/// A shared bucket of attempts from far.
const fn shared(bucket: Bucket, number: u8, name: &'static str, quota: BucketQuota) -> BucketSpec {
    BucketSpec {
        store: BucketStore::Shared(number),
        reserve: Reserve::Both,
        ..own(bucket, name, name, quota)
    }
}

const fn quota(burst: u32, minutes: u64) -> BucketQuota {
    BucketQuota {
        base: Quota {
            burst,
            every: Duration::from_secs(60 * minutes),
        },
        daily_per_user: None,
    }
}

impl Bucket {
    /// Its row in the table.
    pub fn spec(self) -> &'static BucketSpec {
        static SPECS: PerBucket<BucketSpec> = PerBucket(BUCKETS);
        SPECS.get(self)
    }

    /// All buckets that many pay together.
    pub(in crate::gate) fn all_shared() -> impl Iterator<Item = Self> {
        BUCKETS
            .iter()
            .filter(|spec| spec.is_shared())
            .map(|spec| spec.bucket)
    }

    /// The bucket whose rows have this kind.
    pub(in crate::gate) fn of_kind(kind: Kind) -> Option<Self> {
        let of_kind = |spec: &&BucketSpec| match spec.store {
            BucketStore::Rows(kinds) => kinds.contains(&kind),
            BucketStore::Shared(_) | BucketStore::Earned => false,
        };
        BUCKETS.iter().find(of_kind).map(|spec| spec.bucket)
    }

    /// The shared bucket with this number in snapshot and journal.
    pub(in crate::gate) fn of_shared_number(number: u8) -> Option<Self> {
        Self::all_shared().find(|bucket| bucket.shared_number() == Some(number))
    }

    /// The number of a shared bucket in snapshot and journal.
    pub(in crate::gate) fn shared_number(self) -> Option<u8> {
        match self.spec().store {
            BucketStore::Shared(number) => Some(number),
            BucketStore::Rows(_) | BucketStore::Earned => None,
        }
    }
}

impl BucketSpec {
    /// Whether all who pay it pay together.
    pub const fn is_shared(&self) -> bool {
        matches!(self.store, BucketStore::Shared(_))
    }

    /// Whether its tokens are earned by logins: then none comes back with time, and `daily_per_user` says for how
    /// many clients a user earns one in a day.
    pub const fn is_earned(&self) -> bool {
        matches!(self.store, BucketStore::Earned)
    }
}

impl Payers {
    /// Whether attempts with this trust are among them.
    pub(in crate::gate) const fn include(self, trust: Trust) -> bool {
        match (self, trust) {
            (Self::Familiar, Trust::Familiar)
            | (Self::Device, Trust::Device)
            | (Self::Unproven, Trust::Unproven)
            | (Self::Near, Trust::Near)
            | (Self::Far, Trust::Far) => true,
            (
                Self::Familiar
                | Self::Device
                | Self::Unproven
                | Self::Near
                | Self::Far
                | Self::Forgiven
                | Self::InCredit
                | Self::Nobody,
                _,
            ) => false,
        }
    }
}

impl<T> PerBucket<T> {
    pub(in crate::gate) fn new(value: impl Fn(&BucketSpec) -> T) -> Self {
        Self(BUCKETS.each_ref().map(value))
    }

    // A bucket's number is its place in the table, which a test asserts: the first is never taken
    // for another.
    pub(in crate::gate) fn get(&self, bucket: Bucket) -> &T {
        self.0.get(bucket as usize).unwrap_or(&self.0[0])
    }

    /// Each bucket's row in the table, and its value.
    pub(in crate::gate) fn iter_mut(&mut self) -> impl Iterator<Item = (&BucketSpec, &mut T)> {
        BUCKETS.iter().zip(&mut self.0)
    }
}

#[cfg(test)]
mod tests;
