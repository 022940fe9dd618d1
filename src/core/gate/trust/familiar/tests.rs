//! tests - bonds, their age, and the capacity

use std::time::Duration;

use super::*;
use crate::gate::request::client::ClientKey;

const NOW: Moment = Moment::from_seconds(1_800_000_000);
const ANNA: UserId = UserId(1);
const BERT: UserId = UserId(2);

fn network(text: &str) -> NetworkKey {
    text.parse::<ClientKey>().unwrap().network()
}

fn days(days: u64) -> Moment {
    NOW + Duration::from_secs(days * 86_400)
}

fn nth(n: u32) -> NetworkKey {
    ClientKey::V4(n << 8).network()
}

/// A user like no other.
fn person(n: u64) -> UserId {
    UserId(n << 32)
}

fn is_home(familiar: &Familiar, network: NetworkKey) -> bool {
    familiar.network_trust(network) == NetworkTrust::Familiar
}

fn login(familiar: &Familiar, user: UserId, network: NetworkKey, when: Moment) {
    familiar.login(user, Some(network), when, when);
}

#[test]
fn a_login_makes_the_network_familiar_its_carrier_near_and_the_rest_far() {
    let familiar = Familiar::new(100);
    login(&familiar, ANNA, network("203.0.113.7"), NOW);
    let trust = |user, text| familiar.context(user, network(text), 0, NOW).trust;
    assert_eq!(trust(ANNA, "203.0.113.99"), Trust::Familiar);
    assert_eq!(trust(ANNA, "203.0.9.9"), Trust::Near);
    assert_eq!(trust(ANNA, "203.1.113.7"), Trust::Far);
    // Near is a matter of the same user.
    assert_eq!(trust(BERT, "203.0.113.7"), Trust::Far);
    let who = familiar.context(BERT, network("203.0.113.7"), 0, NOW);
    assert!(who.network == NetworkTrust::Familiar && !who.known);
    assert_eq!(who.users, 1);
}

#[test]
fn ipv6_counts_by_48_and_32() {
    let familiar = Familiar::new(100);
    login(&familiar, ANNA, network("2001:db8:1:2::1"), NOW);
    let trust = |text| familiar.context(ANNA, network(text), 0, NOW).trust;
    assert_eq!(trust("2001:db8:1:ffff::1"), Trust::Familiar);
    assert_eq!(trust("2001:db8:2::1"), Trust::Near);
    assert_eq!(trust("2001:db9::1"), Trust::Far);
}

#[test]
fn a_login_of_the_future_is_not_after_what_was_taken_back() {
    let familiar = Familiar::new(100);
    familiar.revoke(ANNA, None, NOW);
    let learn =
        |when: Moment| familiar.login(ANNA, Some(nth(1)), when, NOW + Duration::from_secs(1));
    let trust = || familiar.context(ANNA, nth(1), 0, NOW).trust;
    learn(days(100));
    assert_eq!(trust(), Trust::Far, "this clock is behind that of the log");
    learn(NOW + Duration::from_secs(30));
    assert_eq!(trust(), Trust::Familiar);
}

#[test]
fn a_user_whose_name_has_another_key_comes_with_all_that_was_taken_back() {
    let before = Familiar::new(100);
    for n in [1, 2] {
        login(&before, ANNA, nth(n << 16), NOW);
    }
    before.revoke(ANNA, Some(nth(2 << 16)), days(1));
    let after = Familiar::new(100);
    after.take_over_user(BERT, before.take_user(ANNA).unwrap());
    // Lines of an old log are learnt.
    for n in [1, 2] {
        login(&after, BERT, nth(n << 16), NOW);
    }
    let trust = |n: u32| after.context(BERT, nth(n << 16), 0, days(2)).trust;
    assert_eq!((trust(1), trust(2)), (Trust::Familiar, Trust::Far));
    assert!(before.take_user(ANNA).is_none());
}

#[test]
fn after_90_days_the_pair_is_gone_but_the_user_is_known() {
    let familiar = Familiar::new(100);
    login(&familiar, ANNA, nth(1), NOW);
    let before = days(90) - Duration::from_secs(1);
    assert_eq!(
        familiar.context(ANNA, nth(1), 0, before).trust,
        Trust::Familiar
    );
    let who = familiar.context(ANNA, nth(1), 0, days(90));
    assert_eq!(who.trust, Trust::Far);
    familiar.sweep(days(90));
    let who = familiar.context(ANNA, nth(1), 0, days(90));
    assert!(who.known && who.network == NetworkTrust::Unknown);
    assert_eq!(familiar.counts(), (1, 0));
}

#[test]
fn a_user_keeps_32_networks_and_the_oldest_goes() {
    let familiar = Familiar::new(100);
    for n in 0..33 {
        login(
            &familiar,
            ANNA,
            nth(n),
            NOW + Duration::from_secs(u64::from(n)),
        );
    }
    assert_eq!(familiar.counts(), (1, 32));
    assert!(!is_home(&familiar, nth(0)));
    assert!(is_home(&familiar, nth(1)) && is_home(&familiar, nth(32)));
}

#[test]
fn what_is_learnt_only_ever_adds() {
    let familiar = Familiar::new(100);
    login(&familiar, ANNA, nth(1), days(10));
    familiar.login(ANNA, Some(nth(1)), NOW, days(10));
    let late = days(99);
    assert_eq!(
        familiar.context(ANNA, nth(1), 0, late).trust,
        Trust::Familiar
    );
    // A login of long ago makes known, not familiar; one of the future is one of now.
    familiar.login(BERT, Some(nth(2)), NOW, days(90));
    assert!(familiar.context(BERT, nth(2), 0, days(90)).known);
    assert!(!is_home(&familiar, nth(2)));
    familiar.login(BERT, Some(nth(2)), days(5000), days(90));
    assert_eq!(
        familiar.context(BERT, nth(2), 0, days(180)).trust,
        Trust::Far
    );
}

#[test]
fn the_capacity_is_never_exceeded_and_the_oldest_make_room() {
    let familiar = Familiar::new(1000);
    for n in 0..5000 {
        let when = NOW + Duration::from_secs(u64::from(n));
        login(&familiar, person(u64::from(n)), nth(n), when);
        let (users, pairs) = familiar.counts();
        assert!(users <= 1000 && pairs <= 1000, "{users} {pairs}");
    }
    assert!(is_home(&familiar, nth(4999)) && is_home(&familiar, nth(4100)));
    assert!(!is_home(&familiar, nth(3900)));
    assert!(familiar.evictions() > 3900);
}

#[test]
fn pairs_of_few_users_are_bounded_too() {
    let familiar = Familiar::new(100);
    for user in 0..50 {
        for n in 0..20 {
            let when = NOW + Duration::from_secs(user * 100 + u64::from(n));
            login(&familiar, UserId(user), nth(user as u32 * 100 + n), when);
            assert!(familiar.counts().1 <= 100);
        }
    }
    assert!(is_home(&familiar, nth(4919)));
    assert_eq!(familiar.counts().0, 50);
}

#[test]
fn listed_users_are_known_and_counted_once() {
    let familiar = Familiar::new(100);
    familiar.list([ANNA, BERT].into());
    assert_eq!(familiar.counts().0, 2);
    assert!(familiar.context(ANNA, nth(1), 0, NOW).known);
    login(&familiar, ANNA, nth(1), NOW);
    login(&familiar, UserId(3), nth(1), NOW);
    assert_eq!(familiar.counts().0, 3);
    familiar.list([UserId(4)].into());
    assert_eq!(familiar.counts().0, 3);
    assert!(!familiar.context(BERT, nth(1), 0, NOW).known);
}

#[test]
fn many_names_of_one_account_push_nobody_out() {
    let familiar = Familiar::new(1000);
    for n in 0..900 {
        login(&familiar, person(n + 1), nth(n as u32), NOW);
    }
    for n in 0..5000 {
        let name = UserId(n);
        login(&familiar, name, nth(9999), NOW + Duration::from_secs(n));
    }
    assert_eq!(familiar.evictions(), 0);
    assert_eq!(familiar.counts().0, 900 + LEAST_NAMES);
    assert_eq!(familiar.users(), 901);
    assert!(familiar.context(person(1), nth(0), 0, NOW).trust == Trust::Familiar);
}
