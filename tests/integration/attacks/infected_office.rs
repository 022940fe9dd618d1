//! infected_office - one machine behind an office's address opens connections, and its colleagues log in
//!
//! Behind one address stand a whole office, or a carrier's customers; nothing before the login tells them
//! apart. "One infected PC does not lock out the office": idle connections, connections that end at once,
//! whole handshakes, and all of that from ten addresses of the network.
//! Not here: one machine that guesses (`postfix::guesses`), crowds of strangers (`session_crowd`).

use std::net::{IpAddr, SocketAddr, TcpStream};

use socket2::{Domain, Socket, Type};

use crate::kit::client::{Client, auth_plain, loopback};
use crate::kit::mail::{ANNA, BERT, Mail};
use crate::kit::proxy::{Proxy, Setup};

/// The office's address, and others of its network.
fn office() -> IpAddr {
    loopback(41, 1)
}

/// An office in which one user has logged in, in front of the real Postfix.
fn familiar_office() -> (Mail, Proxy) {
    let mail = Mail::start();
    // Strangers and reserve as by default; only the total is what the machine's open files allow.
    let proxy = Setup::before(&mail)
        .with("admission.sessions", 4000)
        .start();
    log_in(&proxy);
    (mail, proxy)
}

/// A colleague logs in from the office and leaves.
#[track_caller]
fn log_in(proxy: &Proxy) {
    let mut colleague = proxy.try_client(office()).expect("the colleague is let in");
    colleague.greet();
    colleague.expect(&auth_plain(ANNA), 235);
    colleague.expect("QUIT", 221);
}

fn connect(source: IpAddr, server: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(source, 0).into()).unwrap();
    socket.connect(&server.into()).unwrap();
    socket.into()
}

#[test]
fn idle_connections_of_one_machine_keep_no_colleague_out() {
    let (_mail, proxy) = familiar_office();
    let mut idle = Vec::new();
    for round in 1..=7 {
        idle.extend((0..100).map(|_| connect(office(), proxy.implicit())));
        log_in(&proxy);
        assert_eq!(idle.len(), 100 * round);
    }
    // And from ten addresses of the network, as many as a network may hold, and more.
    for host in 2..12 {
        idle.extend((0..60).map(|_| connect(loopback(41, host), proxy.implicit())));
    }
    log_in(&proxy);
}

#[test]
fn idle_sessions_behind_the_handshake_keep_no_colleague_out() {
    let (_mail, proxy) = familiar_office();
    let greeted = || {
        let mut client = proxy.client(office());
        client.greet();
        client
    };
    let idle: Vec<Client> = (0..60).map(|_| greeted()).collect();
    log_in(&proxy);
    assert_eq!(idle.len(), 60);
}

#[test]
fn connections_that_end_at_once_keep_no_colleague_out() {
    let (_mail, proxy) = familiar_office();
    for _ in 0..5 {
        for _ in 0..600 {
            drop(connect(office(), proxy.implicit()));
        }
        log_in(&proxy);
    }
}

#[test]
fn whole_handshakes_at_once_keep_no_colleague_out() {
    let (_mail, proxy) = familiar_office();
    for _ in 0..3 {
        for _ in 0..100 {
            drop(proxy.client(office()));
        }
        log_in(&proxy);
    }
}

#[test]
fn dialogues_in_clear_count_as_handshakes_do() {
    let mail = Mail::start();
    let quota = toml::toml! {
        burst = 30
        every = "1h"
    };
    let mut setup = Setup::before(&mail);
    setup.set("admission.familiar-connects", quota);
    let proxy = setup.start();
    log_in(&proxy);
    let said = |words: &str| {
        let mut client = Client::connect(office(), proxy.starttls()).unwrap();
        // It is reset where the rate is used up.
        let banner = client.try_reply().ok()?;
        (banner.code == 220).then_some(())?;
        client.try_send(words.as_bytes()).ok()?;
        client.finish_sending();
        client.rest().ok()
    };
    // Who says nothing is none for the rate.
    assert!((0..40).all(|_| said("").is_some()));
    let served = (0..40).filter(|_| said("EHLO x.test\r\nNOOP\r\nQUIT\r\n").is_some());
    assert_eq!(served.count(), 30);
}

#[test]
fn logged_in_sessions_of_an_office_keep_no_colleague_out() {
    let (_mail, proxy) = familiar_office();
    let session = |number| {
        let mut client = proxy.client(office());
        client.greet();
        let user = if number % 2 == 0 { ANNA } else { BERT };
        client.expect(&auth_plain(user), 235);
        client
    };
    // More of them than one user, or one process limit, may hold would test another promise.
    let sessions: Vec<Client> = (0..12).map(session).collect();
    let idle: Vec<TcpStream> = (0..45)
        .map(|_| connect(office(), proxy.implicit()))
        .collect();
    log_in(&proxy);
    assert_eq!((sessions.len(), idle.len()), (12, 45));
}

#[test]
fn a_strangers_own_idle_connections_do_not_keep_it_out() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let idle: Vec<TcpStream> = (0..50)
        .map(|_| connect(office(), proxy.implicit()))
        .collect();
    log_in(&proxy);
    assert_eq!(idle.len(), 50);
}
