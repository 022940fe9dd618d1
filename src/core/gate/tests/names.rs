//! names - several names of one mailbox: what an attacker gains by them, with settings and without

use super::kit::*;
use crate::gate::buckets::spec::Bucket;
use crate::gate::request::names::{Domain, NameSettings};
use crate::gate::request::settings::GateSettings;
use crate::gate::request::verdict::{Reason, Standing};

fn world(names: NameSettings) -> World {
    World::new(GateSettings {
        names,
        ..settings()
    })
}

fn strip() -> NameSettings {
    NameSettings {
        domain: Domain::Strip,
        ..NameSettings::default()
    }
}

/// How many of 100 guesses, each at another name and from another network, reach Postfix.
fn asked(world: &mut World, name: impl Fn(usize) -> String) -> usize {
    let fates = (0..100).map(|n| {
        let from = format!("10.{n}.0.1");
        world.guess(&from, &name(n), &format!("Zwiebel{n}kuchen"))
    });
    fates.filter(|fate| matches!(fate, Fate::Asked(_))).count()
}

#[test]
fn unknown_names_with_one_local_part_pay_as_one_user() {
    let mut world = world(NameSettings::default());
    world.befriend("anna", HOME);
    assert_eq!(asked(&mut world, |n| format!("Anna@d{n}.example")), 10);
    // The owner's own bucket is another one.
    let own = Reason::Bucket(Bucket::UserFar);
    assert_eq!(tokens(&world, "198.51.100.9", "anna", own), 10);
    assert_eq!(tokens(&world, "198.51.100.9", "anna@other.example", own), 0);
    assert_eq!(tokens(&world, "198.51.100.9", "bert@d0.example", own), 10);
}

#[test]
fn known_names_with_one_local_part_are_as_many_users() {
    let mut world = world(NameSettings::default());
    for n in 0..5 {
        world.befriend(&format!("info@d{n}.example"), HOME);
    }
    assert_eq!(
        asked(&mut world, |n| format!("info@d{}.example", n % 5)),
        50
    );
}

#[test]
fn unknown_names_with_unusual_characters_pay_as_one_user() {
    for name in [
        |n| format!("user{n}*admin"),
        |n| format!("anna+{n}@example.org"),
        |n| format!("anna%d{n}"),
        |n| format!("anna{}", " ".repeat(n + 1)),
    ] as [fn(usize) -> String; 4]
    {
        assert_eq!(asked(&mut world(NameSettings::default()), name), 10);
    }
}

#[test]
fn where_domains_are_dropped_all_names_are_the_owners() {
    let mut world = world(strip());
    world.befriend("anna@example.org", HOME);
    assert_eq!(asked(&mut world, |n| format!("anna@d{n}")), 10);
    let own = Reason::Bucket(Bucket::UserFar);
    assert_eq!(tokens(&world, "198.51.100.9", "anna", own), 0);
    // At home the owner is familiar under each of them.
    for name in ["anna", "ANNA@example.net"] {
        let grounds = Reason::Bucket(Bucket::Familiar);
        assert_eq!(world.login(HOME, name), Fate::Asked(grounds), "{name}");
    }
    assert_eq!(world.gate.known().0, 1);
}

#[test]
fn guesses_at_a_master_users_password_count_for_the_master_user() {
    let mut world = world(NameSettings {
        master_separator: Some(b'*'),
        ..NameSettings::default()
    });
    world.befriend("admin", HOME);
    assert_eq!(asked(&mut world, |n| format!("user{n}*admin")), 10);
    let own = Reason::Bucket(Bucket::UserFar);
    assert_eq!(tokens(&world, "198.51.100.9", "admin", own), 0);
    assert_eq!(tokens(&world, "198.51.100.9", "user1", own), 10);
}

#[test]
fn forgiving_an_unknown_user_fills_what_such_names_pay_from() {
    let own = Reason::Bucket(Bucket::UserFar);
    for name in ["anna@a", "anna+x"] {
        let mut world = world(NameSettings::default());
        asked(&mut world, |_| name.to_owned());
        assert_eq!(tokens(&world, "198.51.100.9", name, own), 0);
        world
            .gate
            .forgive_user(&user(name), world.now, &mut world.changes);
        assert_eq!(tokens(&world, "198.51.100.9", name, own), 10);
    }
}

#[test]
fn a_trap_and_a_listed_user_are_folded_too() {
    let mut world = World::new(GateSettings {
        names: strip(),
        users: vec!["daemon@example.org".to_owned()],
        ..settings()
    });
    world.guess("198.51.100.9", "daemon@other", "Zwiebelkuchen");
    assert_eq!(
        world.gate.standing(client("198.51.100.9"), world.now),
        Standing::Stranger
    );
    world.guess("198.51.100.9", "root@other", "Zwiebelkuchen");
    assert_eq!(
        world.gate.standing(client("198.51.100.9"), world.now),
        Standing::Banned
    );
}
