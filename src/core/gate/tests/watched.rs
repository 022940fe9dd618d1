//! watched - valid logins that their owner would hardly have done: told, and held where the operator wants it

use std::time::Duration;

use super::kit::*;
use crate::gate::Gate;
use crate::gate::permit::Permit;
use crate::gate::request::attempt::AuthOutcome;
use crate::gate::request::change::Fact;
use crate::gate::request::device::{Device, DeviceTicket};
use crate::gate::request::place::{Country, Located};
use crate::gate::request::settings::{GateSettings, Mode};
use crate::gate::request::suspicion::{FarLogins, SuspicionCause};
use crate::gate::request::verdict::Reason;
use crate::gate::state::journal;

mod hold;

const HELD: Fate = Fate::Refused(Reason::Stolen);

fn holding() -> GateSettings {
    let mut settings = settings();
    settings.stolen.far_logins = FarLogins::Hold;
    settings
}

/// Anna is at home.
fn world_of(settings: GateSettings) -> World {
    let world = World::new(settings);
    world.befriend("anna", HOME);
    world
}

fn far(n: usize) -> String {
    format!("198.{n}.7.9")
}

/// A login from the n-th far network; whether a suspicion began with it.
fn far_login(world: &mut World, n: usize) -> Option<SuspicionCause> {
    let permit = world.permit(&far(n), "anna", "Korrekt-Pferd-Batterie");
    let settled = world
        .gate
        .settle(permit, AuthOutcome::Accept, world.now, &mut world.changes);
    settled.suspicion.map(|suspicion| suspicion.cause)
}

fn far_logins(world: &mut World, networks: std::ops::Range<usize>) {
    for n in networks {
        far_login(world, n);
    }
}

fn at(world: &mut World, country: &str, system: u32) {
    world.country = Located::In(Country::new(country).unwrap());
    world.system = Some(system);
}

/// A thief who logs in from the networks 0 to 13.
fn stolen(settings: GateSettings) -> World {
    let mut world = world_of(settings);
    for n in 0..14 {
        let cause = far_login(&mut world, n);
        assert_eq!(cause, (n == 13).then_some(SuspicionCause::Networks), "{n}");
    }
    world
}

#[test]
fn fourteen_new_networks_within_a_day_are_told_once_and_nothing_is_held() {
    let mut world = stolen(settings());
    assert_eq!(far_login(&mut world, 14), None, "told already");
    assert_eq!(world.gate.status(world.now).suspected, 1);
    let told = world.gate.explain_user(&user("anna"), nowhere, world.now);
    let suspicion = told.suspicion.unwrap();
    assert_eq!(suspicion.places.len(), 15);
    assert_eq!(suspicion.places[0].region.to_string(), "198.0.0.0/16");
    world.pass(DAY * 7 + HOUR);
    assert_eq!(world.gate.status(world.now).suspected, 0, "over");
}

#[test]
fn networks_that_come_one_by_one_over_days_are_a_journey() {
    let mut world = world_of(settings());
    for n in 0..48 {
        assert_eq!(far_login(&mut world, n), None);
        world.pass(HOUR + MINUTE * 51);
    }
}

#[test]
fn five_countries_or_eight_systems_are_enough_and_one_system_counts_once() {
    let mut countries = world_of(settings());
    for (n, country) in ["BR", "VN", "IN", "ZA", "TR"].into_iter().enumerate() {
        at(&mut countries, country, n as u32 + 1);
        let cause = far_login(&mut countries, n);
        assert_eq!(cause, (n == 4).then_some(SuspicionCause::Countries));
    }
    let mut systems = world_of(settings());
    for n in 0..8 {
        at(&mut systems, "DE", n as u32 + 1);
        let cause = far_login(&mut systems, n);
        assert_eq!(cause, (n == 7).then_some(SuspicionCause::Systems));
    }
    // A program at a cloud host, in whose networks it is in many countries.
    let mut cloud = world_of(settings());
    for n in 0..30 {
        at(&mut cloud, ["IE", "NL", "US", "SG", "BR"][n % 5], 8075);
        assert_eq!(far_login(&mut cloud, n), None);
    }
}

#[test]
fn home_its_neighbourhood_and_a_known_device_are_no_new_places() {
    let mut world = world_of(settings());
    world.device = Some(Device::new([1; 16], DeviceTicket::New));
    world.login(HOME, "anna");
    world.device = Some(Device::new([1; 16], DeviceTicket::Returned));
    for n in 0..30 {
        assert_eq!(far_login(&mut world, n), None, "a laptop on its way");
    }
    world.device = None;
    for n in 0..30 {
        world.login(&format!("203.0.{n}.8"), "anna");
    }
    assert!(
        !world
            .changes
            .iter()
            .any(|change| matches!(change.fact, Fact::PlaceNew(_)))
    );
}

#[test]
fn a_thief_who_keeps_the_tickets_of_one_program_is_counted_all_the_same() {
    let mut world = world_of(settings());
    world.device = Some(Device::new([7; 16], DeviceTicket::New));
    far_login(&mut world, 0);
    world.device = Some(Device::new([7; 16], DeviceTicket::Returned));
    let causes: Vec<_> = (1..14).filter_map(|n| far_login(&mut world, n)).collect();
    assert_eq!(causes, [SuspicionCause::Networks]);
}

#[test]
fn a_first_login_from_a_network_that_guesses_at_others_is_told_at_once() {
    for (others, told) in [(4, None), (5, Some(SuspicionCause::Guesses))] {
        let mut world = world_of(settings());
        for n in 0..others {
            world.guess(
                &format!("198.51.100.{n}"),
                &format!("user{n}"),
                "Zwiebelkuchen",
            );
        }
        let permit = world.permit("198.51.100.77", "anna", "Korrekt-Pferd-Batterie");
        let (gate, now) = (&world.gate, world.now);
        let settled = gate.settle(permit, AuthOutcome::Accept, now, &mut world.changes);
        let cause = settled.suspicion.map(|suspicion| suspicion.cause);
        assert_eq!(cause, told, "{others}");
    }
}

/// Ten from one new address, each with the right password: the first is accepted while the others are at Postfix, or after
/// these had their outcomes. The causes that are told.
fn ten_at_once(before: impl Fn(&mut World, Permit) -> Option<Permit>) -> Vec<SuspicionCause> {
    let mut world = world_of(settings());
    world.login(HOME, "anna");
    let mut permits = Vec::new();
    for n in 0..9 {
        let permit = world.permit(
            "198.51.100.7",
            &format!("user{n}"),
            &format!("Richtig{n}Satz"),
        );
        permits.extend(before(&mut world, permit));
    }
    permits.insert(
        0,
        world.permit("198.51.100.7", "anna", "Korrekt-Pferd-Batterie"),
    );
    let (gate, now) = (&world.gate, world.now);
    let settled = permits
        .into_iter()
        .map(|permit| gate.settle(permit, AuthOutcome::Accept, now, &mut world.changes));
    let suspicions = settled.filter_map(|settled| settled.suspicion);
    suspicions.map(|suspicion| suspicion.cause).collect()
}

#[test]
fn attempts_without_an_outcome_are_no_guesses() {
    assert_eq!(ten_at_once(|_, permit| Some(permit)), []);
    for outcome in [AuthOutcome::Stalled, AuthOutcome::Unreported] {
        let nothing_is_told = |world: &mut World, permit| {
            world.settle(permit, outcome);
            None
        };
        assert_eq!(ten_at_once(nothing_is_told), [], "{outcome:?}");
    }
    let rejected = |world: &mut World, permit| {
        world.settle(permit, AuthOutcome::Reject);
        None
    };
    assert_eq!(ten_at_once(rejected), [SuspicionCause::Guesses]);
}

#[test]
fn what_was_rejected_while_an_outage_was_suspected_is_no_guess() {
    let mut world = world_of(settings());
    for n in 0..5 {
        let from = format!("192.0.{n}.7");
        world.befriend(&format!("old{n}"), &from);
        world.guess(&from, &format!("old{n}"), "Richtiger-Satz");
    }
    for n in 0..9 {
        world.guess("198.51.100.7", &format!("user{n}"), "Richtiger-Satz");
    }
    let permit = world.permit("198.51.100.7", "anna", "Korrekt-Pferd-Batterie");
    let (gate, now) = (&world.gate, world.now);
    let settled = gate.settle(permit, AuthOutcome::Accept, now, &mut world.changes);
    assert_eq!(settled.suspicion, None);
}

#[test]
fn ones_own_typing_errors_and_a_crowd_where_somebody_has_logged_in_are_no_guesses_at_others() {
    let mut own = world_of(settings());
    for n in 0..5 {
        own.guess(&far(1), "anna", &format!("Zwiebel{n}kuchen"));
    }
    assert_eq!(far_login(&mut own, 1), None);
    let mut crowd = world_of(settings());
    crowd.befriend("bert", &far(1));
    for n in 0..9 {
        crowd.guess(&far(1), &format!("guest{n}"), "Zwiebelkuchen");
    }
    crowd.pass(HOUR);
    assert_eq!(far_login(&mut crowd, 1), None);
}

/// Somebody without any password guesses at invented names in a hotel, and then Anna comes there.
fn hotel(settings: GateSettings) -> World {
    let mut world = world_of(settings);
    for n in 0..6 {
        world.guess(&far(0), &format!("invented{n}"), "Zwiebelkuchen");
    }
    assert_eq!(far_login(&mut world, 0), Some(SuspicionCause::Guesses));
    world
}
