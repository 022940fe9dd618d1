//! operator - what is done and asked by hand, and CRAM-MD5's question before the name

use super::kit::*;
use crate::gate::buckets::spec::Bucket;
use crate::gate::request::attempt::{AuthOutcome, Trust};
use crate::gate::request::change::{BanCause, Change, Fact, Subject};
use crate::gate::request::settings::{GateSettings, Mode};
use crate::gate::request::verdict::{Reason, Standing};

fn standing(world: &World, from: &str) -> Standing {
    world.gate.standing(client(from), world.now)
}

#[test]
fn a_ban_by_hand_is_listed_told_and_lifted_with_the_strikes() {
    let mut world = World::new(settings());
    let subject = Subject::Client(client(FAR));
    let until = world.now + HOUR * 5;
    world
        .gate
        .ban(subject, until, world.now, &mut world.changes);
    assert_eq!(standing(&world, FAR), Standing::Banned);
    let bans = world.gate.bans(world.now);
    assert_eq!(
        (bans[0].subject, bans[0].until, bans[0].cause),
        (subject, until, BanCause::Operator)
    );
    assert!(matches!(
        world.changes[..],
        [Change {
            fact: Fact::BanBegan(_),
            ..
        }]
    ));
    world.changes.clear();
    assert!(world.gate.unban(subject, world.now, &mut world.changes));
    assert!(matches!(
        world.changes[..],
        [Change {
            fact: Fact::BanEnded(_),
            ..
        }]
    ));
    assert_eq!(standing(&world, FAR), Standing::Stranger);
    assert!(!world.gate.unban(subject, world.now, &mut world.changes));

    world.guess(FAR, "root", "x");
    assert_eq!(world.gate.explain(client(FAR), None, world.now).strikes, 3);
    world.gate.unban(subject, world.now, &mut world.changes);
    assert_eq!(world.gate.explain(client(FAR), None, world.now).strikes, 0);
}

fn ban(world: &mut World, subject: Subject) {
    let until = world.now + HOUR;
    world
        .gate
        .ban(subject, until, world.now, &mut world.changes);
}

#[test]
fn a_ban_by_hand_refuses_the_familiar_and_the_allowed_too_in_a_dry_run_as_well() {
    for mode in [Mode::Enforce, Mode::DryRun] {
        let mut settings = settings();
        settings.mode = mode;
        settings.allow = vec!["198.51.100.0/24".parse().unwrap()];
        let mut world = World::new(settings);
        world.befriend("anna", HOME);
        for from in [HOME, FAR] {
            assert!(!world.gate.bars(client(from), world.now));
            let network = Subject::Network(client(from).network());
            for subject in [Subject::Client(client(from)), network] {
                ban(&mut world, subject);
                assert!(world.gate.bars(client(from), world.now));
                assert_eq!(standing(&world, from), Standing::Banned);
                assert_eq!(world.login(from, "anna"), Fate::Refused(Reason::Ban));
                let peeked = world.gate.peek(client(from), world.now);
                assert_eq!(peeked.map(|refusal| refusal.reason), Some(Reason::Ban));
                world.gate.unban(subject, world.now, &mut world.changes);
            }
        }
        assert_eq!(standing(&world, HOME), Standing::Familiar);
        assert_eq!(standing(&world, FAR), Standing::Allow);
    }
}

#[test]
fn an_automatic_ban_of_a_client_hides_no_ban_by_hand_of_its_network() {
    let mut world = World::new(settings());
    for n in 0..40 {
        world.guess(HOME, "ghost", &good(n));
    }
    assert_eq!(world.gate.bans(world.now).len(), 1, "an automatic ban");
    assert!(!world.gate.bars(client(HOME), world.now));
    world.befriend("anna", HOME);
    assert_eq!(standing(&world, HOME), Standing::Familiar);
    ban(&mut world, Subject::Network(client(HOME).network()));
    assert!(world.gate.bars(client(HOME), world.now));
    assert_eq!(standing(&world, HOME), Standing::Banned);
    assert_eq!(world.login(HOME, "anna"), Fate::Refused(Reason::Ban));
}

fn trust(world: &World, name: &str, from: &str) -> Trust {
    let told = world
        .gate
        .explain(client(from), Some(&user(name)), world.now);
    told.user.unwrap().trust
}

#[test]
fn what_was_revoked_is_earned_anew_and_by_nothing_of_before() {
    let mut world = World::new(settings());
    let other = "192.0.2.7";
    for from in [HOME, other] {
        world.befriend("anna", from);
    }
    world.befriend("bert", HOME);
    let judged = world.permit(other, "anna", "Korrekt-Pferd-Batterie");
    world.pass(MINUTE);
    let network = client(HOME).network();
    let taken = |world: &mut World, network| {
        world
            .gate
            .revoke(&user("Anna"), network, world.now, &mut world.changes)
    };
    assert_eq!(taken(&mut world, Some(network)), 1);
    assert_eq!(trust(&world, "anna", HOME), Trust::Far);
    assert_eq!(trust(&world, "anna", other), Trust::Familiar);
    assert_eq!(trust(&world, "bert", HOME), Trust::Familiar);
    assert_eq!(taken(&mut world, None), 1);
    assert_eq!(taken(&mut world, None), 0);

    // A login that was judged before, and an old line of a log.
    world.settle(judged, AuthOutcome::Accept);
    world.befriend("anna", HOME);
    let revoked_at = world.now;
    let learn = |world: &World, when| {
        let changes = &mut Vec::new();
        world
            .gate
            .learn(&user("anna"), client(HOME), when, world.now, changes);
    };
    learn(&world, revoked_at);
    for from in [HOME, other] {
        assert_eq!(trust(&world, "anna", from), Trust::Far);
    }
    assert!(
        world
            .gate
            .explain(client(FAR), Some(&user("anna")), world.now)
            .user
            .unwrap()
            .known
    );

    world.pass(MINUTE);
    world.login(other, "anna");
    learn(&world, revoked_at + MINUTE);
    for from in [HOME, other] {
        assert_eq!(trust(&world, "anna", from), Trust::Familiar);
    }
}

fn is_known(world: &World, name: &str) -> bool {
    let told = world
        .gate
        .explain(client(FAR), Some(&user(name)), world.now);
    told.user.unwrap().known
}

#[test]
fn who_is_forgotten_is_unknown_until_the_next_login_and_by_nothing_of_before() {
    let mut world = World::new(settings());
    for from in [HOME, "192.0.2.7"] {
        world.befriend("anna", from);
    }
    world.befriend("bert", HOME);
    let others = world.gate.status(world.now).familiar_pairs - 2;
    let judged = world.permit(HOME, "anna", "Korrekt-Pferd-Batterie");
    world.pass(MINUTE);
    let forget = |world: &mut World| {
        world
            .gate
            .forget(&user("Anna"), world.now, &mut world.changes)
    };
    assert_eq!(forget(&mut world), 2);
    assert_eq!(forget(&mut world), 0);
    assert!(!is_known(&world, "anna") && is_known(&world, "bert"));
    let status = world.gate.status(world.now);
    assert_eq!((status.known_users, status.familiar_pairs), (1, others));

    // A login that was judged before, and an old line of a log.
    world.settle(judged, AuthOutcome::Accept);
    let learn = |world: &World, when| {
        let changes = &mut Vec::new();
        world
            .gate
            .learn(&user("anna"), client(HOME), when, world.now, changes);
        changes.len()
    };
    assert_eq!(learn(&world, world.now), 0);
    assert_eq!(learn(&world, world.now - HOUR * 24 * 400), 0);
    assert!(!is_known(&world, "anna"));

    world.pass(MINUTE);
    assert_eq!(learn(&world, world.now - MINUTE / 2), 1);
    assert!(is_known(&world, "anna"));
    assert_eq!(trust(&world, "anna", HOME), Trust::Familiar);
    forget(&mut world);
    world.pass(MINUTE);
    world
        .gate
        .introduce(&user("anna"), None, world.now, &mut world.changes);
    assert!(is_known(&world, "anna"));
    assert_eq!(trust(&world, "anna", HOME), Trust::Far);
}

#[test]
fn who_is_forgotten_gives_nobody_a_new_guess_and_is_a_trap_again() {
    let mut world = World::new(settings());
    world
        .gate
        .introduce(&user("root"), None, world.now, &mut world.changes);
    let guesses = |world: &mut World, net: u8| {
        let fates = (0..60).map(|n| world.guess(&format!("{net}.{n}.0.1"), "root", &good(n)));
        fates.filter(|fate| matches!(fate, Fate::Asked(_))).count()
    };
    assert!(guesses(&mut world, 10) > 0, "it is a user");
    let changes = &mut world.changes;
    world.gate.forget(&user("root"), world.now, changes);
    assert_eq!(guesses(&mut world, 11), 0);
    assert_eq!(
        world.guess("10.99.0.1", "root", "x"),
        Fate::Refused(Reason::Trap)
    );
    // Known again: what was spent is spent.
    world.pass(MINUTE);
    let changes = &mut world.changes;
    world
        .gate
        .introduce(&user("root"), None, world.now, changes);
    assert_eq!(guesses(&mut world, 12), 0);
}

#[test]
fn a_user_of_the_file_stays_known() {
    let mut world = World::new(GateSettings {
        users: vec!["anna".to_owned()],
        ..settings()
    });
    world.befriend("anna", HOME);
    let changes = &mut world.changes;
    world.gate.forget(&user("anna"), world.now, changes);
    assert!(is_known(&world, "anna"));
    assert_eq!(trust(&world, "anna", HOME), Trust::Far);
    assert_eq!(world.gate.status(world.now).known_users, 1);
}

#[test]
fn forgiving_a_client_fills_its_buckets_and_lifts_its_bans() {
    let mut world = World::new(settings());
    for n in 0..20 {
        world.guess(FAR, "ghost", &good(n));
    }
    world.guess(FAR, "root", "x");
    world
        .gate
        .forgive_client(client(FAR), world.now, &mut world.changes);
    assert_eq!(standing(&world, FAR), Standing::Stranger);
    let explanation = world.gate.explain(client(FAR), None, world.now);
    assert_eq!(explanation.strikes, 0);
    for holding in explanation.buckets {
        let of_client = [Bucket::ClientNear, Bucket::Client, Bucket::Network].map(Reason::Bucket);
        if of_client.contains(&holding.bucket) {
            assert_eq!(holding.tokens, holding.burst, "{}", holding.bucket);
        }
    }
}

#[test]
fn forgiving_a_user_fills_his_buckets_everywhere() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    for n in 0..20 {
        world.guess(HOME, "anna", &good(n));
        world.guess(&format!("10.{n}.0.1"), "anna", &good(n));
    }
    assert_eq!(
        world.login(HOME, "anna"),
        Fate::Refused(Reason::Bucket(Bucket::Familiar))
    );
    world
        .gate
        .forgive_user(&user("Anna"), world.now, &mut world.changes);
    assert_eq!(
        world.login(HOME, "anna"),
        Fate::Asked(Reason::Bucket(Bucket::Familiar))
    );
    assert_eq!(
        world.login("10.99.0.1", "anna"),
        Fate::Asked(Reason::Bucket(Bucket::Strangers))
    );
}

#[test]
fn what_was_wrong_before_forgiving_is_asked_about_again() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    world.guess(HOME, "anna", &good(1));
    assert_eq!(
        world.guess("203.0.113.8", "anna", &good(1)),
        Fate::Asked(Reason::Repeat)
    );
    world
        .gate
        .forgive_user(&user("anna"), world.now, &mut world.changes);
    assert_eq!(
        world.guess("203.0.113.9", "anna", &good(1)),
        Fate::Asked(Reason::Bucket(Bucket::Familiar))
    );
    world.guess(FAR, "bert", &good(2));
    assert_eq!(world.guess(FAR, "bert", &good(2)), Fate::Repeat);
    world
        .gate
        .forgive_client(client(FAR), world.now, &mut world.changes);
    assert_eq!(
        world.guess(FAR, "bert", &good(2)),
        Fate::Asked(Reason::Bucket(Bucket::Unknown))
    );
}

#[test]
fn after_90_days_a_network_is_nobodys_home_any_more() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    assert_eq!(standing(&world, HOME), Standing::Familiar);
    world.pass(DAY * 91);
    assert_eq!(standing(&world, HOME), Standing::Stranger);
    let status = world.gate.status(world.now);
    assert_eq!((status.familiar_pairs, status.known_users), (0, 1));
}

#[test]
fn introducing_makes_known_and_with_a_network_familiar() {
    let mut world = World::new(settings());
    world
        .gate
        .introduce(&user("anna"), None, world.now, &mut world.changes);
    assert_eq!(
        world.login(FAR, "anna"),
        Fate::Asked(Reason::Bucket(Bucket::Strangers))
    );
    let network = client(HOME).network();
    world
        .gate
        .introduce(&user("bert"), Some(network), world.now, &mut world.changes);
    assert_eq!(
        world.login(HOME, "bert"),
        Fate::Asked(Reason::Bucket(Bucket::Familiar))
    );
}

#[test]
fn a_learnt_login_makes_familiar_until_90_days_after_it() {
    let mut world = World::new(settings());
    let when = world.now - DAY * 89;
    world.gate.learn(
        &user("anna"),
        client(HOME),
        when,
        world.now,
        &mut world.changes,
    );
    let old = world.now - DAY * 91;
    world.gate.learn(
        &user("bert"),
        client(HOME),
        old,
        world.now,
        &mut world.changes,
    );
    assert_eq!(
        world.guess(HOME, "anna", &good(1)),
        Fate::Asked(Reason::Bucket(Bucket::Familiar))
    );
    assert_eq!(
        world.guess(HOME, "bert", &good(1)),
        Fate::Asked(Reason::Bucket(Bucket::Strangers))
    );
    world.pass(DAY);
    assert_eq!(
        world.guess(HOME, "anna", &good(2)),
        Fate::Asked(Reason::Bucket(Bucket::Strangers))
    );
}

#[test]
fn before_the_name_is_known_only_what_every_name_would_meet_refuses() {
    let mut settings = settings();
    settings
        .limits
        .change(Bucket::Unknown, |limit| limit.base.burst = 1000);
    let mut world = World::new(settings);
    world.befriend("anna", HOME);
    let peek = |world: &World, from| world.gate.peek(client(from), world.now).map(|r| r.reason);
    assert_eq!(peek(&world, FAR), None);
    for n in 0..10 {
        world.guess(FAR, &format!("a{n}"), &good(n));
        world.guess(HOME, &format!("b{n}"), &good(n));
    }
    assert_eq!(peek(&world, FAR), Some(Reason::Bucket(Bucket::Client)));
    assert_eq!(peek(&world, HOME), None);
    for n in 0..10 {
        world.guess("198.51.100.8", &format!("c{n}"), &good(n));
    }
    assert_eq!(
        peek(&world, "198.51.100.9"),
        Some(Reason::Bucket(Bucket::Network))
    );
    world.guess(FAR, "root", "x");
    assert_eq!(peek(&world, FAR), Some(Reason::Ban));
}
