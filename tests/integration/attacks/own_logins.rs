//! own_logins - whose logins are right keeps no first login out, from however many networks they come
//!
//! A right password costs nothing, so somebody with three accounts, own or stolen, can log in without end: two of them make
//! networks in which somebody has logged in, and the third comes from those in a circle, from more than a user keeps, so that it
//! is a stranger in each. The promise: who logs in for the first time does not wait for all of it.
//! Not here: guesses (`first_week`), the sessions that such logins leave open (`one_account`).

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::{Over, log_in};
use crate::kit::client::auth_plain;
use crate::kit::mail::{Mail, Passwords, User};
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::wait;

/// A user keeps 32 networks.
const NETWORKS: usize = 64;
const AT_ONCE: usize = 24;

/// One of those that Dovecot knows there, and the password.
fn numbered(number: usize) -> (String, String) {
    (
        format!("herd{number}@example.org"),
        format!("Ahorn{number}blatt"),
    )
}

fn network(n: usize) -> (u8, u8) {
    (20 + u8::try_from(n % NETWORKS).expect("few networks"), 7)
}

/// Whether a login of this one of the numbered users is right, from there.
fn is_let_in(proxy: &Proxy, from: (u8, u8), number: usize) -> bool {
    let (name, password) = numbered(number);
    log_in(proxy, from, User(&name, &password)).is_ok()
}

#[test]
fn one_account_that_logs_in_from_ever_more_networks_keeps_no_first_login_out() {
    let mail = Mail::with_passwords(Passwords::Slow);
    let proxy = Setup::before(&mail).start();
    for number in 0..10 {
        let ran = proxy.setup.command(&["introduce", &numbered(number).0]);
        assert_eq!(ran.code, Some(0), "{}", ran.text);
    }
    thread::scope(|scope| {
        for n in 0..NETWORKS {
            let proxy = &proxy;
            // Two accounts, for each has its own limits.
            scope.spawn(move || {
                wait::until("somebody has logged in there", || {
                    is_let_in(proxy, network(n), n % 2)
                });
            });
        }
    });
    let (over, next, let_in) = (
        AtomicBool::new(false),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    thread::scope(|scope| {
        let _over = Over(&over);
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let is_in = is_let_in(&proxy, network(n), 2);
                    let_in.fetch_add(usize::from(is_in), Ordering::Relaxed);
                }
            });
        }
        wait::until("the account is at it", || {
            let_in.load(Ordering::Relaxed) > 12
        });
        for number in 3..10 {
            let (name, password) = numbered(number);
            let home = Ipv4Addr::new(127, 200, u8::try_from(number).expect("small"), 1);
            let mut client = proxy.client(IpAddr::from(home));
            client.greet();
            let reply = client.say(&auth_plain(User(&name, &password)));
            assert_eq!(reply.code, 235, "{name}: {reply:?}");
        }
    });
}
