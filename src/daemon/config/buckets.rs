//! buckets - the keys of a bucket's table, unchecked
//!
//! Not here: the tables that have one (`raw`, `limits`), and the bounds of a quota (`bounds`).

use std::time::Duration;

use serde::Deserialize;

use super::value::{Given, Number, Quoted};

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawBucket {
    pub(super) burst: Given<Number>,
    pub(super) every: Given<Quoted<Duration>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawGrowingBucket {
    pub(super) burst: Given<Number>,
    pub(super) every: Given<Quoted<Duration>>,
    pub(super) daily_per_user: Given<Number>,
}

/// No token comes back with time.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawEarnedBucket {
    pub(super) burst: Given<Number>,
    pub(super) daily_per_user: Given<Number>,
}

impl From<&RawEarnedBucket> for RawGrowingBucket {
    fn from(bucket: &RawEarnedBucket) -> Self {
        Self {
            burst: bucket.burst.clone(),
            every: None,
            daily_per_user: bucket.daily_per_user.clone(),
        }
    }
}

impl From<&RawBucket> for RawGrowingBucket {
    fn from(bucket: &RawBucket) -> Self {
        Self {
            burst: bucket.burst.clone(),
            every: bucket.every.clone(),
            daily_per_user: None,
        }
    }
}
