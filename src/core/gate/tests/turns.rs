//! turns - who waits before Postfix is asked
//!
//! Not here: the backend that fails (`outage`), the queue itself (`gate::queue`).

use super::kit::*;
use crate::gate::buckets::spec::Bucket;
use crate::gate::permit::{First, Verdict};
use crate::gate::processes::ProcessLine;
use crate::gate::queue::QueueClass;
use crate::gate::request::verdict::Reason;

const GOOD: &str = "Zwiebel-kuchen-fest";

fn first(world: &mut World, from: &str, name: &str) -> First {
    world.ask_first(client(from), name, Some(GOOD))
}

#[test]
fn who_is_not_familiar_waits_for_a_turn_and_pays_nothing_before_it() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    for _ in 0..200 {
        assert!(matches!(first(&mut world, FAR, "anna"), First::Wait(_)));
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
fn where_somebody_has_logged_in_a_newcomer_waits_before_a_pool() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    world.befriend("bert", "192.0.2.1");
    for (from, class) in [
        (HOME, QueueClass::Neighbour),
        (FAR, QueueClass::Ordinary),
        // Nor in a network that is only near one.
        ("203.0.9.9", QueueClass::Ordinary),
    ] {
        let First::Wait(waits) = first(&mut world, from, "bert") else {
            panic!("{from} does not wait");
        };
        assert_eq!(waits, class, "{from}");
    }
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
    assert!(matches!(first(&mut world, HOME, "anna"), First::Wait(_)));
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

/// The class in which a right password waits.
fn class(world: &mut World, from: &str, name: &str) -> Option<QueueClass> {
    match first(world, from, name) {
        First::Wait(class) => Some(class),
        First::Decided(_) => None,
    }
}

#[test]
fn after_a_typing_error_a_familiar_pair_waits_before_strangers_but_not_without_end() {
    let mut world = World::new(settings());
    for name in ["anna", "bert"] {
        world.befriend(name, HOME);
    }
    world.guess(HOME, "anna", "Falscher-Satz-hier");
    for _ in 0..10 {
        assert_eq!(class(&mut world, HOME, "anna"), Some(QueueClass::AtHome));
        world.login(HOME, "anna");
    }
    assert_eq!(class(&mut world, HOME, "anna"), Some(QueueClass::Neighbour));
    assert_eq!(class(&mut world, HOME, "bert"), Some(QueueClass::AtHome));
    world.pass(MINUTE * 5);
    world.guess(HOME, "anna", "Noch-ein-Satz-hier");
    assert_eq!(class(&mut world, HOME, "anna"), Some(QueueClass::AtHome));
    world.login(HOME, "anna");
    assert_eq!(class(&mut world, HOME, "anna"), Some(QueueClass::Neighbour));
}

fn abroad(n: usize) -> String {
    format!("198.{n}.7.9")
}

#[test]
fn who_was_let_in_from_many_networks_waits_behind_others_and_guesses_at_a_user_change_nothing() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    world.befriend("carl", "192.0.2.1");
    for n in 0..9 {
        world.guess(&abroad(200 + n), "bert", &format!("Falscher-Satz-{n}"));
    }
    assert_eq!(
        class(&mut world, &abroad(100), "bert"),
        Some(QueueClass::Ordinary)
    );
    for n in 0..10 {
        let waits = class(&mut world, &abroad(n), "anna");
        assert_eq!(waits, Some(QueueClass::Ordinary), "{n}");
        world.login(&abroad(n), "anna");
    }
    for from in [&abroad(100), "192.0.2.7"] {
        let waits = class(&mut world, from, "anna");
        assert_eq!(waits, Some(QueueClass::Frequent), "{from}");
    }
    for from in [HOME, &abroad(3)] {
        assert_eq!(class(&mut world, from, "anna"), None, "{from}");
    }
    assert_eq!(
        class(&mut world, &abroad(100), "carl"),
        Some(QueueClass::Ordinary)
    );
    world.pass(MINUTE * 5);
    assert_eq!(
        class(&mut world, &abroad(100), "anna"),
        Some(QueueClass::Ordinary)
    );
}

#[test]
fn who_was_let_in_often_while_it_waited_goes_on_waiting_in_a_lower_class() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    let lowered = |world: &World, from: &str, name: &str, class| {
        let now = world.now;
        with_attempt(
            (client(from), None, Default::default()),
            name,
            Some(GOOD),
            |try_| world.gate.lowered(try_, class, now),
        )
    };
    assert_eq!(
        lowered(&world, FAR, "anna", QueueClass::Ordinary),
        None,
        "nobody was let in"
    );
    for n in 0..10 {
        world.login(&abroad(n), "anna");
    }
    for (from, class, lower) in [
        (FAR, QueueClass::Ordinary, Some(QueueClass::Frequent)),
        (FAR, QueueClass::Forgiven, Some(QueueClass::Frequent)),
        (FAR, QueueClass::Frequent, None),
        (FAR, QueueClass::Probe, None),
        // It became familiar there meanwhile.
        (&abroad(3), QueueClass::Ordinary, None),
        (HOME, QueueClass::AtHome, None),
    ] {
        let told = lowered(&world, from, "anna", class);
        assert_eq!(told, lower, "{from} {class:?}");
    }
    assert_eq!(lowered(&world, FAR, "bert", QueueClass::Ordinary), None);
    world.guess(HOME, "anna", "Falscher-Satz-hier");
    for _ in 0..10 {
        world.login(HOME, "anna");
    }
    assert_eq!(
        lowered(&world, HOME, "anna", QueueClass::AtHome),
        Some(QueueClass::Neighbour)
    );
    assert_eq!(lowered(&world, HOME, "anna", QueueClass::Neighbour), None);
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
