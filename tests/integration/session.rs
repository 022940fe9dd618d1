//! session - a running Gatepost among its clients and signals: stop, reload, certificates
//!
//! Not here: what balancers say for clients (`session_balancer`), what clients do wrong in TLS and
//! before login (`session_tls`), the config file (`session_config`).

use crate::kit::client::{Client, auth_plain, loopback};
use crate::kit::mail::{ANNA, Mail};
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::wait;

const TEXT: &str = "From: <anna@example.org>\r\nSubject: x\r\n\r\nhello\r\n";

fn logged_in(proxy: &Proxy, host: u8) -> Client {
    let mut client = proxy.client(loopback(20, host));
    client.greet();
    client.expect(&auth_plain(ANNA), 235);
    client
}

#[test]
fn sigterm_ends_dialogues_with_421_lets_logged_in_sessions_finish_and_exits_well() {
    let mail = Mail::start();
    let mut proxy = Setup::before(&mail).with("timeouts.drain", "60s").start();
    let mut stranger = proxy.client(loopback(20, 1));
    stranger.greet();
    let mut user = logged_in(&proxy, 2);
    user.expect("MAIL FROM:<anna@example.org>", 250);

    proxy.terminate();
    assert_eq!(stranger.reply().code, 421);
    wait::until("nobody is let in any more", || {
        proxy.try_client(loopback(20, 3)).is_err()
    });
    user.expect("RCPT TO:<someone@example.net>", 250);
    user.expect("DATA", 354);
    user.expect(&format!("{TEXT}."), 250);
    user.expect("QUIT", 221);
    proxy.ends_well();
    assert_eq!(mail.only_mail(), TEXT.replace('\r', "").as_bytes());
}

#[test]
fn sigterm_does_not_wait_for_ever_for_a_session_that_stays() {
    let mail = Mail::start();
    let mut proxy = Setup::before(&mail).with("timeouts.drain", "1s").start();
    let mut user = logged_in(&proxy, 1);
    proxy.terminate();
    proxy.ends_well();
    user.rest().expect("the session's end");
}

#[test]
fn sighup_serves_the_new_certificate_and_keeps_every_session() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let old = logged_in(&proxy, 1);
    let mut stranger = proxy.client(loopback(20, 2));
    stranger.greet();

    let new = proxy.setup.new_certificate();
    assert_ne!(old.certificate(), new.der);
    proxy.reload();
    wait::until("the new certificate is served", || {
        proxy.client(loopback(20, 3)).certificate() == new.der
    });
    stranger.expect(&auth_plain(ANNA), 235);
    for mut session in [old, stranger] {
        session.submit(ANNA.0, TEXT);
        session.expect("QUIT", 221);
    }
    assert_eq!(mail.queue().len(), 2);
}

#[test]
fn one_that_runs_as_root_says_that_it_need_not() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let told = proxy.log().find("the warning", |event| {
        event.message().starts_with("it runs as root")
    });
    assert_eq!(told.level(), "WARN");
}

#[test]
fn sighup_takes_the_new_rules() {
    let mail = Mail::start();
    let mut proxy = Setup::before(&mail).start();
    proxy
        .setup
        .set("networks.deny", vec![toml::Value::from("127.20.0.9/32")]);
    logged_in(&proxy, 9).expect("QUIT", 221);
    proxy.reload();
    wait::until("the deny list is obeyed", || {
        proxy.try_client(loopback(20, 9)).is_err()
    });
    logged_in(&proxy, 8).expect("QUIT", 221);
}

#[test]
fn sighup_with_a_bad_config_changes_nothing_and_says_so() {
    let mail = Mail::start();
    let mut proxy = Setup::before(&mail).start();
    let mut session = logged_in(&proxy, 1);
    proxy.setup.set("limits.client.burst", 0);
    proxy
        .setup
        .set("networks.deny", vec![toml::Value::from("127.0.0.0/8")]);
    proxy.reload();
    let event = proxy
        .log()
        .find("the refusal", |event| event.level() == "ERROR");
    assert!(event.text().contains("burst"), "{}", event.text());
    session.expect("NOOP", 250);
    logged_in(&proxy, 2).expect("QUIT", 221);
}

#[test]
fn sighup_with_half_a_certificate_keeps_the_old_one() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let old = proxy.client(loopback(20, 1)).certificate();
    let other = crate::kit::authority::Authority::new().sign(&["mail.example.org"]);
    proxy.setup.write("key.pem", &other.key);
    proxy.reload();
    proxy
        .log()
        .find("the refusal", |event| event.level() == "ERROR");
    assert_eq!(proxy.client(loopback(20, 2)).certificate(), old);
}
