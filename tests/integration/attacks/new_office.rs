//! new_office - an office of 300 moves behind a new address, one login in ten mistyped, beside a botnet of 2,000
//!
//! The whole office shares one address in which nobody has logged in before, and the botnet has emptied what
//! strangers share. Asserted are counts in Dovecot's log and replies, never times; how long it took until each was in is
//! shown with `--nocapture`. Not here: days of it (`simulate`).

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::kit::client::auth_plain;
use crate::kit::mail::{CROWD, Mail, User, numbered};
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::wait;

const OFFICE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 77, 7, 7));
const BOTS: usize = 2_000;
const WORKERS: usize = 8;
/// Guesses before the office opens: enough to empty what all with names that nobody knows share.
const BEFORE: usize = 150;
/// Guesses at most; the botnet goes on as long as the office logs in.
const MOST: usize = 100_000;

/// The `n`th address of the botnet.
fn bot(n: usize) -> IpAddr {
    let octet = |value: usize| u8::try_from(value).expect("few addresses");
    let n = n % BOTS;
    Ipv4Addr::new(127, octet(100 + n / 250), octet(n % 250), 1).into()
}

/// The code that a login gets; none: it was not admitted.
fn log_in(proxy: &Proxy, source: IpAddr, user: User<'_>) -> Option<u16> {
    let mut client = proxy.try_client(source).ok()?;
    client.try_reply().ok()?;
    client.try_say("EHLO laptop.example.net").ok()?;
    Some(client.try_say(&auth_plain(user)).ok()?.code)
}

/// One guess of the botnet: at a third of them names that exist, mostly with common passwords.
fn guess(proxy: &Proxy, n: usize) {
    let name = match n % 3 {
        0 => numbered(n % CROWD).0,
        _ => format!("ghost{n}@example.org"),
    };
    let password = match n % 5 {
        0..3 => "Sommer2024".to_owned(),
        _ => format!("Guess{n}of{n}many"),
    };
    log_in(proxy, bot(n), User(&name, &password));
}

/// A first login, mistyped before by one in ten; how often it was refused, and how long it took with the typing
/// error. Nobody gives up before the fifth try.
#[expect(clippy::disallowed_methods, reason = "shown, and never asserted")]
fn first_login(proxy: &Proxy, number: usize) -> (usize, Duration) {
    let (name, password) = numbered(number);
    let began = Instant::now();
    if number.is_multiple_of(10) {
        log_in(proxy, OFFICE, User(&name, &format!("mistyped{number}")));
    }
    let mut codes = (0..5).map(|_| log_in(proxy, OFFICE, User(&name, &password)));
    let refused = codes.position(|code| code == Some(235)).unwrap_or(5);
    (refused, began.elapsed())
}

/// The botnet goes on until the office has logged in; how often each was refused, and how long it took.
fn office_beside_a_botnet(proxy: &Proxy) -> Vec<(usize, Duration)> {
    let (over, next) = (AtomicBool::new(false), AtomicUsize::new(0));
    let logins = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    match next.fetch_add(1, Ordering::Relaxed) {
                        n if n < MOST => guess(proxy, n),
                        _ => break,
                    }
                }
            });
        }
        wait::until("the botnet is at it", || {
            next.load(Ordering::Relaxed) > BEFORE
        });
        let office: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let logins = &logins;
                scope.spawn(move || {
                    for number in (worker..CROWD).step_by(WORKERS) {
                        let login = first_login(proxy, number);
                        logins.lock().expect("no panic").push(login);
                    }
                })
            })
            .collect();
        for worker in office {
            worker.join().expect("the office logs in");
        }
        over.store(true, Ordering::Relaxed);
    });
    logins.into_inner().expect("no panic")
}

#[test]
fn three_hundred_first_logins_behind_a_new_address_pass_beside_a_botnet() {
    let mail = Mail::start();
    let names: String = (0..CROWD).map(|n| numbered(n).0 + "\n").collect();
    let setup = Setup::before(&mail).with("settling", "0s");
    let users = setup.write("users", &names);
    let proxy = setup.with("users", users.display().to_string()).start();
    let logins = office_beside_a_botnet(&proxy);
    let (refused, mut until_in): (Vec<usize>, Vec<Duration>) = logins.into_iter().unzip();
    until_in.sort();
    let part = |percent: usize| until_in.get(until_in.len() * percent / 100);
    println!("until in: p50 {:?}, p99 {:?}", part(50), part(99));
    let at_first = refused.iter().filter(|times| **times > 0).count();
    assert_eq!(refused.iter().filter(|times| **times == 5).count(), 0);
    assert!(
        at_first <= CROWD / 100,
        "{at_first} of {CROWD} first logins were refused"
    );
    let checks = mail.password_checks();
    let right = checks.iter().filter(|check| check.right);
    let users: HashSet<&str> = right.map(|check| check.user.as_str()).collect();
    assert_eq!(users.len(), CROWD);
}
