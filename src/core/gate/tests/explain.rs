//! explain - what an operator is told of a user, of a client, and of what depends on the password

use super::kit::*;
use crate::gate::buckets::recent::Answer;
use crate::gate::buckets::spec::{Bucket, Ladder};
use crate::gate::request::attempt::Trust;
use crate::gate::request::verdict::Reason;

const HOME: &str = "203.0.113.7";
const FAR: &str = "198.51.100.7";

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
