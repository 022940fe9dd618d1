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

fn anna_is_held(world: &World) -> Option<FarLogins> {
    let told = world.gate.explain_user(&user("anna"), nowhere, world.now);
    told.suspicion.map(|suspicion| suspicion.far_logins)
}

#[test]
fn who_guesses_in_a_hotel_shuts_no_guest_out() {
    let mut world = hotel(holding());
    assert_eq!(anna_is_held(&world), Some(FarLogins::Tell));
    let snapshots = world.gate.snapshots(world.now).unwrap();
    let (gate, _) = Gate::restore(holding(), keys(), &snapshots, world.now);
    for gate in [None, Some(gate)] {
        world.gate = gate.unwrap_or(world.gate);
        for n in [0, 1, 2] {
            assert!(
                matches!(world.login(&far(n), "anna"), Fate::Asked(_)),
                "{n}"
            );
        }
    }
    world.pass(DAY * 7 + HOUR);
    assert_eq!(anna_is_held(&world), None, "over");
}

#[test]
fn a_thief_who_was_told_of_for_guesses_is_held_for_too_many_places() {
    let mut world = hotel(holding());
    for n in 1..14 {
        let cause = far_login(&mut world, n);
        assert_eq!(cause, (n == 13).then_some(SuspicionCause::Networks), "{n}");
    }
    assert_eq!(anna_is_held(&world), Some(FarLogins::Hold));
    for n in [0, 5, 99] {
        assert_eq!(world.login(&far(n), "anna"), HELD, "{n}");
    }
    let journal = [journal::file(&world.changes)];
    let (gate, _) = Gate::restore(holding(), keys(), &journal, world.now);
    world.gate = gate;
    assert_eq!(world.login(&far(99), "anna"), HELD);
}

#[test]
fn a_held_user_is_let_in_at_home_near_it_and_with_a_known_device_and_nowhere_else() {
    let mut world = world_of(holding());
    world.device = Some(Device::new([1; 16], DeviceTicket::New));
    world.login(HOME, "anna");
    world.device = None;
    far_logins(&mut world, 0..14);
    for from in [far(99), far(3), far(3).replace(".7.9", ".8.1")] {
        assert_eq!(world.login(&from, "anna"), HELD, "{from}");
        assert_eq!(world.guess(&from, "anna", "Zwiebelkuchen"), HELD, "{from}");
    }
    assert!(matches!(world.login(HOME, "anna"), Fate::Asked(_)));
    assert!(matches!(world.login("203.0.7.7", "anna"), Fate::Asked(_)));
    assert!(matches!(world.login(&far(99), "bert"), Fate::Asked(_)));
    world.device = Some(Device::new([1; 16], DeviceTicket::Returned));
    assert!(matches!(world.login(&far(50), "anna"), Fate::Asked(_)));
}

#[test]
fn the_devices_and_networks_of_the_thief_are_held() {
    let mut world = world_of(holding());
    world.device = Some(Device::new([7; 16], DeviceTicket::New));
    far_login(&mut world, 0);
    world.device = Some(Device::new([7; 16], DeviceTicket::Returned));
    far_logins(&mut world, 1..14);
    for n in [0, 5, 99] {
        assert_eq!(world.login(&far(n), "anna"), HELD, "{n}");
    }
}

#[test]
fn the_owners_word_and_the_lists_come_before_a_hold() {
    let mut settings = holding();
    settings.allow = vec!["198.200.0.0/16".parse().unwrap()];
    settings.stolen.except = vec!["Team".to_owned()];
    let mut world = world_of(settings.clone());
    world.befriend("team", HOME);
    far_logins(&mut world, 0..14);
    assert_eq!(
        world.login("198.200.7.9", "anna"),
        Fate::Asked(Reason::AllowList)
    );
    for n in 0..40 {
        assert!(
            matches!(world.login(&far(n), "team"), Fate::Asked(_)),
            "{n}"
        );
    }
    // What the webmail host sends is counted nowhere.
    let mut webmail = world_of(settings);
    for n in 0..20 {
        webmail.login(&format!("198.200.{n}.9"), "anna");
    }
    assert!(
        !webmail
            .changes
            .iter()
            .any(|change| matches!(change.fact, Fact::PlaceNew(_)))
    );
}

#[test]
fn it_is_held_until_the_operator_forgives() {
    let mut world = stolen(holding());
    world.pass(DAY * 60);
    world.befriend("anna", HOME);
    assert_eq!(world.login(&far(99), "anna"), HELD);
    world
        .gate
        .forgive_user(&user("anna"), world.now, &mut world.changes);
    assert!(matches!(world.login(&far(99), "anna"), Fate::Asked(_)));
    // The thief, who still has the password, is found anew.
    let first = (20..40).find(|n| world.login(&far(*n), "anna") == HELD);
    assert_eq!(first, Some(33));
}

#[test]
fn a_login_at_home_speaks_for_another_password_and_for_no_other() {
    let new = "Sanddorn-Holunder-Neu";
    let mut world = stolen(holding());
    world.login(HOME, "anna");
    assert_eq!(
        world.login(&far(99), "anna"),
        HELD,
        "the thief has the same"
    );
    let permit = world.permit(HOME, "anna", new);
    world.settle(permit, AuthOutcome::Accept);
    let permit = world.permit(&far(99), "anna", new);
    world.settle(permit, AuthOutcome::Accept);
    assert_eq!(world.login(&far(98), "anna"), HELD, "still the stolen one");
    assert_eq!(world.guess(&far(98), "anna", "Zwiebelkuchen"), HELD);
}

#[test]
fn a_hold_outlives_a_restart_and_the_password_that_was_new_is_not_known_any_more() {
    let world = stolen(holding());
    let snapshots = world.gate.snapshots(world.now).unwrap();
    let journal = [journal::file(&world.changes)];
    for files in [snapshots.as_slice(), &journal] {
        let (gate, _) = Gate::restore(holding(), keys(), files, world.now + MINUTE);
        let mut again = World::new(holding());
        again.gate = gate;
        again.now = world.now + MINUTE;
        again.befriend("anna", HOME);
        for n in [0, 13, 99] {
            assert_eq!(again.login(&far(n), "anna"), HELD, "{n}");
        }
        assert!(matches!(again.login(HOME, "anna"), Fate::Asked(_)));
        let permit = again.permit(HOME, "anna", "Sanddorn-Holunder-Neu");
        again.settle(permit, AuthOutcome::Accept);
        assert_eq!(again.guess(&far(99), "anna", "Sanddorn-Holunder-Neu"), HELD);
    }
}

#[test]
fn what_was_forgiven_stays_so_after_a_restart() {
    let mut world = stolen(holding());
    let snapshots = world.gate.snapshots(world.now).unwrap();
    let before = world.changes.len();
    world.pass(MINUTE);
    world
        .gate
        .forgive_user(&user("anna"), world.now, &mut world.changes);
    let mut files = snapshots.to_vec();
    files.push(journal::file(&world.changes[before..]));
    let (gate, _) = Gate::restore(holding(), keys(), &files, world.now + MINUTE);
    assert_eq!(gate.status(world.now + MINUTE).suspected, 0);
}

#[test]
fn while_settling_in_and_in_a_dry_run_nobody_is_held_and_settling_in_counts_nothing() {
    let mut settings = holding();
    settings.settling = DAY * 7;
    let mut settling = World::new(settings);
    for n in 0..30 {
        assert!(matches!(
            settling.login(&far(n), "anna"),
            Fate::Asked(_) | Fate::Would(_)
        ));
    }
    assert_eq!(settling.gate.status(settling.now).suspected, 0);
    let mut settings = holding();
    settings.mode = Mode::DryRun;
    let mut dry = world_of(settings);
    far_logins(&mut dry, 0..14);
    assert_eq!(dry.login(&far(99), "anna"), Fate::Would(Reason::Stolen));
}

#[test]
fn a_held_attempt_reads_as_any_that_is_refused_and_asks_nobody() {
    let mut world = stolen(holding());
    let before = tokens(
        &world,
        HOME,
        "anna",
        Reason::Bucket(crate::gate::buckets::spec::Bucket::Strangers),
    );
    for password in ["Korrekt-Pferd-Batterie", "Zwiebelkuchen"] {
        assert_eq!(world.told("198.99.7.9", "anna", password), 454);
    }
    let after = tokens(
        &world,
        HOME,
        "anna",
        Reason::Bucket(crate::gate::buckets::spec::Bucket::Strangers),
    );
    assert_eq!(before, after);
}

#[test]
fn nobody_without_a_right_password_holds_anybody() {
    let mut world = world_of(holding());
    for n in 0..60 {
        world.guess(&far(n), "anna", &format!("Zwiebel{n}kuchen"));
        world.pass(Duration::from_secs(7200));
    }
    assert!(matches!(world.login(&far(99), "anna"), Fate::Asked(_)));
    assert_eq!(world.gate.status(world.now).suspected, 0);
}
