//! division - one machine's part of a bucket that machines share, and what of it is lent
//!
//! The parts and what is lent are never more than the whole, in tokens and in tokens a time: so the sum of what all
//! machines spend in any time is never more than one machine alone would, whether they can reach each other or not.
//! A lent token is spent up to [`SLICE_LIFE`] after it was lent, so what comes back in that time is not lent at all.
//!
//! [`SLICE_LIFE`]: crate::gate::buckets::quota::SLICE_LIFE
//!
//! Not here: what was lent (`slice`), who lends it (the daemon's `cluster`).

use std::num::NonZeroU32;
use std::time::Duration;

use crate::gate::buckets::limit::Limit;
use crate::gate::buckets::quota::{Division, Quota, of_one_half};

/// If every machine had this many slices, all would be lent.
const SLICES_PER_MACHINE: NonZeroU32 = NonZeroU32::MIN.saturating_add(3);
const LARGEST_SLICE: u32 = 64;

/// The part of a bucket that is lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LentLimit {
    /// Tokens when nothing of it is lent, at least one.
    pub burst: u32,
    /// Microseconds in which one comes back.
    pub every: u64,
    /// Tokens that one machine asks for at once, at least one.
    pub slice: u32,
}

impl Division {
    /// What this machine owns of a bucket.
    #[inline(always)]
    pub(in crate::gate) fn own(self, whole: Limit) -> Limit {
        match self {
            Self::Alone => whole,
            Self::Split(machines) => whole.part(self.owned(whole.burst()), machines.get()),
            Self::Lent(machines) | Self::Guest(machines) => {
                whole.part(self.owned(whole.burst()), doubled(machines))
            }
        }
    }

    /// What of a bucket is lent. None: there is nobody to lend it, or the bucket is too small.
    pub(in crate::gate) fn lent(self, whole: &Limit) -> Option<LentLimit> {
        let (Self::Lent(machines) | Self::Guest(machines)) = self else {
            return None;
        };
        let quota = Quota {
            burst: whole.burst(),
            every: Duration::from_nanos(whole.every()),
        };
        let burst = self.lendable(quota);
        let owned = of_one_half(quota.burst, machines);
        let every = Self::lent_every(owned, quota.every);
        (burst > 0).then(|| LentLimit {
            burst,
            every: u64::try_from(every.as_nanos().div_ceil(1_000)).unwrap_or(u64::MAX),
            slice: (burst / machines.saturating_mul(SLICES_PER_MACHINE)).clamp(1, LARGEST_SLICE),
        })
    }
}

fn doubled(machines: NonZeroU32) -> u32 {
    machines.get().saturating_mul(2)
}

#[cfg(test)]
mod tests;
