//! balancer - a load balancer's connection, until its PROXY header has said who the client is
//!
//! The client is admitted then, or refused as one that connects itself: its connection goes back to the listener, which
//! holds it for a moment before the reset (`refused`). Behind a balancer, too, a program that connects again as soon as it is
//! reset would come as often as it is reset.
//! Not here: how many wait, and which gives way (`header_places`), what the header says (`proxy_header`).

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::AdmittedConnection;
use super::header_places::HeaderPlace;
use super::refused::Refusals;
use crate::net::admission::{Slot, TurnedAway};
use crate::net::proxy_header::{self, Announced, HeaderFault};
use crate::net::unread::NotedSilence;
use gatepost_core::gate::request::client::ClientKey;

/// A load balancer that has not announced its client yet.
#[derive(Debug)]
pub struct Balancer {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
    pub(super) place: HeaderPlace,
    pub(super) refusals: Refusals,
}

/// Why a load balancer's connection has no client.
#[derive(Debug, thiserror::Error)]
pub enum BalancerFault {
    /// No complete header in time.
    #[error("the load balancer sent no PROXY header in time")]
    Deadline,
    /// No header, and too many connections wait for theirs.
    #[error("the load balancer was silent, and its place was needed")]
    GaveWay,
    /// An invalid header.
    #[error("the load balancer: {0}")]
    Header(#[from] HeaderFault),
    /// The client is not admitted. Closed with RST, a moment later.
    #[error("turned away: {0}")]
    TurnedAway(TurnedAway),
    /// The socket failed.
    #[error("{0}")]
    Socket(#[from] io::Error),
}

impl Balancer {
    /// The balancer's own address.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Reads the header within `deadline`, then calls `admit` for the client that it announces. For a
    /// connection without a client (a health check), `admit` gets the balancer's own address.
    ///
    /// # Errors
    /// No header, an invalid one, or a client that is not admitted; the connection is closed.
    pub async fn read_header(
        self,
        deadline: Duration,
        admit: impl FnOnce(ClientKey) -> Result<Slot, TurnedAway>,
    ) -> Result<AdmittedConnection, BalancerFault> {
        let Self {
            mut stream,
            peer,
            local,
            place,
            refusals,
        } = self;
        let mut watched = NotedSilence::new(&mut stream, || place.silent());
        let header = tokio::select! {
            header = timeout(deadline, proxy_header::read(&mut watched)) => header,
            () = place.wanted() => return Err(BalancerFault::GaveWay),
        };
        drop(place);
        let (client, listener) = match header.map_err(|_| BalancerFault::Deadline)?? {
            Announced::Client {
                source,
                destination,
            } => (source, destination),
            Announced::Local => (peer, local),
        };
        match admit(ClientKey::new(client.ip())) {
            Ok(slot) => Ok(AdmittedConnection {
                stream,
                client,
                listener,
                slot,
            }),
            Err(reason) => {
                SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
                refusals.hand_over(stream.into_std()?.into());
                Err(BalancerFault::TurnedAway(reason))
            }
        }
    }
}
