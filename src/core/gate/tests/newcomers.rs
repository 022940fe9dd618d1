//! newcomers - the last third of a user's and of a shared bucket is kept for clients that have tried
//! nothing else yet

use super::kit::*;
use crate::gate::buckets::spec::Bucket;
use crate::gate::request::verdict::Reason;

/// A gate whose shared buckets get no token back while a test runs.
fn world() -> World {
    let mut settings = settings();
    settings
        .limits
        .change(Bucket::Strangers, |limit| limit.base.every = DAY);
    World::new(settings)
}

/// The address of the `n`th bot, in a network of its own.
fn bot(n: usize) -> String {
    format!("100.{}.{}.1", n / 250, n % 250)
}

fn unique(n: usize) -> String {
    format!("Einzig{n}artig{n}es")
}

/// Bots that each guess at one user after another, as long as anything reaches Postfix.
fn besiege(world: &mut World, bots: usize) {
    for round in 0..4 {
        for n in 0..bots {
            let victim = format!("user{}", (n + round) % 40);
            world.guess(&bot(n), &victim, &unique(round * bots + n));
        }
    }
}

fn know(world: &World, users: usize) {
    for n in 0..users {
        world.befriend(&format!("user{n}"), "203.0.113.7");
    }
}

#[test]
fn a_botnet_that_comes_back_leaves_a_third_to_travellers() {
    let mut world = world();
    know(&world, 40);
    // Fewer bots than there are tokens: all have come once before anything is scarce.
    besiege(&mut world, 50);
    assert_eq!(
        tokens(
            &world,
            "198.51.100.7",
            "user1",
            Reason::Bucket(Bucket::Strangers)
        ),
        34
    );
    let fate = world.guess(&bot(1), "user1", "NieDagewesen");
    assert_eq!(fate, Fate::Refused(Reason::Bucket(Bucket::Strangers)));
    for n in 0..34 {
        let hotel = format!("198.51.{n}.7");
        let mistyped = world.guess(&hotel, &format!("user{n}"), &unique(10_000 + n));
        assert_eq!(
            mistyped,
            Fate::Asked(Reason::Bucket(Bucket::Strangers)),
            "{n}"
        );
    }
    let late = world.login("198.51.99.7", "user39");
    assert_eq!(late, Fate::Refused(Reason::Bucket(Bucket::Strangers)));
}

#[test]
fn who_mistyped_once_is_a_newcomer_still_and_who_did_twice_is_not() {
    let mut world = world();
    know(&world, 40);
    besiege(&mut world, 50);
    world.guess("198.51.100.7", "user1", "Mistyped-Eins");
    assert_eq!(
        world.login("198.51.100.7", "user1"),
        Fate::Asked(Reason::Bucket(Bucket::Strangers))
    );
    world.guess("198.51.101.7", "user2", "Mistyped-Eins");
    world.guess("198.51.101.7", "user2", "Mistyped-Zwei");
    assert_eq!(
        world.login("198.51.101.7", "user2"),
        Fate::Refused(Reason::Bucket(Bucket::Strangers))
    );
}

#[test]
fn a_try_at_another_user_ends_being_a_newcomer_refused_or_wrong() {
    let mut world = world();
    know(&world, 40);
    besiege(&mut world, 50);
    world.guess("198.51.100.7", "user1", "Mistyped-Eins");
    assert_eq!(
        world.guess("198.51.100.7", "user2", "Mistyped-Zwei"),
        Fate::Refused(Reason::Bucket(Bucket::Strangers))
    );
    // And what was refused counts as tried: back at the first user it is no newcomer either.
    assert_eq!(
        world.guess("198.51.100.7", "user1", "Mistyped-Drei"),
        Fate::Refused(Reason::Bucket(Bucket::Strangers))
    );
}

#[test]
fn a_mail_program_that_repeats_what_was_refused_stays_a_newcomer() {
    let mut world = world();
    know(&world, 40);
    besiege(&mut world, 50);
    world.guess("198.51.100.7", "user1", "Mistyped");
    for n in 0..40 {
        world.guess(
            &format!("198.52.{n}.7"),
            &format!("user{n}"),
            &unique(20_000 + n),
        );
    }
    for _ in 0..5 {
        let fate = world.login("198.51.100.7", "user1");
        assert_eq!(fate, Fate::Refused(Reason::Bucket(Bucket::Strangers)));
    }
    world.pass(DAY * 2);
    assert_eq!(
        world.login("198.51.100.7", "user1"),
        Fate::Asked(Reason::Bucket(Bucket::Strangers))
    );
}

#[test]
fn one_account_keeps_three_tries_a_side_for_newcomers() {
    let mut world = World::new(settings());
    know(&world, 40);
    for n in 0..40 {
        // Each bot has tried somebody else before.
        world.guess(&bot(n), &format!("ghost{n}"), &unique(n));
        world.guess(&bot(n), "user1", &unique(100 + n));
    }
    assert_eq!(
        tokens(
            &world,
            "198.51.100.7",
            "user1",
            Reason::Bucket(Bucket::UserFar)
        ),
        3
    );
    assert_eq!(
        world.login("198.51.100.7", "user1"),
        Fate::Asked(Reason::Bucket(Bucket::Strangers))
    );
}

#[test]
fn familiar_pairs_and_the_clients_own_bucket_know_no_newcomers() {
    let mut world = World::new(settings());
    world.befriend("anna", "203.0.113.7");
    for n in 0..20 {
        let fate = world.guess("203.0.113.7", "anna", &unique(n));
        assert_eq!(fate, Fate::Asked(Reason::Bucket(Bucket::Familiar)), "{n}");
    }
    for n in 0..10 {
        let fate = world.guess("198.51.100.7", &format!("ghost{n}"), &unique(n));
        assert_eq!(fate, Fate::Asked(Reason::Bucket(Bucket::Unknown)), "{n}");
    }
}

#[test]
fn explain_shows_a_returning_client_the_wait_that_a_newcomer_has_not() {
    let mut world = world();
    know(&world, 40);
    besiege(&mut world, 50);
    let waits = |from: &str| {
        let told = world
            .gate
            .explain(client(from), Some(&user("user1")), world.now);
        let mut buckets = told.buckets.iter();
        let strangers = buckets
            .find(|b| b.bucket == Reason::Bucket(Bucket::Strangers))
            .unwrap();
        (strangers.wait > MINUTE, told.user.unwrap().outlook.is_ok())
    };
    assert_eq!(waits(&bot(1)), (true, false));
    assert_eq!(waits("198.51.100.7"), (false, true));
}
