//! retries - the last sixth of a bucket is kept for attempts that were refused and come again, and a ban is for who
//! guesses fast: so a crowd gets in behind the address of a guesser

use std::time::Duration;

use super::kit::*;
use crate::gate::buckets::spec::{Bucket, Ladder};
use crate::gate::request::settings::GateSettings;
use crate::gate::request::verdict::Reason;

const OFFICE: &str = "198.51.100.7";
const HOME: &str = "192.0.2.1";
const REFUSED: Fate = Fate::Refused(Reason::Bucket(Bucket::Client));

/// The gate as it is delivered.
fn world() -> World {
    World::new(GateSettings {
        ladder: Ladder::default(),
        bans: GateSettings::default().bans,
        ..settings()
    })
}

/// A password that nobody else has.
fn unique(n: u64) -> String {
    format!("Einzig{n}artig{n}es")
}

/// A machine in the office guesses at a colleague, with another password each time.
fn guess(world: &mut World, n: u64) -> Fate {
    world.guess(OFFICE, &format!("user{}", n % 40), &unique(n))
}

/// A server with 40 users, one of whose colleagues' machines has used up what the office's address has.
fn besieged() -> World {
    let mut world = world();
    for n in 0..40 {
        world.befriend(&format!("user{n}"), HOME);
    }
    for n in 0..9 {
        assert!(matches!(guess(&mut world, n), Fate::Asked(_)), "{n}");
    }
    assert_eq!(guess(&mut world, 9), REFUSED);
    world
}

#[test]
fn who_was_refused_gets_in_a_minute_later_and_not_at_once() {
    let mut world = besieged();
    assert_eq!(world.login(OFFICE, "user1"), REFUSED);
    world.pass(Duration::from_secs(59));
    assert_eq!(world.login(OFFICE, "user1"), REFUSED);
    world.pass(Duration::from_secs(2));
    assert!(matches!(world.login(OFFICE, "user1"), Fate::Asked(_)));
}

#[test]
fn who_comes_too_soon_need_not_wait_anew() {
    let mut world = besieged();
    for _ in 0..7 {
        assert_eq!(world.login(OFFICE, "user1"), REFUSED);
        world.pass(Duration::from_secs(9));
    }
    assert!(matches!(world.login(OFFICE, "user1"), Fate::Asked(_)));
}

#[test]
fn another_password_or_another_user_is_no_retry() {
    let mut world = besieged();
    assert_eq!(world.guess(OFFICE, "user1", &unique(100)), REFUSED);
    world.pass(MINUTE * 2);
    assert_eq!(world.guess(OFFICE, "user1", &unique(101)), REFUSED);
    assert_eq!(world.guess(OFFICE, "user2", &unique(100)), REFUSED);
}

#[test]
fn a_guesser_that_comes_again_gets_what_the_bucket_has_and_no_more() {
    let mut world = besieged();
    world.pass(MINUTE * 2);
    assert!(matches!(guess(&mut world, 9), Fate::Asked(_)));
    let mut asked = 10;
    // A day of guesses, each of them tried twice more.
    for minute in 0..24 * 60 {
        for round in 0..3 {
            let fate = guess(&mut world, 1_000 + minute);
            asked += usize::from(matches!(fate, Fate::Asked(reason) if reason != Reason::Repeat));
            world.pass(Duration::from_secs(if round < 2 { 25 } else { 10 }));
        }
    }
    assert!((10 + 40..=10 + 48).contains(&asked), "{asked}");
}

#[test]
fn what_shared_buckets_keep_for_retries_no_newcomer_takes() {
    let mut world = world();
    let from = |n: u64| format!("100.{}.{}.1", n / 250, n % 250);
    let unknown = |world: &mut World, n: u64| {
        let name = format!("ghost{n}");
        world.guess(&from(n), &name, &unique(n))
    };
    let empty = Fate::Refused(Reason::Bucket(Bucket::Unknown));
    let asked = (0..30).filter(|n| unknown(&mut world, *n) != empty).count();
    assert_eq!(asked, 17);
    assert_eq!(unknown(&mut world, 29), empty);
    world.pass(MINUTE * 2);
    assert_eq!(unknown(&mut world, 31), empty);
    let asked = (17..30)
        .filter(|n| unknown(&mut world, *n) != empty)
        .count();
    assert_eq!(asked, 3);
}

#[test]
fn a_slow_guesser_is_refused_and_not_banned_and_a_fast_one_is_banned() {
    let mut world = besieged();
    for n in 0..500 {
        world.pass(Duration::from_secs(21));
        guess(&mut world, 1_000 + n);
    }
    assert_eq!(world.gate.bans(world.now), []);
    for n in 0..70 {
        world.pass(Duration::from_secs(1));
        guess(&mut world, 2_000 + n);
    }
    assert_eq!(world.gate.bans(world.now).len(), 1);
}

#[test]
fn before_a_name_is_known_only_an_empty_bucket_refuses() {
    let mut world = besieged();
    let peek = |world: &World| world.gate.peek(client(OFFICE), world.now);
    assert!(peek(&world).is_none());
    world.pass(MINUTE * 2);
    assert!(matches!(guess(&mut world, 9), Fate::Asked(_)));
    let refusal = peek(&world).expect("nothing is left for a retry either");
    assert_eq!(refusal.reason, Reason::Bucket(Bucket::Client));
}
