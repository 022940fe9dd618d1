//! places - which countries may log in, and who is let in all the same; who is near by the autonomous system

use std::sync::Arc;

use super::kit::*;
use crate::gate::buckets::spec::Bucket;
use crate::gate::request::attempt::Trust;
use crate::gate::request::client::NetworkKey;
use crate::gate::request::place::{AtHome, Country, Located, NearBy, PlaceRules, SystemLookup};
use crate::gate::request::settings::{GateSettings, Mode};
use crate::gate::request::verdict::{BanCause, Reason};

const REFUSED: Fate = Fate::Refused(Reason::Country);

fn is_in(code: &str) -> Located {
    Located::In(Country::new(code).unwrap())
}

fn countries(codes: &[&str]) -> Vec<Country> {
    codes.iter().filter_map(|code| Country::new(code)).collect()
}

fn only(codes: &[&str]) -> GateSettings {
    GateSettings {
        places: PlaceRules {
            only: countries(codes),
            ..PlaceRules::default()
        },
        ..settings()
    }
}

#[test]
fn nobody_from_another_country_than_the_only_ones_may_log_in() {
    let mut world = World::new(only(&["DE", "AT"]));
    for (country, refused) in [
        (is_in("DE"), false),
        (is_in("AT"), false),
        (is_in("FR"), true),
        (Located::Nowhere, true),
        // Without a database nobody is shut out.
        (Located::Unasked, false),
    ] {
        world.country = country;
        assert_eq!(world.login(FAR, "anna") == REFUSED, refused, "{country:?}");
        world.gate.forget(&user("anna"), world.now, &mut Vec::new());
    }
    world.country = Located::Nowhere;
    assert_ne!(world.login("192.168.1.4", "anna"), REFUSED);
}

#[test]
fn nobody_from_a_denied_country_may_and_an_address_without_one_may() {
    let mut settings = settings();
    settings.places.deny = countries(&["KP"]);
    let mut world = World::new(settings);
    world.country = is_in("KP");
    assert_eq!(world.login(FAR, "anna"), REFUSED);
    world.country = Located::Nowhere;
    assert_ne!(world.login(FAR, "anna"), REFUSED);
}

#[test]
fn who_is_at_home_there_may_unless_the_owner_says_so() {
    let mut world = World::new(only(&["DE"]));
    world.country = is_in("US");
    world.befriend("anna", FAR);
    assert_ne!(world.login(FAR, "anna"), REFUSED);
    assert_eq!(world.login(FAR, "bert"), REFUSED);
    assert_eq!(
        world.login("198.51.9.1", "anna"),
        REFUSED,
        "near is not home"
    );
    let mut settings = only(&["DE"]);
    settings.places.at_home = AtHome::Refuse;
    world
        .gate
        .reconfigure(settings, world.now, &mut world.changes);
    assert_eq!(world.login(FAR, "anna"), REFUSED);
    let tallies = world.gate.tallies();
    let country = tallies
        .iter()
        .find(|tally| tally.reason == Reason::Country)
        .unwrap();
    assert_eq!(country.familiar_refused, 0, "the owner's order is no alarm");
}

#[test]
fn the_allow_list_is_asked_before_the_country_and_the_deny_list_too() {
    let mut settings = only(&["DE"]);
    settings.allow = vec!["203.0.113.7/32".parse().unwrap()];
    settings.deny = vec!["198.51.100.7/32".parse().unwrap()];
    let mut world = World::new(settings);
    world.country = is_in("US");
    assert_eq!(world.login(HOME, "anna"), Fate::Asked(Reason::AllowList));
    assert_eq!(world.login(FAR, "anna"), Fate::Refused(Reason::DenyList));
}

#[test]
fn a_refusal_by_country_costs_what_a_refused_try_costs_and_nothing_that_others_pay_from() {
    let mut world = World::new(only(&["DE"]));
    world.country = is_in("US");
    let strangers = |world: &World| tokens_of(world, HOME, Bucket::Strangers);
    let (before, own) = (strangers(&world), tokens_of(&world, FAR, Bucket::Client));
    assert_eq!(world.guess(FAR, "anna", "Zwiebel1kuchen"), REFUSED);
    assert_eq!(tokens_of(&world, FAR, Bucket::Client), own - 1);
    assert_eq!(strangers(&world), before);
    // The same again is a program that retries.
    assert_eq!(world.guess(FAR, "anna", "Zwiebel1kuchen"), REFUSED);
    assert_eq!(tokens_of(&world, FAR, Bucket::Client), own - 1);
    for number in 0..own + 3 {
        world.guess(FAR, "anna", &format!("Kuchen{number}zwiebel"));
    }
    let ban = world.gate.bans(world.now).pop().unwrap();
    assert_eq!(ban.cause, BanCause::Strikes);
}

#[test]
fn a_dry_run_tells_only_and_settling_in_forgives_no_country() {
    let mut world = World::new(GateSettings {
        mode: Mode::DryRun,
        ..only(&["DE"])
    });
    world.country = is_in("US");
    assert_eq!(world.login(FAR, "anna"), Fate::Would(Reason::Country));
    let mut world = World::new(GateSettings {
        settling: DAY * 7,
        ..only(&["DE"])
    });
    world.country = is_in("US");
    assert_eq!(world.login(FAR, "anna"), REFUSED);
}

/// Two carriers, of several /16s each, and what nobody announces.
struct Carriers;

impl SystemLookup for Carriers {
    fn system(&self, network: NetworkKey) -> Option<u32> {
        match network.to_string().split('.').next()? {
            "30" | "31" => Some(64_500),
            "40" => Some(64_501),
            "50" | "51" => Some(0),
            _ => None,
        }
    }
}

fn in_carriers(near_by: NearBy) -> World {
    let mut settings = settings();
    settings.places.near_by = near_by;
    let mut world = World::new(settings);
    world.gate.ask_systems(Arc::new(Carriers));
    for home in ["30.1.1.1", "40.1.1.1", "50.1.1.1", HOME] {
        world.login(home, "anna");
    }
    world.login(HOME, "bert");
    world
}

fn trust(world: &World, from: &str, name: &str) -> (Trust, bool) {
    let told = world
        .gate
        .explain(client(from), Some(&user(name)), world.now);
    let user = told.user.unwrap();
    (user.trust, user.by_system)
}

#[test]
fn in_the_autonomous_system_of_a_login_that_user_is_near_and_nobody_else() {
    let mut world = in_carriers(NearBy::System);
    let elsewhere = "31.200.1.1";
    for (from, name, expected) in [
        (elsewhere, "anna", (Trust::Near, true)),
        ("30.1.200.1", "anna", (Trust::Near, false)),
        ("30.1.1.2", "anna", (Trust::Familiar, false)),
        (elsewhere, "bert", (Trust::Far, false)),
        (elsewhere, "nobody", (Trust::Far, false)),
        ("51.1.1.1", "anna", (Trust::Far, false)),
        (FAR, "anna", (Trust::Far, false)),
    ] {
        assert_eq!(trust(&world, from, name), expected, "{name} from {from}");
    }
    assert_eq!(
        world.guess(elsewhere, "anna", "Zwiebel7kuchen"),
        Fate::Asked(Reason::Bucket(Bucket::Near))
    );
    world.pass(DAY * 91);
    assert_eq!(trust(&world, elsewhere, "anna"), (Trust::Far, false));
}

#[test]
fn where_the_owner_says_so_the_network_alone_makes_near() {
    let world = in_carriers(NearBy::Region);
    assert_eq!(trust(&world, "31.200.1.1", "anna"), (Trust::Far, false));
    assert_eq!(trust(&world, "30.1.200.1", "anna"), (Trust::Near, false));
}

#[test]
fn a_botnet_in_the_users_carrier_and_elsewhere_gets_what_near_and_far_give_and_no_more() {
    let reached = |near_by| {
        let mut world = in_carriers(near_by);
        let tries = (0..2000).map(|n| {
            let from = format!("{}.{}.{}.9", 31 + n % 2 * 40, n % 200, n / 200);
            world.guess(&from, "anna", &format!("Zwiebel{n}kuchen"))
        });
        tries.filter(|fate| matches!(fate, Fate::Asked(_))).count()
    };
    let (near, far) = (reached(NearBy::System), reached(NearBy::Region));
    assert_eq!(far, 10);
    assert_eq!(near, 20);
}
