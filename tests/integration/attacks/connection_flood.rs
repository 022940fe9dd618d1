//! connection_flood - strangers connect again as soon as they are reset, and users log in
//!
//! Each refusal is cheap, and 25,000 a second are not: Postfix and Dovecot need the time. Those who wait for their
//! reset come seldom; the loudest of those who do not are dropped by the listener filter, whatever they were
//! refused for, and never where somebody is familiar.
//! Not here: what a flood costs (the attack bench), banned clients in the filter (`session_filter`).

use std::io::{ErrorKind, Read};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use gatepost_daemon::clock::Clock;
use socket2::{Domain, Socket, Type};

use crate::kit::client::{auth_plain, loopback};
use crate::kit::mail::{ANNA, Mail};
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::wait;

/// A connection over loopback is there at once, or never.
const AT_ONCE: Duration = Duration::from_millis(500);

/// Longer than any refused connection is held.
const HANG: Duration = Duration::from_secs(60);

/// Connections of a client at the start that its rate does not refuse, by default.
const BURST: usize = 60;

fn connect(source: IpAddr, server: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(source, 0).into())?;
    socket.connect_timeout(&server.into(), AT_ONCE)?;
    Ok(socket.into())
}

/// Connects and waits for the end of the connection.
fn is_reset(source: IpAddr, server: SocketAddr) -> bool {
    let stream = connect(source, server);
    stream.is_ok_and(|mut stream| {
        stream.set_read_timeout(Some(HANG)).unwrap();
        let read = stream.read(&mut [0]);
        read.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
    })
}

/// Opens more than the rate of a client allows, as far as the kernel does not drop it meanwhile.
fn spend_the_rate(source: IpAddr, server: SocketAddr) -> Vec<TcpStream> {
    let opened = (0..4 * BURST).map_while(|_| connect(source, server).ok());
    opened.collect()
}

#[track_caller]
fn log_in(proxy: &Proxy, source: IpAddr) {
    let mut user = proxy.client(source);
    user.greet();
    user.expect(&auth_plain(ANNA), 235);
    user.expect("QUIT", 221);
}

#[test]
fn who_connects_again_after_each_reset_is_reset_a_few_times_a_second() {
    const ATTACKERS: usize = 8;
    const LOGINS: usize = 10;
    let mail = Mail::start();
    let mut setup = Setup::before(&mail);
    // Nothing of it comes back while the test runs.
    setup.set("admission.connects.burst", i64::try_from(BURST).unwrap());
    setup.set("admission.connects.every", "1h");
    let proxy = setup.start();
    let (server, attacker, home) = (proxy.implicit(), loopback(51, 1), loopback(52, 1));
    log_in(&proxy, home);
    let _spent = spend_the_rate(attacker, server);
    let (resets, logins) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let clock = Clock::start();
    let began = clock.now();
    thread::scope(|scope| {
        for _ in 0..ATTACKERS {
            scope.spawn(|| {
                while logins.load(Ordering::Relaxed) < LOGINS {
                    assert!(is_reset(attacker, server));
                    resets.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for _ in 0..LOGINS {
            log_in(&proxy, home);
            logins.fetch_add(1, Ordering::Relaxed);
        }
    });
    let tenths = usize::try_from(clock.now().since(began).as_millis() / 100).unwrap();
    let (resets, most) = (resets.into_inner(), ATTACKERS * (tenths + 1));
    assert!(
        resets <= most,
        "{resets} resets in {tenths} tenths of a second"
    );
}

#[test]
fn the_filter_takes_who_is_refused_for_its_rate_and_nobody_else() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).with("admission.filter", true).start();
    let (server, loud, other) = (proxy.implicit(), loopback(53, 1), loopback(54, 1));
    let dropped = |source| {
        let connected = connect(source, server);
        connected.is_err_and(|error| error.kind() == ErrorKind::TimedOut)
    };
    let told = || proxy.log().text().contains("CAP_NET_ADMIN");
    wait::until("the filter takes it, or cannot", || {
        drop(spend_the_rate(loud, server));
        dropped(loud) || told()
    });
    assert!(!dropped(other));
    log_in(&proxy, other);
}

#[test]
fn the_filter_never_takes_a_familiar_network() {
    let mail = Mail::start();
    let quota = toml::toml! {
        burst = 200
        every = "1h"
    };
    let mut setup = Setup::before(&mail).with("admission.filter", true);
    setup.set("admission.familiar-connects", quota);
    let proxy = setup.start();
    let (server, office, loud) = (proxy.implicit(), loopback(55, 1), loopback(56, 1));
    log_in(&proxy, office);
    // Refused as often as the stranger, which the filter then takes.
    let mut handshakes = 0;
    while proxy.try_client(office).is_ok() {
        handshakes += 1;
    }
    assert_eq!(handshakes, 200);
    let told = || proxy.log().text().contains("CAP_NET_ADMIN");
    wait::until("the filter takes the stranger, or cannot", || {
        drop(spend_the_rate(office, server));
        drop(spend_the_rate(loud, server));
        let connected = connect(loud, server);
        told() || connected.is_err_and(|error| error.kind() == ErrorKind::TimedOut)
    });
    assert!(connect(office, server).is_ok());
}
