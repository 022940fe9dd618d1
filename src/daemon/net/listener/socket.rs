//! socket - the system calls around a listening socket, and what their errors mean
//!
//! Accepted sockets inherit from the listening one, so what every connection wants is set there,
//! once: no delay, keep-alive, and to close with RST. [`close_in_peace`] takes the last back.
//! Not here: when to accept, and whom (`listener`).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Connections that the kernel completes and holds for us; it lowers this to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// A dead client is noticed by the kernel after 120 s of silence and 4 probes, 30 s apart.
pub(super) const KEEPALIVE_IDLE: Duration = Duration::from_secs(120);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_PROBES: u32 = 4;

pub(super) fn listening_socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM.nonblocking().cloexec(),
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // Said either way, for the machine's default is net.ipv6.bindv6only.
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.set_tcp_nodelay(true)?;
    socket.set_keepalive(true)?;
    socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(KEEPALIVE_IDLE)
            .with_interval(KEEPALIVE_INTERVAL)
            .with_retries(KEEPALIVE_PROBES),
    )?;
    socket.set_linger(Some(Duration::ZERO))?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

/// Registers the listening socket itself with the reactor. The heir of what does so is unsafe, for types whose
/// descriptor may change; a Socket's never does.
#[expect(deprecated, reason = "its heir is unsafe, without need here")]
pub(super) fn watch(socket: Arc<Socket>) -> io::Result<AsyncFd<Arc<Socket>>> {
    AsyncFd::with_interest(socket, Interest::READABLE)
}

/// Takes back what an accepted socket inherited: it may send what it still has before it closes.
pub(super) fn close_in_peace(socket: &OwnedFd) -> io::Result<()> {
    SockRef::from(socket).set_linger(None)
}

pub(super) fn local_address(socket: &Socket) -> io::Result<SocketAddr> {
    let address = socket.local_addr()?.as_socket();
    Ok(canonical(address.ok_or(Errno::AFNOSUPPORT)?))
}

pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(v4) => SocketAddr::new(v4.into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

pub(super) fn errno(error: io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}

/// Whether the error belongs to the connection that was to be accepted, which is gone with it
/// (accept(2), "Error handling").
pub(super) fn is_of_one_connection(error: Errno) -> bool {
    matches!(
        error,
        Errno::CONNABORTED
            | Errno::CONNRESET
            | Errno::INTR
            | Errno::PERM
            | Errno::PROTO
            | Errno::NOPROTOOPT
            | Errno::NETDOWN
            | Errno::NETUNREACH
            | Errno::HOSTDOWN
            | Errno::HOSTUNREACH
            | Errno::NONET
            | Errno::OPNOTSUPP
    )
}

pub(super) fn hint(error: &io::Error) -> &'static str {
    match Errno::from_io_error(error) {
        Some(Errno::ADDRINUSE) => {
            "; another program listens there (ss -ltnp tells which), Postfix's own smtps perhaps"
        }
        Some(Errno::ADDRNOTAVAIL) => "; no interface of this machine has that address",
        Some(Errno::ACCESS) => "; a port below 1024 takes root or CAP_NET_BIND_SERVICE",
        Some(Errno::AFNOSUPPORT) => "; without IPv6 on this machine, write 0.0.0.0 instead of [::]",
        _ => "",
    }
}
