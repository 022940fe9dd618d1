//! user_rules - what the owner has set for one user: from where, by which door, and mailboxes that nobody has

use super::kit::*;
use crate::gate::buckets::spec::Bucket;
use crate::gate::request::attempt::AuthOutcome;
use crate::gate::request::doors::Door;
use crate::gate::request::place::{Country, Located};
use crate::gate::request::settings::{GateSettings, Mode};
use crate::gate::request::user_rule::{Mailbox, UserRule};
use crate::gate::request::verdict::{BanCause, FailureReply, Reason};

const REFUSED: Fate = Fate::Refused(Reason::UserRule);

fn ruled(rule: UserRule) -> GateSettings {
    GateSettings {
        user_rules: vec![rule],
        ..settings()
    }
}

fn scanner() -> UserRule {
    UserRule {
        name: "Scanner@example.org".to_owned(),
        networks: vec!["203.0.113.0/28".parse().unwrap()],
        ..UserRule::default()
    }
}

fn decoy() -> UserRule {
    UserRule {
        name: "billing".to_owned(),
        mailbox: Mailbox::Decoy,
        ..UserRule::default()
    }
}

#[test]
fn a_user_with_networks_logs_in_from_there_and_nowhere_else_whatever_is_known() {
    let mut world = World::new(ruled(scanner()));
    world.befriend("scanner@example.org", FAR);
    assert_eq!(world.login(FAR, "SCANNER@example.org"), REFUSED);
    assert_eq!(world.login("203.0.113.16", "scanner@example.org"), REFUSED);
    assert_ne!(world.login(HOME, "scanner@example.org"), REFUSED);
    assert_ne!(world.login(FAR, "anna"), REFUSED);
    // The allow list judges nobody, and is no other place.
    let mut settings = ruled(scanner());
    settings.allow = vec!["198.51.100.0/24".parse().unwrap()];
    world
        .gate
        .reconfigure(settings, world.now, &mut world.changes);
    assert_eq!(world.login(FAR, "scanner@example.org"), REFUSED);
    let mut reloaded = scanner();
    reloaded.networks.clear();
    world
        .gate
        .reconfigure(ruled(reloaded), world.now, &mut world.changes);
    assert_ne!(world.login(FAR, "scanner@example.org"), REFUSED);
}

#[test]
fn a_user_with_countries_or_closed_doors_is_held_to_them() {
    let mut rule = scanner();
    rule.networks.clear();
    rule.countries = vec![Country::new("DE").unwrap()];
    let mut world = World::new(ruled(rule.clone()));
    world.befriend("scanner@example.org", FAR);
    world.country = Located::In(Country::new("FR").unwrap());
    assert_eq!(world.login(FAR, "scanner@example.org"), REFUSED);
    world.country = Located::In(Country::new("DE").unwrap());
    assert_ne!(world.login(FAR, "scanner@example.org"), REFUSED);
    rule.closed = vec![Door::Imap];
    let settings = ruled(rule.clone());
    world
        .gate
        .reconfigure(settings, world.now, &mut world.changes);
    assert_ne!(world.login(FAR, "scanner@example.org"), REFUSED);
    rule.closed = vec![Door::Own];
    let settings = ruled(rule);
    world
        .gate
        .reconfigure(settings, world.now, &mut world.changes);
    assert_eq!(world.login(FAR, "scanner@example.org"), REFUSED);
}

#[test]
fn a_users_rule_refuses_the_right_password_as_any_other_and_reaches_nobody() {
    let mut world = World::new(ruled(scanner()));
    let name = "scanner@example.org";
    let own = tokens_of(&world, FAR, Bucket::Client);
    let strangers = tokens_of(&world, HOME, Bucket::Strangers);
    assert_eq!(world.told(FAR, name, "Korrekt-Pferd-Batterie"), 454);
    assert_eq!(world.told(FAR, name, "Falsch-Pferd-Batterie"), 454);
    assert_eq!(tokens_of(&world, FAR, Bucket::Client), own - 2);
    assert_eq!(tokens_of(&world, HOME, Bucket::Strangers), strangers);
    for number in 0..own + 3 {
        world.guess(FAR, name, &format!("Kuchen{number}zwiebel"));
    }
    assert_eq!(
        world.gate.bans(world.now).pop().unwrap().cause,
        BanCause::Strikes
    );
}

#[test]
fn a_users_rule_is_shown_and_its_sessions_are_known() {
    let mut rule = scanner();
    rule.sessions = Some(80);
    let world = World::new(ruled(rule.clone()));
    let name = user("scanner@EXAMPLE.org");
    let told = world.gate.explain_user(&name, nowhere, world.now);
    assert_eq!(told.rule, Some(rule));
    assert_eq!(world.gate.sessions_of(world.gate.user_id(&name)), Some(80));
    let other = user("anna");
    assert_eq!(
        world.gate.explain_user(&other, nowhere, world.now).rule,
        None
    );
    assert_eq!(world.gate.sessions_of(world.gate.user_id(&other)), None);
}

#[test]
fn a_dry_run_lets_a_user_in_against_the_rule() {
    let mut settings = ruled(scanner());
    settings.mode = Mode::DryRun;
    let mut world = World::new(settings);
    let fate = world.login(FAR, "scanner@example.org");
    assert_eq!(fate, Fate::Would(Reason::UserRule));
}

#[test]
fn who_tries_a_decoy_is_banned_and_a_right_password_reads_as_a_wrong_one() {
    for (password, outcome) in [
        ("Falsch-Pferd-Batterie", AuthOutcome::Reject),
        ("Korrekt-Pferd-Batterie", AuthOutcome::Accept),
    ] {
        let mut world = World::new(ruled(decoy()));
        let permit = world.permit(FAR, "Billing", password);
        let settled = world
            .gate
            .settle(permit, outcome, world.now, &mut world.changes);
        assert_eq!(settled.outcome, AuthOutcome::Reject);
        assert_eq!(settled.reply, FailureReply::Outcome);
        assert_eq!(settled.reason, Some(Reason::Decoy));
        let ban = world.gate.bans(world.now).pop().unwrap();
        assert_eq!(ban.cause, BanCause::Trap);
        assert!(
            !world
                .gate
                .explain_user(&user("billing"), nowhere, world.now)
                .known
        );
        assert_eq!(world.guess(FAR, "anna", "x"), Fate::Refused(Reason::Ban));
    }
}

/// An old log shows that the thief was let in.
#[test]
fn nothing_is_learnt_about_a_decoy() {
    let mut world = World::new(ruled(decoy()));
    for name in ["Billing", "anna"] {
        let (from, now) = (client(FAR), world.now);
        let changes = &mut world.changes;
        world.gate.learn(&user(name), from, now, now, changes);
    }
    for (name, known) in [("billing", false), ("anna", true)] {
        let told = world.gate.explain_user(&user(name), nowhere, world.now);
        assert_eq!(told.known, known, "{name}");
    }
}

#[test]
fn a_decoy_is_not_checked_where_its_client_would_learn_of_it_and_bans_all_the_same() {
    let mut world = World::new(ruled(decoy()));
    assert_eq!(world.hidden(FAR, "billing"), Fate::Refused(Reason::Decoy));
    assert_eq!(
        world.gate.bans(world.now).pop().unwrap().cause,
        BanCause::Trap
    );
}

#[test]
fn a_decoy_that_a_bucket_refuses_bans_its_client_too() {
    let mut settings = ruled(decoy());
    let none = crate::gate::buckets::quota::Quota {
        burst: 1,
        every: DAY,
    };
    settings.limits.set(Bucket::Unknown, none);
    let mut world = World::new(settings);
    world.guess("192.0.2.1", "nobody.here", "Zwiebel1kuchen");
    let fate = world.guess(FAR, "billing", "Zwiebel2kuchen");
    assert_eq!(fate, Fate::Refused(Reason::Bucket(Bucket::Unknown)));
    assert_eq!(
        world.gate.bans(world.now).pop().unwrap().cause,
        BanCause::Trap
    );
}

#[test]
fn where_somebody_is_at_home_a_decoy_bans_nobody_and_costs_tokens() {
    let mut world = World::new(ruled(decoy()));
    world.befriend("anna", FAR);
    let own = tokens_of(&world, FAR, Bucket::Client);
    world.guess(FAR, "billing", "Zwiebel2kuchen");
    assert_eq!(world.gate.bans(world.now), []);
    assert!(tokens_of(&world, FAR, Bucket::Client) <= own - 3);
}

#[test]
fn who_was_at_home_before_the_mailbox_became_a_decoy_is_not_let_in() {
    let mut world = World::new(ruled(decoy()));
    world.befriend("billing", HOME);
    let permit = world.permit(HOME, "billing", "Korrekt-Pferd-Batterie");
    assert_eq!(
        world.settle(permit, AuthOutcome::Accept),
        AuthOutcome::Reject
    );
}
