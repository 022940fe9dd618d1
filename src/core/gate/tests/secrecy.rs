//! secrecy - rule 7: what a stranger is told does not depend on whether the name is known

use std::sync::Arc;
use std::time::Duration;

use super::kit::*;
use crate::gate::buckets::credit::Need;
use crate::gate::buckets::spec::{Bucket, Ladder};
use crate::gate::request::attempt::AuthOutcome;
use crate::gate::request::client::NetworkKey;
use crate::gate::request::place::SystemLookup;
use crate::gate::request::settings::GateSettings;
use crate::gate::request::verdict::Reason;

const HOME: &str = "192.0.2.1";

/// Each address in a network of its own.
fn from(n: usize) -> String {
    format!("10.{}.{}.1", n / 256, n % 256)
}

fn world(settings: GateSettings) -> World {
    let world = World::new(settings);
    for n in 0..40 {
        world.befriend(&format!("user{n}"), HOME);
    }
    world
}

/// A pool guesses `known` and `invented` names `rounds` times each, in turn; what each kind was told.
fn sorted(world: &mut World, rounds: usize, first: usize) -> [Vec<u16>; 2] {
    let mut told = [Vec::new(), Vec::new()];
    for n in 0..rounds {
        let known = format!("user{}", n % 40);
        let invented = format!("ghost{n}");
        for (kind, name) in [known, invented].iter().enumerate() {
            let number = first + 2 * n + kind;
            told[kind].push(world.told(&from(number), name, &good(number)));
        }
    }
    told
}

#[test]
fn names_are_told_alike_whichever_bucket_is_empty() {
    for (empty, kind) in [(Bucket::Unknown, "ghost"), (Bucket::Strangers, "user")] {
        let mut world = world(settings());
        let [known, invented] = sorted(&mut world, 5, 0);
        assert_eq!((known.clone(), invented), (vec![535; 5], vec![535; 5]));
        for n in 0..400 {
            let name = format!("{kind}{}", n % 40);
            let name = match kind {
                "ghost" => format!("ghost-{n}"),
                _ => name,
            };
            world.told(&from(1_000 + n), &name, &good(1_000 + n));
        }
        let left = tokens(&world, HOME, "user0", Reason::Bucket(empty));
        assert_eq!(left, 0, "{empty:?}");
        let [known, invented] = sorted(&mut world, 16, 5_000);
        assert_eq!(known, invented, "{empty:?}");
        assert!(known.iter().all(|code| *code == 454), "{known:?}");
        // Repetitions too, at once and later.
        for minutes in [0, 1, 1, 5] {
            world.pass(MINUTE * minutes);
            let again = sorted(&mut world, 16, 5_000);
            assert!(again.iter().flatten().all(|code| *code == 454), "{again:?}");
        }
    }
}

#[test]
fn what_was_refused_for_its_owner_is_not_told_to_who_tries_it_elsewhere() {
    let mut world = world(settings());
    let own = "Kirschen-im-Garten";
    for n in 0..400 {
        world.told(&from(n), &format!("user{}", n % 39), &good(n));
    }
    assert_eq!(world.told("198.51.100.7", "user39", own), 454, "far away");
    let permit = world.permit(HOME, "user39", own);
    world.settle(permit, AuthOutcome::Accept);
    world.pass(DAY);
    world.guess("203.0.113.7", "user1", own);
    let other = world.guess("203.0.113.7", "user2", own);
    assert_eq!(other, Fate::Asked(Reason::Bucket(Bucket::Strangers)));
}

#[test]
fn a_right_password_of_a_known_name_is_accepted_while_invented_names_are_refused() {
    let mut world = world(settings());
    for n in 0..400 {
        world.told(&from(n), &format!("ghost{n}"), &good(n));
    }
    for n in 0..20 {
        let fate = world.login(&from(5_000 + n), &format!("user{n}"));
        assert_eq!(fate, Fate::Asked(Reason::Bucket(Bucket::Strangers)));
    }
}

#[test]
fn at_home_and_near_it_a_wrong_password_is_called_that() {
    let mut world = world(settings());
    for n in 0..400 {
        world.told(&from(n), &format!("ghost{n}"), &good(n));
    }
    for near in ["192.0.2.7", "192.0.9.7"] {
        assert_eq!(world.told(near, "user1", &good(9_000)), 535, "{near}");
        world.pass(MINUTE * 2);
    }
}

#[test]
fn while_nothing_is_refused_nothing_is_hidden() {
    let mut world = world(GateSettings {
        settling: DAY,
        ..settings()
    });
    for n in 0..60 {
        let name = format!("ghost{n}");
        assert_eq!(world.told(&from(n), &name, &good(n)), 535);
    }
    assert_eq!(world.told(&from(999), "user1", &good(999)), 535);
}

/// The gate as it is delivered, with what is kept for retries.
fn delivered() -> World {
    world(GateSettings {
        ladder: Ladder::default(),
        ..settings()
    })
}

#[test]
fn names_are_told_alike_when_only_what_is_kept_for_retries_is_left() {
    for (kind, empty) in [("ghost", Bucket::Unknown), ("user", Bucket::Strangers)] {
        let mut world = delivered();
        let mut number = 10_000;
        for minutes in [0, 2, 0, 3, 6] {
            world.pass(MINUTE * minutes);
            // New guesses take all that comes back, and nothing that is kept for retries.
            for n in 0..400 {
                let name = match kind {
                    "ghost" => format!("ghost-{number}"),
                    _ => format!("user{}", n % 40),
                };
                world.told(&from(number), &name, &good(number));
                number += 1;
            }
            if number == 10_400 {
                let left = tokens(&world, HOME, "user0", Reason::Bucket(empty));
                assert!((2..30).contains(&left), "{left}");
            }
            let [known, invented] = sorted(&mut world, 2, 5_000);
            assert_eq!(known, invented, "{empty:?} {minutes}");
        }
    }
}

/// A pool uses up what invented names may take, for retries too when it comes again.
fn use_up_invented(world: &mut World) {
    for n in 0..60 {
        let number = 1_000 + n;
        world.told(&from(number), &format!("ghost-{n}"), &good(number));
    }
}

#[test]
fn the_banner_does_not_tell_whether_postfix_was_asked() {
    const HERE: &str = "203.0.113.9";
    let banner = |world: &World| {
        let session = Duration::from_secs(300);
        let refusal = world
            .gate
            .refuse_at_accept(client(HERE), 9, session, world.now);
        refusal.is_some()
    };
    let seen = |name: &str| {
        let mut banners = Vec::new();
        // One guess that is checked or not, among others that are not.
        let mut world = delivered();
        use_up_invented(&mut world);
        for n in 0..10 {
            let name = if n == 0 { name } else { &format!("no{n}") };
            assert_eq!(world.told(HERE, name, &good(n)), 454);
        }
        for seconds in [0, 30, 31, 200] {
            world.pass(Duration::from_secs(seconds));
            banners.push(banner(&world));
        }
        // A retry, with the token that is kept for it.
        let mut world = delivered();
        use_up_invented(&mut world);
        for n in 0..10 {
            let name = if n == 9 { name } else { &format!("no{n}") };
            assert_eq!(world.told(HERE, name, &good(n)), 454);
        }
        for seconds in [61, 61] {
            world.pass(Duration::from_secs(seconds));
            use_up_invented(&mut world);
            world.told(HERE, name, &good(9));
            banners.push(banner(&world));
        }
        banners
    };
    assert_eq!(seen("user1"), seen("ghost"));
}

#[test]
fn the_banner_of_a_neighbour_does_not_tell_it_either() {
    let neighbour = |n: usize| format!("203.0.113.{n}");
    let seen = |kind: &str| {
        let mut world = delivered();
        // What the network has but for what is kept for retries, by names that exist.
        for n in 0..17 {
            let told = world.told(&neighbour(10 + n), &format!("user{n}"), &good(n));
            assert_eq!(told, 535);
        }
        use_up_invented(&mut world);
        let names: Vec<_> = (0..3).map(|n| format!("{kind}{}", 20 + n)).collect();
        let mut banners = Vec::new();
        for seconds in [0, 61, 121, 3_600] {
            world.pass(Duration::from_secs(seconds));
            use_up_invented(&mut world);
            for (n, name) in names.iter().enumerate() {
                world.told(&neighbour(50 + n), name, &good(50 + n));
            }
            let session = Duration::from_secs(300);
            let fresh = client(&neighbour(99));
            let refusal = world.gate.refuse_at_accept(fresh, 9, session, world.now);
            banners.push(refusal.is_some());
        }
        banners
    };
    assert_eq!(seen("user"), seen("ghost"));
}

#[test]
fn names_with_one_local_part_are_told_alike_when_their_common_bucket_is_empty() {
    let mut world = delivered();
    for n in 0..40 {
        world.befriend(&format!("info@kunde{n}.example"), HOME);
    }
    for n in 0..12 {
        let name = format!("info@erfunden{n}.example");
        world.told(&from(100 + n), &name, &good(100 + n));
    }
    let mut told = [Vec::new(), Vec::new()];
    for n in 0..4 {
        let names = [
            format!("info@kunde{n}.example"),
            format!("info@nirgends{n}.example"),
        ];
        for (kind, name) in names.iter().enumerate() {
            let number = 200 + 2 * n + kind;
            told[kind].push(world.told(&from(number), name, &good(number)));
        }
    }
    assert_eq!(told, [[454; 4], [454; 4]]);
    // A right password is accepted as ever.
    let login = world.login(&from(300), "info@kunde9.example");
    assert_eq!(login, Fate::Asked(Reason::Bucket(Bucket::Strangers)));
}

#[test]
fn names_with_one_local_part_are_told_alike_in_credit_too() {
    let mut world = delivered();
    for n in 0..40 {
        world.befriend(&format!("info@kunde{n}.example"), HOME);
    }
    let quota = world.gate.rules.load().earning.unwrap();
    let office = "203.0.113.7";
    for n in 0..30 {
        let user = world.gate.user(&user(&format!("crowd{n}")));
        let credit = world.gate.buckets.credit();
        credit.login(client(office), user, quota, Need::Short, world.now);
    }
    let told = |world: &mut World, name: &str, n: usize| world.told(office, name, &good(n));
    for n in 0..20 {
        let name = format!("info@erfunden{n}.example");
        world.told(&from(100 + n), &name, &good(100 + n));
    }
    for n in 0..8 {
        assert_eq!(told(&mut world, &format!("info@falsch{n}.example"), n), 535);
    }
    for n in 0..8 {
        let known = told(&mut world, &format!("info@kunde{n}.example"), 10 + n);
        let invented = told(&mut world, &format!("info@leer{n}.example"), 10 + n);
        assert_eq!(known, invented, "{n}");
    }
}

/// One autonomous system announces the users' home and all of 20.0.0.0/8.
struct Carrier;

impl SystemLookup for Carrier {
    fn system(&self, network: NetworkKey) -> Option<u32> {
        let text = network.to_string();
        let is_of_carrier = text.starts_with("20.") || text.starts_with("192.0.2.");
        is_of_carrier.then_some(64_500)
    }
}

fn in_carrier(n: usize) -> String {
    format!("20.{}.{}.1", n / 256, n % 256)
}

#[test]
fn a_bot_in_the_users_autonomous_system_is_told_of_no_name() {
    for kind in ["user", "ghost"] {
        let mut world = world(settings());
        world.gate.ask_systems(Arc::new(Carrier));
        for n in 0..400 {
            let name = match kind {
                "ghost" => format!("ghost-{n}"),
                _ => format!("user{}", n % 40),
            };
            world.told(&from(1_000 + n), &name, &good(1_000 + n));
        }
        for n in 0..40 {
            let (from, password) = (in_carrier(n), good(n));
            let told = [format!("user{n}"), format!("spectre{n}")]
                .map(|name| world.told(&from, &name, &password));
            assert_eq!(told, [454; 2], "{kind}, {n}");
        }
    }
}

#[test]
fn nor_is_one_whose_own_buckets_are_empty() {
    let mut world = world(settings());
    world.gate.ask_systems(Arc::new(Carrier));
    let bot = in_carrier(0);
    let invented = (0..12).map(|n| world.told(&bot, &format!("ghost{n}"), &good(n)));
    assert_eq!(invented.filter(|code| *code == 535).count(), 10);
    let known = world.guess(&bot, "user1", &good(101));
    assert_eq!(known, Fate::Asked(Reason::Bucket(Bucket::Near)));
    assert_eq!(world.told(&bot, "user2", &good(102)), 454);
}
