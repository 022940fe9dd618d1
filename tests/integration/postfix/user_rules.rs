//! user_rules - rules for one user and decoys, before a real Postfix and at Dovecot's own doors
//!
//! Not here: the rules in themselves (`gate`).

use toml::{Table, Value};

use crate::kit::client::{Client, auth_plain, loopback};
use crate::kit::doors::{Door, Doors};
use crate::kit::mail::{ANNA, BERT, Mail, User};
use crate::kit::proxy::{Proxy, Setup};

const OFFICE: u8 = 71;
const WORLD: u8 = 72;

fn rule(table: Table) -> Value {
    Value::Array(vec![table.into()])
}

fn greeted(proxy: &Proxy, net: u8, host: u8) -> Client {
    let mut client = proxy.client(loopback(net, host));
    client.greet();
    client
}

fn log_in(proxy: &Proxy, net: u8, user: User<'_>) -> u16 {
    let mut client = proxy.client(loopback(net, 1));
    client.try_log_in(user).unwrap().code
}

#[test]
fn a_scanner_logs_in_from_its_network_alone_and_a_reload_changes_that() {
    let mail = Mail::start();
    let name = ANNA.0;
    let only = toml::toml! { name = name  networks = ["127.71.0.0/16"] };
    let setup = Setup::before(&mail).with("user", rule(only));
    setup.learn_yesterdays(&[(ANNA.0, loopback(WORLD, 9))]);
    let mut proxy = setup.start();
    assert_eq!(log_in(&proxy, OFFICE, ANNA), 235);
    assert_eq!(
        log_in(&proxy, WORLD, ANNA),
        454,
        "not even where it has logged in"
    );
    assert_eq!(log_in(&proxy, WORLD, User(ANNA.0, "Wrong1Password")), 454);
    assert_eq!(mail.password_checks().len(), 1);
    assert_eq!(log_in(&proxy, WORLD, BERT), 235);
    let told = proxy.setup.command(&["explain", ANNA.0]).text;
    assert!(
        told.contains("rule        only from 127.71.0.0/16"),
        "{told}"
    );
    let wider = toml::toml! { name = name  networks = ["127.71.0.0/16", "127.72.0.0/16"] };
    proxy.setup.set("user", rule(wider));
    proxy.setup.write_config();
    proxy.reload();
    proxy
        .log()
        .find("the reload", |event| event.message() == "reloaded");
    assert_eq!(log_in(&proxy, WORLD, ANNA), 235);
}

#[test]
fn a_user_may_have_more_sessions_than_the_others() {
    let mail = Mail::start();
    let name = ANNA.0;
    let more = toml::toml! { name = name  sessions = 4 };
    let setup = Setup::before(&mail).with("admission.per-user", 2);
    let proxy = setup.with("user", rule(more)).start();
    let sessions = |user: User<'_>| -> usize {
        let mut held = Vec::new();
        for host in 1..=6 {
            let mut client = greeted(&proxy, OFFICE, host);
            if client.say(&auth_plain(user)).code == 235 {
                held.push(client);
            }
        }
        held.len()
    };
    assert_eq!(sessions(ANNA), 4);
    assert_eq!(sessions(BERT), 2);
}

#[test]
fn a_decoys_right_password_is_told_to_the_operator_and_not_to_the_client() {
    let mail = Mail::start();
    let name = ANNA.0;
    let decoy = toml::toml! { name = name  decoy = true };
    let proxy = Setup::before(&mail).with("user", rule(decoy)).start();
    let mut wrong = greeted(&proxy, WORLD, 1);
    let wrong = wrong.say(&auth_plain(User(ANNA.0, "Wrong1Password")));
    let mut right = greeted(&proxy, OFFICE, 1);
    let said = right.say(&auth_plain(ANNA));
    assert_eq!(said.code, 535);
    assert_eq!((said.code, said.lines), (wrong.code, wrong.lines));
    let told = proxy.log().find("the decoy", |event| {
        event.message().starts_with("decoy opened")
    });
    assert_eq!(told.level(), "ERROR");
    assert_eq!(told.field("user"), ANNA.0);
    assert_eq!(mail.password_checks().len(), 2);
    assert!(proxy.try_client(loopback(WORLD, 1)).is_err(), "banned");
    assert!(proxy.try_client(loopback(OFFICE, 1)).is_err(), "banned");
    let opened = proxy.logged(|event| event.message().starts_with("decoy opened"));
    assert_eq!(opened.len(), 1, "the wrong one is no alarm");
    let status = proxy.setup.command(&["status", "--json"]).text;
    assert!(status.contains("\"decoys-opened\": 1"), "{status}");
}

#[test]
fn a_closed_door_of_dovecots_is_closed_to_this_user_and_a_decoy_is_not_checked_there() {
    let doors = Doors::start("");
    let (first, second) = (ANNA.0, BERT.0);
    let rules = Value::Array(vec![
        toml::toml! { name = first  not-doors = ["imap"] }.into(),
        toml::toml! { name = second  decoy = true }.into(),
    ]);
    let proxy = doors.setup().with("user", rules).start();
    let imap = |net, user| doors.log_in(Door::Imap, loopback(net, 1), user).unwrap();
    let pop3 = |net, user| doors.log_in(Door::Pop3, loopback(net, 1), user).unwrap();
    crate::kit::doors::until_it_answers(&proxy);
    assert!(!imap(OFFICE, ANNA), "a closed door");
    assert!(pop3(OFFICE, ANNA));
    assert!(!imap(WORLD, BERT), "nobody has this mailbox");
    let told = proxy.log().find("the decoy's refusal", |event| {
        event.field("reason") == "decoy"
    });
    assert_eq!(told.field("verdict"), "refuse");
    assert!(!pop3(WORLD, BERT), "banned");
}
