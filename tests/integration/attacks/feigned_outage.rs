//! feigned_outage - accounts of the attacker's own, rejected at once, so that the backend seems to fail
//!
//! What is tried meanwhile at somebody else is charged as ever, from the victim's own network too; and for
//! everybody else nothing changes. Not here: a Dovecot that does fail (`postfix::honest`).

use std::net::IpAddr;
use std::thread;

use super::names_by_time::lasted;
use crate::kit::client::{auth_plain, loopback};
use crate::kit::mail::{ANNA, BERT, Mail, User, numbered};
use crate::kit::proxy::{Event, Proxy, Setup};

/// Accounts of the attacker's own, each familiar in a network of its own.
const OWN: u8 = 6;
const GUESSES: usize = 400;
const EPISODES: usize = 4;
/// The default of the bucket `familiar`, and one token that may come back meanwhile.
const MOST: usize = 20 + 1;
/// The network where the victim logs in: the attacker has 40 addresses there.
const VICTIM: u8 = 90;

fn log_in(proxy: &Proxy, source: IpAddr, user: User<'_>) -> u16 {
    let mut client = proxy.client(source);
    client.greet();
    client.say(&auth_plain(user)).code
}

/// One wrong password for each of the own accounts, all at once.
fn feign(proxy: &Proxy, episode: usize) {
    thread::scope(|scope| {
        for number in 0..OWN {
            scope.spawn(move || {
                let (name, _) = numbered(number.into());
                let password = format!("Feint{episode}of{number}many");
                log_in(proxy, loopback(70 + number, 1), User(&name, &password))
            });
        }
    });
}

/// The victim is guessed at from 40 addresses of their own network.
fn guess(proxy: &Proxy, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let host = u8::try_from(10 + number % 40).unwrap();
        let password = format!("Guess{number}of{number}many");
        let code = log_in(proxy, loopback(VICTIM, host), User(ANNA.0, &password));
        assert!([454, 535].contains(&code), "guess {number}: {code}");
    }
}

fn before(mail: &Mail) -> Setup {
    let setup = Setup::before(mail);
    let own: Vec<String> = (0..OWN).map(|number| numbered(number.into()).0).collect();
    let mut logins = vec![
        (ANNA.0, loopback(VICTIM, 1)),
        (BERT.0, loopback(VICTIM + 1, 1)),
    ];
    logins.extend((0..OWN).map(|number| {
        let name: &str = &own[usize::from(number)];
        (name, loopback(70 + number, 1))
    }));
    setup.learn_yesterdays(&logins);
    setup
}

#[test]
fn guesses_in_the_victims_network_are_charged_however_often_an_outage_is_feigned() {
    let mail = Mail::start();
    let proxy = before(&mail).start();
    for episode in 0..EPISODES {
        feign(&proxy, episode);
        let each = GUESSES / EPISODES;
        guess(&proxy, episode * each..(episode + 1) * each);
        // A success of the attacker's own: the next feint begins anew.
        let (name, password) = numbered(0);
        assert_eq!(log_in(&proxy, loopback(70, 1), User(&name, &password)), 235);
    }
    let checks = mail.password_checks();
    let guessed = checks.iter().filter(|check| check.user == ANNA.0).count();
    assert!(
        guessed <= MOST,
        "{guessed} of {GUESSES} guesses at one user reached Dovecot"
    );
}

#[test]
fn while_an_outage_is_feigned_everybody_else_logs_in_at_once() {
    let mail = Mail::start();
    let proxy = before(&mail).start();
    feign(&proxy, 0);
    let outage = |event: &Event| event.message().starts_with("backend outage");
    proxy.log().find("that it is suspected", outage);
    assert_eq!(log_in(&proxy, loopback(VICTIM + 1, 1), BERT), 235);
    feign(&proxy, 1);
    assert_eq!(log_in(&proxy, loopback(95, 1), BERT), 235, "from far away");
}

#[test]
fn while_an_outage_is_feigned_the_time_of_an_answer_tells_nothing_either() {
    let mail = Mail::start();
    let proxy = before(&mail).with("timeouts.failure-delay", "2s").start();
    feign(&proxy, 0);
    let mut far = proxy.client(loopback(96, 1));
    far.greet();
    far.expect(&auth_plain(User(ANNA.0, "Zwiebelkuchenfest")), 454);
    far.expect("QUIT", 221);
    let attempts = proxy.log().events(|event| event.message() == "attempt");
    let last = attempts.last().expect("an attempt");
    assert_eq!(last.field("reason"), "backend-outage", "Postfix was asked");
    let ms = lasted(&proxy, &far);
    assert!(ms >= 2_000, "{ms} ms");
}
