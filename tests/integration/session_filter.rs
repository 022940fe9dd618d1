//! session_filter - `admission.filter` in a running Gatepost: the kernel drops connections of banned clients
//!
//! Where the kernel wants a capability that we lack, Gatepost must say so once and reset them as ever.
//! Not here: the programs, the budget, who is busiest (`net::filter`).

use std::io::{ErrorKind, Read};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::kit::client::loopback;
use crate::kit::mail::Mail;
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::wait;

/// A connection over loopback is there at once, or never.
const AT_ONCE: Duration = Duration::from_millis(500);

/// What becomes of a client that connects and says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// No answer to its SYN.
    Dropped,
    /// Accepted and reset.
    Reset,
    /// Gatepost waits for its ClientHello.
    Awaited,
}

fn connect_from(proxy: &Proxy, source: IpAddr) -> Fate {
    let host = match source {
        IpAddr::V4(_) => proxy.implicit().ip(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    let server = SocketAddr::new(host, proxy.implicit().port());
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(source, 0).into()).unwrap();
    match socket.connect_timeout(&server.into(), AT_ONCE) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::TimedOut => return Fate::Dropped,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => return Fate::Reset,
        Err(error) => panic!("{source}: {error}"),
    }
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(AT_ONCE)).unwrap();
    match stream.read(&mut [0; 1]) {
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Fate::Reset,
        Err(error) if error.kind() == ErrorKind::WouldBlock => Fate::Awaited,
        other => panic!("{source}: {other:?}"),
    }
}

fn meets(proxy: &Proxy, source: IpAddr, fate: Fate) {
    wait::until("the fate of a client changes", || {
        connect_from(proxy, source) == fate
    });
}

fn ban(proxy: &Proxy, verb: &str, who: &str) {
    let own: &[&str] = if verb == "add" { &["--own"] } else { &[] };
    let ran = proxy.setup.command(&[&["bans", verb, who], own].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

fn house() -> (Mail, Proxy) {
    let mail = Mail::start();
    let setup = Setup::before(&mail).with("admission.filter", true);
    (mail, setup.start())
}

/// Whether the kernel takes our filter; if not, that was told.
fn is_taken(proxy: &Proxy, banned: IpAddr) -> bool {
    let told = |proxy: &Proxy| proxy.log().text().contains("CAP_NET_ADMIN");
    let mut taken = false;
    wait::until("the filter works, or cannot", || {
        taken = connect_from(proxy, banned) == Fate::Dropped;
        taken || told(proxy)
    });
    taken
}

#[test]
fn the_banned_are_dropped_others_come_in_and_so_do_the_banned_when_their_ban_is_lifted() {
    let (_mail, proxy) = house();
    let (banned, good) = (loopback(77, 1), loopback(77, 2));
    assert_eq!(connect_from(&proxy, banned), Fate::Awaited);
    ban(&proxy, "add", "127.77.0.1");
    if !is_taken(&proxy, banned) {
        meets(&proxy, banned, Fate::Reset);
        return;
    }
    assert_eq!(connect_from(&proxy, good), Fate::Awaited);
    let mut client = proxy.client(good);
    assert_eq!(client.reply().code, 220);
    ban(&proxy, "remove", "127.77.0.1");
    meets(&proxy, banned, Fate::Awaited);
    client.expect("NOOP", 250);
}

#[test]
fn a_reload_switches_the_filter_off_and_on() {
    let (_mail, mut proxy) = house();
    let banned = loopback(77, 1);
    ban(&proxy, "add", "127.77.0.1");
    if !is_taken(&proxy, banned) {
        return;
    }
    proxy.setup.set("admission.filter", false);
    proxy.reload();
    meets(&proxy, banned, Fate::Reset);
    proxy.setup.set("admission.filter", true);
    proxy.reload();
    meets(&proxy, banned, Fate::Dropped);
}

#[test]
fn an_ipv6_client_is_dropped_at_a_listener_for_both() {
    let (_mail, proxy) = house();
    let banned = IpAddr::V6(Ipv6Addr::LOCALHOST);
    ban(&proxy, "add", "::1");
    if is_taken(&proxy, banned) {
        assert_eq!(connect_from(&proxy, loopback(77, 2)), Fate::Awaited);
        ban(&proxy, "remove", "::1");
        meets(&proxy, banned, Fate::Awaited);
    }
}
