//! bound - whatever the size of a botnet, so many guesses reach Postfix and no more

use std::time::Duration;

use super::kit::*;
use crate::gate::buckets::spec::{Bucket, Ladder};
use crate::gate::request::client::ClientKey;
use crate::gate::request::settings::GateSettings;
use crate::gate::request::verdict::Reason;

/// A botnet before a server with so many users.
struct Siege {
    world: World,
    users: usize,
    tries: usize,
    /// Guesses that reached Postfix.
    reached: u64,
    /// Those of them for one of the users.
    at_users: u64,
}

impl Siege {
    /// Drains what stands in the buckets at first.
    fn begin(users: usize, target: impl Fn(usize) -> usize) -> Self {
        let world = World::new(GateSettings {
            capacity: GateSettings::default().capacity,
            ..settings()
        });
        for n in 0..users {
            world.befriend(&format!("user{n}"), &home(n));
        }
        let mut siege = Self {
            world,
            users,
            tries: 0,
            reached: 0,
            at_users: 0,
        };
        for _ in 0..4 * (100 + users / 10) + 200 {
            siege.attempt(&target);
        }
        siege
    }

    /// Goes on for `span`, a try each `pace`; how many guesses reached Postfix in it, and how many
    /// of them were for one of the users.
    fn go_on(
        &mut self,
        span: Duration,
        pace: Duration,
        target: impl Fn(usize) -> usize,
    ) -> (u64, u64) {
        (self.reached, self.at_users) = (0, 0);
        for _ in 0..span.as_nanos() / pace.as_nanos() {
            self.world.now = self.world.now + pace;
            self.attempt(&target);
        }
        (self.reached, self.at_users)
    }

    /// A try from an ever new address, in or outside the victim's carrier, with words, unique
    /// passwords, unknown users and hidden mechanisms in turn.
    fn attempt(&mut self, target: impl Fn(usize) -> usize) {
        let n = self.tries;
        self.tries += 1;
        // An address from a pool of millions, scattered by a multiplier.
        let address = (n as u32).wrapping_mul(0x9e37_79b1);
        let victim = target(n) % self.users;
        let known = n % 4 != 3;
        let name = match known {
            true => format!("user{victim}"),
            false => format!("ghost{n}"),
        };
        let carrier = 0x0a00_0000 | (victim as u32 % 200) << 16;
        let from = ClientKey::V4(match n % 8 {
            0..4 => carrier | 1 << 8 | address >> 17,
            _ => 0x6400_0000 | address >> 8,
        });
        let password = match n % 3 {
            0 => Some("Sommer2024".to_owned()),
            1 => Some(format!("Einzig{n}artig{n}es")),
            _ => n.is_multiple_of(2).then(|| format!("Noch{n}ein{n}mal")),
        };
        match self.world.attempt(from, &name, password.as_deref()) {
            Fate::Asked(Reason::Bucket(Bucket::Familiar)) => panic!("no stranger"),
            // The same wrong password for the same user is no new guess.
            Fate::Asked(Reason::Repeat) | Fate::Refused(_) | Fate::Repeat => {}
            Fate::Asked(_) => {
                self.reached += 1;
                self.at_users += u64::from(known);
            }
            fate => panic!("{fate:?}"),
        }
        self.world.changes.clear();
    }
}

/// Users live in 200 carriers, in networks the siege never uses.
fn home(n: usize) -> String {
    format!("10.{}.0.{}", n % 200, 1 + n / 200 % 250)
}

fn most(users: u64) -> u64 {
    2 * (720 + 3 * users) + 48 + 144
}

#[test]
fn a_pool_gets_no_more_guesses_a_day_than_the_bound_at_a_server_of_40() {
    assert_eq!(most(40), 1872);
    let everybody = |n| n / 8;
    let mut siege = Siege::begin(40, everybody);
    for day in 0..4 {
        let (reached, _) = siege.go_on(DAY, Duration::from_secs(8), everybody);
        assert!(reached <= most(40), "day {day}: {reached}");
        // And the bound is no idle number.
        assert!(reached * 10 > most(40) * 9, "day {day}: {reached}");
    }
}

#[test]
fn a_pool_gets_no_more_guesses_a_day_than_the_bound_at_a_server_of_10_000() {
    assert_eq!(most(10_000), 61_632);
    let everybody = |n| n / 8;
    let mut siege = Siege::begin(10_000, everybody);
    let (reached, _) = siege.go_on(DAY / 12, Duration::from_millis(500), everybody);
    assert!(reached <= most(10_000) / 12, "{reached}");
    assert!(reached * 10 > most(10_000) / 12 * 9, "{reached}");
}

#[test]
fn one_account_meets_at_most_24_near_and_24_far_guesses_a_day() {
    let one = |_| 7;
    let mut siege = Siege::begin(40, one);
    for day in 0..4 {
        let (_, reached) = siege.go_on(DAY, Duration::from_secs(20), one);
        assert!((44..=48).contains(&reached), "day {day}: {reached}");
    }
}

/// The attacker owns 20 of the accounts, which log in from 20 of the addresses that the guesses come from.
#[test]
fn accounts_that_log_in_where_guesses_come_from_add_two_guesses_a_day_each() {
    let everybody = |n| n / 8;
    let owned = |n: usize| format!("user{}", n % 20);
    let from = |n: usize| format!("172.20.{}.1", n % 20);
    let mut siege = Siege::begin(40, everybody);
    for n in 0..400 {
        siege.world.befriend(&owned(n), &from(n / 20));
    }
    for day in 0..2 {
        siege.reached = 0;
        let mut in_credit = 0;
        for n in 0..24 * 450 {
            siege.world.now = siege.world.now + Duration::from_secs(8);
            siege.attempt(everybody);
            // Two accounts at each address in turn, so that they are a crowd.
            siege.world.login(&from(n / 40), &owned(n));
            let name = format!("user{}", 20 + n % 20);
            let fate = siege
                .world
                .guess(&from(n / 40), &name, &format!("Wort{day}und{n}"));
            in_credit += u64::from(fate == Fate::Asked(Reason::Bucket(Bucket::Credit)));
            siege.reached += u64::from(matches!(fate, Fate::Asked(_)));
            siege.world.changes.clear();
        }
        let reached = siege.reached;
        assert!(reached <= most(40) + 2 * 20, "day {day}: {reached}");
        assert!((30..=40).contains(&in_credit), "day {day}: {in_credit}");
    }
}

#[test]
fn an_ipv6_32_gets_at_most_360_guesses_a_day() {
    let mut world = World::new(settings());
    let mut reached = [0; 4];
    for n in 0..4 * 24 * 360_u64 {
        world.now = world.now + Duration::from_secs(10);
        let from = ClientKey::V6(0x2001_0db8_0000_0000 | n.wrapping_mul(0x9e37_79b1) & 0xffff_ffff);
        let name = format!("user{n}");
        if n % 2 == 0 {
            world.befriend(&name, "192.0.2.1");
        }
        if let Fate::Asked(_) = world.attempt(from, &name, Some(&format!("Einzig{n}artig"))) {
            reached[(n / 24 / 360) as usize] += 1;
        }
        world.changes.clear();
    }
    assert!(reached[1..].iter().all(|day| *day <= 360), "{reached:?}");
    assert!(reached[1..].iter().all(|day| *day > 300), "{reached:?}");
}

#[test]
fn from_inside_a_network_where_its_owner_logs_in_48_a_day_are_the_most() {
    let mut world = World::new(settings());
    world.befriend("anna", "203.0.113.7");
    let mut reached = [0; 5];
    for minute in 0..5 * 24 * 60 {
        world.pass(MINUTE);
        let fate = world.guess("203.0.113.99", "anna", &format!("Einzig{minute}artig"));
        if fate == Fate::Asked(Reason::Bucket(Bucket::Familiar)) {
            reached[(minute / (24 * 60)) as usize] += 1;
        }
    }
    for day in &reached[1..] {
        assert!((47..=48).contains(day), "{reached:?}");
    }
}

/// The whole of a day's new guesses at one account, by who has near and far addresses, logins of their own and patience.
#[test]
fn one_account_gets_72_a_day_whatever_is_tried_twice_and_paid_by_whose_logins() {
    let mut world = World::new(GateSettings {
        ladder: Ladder::default(),
        ..settings()
    });
    for n in 0..40 {
        world.befriend(&format!("user{n}"), "192.0.2.1");
    }
    let mut asked = [0; 2];
    let mut pending: Vec<(String, String)> = Vec::new();
    for minute in 0..2 * 24 * 60 {
        // Accounts of the attacker's own earn credit for the addresses that guess next.
        let far = format!("10.{}.{}.1", minute / 250 % 250, minute % 250);
        let near = format!("192.0.{}.{}", 3 + minute / 250 % 250, 1 + minute % 250);
        for own in 30..35 {
            if minute % 30 == 0 {
                world.login(&far, &format!("user{own}"));
            }
        }
        let mut now: Vec<(String, String)> = std::mem::take(&mut pending);
        for from in [&far, &near] {
            for n in 0..2 {
                now.push((from.clone(), format!("Zwiebel{minute}kuchen{n}fest{from}")));
            }
        }
        for (from, password) in now {
            match world.guess(&from, "user1", &password) {
                Fate::Asked(Reason::Repeat) => {}
                Fate::Asked(_) => asked[minute / (24 * 60)] += 1,
                Fate::Refused(_) => pending.push((from, password)),
                other => panic!("{other:?}"),
            }
        }
        if pending.len() > 60 {
            pending.drain(..pending.len() - 60);
        }
        world.pass(MINUTE);
    }
    assert!(asked[1] <= 72, "{asked:?}");
    assert!(asked[1] >= 48, "{asked:?}");
}
