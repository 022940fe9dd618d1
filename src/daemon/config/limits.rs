//! limits - the tables under `[limits]`: one for each key of the gate's table of buckets
//!
//! Which keys there are, which of them take `daily-per-user`, and the defaults follow from that table
//! (`gate::buckets::spec`).
//! Not here: the bounds of a quota (`bounds`), the gate's other keys (`rules`).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, de};

use super::buckets::{RawBucket, RawEarnedBucket, RawGrowingBucket};
use super::finding::{Findings, Remark};
use super::guesses::GuessBound;
use super::value::TomlTable;
use gatepost_core::gate::buckets::spec::{self, BUCKETS, BucketSpec};
use gatepost_core::gate::request::settings::{Capacity, Quotas};

/// How often a mail program may try an old password before its user notices.
const TRIES_OF_A_MAIL_PROGRAM: u32 = 5;

/// The tables in the file, by their keys. Only a bucket that grows has `daily_per_user`.
#[derive(Debug, Default)]
pub(super) struct RawLimits(BTreeMap<&'static str, RawGrowingBucket>);

/// A key under `[limits]`.
struct LimitKey(&'static BucketSpec);

/// The quotas of all buckets.
pub(super) fn read(given: &RawLimits, capacity: Capacity, findings: &mut Findings) -> Quotas {
    let mut quotas = Quotas::default();
    for spec in keys() {
        let Some(table) = given.0.get(spec.key) else {
            continue;
        };
        let name = format!("limits.{}", spec.key);
        let quota = match spec.is_earned() {
            true => findings.earned(&name, table, spec.quota),
            false => findings.bucket(&name, table, spec.quota, capacity.pairs),
        };
        quotas.change(spec.bucket, |limit| *limit = quota);
    }
    let familiar = spec::Bucket::Familiar;
    if let Some(table) = given.0.get(familiar.spec().key)
        && let Some(burst) = &table.burst
        && quotas.of(familiar).base.burst < TRIES_OF_A_MAIL_PROGRAM
    {
        findings.warn(
            Remark::at(
                burst.span(),
                "a mail program with an old password would lock its own user out",
            )
            .help(format!(
                "such programs try several times before anybody notices: use at least {TRIES_OF_A_MAIL_PROGRAM}"
            )),
        );
    }
    GuessBound::of(&quotas).judge(findings);
    quotas
}

/// The buckets, one for each key.
fn keys() -> impl Iterator<Item = &'static BucketSpec> {
    let first = |spec: &&BucketSpec| {
        let twin = BUCKETS.iter().find(|other| other.key == spec.key);
        twin.is_some_and(|twin| twin.bucket == spec.bucket)
    };
    BUCKETS.iter().map(|spec| spec.bucket.spec()).filter(first)
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
                        Some(_) if spec.is_earned() => RawGrowingBucket::from(
                            &*map.next_value::<TomlTable<RawEarnedBucket>>()?,
                        ),
                        Some(_) => (*map.next_value::<TomlTable<RawGrowingBucket>>()?).clone(),
                        None => RawGrowingBucket::from(&*map.next_value::<TomlTable<RawBucket>>()?),
                    };
                    limits.0.insert(spec.key, table);
                }
                Ok(limits)
            }
        }

        deserializer.deserialize_map(LimitsVisitor)
    }
}

impl<'de> Deserialize<'de> for LimitKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LimitKeyVisitor;

        impl de::Visitor<'_> for LimitKeyVisitor {
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

        deserializer.deserialize_identifier(LimitKeyVisitor)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::read::read as read_file;
    use crate::config::source::Source;

    #[track_caller]
    fn limits(text: &str) -> Result<Quotas, Vec<String>> {
        let source = Source::new(Path::new("f"), text.to_owned());
        let mut findings = Findings::new(source);
        let file = read_file(text, &mut findings);
        let capacity = Capacity {
            clients: 1_000,
            pairs: 1_000,
        };
        let quotas = read(&file.limits, capacity, &mut findings);
        match findings.conclude() {
            Ok(_) => Ok(quotas),
            Err(faults) => Err(faults.faults().iter().map(|f| f.summary()).collect()),
        }
    }

    #[test]
    fn every_bucket_has_its_key_and_a_key_that_two_share_sets_both() {
        for spec in &BUCKETS {
            let quotas = limits(&format!("[limits.{}]\nburst = 7\n", spec.key)).unwrap();
            for other in &BUCKETS {
                let burst = if other.key == spec.key {
                    7
                } else {
                    other.quota.base.burst
                };
                assert_eq!(
                    quotas.of(other.bucket).base.burst,
                    burst,
                    "{}",
                    other.reason
                );
            }
        }
    }

    #[test]
    fn a_bucket_that_does_not_grow_takes_no_tokens_for_its_users() {
        for spec in &BUCKETS {
            let read = limits(&format!("[limits.{}]\ndaily-per-user = 1\n", spec.key));
            assert_eq!(
                read.is_ok(),
                spec.quota.daily_per_user.is_some(),
                "{}",
                spec.key
            );
        }
    }

    #[test]
    fn what_is_earned_by_logins_takes_no_time_and_no_more_clients_a_day_than_are_kept() {
        let quota = |text: &str| {
            let quotas = limits(&format!("[limits.credit]\n{text}\n"))?;
            let quota = quotas.of(spec::Bucket::Credit);
            Ok::<_, Vec<String>>((quota.base.burst, quota.daily_per_user))
        };
        assert_eq!(quota(""), Ok((30, Some(2))));
        assert_eq!(quota("burst = 5\ndaily-per-user = 0"), Ok((5, Some(0))));
        for wrong in [
            "every = \"1h\"",
            "burst = 0",
            "burst = 256",
            "daily-per-user = 5",
        ] {
            assert!(quota(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_unknown_bucket_is_told_at_its_place_with_what_was_meant() {
        let faults =
            limits("[limits.client]\nburst = 7\n[limits.netwrok]\nburst = 7\n").unwrap_err();
        let [fault] = faults.as_slice() else {
            panic!("{faults:#?}")
        };
        assert!(
            fault.contains(":3:") && fault.contains("unknown key `netwrok`"),
            "{fault}"
        );
    }
}
