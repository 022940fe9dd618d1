//! tests - threads, growth, strikes and records of the buckets

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use super::*;
use crate::gate::buckets::quota::{BucketQuota, Quota};
use crate::gate::request::change::{Fact, SharedLevel};

const NOW: Moment = Moment::from_seconds(1_800_000_000);
const CLIENT: Key = Key {
    kind: Kind::CLIENT_V4,
    id: 7,
};

fn limit(burst: u32, seconds: u64) -> Limit {
    Limit::new(Quota {
        burst,
        every: Duration::from_secs(seconds),
    })
}

fn buckets() -> Buckets {
    Buckets::new(1024, &[1; 16])
}

fn both() -> [BucketKey; 2] {
    [
        BucketKey::Keyed(Bucket::Client, CLIENT),
        BucketKey::Shared(Bucket::Words),
    ]
}

#[test]
fn with_one_token_left_exactly_one_of_64_threads_gets_it() {
    for key in both() {
        let buckets = buckets();
        let limit = limit(3, 3600);
        for _ in 0..2 {
            buckets.take(key, limit, NOW, &mut Vec::new()).unwrap();
        }
        let passed = AtomicU32::new(0);
        thread::scope(|threads| {
            for _ in 0..64 {
                threads.spawn(|| {
                    let taken = buckets.take(key, limit, NOW, &mut Vec::new());
                    passed.fetch_add(u32::from(taken.is_ok()), Ordering::Relaxed);
                });
            }
        });
        assert_eq!(passed.into_inner(), 1);
    }
}

#[test]
fn parallel_takes_and_refunds_lose_no_token() {
    for key in both() {
        let buckets = buckets();
        let limit = limit(64, 3600);
        thread::scope(|threads| {
            for _ in 0..16 {
                threads.spawn(|| {
                    for _ in 0..200 {
                        let mut changes = Vec::new();
                        let token = buckets.take(key, limit, NOW, &mut changes).unwrap();
                        buckets.refund(token, NOW, &mut changes);
                    }
                });
            }
        });
        assert_eq!(buckets.left(key, limit, NOW), 64);
    }
}

#[test]
fn a_refund_to_an_evicted_row_is_gone_and_harms_nobody() {
    let buckets = buckets();
    let limit = limit(3, 60);
    let token = buckets
        .take(
            BucketKey::Keyed(Bucket::Client, CLIENT),
            limit,
            NOW,
            &mut Vec::new(),
        )
        .unwrap();
    buckets.forget(CLIENT);
    buckets.refund(token, NOW, &mut Vec::new());
    assert_eq!(
        buckets.left(BucketKey::Keyed(Bucket::Client, CLIENT), limit, NOW),
        3
    );
}

#[test]
fn a_shared_bucket_that_grows_keeps_its_debt_in_tokens() {
    let growing = BucketQuota {
        base: Quota {
            burst: 100,
            every: Duration::from_secs(120),
        },
        daily_per_user: Some(3),
    };
    let key = BucketKey::Shared(Bucket::Strangers);
    let buckets = buckets();
    let mut changes = Vec::new();
    let small = Limit::growing(growing, 0);
    let mut tokens = Vec::new();
    for _ in 0..60 {
        tokens.push(buckets.take(key, small, NOW, &mut changes).unwrap());
    }
    let large = Limit::growing(growing, 10_000);
    assert_eq!(buckets.left(key, large, NOW), 1100 - 60);
    // Tokens taken at the old speed go back as tokens of the new one.
    buckets.take(key, large, NOW, &mut changes).unwrap();
    for token in tokens {
        buckets.refund(token, NOW, &mut changes);
    }
    assert_eq!(buckets.left(key, large, NOW), 1100 - 1);
}

#[test]
fn a_token_taken_before_the_bucket_grew_goes_back_at_its_worth_now() {
    let (slow, quick) = (limit(10, 120), limit(10, 30));
    let key = BucketKey::Shared(Bucket::Strangers);
    let buckets = buckets();
    let mut changes = Vec::new();
    let first = buckets.take(key, slow, NOW, &mut changes).unwrap();
    // Half of it has flowed back when another pays at four times the speed.
    let then = NOW + Duration::from_secs(60);
    buckets.take(key, quick, then, &mut changes).unwrap();
    buckets.refund(first, then, &mut changes);
    let alone = then + Duration::from_secs(30);
    assert_eq!(
        buckets.shared(Bucket::Strangers).level.arrival,
        alone.as_nanos()
    );
}

#[test]
fn strikes_are_forgiven_in_time_and_keep_a_row_from_being_clean() {
    let buckets = buckets();
    let rule = StrikeRule { needed: 2, most: 9 };
    let bans = |now| buckets.strike(CLIENT, rule, now).bans();
    assert_eq!([bans(NOW), bans(NOW), bans(NOW)], [0, 1, 2]);
    let row = buckets.row(CLIENT);
    let days = |days: u64| NOW + Duration::from_secs(days * 86_400);
    assert_eq!(row.strikes_at(days(1)).bans(), 1);
    assert_eq!(row.strikes_at(days(2)), Strikes::NONE);
    assert_eq!(row.clean_at(), days(2).as_nanos());
    assert_eq!(bans(days(1)), 2);
}

#[test]
fn a_bucket_and_the_strikes_in_its_row_do_not_disturb_each_other() {
    let buckets = buckets();
    let limit = limit(3, 60);
    let key = BucketKey::Keyed(Bucket::Client, CLIENT);
    let rule = StrikeRule { needed: 9, most: 9 };
    buckets.strike(CLIENT, rule, NOW);
    let token = buckets.take(key, limit, NOW, &mut Vec::new()).unwrap();
    buckets.strike(CLIENT, rule, NOW);
    assert_eq!(buckets.left(key, limit, NOW), 2);
    buckets.refund(token, NOW, &mut Vec::new());
    assert_eq!(buckets.left(key, limit, NOW), 3);
    assert_eq!(buckets.row(CLIENT).strikes.count(9), 2);
    buckets.forget_strikes(CLIENT, NOW);
    assert_eq!(buckets.row(CLIENT).strikes, Strikes::NONE);
}

#[test]
fn every_change_of_a_shared_bucket_is_told_and_is_later_than_the_one_before() {
    let buckets = buckets();
    let few = limit(20, 600);
    let key = BucketKey::Shared(Bucket::Unknown);
    let mut changes = Vec::new();
    let token = buckets.take(key, few, NOW, &mut changes).unwrap();
    // A clock that stands still, and one that is behind.
    buckets.take(key, few, NOW, &mut changes).unwrap();
    let before = Moment::from_nanos(NOW.as_nanos() - 5);
    buckets.refund(token, before, &mut changes);
    buckets.cut_shared(|_| limit(1, 600), NOW, &mut changes);
    // Cut already: nothing changes.
    buckets.cut_shared(|_| limit(1, 600), NOW, &mut changes);
    buckets
        .take(BucketKey::Shared(Bucket::Near), few, NOW, &mut changes)
        .unwrap();
    buckets.clear(NOW, &mut changes);
    let told: Vec<_> = changes
        .iter()
        .map(|change| match change.fact {
            Fact::SharedBucket(level) => (level.bucket, change.at, level.arrival),
            other => panic!("{other:?}"),
        })
        .collect();
    let unknown: Vec<_> = told.iter().filter(|(bucket, ..)| *bucket == 2).collect();
    assert_eq!(
        unknown.len(),
        4,
        "two taken, one given back, cleared: {told:?}"
    );
    assert!(
        unknown.windows(2).all(|two| two[0].1 < two[1].1),
        "{told:?}"
    );
    assert_eq!(unknown[3].2, 0);
}

#[test]
fn a_shared_debt_that_is_cut_is_told() {
    let buckets = buckets();
    let key = BucketKey::Shared(Bucket::Words);
    let mut changes = Vec::new();
    for _ in 0..10 {
        buckets
            .take(key, limit(20, 600), NOW, &mut changes)
            .unwrap();
    }
    changes.clear();
    buckets.cut_shared(|_| limit(2, 600), NOW, &mut changes);
    let level = buckets.shared(Bucket::Words).level;
    let told = SharedLevel {
        bucket: Bucket::Words.shared_number().unwrap(),
        arrival: level.arrival,
        every: level.every,
    };
    let at = Moment::from_nanos(level.changed);
    assert_eq!(changes, [Change::here(at, Fact::SharedBucket(told))]);
    assert_eq!(buckets.left(key, limit(2, 600), NOW), 0);
}

#[test]
fn the_table_is_told_to_be_as_large_as_it_was_asked_for() {
    for rows in [1, 1000, 1_000_000] {
        assert_eq!(Buckets::new(rows, &[1; 16]).table(), (rows, 0));
    }
}
