//! places - countries from a database, before a real Postfix: who is let in, and what is told
//!
//! The clients are on loopback; the database says where each part of that is. Not here: what stands in a database
//! (`daemon::places`).

use std::fs;
use std::path::{Path, PathBuf};

use toml::Value;

use crate::kit::client::loopback;
use crate::kit::mail::{ANNA, BERT, Mail, User};
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::wait;
use crate::kit::written::{country, database, system};

const GERMAN: u8 = 61;
const FRENCH: u8 = 62;
/// In no country.
const NOWHERE: u8 = 63;

fn list(texts: &[&str]) -> Value {
    texts
        .iter()
        .map(|text| Value::from(*text))
        .collect::<Vec<_>>()
        .into()
}

fn countries() -> Vec<u8> {
    database(&[
        ("127.61.0.0/16", country("DE")),
        ("127.62.0.0/16", country("FR")),
    ])
}

/// Writes as an updater does.
fn replace(path: &Path, octets: &[u8]) {
    let new = path.with_extension("new");
    fs::write(&new, octets).unwrap();
    fs::rename(&new, path).unwrap();
}

fn with_database(mail: &Mail, octets: Option<&[u8]>) -> (Setup, PathBuf) {
    let setup = Setup::before(mail);
    let path = setup.folder().join("country.mmdb");
    if let Some(octets) = octets {
        fs::write(&path, octets).unwrap();
    }
    let shown = path.display().to_string();
    (setup.with("places.database", list(&[&shown])), path)
}

fn log_in(proxy: &Proxy, net: u8, user: User<'_>) -> u16 {
    let mut client = proxy.client(loopback(net, 1));
    client.try_log_in(user).unwrap().code
}

/// The log's line about an attempt from there.
fn attempt(proxy: &Proxy, net: u8) -> crate::kit::proxy::Event {
    let from = format!("127.{net}.0.1:");
    proxy.log().find("the attempt", |event| {
        event.message() == "attempt" && event.field("client").starts_with(&from)
    })
}

#[test]
fn nobody_from_another_country_reaches_dovecot_and_the_right_password_is_not_told() {
    let mail = Mail::start();
    let (setup, _) = with_database(&mail, Some(&countries()));
    let proxy = setup.with("places.only", list(&["DE"])).start();
    assert_eq!(log_in(&proxy, GERMAN, ANNA), 235);
    let right = proxy.client(loopback(FRENCH, 1)).try_log_in(ANNA).unwrap();
    let wrong = User(ANNA.0, "Wrong1Password");
    let wrong = proxy.client(loopback(FRENCH, 2)).try_log_in(wrong).unwrap();
    assert_eq!((right.code, wrong.code), (454, 454));
    assert_eq!(mail.password_checks().len(), 1, "Anna's own");
    let told = attempt(&proxy, FRENCH);
    assert_eq!(told.field("country"), "FR");
    assert_eq!(told.field("reason"), "country");
    assert_eq!(attempt(&proxy, GERMAN).field("country"), "DE");
    // On loopback, and in no country: an address of one's own.
    assert_eq!(log_in(&proxy, NOWHERE, BERT), 235);
    let explained = proxy.setup.command(&["explain", "127.62.0.1"]).text;
    assert!(
        explained.contains("place       FR") && explained.contains("country"),
        "{explained}"
    );
    wait::until("the report has the login with its country", || {
        let report = proxy.setup.command(&["report"]).text;
        report.contains("127.61.0.1 (DE)")
    });
}

#[test]
fn a_user_at_home_in_a_denied_country_is_let_in_unless_the_owner_says_so() {
    let mail = Mail::start();
    let (setup, _) = with_database(&mail, Some(&countries()));
    let setup = setup.with("places.deny", list(&["FR"]));
    setup.learn_yesterdays(&[(ANNA.0, loopback(FRENCH, 9))]);
    let mut proxy = setup.start();
    assert_eq!(log_in(&proxy, FRENCH, ANNA), 235);
    assert_eq!(log_in(&proxy, FRENCH, BERT), 454);
    proxy.setup.set("places.refuse-at-home", true);
    proxy.setup.write_config();
    proxy.reload();
    proxy
        .log()
        .find("the reload", |event| event.message() == "reloaded");
    assert_eq!(log_in(&proxy, FRENCH, ANNA), 454);
    assert_eq!(log_in(&proxy, GERMAN, BERT), 235);
}

#[test]
fn a_database_is_read_again_when_it_is_replaced_and_a_damaged_one_changes_nothing() {
    let mail = Mail::start();
    let (setup, path) = with_database(&mail, Some(&countries()));
    let proxy = setup.with("places.only", list(&["DE"])).start();
    assert_eq!(log_in(&proxy, FRENCH, ANNA), 454);
    let whole = countries();
    replace(&path, &whole[..whole.len() - 40]);
    let told = proxy.log().find("the damage", |event| {
        event.message().contains("cannot be used")
    });
    assert_eq!(told.level(), "WARN");
    assert!(
        told.message().contains("stays in use"),
        "{}",
        told.message()
    );
    assert_eq!(log_in(&proxy, FRENCH, ANNA), 454);
    let rows = [
        ("127.61.0.0/16", country("FR")),
        ("127.62.0.0/16", country("DE")),
        ("127.63.0.0/16", system(64_500, "Evil \u{1b}[2J\r\n\"Net\"")),
    ];
    replace(&path, &database(&rows));
    wait::until("the new one is read", || {
        proxy.logged(|event| event.message() == "places read").len() == 2
    });
    assert_eq!(log_in(&proxy, FRENCH, ANNA), 235);
    assert_eq!(log_in(&proxy, GERMAN, BERT), 454);
    assert_eq!(log_in(&proxy, NOWHERE, BERT), 235);
    let told = attempt(&proxy, NOWHERE);
    assert_eq!(told.field("asn"), "64500");
    assert_eq!(told.field("as_name"), "Evil ?[2J??'Net'");
}

#[test]
fn without_a_database_nobody_is_locked_out_and_that_is_told_loudly() {
    let mail = Mail::start();
    let (setup, path) = with_database(&mail, None);
    let setup = setup.with("places.only", list(&["DE"]));
    let checked = setup.command(&["check"]);
    assert_eq!(checked.code, Some(0), "{}", checked.text);
    assert!(
        checked.text.contains("there is no such file"),
        "{}",
        checked.text
    );
    assert!(
        checked.text.contains("no rule by country is enforced"),
        "{}",
        checked.text
    );
    let proxy = setup.start();
    let told = proxy.log().find("the warning", |event| {
        event.message().contains("no rule by country is enforced")
    });
    assert_eq!(told.level(), "ERROR");
    assert_eq!(log_in(&proxy, FRENCH, ANNA), 235);
    replace(&path, &countries());
    wait::until("the database is read", || {
        let read = proxy.logged(|event| event.message() == "places read");
        !read.is_empty()
    });
    assert_eq!(log_in(&proxy, FRENCH, BERT), 454);
}

#[test]
fn a_user_is_near_in_the_carrier_of_another_login_and_explain_says_by_what() {
    let mail = Mail::start();
    let carrier = || system(64_500, "Example Mobil");
    let octets = database(&[("127.61.0.0/16", carrier()), ("127.62.0.0/16", carrier())]);
    for (by_system, shown) in [
        (true, "near, by the autonomous system of another login"),
        (false, "far"),
    ] {
        let (setup, _) = with_database(&mail, Some(&octets));
        let proxy = setup.with("places.near-by-system", by_system).start();
        assert_eq!(log_in(&proxy, GERMAN, ANNA), 235);
        for (net, name, expected) in [
            (FRENCH, ANNA.0, shown),
            (NOWHERE, ANNA.0, "far"),
            (FRENCH, BERT.0, "far"),
        ] {
            let from = loopback(net, 1).to_string();
            let told = proxy.setup.command(&["explain", &from, name]);
            let line = told.text.lines().find(|line| line.starts_with("as "));
            assert!(
                line.unwrap().ends_with(&format!(", {expected}")),
                "{}",
                told.text
            );
        }
    }
}
