//! stalled_handshakes - many clients begin a handshake and send nothing more; others are served meanwhile
//!
//! Where there is one place for computing, a place that is held while a client is waited for holds up everybody
//! until the handshakes of those clients end at their deadline. So the order tells: who is served is served while
//! all of them are still there.
//! Not here: which handshake is computed first (the unit tests of `net::tls::computing`), how long it takes (`benches`).

use std::net::IpAddr;

use crate::kit::client::{Client, auth_plain, loopback};
use crate::kit::impostor::{Conduct, Impostor};
use crate::kit::mail::ANNA;
use crate::kit::proxy::{NAME, Proxy, Setup};

/// Enough to fill one place for longer than the deadline of 20 seconds, at a quarter of a second each.
const STALLED: u8 = 100;

/// Clients that send a ClientHello and no more: every other one with implicit TLS, the rest behind STARTTLS.
fn stall(proxy: &Proxy) -> Vec<Client> {
    let hello = proxy.trust().client_hello(NAME);
    let begin = |number: u8| {
        let source = loopback(100 + number, 1);
        let mut client = match number % 2 {
            0 => Client::connect(source, proxy.implicit()).unwrap(),
            _ => {
                let mut client = Client::connect(source, proxy.starttls()).unwrap();
                client.greet();
                client.expect("STARTTLS", 220);
                client
            }
        };
        client.send(&hello);
        client
    };
    (0..STALLED).map(begin).collect()
}

fn log_in(proxy: &Proxy, source: IpAddr) {
    let mut client = proxy.client(source);
    client.greet();
    client.expect(&auth_plain(ANNA), 235);
    let mut client = proxy.starttls_client(source);
    client.expect("EHLO laptop.example.net", 250);
    client.expect(&auth_plain(ANNA), 235);
}

fn handshakes_without_a_place(proxy: &Proxy) -> Option<u64> {
    proxy.status()["limits"]["handshakes"].as_u64()
}

#[test]
fn clients_that_begin_tls_and_stop_hold_up_neither_users_nor_strangers() {
    let impostor = Impostor::start(Conduct::Honest);
    let proxy = Setup::new(&impostor.address().to_string())
        .with("upstream.announce", "none")
        .with("admission.handshakes", 1)
        .with("timeouts.handshake", "20s")
        .start();
    let (user, stranger) = (loopback(40, 1), loopback(41, 1));
    log_in(&proxy, user);
    let mut stalled = stall(&proxy);
    log_in(&proxy, user);
    log_in(&proxy, stranger);
    let still_there = stalled
        .iter_mut()
        .filter_map(|client| client.is_open().then_some(()));
    assert_eq!(
        still_there.count(),
        usize::from(STALLED),
        "they were waited for first"
    );
    assert_eq!(handshakes_without_a_place(&proxy), Some(0));
}
