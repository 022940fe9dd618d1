//! names_by_time - real and invented names, told apart by how long the answer takes
//!
//! A check of a real name takes longer than one of an invented name. Here it takes two seconds, so that the
//! difference is beyond doubt; the answer comes at the same distance from the question all the same.

use rustix::process::Signal;

use crate::kit::client::{Client, auth_plain, loopback};
use crate::kit::mail::{ANNA, BERT, Mail, User};
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::wait;

/// How long the session of a client lasted, in milliseconds.
pub(super) fn lasted(proxy: &Proxy, client: &Client) -> u64 {
    let address = client.address().to_string();
    let end = proxy.log().find("the end of the session", |event| {
        event.message() == "session" && event.field("client") == address
    });
    end.field("ms").parse().expect("a number")
}

/// How far apart a quick check and one of two seconds are answered, in milliseconds.
fn distance(mail: &Mail, proxy: &Proxy, host: u8) -> u64 {
    let wrong = |User(name, _): User<'static>| {
        let password = format!("Zwiebelkuchenfest{host}");
        auth_plain(User(name, &password))
    };
    let mut quick = proxy.client(loopback(51, host));
    quick.greet();
    quick.expect(&wrong(BERT), 535);
    quick.expect("QUIT", 221);

    let mut slow = proxy.client(loopback(52, host));
    slow.greet();
    mail.suspend_dovecot(Signal::STOP);
    slow.send(format!("{}\r\n", wrong(ANNA)).as_bytes());
    let mut rounds = 0;
    wait::until("Dovecot has thought for two seconds", || {
        rounds += 1;
        rounds > 200
    });
    mail.suspend_dovecot(Signal::CONT);
    assert_eq!(slow.reply().code, 535);
    slow.expect("QUIT", 221);

    let (quick, slow) = (lasted(proxy, &quick), lasted(proxy, &slow));
    assert!(quick >= 5_000 && slow >= 5_000, "{quick} ms, {slow} ms");
    // On a slow machine one of them may be answered a whole delay later.
    let over = quick.abs_diff(slow) % 5_000;
    over.min(5_000 - over)
}

#[test]
fn a_slow_check_is_answered_when_a_quick_one_is() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail)
        .with("timeouts.failure-delay", "5s")
        .start();
    // The sessions are longer where a machine stands still: one pair of some must be as it should.
    let mut distances = Vec::new();
    let is_fixed = (1..=3).any(|host| {
        distances.push(distance(&mail, &proxy, host));
        distances.last() < Some(&1_500)
    });
    assert!(is_fixed, "{distances:?} ms");
}

#[test]
fn what_the_clients_own_bucket_refuses_comes_as_late() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail)
        .with("timeouts.failure-delay", "2s")
        .with("limits.client.burst", 2)
        .start();
    let mut refused = proxy.client(loopback(53, 1));
    refused.greet();
    let mut told = Vec::new();
    while told.last() != Some(&454) && told.len() < 5 {
        let user = format!("nobody{}", told.len());
        let reply = refused.say(&auth_plain(User(&user, "Zwiebelkuchenfest")));
        told.push(reply.code);
    }
    refused.expect("QUIT", 221);
    let attempts = proxy.log().events(|event| event.message() == "attempt");
    let last = attempts.last().expect("an attempt");
    assert_eq!(last.field("reason"), "client");
    let ms = lasted(&proxy, &refused);
    let least = told.len() as u64 * 2_000;
    assert!(ms >= least, "{ms} ms for {told:?}");
}
