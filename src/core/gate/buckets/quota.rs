//! quota - how many tokens a bucket holds, how fast they come back, and how machines divide it
//!
//! Not here: the quotas of each bucket (`spec`), the arithmetic (`limit`, `division`).

use std::num::NonZeroU32;
use std::time::Duration;

/// A token bucket: `burst` tokens at most, one back every `every`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Tokens in a full bucket, at least 1.
    pub burst: u32,
    /// The time in which one token comes back, longer than zero.
    pub every: Duration,
}

/// A bucket's quota, which may grow with the number of known users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketQuota {
    /// The bucket of a server without users. The burst of one that grows is larger by one for every ten
    /// known users.
    pub base: Quota,
    /// Tokens more a day for every known user; none: it does not grow.
    pub daily_per_user: Option<u32>,
}

/// For how many clients a user may earn credit in a day, at most.
pub const CLIENTS_A_DAY: usize = 4;

/// How long lent tokens may be spent.
pub const SLICE_LIFE: Duration = Duration::from_secs(10);

/// How machines divide each bucket that all clients pay together, so that all of them have the bound of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Division {
    /// There is one machine.
    #[default]
    Alone,
    /// This is one of so many machines, and each owns an equal part.
    Split(NonZeroU32),
    /// This is one of so many machines. Each owns an equal part of one half; the other half is lent, in slices, to
    /// whichever needs it.
    Lent(NonZeroU32),
    /// As before, but this machine is none of them: it owns nothing, and has what it is lent.
    Guest(NonZeroU32),
}

impl Division {
    /// Tokens that this machine owns of a bucket of `burst`.
    pub fn owned(self, burst: u32) -> u32 {
        match self {
            Self::Alone => burst,
            Self::Split(machines) => burst / machines,
            Self::Lent(machines) => of_one_half(burst, machines),
            Self::Guest(_) => 0,
        }
    }

    /// Tokens that are lent at most of a bucket with this quota. What comes back while lent tokens may be spent is not lent.
    pub fn lendable(self, quota: Quota) -> u32 {
        let (Self::Lent(machines) | Self::Guest(machines)) = self else {
            return 0;
        };
        let owned = of_one_half(quota.burst, machines);
        let every = Self::lent_every(owned, quota.every).as_nanos().max(1);
        let late = u32::try_from(SLICE_LIFE.as_nanos().div_ceil(every)).unwrap_or(u32::MAX);
        quota
            .burst
            .saturating_sub(owned.saturating_mul(machines.get()))
            .saturating_sub(late)
    }

    /// The time in which a token that is lent comes back, if each machine owns so many. Where nobody owns any, all are lent.
    pub(in crate::gate) fn lent_every(owned: u32, every: Duration) -> Duration {
        match owned {
            0 => every,
            _ => every.saturating_mul(2),
        }
    }

    /// How many machines own a part.
    pub fn machines(self) -> u32 {
        match self {
            Self::Alone => 1,
            Self::Split(machines) | Self::Lent(machines) | Self::Guest(machines) => machines.get(),
        }
    }
}

/// What each machine owns where a half is lent: of a small bucket one, as long as one is left to lend.
pub(in crate::gate) fn of_one_half(burst: u32, machines: NonZeroU32) -> u32 {
    match burst / machines.saturating_mul(NonZeroU32::MIN.saturating_add(1)) {
        0 => u32::from(burst > machines.get()),
        half => half,
    }
}

/// What an attempt must leave to others in a bucket, as a part of all its tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptPart {
    /// Nothing.
    Nothing,
    /// One of two.
    Half,
    /// One of three.
    Third,
    /// One of four.
    Quarter,
    /// One of six.
    Sixth,
    /// One of fifteen.
    Fifteenth,
}

impl KeptPart {
    /// Of so many tokens it is one.
    pub(in crate::gate) const fn divisor(self) -> Option<u32> {
        match self {
            Self::Nothing => None,
            Self::Half => Some(2),
            Self::Third => Some(3),
            Self::Quarter => Some(4),
            Self::Sixth => Some(6),
            Self::Fifteenth => Some(15),
        }
    }
}
