//! one_account - the holder of valid accounts, who logs in until Postfix has no process left
//!
//! Postfix and Gatepost with their defaults: 100 processes. The accounts' own sessions may be refused; a user
//! who holds none is served. What happens over minutes is in the registry's own tests, on a clock of theirs.

use super::{is_open, log_in};
use crate::kit::client::Client;
use crate::kit::mail::{ANNA, BERT, CARLA, Mail, User, numbered};
use crate::kit::proxy::{Proxy, Setup};

/// Logs in with each of `accounts` in turn, until there were this many logins; the sessions that it got.
fn hold(proxy: &Proxy, accounts: usize, logins: usize) -> Vec<Client> {
    let accounts: Vec<_> = (0..accounts).map(numbered).collect();
    let names = accounts.iter().cycle().zip(0..logins);
    let sessions = names.filter_map(|((name, password), login)| {
        // Some 40 connections an address: no limit on addresses is met.
        let place = (40 + u8::try_from(login / 40).unwrap(), 1);
        log_in(proxy, place, User(name, password)).ok()
    });
    sessions.collect()
}

#[track_caller]
fn everybody_else_is_served(proxy: &Proxy) {
    for (net, user) in [(60, ANNA), (61, BERT), (62, CARLA)] {
        let session = log_in(proxy, (net, 1), user);
        assert_eq!(session.err(), None, "{user:?} is shut out");
    }
}

#[test]
fn one_account_does_not_hold_all_of_postfix() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let mut sessions = hold(&proxy, 1, 110);
    everybody_else_is_served(&proxy);
    assert_eq!(sessions.len(), 20);
    assert!(sessions.iter_mut().all(is_open), "one that works was ended");
    let told = proxy.log().find("what the operator is told", |event| {
        event.message() == "no room"
    });
    assert_eq!(
        (told.level().as_str(), told.field("reason").as_str()),
        ("WARN", "per-user")
    );
    assert_eq!(told.field("user"), numbered(0).0);

    // A place that is left is free.
    drop(sessions.pop());
    let (name, password) = numbered(0);
    let again = crate::kit::wait::find("the place is free", || {
        log_in(&proxy, (70, 1), User(&name, &password)).ok()
    });
    drop(again);
}

#[test]
fn five_accounts_do_not_hold_all_of_postfix_either() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let sessions = hold(&proxy, 5, 125);
    everybody_else_is_served(&proxy);
    assert!(sessions.len() >= 60, "{}", sessions.len());
}
