//! tests - the table agrees with itself, and with what is on disk

use std::collections::BTreeSet;

use super::*;

#[test]
fn a_bucket_stands_at_its_place_in_the_table() {
    for (at, spec) in BUCKETS.iter().enumerate() {
        assert_eq!(spec.bucket as usize, at, "{}", spec.reason);
        assert_eq!(spec.bucket.spec(), spec);
    }
}

#[test]
fn the_numbers_on_disk_never_change() {
    let kinds: Vec<(&str, Vec<u8>)> = BUCKETS
        .iter()
        .map(|spec| match spec.store {
            BucketStore::Rows(kinds) => (
                spec.reason,
                kinds.iter().map(|kind| kind.number()).collect(),
            ),
            BucketStore::Shared(number) => (spec.reason, vec![number]),
            BucketStore::Earned => (spec.reason, Vec::new()),
        })
        .collect();
    let expected = [
        ("familiar", vec![6]),
        ("device", vec![20]),
        ("unproven", vec![9]),
        ("client-near", vec![11, 12]),
        ("client", vec![1, 2]),
        ("network", vec![3]),
        ("region", vec![10]),
        ("user-near", vec![4]),
        ("user-far", vec![5]),
        ("near", vec![0]),
        ("words", vec![1]),
        ("unknown", vec![2]),
        ("strangers", vec![3]),
        ("settling-user", vec![8]),
        ("settling", vec![4]),
        ("user-credit", vec![13]),
        ("credit", vec![]),
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn no_two_buckets_share_a_reason_a_kind_or_a_number() {
    let reasons: BTreeSet<_> = BUCKETS.iter().map(|spec| spec.reason).collect();
    assert_eq!(reasons.len(), BUCKETS.len());
    for spec in &BUCKETS {
        match spec.store {
            BucketStore::Rows(kinds) => {
                assert!(!kinds.is_empty(), "{}", spec.reason);
                for kind in kinds {
                    assert_eq!(Bucket::of_kind(*kind), Some(spec.bucket));
                }
            }
            BucketStore::Earned => {}
            BucketStore::Shared(number) => {
                assert_eq!(Bucket::of_shared_number(number), Some(spec.bucket));
            }
        }
    }
    assert_eq!(Bucket::of_kind(Kind::WORD), None);
    assert_eq!(Bucket::of_shared_number(200), None);
}

#[test]
fn buckets_with_one_key_in_the_config_have_one_quota() {
    for spec in &BUCKETS {
        let twins = BUCKETS.iter().filter(|other| other.key == spec.key);
        assert!(twins.into_iter().all(|twin| twin.quota == spec.quota));
    }
}
