//! tests - which clients are admitted or evicted, and that every place is freed once

mod all_in_use;
mod steps;

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;

use super::connections::EVICTION_SLACK;
use super::*;

const NOW: Moment = Moment::from_seconds(1_000);

fn settings(sessions: usize) -> AdmissionSettings {
    AdmissionSettings {
        sessions,
        per_client: 1_000,
        per_network: 10_000,
        connects: Quota {
            burst: 10_000,
            every: Duration::from_secs(1),
        },
        familiar_connects: Quota {
            burst: 10_000,
            every: Duration::from_secs(1),
        },
        handshakes: 1,
        filter: filter::FilterMode::Off,
    }
}

fn admission_for(sessions: usize) -> Admission {
    of(&settings(sessions))
}

fn of(settings: &AdmissionSettings) -> Admission {
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
fn denied_and_banned_clients_are_turned_away_and_counted() {
    let admission = admission_for(10);
    let admit = |standing| admission.admit(client(1), standing, NOW).unwrap_err();
    assert_eq!(admit(Standing::Deny), TurnedAway::Deny);
    assert_eq!(admit(Standing::Banned), TurnedAway::Ban);
    assert_eq!(admit(Standing::Banned), TurnedAway::Ban);
    let counts = admission.counts();
    assert_eq!(counts.turned_away, [1, 2, 0, 0, 0, 0, 0]);
    assert_eq!((counts.held, counts.admitted), (0, 0));
}

#[test]
fn counts_are_in_the_order_of_the_reasons() {
    for (place, reason) in TurnedAway::ALL.into_iter().enumerate() {
        assert_eq!(reason as usize, place);
    }
}

/// The numbers of those that must end.
fn evicted(slots: &[Slot]) -> Vec<usize> {
    let which = slots
        .iter()
        .enumerate()
        .filter(|(_, slot)| is_evicted(slot));
    which.map(|(number, _)| number).collect()
}

#[test]
fn at_its_cap_a_clients_oldest_connection_gives_way_to_its_newest() {
    let admission = of(&AdmissionSettings {
        per_client: 3,
        ..settings(100)
    });
    let other = admission.stranger(2).unwrap();
    let mut held: Vec<Slot> = (0..3).map(|_| admission.stranger(1).unwrap()).collect();
    assert!(evicted(&held).is_empty());
    held.push(admission.stranger(1).unwrap());
    assert_eq!(evicted(&held), [0]);
    held.push(admission.stranger(1).unwrap());
    assert_eq!(evicted(&held), [0, 1]);
    assert!(!is_evicted(&other));
    assert_eq!(admission.counts().evicted_for_client, 2);
    assert_eq!(
        admission.counts().held,
        6,
        "they count until they are closed"
    );
    held.drain(..2);
    drop(held.remove(0));
    assert_eq!(admission.counts().held, 3);
    held.push(admission.stranger(1).unwrap());
    assert!(
        evicted(&held).is_empty(),
        "a closed connection has made room"
    );
}

#[test]
fn in_a_familiar_network_only_its_own_cap_holds() {
    let admission = of(&AdmissionSettings {
        per_client: 3,
        per_network: 20,
        ..settings(100)
    });
    let office = opened((0..20).map(|_| admission.familiar(1)));
    assert_eq!(office.len(), 20);
    let _one_more = admission.familiar(1).unwrap();
    assert_eq!(evicted(&office), [0]);
}

#[test]
fn a_client_whose_connections_do_not_close_gets_no_more_and_its_colleagues_do() {
    let admission = of(&AdmissionSettings {
        per_network: 2,
        ..settings(1_000)
    });
    let most = 2 + 2 + EVICTION_SLACK;
    let mut held: Vec<Slot> = (0..most).map(|_| admission.stranger(1).unwrap()).collect();
    assert_eq!(admission.stranger(1).unwrap_err(), TurnedAway::Network);
    assert!(admission.stranger(256).is_ok(), "another network");
    drop(held.remove(0));
    held.push(admission.stranger(1).unwrap());
    assert_eq!(admission.stranger(1).unwrap_err(), TurnedAway::Network);
    // One that has few of them is not refused for another's.
    let colleague = admission.stranger(2).unwrap();
    assert_eq!(admission.stranger(1).unwrap_err(), TurnedAway::Network);
    assert!(!is_evicted(&colleague));
    let mut more = vec![colleague];
    let refused = loop {
        match admission.stranger(2) {
            Ok(slot) => more.push(slot),
            Err(reason) => break reason,
        }
    };
    assert_eq!(refused, TurnedAway::Network);
    assert_eq!(evicted(&more).len(), 9, "eight are few");
    drop((held, more));
    assert!(admission.0.connections().is_empty());
}

#[test]
fn a_session_that_has_logged_in_counts_neither_for_its_client_nor_for_its_network() {
    let admission = of(&AdmissionSettings {
        per_client: 2,
        per_network: 3,
        ..settings(100)
    });
    let mut held = Vec::new();
    for _ in 0..20 {
        let slot = admission.stranger(1).unwrap();
        slot.logged_in();
        held.push(slot);
    }
    assert!(evicted(&held).is_empty());
    held.extend((0..2).map(|_| admission.stranger(1).unwrap()));
    held.push(admission.stranger(2).unwrap());
    assert!(evicted(&held).is_empty());
    held.push(admission.stranger(2).unwrap());
    assert_eq!(evicted(&held), [20], "the fourth of the network");
    assert_eq!(admission.counts().evicted_for_network, 1);
}

#[test]
fn a_client_that_logs_in_while_it_gives_way_stays() {
    let admission = of(&AdmissionSettings {
        per_client: 1,
        ..settings(100)
    });
    let first = admission.stranger(1).unwrap();
    let second = admission.stranger(1).unwrap();
    assert!(is_evicted(&first));
    first.logged_in();
    assert!(!is_evicted(&first));
    drop((first, second));
    assert_eq!(admission.counts().held, 0);
    assert!(admission.0.connections().is_empty());
}

/// Connections that are opened one after the other; those that must end are closed. Gives those that stay.
fn opened(connections: impl Iterator<Item = Result<Slot, TurnedAway>>) -> Vec<Slot> {
    let mut held = Vec::new();
    for slot in connections {
        held.push(slot.unwrap());
        held.retain(|slot| !is_evicted(slot));
    }
    held
}

#[test]
fn a_network_gives_up_connections_of_its_loudest_client() {
    let admission = of(&AdmissionSettings {
        per_network: 60,
        ..settings(1_000)
    });
    let office = opened((0..8).map(|_| admission.stranger(1)));
    let loud = opened((0..300).map(|_| admission.stranger(2)));
    assert_eq!((office.len(), loud.len()), (8, 52));
    let single = admission.stranger(3).unwrap();
    assert_eq!(evicted(&loud), [0]);
    assert!(evicted(&office).is_empty() && !is_evicted(&single));
}

#[test]
fn an_attacker_with_many_addresses_does_not_make_a_small_office_the_loudest() {
    let admission = of(&AdmissionSettings {
        per_network: 60,
        ..settings(1_000)
    });
    let many = opened((0..100).map(|number| admission.stranger(number)));
    let office = opened((0..5).map(|_| admission.stranger(200)));
    let more = opened((100..150).map(|number| admission.stranger(number)));
    assert_eq!((evicted(&many).len(), many.len()), (55, 60));
    assert!(evicted(&office).is_empty() && evicted(&more).is_empty());
}

#[test]
fn who_fills_one_stage_shortens_only_the_time_for_that_stage() {
    let admission = of(&AdmissionSettings {
        per_network: 60,
        ..settings(1_000)
    });
    let reached = |progress| {
        let slot = admission.familiar(1)?;
        slot.progressed(progress);
        Ok(slot)
    };
    // A stage that others do not fill is left alone.
    let colleague = reached(ConnectionStage::Spoken).unwrap();
    let silent = opened((0..500).map(|_| admission.familiar(1)));
    assert!(!is_evicted(&colleague));
    colleague.progressed(ConnectionStage::Secured);
    let spoken = opened((0..500).map(|_| reached(ConnectionStage::Spoken)));
    assert!(!is_evicted(&colleague));
    drop((silent, spoken));
    // One who holds all of one stage leaves half of the cap to another.
    let _secured = opened((0..500).map(|_| reached(ConnectionStage::Secured)));
    let newcomer = admission.familiar(1).unwrap();
    let _silent = opened((0..28).map(|_| admission.familiar(1)));
    assert!(!is_evicted(&newcomer));
}

#[test]
fn a_familiar_network_has_a_rate_of_its_own_that_counts_handshakes() {
    let admission = of(&AdmissionSettings {
        connects: Quota {
            burst: 1,
            every: Duration::from_secs(60),
        },
        familiar_connects: Quota {
            burst: 3,
            every: Duration::from_secs(60),
        },
        ..settings(100)
    });
    for _ in 0..50 {
        drop(admission.familiar(1).unwrap());
    }
    let mut held: Vec<Slot> = (0..3)
        .map(|number| admission.familiar(number).unwrap())
        .collect();
    let reason = admission.familiar(4).unwrap_err();
    assert_eq!(reason, TurnedAway::FamiliarConnects);
    held[0].progressed(ConnectionStage::Spoken);
    drop(held.remove(0));
    assert_eq!(admission.familiar(4).unwrap_err(), reason);
    drop(held.remove(0));
    assert!(admission.familiar(4).is_ok(), "it had sent nothing");
    assert!(admission.familiar(256).is_ok(), "another network");
    assert_eq!(admission.counts().turned_away[reason as usize], 2);
}

#[test]
fn the_rate_of_new_connections_is_limited_for_each_client_alone() {
    let admission = of(&AdmissionSettings {
        connects: Quota {
            burst: 3,
            every: Duration::from_secs(10),
        },
        ..settings(100)
    });
    let at = |number, seconds| {
        admission.admit(
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
}

#[test]
fn a_lower_limit_applies_to_new_connections_only() {
    let admission = admission_for(8);
    let held: Vec<Slot> = (0..8)
        .map(|number| admission.familiar(number).unwrap())
        .inspect(Slot::logged_in)
        .collect();
    admission.reconfigure(&settings(4));
    assert_eq!(admission.familiar(9).unwrap_err(), TurnedAway::Full);
    assert_eq!(admission.counts().held, 8);
    drop(held);
    let again: Vec<Slot> = (0..4)
        .map(|number| admission.familiar(number).unwrap())
        .inspect(Slot::logged_in)
        .collect();
    assert_eq!(admission.familiar(9).unwrap_err(), TurnedAway::Full);
    drop(again);
}

#[test]
fn nothing_is_kept_of_a_closed_connection() {
    let admission = admission_for(1_000);
    for number in 0..5_000 {
        let slot = admission.stranger(number * 256).unwrap();
        if number % 2 == 0 {
            slot.logged_in();
        }
    }
    assert!(admission.0.connections().is_empty());
}
