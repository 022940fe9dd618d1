//! listener - bind, accept, decide, then register
//!
//! A connection is accepted as a raw socket and decided on by its address. A refused one gets an RST, a moment
//! later (`refused`), and costs two system calls, accept and close: it is never registered with the reactor.
//! `server` passes the decision in as a closure: the gate's
//! standing, then [`admission`](crate::net::admission).
//! Not here: who a load balancer's client is (`balancer`), which clients are admitted (`admission`), the tasks (`server`), TLS (`tls`), options (`socket`).
//! A dual-stack `[::]` sees IPv4 clients as mapped addresses; here they become IPv4.

mod balancer;
pub mod given;
mod header_places;
pub mod open_files;
mod refused;
mod socket;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use socket2::{SockRef, Socket};
use tokio::io::unix::AsyncFd;
use tokio::net::TcpStream;
use tokio::time::sleep;

use self::header_places::HeaderPlaces;
use self::refused::RefusedConnections;
use self::socket::{
    accept_raw, clear_linger, hint, is_of_one_connection, listening_socket, local_address, prepare,
    watch,
};
use crate::net::admission::{Slot, TurnedAway};
use crate::net::filter::SocketFilter;
use crate::report::limits::{LimitCounters, ResourceLimit};
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::networks;

pub use self::balancer::{Balancer, BalancerFault};

/// One listening address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerSettings {
    /// The address to listen on; `[::]` also takes IPv4.
    pub address: SocketAddr,
    /// How TLS starts.
    pub tls: TlsStart,
    /// Load balancers that may announce a client with the PROXY protocol.
    pub proxy_from: Vec<IpNet>,
}

/// How TLS starts on a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsStart {
    /// With the first octet (RFC 8314), port 465.
    Implicit,
    /// After STARTTLS (RFC 3207), port 587.
    StartTls,
}

/// Connections of load balancers whose PROXY header has not been read, for each listener.
const HEADERS_PENDING: usize = 1024;

/// The back-off when there is no descriptor or memory for another connection.
const BACK_OFF: Duration = Duration::from_millis(100);

/// This many connections accepted in a row end an episode of accept errors.
const RECOVERED_AFTER: u32 = 100;

/// After this many connections in a row, other tasks get to run.
const BATCH: u32 = 32;

/// A bound, listening socket.
#[derive(Debug)]
pub struct Listener {
    socket: AsyncFd<Arc<Socket>>,
    local: SocketAddr,
    filter: Arc<SocketFilter>,
    proxy_from: Vec<IpNet>,
    headers: HeaderPlaces,
    refused: RefusedConnections,
    limits: Arc<LimitCounters>,
    /// Connections accepted in a row without yielding.
    in_a_row: u32,
    health: AcceptHealth,
}

/// Whether accepting works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AcceptHealth {
    Ok,
    /// Already reported; holds the connections accepted in a row since the last error.
    Failing {
        accepted: u32,
    },
}

/// Result of an accept.
#[derive(Debug)]
#[must_use]
pub enum Arrival {
    /// A client, admitted.
    Client(AdmittedConnection),
    /// A load balancer: read its PROXY header, in a task of its own.
    Balancer(Balancer),
    /// Accepting fails, mostly because there are no descriptors or no memory. Returned once an episode; the
    /// next call backs off and tries again.
    AcceptFailed(io::Error),
}

/// An admitted client and its connection. IPv4-mapped addresses are IPv4.
#[derive(Debug)]
pub struct AdmittedConnection {
    /// The connection; only a PROXY header was read from it.
    pub stream: TcpStream,
    /// The client's address and port, as announced by a load balancer if there is one.
    pub client: SocketAddr,
    /// The address that the client connected to.
    pub listener: SocketAddr,
    /// The right to hold the connection.
    pub slot: Slot,
}

/// Why listening on an address fails.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {error}{}", hint(.error))]
pub struct BindFault {
    /// The address in the settings.
    pub address: SocketAddr,
    /// The kernel's error.
    #[source]
    pub error: io::Error,
}

impl Listener {
    /// Binds and listens. From here on the kernel accepts connections. Limits that act are counted in `limits`.
    ///
    /// Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The address is in use, is not an address of this machine, or needs a privilege.
    pub fn bind(
        settings: &ListenerSettings,
        limits: &Arc<LimitCounters>,
    ) -> Result<Self, BindFault> {
        let socket = listening_socket(settings.address);
        Self::listen_on(settings, socket, limits)
    }

    /// As [`Listener::bind`], on a socket that another process has made and bound.
    ///
    /// # Errors
    /// The kernel refuses what a listener needs.
    pub fn adopt(
        settings: &ListenerSettings,
        socket: Socket,
        limits: &Arc<LimitCounters>,
    ) -> Result<Self, BindFault> {
        let socket = prepare(&socket).map(|()| socket);
        let listener = Self::listen_on(settings, socket, limits)?;
        listener.filter.clear_inherited();
        Ok(listener)
    }

    fn listen_on(
        settings: &ListenerSettings,
        socket: io::Result<Socket>,
        limits: &Arc<LimitCounters>,
    ) -> Result<Self, BindFault> {
        let fault = |error| BindFault {
            address: settings.address,
            error,
        };
        let socket = socket.map_err(fault)?;
        let local = local_address(&socket).map_err(fault)?;
        let socket = Arc::new(socket);
        Ok(Self {
            filter: Arc::new(SocketFilter::new(&socket).map_err(fault)?),
            socket: watch(socket).map_err(fault)?,
            local,
            proxy_from: settings.proxy_from.clone(),
            // limit: proxy-headers
            headers: HeaderPlaces::new(HEADERS_PENDING),
            refused: RefusedConnections::new(limits),
            limits: Arc::clone(limits),
            in_a_row: 0,
            health: AcceptHealth::Ok,
        })
    }

    /// Keeps listening on the same address, with the load balancers of the new settings.
    pub fn reconfigure(&mut self, settings: &ListenerSettings) {
        self.proxy_from.clone_from(&settings.proxy_from);
    }

    /// The address it listens on, with the port that the kernel chose for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The handle that the listener filter attaches to.
    pub fn socket_filter(&self) -> Arc<SocketFilter> {
        Arc::clone(&self.filter)
    }

    /// The next admitted client or load balancer. Connections that `admit` refuses are closed with
    /// RST in here, a moment later. `admit` is not called for a load balancer.
    ///
    /// Cancel-safe: no connection is lost when the future is dropped.
    pub async fn accept(
        &mut self,
        admit: impl Fn(ClientKey) -> Result<Slot, TurnedAway>,
    ) -> Arrival {
        loop {
            if let AcceptHealth::Failing { accepted: 0 } = self.health {
                sleep(BACK_OFF).await;
            }
            if self.in_a_row >= BATCH {
                self.in_a_row = 0;
                tokio::task::yield_now().await;
            }
            let accepted = tokio::select! {
                biased;
                () = self.refused.turn() => continue,
                accepted = accept_raw(&self.socket) => accepted,
            };
            match accepted {
                Ok((socket, peer)) => {
                    self.accepted_one();
                    match self.dispatch(socket, peer, &admit) {
                        Ok(Some(arrival)) => return arrival,
                        Ok(None) => {}
                        Err(_) => self.limits.count(ResourceLimit::Connections),
                    }
                }
                Err(error) if is_of_one_connection(error) => {}
                // Refused connections had the descriptors.
                Err(_) if self.refused.reset_all() => {}
                Err(error) => {
                    self.limits.count(ResourceLimit::Accepts);
                    let reported = self.health != AcceptHealth::Ok;
                    self.health = AcceptHealth::Failing { accepted: 0 };
                    if !reported {
                        return Arrival::AcceptFailed(error.into());
                    }
                }
            }
        }
    }

    /// Decides on a connection. `None`: it was refused. An error: it broke before it was registered.
    fn dispatch(
        &mut self,
        socket: OwnedFd,
        peer: SocketAddr,
        admit: impl Fn(ClientKey) -> Result<Slot, TurnedAway>,
    ) -> io::Result<Option<Arrival>> {
        if self.is_balancer(peer.ip()) {
            let place = self.headers.take(peer.ip());
            if place.as_ref().is_none_or(|place| place.is_anothers) {
                self.limits.count(ResourceLimit::ProxyHeaders);
            }
            let Some(place) = place else {
                return Ok(self.refuse(socket));
            };
            return Ok(Some(Arrival::Balancer(Balancer {
                local: self.local_of(&socket)?,
                stream: self.register(socket)?,
                peer,
                place,
                refusals: self.refused.refusals(),
            })));
        }
        let Ok(slot) = admit(ClientKey::new(peer.ip())) else {
            return Ok(self.refuse(socket));
        };
        Ok(Some(Arrival::Client(AdmittedConnection {
            listener: self.local_of(&socket)?,
            stream: self.register(socket)?,
            client: peer,
            slot,
        })))
    }

    fn refuse(&mut self, socket: OwnedFd) -> Option<Arrival> {
        self.refused.hold(socket);
        None
    }

    fn is_balancer(&self, peer: IpAddr) -> bool {
        networks::contain(&self.proxy_from, peer)
    }

    /// The address that the client connected to; only a wildcard needs the system call.
    fn local_of(&self, socket: &OwnedFd) -> io::Result<SocketAddr> {
        match self.local.ip().is_unspecified() {
            true => local_address(&SockRef::from(socket)),
            false => Ok(self.local),
        }
    }

    /// Registers the socket with tokio.
    fn register(&self, socket: OwnedFd) -> io::Result<TcpStream> {
        self.filter.detach(&socket);
        clear_linger(&socket)?;
        TcpStream::from_std(socket.into())
    }

    fn accepted_one(&mut self) {
        self.in_a_row += 1;
        self.health = match self.health {
            AcceptHealth::Failing { accepted } if accepted < RECOVERED_AFTER => {
                AcceptHealth::Failing {
                    accepted: accepted + 1,
                }
            }
            _ => AcceptHealth::Ok,
        };
    }
}

/// Shown in the log.
impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.local.fmt(f)
    }
}
