//! swarm - two thousand addresses that guess, and what Dovecot counts
//!
//! With the defaults, each address in a network of its own, as a botnet comes. What the shared
//! buckets hold is all that it gets, whatever it tries. Not here: months of it (`gate`, simulated).

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::kit::mail::{Mail, NUMBERED, User, numbered};
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::siege::{ADDRESSES, REFILL, STRANGERS, UNKNOWN, WORDS, attacker, home};

/// Many more than may be at Postfix at once.
const WORKERS: usize = 24;
/// Four strangers, one at home and the probe, and as many that are just going.
const PROCESSES: usize = 14;

/// One guess of each kind: half unique passwords, a quarter words, a quarter unknown names.
fn guess(number: usize) -> (String, String) {
    let (user, _) = numbered(number % NUMBERED);
    match number % 4 {
        0 | 1 => (user, format!("Zx{number}unique{}q", number * 31)),
        2 => (
            user,
            ["password", "123456", "qwerty", "Summer2026!"][number / 4 % 4].to_owned(),
        ),
        _ => (
            format!("nobody{number}@example.org"),
            format!("Zx{number}other{number}q"),
        ),
    }
}

fn log_in(proxy: &Proxy, source: IpAddr, user: &str, password: &str) -> Option<u16> {
    proxy.log_in(source, User(user, password))
}

fn at_home(proxy: &Proxy, number: usize) {
    let (user, password) = numbered(number);
    let code = log_in(proxy, home(number), &user, &password);
    assert_eq!(code, Some(235), "{user} at home");
}

/// The whole attack, with honest logins for as long as it lasts; gives each guess's reply.
fn attack(mail: &Mail, proxy: &Proxy) -> Vec<Option<u16>> {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let honest = scope.spawn(|| {
            // No more from one home than admission takes at once.
            for number in 0..NUMBERED * 50 {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                at_home(proxy, number % NUMBERED);
                let processes = mail.smtpd_processes();
                assert!(processes <= PROCESSES, "{processes} smtpd processes");
            }
        });
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                scope.spawn(move || {
                    let numbers = (worker..ADDRESSES).step_by(WORKERS);
                    numbers
                        .map(|number| {
                            let (user, password) = guess(number);
                            log_in(proxy, attacker(number), &user, &password)
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        let replies = workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap())
            .collect();
        over.store(true, Ordering::Relaxed);
        honest.join().unwrap();
        replies
    })
}

#[test]
fn two_thousand_addresses_get_what_the_shared_buckets_hold_and_every_user_logs_in_meanwhile() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    (0..NUMBERED).for_each(|number| at_home(&proxy, number));
    let replies = attack(&mail, &proxy);

    let wrong = mail
        .password_checks()
        .into_iter()
        .filter(|check| !check.right);
    let (unknown, known): (Vec<_>, Vec<_>) =
        wrong.partition(|check| check.user.starts_with("nobody"));
    let expected = STRANGERS + WORDS;
    assert!(
        (expected..=expected + REFILL).contains(&known.len()),
        "{} guesses at users reached Dovecot, the buckets hold {expected}",
        known.len()
    );
    assert!(
        (UNKNOWN..=UNKNOWN + REFILL).contains(&unknown.len()),
        "{} guesses at unknown names reached Dovecot, the bucket holds {UNKNOWN}",
        unknown.len()
    );

    // The gate's own account is the same, and everybody else was told to wait.
    let rejected = proxy.logged(|event| event.field("verdict") == "reject");
    assert_eq!(rejected.len(), known.len() + unknown.len());
    let told = |code: u16| replies.iter().filter(|reply| **reply == Some(code)).count();
    // From when the bucket of unknown names is empty, a wrong password looks like a refusal.
    assert!((1..=rejected.len()).contains(&told(535)));
    assert_eq!(told(454), ADDRESSES - told(535));
    (0..NUMBERED).for_each(|number| at_home(&proxy, number));
}
