//! tests - which answers of Postfix have stalled

use super::*;
use crate::net::upstream::UpstreamStep;
use gatepost_core::smtp::reply::Reply;

#[test]
fn only_what_postfix_put_off_after_a_wait_has_stalled() {
    let put_off = |code| {
        let reply = Reply::new(code, None, "Temporary authentication failure");
        Attempted::Defer(UpstreamFault::Refused(UpstreamStep::Auth, reply))
    };
    let just_below = STALL.saturating_sub(Duration::from_millis(1));
    assert_eq!(outcome(&put_off(454), STALL), AuthOutcome::Stalled);
    assert_eq!(outcome(&put_off(454), just_below), AuthOutcome::Defer);
    assert_eq!(outcome(&put_off(503), STALL), AuthOutcome::Defer);
    let silent = Attempted::Defer(UpstreamFault::TimedOut(UpstreamStep::Auth));
    assert_eq!(outcome(&silent, STALL), AuthOutcome::Defer);
}
