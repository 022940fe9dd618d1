//! tokens - what a stranger may try to get more guesses than it has tokens
//!
//! Counted where it matters: in Dovecot's log. Not here: the buckets' arithmetic (`gate`).

use std::sync::Barrier;
use std::thread;

use crate::kit::client::{Client, auth_plain, base64, loopback};
use crate::kit::mail::{ANNA, BERT, Mail, User};
use crate::kit::proxy::{Proxy, Setup};

fn one_token(mail: &Mail) -> Proxy {
    let setup = Setup::before(mail)
        .with("bans.strikes", 0)
        .with("admission.per-client", 100)
        .with("admission.connects.burst", 200);
    setup.with("limits.client.burst", 1).start()
}

fn greeted(proxy: &Proxy, net: u8, host: u8) -> Client {
    let mut client = proxy.client(loopback(net, host));
    client.greet();
    client
}

#[test]
fn of_sixty_four_tries_at_once_with_one_token_one_reaches_dovecot() {
    const TRIES: usize = 64;
    let mail = Mail::start();
    let proxy = one_token(&mail);
    let together = Barrier::new(TRIES);
    let codes: Vec<u16> = thread::scope(|scope| {
        let tries: Vec<_> = (0..TRIES)
            .map(|number| {
                let (proxy, together) = (&proxy, &together);
                scope.spawn(move || {
                    let mut client = greeted(proxy, 44, 1);
                    let password = format!("Guess{number}of{number}many");
                    together.wait();
                    client.say(&auth_plain(User(ANNA.0, &password))).code
                })
            })
            .collect();
        tries.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(
        codes.iter().filter(|code| **code == 535).count(),
        1,
        "{codes:?}"
    );
    assert_eq!(
        codes.iter().filter(|code| **code == 454).count(),
        TRIES - 1,
        "{codes:?}"
    );
    assert_eq!(mail.password_checks().len(), 1);
}

#[test]
fn hanging_up_after_the_guess_gets_no_token_back() {
    let mail = Mail::start();
    let proxy = one_token(&mail);
    let mut client = greeted(&proxy, 44, 2);
    client.send(format!("{}\r\n", auth_plain(User(ANNA.0, "Wrong1Password"))).as_bytes());
    drop(client);
    proxy
        .log()
        .find("the rejection, though nobody waits for it", |event| {
            event.field("verdict") == "reject"
        });
    let mut again = proxy.client(loopback(44, 2));
    assert_eq!(again.try_log_in(ANNA).unwrap().code, 421);
    assert_eq!(mail.password_checks().len(), 1);
}

#[test]
fn a_login_gives_back_its_own_token_and_no_other() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).with("limits.client.burst", 2).start();
    greeted(&proxy, 44, 3).expect(&auth_plain(User(ANNA.0, "Wrong1Password")), 535);
    for _ in 0..3 {
        greeted(&proxy, 44, 3).expect(&auth_plain(BERT), 235);
    }
    greeted(&proxy, 44, 3).expect(&auth_plain(User(ANNA.0, "Other2Password")), 535);
    greeted(&proxy, 44, 3).expect(&auth_plain(User(ANNA.0, "Third3Password")), 454);
    assert_eq!(
        greeted(&proxy, 44, 3).say(&auth_plain(BERT)).code,
        235,
        "familiar here"
    );
}

#[test]
fn strangers_that_stall_in_the_middle_hold_up_nobody() {
    let mail = Mail::start();
    let mechanisms = ["PLAIN", "LOGIN", "SCRAM-SHA-256", "CRAM-MD5"];
    let mechanisms = mechanisms.map(toml::Value::from).to_vec();
    let proxy = Setup::before(&mail).with("mechanisms", mechanisms).start();
    let scram = base64(format!("n,,n={},r=fyko+d2lbbFgONRv9qkxdawL", ANNA.0));
    let lines = [
        "AUTH LOGIN".to_owned(),
        "AUTH PLAIN".to_owned(),
        "AUTH CRAM-MD5".to_owned(),
        format!("AUTH SCRAM-SHA-256 {scram}"),
    ];
    let mut stalled = Vec::new();
    for net in 45..53 {
        let mut client = greeted(&proxy, net, 1);
        client.send(format!("{}\r\n", lines[usize::from(net) % lines.len()]).as_bytes());
        stalled.push(client);
    }
    greeted(&proxy, 53, 1).expect(&auth_plain(BERT), 235);
}
