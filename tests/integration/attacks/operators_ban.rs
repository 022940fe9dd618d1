//! operators_ban - a thief is banned by the operator: by the theft itself the pair of user and network is familiar

use super::{is_open, log_in};
use crate::kit::client::loopback;
use crate::kit::mail::{ANNA, BERT, Mail};
use crate::kit::proxy::Setup;

#[test]
fn a_ban_ends_the_thiefs_session_and_refuses_the_next_login() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let mut thief = log_in(&proxy, (66, 6), ANNA).unwrap();
    thief.expect("MAIL FROM:<anna@example.org>", 250);
    let mut waiting = proxy.client(loopback(66, 6));
    waiting.greet();
    let mut neighbour = log_in(&proxy, (66, 7), BERT).unwrap();
    let mut owner = log_in(&proxy, (67, 1), ANNA).unwrap();

    let answer = proxy.ask_json(&["bans", "add", "127.66.0.6"]);
    assert!(thief.try_say("RCPT TO:<someone@example.net>").is_err());
    assert_eq!(
        waiting.try_reply().map(|reply| reply.code).unwrap_or(421),
        421
    );
    assert_eq!(
        log_in(&proxy, (66, 6), ANNA).err(),
        Some(None),
        "not admitted"
    );
    assert!(is_open(&mut owner) && is_open(&mut neighbour));
    assert_eq!(answer["sessions"], 2, "{answer}");

    // Its network: the rest of it too.
    let answer = proxy.ask_json(&["bans", "add", "127.66.0.0/24"]);
    assert_eq!(answer["sessions"], 1, "{answer}");
    assert!(!is_open(&mut neighbour) && is_open(&mut owner));
    assert_eq!(log_in(&proxy, (66, 7), BERT).err(), Some(None));
    proxy.ask_json(&["bans", "remove", "127.66.0.0/24"]);
    assert!(log_in(&proxy, (66, 7), BERT).is_ok());
}

#[test]
fn a_new_deny_list_ends_open_sessions_and_a_ban_the_allow_lists() {
    let mail = Mail::start();
    let allowed = vec![toml::Value::from("127.68.0.0/24")];
    let mut proxy = Setup::before(&mail).with("networks.allow", allowed).start();
    let mut thief = log_in(&proxy, (66, 6), ANNA).unwrap();
    let mut webmail = log_in(&proxy, (68, 1), BERT).unwrap();
    proxy
        .setup
        .set("networks.deny", vec![toml::Value::from("127.66.0.0/16")]);
    proxy.reload();
    let reloaded = proxy
        .log()
        .find("the reload", |event| event.message() == "reloaded");
    assert!(!is_open(&mut thief), "the denied session goes on");
    assert_eq!(reloaded.field("expelled"), "1");
    assert!(is_open(&mut webmail));
    proxy.ask_json(&["bans", "add", "127.68.0.1"]);
    assert!(!is_open(&mut webmail));
    assert_eq!(log_in(&proxy, (68, 1), BERT).err(), Some(None));
}

#[test]
fn from_outside_the_only_networks_nobody_logs_in_however_familiar_and_inside_the_deny_list_counts()
{
    let mail = Mail::start();
    let mut proxy = Setup::before(&mail).start();
    let mut outside = log_in(&proxy, (66, 6), ANNA).unwrap();
    let mut office = log_in(&proxy, (68, 1), BERT).unwrap();
    let mut set = |key: &str, networks: &[&str]| {
        let networks: Vec<_> = networks.iter().map(|one| toml::Value::from(*one)).collect();
        proxy.setup.set(key, networks);
    };
    set("networks.only", &["127.68.0.0/16", "127.69.0.0/16"]);
    set("networks.deny", &["127.69.0.0/24"]);
    proxy.reload();
    let reloaded = proxy
        .log()
        .find("the reload", |event| event.message() == "reloaded");
    assert_eq!(reloaded.field("expelled"), "1");
    assert!(!is_open(&mut outside), "its session goes on");
    assert!(is_open(&mut office));
    assert_eq!(log_in(&proxy, (66, 6), ANNA).err(), Some(None));
    assert_eq!(log_in(&proxy, (69, 1), ANNA).err(), Some(None), "denied");
    assert!(
        log_in(&proxy, (68, 2), ANNA).is_ok(),
        "a user's first login there"
    );
    let answer = proxy.ask_json(&["explain", "127.66.0.6"]);
    assert_eq!(answer["verdict"], "refuse", "{answer}");
    let standing = answer["standing"].as_str().unwrap();
    assert!(standing.contains("only"), "{answer}");
}
