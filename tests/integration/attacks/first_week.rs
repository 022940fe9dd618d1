//! first_week - a botnet while settling in: whose first login waits for it, and what it may try
//!
//! Every guess comes from an address and a network that was never seen before. Asserted are counts and orders,
//! never times. Not here: days of it (`simulate`), the rules one by one (the core's tests).

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::Over;
use crate::kit::client::{Client, auth_plain};
use crate::kit::mail::{ANNA, Mail, User, numbered};
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::wait;

const BOTS: usize = 60;
/// So many addresses there are, each of them used once.
const MOST_GUESSES: usize = 40_000;

fn before(mail: &Mail) -> Proxy {
    Setup::before(mail)
        .with("settling", "7d")
        .with("timeouts.line", "10m")
        .with("timeouts.login", "10m")
        .start()
}

fn log_in(proxy: &Proxy, source: IpAddr, user: User<'_>) -> Option<u16> {
    let mut client = proxy.try_client(source).ok()?;
    client.try_reply().ok()?;
    client.try_say("EHLO laptop.example.net").ok()?;
    Some(client.try_say(&auth_plain(user)).ok()?.code)
}

/// The `n`th address of the botnet.
fn bot(n: usize) -> IpAddr {
    let octet = |value: usize| u8::try_from(value).expect("few addresses");
    Ipv4Addr::new(127, octet(60 + n / 250), octet(n % 250), 1).into()
}

fn wrong(mail: &Mail) -> usize {
    let checks = mail.password_checks_so_far();
    checks.iter().filter(|check| !check.right).count()
}

/// Two connections from the homes of eight users: made before, for the handshakes of a botnet take their time, too.
fn honest_clients(proxy: &Proxy) -> Vec<[Client; 2]> {
    let homes = (0..8).map(|number| Ipv4Addr::new(127, 30, number, 1).into());
    homes
        .map(|home| {
            [0, 1].map(|_| {
                let mut client = proxy.client(home);
                client.greet();
                client
            })
        })
        .collect()
}

#[test]
fn first_logins_beside_a_botnet_are_in_at_the_second_try_and_do_not_wait_for_all_of_it() {
    let mail = Mail::start();
    let proxy = before(&mail);
    let (over, next) = (AtomicBool::new(false), AtomicUsize::new(0));
    let over = &over;
    let mut honest = honest_clients(&proxy);
    thread::scope(|scope| {
        for _ in 0..BOTS {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= MOST_GUESSES {
                        break;
                    }
                    let (name, password) = (numbered(n % 40).0, format!("Guess{n}of{n}many"));
                    log_in(&proxy, bot(n), User(&name, &password));
                }
            });
        }
        let _over = Over(over);
        // More than any bucket of strangers holds for names that nobody knows yet.
        wait::until("the botnet is at it", || wrong(&mail) > 24);
        let mut waited_for = Vec::new();
        for (number, clients) in honest.iter_mut().enumerate() {
            let (name, password) = numbered(number);
            let login = auth_plain(User(&name, &password));
            let (mut overtaken, mut codes) = (0, Vec::new());
            for client in clients {
                let before = wrong(&mail);
                let code = client.say(&login).code;
                if code == 235 {
                    // An answer that is no acceptance is held back for longer than the attempt waits.
                    overtaken = wrong(&mail) - before;
                    break;
                }
                codes.push(code);
            }
            assert!(codes.len() < 2, "{name}: {codes:?}");
            waited_for.push(overtaken);
        }
        // Served in the order of arrival, each would wait for every bot. Guesses that no bucket refuses are served so.
        let most = waited_for.len() * BOTS / 2;
        assert!(
            waited_for.iter().sum::<usize>() <= most,
            "they waited for {waited_for:?} guesses"
        );
    });
}

#[test]
fn of_three_hundred_guesses_at_one_user_in_the_first_week_thirty_reach_dovecot() {
    const GUESSES: usize = 300;
    const WORKERS: usize = 8;
    /// Ten of the bucket `user`, twenty of `settling-user`, and one that may come back.
    const MOST: usize = 10 + 20 + 1;
    let mail = Mail::start();
    let proxy = before(&mail);
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            let proxy = &proxy;
            scope.spawn(move || {
                for n in (worker..GUESSES).step_by(WORKERS) {
                    let password = format!("Guess{n}of{n}many");
                    // Refused, it is tried once more.
                    if log_in(proxy, bot(n), User(ANNA.0, &password)) == Some(454) {
                        log_in(proxy, bot(n), User(ANNA.0, &password));
                    }
                }
            });
        }
    });
    let checks = mail.password_checks();
    let guessed = checks.iter().filter(|check| check.user == ANNA.0).count();
    assert!(guessed <= MOST, "{guessed} of {GUESSES} reached Dovecot");
}
