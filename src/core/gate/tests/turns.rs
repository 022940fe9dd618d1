//! turns - who waits before Postfix is asked, and the backend that fails

use super::kit::*;
use crate::gate::buckets::spec::Bucket;
use crate::gate::permit::{First, Verdict};
use crate::gate::processes::ProcessLine;
use crate::gate::request::attempt::AuthOutcome;
use crate::gate::request::change::{Change, Fact};
use crate::gate::request::verdict::Reason;

const HOME: &str = "203.0.113.7";
const FAR: &str = "198.51.100.7";
const GOOD: &str = "Zwiebel-kuchen-fest";

fn first(world: &mut World, from: &str, name: &str) -> First {
    world.ask_first(client(from), name, Some(GOOD))
}

#[test]
fn who_is_not_familiar_waits_for_a_turn_and_pays_nothing_before_it() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    for _ in 0..200 {
        assert!(matches!(first(&mut world, FAR, "anna"), First::Wait));
    }
    for holding in world
        .gate
        .explain(client(FAR), Some(&user("anna")), world.now)
        .buckets
    {
        assert_eq!(holding.tokens, holding.burst, "{}", holding.bucket);
    }
    assert!(world.changes.is_empty());
}

#[test]
fn a_familiar_pair_never_waits() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    assert!(matches!(
        first(&mut world, HOME, "anna"),
        First::Decided(Verdict::Allow(_))
    ));
}

#[test]
fn a_stranger_who_names_a_user_stands_in_another_line() {
    let mut world = World::new(settings());
    world.befriend("anna", "203.0.113.7");
    let mut line =
        |from, name| ProcessLine::of(&world.permit(from, name, "Zwetschge-und-Mirabelle"));
    let own = line("203.0.113.7", "anna");
    assert_eq!(line("203.0.113.8", "ANNA"), own);
    assert_ne!(line("198.51.100.7", "anna"), own);
    assert_ne!(line("203.0.113.7", "bert"), own);
}

#[test]
fn what_a_bucket_would_refuse_anyway_is_refused_at_once() {
    let mut world = World::new(settings());
    for n in 0..10 {
        world.guess(FAR, &format!("u{n}"), &format!("{GOOD}{n}x"));
    }
    let First::Decided(Verdict::Refuse(refusal)) = first(&mut world, FAR, "anna") else {
        panic!("not refused");
    };
    assert_eq!(refusal.reason, Reason::Bucket(Bucket::Client));
}

#[test]
fn after_a_clients_new_failure_its_familiar_pairs_wait_in_turn_for_a_minute() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    world.befriend("bert", HOME);
    world.guess(HOME, "bert", "Falscher-Satz-hier");
    assert!(matches!(first(&mut world, HOME, "anna"), First::Wait));
    // Another client of the same office does not.
    assert!(matches!(
        first(&mut world, "203.0.113.9", "anna"),
        First::Decided(Verdict::Allow(_))
    ));
    world.pass(MINUTE);
    assert!(matches!(
        first(&mut world, HOME, "anna"),
        First::Decided(Verdict::Allow(_))
    ));
    // A forgotten phone's repetitions are no new failures.
    world.guess(HOME, "bert", "Falscher-Satz-hier");
    assert!(matches!(
        first(&mut world, HOME, "anna"),
        First::Decided(Verdict::Allow(_))
    ));
}

#[test]
fn a_turn_that_never_came_is_told_and_counted_and_costs_nothing() {
    let mut world = World::new(settings());
    let refusal = world.miss_turn(client(FAR), "anna", GOOD);
    assert_eq!(refusal.reason, Reason::Turn);
    let status = world.gate.status(world.now);
    let tally = status.tallies.iter().find(|t| t.reason == Reason::Turn);
    assert_eq!(tally.unwrap().refused, 1);
    assert_eq!(status.rows_used, 0);
    assert_eq!(world.gate.explain_session(7)[0].reason, Reason::Turn);
}

/// Five users in five networks, all rejected within seconds.
fn outage(world: &mut World) -> Vec<AuthOutcome> {
    (0..8)
        .map(|n| {
            world.pass(MINUTE / 60);
            let permit = world.permit(&format!("10.{n}.0.1"), &format!("user{n}"), GOOD);
            world.settle(permit, AuthOutcome::Reject)
        })
        .collect()
}

fn office(world: &World) {
    for n in 0..8 {
        world.befriend(&format!("user{n}"), &format!("10.{n}.0.1"));
    }
}

fn told(world: &World, fact: Fact) -> bool {
    world.changes.iter().any(|change| change.fact == fact)
}

#[test]
fn many_familiar_pairs_rejected_within_seconds_are_an_outage() {
    let mut world = World::new(settings());
    office(&world);
    let outcomes = outage(&mut world);
    assert_eq!(outcomes[..4], [AuthOutcome::Reject; 4]);
    assert_eq!(outcomes[4..], [AuthOutcome::Defer; 4]);
    let failing = |change: &&Change| change.fact == Fact::BackendFailing;
    let failed = world.changes.iter().filter(failing);
    assert_eq!(failed.count(), 1);
    let tallies = world.gate.status(world.now).tallies;
    let tally = tallies.iter().find(|tally| tally.reason == Reason::Outage);
    assert_eq!(tally.unwrap().refused, 4);
    // Uncharged, and the password is not taken for wrong.
    let explanation = world
        .gate
        .explain(client("10.6.0.1"), Some(&user("user6")), world.now);
    assert_eq!(explanation.buckets[0].tokens, 20);
    let permit = world.permit("10.6.0.1", "user6", GOOD);
    assert_eq!(permit.grounds(), Reason::Bucket(Bucket::Familiar));
    // Nor is it for those whose rejection came before we knew.
    let before = world.permit("10.2.0.1", "user2", GOOD);
    assert_eq!(before.grounds(), Reason::Bucket(Bucket::Familiar));
    // The first login says that it is well.
    world.settle(permit, AuthOutcome::Accept);
    assert!(told(&world, Fact::BackendRecovered));
    let permit = world.permit("10.7.0.1", "user7", "Falscher-Satz-hier");
    assert_eq!(
        world.settle(permit, AuthOutcome::Reject),
        AuthOutcome::Reject
    );
}

#[test]
fn a_login_in_between_or_a_longer_time_says_that_the_backend_is_well() {
    let mut world = World::new(settings());
    office(&world);
    for n in 0..8 {
        if n == 4 {
            world.login("10.0.0.1", "user0");
        }
        world.guess(
            &format!("10.{n}.0.1"),
            &format!("user{n}"),
            "Falscher-Satz-hier",
        );
    }
    world.pass(HOUR);
    for n in 0..8 {
        world.pass(MINUTE / 20);
        world.guess(
            &format!("10.{n}.0.1"),
            &format!("user{n}"),
            "Noch-ein-Satz-hier",
        );
    }
    assert!(!told(&world, Fact::BackendFailing));
}

#[test]
fn an_infected_pc_behind_the_offices_address_is_an_attack_and_no_outage() {
    let mut world = World::new(settings());
    for n in 0..50 {
        world.befriend(&format!("user{n}"), HOME);
    }
    for n in 0..50 {
        world.guess(HOME, &format!("user{n}"), GOOD);
    }
    assert!(!told(&world, Fact::BackendFailing));
}

#[test]
fn an_outage_that_nobody_confirms_is_forgotten() {
    let mut world = World::new(settings());
    office(&world);
    outage(&mut world);
    world.pass(MINUTE * 10);
    assert!(told(&world, Fact::BackendRecovered));
    assert!(!world.gate.status(world.now).backend_outage);
}
