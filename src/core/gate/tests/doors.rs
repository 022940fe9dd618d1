//! doors - one gate, one memory and one bound, whichever door a password is tried at
//!
//! Not here: Dovecot's protocol (the daemon's `auth_policy`), a real Dovecot (`integration`).

use std::time::Duration;

use super::kit::*;
use crate::gate::buckets::spec::Bucket;
use crate::gate::permit::{First, Permit, Verdict};
use crate::gate::request::attempt::{AuthAttempt, AuthOutcome, Password, Secret, Trust};
use crate::gate::request::client::ClientKey;
use crate::gate::request::doors::{Door, PasswordHash, PolicyNonce};
use crate::gate::request::place::Located;
use crate::gate::request::settings::GateSettings;
use crate::gate::request::verdict::Reason;

mod crowd;

const ANNA: &str = "anna@example.org";
const HOME: &str = "203.0.113.9";
const AWAY: &str = "198.51.100.7";

fn nonce() -> PolicyNonce {
    PolicyNonce::new("a secret of the operator's")
}

fn settings_with_doors() -> GateSettings {
    GateSettings {
        nonce: Some(nonce()),
        ..settings()
    }
}

/// A server that has many users; Anna has logged in at home.
fn world() -> World {
    let world = World::new(settings_with_doors());
    world.befriend(ANNA, HOME);
    world
}

/// What Dovecot tells of a password.
fn hashed(name: &str, password: &str) -> PasswordHash {
    nonce().hash(name.as_bytes(), password.as_bytes())
}

/// The verdict at a door, waiting for a turn where one is needed.
fn judge(
    world: &mut World,
    door: Door,
    from: ClientKey,
    name: &str,
    password: Option<&str>,
) -> Verdict {
    let user = user(name);
    let secret = Secret::new(password.unwrap_or_default().as_bytes().to_vec());
    let hash = hashed(&name.to_lowercase(), password.unwrap_or_default());
    let attempt = AuthAttempt {
        session: 7,
        client: from,
        user: &user,
        password: match (door, password) {
            (_, None) => Password::Hidden,
            (Door::Own, Some(_)) => Password::Shown(&secret),
            _ => Password::Hashed(&hash),
        },
        door,
        device: None,
        country: Located::default(),
        system: None,
    };
    let (gate, now, changes) = (&world.gate, world.now, &mut world.changes);
    match gate.judge(&attempt, now, changes) {
        First::Wait(class) => gate.judge_in_turn(&attempt, class, now, changes),
        First::Decided(verdict) => verdict,
    }
}

/// What became of a wrong password, and how long it had to wait.
fn wrong(
    world: &mut World,
    door: Door,
    from: ClientKey,
    name: &str,
    password: &str,
) -> (Fate, Duration) {
    match judge(world, door, from, name, Some(password)) {
        Verdict::Allow(permit) => {
            let told = (Fate::Asked(permit.grounds()), permit.delay());
            world.settle(permit, AuthOutcome::Reject);
            told
        }
        Verdict::Repeat => (Fate::Repeat, Duration::ZERO),
        Verdict::Refuse(refusal) | Verdict::Crowded(refusal) => {
            (Fate::Refused(refusal.reason), Duration::ZERO)
        }
    }
}

fn left(world: &World, bucket: Bucket) -> u32 {
    tokens(world, AWAY, ANNA, Reason::Bucket(bucket))
}

/// Empties the bucket of all strangers, a guess a network.
fn empty_strangers(world: &mut World) {
    for n in 0..200 {
        world.befriend(&format!("user{n}"), "192.0.2.9");
    }
    for n in 0..1_000 {
        let from = client(&format!("10.{}.{}.1", n / 250, n % 250));
        let _ = wrong(
            world,
            Door::Own,
            from,
            &format!("user{}", n % 200),
            &format!("wort{n}wort"),
        );
    }
}

#[test]
fn a_password_that_was_wrong_at_one_door_is_known_to_be_wrong_at_the_others() {
    let mut world = world();
    let from = client(AWAY);
    let (fate, _) = wrong(&mut world, Door::Own, from, "Anna@Example.org", "Zwiebel-1");
    assert!(matches!(fate, Fate::Asked(_)), "{fate:?}");
    for door in [Door::Imap, Door::Pop3, Door::Own] {
        let (fate, _) = wrong(&mut world, door, from, ANNA, "Zwiebel-1");
        assert_eq!(fate, Fate::Repeat, "{door}");
    }
    let (fate, _) = wrong(&mut world, Door::Sieve, from, ANNA, "Zwiebel-2");
    assert!(matches!(fate, Fate::Asked(_)), "{fate:?}");
    let (fate, _) = wrong(&mut world, Door::Own, from, ANNA, "Zwiebel-2");
    assert_eq!(fate, Fate::Repeat);
}

/// Somebody reads with tokens at two places: an old one that is refused, before the next, is no changed password.
#[test]
fn a_token_that_has_ended_leaves_the_users_other_networks_familiar() {
    let trust_at_home = |is_token: bool| {
        let mut world = World::new(settings_with_doors());
        for (from, secret, outcome) in [
            (HOME, "first", AuthOutcome::Accept),
            (AWAY, "first", AuthOutcome::Accept),
            (AWAY, "first", AuthOutcome::Reject),
            (AWAY, "second", AuthOutcome::Accept),
        ] {
            world.now = world.now + Duration::from_secs(60);
            let (anna, hash) = (user(ANNA), hashed(ANNA, secret));
            let attempt = AuthAttempt {
                session: 7,
                client: client(from),
                user: &anna,
                password: match is_token {
                    true => Password::HashedToken(&hash),
                    false => Password::Hashed(&hash),
                },
                door: Door::Imap,
                device: None,
                country: Located::default(),
                system: None,
            };
            let (gate, now, changes) = (&world.gate, world.now, &mut world.changes);
            let verdict = match gate.judge(&attempt, now, changes) {
                First::Wait(class) => gate.judge_in_turn(&attempt, class, now, changes),
                First::Decided(verdict) => verdict,
            };
            let Verdict::Allow(permit) = verdict else {
                panic!("{secret}: {verdict:?}");
            };
            world.settle(permit, outcome);
        }
        let told = world
            .gate
            .explain(client(HOME), Some(&user(ANNA)), world.now);
        told.user.unwrap().trust
    };
    assert_eq!(trust_at_home(true), Trust::Familiar);
    assert_eq!(trust_at_home(false), Trust::Unproven);
}

#[test]
fn guesses_at_all_doors_pay_from_the_same_buckets() {
    let mut world = world();
    let doors = [Door::Imap, Door::Own, Door::Pop3, Door::Smtp, Door::Sieve];
    let full = left(&world, Bucket::Client);
    for (n, door) in doors.into_iter().enumerate() {
        let password = format!("Zwiebel-{n}");
        let (fate, _) = wrong(&mut world, door, client(AWAY), ANNA, &password);
        assert!(matches!(fate, Fate::Asked(_)), "{door}: {fate:?}");
        assert_eq!(left(&world, Bucket::Client), full - 1 - n as u32, "{door}");
    }
}

#[test]
fn a_frequent_password_is_a_word_at_every_door() {
    let mut world = world();
    let full = (left(&world, Bucket::Words), left(&world, Bucket::Strangers));
    let words = ["password", "Anna1984", "Summer2026!", "123456"];
    for (n, (door, password)) in Door::ALL.into_iter().zip(words).enumerate() {
        let from = client(&format!("198.51.{n}.7"));
        let (fate, _) = wrong(&mut world, door, from, ANNA, password);
        assert!(matches!(fate, Fate::Asked(_)), "{door}: {fate:?}");
        let held = (left(&world, Bucket::Words), left(&world, Bucket::Strangers));
        assert_eq!(held, (full.0 - 1 - n as u32, full.1), "{door}: {password}");
    }
    let (fate, _) = wrong(&mut world, Door::Imap, client(AWAY), ANNA, "Zwiebel-1");
    assert!(matches!(fate, Fate::Asked(_)), "{fate:?}");
    assert_eq!(left(&world, Bucket::Strangers), full.1 - 1);
}

#[test]
fn a_login_at_any_door_makes_familiar_at_all() {
    let mut world = world();
    let verdict = judge(&mut world, Door::Imap, client(AWAY), ANNA, Some("right"));
    let Verdict::Allow(permit) = verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(
        world.settle(permit, AuthOutcome::Accept),
        AuthOutcome::Accept
    );
    empty_strangers(&mut world);
    let verdict = judge(&mut world, Door::Own, client(AWAY), ANNA, Some("right"));
    let Verdict::Allow(permit) = verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(permit.grounds(), Reason::Bucket(Bucket::Familiar));
}

#[test]
fn where_no_later_can_be_told_a_known_user_waits_for_a_token_that_comes_soon() {
    let mut world = world();
    empty_strangers(&mut world);
    let now = world.now;
    // A token comes each few minutes: look at every second of them.
    let mut delayed = 0;
    for second in 0..600 {
        world.now = now + Duration::from_secs(second);
        let mut try_at = |door, from, name, password: &str| {
            wrong(&mut world, door, client(from), name, password)
        };
        let unique = format!("{second}");
        let (_, delay) = try_at(Door::Imap, "192.0.2.77", "nobody@x", &unique);
        assert!(delay.is_zero(), "a name that is not known: {delay:?}");
        // Its own client and password each time, so that only the door keeps it from a token that comes.
        let fresh = format!("10.98.{}.{}", second / 250, second % 250);
        let (own, own_delay) = try_at(Door::Own, &fresh, ANNA, &format!("Zwiebel{second}x"));
        assert!(
            own_delay.is_zero(),
            "our own door can say later: {own_delay:?}"
        );
        let (fate, delay) = try_at(Door::Imap, "192.0.2.79", ANNA, "Zwiebel-2");
        if !matches!(fate, Fate::Asked(_)) || delay.is_zero() {
            continue;
        }
        assert!(matches!(own, Fate::Refused(_)), "{own:?}");
        assert!(delay <= Duration::from_secs(20), "{delay:?}");
        assert_eq!(delay.subsec_nanos(), 0, "{delay:?}");
        delayed += 1;
        world.now = world.now + delay - Duration::from_secs(1);
        let later = client("10.99.0.1");
        let (fate, _) = wrong(&mut world, Door::Own, later, ANNA, "Zwiebel-3");
        assert!(
            matches!(fate, Fate::Refused(_)),
            "its token is taken: {fate:?}"
        );
        break;
    }
    assert_eq!(delayed, 1, "nobody was delayed");
}

#[test]
fn a_familiar_pair_is_not_told_wrong_because_others_feign_an_outage() {
    let mut world = world();
    for n in 0..6 {
        let (home, name) = (format!("10.{n}.0.1"), format!("user{n}"));
        world.befriend(&name, &home);
        let verdict = judge(&mut world, Door::Own, client(&home), &name, Some("x"));
        if let Verdict::Allow(permit) = verdict {
            world.settle(permit, AuthOutcome::Reject);
        }
    }
    let hidden = |world: &mut World, door| {
        let verdict = judge(world, door, client(HOME), ANNA, None);
        if let Verdict::Allow(permit) = verdict {
            return Some(world.settle(permit, AuthOutcome::Reject));
        }
        None
    };
    assert_eq!(
        hidden(&mut world, Door::Own),
        Some(AuthOutcome::Defer),
        "an outage"
    );
    assert_eq!(
        hidden(&mut world, Door::Own),
        None,
        "it is told to come later"
    );
    assert!(hidden(&mut world, Door::Imap).is_some(), "it cannot be");
}

#[test]
fn what_dovecot_never_reports_stays_paid_and_goes_on_with_the_same_password() {
    let mut world = world();
    let before = left(&world, Bucket::Client);
    let lose = |world: &mut World, password| {
        let verdict = judge(world, Door::Imap, client(AWAY), ANNA, Some(password));
        let Verdict::Allow(permit) = verdict else {
            panic!("{verdict:?}");
        };
        world.settle(permit, AuthOutcome::Unreported);
    };
    lose(&mut world, "right");
    world.pass(MINUTE * 2);
    lose(&mut world, "right");
    assert_eq!(left(&world, Bucket::Client), before - 1);
    let verdict = judge(&mut world, Door::Imap, client(AWAY), ANNA, Some("right"));
    let Verdict::Allow(permit) = verdict else {
        panic!("{verdict:?}");
    };
    world.settle(permit, AuthOutcome::Accept);
    assert_eq!(left(&world, Bucket::Client), before);
}

/// A botnet with as many addresses as it likes, that tries known users and names of its own at every door in turn.
#[test]
fn the_bound_of_a_day_is_one_for_all_doors_together() {
    const USERS: u64 = 40;
    let mut world = World::new(settings_with_doors());
    for n in 0..USERS {
        world.befriend(&format!("user{n}"), &format!("10.{n}.0.1"));
    }
    let pace = Duration::from_secs(5);
    let mut reached = [0_u64; 2];
    for (day, count) in reached.iter_mut().enumerate() {
        for n in 0..DAY.as_secs() / pace.as_secs() {
            world.now = world.now + pace;
            let n = n + day as u64 * 1_000_000;
            let door = Door::ALL[n as usize % Door::ALL.len()];
            let far = ClientKey::V4(0x0b00_0000 + n as u32 * 256);
            // Every third comes from a user's own carrier.
            let near = client(&format!("10.{}.{}.7", n % USERS, 1 + n % 200));
            let from = if n.is_multiple_of(3) { near } else { far };
            let name = match n % 2 {
                0 => format!("user{}", n % USERS),
                _ => format!("name{n}"),
            };
            let (fate, _) = wrong(&mut world, door, from, &name, &format!("{n}wort{n}wort"));
            *count += u64::from(matches!(fate, Fate::Asked(_)));
        }
    }
    let bound = 2 * (720 + 3 * USERS) + 48 + 144;
    // What was paid in advance at the day's end, one token of each bucket.
    assert!(reached[1] <= bound + 4, "{reached:?}, {bound}");
    assert!(
        reached[1] >= bound / 3,
        "the attack must be worth its name: {reached:?}"
    );
}
