//! explain - what an operator is told of a user, of a client, and of what depends on the password

use super::kit::*;
use crate::gate::buckets::recent::Answer;
use crate::gate::buckets::spec::{Bucket, Ladder};
use crate::gate::request::attempt::Trust;
use crate::gate::request::verdict::Reason;

#[test]
fn a_user_is_explained_with_networks_and_what_was_decided_whatever_the_client() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    world.login(HOME, "anna");
    world.guess(FAR, "anna", "Zwiebel7kuchen7fest");
    world.guess(FAR, "bert", "Zwiebel8kuchen8fest");
    let told = world.gate.explain_user(&user("Anna"), nowhere, world.now);
    assert!(told.known && !told.is_trap);
    assert_eq!(told.last, Some(world.now));
    let [home] = told.networks[..] else {
        panic!("{told:?}")
    };
    assert_eq!(home.network, client(HOME).network());
    assert_eq!((home.since, home.last), (world.now - DAY, world.now));
    assert_eq!(home.trust, Trust::Familiar);
    assert_eq!(home.outlook, Ok(Reason::Bucket(Bucket::Familiar)));
    let decided: Vec<_> = told
        .decisions
        .iter()
        .map(|d| (d.client, d.answer))
        .collect();
    assert_eq!(
        decided,
        [
            (client(FAR), Answer::Reject),
            (client(FAR), Answer::Allow),
            (client(HOME), Answer::Accept),
            (client(HOME), Answer::Allow)
        ]
    );
    let far = told
        .buckets
        .iter()
        .find(|held| held.bucket == Reason::Bucket(Bucket::UserFar));
    assert_eq!(far.unwrap().tokens, 9);

    let unknown = world.gate.explain_user(&user("zoe"), nowhere, world.now);
    assert!(!unknown.known && unknown.networks.is_empty() && unknown.decisions.is_empty());
    assert!(
        world
            .gate
            .explain_user(&user("root"), nowhere, world.now)
            .is_trap
    );
}

#[test]
fn a_network_whose_login_is_90_days_ago_is_none_of_the_users() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    world.pass(DAY * 88);
    assert_eq!(
        world
            .gate
            .explain_user(&user("anna"), nowhere, world.now)
            .networks
            .len(),
        1
    );
    world.pass(DAY);
    let told = world.gate.explain_user(&user("anna"), nowhere, world.now);
    assert!(told.known && told.networks.is_empty());
}

#[test]
fn an_empty_bucket_of_common_passwords_is_told_apart_from_what_a_new_one_meets() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    for net in 1..=20 {
        let from = format!("198.18.{net}.1");
        let fate = world.guess(&from, "anna", "password1");
        if fate == Fate::Refused(Reason::Bucket(Bucket::Words)) {
            break;
        }
        world
            .gate
            .forgive_user(&user("anna"), world.now, &mut Vec::new());
    }
    let told = world
        .gate
        .explain(client(FAR), Some(&user("anna")), world.now);
    let standing = told.user.unwrap();
    assert_eq!(standing.outlook, Ok(Reason::Bucket(Bucket::Strangers)));
    assert_eq!(
        standing.word.map_err(|refusal| refusal.reason),
        Err(Reason::Bucket(Bucket::Words))
    );
    let told = world.gate.explain(client(FAR), None, world.now).unnamed;
    assert_eq!(
        (told.certain, told.known),
        (None, Ok(Reason::Bucket(Bucket::Strangers)))
    );
    assert_eq!(told.word, standing.word);
    assert_eq!(told.unknown, Ok(Reason::Bucket(Bucket::Unknown)));
}

#[test]
fn a_client_without_tokens_is_said_to_be_refused_whatever_the_user() {
    let mut world = World::new(settings());
    for n in 0..10 {
        world.guess(
            FAR,
            &format!("user{n}"),
            &format!("Zwiebel{n}kuchen{n}fest"),
        );
    }
    let told = world.gate.explain(client(FAR), None, world.now).unnamed;
    let reason = told.certain.map(|refusal| refusal.reason);
    assert_eq!(reason, Some(Reason::Bucket(Bucket::Client)));
}

#[test]
fn a_bucket_says_when_it_has_a_token_for_a_retry_a_newcomer_and_others_with_and_without_a_user() {
    let mut settings = settings();
    settings.ladder = Ladder::default();
    let mut world = World::new(settings);
    let waits = |world: &World, name: Option<&str>| {
        let named = name.map(user);
        let told = world.gate.explain(client(FAR), named.as_ref(), world.now);
        let mut buckets = told.buckets.into_iter();
        let unknown = buckets.find(|held| held.bucket == Reason::Bucket(Bucket::Unknown));
        unknown.unwrap().waits
    };
    for net in 1..=40 {
        world.guess(
            &format!("198.18.{net}.1"),
            &format!("ghost{net}"),
            "Zwiebel7kuchen7fest",
        );
    }
    let without = waits(&world, None);
    assert!(
        without.retry < without.newcomer && without.newcomer < without.others,
        "{without:?}"
    );
    assert_eq!(waits(&world, Some("zoe")), without);
}

#[test]
fn explain_tells_what_each_bucket_holds_and_what_was_decided_last() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    world.guess(FAR, "anna", &good(1));
    world.guess(FAR, "bert", &good(2));
    let anna = user("anna");
    let far = world.gate.explain(client(FAR), Some(&anna), world.now);
    let buckets = far.buckets.iter();
    let buckets: Vec<_> = buckets.map(|b| (b.bucket, b.tokens, b.burst)).collect();
    assert_eq!(
        buckets,
        [
            (Reason::Bucket(Bucket::ClientNear), 10, 10),
            (Reason::Bucket(Bucket::Client), 8, 10),
            (Reason::Bucket(Bucket::Network), 18, 20),
            (Reason::Bucket(Bucket::UserNear), 10, 10),
            (Reason::Bucket(Bucket::UserFar), 9, 10),
            (Reason::Bucket(Bucket::Near), 100, 100),
            (Reason::Bucket(Bucket::Words), 20, 20),
            (Reason::Bucket(Bucket::Unknown), 19, 20),
            (Reason::Bucket(Bucket::Strangers), 99, 100),
        ]
    );
    let decisions = far.decisions.iter();
    let answers: Vec<_> = decisions.map(|d| (d.answer, d.session)).collect();
    assert_eq!(answers, [(Answer::Reject, 7), (Answer::Allow, 7)]);
    let all = world.gate.explain(client(FAR), None, world.now);
    assert_eq!(all.decisions.len(), 4);
    assert_eq!(world.gate.explain_session(7).len(), 4);
    assert_eq!(world.gate.explain_session(8), []);
}

#[test]
fn explain_tells_relation_and_what_would_be_answered_now() {
    let mut world = World::new(settings());
    world.befriend("anna", HOME);
    let outlook = |world: &World, from| {
        let seen = world
            .gate
            .explain(client(from), Some(&user("anna")), world.now);
        let user = seen.user.unwrap();
        assert!(user.known);
        (user.trust, user.outlook.map_err(|refusal| refusal.reason))
    };
    for (from, relation, reason) in [
        (HOME, Trust::Familiar, Reason::Bucket(Bucket::Familiar)),
        ("203.0.9.9", Trust::Near, Reason::Bucket(Bucket::Near)),
        (FAR, Trust::Far, Reason::Bucket(Bucket::Strangers)),
    ] {
        assert_eq!(outlook(&world, from), (relation, Ok(reason)));
    }
    for n in 0..10 {
        world.guess(FAR, "bert", &good(n));
    }
    assert_eq!(outlook(&world, FAR).1, Err(Reason::Bucket(Bucket::Client)));
    for n in 10..20 {
        world.guess(FAR, "bert", &good(n));
    }
    assert_eq!(outlook(&world, FAR).1, Err(Reason::Ban));
}

#[test]
fn explaining_changes_nothing() {
    let mut world = World::new(settings());
    for n in 0..20 {
        world.guess(FAR, "bert", &good(n));
    }
    let debts = |world: &World| {
        let mut octets = Vec::new();
        world.gate.write_debts(world.now, &mut octets).unwrap();
        octets
    };
    let before = debts(&world);
    for _ in 0..50 {
        world
            .gate
            .explain(client(FAR), Some(&user("root")), world.now);
        world.gate.status(world.now);
    }
    assert_eq!(debts(&world), before);
}
