//! modes - rule 9: allow and deny lists, dry run
//!
//! Not here: settling in (`settling`).

use std::time::Duration;

use super::kit::*;
use crate::gate::buckets::spec::Bucket;
use crate::gate::request::change::{Fact, Subject};
use crate::gate::request::settings::{GateSettings, Mode};
use crate::gate::request::verdict::{Reason, Standing};

fn dry() -> World {
    World::new(GateSettings {
        mode: Mode::DryRun,
        ..settings()
    })
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
fn nobody_outside_the_only_networks_is_admitted() {
    let only = |only: &[&str]| GateSettings {
        only: only.iter().map(|text| text.parse().unwrap()).collect(),
        deny: vec!["203.0.113.9/32".parse().unwrap()],
        ..settings()
    };
    let mut world = World::new(only(&["203.0.113.0/24", "2001:db8:1::/48"]));
    assert_eq!(standing(&world, FAR), Standing::Deny);
    assert_eq!(standing(&world, "2001:db8:2::1"), Standing::Deny);
    assert_eq!(world.login(FAR, "anna"), Fate::Refused(Reason::DenyList));
    for inside in [HOME, "2001:db8:1::1"] {
        assert_eq!(standing(&world, inside), Standing::Stranger, "{inside}");
    }
    assert_eq!(
        standing(&world, "203.0.113.9"),
        Standing::Deny,
        "deny counts inside too"
    );
    // A client of a family that the list does not name is outside.
    let world = World::new(only(&["203.0.113.0/24"]));
    assert_eq!(standing(&world, "2001:db8:1::1"), Standing::Deny);
    let world = World::new(only(&[]));
    assert_eq!(standing(&world, FAR), Standing::Stranger);
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
