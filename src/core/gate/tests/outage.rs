//! outage - the backend that fails, and those who feign that it does
//!
//! Not here: the order of the queue (`gate::queue`), a real Dovecot that fails (`integration`).

use std::collections::HashSet;

use proptest::prelude::*;

use super::kit::*;
use crate::gate::buckets::spec::Bucket;
use crate::gate::permit::{First, Verdict};
use crate::gate::queue::QueueClass;
use crate::gate::request::attempt::AuthOutcome;
use crate::gate::request::change::{Change, Fact};
use crate::gate::request::verdict::Reason;

const GOOD: &str = "Zwiebel-kuchen-fest";
const SECOND: std::time::Duration = std::time::Duration::from_secs(1);
/// The defaults of the bucket `familiar`.
const BURST: u32 = 20;

fn home(n: usize) -> String {
    format!("10.{n}.0.1")
}

fn name(n: usize) -> String {
    format!("user{n}")
}

/// So many users, each in a network of their own.
fn office(users: usize) -> World {
    let world = World::new(settings());
    (0..users).for_each(|n| world.befriend(&name(n), &home(n)));
    world
}

/// A try that Postfix rejects whatever the password; none: it is not asked.
fn rejected(world: &mut World, from: &str, name: &str, password: &str) -> Option<AuthOutcome> {
    match world.judge(client(from), name, Some(password)) {
        Verdict::Allow(permit) => Some(world.settle(permit, AuthOutcome::Reject)),
        Verdict::Refuse(refusal) | Verdict::Crowded(refusal) => {
            assert_eq!(refusal.reason, Reason::Outage);
            None
        }
        Verdict::Repeat => panic!("told that the password is wrong"),
    }
}

/// One after the other tries the right password, and all are rejected within seconds.
fn outage(world: &mut World, users: usize) -> Vec<AuthOutcome> {
    let all = (0..users).map(|n| {
        world.pass(SECOND);
        rejected(world, &home(n), &name(n), GOOD).unwrap()
    });
    all.collect()
}

fn told(world: &World, fact: Fact) -> bool {
    world.changes.iter().any(|change| change.fact == fact)
}

fn left(world: &World, n: usize) -> u32 {
    tokens(world, &home(n), &name(n), Reason::Bucket(Bucket::Familiar))
}

#[test]
fn many_familiar_pairs_rejected_within_seconds_are_an_outage() {
    let mut world = office(8);
    let outcomes = outage(&mut world, 8);
    assert_eq!(outcomes[..4], [AuthOutcome::Reject; 4]);
    assert_eq!(outcomes[4..], [AuthOutcome::Defer; 4]);
    let failing = |change: &&Change| change.fact == Fact::BackendFailing;
    let failed = world.changes.iter().filter(failing);
    assert_eq!(failed.count(), 1);
    let tallies = world.gate.status(world.now).tallies;
    let tally = tallies.iter().find(|tally| tally.reason == Reason::Outage);
    assert_eq!(tally.unwrap().refused, 4);
    // The first login says that it is well.
    world.pass(MINUTE);
    world.attempt(client(&home(6)), &name(6), Some("Korrekt-Pferd-Batterie"));
    assert!(told(&world, Fact::BackendRecovered));
    let permit = world.permit(&home(7), &name(7), "Falscher-Satz-hier");
    assert_eq!(
        world.settle(permit, AuthOutcome::Reject),
        AuthOutcome::Reject
    );
}

#[test]
fn what_is_tried_meanwhile_is_charged_and_given_back_when_the_same_password_is_right() {
    let mut world = office(8);
    outage(&mut world, 8);
    assert!((0..8).all(|n| left(&world, n) == BURST - 1));
    // Those that were rejected before it was seen, too.
    world.pass(MINUTE);
    for n in 0..8 {
        let permit = world.permit(&home(n), &name(n), GOOD);
        world.settle(permit, AuthOutcome::Accept);
        assert_eq!(left(&world, n), BURST, "{n}");
    }
}

#[test]
fn another_password_that_is_right_gives_back_nothing_but_its_own() {
    let mut world = office(8);
    outage(&mut world, 8);
    world.guess(&home(0), &name(0), "Falscher-Satz-hier");
    world.login(&home(0), &name(0));
    assert_eq!(left(&world, 0), BURST - 2);
}

#[test]
fn a_password_in_doubt_that_is_found_wrong_stays_paid_and_is_known_to_be_wrong() {
    let mut world = office(8);
    outage(&mut world, 8);
    world.login(&home(7), &name(7));
    assert_eq!(
        world.guess(&home(0), &name(0), GOOD),
        Fate::Asked(Reason::Repeat)
    );
    assert_eq!(left(&world, 0), BURST - 1);
    assert_eq!(world.guess(&home(0), &name(0), GOOD), Fate::Repeat);
}

#[test]
fn mail_programs_that_retry_for_hours_pay_once_and_get_in_when_it_is_over() {
    let mut world = office(60);
    outage(&mut world, 60);
    for minute in 0..180 {
        world.pass(MINUTE);
        for n in 0..60 {
            let outcome = rejected(&mut world, &home(n), &name(n), GOOD);
            assert_eq!(outcome, Some(AuthOutcome::Defer), "{minute}");
        }
    }
    assert!((0..60).all(|n| left(&world, n) >= BURST - 1));
    world.pass(MINUTE);
    for n in 0..60 {
        let permit = world.permit(&home(n), &name(n), GOOD);
        world.settle(permit, AuthOutcome::Accept);
        assert_eq!(left(&world, n), BURST);
    }
}

#[test]
fn a_pair_without_tokens_is_still_asked_about_the_password_in_doubt() {
    let mut world = office(8);
    outage(&mut world, 8);
    // Somebody else in the network uses up what the user has.
    for n in 0..40 {
        world.guess("10.7.0.9", &name(7), &format!("Zwiebel{n}kuchen{n}"));
    }
    assert_eq!(left(&world, 7), 0);
    world.pass(MINUTE);
    let permit = world.permit(&home(7), &name(7), GOOD);
    world.settle(permit, AuthOutcome::Accept);
    assert_eq!(left(&world, 7), 1);
}

#[test]
fn hidden_passwords_are_tried_once_in_ten_minutes_so_that_nobody_runs_out_of_tokens() {
    let mut world = office(9);
    outage(&mut world, 8);
    for second in 0..3600 {
        world.pass(SECOND);
        if second % 60 == 0 {
            rejected(&mut world, &home(7), &name(7), GOOD);
        }
        if let Verdict::Allow(permit) = world.judge(client(&home(8)), &name(8), None) {
            assert_eq!(
                world.settle(permit, AuthOutcome::Reject),
                AuthOutcome::Defer
            );
        }
    }
    assert!(left(&world, 8) >= BURST - 7, "{}", left(&world, 8));
}

#[test]
fn while_an_outage_is_suspected_familiar_pairs_are_tried_in_turn_and_before_strangers() {
    let mut world = office(10);
    let class = |world: &mut World, from: &str, name: &str| match world.ask_first(
        client(from),
        name,
        Some("Kartoffel-salat"),
    ) {
        First::Wait(class) => Some(class),
        First::Decided(_) => None,
    };
    assert_eq!(class(&mut world, &home(9), &name(9)), None);
    outage(&mut world, 8);
    assert_eq!(
        class(&mut world, &home(9), &name(9)),
        Some(QueueClass::Probe)
    );
    assert_eq!(
        class(&mut world, "198.51.100.1", &name(9)),
        Some(QueueClass::Ordinary)
    );
    world.login(&home(0), &name(0));
    assert_eq!(class(&mut world, &home(9), &name(9)), None);
}

#[test]
fn who_feigns_an_outage_gets_no_free_checks_out_of_it_and_no_place_before_others() {
    let mut world = office(10);
    outage(&mut world, 8);
    let mut asked = 0;
    for _ in 0..600 {
        asked += usize::from(rejected(&mut world, &home(7), &name(7), GOOD).is_some());
        world.pass(SECOND);
    }
    assert!((10..=12).contains(&asked), "{asked} checks in ten minutes");
    // Neither the password in doubt nor another one of the pair.
    for password in [GOOD, "Noch-ein-Satz-hier"] {
        world.pass(MINUTE);
        rejected(&mut world, &home(6), &name(6), "Kein-Satz-hier");
        let place = world.ask_first(client(&home(7)), &name(7), Some(password));
        assert!(
            matches!(place, First::Wait(QueueClass::Neighbour)),
            "{place:?}"
        );
    }
    let place = world.ask_first(client(&home(9)), &name(9), Some(GOOD));
    assert!(matches!(place, First::Wait(QueueClass::Probe)), "{place:?}");
}

#[test]
fn a_strangers_right_password_is_not_told_to_be_wrong_and_ends_the_outage() {
    let mut world = office(8);
    outage(&mut world, 8);
    let far = "198.51.100.1";
    assert_eq!(
        rejected(&mut world, far, "user0", GOOD),
        Some(AuthOutcome::Defer)
    );
    let spent = tokens(&world, far, "user0", Reason::Bucket(Bucket::Client));
    assert_eq!(spent, 9);
    world.pass(MINUTE);
    let permit = world.permit(far, "user0", GOOD);
    assert_eq!(permit.grounds(), Reason::Repeat);
    world.settle(permit, AuthOutcome::Accept);
    assert!(told(&world, Fact::BackendRecovered));
    let all = tokens(&world, far, "user0", Reason::Bucket(Bucket::Client));
    assert_eq!(all, 10);
}

#[test]
fn a_login_in_between_or_a_longer_time_says_that_the_backend_is_well() {
    let mut world = office(8);
    for n in 0..8 {
        if n == 4 {
            world.login(&home(0), &name(0));
        }
        world.guess(&home(n), &name(n), "Falscher-Satz-hier");
    }
    world.pass(HOUR);
    for n in 0..8 {
        world.pass(SECOND * 3);
        world.guess(&home(n), &name(n), "Noch-ein-Satz-hier");
    }
    assert!(!told(&world, Fact::BackendFailing));
}

#[test]
fn an_infected_pc_behind_the_offices_address_is_an_attack_and_no_outage() {
    let mut world = World::new(settings());
    for n in 0..50 {
        world.befriend(&name(n), "203.0.113.7");
    }
    for n in 0..50 {
        world.guess("203.0.113.7", &name(n), GOOD);
    }
    assert!(!told(&world, Fact::BackendFailing));
}

#[test]
fn pairs_that_logged_in_for_the_first_time_within_the_hour_give_no_sign() {
    for (age, seen) in [(HOUR - SECOND, false), (HOUR, true)] {
        let mut world = World::new(settings());
        for n in 0..8 {
            world.login(&home(n), &name(n));
        }
        world.pass(age);
        for n in 0..8 {
            world.guess(&home(n), &name(n), "Falscher-Satz-hier");
        }
        assert_eq!(told(&world, Fact::BackendFailing), seen);
    }
}

#[test]
fn an_outage_that_nobody_confirms_is_forgotten() {
    let mut world = office(8);
    outage(&mut world, 8);
    world.pass(MINUTE * 10);
    assert!(told(&world, Fact::BackendRecovered));
    assert!(!world.gate.status(world.now).backend_outage);
}

/// What an attacker with accounts of their own may do, who has an address in the victim's network.
#[derive(Clone, Debug)]
enum Deed {
    /// A wrong password for each of the own accounts.
    Feign,
    /// A right one for one of them.
    Recover,
    /// So many new guesses at the victim, from as many addresses of the victim's own network.
    Guess(u8),
    /// Old guesses once more.
    Again(u8),
    /// The victim logs in.
    Victim,
    /// So many seconds pass.
    Pass(u16),
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        3 => Just(Deed::Feign),
        1 => Just(Deed::Recover),
        4 => (1u8..60).prop_map(Deed::Guess),
        2 => (1u8..60).prop_map(Deed::Again),
        1 => Just(Deed::Victim),
        2 => (0u16..2000).prop_map(Deed::Pass),
    ];
    proptest::collection::vec(deed, 0..40)
}

proptest! {
    #[test]
    fn whatever_is_feigned_a_victim_gets_no_more_new_guesses_than_the_bucket_holds(
        deeds in deeds()
    ) {
        const OWN: usize = 8;
        let mut world = office(OWN + 1);
        let (victim, mut next, mut reached) = (name(OWN), 0, HashSet::new());
        let mut guess = |world: &mut World, number: usize| {
            let from = format!("10.{OWN}.0.{}", 1 + number % 250);
            let fate = world.guess(&from, &victim, &format!("Zwiebel{number}kuchen{number}"));
            if matches!(fate, Fate::Asked(_)) {
                reached.insert(number);
            }
        };
        for (round, deed) in deeds.into_iter().enumerate() {
            match deed {
                Deed::Feign => (0..OWN).for_each(|n| {
                    world.guess(&home(n), &name(n), &format!("Feint{round}of{n}"));
                }),
                Deed::Recover => drop(world.login(&home(0), &name(0))),
                Deed::Guess(count) => (0..count).for_each(|_| {
                    guess(&mut world, next);
                    next += 1;
                }),
                Deed::Again(count) => {
                    let from = next.saturating_sub(usize::from(count));
                    (from..next).for_each(|number| guess(&mut world, number));
                }
                Deed::Victim => drop(world.login(&home(OWN), &victim)),
                Deed::Pass(seconds) => world.pass(SECOND * u32::from(seconds)),
            }
        }
        let back = world.now.since(START).as_secs() / (30 * 60);
        let most = u64::from(BURST) + back;
        prop_assert!(reached.len() as u64 <= most, "{} of {most}", reached.len());
    }
}
