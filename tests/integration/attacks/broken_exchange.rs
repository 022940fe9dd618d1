//! broken_exchange - SCRAM exchanges that are broken off as soon as the salt is told
//!
//! A challenge says that the name exists, and what its salt is: that has to cost what a guess costs, however
//! the client leaves.

use crate::kit::client::{Client, auth_plain, base64, loopback};
use crate::kit::mail::{ANNA, Mail, numbered};
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::wait;

/// The defaults: twenty words at once.
const WORDS: usize = 20;

fn start(mail: &Mail) -> Proxy {
    Setup::before(mail)
        .with(
            "mechanisms",
            vec!["PLAIN".into(), toml::Value::from("SCRAM-SHA-256")],
        )
        .start()
}

fn first_message(name: &str) -> String {
    let message = format!("n,,n={name},r=fyko+d2lbbFgONRv9qkxdawL");
    format!("AUTH SCRAM-SHA-256 {}", base64(message))
}

/// Asks for a salt, and leaves in one of several ways; the reply's code.
fn probe(proxy: &Proxy, number: usize, name: &str) -> u16 {
    let host = u8::try_from(number % 250).unwrap();
    let net = u8::try_from(40 + number % 100).unwrap();
    let mut client = proxy.client(loopback(net, host));
    client.greet();
    let code = client.say(&first_message(name)).code;
    if code == 334 {
        leave(client, number);
    }
    code
}

fn leave(mut client: Client, number: usize) {
    match number % 3 {
        0 => drop(client.expect("*", 501)),
        1 => drop(client.expect("not base64!", 501)),
        _ => drop(client),
    }
}

/// How many exchanges are over, as the log tells.
fn over(proxy: &Proxy) -> usize {
    let attempts = proxy.log().events(|event| event.message() == "attempt");
    attempts.len()
}

#[test]
fn salts_cost_what_guesses_cost_and_end_where_guesses_end() {
    let mail = Mail::start();
    let proxy = start(&mail);
    let mut told = Vec::new();
    for number in 0..60 {
        told.push(probe(&proxy, number, &numbered(number % 40).0));
        wait::until("the exchange is over", || over(&proxy) > number);
    }
    let salts = told.iter().filter(|code| **code == 334).count();
    assert!((1..=WORDS).contains(&salts), "{salts} salts: {told:?}");
    assert!(
        told[WORDS + 5..].iter().all(|code| *code == 454),
        "{told:?}"
    );
}

#[test]
fn an_honest_client_that_cancels_once_has_lost_nothing_when_it_has_logged_in() {
    let mail = Mail::start();
    let proxy = start(&mail);
    let home = loopback(39, 1);
    let mut client = proxy.client(home);
    client.greet();
    client.expect(&auth_plain(ANNA), 235);
    for _ in 0..5 {
        let mut client = proxy.client(home);
        client.greet();
        client.expect(&first_message(ANNA.0), 334);
        client.expect("*", 501);
        client.expect("QUIT", 221);
    }
    let tokens = || {
        let ran = proxy.setup.command(&["explain", "127.39.0.1", ANNA.0]);
        let mut lines = ran.text.lines();
        let line = lines.find(|line| line.starts_with("bucket      familiar"));
        line.unwrap_or_default().to_owned()
    };
    assert!(tokens().contains("15/20"), "{}", tokens());
    let mut client = proxy.client(home);
    client.greet();
    client.expect(&auth_plain(ANNA), 235);
    assert!(tokens().contains("20/20"), "{}", tokens());
}
