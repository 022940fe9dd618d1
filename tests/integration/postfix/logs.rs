//! logs - what Gatepost learns from the log that this very Postfix has written
//!
//! Not here: the forms of other machines' logs (`history`'s tests).

use crate::kit::client::{Client, auth_plain, loopback};
use crate::kit::mail::{ANNA, BERT, CARLA, Entry, Mail, User};
use crate::kit::proxy::{Proxy, Setup};
use serde_json::Value;

/// A login without Gatepost, as it was before the day of the install.
fn before_gatepost(mail: &Mail, source: &str, user: User<'_>, code: u16) {
    let address = mail.address(Entry::ProxyProtocol);
    let mut client = Client::connect(loopback(0, 1), address).unwrap();
    client.send(format!("PROXY TCP4 {source} 127.0.0.1 4567 465\r\n").as_bytes());
    client.greet();
    client.expect(&auth_plain(user), code);
    if code == 235 {
        client.submit(user.0, "Subject: x\r\n\r\nhello\r\n");
    }
    client.expect("QUIT", 221);
}

fn log_in(proxy: &Proxy, net: u8, user: User<'_>) -> u16 {
    let mut client = proxy.client(loopback(net, 2));
    client.greet();
    client.say(&auth_plain(user)).code
}

/// Only one unknown user may fail here, and has.
fn without_tokens(proxy: &Proxy) {
    assert_eq!(log_in(proxy, 98, User("who@example.org", "Zx1y")), 535);
}

#[test]
fn who_logged_in_before_the_install_is_familiar_after_learn() {
    let mail = Mail::start();
    before_gatepost(&mail, "127.70.0.1", ANNA, 235);
    before_gatepost(&mail, "127.71.0.1", BERT, 235);
    before_gatepost(&mail, "127.72.0.1", User(CARLA.0, "Wrong1Password"), 535);
    let setup = Setup::before(&mail).with("limits.unknown.burst", 1);
    let log = mail.postfix_log_file().display().to_string();

    let learnt = setup.command(&["learn", &log]);
    assert_eq!(learnt.code, Some(0), "{}", learnt.text);
    let mut proxy = setup.start();
    without_tokens(&proxy);
    assert_eq!(log_in(&proxy, 70, ANNA), 235);
    assert_eq!(log_in(&proxy, 71, BERT), 235);
    assert_eq!(log_in(&proxy, 72, CARLA), 454, "no login in the log");

    // While it runs, too, and after it has stopped.
    before_gatepost(&mail, "127.72.0.1", CARLA, 235);
    let learnt = proxy.setup.command(&["learn", &log]);
    assert_eq!(learnt.code, Some(0), "{}", learnt.text);
    assert_eq!(log_in(&proxy, 72, CARLA), 235);
    proxy.restart();
    assert_eq!(log_in(&proxy, 72, CARLA), 235);
}

#[test]
fn a_replay_of_this_log_tells_what_happened_and_what_would_have() {
    const GUESSES: u64 = 15;
    let mail = Mail::start();
    before_gatepost(&mail, "127.70.0.1", ANNA, 235);
    for number in 0..GUESSES {
        let password = format!("Guess{number}of{number}many");
        before_gatepost(&mail, "127.73.0.1", User(BERT.0, &password), 535);
    }
    before_gatepost(&mail, "127.70.0.1", ANNA, 235);
    let log = mail.postfix_log_file().display().to_string();
    let ran = Setup::before(&mail).command(&["replay", "--json", &log]);
    assert!(matches!(ran.code, Some(0 | 1)), "{}", ran.text);
    let told: Value = serde_json::from_str(&ran.text).expect("one object");
    assert_eq!(told["attempts"], GUESSES + 2, "{told}");
    let allowed = told["allowed"].as_u64().unwrap();
    assert_eq!(
        allowed,
        2 + 7,
        "the user's bucket but what newcomers have: {told}"
    );
    assert!(
        told["honest_refused"].as_array().is_none_or(Vec::is_empty),
        "{told}"
    );
}
