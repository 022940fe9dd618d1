//! tests - which answers of Postfix have stalled or are charged, and when an answer is given

use super::*;
use crate::drain;
use crate::net::admission::testing::{full_of_one, one_of_its_client};
use crate::net::upstream::{UpstreamFault, UpstreamStep};
use gatepost_core::smtp::reply::Reply;

#[test]
fn only_what_postfix_put_off_after_a_wait_has_stalled() {
    let put_off = |code| {
        let reply = Reply::new(code, None, "Temporary authentication failure");
        Attempted::Defer(UpstreamFault::Refused(UpstreamStep::Auth, reply))
    };
    let just_below = STALL.saturating_sub(Duration::from_millis(1));
    let outcome_of = |attempted, took| outcome(&attempted, took, Disclosed::Nothing);
    assert_eq!(outcome_of(put_off(454), STALL), AuthOutcome::Stalled);
    assert_eq!(outcome_of(put_off(454), just_below), AuthOutcome::Defer);
    assert_eq!(outcome_of(put_off(503), STALL), AuthOutcome::Defer);
    let silent = Attempted::Defer(UpstreamFault::TimedOut(UpstreamStep::Auth));
    assert_eq!(outcome_of(silent, STALL), AuthOutcome::Defer);
}

#[test]
fn an_answer_waits_for_the_next_multiple_of_the_delay() {
    let millis = Duration::from_millis;
    for (spent, rest) in [
        (0, 2_000),
        (1, 1_999),
        (1_999, 1),
        (2_000, 2_000),
        (2_600, 1_400),
    ] {
        assert_eq!(
            until_next(millis(2_000), millis(spent)),
            millis(rest),
            "{spent}"
        );
        assert_eq!(until_next(Duration::ZERO, millis(spent)), Duration::ZERO);
    }
}

#[test]
fn after_a_challenge_only_what_postfix_says_of_the_proof_undoes_the_charge() {
    let reply = |code| Reply::new(code, None, "as it may be");
    let put_off = |code| Attempted::Defer(UpstreamFault::Refused(UpstreamStep::Auth, reply(code)));
    let faults = [
        put_off(454),
        put_off(500),
        Attempted::Defer(UpstreamFault::Challenge),
        Attempted::Defer(UpstreamFault::TimedOut(UpstreamStep::Auth)),
    ];
    for fault in faults {
        let settled = outcome(&fault, STALL, Disclosed::Challenge);
        assert_eq!(settled, AuthOutcome::Abandoned, "{fault}");
    }
    let rejected = Attempted::Reject(reply(535));
    let settled = outcome(&rejected, STALL, Disclosed::Challenge);
    assert_eq!(settled, AuthOutcome::Reject);
}

#[tokio::test(start_paused = true)]
async fn who_is_evicted_for_all_waits_no_longer_and_who_makes_room_for_its_own_is_told_nothing_early()
 {
    let (_drainer, mut drain) = drain::channel();
    let held = Duration::from_secs(2);
    let almost = held.saturating_sub(Duration::from_millis(1));
    let (evicted, stays) = full_of_one();
    let at_once = timeout(Duration::ZERO, wait_out(held, &evicted, &mut drain));
    assert!(at_once.await.is_ok());
    let (replaced, _next) = one_of_its_client();
    for slot in [&stays, &replaced] {
        assert!(
            timeout(almost, wait_out(held, slot, &mut drain))
                .await
                .is_err()
        );
        assert!(
            timeout(held, wait_out(held, slot, &mut drain))
                .await
                .is_ok()
        );
    }
}
