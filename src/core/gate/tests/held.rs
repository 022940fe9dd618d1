//! held - what was paid for an attempt without an answer, until more is known of it

use super::kit::*;
use crate::gate::buckets::spec::Bucket;
use crate::gate::permit::Verdict;
use crate::gate::request::attempt::AuthOutcome;
use crate::gate::request::verdict::Reason;

#[test]
fn a_try_that_dovecot_holds_back_costs_what_a_failure_does_while_others_are_answered() {
    let mut world = World::new(settings());
    world.befriend("anna", "198.51.100.7");
    world.login("198.51.100.7", "anna");
    for n in 0..10 {
        let permit = world.permit("203.0.113.7", &format!("u{n}"), &good(n));
        assert_eq!(
            world.settle(permit, AuthOutcome::Stalled),
            AuthOutcome::Defer
        );
    }
    assert_eq!(
        world.guess("203.0.113.7", "u11", &good(11)),
        Fate::Refused(Reason::Bucket(Bucket::Client))
    );
    // Nobody is answered any more: the backend is at fault, and costs nobody anything.
    world.pass(HOUR);
    for n in 0..10 {
        let permit = world.permit("192.0.2.7", &format!("v{n}"), &good(n));
        assert_eq!(
            world.settle(permit, AuthOutcome::Stalled),
            AuthOutcome::Defer
        );
    }
    let permit = world.permit("192.0.2.7", "v11", &good(11));
    world.settle(permit, AuthOutcome::Defer);
}

/// A try that Postfix has not answered in time, while it answers others.
fn stall(world: &mut World, from: &str, name: &str, password: &str) {
    let permit = world.permit(from, name, password);
    let told = world.settle(permit, AuthOutcome::Stalled);
    assert_eq!(told, AuthOutcome::Defer);
}

#[test]
fn a_right_password_that_stalled_costs_nothing_once_it_is_accepted() {
    let mut world = World::new(settings());
    let right = "Korrekt-Pferd-Batterie";
    for (from, bucket) in [(HOME, Bucket::Familiar), (FAR, Bucket::Strangers)] {
        world.befriend("anna", HOME);
        world.befriend("bert", "192.0.2.1");
        let before = tokens(&world, from, "anna", Reason::Bucket(bucket));
        world.login("192.0.2.1", "bert");
        // However often it is tried again meanwhile, it has paid once.
        for _ in 0..30 {
            stall(&mut world, from, "anna", right);
        }
        let held = tokens(&world, from, "anna", Reason::Bucket(bucket));
        assert_eq!(held, before - 1, "{from}");
        world.login(from, "anna");
        let after = tokens(&world, from, "anna", Reason::Bucket(bucket));
        assert_eq!(after, before, "{from}");
    }
}

#[test]
fn a_wrong_password_that_stalled_has_paid_once_for_all_its_tries() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    world.login(HOME, "anna");
    for _ in 0..5 {
        stall(&mut world, HOME, "anna", &good(1));
    }
    world.guess(HOME, "anna", &good(1));
    let left = tokens(&world, HOME, "anna", Reason::Bucket(Bucket::Familiar));
    assert_eq!(left, 19);
    // Another password is another guess, and each pays.
    for n in 2..10 {
        stall(&mut world, HOME, "anna", &good(n));
    }
    let left = tokens(&world, HOME, "anna", Reason::Bucket(Bucket::Familiar));
    assert_eq!(left, 11);
    world.login(HOME, "anna");
    let left = tokens(&world, HOME, "anna", Reason::Bucket(Bucket::Familiar));
    assert_eq!(
        left, 11,
        "another password that is right frees none of them"
    );
}

#[test]
fn what_a_stalled_try_has_paid_is_good_for_one_more_try_at_a_time_and_for_minutes() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    world.login(HOME, "anna");
    stall(&mut world, HOME, "anna", &good(1));
    let goes_on = world.permit(HOME, "anna", &good(1));
    let beside = world.permit(HOME, "anna", &good(1));
    let left = tokens(&world, HOME, "anna", Reason::Bucket(Bucket::Familiar));
    assert_eq!(left, 18);
    world.settle(goes_on, AuthOutcome::Stalled);
    drop(beside);
    world.pass(MINUTE * 10);
    drop(world.permit(HOME, "anna", &good(1)));
    let left = tokens(&world, HOME, "anna", Reason::Bucket(Bucket::Familiar));
    assert_eq!(left, 17);
}

#[test]
fn an_exchange_left_after_its_challenge_costs_as_a_failure_until_its_user_logs_in_from_there() {
    let mut world = World::new(settings());
    world.befriend("anna", "192.0.2.1");
    let probe = |world: &mut World, from: &str, name: &str| {
        let Verdict::Allow(permit) = world.judge(client(from), name, None) else {
            return false;
        };
        let told = world.settle(permit, AuthOutcome::Abandoned);
        assert_eq!(told, AuthOutcome::Defer);
        true
    };
    for n in 0..3 {
        assert!(probe(&mut world, FAR, &format!("user{n}")));
        assert!(probe(&mut world, FAR, "anna"));
    }
    let left = |world: &World| tokens(world, FAR, "anna", Reason::Bucket(Bucket::Client));
    assert_eq!(left(&world), 4);
    world.login("192.0.2.1", "anna");
    assert_eq!(left(&world), 4, "from elsewhere");
    world.login(FAR, "anna");
    assert_eq!(left(&world), 7, "what was spent on other names stays spent");
    let probes = (0..200).filter(|n| probe(&mut world, &format!("10.{n}.0.1"), "anna"));
    assert!(probes.count() <= 20, "words, and ten for one user");
}

#[test]
fn what_is_held_is_bounded_and_the_oldest_stays_spent() {
    let mut world = World::new(settings());
    let right = "Korrekt-Pferd-Batterie";
    for n in 0..4_097 {
        let from = format!("10.{}.{}.1", n / 256, n % 256);
        world.befriend(&format!("user{n}"), &from);
        world.befriend("bert", HOME);
        world.login(HOME, "bert");
        stall(&mut world, &from, &format!("user{n}"), right);
    }
    assert_eq!(world.gate.status(world.now).held_evicted, 1);
    for (n, left) in [(0, 19), (1, 20), (4_096, 20)] {
        let (from, name) = (format!("10.{}.{}.1", n / 256, n % 256), format!("user{n}"));
        world.login(&from, &name);
        let found = tokens(&world, &from, &name, Reason::Bucket(Bucket::Familiar));
        assert_eq!(found, left, "{name}");
    }
}
