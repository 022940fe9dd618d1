//! tests - one quota, its windows, and giving back

use governor::clock::FakeRelativeClock;
use proptest::prelude::*;

use super::*;

const START: u64 = 1_800_000_000_000_000_000;

fn limit(burst: u32, every: u64) -> Limit {
    Limit::new(Quota {
        burst,
        every: Duration::from_nanos(every),
    })
}

fn at(nanos: u64) -> Moment {
    Moment::from_nanos(nanos)
}

#[test]
fn kept_tokens_are_not_there_for_a_look_and_the_wait_is_theirs_too() {
    let limit = Limit::new(Quota {
        burst: 10,
        every: Duration::from_secs(60),
    });
    let now = at(START);
    let mut arrival = 0;
    for taken in 0..10 {
        assert_eq!(limit.peek(arrival, 3, now).is_ok(), taken < 7, "{taken}");
        arrival = limit.take(arrival, now).unwrap();
    }
    assert_eq!(
        limit.peek(arrival, 3, now),
        Err(Duration::from_secs(4 * 60))
    );
    assert_eq!(
        limit.peek(arrival, 3, now + Duration::from_secs(240)),
        Ok(())
    );
}

#[test]
fn a_full_bucket_gives_its_burst_then_one_each_time() {
    let limit = limit(3, 100);
    let now = at(START);
    let mut arrival = 0;
    for left in [2, 1, 0] {
        arrival = limit.take(arrival, now).unwrap();
        assert_eq!(limit.left(arrival, now), left);
    }
    assert_eq!(limit.take(arrival, now), Err(Duration::from_nanos(100)));
    assert_eq!(
        limit.peek(arrival, 0, at(START + 99)),
        Err(Duration::from_nanos(1))
    );
    assert_eq!(limit.peek(arrival, 0, at(START + 100)), Ok(()));
    let arrival = limit.take(arrival, at(START + 100)).unwrap();
    assert!(limit.take(arrival, at(START + 199)).is_err());
}

#[test]
fn a_debt_from_a_slower_quota_is_cut_to_one_burst_of_this_one() {
    let limit = limit(3, 100);
    let cut = limit.bounded(START + 1_000_000, at(START));
    assert_eq!(cut, START + 300);
    assert_eq!(limit.bounded(START + 299, at(START)), START + 299);
    assert!(limit.take(cut, at(START + 99)).is_err());
    assert!(limit.take(cut, at(START + 100)).is_ok());
}

#[test]
fn nonsense_quotas_and_times_overflow_nothing() {
    for (burst, every) in [(0, 0), (u32::MAX, u64::MAX), (1, u64::MAX), (u32::MAX, 1)] {
        let limit = limit(burst, every);
        for now in [0, 1, START, u64::MAX] {
            let arrival = limit.take(0, at(now)).unwrap();
            let _ = limit.peek(arrival, 0, at(now));
            let _ = limit.peek(u64::MAX, 0, at(now));
            let _ = limit.drain(u64::MAX, u32::MAX, at(now));
            let _ = limit.left(u64::MAX, at(now));
        }
    }
}

#[test]
fn a_growing_bucket_has_the_documented_sizes() {
    let growing = BucketQuota {
        base: Quota {
            burst: 100,
            every: Duration::from_secs(120),
        },
        daily_per_user: Some(3),
    };
    let day = 86_400_000_000_000_u64;
    for (known, burst, daily) in [(0, 100, 720), (40, 104, 840), (10_000, 1100, 30_720)] {
        let limit = Limit::growing(growing, known);
        assert_eq!(limit.burst(), burst);
        // Rounded up, so never a token more a day than promised.
        assert!(limit.every() * daily >= day);
        assert!((limit.every() - 1) * daily < day);
    }
    let _ = Limit::growing(growing, usize::MAX);
}

#[test]
fn force_takes_what_there_is_and_no_more() {
    let limit = limit(10, 100);
    let now = at(START);
    let arrival = limit.drain(0, 3, now);
    assert_eq!(limit.left(arrival, now), 7);
    let arrival = limit.drain(arrival, 50, now);
    assert_eq!(limit.left(arrival, now), 0);
    assert_eq!(limit.left(arrival, at(START + 100)), 1);
}

#[test]
fn a_token_given_back_late_never_pays_for_another_try() {
    let limit = limit(5, 100);
    // The first take has nearly flowed back when the second comes, and is then given back.
    let first = limit.take(0, at(START)).unwrap();
    let second = limit.take(first, at(START + 90)).unwrap();
    let back = limit.taken(first).refund(second, at(START + 95));
    let alone = limit.take(0, at(START + 90)).unwrap();
    assert!(back >= alone, "{back} {alone}");
    // Given back at once it leaves exactly the second.
    assert_eq!(limit.taken(first).refund(second, at(START + 90)), alone);
    // In debt it is the whole token, however late.
    let third = limit.take(second, at(START + 90)).unwrap();
    assert_eq!(
        limit.taken(third).refund(third, at(START + 200)),
        third - 100
    );
}

#[derive(Clone, Debug)]
enum Step {
    Take,
    GiveBack(usize),
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Take),
        2 => (0usize..8).prop_map(Step::GiveBack),
        3 => (0u64..300).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..120)
}

proptest! {
    // governor's own limiter, with its own store and clock, beside ours.
    #[test]
    fn answers_waits_and_what_is_left_are_those_of_governors_own_limiter(
        burst in 1u32..8,
        every in 1u64..200,
        gaps in prop::collection::vec(0u64..400, 1..200),
    ) {
        let limit = limit(burst, every);
        let clock = FakeRelativeClock::default();
        let governor = RateLimiter::direct_with_clock(limit.quota, clock.clone())
            .with_middleware::<StateInformationMiddleware>();
        let (mut now, mut arrival) = (START, 0);
        for gap in gaps {
            now += gap;
            clock.advance(Duration::from_nanos(gap));
            let looked = limit.peek(arrival, 0, at(now));
            match governor.check() {
                Ok(state) => {
                    prop_assert_eq!(looked, Ok(()));
                    prop_assert_eq!(limit.left(arrival, at(now)), state.remaining_burst_capacity() + 1);
                    arrival = limit.take(arrival, at(now)).unwrap();
                    prop_assert_eq!(limit.left(arrival, at(now)), state.remaining_burst_capacity());
                }
                Err(until) => {
                    let wait = until.wait_time_from(clock.now());
                    prop_assert_eq!(looked, Err(wait));
                    prop_assert_eq!(limit.take(arrival, at(now)), Err(wait));
                    prop_assert_eq!(limit.left(arrival, at(now)), 0);
                }
            }
        }
    }

    // A look that keeps some back is governor's look for that many and one more.
    #[test]
    fn a_look_beside_kept_tokens_is_governors_look_for_all_of_them(
        burst in 2u32..8,
        every in 1u64..200,
        kept in 0u32..7,
        taken in 0u32..8,
        gap in 0u64..2000,
    ) {
        let kept = kept.min(burst - 1);
        let limit = limit(burst, every);
        let clock = FakeRelativeClock::default();
        let governor = RateLimiter::direct_with_clock(limit.quota, clock.clone());
        let mut arrival = 0;
        for _ in 0..taken.min(burst) {
            prop_assert!(governor.check().is_ok());
            arrival = limit.take(arrival, at(START)).unwrap();
        }
        clock.advance(Duration::from_nanos(gap));
        let all = governor.check_n(NonZeroU32::new(kept + 1).unwrap()).unwrap();
        let all = all.map_err(|until| until.wait_time_from(clock.now()));
        prop_assert_eq!(limit.peek(arrival, kept, at(START + gap)), all);
    }

    #[test]
    fn no_window_ever_sees_more_than_quota_plus_burst(
        burst in 1u32..8,
        every in 1u64..200,
        gaps in prop::collection::vec(0u64..400, 1..200),
    ) {
        let limit = limit(burst, every);
        let (mut now, mut arrival) = (START, 0);
        let mut taken = Vec::new();
        for gap in gaps {
            now += gap;
            let looked = limit.peek(arrival, 0, at(now));
            match limit.take(arrival, at(now)) {
                Ok(next) => {
                    prop_assert_eq!(looked, Ok(()));
                    arrival = next;
                    taken.push(now);
                }
                Err(wait) => {
                    prop_assert_eq!(looked, Err(wait));
                    let then = at(now) + wait;
                    prop_assert!(limit.take(arrival, then).is_ok());
                }
            }
        }
        for (first, from) in taken.iter().enumerate() {
            for (last, to) in taken.iter().enumerate().skip(first) {
                let most = u64::from(burst) + (to - from) / every;
                prop_assert!((last - first + 1) as u64 <= most);
            }
        }
    }

    #[test]
    fn a_token_given_back_at_once_was_never_taken(
        burst in 1u32..8,
        every in 1u64..200,
        debt in 0u64..2000,
    ) {
        let limit = limit(burst, every);
        let (now, before) = (at(START), START - 500 + debt);
        if let Ok(after) = limit.take(before, now) {
            let back = limit.taken(after).refund(after, now);
            prop_assert_eq!(back.max(START), before.max(START));
        }
    }

    // Giving tokens back late yields no more tries than a bucket in which the tokens that
    // were given back had been taken a moment later or never.
    #[test]
    fn giving_back_never_gives_more_than_was_taken(
        burst in 1u32..6,
        every in 50u64..200,
        steps in steps(),
    ) {
        let limit = limit(burst, every);
        let (mut now, mut arrival) = (START, 0);
        let mut held: Vec<u64> = Vec::new();
        let (mut spent, mut passed) = (0u64, 0u64);
        for step in steps {
            match step {
                Step::Take => if let Ok(after) = limit.take(arrival, at(now)) {
                    arrival = after;
                    held.push(after);
                    spent += 1;
                },
                Step::GiveBack(which) => if which < held.len() {
                    let after = held.swap_remove(which);
                    let less = limit.taken(after).refund(arrival, at(now));
                    prop_assert!(arrival - less <= every);
                    arrival = less;
                    spent -= 1;
                },
                Step::Pass(span) => {
                    now += span;
                    passed += span;
                }
            }
            // Net of what was given back, never more than the burst and what flowed back.
            prop_assert!(spent <= u64::from(burst) + passed / every + 1);
        }
    }
}
