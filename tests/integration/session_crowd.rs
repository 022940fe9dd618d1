//! session_crowd - more clients than there is room for
//!
//! Not here: the caps' arithmetic (`net::admission`), Postfix's part in it (`postfix::guesses`).

use crate::kit::client::{Client, auth_plain, loopback};
use crate::kit::mail::{ANNA, Mail};
use crate::kit::proxy::{Proxy, Setup};

fn let_in(proxy: &Proxy, net: u8, host: u8) -> bool {
    let client = proxy.try_client(loopback(net, host));
    client.is_ok_and(|mut client| client.try_reply().is_ok())
}

#[test]
fn one_client_holds_no_more_strange_sessions_than_it_may_and_its_oldest_gives_way() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).with("admission.per-client", 3).start();
    let mut held: Vec<Client> = (0..3).map(|_| proxy.client(loopback(23, 1))).collect();
    for client in &mut held {
        client.greet();
    }
    let mut fourth = proxy.client(loopback(23, 1));
    fourth.greet();
    assert_eq!(held.remove(0).reply().code, 421);
    assert!(let_in(&proxy, 23, 2));
    for client in held.iter_mut().chain([&mut fourth]) {
        client.expect("NOOP", 250);
    }
}

#[test]
fn one_network_holds_no_more_strange_sessions_than_it_may_and_its_oldest_gives_way() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail)
        .with("admission.per-network", 3)
        .start();
    let mut held: Vec<Client> = (1..4)
        .map(|host| proxy.client(loopback(23, host)))
        .collect();
    for client in &mut held {
        client.greet();
    }
    let mut fourth = proxy.client(loopback(23, 4));
    fourth.greet();
    assert_eq!(held.remove(0).reply().code, 421);
    assert!(let_in(&proxy, 24, 1));
    for client in held.iter_mut().chain([&mut fourth]) {
        client.expect("NOOP", 250);
    }
}

#[test]
fn who_connects_too_often_is_reset_before_tls() {
    let mail = Mail::start();
    let connects = toml::toml! {
        burst = 5
        every = "1h"
    };
    let proxy = Setup::before(&mail)
        .with("admission.connects", connects)
        .start();
    let let_in_again = (0..10).filter(|_| let_in(&proxy, 25, 1)).count();
    assert_eq!(let_in_again, 5);
    assert!(let_in(&proxy, 25, 2));
}

#[test]
fn when_all_places_are_taken_the_oldest_stranger_goes_and_users_stay() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).with("admission.sessions", 12).start();
    let mut user = proxy.client(loopback(26, 1));
    user.greet();
    user.expect(&auth_plain(ANNA), 235);
    let mut strangers: Vec<Client> = (0..24)
        .map(|net| {
            let mut stranger = proxy.client(loopback(30 + net, 1));
            stranger.greet();
            stranger
        })
        .collect();
    // The first came before everybody else, and has not logged in.
    assert!(strangers[0].rest().is_ok());
    strangers.pop().unwrap().expect("NOOP", 250);
    user.expect("NOOP", 250);
    // And who has logged in from there before is let in however full it is.
    assert!(let_in(&proxy, 26, 1));
}
