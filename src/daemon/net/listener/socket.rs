//! socket - the system calls around a listening socket, and the meaning of their errors
//!
//! Accepted sockets inherit the options of the listening one, so what every connection needs is set there,
//! once: no delay, keep-alive, and close with RST. [`clear_linger`] undoes the last.
//! Not here: when to accept, and which client (`listener`).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{SocketFlags, acceptfrom_with};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Connections that the kernel completes and queues; it lowers this to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// The kernel detects a dead client after 120 s of silence and 4 probes, 30 s apart.
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
        // Set either way, because the default is net.ipv6.bindv6only.
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    set_options(&socket)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

/// Gives a socket that another process made what one of ours has. Its queue is made longer.
pub(super) fn prepare(socket: &Socket) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    set_options(socket)?;
    socket.listen(BACKLOG)
}

fn set_options(socket: &Socket) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_keepalive(true)?;
    socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(KEEPALIVE_IDLE)
            .with_interval(KEEPALIVE_INTERVAL)
            .with_retries(KEEPALIVE_PROBES),
    )?;
    socket.set_linger(Some(Duration::ZERO))
}

/// Registers the listening socket itself with the reactor. tokio deprecates this in favour of an unsafe
/// function, because a type's descriptor might change; that of a `Socket` cannot.
#[expect(deprecated, reason = "the replacement API is unsafe")]
pub(super) fn watch(socket: Arc<Socket>) -> io::Result<AsyncFd<Arc<Socket>>> {
    AsyncFd::with_interest(socket, Interest::READABLE)
}

/// The next connection, not registered with the reactor, and its client.
pub(super) async fn accept_raw(
    socket: &AsyncFd<Arc<Socket>>,
) -> Result<(OwnedFd, SocketAddr), Errno> {
    let accept = |socket: &AsyncFd<Arc<Socket>>| {
        Ok(acceptfrom_with(
            socket.get_ref(),
            SocketFlags::NONBLOCK | SocketFlags::CLOEXEC,
        )?)
    };
    loop {
        let mut ready = socket.readable().await.map_err(errno)?;
        let Ok(accepted) = ready.try_io(accept) else {
            continue;
        };
        let (socket, peer) = accepted.map_err(errno)?;
        let peer = SocketAddr::try_from(peer.ok_or(Errno::AFNOSUPPORT)?)?;
        return Ok((socket, canonical(peer)));
    }
}

/// Undoes the inherited option: the socket sends what it still holds before it closes.
pub(super) fn clear_linger(socket: &OwnedFd) -> io::Result<()> {
    SockRef::from(socket).set_linger(None)
}

pub(super) fn local_address(socket: &Socket) -> io::Result<SocketAddr> {
    let address = socket.local_addr()?.as_socket();
    Ok(canonical(address.ok_or(Errno::AFNOSUPPORT)?))
}

fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(v4) => SocketAddr::new(v4.into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

fn errno(error: io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}

/// Whether the error concerns only the connection that was being accepted
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
            "; another program listens there (find it with ss -ltnp), perhaps Postfix's own smtps service"
        }
        Some(Errno::ADDRNOTAVAIL) => "; no interface of this machine has that address",
        Some(Errno::ACCESS) => {
            "; a port below 1024 requires root, CAP_NET_BIND_SERVICE, or a ListenStream= for it in gatepost.socket"
        }
        Some(Errno::AFNOSUPPORT) => "; without IPv6 on this machine, write 0.0.0.0 instead of [::]",
        _ => "",
    }
}
