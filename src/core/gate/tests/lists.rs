//! lists - rule 5: published lists of networks, which refuse strangers alone

use std::time::Duration;

use ipnet::IpNet;

use super::kit::*;
use crate::gate::request::lists::{ListRefusal, Listing, ListingNews, MOST_NETWORKS, MOST_SOURCES};
use crate::gate::request::settings::{GateSettings, Mode};
use crate::gate::request::verdict::{Reason, Standing};

const LISTED: &str = "198.51.100.7";

fn networks(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn import(world: &World, source: &str, texts: &[&str]) -> Result<(), ListRefusal> {
    let until = world.now + HOUR * 26;
    world.gate.import_list(source, &networks(texts), until)
}

fn standing(world: &World, from: &str) -> Standing {
    world.gate.standing(client(from), world.now)
}

#[test]
fn a_listed_stranger_is_refused_until_the_list_ends() {
    let mut world = World::new(settings());
    import(&world, "drop", &["198.51.100.0/22", "2001:db8:5::/48"]).unwrap();
    assert_eq!(standing(&world, LISTED), Standing::Banned);
    assert_eq!(standing(&world, "2001:db8:5::1"), Standing::Banned);
    assert_eq!(standing(&world, "198.51.104.7"), Standing::Stranger);
    assert_eq!(world.login(LISTED, "anna"), Fate::Refused(Reason::Ban));
    let ban = world.gate.explain(client(LISTED), None, world.now).ban;
    assert_eq!(ban.unwrap().cause.to_string(), "list");
    world.pass(HOUR * 26 - Duration::from_secs(1));
    assert_eq!(standing(&world, LISTED), Standing::Banned);
    world.pass(Duration::from_secs(1));
    assert_eq!(standing(&world, LISTED), Standing::Stranger);
    assert_eq!(world.gate.lists(), []);
}

#[test]
fn a_list_holds_no_longer_than_it_was_said_to_whenever_the_next_tick_is() {
    let mut world = World::new(settings());
    import(&world, "drop", &["198.51.100.0/24"]).unwrap();
    world.now = world.now + HOUR * 26;
    assert_eq!(standing(&world, LISTED), Standing::Stranger);
}

#[test]
fn who_has_logged_in_from_there_is_refused_by_no_list() {
    let mut world = World::new(settings());
    world.befriend("anna", LISTED);
    world.befriend("bert", "198.51.1.7");
    import(&world, "wrong", &["198.51.0.0/16"]).unwrap();
    assert_eq!(standing(&world, LISTED), Standing::Familiar);
    assert!(matches!(world.login(LISTED, "anna"), Fate::Asked(_)));
    // Bert is near: who asks is known at AUTH.
    assert_eq!(standing(&world, "198.51.7.7"), Standing::Stranger);
    assert!(matches!(world.login("198.51.7.7", "bert"), Fate::Asked(_)));
    assert_eq!(
        world.login("198.51.8.7", "carl"),
        Fate::Refused(Reason::Ban)
    );
}

#[test]
fn the_allow_list_stands_above_and_a_dry_run_refuses_nobody_for_a_list() {
    let mut world = World::new(GateSettings {
        allow: networks(&["198.51.100.7/32"]),
        ..settings()
    });
    import(&world, "drop", &["198.51.100.0/24"]).unwrap();
    assert_eq!(standing(&world, LISTED), Standing::Allow);
    assert!(matches!(world.login(LISTED, "anna"), Fate::Asked(_)));
    let mut world = World::new(GateSettings {
        mode: Mode::DryRun,
        ..settings()
    });
    import(&world, "drop", &["198.51.100.0/24"]).unwrap();
    assert_eq!(standing(&world, LISTED), Standing::Stranger);
    assert_eq!(world.login(LISTED, "anna"), Fate::Would(Reason::Ban));
}

#[test]
fn a_list_takes_the_place_of_its_sources_old_one_and_of_no_other() {
    let world = World::new(settings());
    import(&world, "drop", &["198.51.100.0/24"]).unwrap();
    import(&world, "other", &["203.0.113.0/24"]).unwrap();
    import(&world, "drop", &["192.0.2.0/24"]).unwrap();
    assert_eq!(standing(&world, LISTED), Standing::Stranger);
    assert_eq!(standing(&world, "203.0.113.7"), Standing::Banned);
    assert_eq!(standing(&world, "192.0.2.7"), Standing::Banned);
    let sources: Vec<_> = world
        .gate
        .lists()
        .into_iter()
        .map(|list| list.source)
        .collect();
    assert_eq!(sources, ["other", "drop"]);
    assert!(world.gate.remove_list("drop") && !world.gate.remove_list("drop"));
    assert_eq!(standing(&world, "192.0.2.7"), Standing::Stranger);
}

#[test]
fn a_list_with_a_wide_network_is_refused_whole_and_the_old_one_stays() {
    let world = World::new(settings());
    import(&world, "drop", &["198.51.100.0/24"]).unwrap();
    for wide in [
        "0.0.0.0/0",
        "102.0.0.0/7",
        "::/0",
        "2001:c000::/18",
        "::ffff:0:0/96",
    ] {
        let refused = import(&world, "drop", &["203.0.113.0/24", wide]);
        assert_eq!(refused, Err(ListRefusal::Wide(wide.parse().unwrap())));
    }
    assert_eq!(standing(&world, LISTED), Standing::Banned);
    assert_eq!(standing(&world, "203.0.113.7"), Standing::Stranger);
    import(&world, "drop", &["102.0.0.0/8", "2001:e000::/19"]).unwrap();
    assert_eq!(standing(&world, "102.1.1.1"), Standing::Banned);
}

#[test]
fn lists_and_their_number_are_bounded() {
    let world = World::new(settings());
    let many = |count: usize| -> Vec<IpNet> {
        let address = |n: usize| std::net::Ipv4Addr::from_bits(1 << 28 | n as u32);
        (0..count)
            .map(|n| std::net::IpAddr::from(address(n)).into())
            .collect()
    };
    let until = world.now + HOUR;
    let import = |source: &str, count| world.gate.import_list(source, &many(count), until);
    assert_eq!(import("long", MOST_NETWORKS), Ok(()));
    assert_eq!(import("long", MOST_NETWORKS + 1), Err(ListRefusal::Long));
    for n in 1..MOST_SOURCES {
        assert_eq!(import(&format!("source{n}"), 1), Ok(()));
    }
    assert_eq!(import("more", 1), Err(ListRefusal::Sources));
    assert_eq!(import("source1", 1), Ok(()), "it has its place");
}

#[test]
fn who_has_logged_in_from_there_is_refused_by_no_decision_of_a_program_beside_us() {
    let mut world = World::new(settings());
    world.befriend("anna", LISTED);
    let listing = |text: &str, span| Listing {
        network: text.parse().unwrap(),
        until: world.now + span,
    };
    let begun = vec![
        listing("198.51.100.0/24", HOUR),
        listing("203.0.113.7/32", HOUR),
        listing("2001:db8:5::/48", HOUR * 2),
    ];
    let counts = world.gate.take_listings(&ListingNews::Since {
        ended: Vec::new(),
        begun,
    });
    assert_eq!(counts.held, 3);
    assert_eq!(standing(&world, LISTED), Standing::Familiar);
    assert!(matches!(world.login(LISTED, "anna"), Fate::Asked(_)));
    assert_eq!(
        world.login("203.0.113.7", "carl"),
        Fate::Refused(Reason::Ban)
    );
    assert_eq!(standing(&world, "203.0.113.7"), Standing::Banned);
    assert_eq!(standing(&world, "203.0.113.8"), Standing::Stranger);
    assert_eq!(standing(&world, "2001:db8:5::1"), Standing::Banned);
    assert_eq!(world.gate.lists(), [], "it is no list of a source");
    world.pass(HOUR);
    assert_eq!(standing(&world, "203.0.113.7"), Standing::Stranger);
    assert_eq!(standing(&world, "2001:db8:5::1"), Standing::Banned);
    world.pass(HOUR);
    assert_eq!(world.gate.listings(world.now), None);
}
