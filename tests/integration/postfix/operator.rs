//! operator - what the administrator asks a running Gatepost, and what comes of it
//!
//! By the commands, as they are typed. Not here: how an answer is put together (`server`).

use crate::kit::client::{Reply, loopback};
use crate::kit::mail::{ANNA, BERT, Mail, User};
use crate::kit::proxy::{Proxy, Setup};

const GUESSER: &str = "127.90.0.1";

fn log_in(proxy: &Proxy, net: u8, user: User<'_>) -> Option<Reply> {
    let mut client = proxy.try_client(loopback(net, 1)).ok()?;
    client.try_log_in(user).ok()
}

fn guess(proxy: &Proxy, net: u8, number: usize) -> Option<u16> {
    let password = format!("Guess{number}of{number}many");
    log_in(proxy, net, User(ANNA.0, &password)).map(|reply| reply.code)
}

#[test]
fn a_ban_is_listed_explained_and_lifted() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).with("bans.strikes", 3).start();
    assert!(
        (0..100).any(|number| guess(&proxy, 90, number).is_none()),
        "no ban"
    );

    let bans = proxy.ask_json(&["bans", "list"]);
    let bans = bans
        .get("bans")
        .unwrap_or(&bans)
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(bans.len(), 1, "{bans:?}");
    assert_eq!(bans[0]["address"], GUESSER);
    assert!(
        bans[0]["until"].is_string() && bans[0]["reason"].is_string(),
        "{bans:?}"
    );
    assert!(proxy.ask(&["bans", "list"]).contains(GUESSER));
    assert!(proxy.ask(&["explain", GUESSER]).contains("ban"));

    proxy.ask(&["bans", "remove", GUESSER]);
    // It is admitted again, but has no token, whatever user it names.
    let told = log_in(&proxy, 90, BERT).unwrap();
    assert!([421, 454].contains(&told.code), "{told:?}");
    proxy.ask(&["forgive", GUESSER]);
    assert_eq!(log_in(&proxy, 90, BERT).unwrap().code, 235);
}

#[test]
fn a_user_who_cannot_send_is_explained_by_the_name_alone() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail)
        .with("limits.words.burst", 1)
        .with("limits.words.every", "30m")
        .start();
    assert_eq!(log_in(&proxy, 97, ANNA).unwrap().code, 235);
    let common = User(ANNA.0, "password1");
    assert_eq!(log_in(&proxy, 98, common).unwrap().code, 535);
    assert_eq!(log_in(&proxy, 99, common).unwrap().code, 454);

    let told = proxy.ask(&["explain", ANNA.0]);
    for part in [
        "known, last login 20",
        "127.97.0.0/24 familiar, since 20",
        "127.97.0.1 accept (unknown)",
        "127.98.0.1 reject (words)",
        "127.99.0.1 refuse (words), for 29m",
    ] {
        assert!(told.contains(part), "no {part:?}: {told}");
    }
    // It is refused, so it is not said to be allowed.
    for words in [
        &["explain", "127.99.0.1"][..],
        &["explain", "127.99.0.1", ANNA.0],
    ] {
        let told = proxy.ask(words);
        assert!(told.contains("now         depends on what"), "{told}");
        assert!(
            told.contains("a common password: refuse (words), for 29m"),
            "{told}"
        );
        assert!(told.contains("a new password: allow (strangers)"), "{told}");
    }
    let told = proxy.ask_json(&["explain", "127.99.0.1"]);
    let session = told["decisions"][0]["session"].as_str().unwrap();
    let user = proxy.ask_json(&["explain", session])["decisions"][0]["user"].clone();
    assert_eq!(user, proxy.ask_json(&["users"])["users"][0]["id"]);
    assert_eq!(user, proxy.ask_json(&["explain", ANNA.0])["id"]);
}

#[test]
fn an_operator_can_ban() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    proxy.ask(&["bans", "add", "127.91.0.0/24"]);
    assert_eq!(log_in(&proxy, 91, ANNA), None);
    assert_eq!(log_in(&proxy, 92, ANNA).unwrap().code, 235);
    proxy.ask(&["bans", "remove", "127.91.0.0/24"]);
    assert_eq!(log_in(&proxy, 91, ANNA).unwrap().code, 235);
}

#[test]
fn the_session_id_in_a_refusal_leads_to_the_reason() {
    let mail = Mail::start();
    let setup = Setup::before(&mail).with("limits.client.burst", 1);
    let proxy = setup.start();
    assert_eq!(guess(&proxy, 93, 1), Some(535));
    // In place of the banner, for whatever it says it is refused.
    let refused = log_in(&proxy, 93, ANNA).unwrap();
    assert_eq!(refused.code, 421);
    assert!(refused.lines[0].starts_with("4.7.0 "), "{refused:?}");
    let session = proxy.log().find("the refusal", |event| {
        event.field("verdict") == "refuse" && event.field("reason") == "client"
    });
    let id = session.field("session");
    assert!(
        refused.lines.join(" ").contains(&id),
        "{refused:?} has no {id}"
    );
    let why = proxy.ask(&["explain", &id]);
    assert!(
        why.contains("127.93.0.1") && why.contains("client"),
        "{why}"
    );
}

#[test]
fn a_user_who_is_introduced_is_no_stranger() {
    let mail = Mail::start();
    let setup = Setup::before(&mail).with("limits.unknown.burst", 1);
    let proxy = setup.start();
    // The bucket of all unknown users is empty.
    assert_eq!(
        log_in(&proxy, 94, User("nobody1@example.org", "Zx1y"))
            .unwrap()
            .code,
        535
    );
    assert_eq!(log_in(&proxy, 95, BERT).unwrap().code, 454);
    proxy.ask(&["introduce", BERT.0, "127.95.0.0/24"]);
    assert_eq!(log_in(&proxy, 95, BERT).unwrap().code, 235);
    assert!(
        proxy
            .ask(&["explain", "127.95.0.1", BERT.0])
            .contains("familiar")
    );
}

#[test]
fn status_counts_what_happened() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    assert_eq!(log_in(&proxy, 96, ANNA).unwrap().code, 235);
    assert_eq!(guess(&proxy, 97, 1), Some(535));
    let status = proxy.ask_json(&["status"]).to_string();
    assert!(
        status.contains("accept") && status.contains("reject"),
        "{status}"
    );
}

#[test]
fn a_ban_by_hand_shuts_the_familiar_out_and_forgiving_an_address_does_not_lift_its_networks() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    assert_eq!(log_in(&proxy, 98, ANNA).unwrap().code, 235);
    proxy.ask(&["bans", "add", "127.98.0.0/24"]);
    assert_eq!(log_in(&proxy, 98, ANNA), None);
    let forgiven = proxy.ask(&["forgive", "127.98.0.1"]);
    assert!(forgiven.contains("bans remove 127.98.0.0/24"), "{forgiven}");
    assert_eq!(log_in(&proxy, 98, ANNA), None);
    proxy.ask(&["bans", "remove", "127.98.0.0/24"]);
    assert_eq!(log_in(&proxy, 98, ANNA).unwrap().code, 235);
}
