//! session_reloads - a hundred reloads under load: no session is lost, and what they took is given back
//!
//! Not here: what a reload changes (`session`), hours of load (`soak`).

use std::fs;
use std::thread;

use crate::kit::client::{Client, auth_plain, loopback};
use crate::kit::mail::{ANNA, BERT, Mail, User};
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::wait;

const RELOADS: usize = 100;
/// Before the first measurement: what is made once is made then.
const WARM_UP: usize = 10;
const SENDERS: u8 = 3;
const HELD: u8 = 8;
/// Of memory that an allocator keeps for the next reload.
const SLACK_KIB: u64 = 8 << 10;

const TEXT: &str = "Subject: over reloads\r\n\r\nwhole\r\n";

fn logged_in(proxy: &Proxy, host: u8, user: User<'_>) -> Client {
    let mut client = proxy.client(loopback(94, host));
    client.greet();
    client.expect(&auth_plain(user), 235);
    client
}

fn reload(proxy: &Proxy, times: usize) {
    proxy.reload();
    wait::until("it is reloaded", || {
        let reloaded = proxy.log().events(|event| event.message() == "reloaded");
        reloaded.len() >= times
    });
}

fn descriptors(proxy: &Proxy) -> usize {
    let open = fs::read_dir(format!("/proc/{}/fd", proxy.id()));
    open.expect("it runs").count()
}

/// Whether the history's file is open: it is opened at its first record.
fn has_history(proxy: &Proxy) -> bool {
    let open = fs::read_dir(format!("/proc/{}/fd", proxy.id())).expect("it runs");
    let mut files = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    files.any(|file| file.ends_with("history.db"))
}

/// A mail, each of whose steps fails the test if it fails.
fn send(proxy: &Proxy, host: u8) {
    let mut client = logged_in(proxy, host, ANNA);
    client.submit(ANNA.0, TEXT);
    client.expect("QUIT", 221);
}

#[test]
fn a_hundred_reloads_under_load_lose_no_session_and_keep_nothing() {
    let mail = Mail::start();
    // So many sessions that no reload warns of open files: the log has room for a hundred lines about reloads at once.
    let proxy = Setup::before(&mail)
        .with("admission.sessions", 1_000)
        .start();
    let mut held: Vec<Client> = (0..HELD)
        .map(|host| logged_in(&proxy, host + 1, BERT))
        .collect();
    for client in &mut held {
        client.expect("MAIL FROM:<bert@example.org>", 250);
    }
    let mut before = (0, 0);
    for times in 1..=RELOADS {
        if times == WARM_UP {
            wait::until("the history is open", || has_history(&proxy));
            before = (descriptors(&proxy), proxy.resident_kib());
        }
        thread::scope(|scope| {
            for sender in 0..SENDERS {
                let proxy = &proxy;
                scope.spawn(move || send(proxy, 100 + sender));
            }
            reload(&proxy, times);
        });
    }
    wait::until("the descriptors are as before", || {
        descriptors(&proxy) <= before.0
    });
    let resident = proxy.resident_kib();
    assert!(
        resident < before.1 + SLACK_KIB,
        "{} KiB, and {resident} after {RELOADS} reloads",
        before.1
    );
    for client in &mut held {
        client.expect("RCPT TO:<anna@example.org>", 250);
        client.expect("DATA", 354);
        client.expect(&format!("{TEXT}."), 250);
        client.expect("QUIT", 221);
    }
    let sent = usize::from(HELD) + RELOADS * usize::from(SENDERS);
    assert_eq!(mail.queue().len(), sent);
}
