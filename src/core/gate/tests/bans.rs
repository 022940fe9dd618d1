//! bans - rules 4, 5 and 6: strikes, bans of clients and networks, traps

use super::kit::*;
use crate::gate::buckets::spec::Bucket;
use crate::gate::permit::Verdict;
use crate::gate::request::change::{BanCause, BanEnd, BanEnding, Change, Fact, Subject};
use crate::gate::request::settings::Mode;
use crate::gate::request::verdict::{Reason, Standing};
use crate::gate::trust::ban::Ban;

/// Tries ever new passwords for an unknown user until something is refused for `reason`.
fn hammer(world: &mut World, from: &str, salt: usize, reason: Reason) {
    for n in 0..1000 {
        let fate = world.guess(from, "ghost", &good(salt * 1000 + n));
        if fate == Fate::Refused(reason) {
            return;
        }
    }
    panic!("never refused by {reason}");
}

fn standing(world: &World, from: &str) -> Standing {
    world.gate.standing(client(from), world.now)
}

fn minutes_banned(world: &World, from: &str) -> u64 {
    let ban = world.gate.explain(client(from), None, world.now).ban;
    ban.map_or(0, |ban| ban.until.since(world.now).as_secs() / 60)
}

/// Spends all and is banned.
fn get_banned(world: &mut World, from: &str) {
    for strike in 0..3 {
        hammer(world, from, 50 + strike, Reason::Bucket(Bucket::Client));
    }
    assert_ne!(minutes_banned(world, from), 0);
}

#[test]
fn the_third_refusal_by_client_bans_for_ten_minutes() {
    let mut world = World::new(settings());
    for n in 0..10 {
        world.guess(FAR, "ghost", &good(n));
    }
    for strikes in 1..=2 {
        assert_eq!(
            world.guess(FAR, "ghost", &good(10 + strikes)),
            Fate::Refused(Reason::Bucket(Bucket::Client))
        );
        assert_eq!(standing(&world, FAR), Standing::Stranger);
    }
    assert_eq!(
        world.guess(FAR, "ghost", &good(20)),
        Fate::Refused(Reason::Bucket(Bucket::Client))
    );
    assert_eq!(standing(&world, FAR), Standing::Banned);
    assert_eq!(minutes_banned(&world, FAR), 10);
    let begun = world.changes.iter().find_map(|event| match event {
        Change {
            fact: Fact::BanBegan(ban),
            ..
        } => Some((ban.subject, ban.cause)),
        _ => None,
    });
    assert_eq!(
        begun,
        Some((Subject::Client(client(FAR)), BanCause::Strikes))
    );
    world.changes.clear();
    world.pass(MINUTE * 10);
    assert_eq!(standing(&world, FAR), Standing::Stranger);
    let subject = Subject::Client(client(FAR));
    let why = BanEnding::Expired;
    let ended = Fact::BanEnded(BanEnd { subject, why });
    assert_eq!(world.changes, [Change::here(world.now, ended)]);
}

#[test]
fn each_further_strike_doubles_the_ban_to_one_hour_and_strikes_fade_by_one_a_day() {
    let mut world = World::new(settings());
    get_banned(&mut world, FAR);
    let mut lengths = vec![minutes_banned(&world, FAR)];
    for salt in 0..9 {
        let ban = world
            .gate
            .explain(client(FAR), None, world.now)
            .ban
            .unwrap();
        world.pass(ban.until.since(world.now));
        hammer(&mut world, FAR, 100 + salt, Reason::Bucket(Bucket::Client));
        lengths.push(minutes_banned(&world, FAR));
    }
    assert_eq!(lengths[..6], [10, 20, 40, 60, 60, 60]);
    world.pass(DAY * 30);
    assert_eq!(world.gate.explain(client(FAR), None, world.now).strikes, 0);
    hammer(&mut world, FAR, 999, Reason::Bucket(Bucket::Client));
    assert_eq!(standing(&world, FAR), Standing::Stranger);
}

#[test]
fn a_mail_program_that_retries_the_same_password_is_never_banned() {
    let mut world = World::new(settings());
    for n in 0..10 {
        world.guess(FAR, "ghost", &good(n));
    }
    for _ in 0..100 {
        assert_eq!(
            world.guess(FAR, "anna", &good(77)),
            Fate::Refused(Reason::Bucket(Bucket::Client))
        );
    }
    assert_eq!(standing(&world, FAR), Standing::Stranger);
}

#[test]
fn hammering_while_a_shared_bucket_is_empty_earns_strikes_and_a_ban() {
    let mut world = World::new(settings());
    for n in 0..20 {
        world.guess(&format!("10.{n}.0.1"), &format!("u{n}"), &good(n));
    }
    assert_eq!(
        world.guess(FAR, "ghost", &good(50)),
        Fate::Refused(Reason::Bucket(Bucket::Unknown))
    );
    get_banned(&mut world, FAR);
}

#[test]
fn shared_buckets_network_and_user_refuse_but_never_punish() {
    let mut world = World::new(settings());
    // A pool with one try each, all refused by the shared bucket.
    for n in 0..2000 {
        world.guess(&format!("10.{}.{}.1", n / 250, n % 250), "ghost", &good(n));
    }
    assert_eq!(world.gate.bans(world.now), []);
}

#[test]
fn four_banned_clients_ban_their_network_for_an_hour_and_never_longer() {
    let mut world = World::new(settings());
    let mut settings = settings();
    settings
        .limits
        .change(Bucket::Network, |limit| limit.base.burst = 1000);
    settings
        .limits
        .change(Bucket::Unknown, |limit| limit.base.burst = 1000);
    world
        .gate
        .reconfigure(settings, world.now, &mut world.changes);
    for n in 1..=3 {
        get_banned(&mut world, &format!("198.51.100.{n}"));
    }
    assert_eq!(standing(&world, "198.51.100.99"), Standing::Stranger);
    get_banned(&mut world, "198.51.100.4");
    assert_eq!(standing(&world, "198.51.100.99"), Standing::Banned);
    let ban = |world: &World| {
        world
            .gate
            .explain(client("198.51.100.99"), None, world.now)
            .network_ban
    };
    let until = ban(&world).unwrap().until;
    assert_eq!(until, world.now + HOUR);
    assert_eq!(ban(&world).unwrap().cause, BanCause::Neighbours);
    // A fifth does not lengthen it.
    world.pass(MINUTE * 5);
    assert_eq!(
        world.guess("198.51.100.5", "root", "x"),
        Fate::Refused(Reason::Trap)
    );
    assert_eq!(minutes_banned(&world, "198.51.100.5"), 10);
    assert_eq!(ban(&world).unwrap().until, until);
    world.pass(MINUTE * 55);
    assert_eq!(standing(&world, "198.51.100.99"), Standing::Stranger);
}

#[test]
fn zero_strikes_turn_bans_off() {
    let mut settings = settings();
    settings.bans.strikes = 0;
    let mut world = World::new(settings);
    for n in 0..500 {
        world.guess(FAR, "ghost", &good(n));
        world.guess(FAR, "root", &good(n));
    }
    assert_eq!(world.gate.bans(world.now), []);
}

#[test]
fn where_somebody_is_familiar_nothing_earns_a_strike_and_no_automatic_ban_begins() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    world.befriend("bert", "198.51.250.1");
    for n in 1..=6 {
        let from = format!("203.0.113.{n}");
        for guess in 0..40 {
            world.guess(&from, &format!("stranger{n}"), &good(n * 100 + guess));
        }
    }
    let explanation = world.gate.explain(client("203.0.113.1"), None, world.now);
    assert_eq!(
        (
            explanation.strikes,
            explanation.ban,
            explanation.network_ban
        ),
        (0, None, None)
    );
    assert_eq!(standing(&world, "203.0.113.1"), Standing::Familiar);
    assert_eq!(
        world.login("203.0.113.1", "anna"),
        Fate::Asked(Reason::Bucket(Bucket::Familiar))
    );
    // The guessers have used up their network's bucket all the same. What this login has earned is kept for names
    // that exist.
    for (name, fate) in [
        ("stranger1", Fate::Refused(Reason::Bucket(Bucket::Network))),
        ("bert", Fate::Asked(Reason::Bucket(Bucket::Credit))),
        ("bert", Fate::Refused(Reason::Bucket(Bucket::Network))),
    ] {
        let password = format!("{name}{fate:?}");
        assert_eq!(world.guess("203.0.113.1", name, &password), fate);
    }
}

#[test]
fn an_automatic_ban_refuses_nobody_who_is_near() {
    let mut world = World::new(settings());
    get_banned(&mut world, FAR);
    world.befriend("anna", "198.51.250.1");
    assert_eq!(standing(&world, FAR), Standing::Stranger);
    assert_eq!(world.login(FAR, "bert"), Fate::Refused(Reason::Ban));
    assert_eq!(
        world.login(FAR, "anna"),
        Fate::Asked(Reason::Bucket(Bucket::Near))
    );
}

#[test]
fn an_automatic_ban_ends_to_hold_where_somebody_becomes_familiar() {
    let mut world = World::new(settings());
    get_banned(&mut world, FAR);
    assert_eq!(standing(&world, FAR), Standing::Banned);
    world.befriend("anna", FAR);
    assert_eq!(standing(&world, FAR), Standing::Familiar);
    assert_eq!(
        world.login(FAR, "bert"),
        Fate::Refused(Reason::Bucket(Bucket::Client)),
        "what it has guessed is not forgotten"
    );
}

#[test]
fn one_infected_pc_does_not_lock_out_the_office() {
    let mut world = World::new(settings());
    for n in 0..50 {
        world.befriend(&format!("user{n}"), HOME);
    }
    for minute in 0..2 * 24 * 60 {
        world.pass(MINUTE);
        for n in 0..3 {
            world.guess(
                HOME,
                &format!("victim{}", minute % 100),
                &good(minute * 3 + n),
            );
        }
        if minute % 20 == 0 {
            let name = format!("user{}", minute / 20 % 50);
            assert_eq!(
                world.login(HOME, &name),
                Fate::Asked(Reason::Bucket(Bucket::Familiar))
            );
        }
    }
}

#[test]
fn a_trap_bans_at_once_where_nobody_is_familiar_and_postfix_never_sees_it() {
    let mut world = World::new(settings());
    assert_eq!(world.guess(FAR, "Root", "x"), Fate::Refused(Reason::Trap));
    assert_eq!(standing(&world, FAR), Standing::Banned);
    assert_eq!(minutes_banned(&world, FAR), 10);
    assert!(matches!(
        world.gate.bans(world.now)[..],
        [ban] if ban.cause == BanCause::Trap
    ));
    // Who comes back to it is banned for twice as long.
    world.pass(MINUTE * 10);
    world.guess(FAR, "nagios", "x");
    assert_eq!(minutes_banned(&world, FAR), 20);
}

#[test]
fn elsewhere_a_trap_costs_three_client_tokens() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    for left in [7, 4, 1, 0] {
        assert_eq!(world.guess(HOME, "root", "x"), Fate::Refused(Reason::Trap));
        assert_eq!(tokens_of(&world, HOME, Bucket::Client), left);
    }
    assert_eq!(world.gate.bans(world.now), []);
    assert_eq!(
        world.login(HOME, "anna"),
        Fate::Asked(Reason::Bucket(Bucket::Familiar))
    );
}

#[test]
fn a_user_who_has_ever_logged_in_is_never_a_trap() {
    let mut world = World::new(settings());
    world.befriend("oracle", HOME);
    assert_eq!(
        world.login(FAR, "oracle"),
        Fate::Asked(Reason::Bucket(Bucket::Strangers))
    );
    world.pass(DAY * 120);
    assert_eq!(
        world.login("10.1.1.1", "oracle"),
        Fate::Asked(Reason::Bucket(Bucket::Strangers))
    );
}

#[test]
fn the_helo_trap_bans_too_and_costs_tokens_where_somebody_is_familiar() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    let helo = |world: &mut World, from, name: &[u8]| {
        let refusal = world
            .gate
            .helo(client(from), name, world.now, &mut world.changes);
        refusal.map(|refusal| refusal.reason)
    };
    assert_eq!(helo(&mut world, FAR, b"laptop"), None);
    assert_eq!(helo(&mut world, FAR, b"YLMF-PC"), Some(Reason::Trap));
    assert_eq!(standing(&world, FAR), Standing::Banned);
    assert_eq!(helo(&mut world, HOME, b"ylmf-pc"), Some(Reason::Trap));
    assert_eq!(standing(&world, HOME), Standing::Familiar);
    let explanation = world.gate.explain(client(HOME), None, world.now);
    assert_eq!(explanation.ban, None);
    assert_eq!(tokens_of(&world, HOME, Bucket::Client), 7);
}

#[test]
fn the_order_is_operators_ban_then_trap_then_ban_then_repeat_then_buckets() {
    let mut world = World::new(settings());
    let password = good(1);
    world.guess(FAR, "bert", &password);
    assert_eq!(world.guess(FAR, "bert", &password), Fate::Repeat);
    let subject = Subject::Client(client(FAR));
    let until = world.now + HOUR;
    let automatic = Ban {
        until,
        cause: BanCause::Strikes,
        mode: Mode::Enforce,
    };
    world
        .gate
        .bans
        .begin(subject, automatic, 3, world.now, &mut world.changes);
    assert_eq!(
        world.guess(FAR, "bert", &password),
        Fate::Refused(Reason::Ban)
    );
    assert_eq!(
        world.guess(FAR, "root", &password),
        Fate::Refused(Reason::Trap)
    );
    world
        .gate
        .ban(subject, until, world.now, &mut world.changes);
    assert_eq!(
        world.guess(FAR, "root", &password),
        Fate::Refused(Reason::Ban)
    );
}

#[test]
fn what_the_operator_banned_no_rule_shortens_or_takes_over() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    for hours in [1, 24 * 400] {
        let subject = Subject::Client(client(HOME));
        let until = world.now + HOUR * hours;
        world
            .gate
            .ban(subject, until, world.now, &mut world.changes);
        for _ in 0..20 {
            world.guess(HOME, "root", "x");
        }
        let ban = world
            .gate
            .explain(client(HOME), None, world.now)
            .ban
            .unwrap();
        assert_eq!((ban.until, ban.cause), (until, BanCause::Operator));
    }
}

#[test]
fn the_refusal_that_bans_says_how_long_the_ban_is() {
    let mut world = World::new(settings());
    for salt in 0..6 {
        hammer(&mut world, FAR, salt, Reason::Bucket(Bucket::Client));
        world.gate.bans.clear(world.now, &mut world.changes);
    }
    let verdict = world.judge(client(FAR), "ghost", Some("Noch-ein-anderer-Satz"));
    let Verdict::Refuse(refusal) = verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(refusal.wait, HOUR);
}
