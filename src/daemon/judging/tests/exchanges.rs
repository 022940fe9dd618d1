//! exchanges - attempts of several messages: they wait for places, and hold no turn while their clients think

use super::*;

#[tokio::test(start_paused = true)]
async fn who_is_evicted_before_its_proof_waits_for_no_turn_and_is_charged() {
    let (judging, _received) = judging(1);
    let ((_one, first), (_two, second)) = (line("198.51.100.7"), line("203.0.113.7"));
    let (mut thinks, _place) = exchange(&judging, &first).await.unwrap();
    thinks.give_up_turn();
    let _busy = grant(&judging, &second, "Kartoffel-salat-fest")
        .await
        .unwrap();
    let paid = || judging.gate().status(judging.clock.now()).rows_used;
    let both = paid();
    first.evicted.notify_one();
    let waits = timeout(AT_ONCE, thinks.in_turn(&first)).await;
    assert!(waits.unwrap().is_err());
    assert_eq!(paid(), both);
}

#[tokio::test(start_paused = true)]
async fn exchanges_that_come_together_wait_for_places_and_hold_no_turn() {
    let (judging, _received) = judging(1);
    let ((_one, first), (_two, second)) = (line("198.51.100.7"), line("203.0.113.7"));
    let (mut thinks, place) = exchange(&judging, &first).await.unwrap();
    assert!(place.is_some() && thinks.holds_turn());
    thinks.give_up_turn();
    // Its turn is free meanwhile, its place is not.
    let other = grant(&judging, &second, "Kartoffel-salat-fest").await;
    let settled = other
        .unwrap()
        .settle(&second, AuthOutcome::Defer, &"later")
        .await;
    assert_eq!(settled.outcome, AuthOutcome::Defer);
    let waits = exchange(&judging, &second);
    let (waited, ()) = tokio::join!(waits, async { drop(place) });
    let (_granted, place) = waited.unwrap();
    assert!(place.is_some());
}

#[tokio::test(start_paused = true)]
async fn who_finds_no_place_in_time_is_refused_uncharged_and_a_proof_without_a_turn_is_charged() {
    let (judging, _received) = judging(1);
    let ((_one, first), (_two, second)) = (line("198.51.100.7"), line("203.0.113.7"));
    let (mut thinks, _place) = exchange(&judging, &first).await.unwrap();
    thinks.give_up_turn();
    let paid = || judging.gate().status(judging.clock.now()).rows_used;
    let one = paid();
    let turn = |refused| {
        let Refused::Refuse(refusal) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(refusal.reason, Reason::Turn);
    };
    turn(exchange(&judging, &second).await.unwrap_err());
    assert_eq!(judging.counters.limits.get(ResourceLimit::Exchanges), 1);
    assert_eq!((judging.counters.refused.get(), paid()), (1, one));
    // The proof is checked in turn.
    let _busy = grant(&judging, &second, "Kartoffel-salat-fest")
        .await
        .unwrap();
    let both = paid();
    turn(thinks.in_turn(&first).await.unwrap_err());
    assert_eq!(judging.counters.refused.get(), 2);
    assert_eq!(paid(), both, "no second salt for nothing");
}

#[tokio::test(start_paused = true)]
async fn who_loses_its_place_after_a_challenge_is_charged_and_refused() {
    let (judging, _received) = judging(1);
    let (_one, first) = line("198.51.100.7");
    let paid = || judging.gate().status(judging.clock.now()).rows_used;
    let (thinks, _place) = exchange(&judging, &first).await.unwrap();
    let charged = paid();
    assert!(charged > 0);
    let Refused::Refuse(refusal) = thinks.displaced(&first).await else {
        panic!("it is refused");
    };
    assert_eq!((refusal.reason, paid()), (Reason::Turn, charged));
    assert_eq!(judging.counters.limits.get(ResourceLimit::Exchanges), 1);
}
