//! Who gets in, who has to make room, and that every place is freed once.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;

use super::crowd::LEAVING;
use super::*;

const NOW: Moment = Moment::from_seconds(1_000);

fn settings(sessions: usize) -> Settings {
    Settings {
        sessions,
        per_client: 1_000,
        per_network: 10_000,
        connects: Quota {
            burst: 10_000,
            every: Duration::from_secs(1),
        },
        handshakes: 1,
        filter: filter::Mode::Off,
    }
}

fn house(sessions: usize) -> Admission {
    of(&settings(sessions))
}

fn of(settings: &Settings) -> Admission {
    Admission::new(settings, &[7; 16])
}

/// The client with this number; 256 of them share a network.
fn client(number: u32) -> ClientKey {
    ClientKey::V4(0xcb00_0000 + number)
}

fn is_evicted(slot: &Slot) -> bool {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    std::pin::pin!(slot.evicted())
        .as_mut()
        .poll(&mut context)
        .is_ready()
}

trait Admit {
    fn stranger(&self, number: u32) -> Result<Slot, TurnedAway>;
    fn familiar(&self, number: u32) -> Result<Slot, TurnedAway>;
}

impl Admit for Admission {
    fn stranger(&self, number: u32) -> Result<Slot, TurnedAway> {
        self.admit(client(number), Standing::Stranger, NOW)
    }

    fn familiar(&self, number: u32) -> Result<Slot, TurnedAway> {
        self.admit(client(number), Standing::Familiar, NOW)
    }
}

#[test]
fn the_denied_and_the_banned_are_turned_away_and_counted() {
    let house = house(10);
    let admit = |standing| house.admit(client(1), standing, NOW).unwrap_err();
    assert_eq!(admit(Standing::Deny), TurnedAway::Deny);
    assert_eq!(admit(Standing::Banned), TurnedAway::Ban);
    assert_eq!(admit(Standing::Banned), TurnedAway::Ban);
    let counts = house.counts();
    assert_eq!(counts.turned_away, [1, 2, 0, 0, 0, 0]);
    assert_eq!((counts.held, counts.admitted), (0, 0));
}

#[test]
fn the_counts_stand_in_the_order_of_the_reasons() {
    for (place, reason) in TurnedAway::ALL.into_iter().enumerate() {
        assert_eq!(reason as usize, place);
    }
}

#[test]
fn a_client_and_its_network_hold_as_many_as_they_may_and_one_that_leaves_makes_room() {
    let house = of(&Settings {
        per_client: 3,
        per_network: 5,
        ..settings(100)
    });
    let mut held: Vec<Slot> = (0..3).map(|_| house.stranger(1).unwrap()).collect();
    assert_eq!(house.stranger(1).unwrap_err(), TurnedAway::Client);
    held.extend((0..2).map(|_| house.stranger(2).unwrap()));
    assert_eq!(house.stranger(3).unwrap_err(), TurnedAway::Network);
    assert_eq!(house.familiar(3).unwrap_err(), TurnedAway::Network);
    assert!(house.stranger(300).is_ok(), "another network");
    held.pop();
    held.push(house.stranger(3).unwrap());
    drop(held.remove(0));
    assert!(house.stranger(1).is_ok());
}

#[test]
fn new_connections_of_one_client_are_as_fast_as_its_bucket_and_others_do_not_feel_it() {
    let house = of(&Settings {
        connects: Quota {
            burst: 3,
            every: Duration::from_secs(10),
        },
        ..settings(100)
    });
    let at = |number, seconds| {
        house.admit(
            client(number),
            Standing::Stranger,
            NOW + Duration::from_secs(seconds),
        )
    };
    let _held: Vec<Slot> = (0..3).map(|_| at(1, 0).unwrap()).collect();
    assert_eq!(at(1, 0).unwrap_err(), TurnedAway::Connects);
    assert!(at(2, 0).is_ok());
    assert_eq!(at(1, 9).unwrap_err(), TurnedAway::Connects);
    assert!(at(1, 10).is_ok());
    assert_eq!(at(1, 10).unwrap_err(), TurnedAway::Connects);
    assert_eq!(
        house.admit(client(1), Standing::Familiar, NOW).unwrap_err(),
        TurnedAway::Connects
    );
}

#[test]
fn the_allow_list_is_bound_by_the_whole_alone() {
    let house = of(&Settings {
        per_client: 1,
        per_network: 1,
        connects: Quota {
            burst: 1,
            every: Duration::from_secs(60),
        },
        ..settings(4)
    });
    let webmail = || house.admit(client(1), Standing::Allow, NOW);
    let held: Vec<Slot> = (0..4).map(|_| webmail().unwrap()).collect();
    assert_eq!(webmail().unwrap_err(), TurnedAway::Full);
    drop(held);
    assert!(webmail().is_ok());
}

#[test]
fn when_the_whole_is_full_the_oldest_stranger_makes_room() {
    let house = house(3);
    let first = house.stranger(1).unwrap();
    let second = house.stranger(2).unwrap();
    let third = house.stranger(3).unwrap();
    let fourth = house.stranger(4).unwrap();
    assert!(is_evicted(&first));
    assert!(is_evicted(&first), "also when asked again");
    assert!(!is_evicted(&second));
    drop(first);
    let fifth = house.stranger(5).unwrap();
    assert!(is_evicted(&second));
    assert!(!is_evicted(&third) && !is_evicted(&fourth) && !is_evicted(&fifth));
    drop(third);
    drop(second);
    let sixth = house.stranger(6).unwrap();
    assert!(!is_evicted(&fourth), "there was room");
    assert_eq!(house.counts().held, 3);
    assert_eq!(house.counts().evicted, 2);
    drop((fourth, fifth, sixth));
    assert_eq!(house.counts().held, 0);
}

#[test]
fn whoever_has_logged_in_stays_and_then_newcomers_are_turned_away() {
    let house = house(3);
    let held: Vec<Slot> = (0..3)
        .map(|number| house.stranger(number).unwrap())
        .collect();
    held[0].logged_in();
    let fourth = house.stranger(4).unwrap();
    assert!(!is_evicted(&held[0]));
    assert!(is_evicted(&held[1]));
    fourth.logged_in();
    held[2].logged_in();
    held[2].logged_in();
    assert_eq!(house.stranger(5).unwrap_err(), TurnedAway::Full);
}

#[test]
fn a_login_in_the_moment_of_eviction_wins() {
    let house = house(1);
    let first = house.stranger(1).unwrap();
    let second = house.stranger(2).unwrap();
    first.logged_in();
    assert!(!is_evicted(&first));
    let third = house.stranger(3).unwrap();
    assert!(is_evicted(&second), "the whole is above its cap");
    drop((second, third));
    assert_eq!(house.counts().held, 1);
    drop(first);
    assert_eq!(house.counts().held, 0);
}

#[tokio::test]
async fn the_told_one_is_woken() {
    let house = house(1);
    let first = house.stranger(1).unwrap();
    tokio::select! {
        biased;
        () = first.evicted() => {}
        () = async { house.stranger(2).unwrap().evicted().await } => {}
    }
}

#[test]
fn strangers_never_take_the_quarter_of_the_familiar() {
    let house = house(400);
    let strangers: Vec<Slot> = (0..300)
        .map(|number| house.stranger(number).unwrap())
        .collect();
    assert_eq!(house.counts().evicted, 0);
    let _one_more = house.stranger(300).unwrap();
    assert_eq!(house.counts().evicted, 1);
    // Two familiar networks fill the quarter, and nobody has to go for them.
    let first: Vec<Slot> = (0..50).map(|_| house.familiar(1_000).unwrap()).collect();
    let second: Vec<Slot> = (0..50).map(|_| house.familiar(2_000).unwrap()).collect();
    assert_eq!(house.counts().evicted, 1);
    // Beyond it they take the place of strangers.
    let _beyond = house.familiar(3_000).unwrap();
    assert_eq!(house.counts().evicted, 2);
    assert_eq!(
        first
            .iter()
            .chain(&second)
            .filter(|slot| is_evicted(slot))
            .count(),
        0
    );
    assert_eq!(strangers.iter().filter(|slot| is_evicted(slot)).count(), 2);
}

#[test]
fn one_familiar_network_takes_no_more_than_fifty_of_the_quarter() {
    let house = house(400);
    let _strangers: Vec<Slot> = (0..300)
        .map(|number| house.stranger(number).unwrap())
        .collect();
    // 51 from one /24, though from many clients.
    let mut inside: Vec<Slot> = (0..50)
        .map(|n| house.familiar(25_600 + n))
        .map(Result::unwrap)
        .collect();
    assert_eq!(house.counts().evicted, 0);
    inside.push(house.familiar(25_650).unwrap());
    assert_eq!(house.counts().evicted, 1, "the 51st is in the open part");
    let _other = house.familiar(51_200).unwrap();
    assert_eq!(
        house.counts().evicted,
        1,
        "the rest of the quarter is still there"
    );
    // One that leaves the quarter leaves it to the next of the same network.
    drop(inside.remove(0));
    let _next = house.familiar(25_651).unwrap();
    assert_eq!(house.counts().evicted, 1);
}

#[test]
fn beyond_the_quarter_the_familiar_make_room_after_all_strangers() {
    let house = house(400);
    let _quarter: Vec<Slot> = (0..100)
        .map(|number| house.familiar(1_000 + 256 * (number / 50)).unwrap())
        .collect();
    let thief: Vec<Slot> = (0..299)
        .map(|number| house.familiar(10_000 + 256 * (number / 50)).unwrap())
        .collect();
    let stranger = house.stranger(1).unwrap();
    let _traveller = house.stranger(2).unwrap();
    assert!(is_evicted(&stranger) && !thief.iter().any(is_evicted));
    let _at_home = house.familiar(50_000).unwrap();
    let _other = house.stranger(3).unwrap();
    assert!(is_evicted(&thief[0]) && !is_evicted(&thief[1]));
    thief[1].logged_in();
    let _next = house.stranger(4).unwrap();
    assert!(!is_evicted(&thief[1]));
}

#[test]
fn no_more_are_told_to_go_than_the_slack_holds() {
    let house = house(8);
    let _slow: Vec<Slot> = (0..6)
        .map(|number| house.stranger(number).unwrap())
        .collect();
    let most = 8 / 8 + LEAVING;
    let mut held = Vec::new();
    for number in 0..most {
        held.push(house.stranger(100 + number as u32).unwrap());
    }
    assert_eq!(house.stranger(999).unwrap_err(), TurnedAway::Full);
    assert_eq!(house.counts().held, 6 + most);
}

#[test]
fn a_lower_cap_holds_for_newcomers_and_throws_nobody_out_at_once() {
    let house = house(8);
    let held: Vec<Slot> = (0..8)
        .map(|number| house.familiar(number).unwrap())
        .inspect(Slot::logged_in)
        .collect();
    house.reconfigure(&settings(4));
    assert_eq!(house.familiar(9).unwrap_err(), TurnedAway::Full);
    assert_eq!(house.counts().held, 8);
    drop(held);
    let again: Vec<Slot> = (0..4)
        .map(|number| house.familiar(number).unwrap())
        .inspect(Slot::logged_in)
        .collect();
    assert_eq!(house.familiar(9).unwrap_err(), TurnedAway::Full);
    drop(again);
}

#[test]
fn nothing_is_kept_of_whoever_has_left() {
    let house = house(1_000);
    for number in 0..5_000 {
        let slot = house.stranger(number * 256).unwrap();
        if number % 2 == 0 {
            slot.logged_in();
        }
    }
    assert!(house.0.crowd().is_empty());
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Enter(u32, Standing),
    LogIn(usize),
    Leave(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let standing = prop_oneof![
        4 => Just(Standing::Stranger),
        2 => Just(Standing::Familiar),
        1 => Just(Standing::Allow),
    ];
    prop_oneof![
        5 => (0u32..600, standing).prop_map(|(number, standing)| Step::Enter(number, standing)),
        1 => (0usize..64).prop_map(Step::LogIn),
        2 => (0usize..64).prop_map(Step::Leave),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_the_caps_hold_and_every_place_is_freed_once(
        sessions in 1usize..40,
        steps in proptest::collection::vec(step(), 1..300),
    ) {
        let house = of(&Settings { per_client: 6, per_network: 20, ..settings(sessions) });
        let mut held: Vec<(Slot, bool)> = Vec::new();
        for step in steps {
            match step {
                Step::Enter(number, standing) => {
                    if let Ok(slot) = house.admit(client(number), standing, NOW) {
                        held.push((slot, standing == Standing::Allow));
                    }
                }
                Step::LogIn(at) if at < held.len() => held[at].0.logged_in(),
                Step::Leave(at) if at < held.len() => drop(held.swap_remove(at)),
                Step::LogIn(_) | Step::Leave(_) => {}
            }
            prop_assert_eq!(house.counts().held, held.len());
            let leaving = held.iter().filter(|(slot, _)| is_evicted(slot)).count();
            prop_assert!(leaving <= sessions / 8 + LEAVING);
            let mut clients: HashMap<ClientKey, u32> = HashMap::new();
            for (slot, _) in held.iter().filter(|(_, allowed)| !allowed) {
                *clients.entry(slot.client).or_default() += 1;
            }
            prop_assert!(clients.values().all(|count| *count <= 6));
        }
        drop(held);
        prop_assert!(house.0.crowd().is_empty());
    }
}
