//! modes - rules 8 and 9: settling in, allow and deny lists, dry run

use std::time::Duration;

use super::kit::*;
use crate::gate::buckets::spec::Bucket;
use crate::gate::request::change::{Fact, Subject};
use crate::gate::request::settings::{GateSettings, Mode};
use crate::gate::request::verdict::{Reason, Standing};

const HOME: &str = "203.0.113.7";
const FAR: &str = "198.51.100.7";

fn good(n: usize) -> String {
    format!("Zwiebel{n}kuchen{n}fest")
}

fn settling() -> World {
    World::new(GateSettings {
        settling: DAY * 7,
        ..settings()
    })
}

fn dry() -> World {
    World::new(GateSettings {
        mode: Mode::DryRun,
        ..settings()
    })
}

#[test]
fn while_settling_in_only_client_and_traps_refuse_and_the_rest_is_told() {
    let mut world = settling();
    for n in 0..20 {
        world.guess(&format!("10.{n}.0.1"), &format!("u{n}"), &good(n));
    }
    assert_eq!(
        world.guess(FAR, "anna", &good(50)),
        Fate::Would(Reason::Bucket(Bucket::Unknown))
    );
    for n in 0..9 {
        assert_eq!(
            world.guess(FAR, "anna", &good(60 + n)),
            Fate::Would(Reason::Bucket(Bucket::Unknown))
        );
    }
    assert_eq!(
        world.guess(FAR, "anna", &good(70)),
        Fate::Refused(Reason::Bucket(Bucket::Client))
    );
    assert_eq!(
        world.guess("10.99.0.1", "root", "x"),
        Fate::Refused(Reason::Trap)
    );
    assert_eq!(standing(&world, "10.99.0.1"), Standing::Banned);
}

#[test]
fn a_login_that_settling_in_let_through_gets_its_token_back_and_is_familiar() {
    let mut world = settling();
    for n in 0..20 {
        world.guess(&format!("10.{n}.0.1"), &format!("u{n}"), &good(n));
    }
    for n in 0..40 {
        let name = format!("honest{n}");
        assert_eq!(
            world.login(FAR, &name),
            Fate::Would(Reason::Bucket(Bucket::Unknown))
        );
        assert_eq!(
            world.login(FAR, &name),
            Fate::Asked(Reason::Bucket(Bucket::Familiar))
        );
    }
}

#[test]
fn settling_in_ends_after_its_days_or_when_the_operator_has_learnt() {
    for early in [true, false] {
        let mut world = settling();
        let until = world.gate.status(world.now).settling_until;
        assert_eq!(until, Some(START + DAY * 7));
        match early {
            true => world.gate.finish_settling(),
            false => world.pass(DAY * 7),
        }
        assert_eq!(world.gate.status(world.now).settling_until, None);
        for n in 0..20 {
            world.guess(&format!("10.{n}.0.1"), &format!("u{n}"), &good(n));
        }
        assert_eq!(
            world.guess(FAR, "anna", &good(50)),
            Fate::Refused(Reason::Bucket(Bucket::Unknown))
        );
    }
}

#[test]
fn while_settling_in_a_guesser_in_the_own_network_is_held_by_client() {
    let mut world = settling();
    world.befriend("anna", HOME);
    let fates: Vec<_> = (0..40)
        .map(|n| world.guess(HOME, "anna", &good(n)))
        .collect();
    assert_eq!(fates[19], Fate::Asked(Reason::Bucket(Bucket::Familiar)));
    assert_eq!(
        fates[20..30],
        [Fate::Would(Reason::Bucket(Bucket::Familiar)); 10]
    );
    assert_eq!(fates[30], Fate::Refused(Reason::Bucket(Bucket::Client)));
}

#[test]
fn while_settling_in_a_client_without_a_name_is_refused_by_client_only() {
    let mut world = settling();
    for n in 0..20 {
        world.guess(&format!("198.51.100.{}", n % 5), &format!("u{n}"), &good(n));
    }
    assert_eq!(world.gate.peek(client("198.51.100.9"), world.now), None);
    for n in 20..30 {
        world.guess(FAR, "ghost", &good(n));
    }
    let refusal = world.gate.peek(client(FAR), world.now);
    assert_eq!(
        refusal.map(|refusal| refusal.reason),
        Some(Reason::Bucket(Bucket::Client))
    );
}

#[test]
fn the_day_of_the_install_refuses_no_honest_user_with_one_login_in_ten_mistyped() {
    let mut world = settling();
    let mut logins = 0;
    for minute in 0..24 * 60 {
        world.pass(MINUTE);
        // A spray goes on meanwhile.
        for n in 0..5 {
            let n = minute * 5 + n;
            world.guess(
                &format!("10.{}.{}.1", n / 250 % 250, n % 250),
                &format!("user{}", n % 40),
                &good(n),
            );
        }
        if minute % 3 == 0 {
            let n = minute / 3 % 40;
            // Ten sit in one office, the rest each at home.
            let from = match n {
                0..10 => "192.0.2.9".to_owned(),
                _ => format!("172.16.{n}.5"),
            };
            if logins % 10 == 9 {
                let fate =
                    world.guess(&from, &format!("user{n}"), &format!("Mistyped-{minute}-so"));
                assert!(matches!(fate, Fate::Asked(_) | Fate::Would(_)), "{fate:?}");
            }
            let fate = world.login(&from, &format!("user{n}"));
            assert!(matches!(fate, Fate::Asked(_) | Fate::Would(_)), "{fate:?}");
            logins += 1;
        }
    }
    assert_eq!(logins, 480);
}

fn standing(world: &World, from: &str) -> Standing {
    world.gate.standing(client(from), world.now)
}

#[test]
fn the_allow_list_is_never_judged_and_the_deny_list_never_admitted() {
    let mut world = World::new(GateSettings {
        allow: vec!["203.0.113.7/32".parse().unwrap()],
        deny: vec![
            "198.51.100.0/24".parse().unwrap(),
            "203.0.113.9/32".parse().unwrap(),
        ],
        ..settings()
    });
    for n in 0..200 {
        assert_eq!(
            world.guess(HOME, "root", &good(n)),
            Fate::Asked(Reason::AllowList)
        );
    }
    assert_eq!(
        world
            .gate
            .helo(client(HOME), b"ylmf-pc", world.now, &mut world.changes),
        None
    );
    assert_eq!(standing(&world, HOME), Standing::Allow);
    assert_eq!(standing(&world, FAR), Standing::Deny);
    assert_eq!(world.login(FAR, "anna"), Fate::Refused(Reason::DenyList));
    // Everybody comes from the webmail host, so its neighbours are no friends of anybody.
    assert_eq!(world.login(HOME, "anna"), Fate::Asked(Reason::AllowList));
    assert_eq!(standing(&world, "203.0.113.8"), Standing::Stranger);
    assert_eq!(
        world.login("10.0.0.1", "anna"),
        Fate::Asked(Reason::Bucket(Bucket::Strangers))
    );
    assert_eq!(world.gate.bans(world.now), []);
}

#[test]
fn a_dry_run_refuses_nothing_and_counts_all_as_if_it_did() {
    let mut world = dry();
    let mut enforced = World::new(settings());
    for n in 0..60 {
        // Every third try is a repetition.
        let n = n - usize::from(n % 3 == 2);
        let name = format!("u{}", n % 7);
        let fate = world.guess(FAR, &name, &good(n));
        match enforced.guess(FAR, &name, &good(n)) {
            Fate::Refused(reason) => assert_eq!(fate, Fate::Would(reason)),
            Fate::Repeat => assert_eq!(fate, Fate::Would(Reason::Repeat)),
            same => assert_eq!(fate, same),
        }
    }
    assert_eq!(
        world.guess("10.0.0.1", "root", "x"),
        Fate::Would(Reason::Trap)
    );
    enforced.guess("10.0.0.1", "root", "x");
    // The bans are the same, but they are only told.
    let bans = |world: &World| {
        let bans = world.gate.bans(world.now).into_iter();
        bans.map(|ban| (ban.subject, ban.until)).collect::<Vec<_>>()
    };
    assert_eq!(bans(&world), bans(&enforced));
    assert_eq!(standing(&world, FAR), Standing::Stranger);
    assert_eq!(standing(&enforced, FAR), Standing::Banned);
    assert!(world.changes.iter().all(|change| match change.fact {
        Fact::BanBegan(ban) => ban.mode == Mode::DryRun,
        _ => true,
    }));
    let tally = |world: &World, reason| {
        let tallies = world.gate.status(world.now).tallies;
        *tallies.iter().find(|tally| tally.reason == reason).unwrap()
    };
    for reason in [
        Reason::Bucket(Bucket::Client),
        Reason::Ban,
        Reason::Trap,
        Reason::Repeat,
    ] {
        assert_eq!(tally(&world, reason).refused, 0);
        assert_eq!(
            tally(&world, reason).would_refuse,
            tally(&enforced, reason).refused
        );
    }
}

#[test]
fn a_wrong_password_that_a_dry_run_would_have_refused_is_not_known_to_be_wrong() {
    let mut world = dry();
    for n in 0..10 {
        world.guess(FAR, "ghost", &good(n));
    }
    for _ in 0..3 {
        assert_eq!(
            world.guess(FAR, "ghost", &good(50)),
            Fate::Would(Reason::Bucket(Bucket::Client))
        );
    }
}

#[test]
fn what_a_dry_run_did_is_cleared_when_it_is_switched_off_but_logins_and_operators_bans_stay() {
    let mut world = dry();
    for n in 0..60 {
        world.guess(FAR, "ghost", &good(n));
    }
    world.login(HOME, "anna");
    let subject = Subject::Client(client("10.9.9.9"));
    world
        .gate
        .ban(subject, world.now + HOUR, world.now, &mut world.changes);
    assert_eq!(standing(&world, "10.9.9.9"), Standing::Banned);
    assert_eq!(world.gate.bans(world.now).len(), 2);
    world
        .gate
        .reconfigure(settings(), world.now, &mut world.changes);
    assert_eq!(world.gate.bans(world.now).len(), 1);
    assert_eq!(standing(&world, "10.9.9.9"), Standing::Banned);
    assert_eq!(world.gate.status(world.now).rows_used, 0);
    assert_eq!(
        world.guess(FAR, "ghost", &good(0)),
        Fate::Asked(Reason::Bucket(Bucket::Unknown))
    );
    assert_eq!(
        world.login(HOME, "anna"),
        Fate::Asked(Reason::Bucket(Bucket::Familiar))
    );
}

#[test]
fn a_tightened_quota_holds_debts_of_the_old_one_to_one_burst() {
    let mut world = World::new(settings());
    for n in 0..10 {
        world.guess(FAR, "ghost", &good(n));
    }
    let mut quick = settings();
    quick.limits.change(Bucket::Client, |limit| {
        limit.base.every = Duration::from_secs(10)
    });
    world.gate.reconfigure(quick, world.now, &mut world.changes);
    assert_eq!(
        world.guess(FAR, "ghost", &good(20)),
        Fate::Refused(Reason::Bucket(Bucket::Client))
    );
    world.pass(Duration::from_secs(10));
    assert_eq!(
        world.guess(FAR, "other", &good(21)),
        Fate::Asked(Reason::Bucket(Bucket::Unknown))
    );
}

#[test]
fn a_smaller_shared_bucket_holds_debts_to_one_burst_too() {
    let mut world = World::new(settings());
    for n in 0..20 {
        world.guess(&format!("10.{n}.0.1"), &format!("u{n}"), &good(n));
    }
    let mut small = settings();
    small
        .limits
        .change(Bucket::Unknown, |limit| limit.base.burst = 2);
    world.gate.reconfigure(small, world.now, &mut world.changes);
    assert_eq!(
        world.guess(FAR, "ghost", &good(50)),
        Fate::Refused(Reason::Bucket(Bucket::Unknown))
    );
    world.pass(MINUTE * 10);
    assert_eq!(
        world.guess(FAR, "ghost", &good(51)),
        Fate::Asked(Reason::Bucket(Bucket::Unknown))
    );
}

#[test]
fn the_users_file_makes_known_at_once_and_on_reload() {
    let mut world = World::new(GateSettings {
        users: vec!["Anna".into()],
        ..settings()
    });
    assert_eq!(
        world.guess(FAR, "anna", &good(1)),
        Fate::Asked(Reason::Bucket(Bucket::Strangers))
    );
    assert_eq!(
        world.guess(FAR, "bert", &good(2)),
        Fate::Asked(Reason::Bucket(Bucket::Unknown))
    );
    let settings = GateSettings {
        users: vec!["bert".into()],
        ..settings()
    };
    world
        .gate
        .reconfigure(settings, world.now, &mut world.changes);
    assert_eq!(
        world.guess(FAR, "bert", &good(3)),
        Fate::Asked(Reason::Bucket(Bucket::Strangers))
    );
    assert_eq!(
        world.guess(FAR, "anna", &good(4)),
        Fate::Asked(Reason::Bucket(Bucket::Unknown))
    );
}
