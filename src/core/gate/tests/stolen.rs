//! stolen - a change of password takes the trust back that the old one has earned

use super::kit::*;
use crate::gate::buckets::spec::Bucket;
use crate::gate::processes::ProcessLine;
use crate::gate::request::attempt::{AuthOutcome, Trust};
use crate::gate::request::verdict::Reason;

const OFFICE: &str = "192.0.2.7";
const OLD: &str = "Birnbaum-Kirsche-Alt";
const NEW: &str = "Sanddorn-Holunder-Neu";

/// A client of the thief, each in another network.
fn thiefs_client(n: usize) -> String {
    format!("198.51.{n}.9")
}

fn login(world: &mut World, from: &str, password: &str) {
    let permit = world.permit(from, "anna", password);
    world.settle(permit, AuthOutcome::Accept);
    world.pass(MINUTE);
}

fn trust(world: &World, from: &str) -> Trust {
    let told = world
        .gate
        .explain(client(from), Some(&user("anna")), world.now);
    told.user.unwrap().trust
}

/// Anna at home and in the office, the thief in five networks; then Anna changes the password at home, and the
/// thief tries the old one.
fn changed() -> World {
    let mut world = World::new(settings());
    for from in [HOME, OFFICE] {
        login(&mut world, from, OLD);
    }
    for n in 0..5 {
        login(&mut world, &thiefs_client(n), OLD);
    }
    login(&mut world, HOME, NEW);
    assert_eq!(
        trust(&world, &thiefs_client(0)),
        Trust::Familiar,
        "nothing is known yet"
    );
    world.guess(&thiefs_client(0), "anna", OLD);
    world
}

fn guesses(world: &mut World, from: &str, tries: usize) -> usize {
    let fates = (0..tries).map(|n| world.guess(from, "anna", &format!("Zwiebel{n}kuchen{from}")));
    fates.filter(|fate| matches!(fate, Fate::Asked(_))).count()
}

#[test]
fn the_thiefs_networks_lose_their_tries_and_the_owners_other_devices_have_a_first_one() {
    let mut world = changed();
    assert_eq!(trust(&world, HOME), Trust::Familiar);
    for from in [OFFICE, &thiefs_client(0), &thiefs_client(4)] {
        assert_eq!(trust(&world, from), Trust::Unproven, "{from}");
    }
    // Five networks, two tries each, and what strangers may try at one account.
    let reached: usize = (0..5)
        .map(|n| guesses(&mut world, &thiefs_client(n), 40))
        .sum();
    assert!(reached <= 5 * 2 + 10, "{reached}");
    // Whatever the thief has used up.
    let fate = world.guess(OFFICE, "anna", "Sanddorn-Holunder-Nei");
    assert_eq!(fate, Fate::Asked(Reason::Bucket(Bucket::Unproven)));
    login(&mut world, OFFICE, NEW);
    assert_eq!(trust(&world, OFFICE), Trust::Familiar);
    assert_eq!(guesses(&mut world, OFFICE, 40), 20);
}

#[test]
fn a_day_later_a_thief_in_five_networks_has_five_tries_more_and_those_of_strangers() {
    let mut world = changed();
    for n in 0..5 {
        guesses(&mut world, &thiefs_client(n), 40);
    }
    let mut reached = 0;
    for _ in 0..24 {
        world.pass(HOUR);
        for n in 0..5 {
            let from = thiefs_client(n);
            let fate = world.guess(
                &from,
                "anna",
                &format!("Noch{}ein{from}", world.now.as_seconds()),
            );
            reached += usize::from(matches!(fate, Fate::Asked(_)));
        }
    }
    assert!(reached <= 5 + 24, "{reached}");
}

#[test]
fn an_old_phone_with_the_old_password_bans_nobody_and_uses_nothing_up() {
    let mut world = changed();
    for _ in 0..600 {
        world.pass(MINUTE);
        let fate = world.guess(OFFICE, "anna", OLD);
        assert!(
            !matches!(fate, Fate::Refused(reason) if reason != Reason::Repeat),
            "{fate:?}"
        );
    }
    assert_eq!(world.gate.bans(world.now), []);
    let permit = world.permit(OFFICE, "anna", NEW);
    assert_eq!(permit.grounds(), Reason::Bucket(Bucket::Unproven));
}

#[test]
fn passwords_of_several_devices_that_are_all_right_change_nothing() {
    let mut world = World::new(settings());
    for _ in 0..10 {
        login(&mut world, HOME, OLD);
        login(&mut world, OFFICE, NEW);
        world.guess(HOME, "anna", "Birnbaum-Kirsche-Alr");
    }
    for from in [HOME, OFFICE] {
        assert_eq!(trust(&world, from), Trust::Familiar);
    }
}

#[test]
fn a_restart_proves_nothing() {
    let world = changed();
    let mut settings = settings();
    settings.capacity.clients = 10_000;
    let files = world.gate.snapshots(world.now).unwrap();
    let (restored, _) = crate::gate::Gate::restore(settings, keys(), &files, world.now + MINUTE);
    let mut again = World::new(crate::gate::tests::kit::settings());
    again.gate = restored;
    again.now = world.now + MINUTE;
    assert_eq!(trust(&again, HOME), Trust::Familiar);
    assert_eq!(trust(&again, &thiefs_client(2)), Trust::Unproven);
    let journal = crate::gate::state::journal::file(&world.changes);
    let (restored, _) = crate::gate::Gate::restore(
        crate::gate::tests::kit::settings(),
        keys(),
        &[journal],
        world.now + MINUTE,
    );
    again.gate = restored;
    assert_eq!(trust(&again, HOME), Trust::Familiar);
    assert_eq!(trust(&again, &thiefs_client(2)), Trust::Unproven);
}

#[test]
fn an_owner_whose_first_tries_were_used_up_is_a_stranger_and_no_more() {
    let mut world = changed();
    for n in 0..2 {
        world.guess(OFFICE, "anna", &format!("Zwiebel{n}kuchenfest"));
    }
    let permit = world.permit("192.0.2.99", "anna", NEW);
    assert_eq!(permit.grounds(), Reason::Bucket(Bucket::Strangers));
    world.settle(permit, AuthOutcome::Accept);
    assert_eq!(trust(&world, OFFICE), Trust::Familiar);
}

#[test]
fn what_the_operator_takes_back_is_no_more_unproven_and_the_next_login_is_as_any_other() {
    let mut world = changed();
    world
        .gate
        .revoke(&user("anna"), None, world.now, &mut world.changes);
    for from in [HOME, OFFICE, &thiefs_client(0)] {
        assert_eq!(trust(&world, from), Trust::Far, "{from}");
    }
    world.pass(MINUTE);
    login(&mut world, OFFICE, NEW);
    assert_eq!(trust(&world, OFFICE), Trust::Familiar);
    assert_eq!(world.gate.passwords.all(), []);
}

#[test]
fn a_network_that_the_operator_introduces_is_proven() {
    let mut world = changed();
    assert_eq!(trust(&world, &thiefs_client(4)), Trust::Unproven);
    let network = client(&thiefs_client(4)).network();
    world
        .gate
        .introduce(&user("anna"), Some(network), world.now, &mut world.changes);
    assert_eq!(trust(&world, &thiefs_client(4)), Trust::Familiar);
    assert_eq!(trust(&world, &thiefs_client(3)), Trust::Unproven);
}

#[test]
fn a_thief_who_waits_for_postfix_holds_up_no_login_from_home() {
    let mut world = changed();
    let mut line = |from: &str| ProcessLine::of(&world.permit(from, "anna", NEW));
    let own = line(HOME);
    assert_ne!(line(&thiefs_client(0)), own);
    assert_eq!(
        line(&thiefs_client(0)),
        line(&thiefs_client(1)),
        "all of them in one"
    );
}
