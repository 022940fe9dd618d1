//! limits - the quotas of the gate's buckets
//!
//! The defaults follow from the gate's table of buckets (`gate::buckets::spec`).
//! Not here: the keys (`raw::limits`), the bounds of a quota (`bounds`), the gate's other keys (`rules`).

use super::finding::{Findings, Remark};
use super::raw::RawLimits;
use gatepost_core::gate::buckets::spec;
use gatepost_core::gate::request::settings::{Capacity, Limits as Quotas};

/// How often a mail program may try an old password before its user notices.
const TRIES_OF_A_MAIL_PROGRAM: u32 = 5;

/// The quotas of all buckets.
pub(super) fn read(given: &RawLimits, capacity: Capacity, findings: &mut Findings) -> Quotas {
    let mut quotas = Quotas::default();
    for (spec, table) in given.tables() {
        let name = format!("limits.{}", spec.key);
        let quota = findings.bucket(&name, table, spec.quota, capacity.pairs);
        quotas.change(spec.bucket, |limit| *limit = quota);
    }
    let familiar = spec::Bucket::Familiar;
    let mut tables = given.tables();
    if let Some((_, table)) = tables.find(|(spec, _)| spec.bucket == familiar)
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
    quotas
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use gatepost_core::gate::buckets::spec::BUCKETS;

    use super::*;
    use crate::config::finding::Source;
    use crate::config::read::read as read_file;

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
