//! listener - bind, accept, judge, then register
//!
//! A connection is accepted raw and judged by its address; whoever is turned away gets an RST and
//! costs two system calls, accept and close: nothing is registered with the reactor for him.
//! `server` hands the judgement in as a closure, for it is one question with one answer: the gate's
//! standing, then [`admission`](crate::net::admission).
//! Not here: who is admitted (`admission`), the tasks (`server`), TLS (`tls`), options (`socket`).
//! A dual-stack `[::]` sees IPv4 clients as mapped addresses; they leave here as IPv4.

pub mod open_files;
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
use rustix::io::Errno;
use rustix::net::{SocketFlags, acceptfrom_with};
use socket2::{SockRef, Socket};
use tokio::io::unix::AsyncFd;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use self::socket::{
    canonical, close_in_peace, errno, hint, is_of_one_connection, listening_socket, local_address,
    watch,
};
use crate::net::admission::{Slot, TurnedAway};
use crate::net::filter::Shutter;
use crate::net::proxy_header::{self, Announced, HeaderFault};
use crate::report::limits::{Limit, Limits};
use gatepost_core::gate::request::client::ClientKey;

/// One listening address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where to listen; `[::]` takes IPv4 too.
    pub address: SocketAddr,
    /// How TLS begins.
    pub tls: TlsStart,
    /// Load balancers that may speak for a client with the PROXY protocol.
    pub proxy_from: Vec<IpNet>,
}

/// How TLS begins on a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsStart {
    /// With the first octet (RFC 8314), port 465.
    Implicit,
    /// After STARTTLS (RFC 3207), port 587.
    StartTls,
}

/// Connections of load balancers whose header is not read yet, a listener.
const HEADERS_PENDING: usize = 1024;

/// Without descriptors or memory for another connection, the pause before the next try.
const BACK_OFF: Duration = Duration::from_millis(100);

/// An episode of want is over when so many connections in a row were accepted.
const WELL_AGAIN: u32 = 100;

/// After so many connections in a row, other tasks get their turn.
const BATCH: u32 = 32;

/// A bound, listening socket.
#[derive(Debug)]
pub struct Listener {
    socket: AsyncFd<Arc<Socket>>,
    local: SocketAddr,
    shutter: Arc<Shutter>,
    proxy_from: Vec<IpNet>,
    headers: Arc<Semaphore>,
    limits: Arc<Limits>,
    /// Accepted in a row without giving other tasks their turn.
    streak: u32,
    health: Health,
}

/// Whether accepting works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Well,
    /// Told already; so many were accepted in a row since the last failure.
    Wanting {
        accepted: u32,
    },
}

/// Who came.
#[derive(Debug)]
#[must_use]
pub enum Arrival {
    /// A client, admitted.
    Client(Visitor),
    /// A load balancer: let it introduce its client, in a task of its own.
    Balancer(Balancer),
    /// Nobody: accepting fails, for want of descriptors or memory mostly. Said once an episode; the
    /// next call waits and tries again.
    Wanting(io::Error),
}

/// A client that was admitted, and its connection. IPv4-mapped addresses are IPv4.
#[derive(Debug)]
pub struct Visitor {
    /// The connection, nothing read from it but a PROXY header.
    pub stream: TcpStream,
    /// The client's address and port, as a load balancer announced it.
    pub client: SocketAddr,
    /// Where the client connected to.
    pub listener: SocketAddr,
    /// Its right to be here.
    pub slot: Slot,
}

/// A load balancer that has yet to say for whom it comes.
#[derive(Debug)]
pub struct Balancer {
    stream: TcpStream,
    peer: SocketAddr,
    local: SocketAddr,
    _pending: OwnedSemaphorePermit,
}

/// Why a load balancer's connection came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum BalancerFault {
    /// It sent no whole header in time.
    #[error("the load balancer sent no PROXY header in time")]
    Deadline,
    /// It sent a bad one.
    #[error("the load balancer: {0}")]
    Header(#[from] HeaderFault),
    /// Its client is not admitted. Closed with RST.
    #[error("turned away: {0}")]
    TurnedAway(TurnedAway),
    /// The socket failed.
    #[error("{0}")]
    Socket(#[from] io::Error),
}

/// Why there is no listening on an address.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {error}{}", hint(.error))]
pub struct BindFault {
    /// The address in the settings.
    pub address: SocketAddr,
    /// What the kernel says.
    #[source]
    pub error: io::Error,
}

impl Listener {
    /// Binds and listens. From here on the kernel takes connections in. Bounds that act are counted in `limits`.
    ///
    /// Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The address is taken, is not this machine's, or is not ours to bind.
    pub fn bind(settings: &Settings, limits: &Arc<Limits>) -> Result<Self, BindFault> {
        let fault = |error| BindFault {
            address: settings.address,
            error,
        };
        let socket = listening_socket(settings.address).map_err(fault)?;
        let local = local_address(&socket).map_err(fault)?;
        let socket = Arc::new(socket);
        Ok(Self {
            shutter: Arc::new(Shutter::new(&socket).map_err(fault)?),
            socket: watch(socket).map_err(fault)?,
            local,
            proxy_from: settings.proxy_from.clone(),
            // limit: proxy-headers
            headers: Arc::new(Semaphore::new(HEADERS_PENDING)),
            limits: Arc::clone(limits),
            streak: 0,
            health: Health::Well,
        })
    }

    /// Goes on at the same address with the load balancers of other settings.
    pub fn reconfigure(&mut self, settings: &Settings) {
        self.proxy_from.clone_from(&settings.proxy_from);
    }

    /// Where it listens, with the port that the kernel chose for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Where the listener filter is attached.
    pub fn shutter(&self) -> Arc<Shutter> {
        Arc::clone(&self.shutter)
    }

    /// The next connection that somebody must care for. Those that `admit` turns away are closed with
    /// RST in here. `admit` is not asked about a load balancer.
    ///
    /// Cancel-safe: no connection is lost when the future is dropped.
    pub async fn accept(
        &mut self,
        admit: impl Fn(ClientKey) -> Result<Slot, TurnedAway>,
    ) -> Arrival {
        loop {
            if let Health::Wanting { accepted: 0 } = self.health {
                sleep(BACK_OFF).await;
            }
            if self.streak >= BATCH {
                self.streak = 0;
                tokio::task::yield_now().await;
            }
            match self.accept_raw().await {
                Ok((socket, peer)) => {
                    self.accepted_one();
                    match self.receive(socket, peer, &admit) {
                        Ok(Some(arrival)) => return arrival,
                        Ok(None) => {}
                        Err(_) => self.limits.count(Limit::Connections),
                    }
                }
                Err(error) if is_of_one_connection(error) => {}
                Err(error) => {
                    self.limits.count(Limit::Accepts);
                    let told = self.health != Health::Well;
                    self.health = Health::Wanting { accepted: 0 };
                    if !told {
                        return Arrival::Wanting(error.into());
                    }
                }
            }
        }
    }

    async fn accept_raw(&self) -> Result<(OwnedFd, SocketAddr), Errno> {
        let accept = |socket: &AsyncFd<Arc<Socket>>| {
            Ok(acceptfrom_with(
                socket.get_ref(),
                SocketFlags::NONBLOCK | SocketFlags::CLOEXEC,
            )?)
        };
        loop {
            let mut ready = self.socket.readable().await.map_err(errno)?;
            let Ok(accepted) = ready.try_io(accept) else {
                continue;
            };
            let (socket, peer) = accepted.map_err(errno)?;
            let peer = SocketAddr::try_from(peer.ok_or(Errno::AFNOSUPPORT)?)?;
            return Ok((socket, canonical(peer)));
        }
    }

    /// Judges a connection. `None`: it was turned away. An error: it broke before anyone cared.
    fn receive(
        &self,
        socket: OwnedFd,
        peer: SocketAddr,
        admit: impl Fn(ClientKey) -> Result<Slot, TurnedAway>,
    ) -> io::Result<Option<Arrival>> {
        if self.may_speak_for_clients(peer.ip()) {
            let Ok(pending) = Arc::clone(&self.headers).try_acquire_owned() else {
                self.limits.count(Limit::ProxyHeaders);
                return Ok(None);
            };
            return Ok(Some(Arrival::Balancer(Balancer {
                local: self.local_of(&socket)?,
                stream: self.register(socket)?,
                peer,
                _pending: pending,
            })));
        }
        let Ok(slot) = admit(ClientKey::new(peer.ip())) else {
            return Ok(None);
        };
        Ok(Some(Arrival::Client(Visitor {
            listener: self.local_of(&socket)?,
            stream: self.register(socket)?,
            client: peer,
            slot,
        })))
    }

    fn may_speak_for_clients(&self, peer: IpAddr) -> bool {
        self.proxy_from.iter().any(|net| net.contains(&peer))
    }

    /// Where the client connected to: only a wildcard has to ask.
    fn local_of(&self, socket: &OwnedFd) -> io::Result<SocketAddr> {
        match self.local.ip().is_unspecified() {
            true => local_address(&SockRef::from(socket)),
            false => Ok(self.local),
        }
    }

    /// Makes the socket of whoever may stay tokio's.
    fn register(&self, socket: OwnedFd) -> io::Result<TcpStream> {
        self.shutter.lift(&socket);
        close_in_peace(&socket)?;
        TcpStream::from_std(socket.into())
    }

    fn accepted_one(&mut self) {
        self.streak += 1;
        self.health = match self.health {
            Health::Wanting { accepted } if accepted < WELL_AGAIN => Health::Wanting {
                accepted: accepted + 1,
            },
            _ => Health::Well,
        };
    }
}

impl Balancer {
    /// The balancer's own address.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Reads the header within `deadline`, then asks `admit` about the client that it announces. A
    /// balancer that comes for nobody (a health check) is asked about as the client that it then is.
    ///
    /// # Errors
    /// No header, a bad one, or a client that is not admitted; the connection is closed.
    pub async fn introduce(
        mut self,
        deadline: Duration,
        admit: impl FnOnce(ClientKey) -> Result<Slot, TurnedAway>,
    ) -> Result<Visitor, BalancerFault> {
        let header = timeout(deadline, proxy_header::read(&mut self.stream)).await;
        let (client, listener) = match header.map_err(|_| BalancerFault::Deadline)?? {
            Announced::Client {
                source,
                destination,
            } => (source, destination),
            Announced::Local => (self.peer, self.local),
        };
        match admit(ClientKey::new(client.ip())) {
            Ok(slot) => Ok(Visitor {
                stream: self.stream,
                client,
                listener,
                slot,
            }),
            Err(reason) => {
                SockRef::from(&self.stream).set_linger(Some(Duration::ZERO))?;
                Err(BalancerFault::TurnedAway(reason))
            }
        }
    }
}

/// Shown in the log.
impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.local.fmt(f)
    }
}
