//! limits - the tables under `[limits]`: one for each key of the gate's table of buckets
//!
//! Which keys there are, and which of them take `daily-per-user`, follows from `gate::buckets::spec`.
//! Not here: their bounds (`bounds`), the quotas that follow (`config::limits`).

use std::fmt;

use serde::{Deserialize, Deserializer, de};

use super::{RawBucket, RawGrowingBucket};
use crate::config::value::Table;
use gatepost_core::gate::buckets::spec::{BUCKETS, BucketSpec};

/// The tables in the file. Only a bucket that grows has `daily_per_user`.
#[derive(Debug, Default)]
pub(in crate::config) struct RawLimits(Vec<(&'static BucketSpec, RawGrowingBucket)>);

/// A key under `[limits]`.
struct LimitKey(&'static BucketSpec);

/// The buckets, one for each key.
fn keys() -> impl Iterator<Item = &'static BucketSpec> {
    let first = |spec: &&BucketSpec| {
        let twin = BUCKETS.iter().find(|other| other.key == spec.key);
        twin.is_some_and(|twin| twin.bucket == spec.bucket)
    };
    BUCKETS.iter().map(|spec| spec.bucket.spec()).filter(first)
}

impl RawLimits {
    /// Each table in the file, and the bucket that its key stands for.
    pub(in crate::config) fn tables(
        &self,
    ) -> impl Iterator<Item = (&'static BucketSpec, &RawGrowingBucket)> {
        self.0.iter().map(|(spec, table)| (*spec, table))
    }
}

impl<'de> Deserialize<'de> for RawLimits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LimitsVisitor;

        impl<'de> de::Visitor<'de> for LimitsVisitor {
            type Value = RawLimits;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table with keys of its own")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<RawLimits, A::Error> {
                let mut limits = RawLimits::default();
                while let Some(LimitKey(spec)) = map.next_key()? {
                    let table = match spec.quota.daily_per_user {
                        Some(_) => (*map.next_value::<Table<RawGrowingBucket>>()?).clone(),
                        None => RawGrowingBucket::from(&*map.next_value::<Table<RawBucket>>()?),
                    };
                    limits.0.push((spec, table));
                }
                Ok(limits)
            }
        }

        deserializer.deserialize_map(LimitsVisitor)
    }
}

impl<'de> Deserialize<'de> for LimitKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl de::Visitor<'_> for KeyVisitor {
            type Value = LimitKey;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a bucket")
            }

            // In serde's own words for an unknown field: `read` makes a suggestion of them.
            fn visit_str<E: de::Error>(self, key: &str) -> Result<LimitKey, E> {
                let spec = keys().find(|spec| spec.key == key);
                spec.map(LimitKey).ok_or_else(|| {
                    let names: Vec<&str> = keys().map(|spec| spec.key).collect();
                    E::custom(format_args!(
                        "unknown field `{key}`, expected one of `{}`",
                        names.join("`, `")
                    ))
                })
            }
        }

        deserializer.deserialize_identifier(KeyVisitor)
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
