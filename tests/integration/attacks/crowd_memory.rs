//! crowd_memory - a crowd of connections comes and goes; the memory that it took goes with it
//!
//! Not here: how many may come (`session_crowd`), what the tables of the gate take (bounded by their capacity).

use std::net::IpAddr;

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::kit::client::{Client, loopback};
use crate::kit::impostor::{Conduct, Impostor};
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::wait;

/// How many say nothing, where the limit on open files allows it.
const CROWD: u64 = 6_000;

/// Of ten, how many more complete TLS before they say nothing.
const SECURED: usize = 2;

/// The crowd for which this process and Gatepost may open files.
fn crowd() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("raise our own limit to the hard one");
    let crowd = limit.maximum.map_or(CROWD, |most| CROWD.min(most / 3));
    assert!(crowd >= 1_000, "too few open files for a crowd: {limit:?}");
    usize::try_from(crowd).unwrap()
}

/// 20 of each client, 100 of each network.
fn source(number: usize) -> IpAddr {
    let host = u8::try_from(number / 20 % 5).unwrap();
    loopback(u8::try_from(number / 100).unwrap(), 10 + host)
}

fn silent(proxy: &Proxy, crowd: usize) -> Vec<Client> {
    let server = proxy.implicit();
    let connect = |number| Client::connect(source(number), server).unwrap();
    (0..crowd).map(connect).collect()
}

/// Handshakes whose clients then say nothing.
fn secured(proxy: &Proxy, crowd: usize) -> Vec<Client> {
    let secure = |number: usize| {
        let mut client = proxy.client(source(number));
        assert_eq!(client.reply().code, 220);
        client
    };
    (0..crowd).map(secure).collect()
}

fn wait_for_sessions(proxy: &Proxy, count: usize) {
    wait::until("all of the crowd are there, or gone", || {
        proxy.status()["sessions"].as_u64() == Some(count as u64)
    });
}

#[test]
fn the_memory_that_a_crowd_took_is_given_back() {
    let impostor = Impostor::start(Conduct::Honest);
    let crowd = crowd();
    let proxy = Setup::new(&impostor.address().to_string())
        .with("upstream.announce", "none")
        .with("admission.sessions", 20_000)
        .with("timeouts.handshake", "5m")
        .start();
    // What every process takes once.
    drop(secured(&proxy, 10));
    wait_for_sessions(&proxy, 0);
    let before = proxy.resident_kib();
    let held = silent(&proxy, crowd);
    wait_for_sessions(&proxy, crowd);
    let with_silent = proxy.resident_kib();
    let each = with_silent.saturating_sub(before) * 1_024 / held.len() as u64;
    drop(held);
    wait_for_sessions(&proxy, 0);
    let held = secured(&proxy, crowd * SECURED / 10);
    drop(held);
    // With what the crowd took it is nearly one and a half times as much.
    wait::until("at most 1.3 times the memory of before", || {
        proxy.resident_kib() * 10 <= before * 13
    });
    assert!(
        each <= 3_000,
        "a connection that said nothing takes {each} octets"
    );
}
