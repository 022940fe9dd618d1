//! tweaks - rule 1 of words: a password that is one edit from what strangers tried at the same user

use super::kit::*;
use crate::gate::buckets::spec::{Bucket, Ladder};
use crate::gate::request::settings::GateSettings;
use crate::gate::request::verdict::Reason;

const HOME: &str = "192.0.2.1";
const WORDS: Fate = Fate::Asked(Reason::Bucket(Bucket::Words));
const STRANGERS: Fate = Fate::Asked(Reason::Bucket(Bucket::Strangers));

/// Each address in a network of its own.
fn from(n: usize) -> String {
    format!("10.{n}.0.1")
}

fn world(settings: GateSettings) -> World {
    let world = World::new(settings);
    for n in 0..30 {
        world.befriend(&format!("user{n}"), HOME);
    }
    world
}

#[test]
fn from_the_third_stranger_on_forms_of_one_password_pay_as_words() {
    let mut world = world(settings());
    let mut guess = |n, name, password| world.guess(&from(n), name, password);
    assert_eq!(guess(1, "user1", "Zwiebelfest1"), STRANGERS);
    assert_eq!(guess(2, "user1", "zwiebolfest2"), STRANGERS);
    // Either may be a typing error, until the right password is long overdue.
    assert_eq!(guess(7, "user1", "Zwiebelfest9"), STRANGERS);
    world.pass(MINUTE * 10);
    let mut guess = |n, name, password| world.guess(&from(n), name, password);
    assert_eq!(guess(3, "user1", "Zwiebilfest"), WORDS);
    assert_eq!(guess(4, "user1", "ZWIEBLFEST2027!"), WORDS);
    assert_eq!(guess(5, "user1", "Kuchenschlacht"), STRANGERS);
    // Nobody else's.
    assert_eq!(guess(6, "user2", "Zwiebelfest1"), STRANGERS);
}

#[test]
fn a_traveller_who_mistypes_in_one_place_is_no_campaign() {
    let mut world = world(settings());
    for n in 0..5 {
        let password = format!("Zwiebelfest{n}");
        assert_eq!(world.guess(&from(1), "user1", &password), STRANGERS);
    }
    world.pass(MINUTE * 10);
    // From the next hotel, and from a phone that still has the password before.
    assert_eq!(world.guess(&from(2), "user1", "Zwiebelfest"), STRANGERS);
}

#[test]
fn who_mistypes_on_every_journey_and_then_logs_in_is_no_campaign_either() {
    let mut world = world(settings());
    let typed = [
        "Korrrekt-Pferd-Batterie",
        "Korreckt-Pferd-Batterie",
        "Korrekt-Pfferd-Batterie",
    ];
    for (n, typed) in typed.into_iter().enumerate() {
        assert_eq!(world.guess(&from(n), "user1", typed), STRANGERS, "{typed}");
        assert_eq!(world.login(&from(n), "user1"), STRANGERS);
        world.pass(HOUR);
    }
}

#[test]
fn at_home_and_near_it_nothing_is_compared() {
    let mut world = world(settings());
    for n in 1..4 {
        world.guess(&from(n), "user1", &format!("Zwiebelfest{n}"));
    }
    world.pass(MINUTE * 10);
    let familiar = Reason::Bucket(Bucket::Familiar);
    let near = Reason::Bucket(Bucket::Near);
    assert_eq!(
        world.guess(HOME, "user1", "Zwiebelfest7"),
        Fate::Asked(familiar)
    );
    assert_eq!(
        world.guess("192.0.9.9", "user1", "Zwiebelfest8"),
        Fate::Asked(near)
    );
}

#[test]
fn where_it_is_left_out_they_pay_as_any_others() {
    let mut world = world(GateSettings {
        ladder: Ladder::default().without_tweaks(),
        ..settings()
    });
    for n in 1..9 {
        let password = format!("Zwiebelfest{n}");
        assert_eq!(world.guess(&from(n), "user1", &password), STRANGERS);
        world.pass(MINUTE * 10);
    }
}

#[test]
fn invented_names_are_told_the_same_while_words_are_used_up() {
    let mut world = world(settings());
    for n in 0..20 {
        let fate = world.guess(&from(100 + n), &format!("user{}", 5 + n), "password");
        assert_eq!(fate, WORDS);
    }
    for (n, password) in ["Zwiebelfest1", "zwiebolfest2", "Zwiebilfest"]
        .into_iter()
        .enumerate()
    {
        let known = world.told(&from(2 * n), "user1", password);
        let invented = world.told(&from(2 * n + 1), "ghost1", password);
        let want = if n < 2 { 535 } else { 454 };
        assert_eq!([known, invented], [want; 2], "{password}");
        world.pass(MINUTE * 10);
    }
}
