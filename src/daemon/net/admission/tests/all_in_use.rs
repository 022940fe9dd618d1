//! all_in_use - when all sessions are in use: who gives way, and what is reserved for familiar networks

use super::*;

/// So many strangers, each at an address of its own.
fn strangers(admission: &Admission, count: u32) -> Vec<Slot> {
    (0..count)
        .map(|number| admission.stranger(number).unwrap())
        .collect()
}

#[test]
fn the_allow_list_is_limited_by_the_total_only() {
    let admission = of(&AdmissionSettings {
        per_client: 1,
        per_network: 1,
        connects: Quota {
            burst: 1,
            every: Duration::from_secs(60),
        },
        ..settings(4)
    });
    let webmail = || admission.admit(client(1), Standing::Allow, NOW);
    let held: Vec<Slot> = (0..4).map(|_| webmail().unwrap()).collect();
    held.iter().for_each(Slot::logged_in);
    assert_eq!(webmail().unwrap_err(), TurnedAway::Full);
    drop(held);
    assert!(webmail().is_ok());
}

#[test]
fn what_has_not_logged_in_gives_way_also_on_the_allow_list_and_there_last() {
    let admission = admission_for(400);
    let allowed = |number| admission.admit(client(number), Standing::Allow, NOW);
    // Fifty of each network are in the reserve.
    let hosts = opened((0..100).map(|number| allowed(256 * (number % 2))));
    let users = opened((0..150).map(|number| admission.familiar(10_000 + number)));
    let silent = opened((0..150).map(|_| allowed(1)));
    assert_eq!((hosts.len(), users.len(), silent.len()), (100, 150, 150));
    silent[1].logged_in();
    // As long as it leaves half to the others, others give way first.
    let stranger = admission.stranger(60_000).unwrap();
    assert_eq!((evicted(&users), evicted(&silent)), (vec![0], vec![]));
    // Beyond half its own oldest go, but none that has logged in.
    let more = opened((0..3).map(|_| allowed(1)));
    assert!(is_evicted(&stranger));
    assert_eq!((evicted(&users), evicted(&silent)), (vec![0, 1], vec![0]));
    let user = admission.familiar(20_000).unwrap();
    assert_eq!(
        (evicted(&users), evicted(&silent)),
        (vec![0, 1], vec![0, 2])
    );
    assert!(!is_evicted(&user) && evicted(&more).is_empty());
}

#[test]
fn when_all_sessions_are_in_use_the_oldest_stranger_is_evicted() {
    let admission = admission_for(3);
    let first = admission.stranger(1).unwrap();
    let second = admission.stranger(2).unwrap();
    let third = admission.stranger(3).unwrap();
    let fourth = admission.stranger(4).unwrap();
    assert!(is_evicted(&first));
    assert!(is_evicted(&first), "also when asked again");
    assert!(!is_evicted(&second));
    drop(first);
    let fifth = admission.stranger(5).unwrap();
    assert!(is_evicted(&second));
    assert!(!is_evicted(&third) && !is_evicted(&fourth) && !is_evicted(&fifth));
    drop(third);
    drop(second);
    let sixth = admission.stranger(6).unwrap();
    assert!(!is_evicted(&fourth), "there was room");
    assert_eq!(admission.counts().held, 3);
    assert_eq!(admission.counts().evicted, 2);
    drop((fourth, fifth, sixth));
    assert_eq!(admission.counts().held, 0);
}

#[test]
fn a_logged_in_client_is_not_evicted_and_new_ones_are_turned_away() {
    let admission = admission_for(3);
    let held = strangers(&admission, 3);
    held[0].logged_in();
    let fourth = admission.stranger(4).unwrap();
    assert!(!is_evicted(&held[0]));
    assert!(is_evicted(&held[1]));
    fourth.logged_in();
    held[2].logged_in();
    held[2].logged_in();
    assert_eq!(admission.stranger(5).unwrap_err(), TurnedAway::Full);
}

#[test]
fn a_login_during_an_eviction_wins() {
    let admission = admission_for(1);
    let first = admission.stranger(1).unwrap();
    let second = admission.stranger(2).unwrap();
    first.logged_in();
    assert!(!is_evicted(&first));
    let third = admission.stranger(3).unwrap();
    assert!(is_evicted(&second), "the whole is above its cap");
    drop((second, third));
    assert_eq!(admission.counts().held, 1);
    drop(first);
    assert_eq!(admission.counts().held, 0);
}

#[tokio::test]
async fn the_evicted_session_is_woken() {
    let admission = admission_for(1);
    let first = admission.stranger(1).unwrap();
    tokio::select! {
        biased;
        () = first.evicted() => {}
        () = async { admission.stranger(2).unwrap().evicted().await } => {}
    }
}

#[test]
fn strangers_never_use_the_reserve_for_familiar_networks() {
    let admission = admission_for(400);
    let strangers = strangers(&admission, 300);
    assert_eq!(admission.counts().evicted, 0);
    let _one_more = admission.stranger(300).unwrap();
    assert_eq!(admission.counts().evicted, 1);
    // Two familiar networks fill the reserve without an eviction.
    let first: Vec<Slot> = (0..50)
        .map(|_| admission.familiar(1_000).unwrap())
        .collect();
    let second: Vec<Slot> = (0..50)
        .map(|_| admission.familiar(2_000).unwrap())
        .collect();
    assert_eq!(admission.counts().evicted, 1);
    // Beyond it strangers are evicted for them.
    let _beyond = admission.familiar(3_000).unwrap();
    assert_eq!(admission.counts().evicted, 2);
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
fn one_familiar_network_uses_at_most_fifty_of_the_reserve() {
    let admission = admission_for(400);
    let _strangers = strangers(&admission, 300);
    // 51 from one /24, though from many clients.
    let mut in_network: Vec<Slot> = (0..50)
        .map(|n| admission.familiar(25_600 + n))
        .map(Result::unwrap)
        .collect();
    assert_eq!(admission.counts().evicted, 0);
    in_network.push(admission.familiar(25_650).unwrap());
    assert_eq!(
        admission.counts().evicted,
        1,
        "the 51st is in the unreserved part"
    );
    let _other = admission.familiar(51_200).unwrap();
    assert_eq!(
        admission.counts().evicted,
        1,
        "the rest of the quarter is still there"
    );
    // A place that is freed in the reserve goes to the next connection of the network.
    drop(in_network.remove(0));
    let _next = admission.familiar(25_651).unwrap();
    assert_eq!(admission.counts().evicted, 1);
}

#[test]
fn beyond_the_reserve_familiar_clients_are_evicted_after_all_strangers() {
    let admission = admission_for(400);
    let _quarter: Vec<Slot> = (0..100)
        .map(|number| admission.familiar(1_000 + 256 * (number / 50)).unwrap())
        .collect();
    let thief: Vec<Slot> = (0..299)
        .map(|number| admission.familiar(10_000 + 256 * (number / 50)).unwrap())
        .collect();
    let stranger = admission.stranger(1).unwrap();
    let _traveller = admission.stranger(2).unwrap();
    assert!(is_evicted(&stranger) && !thief.iter().any(is_evicted));
    let _at_home = admission.familiar(50_000).unwrap();
    let _other = admission.stranger(3).unwrap();
    assert!(is_evicted(&thief[0]) && !is_evicted(&thief[1]));
    thief[1].logged_in();
    let _next = admission.stranger(4).unwrap();
    assert!(!is_evicted(&thief[1]));
}

#[test]
fn no_more_are_evicted_at_once_than_the_slack_holds() {
    let admission = admission_for(8);
    let _slow = strangers(&admission, 6);
    let most = 8 / 8 + EVICTION_SLACK;
    let mut held = Vec::new();
    for number in 0..most {
        held.push(admission.stranger(100 + number as u32).unwrap());
    }
    assert_eq!(admission.stranger(999).unwrap_err(), TurnedAway::Full);
    assert_eq!(admission.counts().held, 6 + most);
}
