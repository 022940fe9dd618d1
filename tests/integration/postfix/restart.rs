//! restart - what the gate knew before it was stopped, or killed, it knows after
//!
//! Not here: every instant of a crash (`store`), damaged files (`store`).

use crate::kit::client::loopback;
use crate::kit::mail::{ANNA, BERT, Mail, User};
use crate::kit::proxy::{Proxy, Setup};

fn log_in(proxy: &Proxy, net: u8, user: User<'_>) -> Option<u16> {
    let mut client = proxy.try_client(loopback(net, 1)).ok()?;
    Some(client.try_log_in(user).ok()?.code)
}

fn guess(proxy: &Proxy, net: u8, number: usize) -> Option<u16> {
    let password = format!("Guess{number}of{number}many");
    log_in(proxy, net, User(ANNA.0, &password))
}

fn banned(proxy: &Proxy, net: u8) {
    let turned_away = (0..100).any(|number| guess(proxy, net, number).is_none());
    assert!(turned_away, "a hundred guesses, and no ban");
    proxy
        .log()
        .find("the ban", |event| event.message() == "ban began");
}

#[test]
fn a_ban_outlives_a_restart_and_a_kill() {
    let mail = Mail::start();
    let mut proxy = Setup::before(&mail).with("bans.strikes", 3).start();
    assert_eq!(log_in(&proxy, 57, BERT), Some(235));
    banned(&proxy, 55);
    proxy.restart();
    assert_eq!(log_in(&proxy, 55, ANNA), None, "after a restart");

    banned(&proxy, 56);
    proxy.kill_and_start();
    for net in [55, 56] {
        assert_eq!(log_in(&proxy, net, ANNA), None, "after kill -9");
    }
    assert_eq!(log_in(&proxy, 57, BERT), Some(235));
}

#[test]
fn what_shared_buckets_have_given_out_outlives_a_kill() {
    let mail = Mail::start();
    let setup = Setup::before(&mail).with("limits.unknown.burst", 3);
    let mut proxy = setup.with("users", "").start();
    let unknown = |proxy: &Proxy, net: u8| {
        let (name, password) = (format!("who{net}"), format!("Guess{net}of{net}many"));
        log_in(proxy, net, User(&name, &password))
    };
    for net in 60..63 {
        assert_eq!(unknown(&proxy, net), Some(535));
    }
    assert_eq!(unknown(&proxy, 63), Some(454));
    proxy.kill_and_start();
    assert_eq!(unknown(&proxy, 64), Some(454));
    assert_eq!(mail.password_checks().len(), 3);
}

#[test]
fn who_was_familiar_is_familiar_after_a_restart() {
    let mail = Mail::start();
    // Each stranger's only token is one of those that all strangers share.
    let setup = Setup::before(&mail).with("limits.strangers.burst", 1);
    let mut proxy = setup.with("limits.unknown.burst", 1).start();
    assert_eq!(log_in(&proxy, 65, ANNA), Some(235));
    assert_eq!(log_in(&proxy, 66, BERT), Some(235));
    proxy.restart();
    for number in 0..4 {
        guess(&proxy, 67 + u8::try_from(number).expect("few"), number);
    }
    assert_eq!(log_in(&proxy, 75, BERT), Some(454), "far from home");
    assert_eq!(log_in(&proxy, 65, ANNA), Some(235));
    assert_eq!(log_in(&proxy, 66, BERT), Some(235));
}

#[test]
fn a_debt_outlives_a_restart() {
    let mail = Mail::start();
    let setup = Setup::before(&mail).with("limits.client.burst", 2);
    let mut proxy = setup.with("bans.strikes", 0).start();
    assert_eq!(guess(&proxy, 80, 1), Some(535));
    assert_eq!(guess(&proxy, 80, 2), Some(535));
    proxy.restart();
    assert_eq!(log_in(&proxy, 80, ANNA), Some(421));
    assert_eq!(mail.password_checks().len(), 2);
}
