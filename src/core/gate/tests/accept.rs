//! tests - who is refused before it has said anything, and who is not

use std::time::Duration;

use crate::gate::buckets::credit::Need;
use crate::gate::buckets::spec::Bucket;
use crate::gate::request::attempt::AuthOutcome;
use crate::gate::request::verdict::{Reason, Standing};

use super::kit::{Fate, HOUR, MINUTE, World, client, settings, tokens_of, user};

const FAR: &str = "198.51.100.7";
const SESSION: Duration = Duration::from_secs(300);

fn refused(world: &World, from: &str) -> Option<Reason> {
    let refusal = world
        .gate
        .refuse_at_accept(client(from), 9, SESSION, world.now);
    refusal.map(|refusal| refusal.reason)
}

/// With names enough for all guesses.
fn fresh() -> World {
    let mut settings = settings();
    settings
        .limits
        .change(Bucket::Unknown, |limit| limit.base.burst = 1_000);
    settings
        .limits
        .change(Bucket::UserFar, |limit| limit.base.burst = 1_000);
    World::new(settings)
}

/// Uses up the tokens of its own bucket.
fn exhausted(from: &str) -> World {
    let mut world = fresh();
    for n in 0..10 {
        world.guess(from, "ghost", &format!("Zwiebel-kuchen-{n}-fest"));
    }
    world
}

#[test]
fn a_client_whose_bucket_is_empty_is_refused_at_once_and_nothing_is_taken() {
    let mut world = fresh();
    for n in 0..9 {
        world.guess(FAR, "ghost", &format!("Zwiebel-kuchen-{n}-fest"));
    }
    assert_eq!(refused(&world, FAR), None, "it has one token");
    world.guess(FAR, "ghost", "Zwiebel-kuchen-9-fest");
    assert_eq!(refused(&world, FAR), Some(Reason::Bucket(Bucket::Client)));
    let told = world.gate.explain(client(FAR), None, world.now);
    assert_eq!((told.strikes, told.decisions[0].session), (0, 9));
    assert_eq!(tokens_of(&world, FAR, Bucket::Network), 10);
}

#[test]
fn neighbours_of_an_empty_network_are_refused_and_others_are_not() {
    let mut world = exhausted(FAR);
    for n in 0..10 {
        world.guess(
            "198.51.100.8",
            "ghost",
            &format!("Kartoffel-salat-{n}-fest"),
        );
    }
    let neighbour = "198.51.100.9";
    assert_eq!(
        refused(&world, neighbour),
        Some(Reason::Bucket(Bucket::Network))
    );
    assert_eq!(refused(&world, "203.0.113.9"), None);
    // Before the next token is there, within a session's time.
    world.pass(MINUTE * 6);
    assert_eq!(refused(&world, neighbour), None);
}

#[test]
fn a_client_that_might_be_let_in_all_the_same_is_not_refused() {
    // Its password may be asked about again, after a minute.
    let mut world = exhausted(FAR);
    world.pass(MINUTE);
    assert_eq!(refused(&world, FAR), None);
    assert_eq!(
        world.guess(FAR, "ghost", "Zwiebel-kuchen-9-fest"),
        Fate::Asked(Reason::Repeat)
    );
    // Somebody is familiar, or near.
    for home in ["198.51.100.1", "198.51.7.1"] {
        let world = exhausted(FAR);
        world.befriend("anna", home);
        assert_eq!(refused(&world, FAR), None, "{home}");
    }
    // Also where its near bucket is empty, too: the user may be known in another way.
    let mut world = exhausted(FAR);
    world.befriend("anna", "198.51.7.1");
    for n in 0..10 {
        world.guess(FAR, "anna", &format!("Rosen-kohl-{n}-fest"));
    }
    assert!(world.gate.peek(client(FAR), world.now).is_some());
    assert_eq!(refused(&world, FAR), None);
    // It has credit.
    let world = exhausted(FAR);
    let quota = world.gate.rules.load().earning.unwrap();
    let anna = world.gate.user(&user("anna"));
    let credit = world.gate.buckets.credit();
    assert!(credit.login(client(FAR), anna, quota, Need::Short, world.now));
    assert_eq!(refused(&world, FAR), None);
    // One of its tries has paid, and has no answer yet.
    let mut world = fresh();
    let permit = world.permit(FAR, "bert", "Zwiebel-kuchen-fest");
    for n in 0..9 {
        world.guess(FAR, "ghost", &format!("Zwiebel-kuchen-{n}-fest"));
    }
    world
        .gate
        .answered
        .store(world.now.as_nanos(), std::sync::atomic::Ordering::Relaxed);
    world.settle(permit, AuthOutcome::Abandoned);
    assert_eq!(refused(&world, FAR), None);
}

#[test]
fn a_dry_run_the_allow_list_and_bans_are_no_matter_of_the_banner() {
    let mut listed = settings();
    listed.allow = vec!["198.51.100.0/24".parse().unwrap()];
    let mut world = exhausted(FAR);
    world.gate.reconfigure(listed, world.now, &mut Vec::new());
    assert_eq!(refused(&world, FAR), None);
    let mut world_of_bans = exhausted(FAR);
    world_of_bans.guess(FAR, "root", "x");
    assert_eq!(
        world_of_bans.gate.standing(client(FAR), world_of_bans.now),
        Standing::Banned
    );
    assert_eq!(refused(&world_of_bans, FAR), None);
    world.pass(HOUR);
}

#[test]
fn who_comes_again_and_again_is_let_in_to_be_judged_and_its_guesses_are_strikes() {
    let mut world = exhausted(FAR);
    let told = (0..100).filter(|_| refused(&world, FAR).is_some()).count();
    assert_eq!(told, 4);
    for n in 0..3 {
        let fate = world.guess(FAR, "ghost", &format!("Blumen-kohl-{n}-fest"));
        assert_eq!(fate, Fate::Refused(Reason::Bucket(Bucket::Client)));
    }
    assert_eq!(
        world.gate.standing(client(FAR), world.now),
        Standing::Banned
    );
}
