//! admission - who may hold a connection at all
//!
//! Decided before TLS, from the address alone: standing, rate of new connections, connections of the
//! client and of its network, and the whole. When the whole is full the oldest stranger that has not
//! logged in makes room, so that silence and slowness cannot shut anybody out.
//!
//! A quarter of the whole is kept for familiar networks, at most [`RESERVE_PER_NETWORK`] of it for
//! one of them, for an infected PC stands in a familiar network too. Familiar clients fill it first;
//! strangers never do. Beyond it the familiar make room as strangers do, when no stranger is left.
//! Not here: bans and lists (`gate`, by way of [`Standing`]), handshakes at once (`tls`), the
//! sockets (`listener`).
//! The allow list is exempt from all but the whole: a webmail host is many users at one address.

mod crowd;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::crowd::{Crowd, Place, Waiting};
use crate::net::filter;
use gatepost_core::gate::buckets::rate::ClientRate;
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::settings::Quota;
use gatepost_core::gate::request::verdict::Standing;
use gatepost_core::moment::Moment;

pub use self::crowd::RESERVE_PER_NETWORK;

/// The caps on connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Sessions at once.
    pub sessions: usize,
    /// Sessions at once of one client.
    pub per_client: u32,
    /// Sessions at once of one network.
    pub per_network: u32,
    /// New connections of one client.
    pub connects: Quota,
    /// TLS handshakes under way at once.
    pub handshakes: usize,
    /// Whether the kernel is to drop the busiest banned clients.
    pub filter: filter::Mode,
}

/// Clients whose rate of new connections is remembered at once: 400 KB. At the default quota a client
/// owes nothing after a minute, and whoever owes least is forgotten first.
const RATE_ROWS: usize = 16_384;

/// Why a connection is turned away. The log values (`Display`) are public API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TurnedAway {
    /// On the deny list.
    Deny,
    /// Banned.
    Ban,
    /// Too many new connections of this client.
    Connects,
    /// Too many connections of this client at once.
    Client,
    /// Too many connections of this network at once.
    Network,
    /// The whole is full, and there is no stranger to make room.
    Full,
}

impl TurnedAway {
    /// Every reason, in the order of the log's documentation.
    pub const ALL: [Self; 6] = [
        Self::Deny,
        Self::Ban,
        Self::Connects,
        Self::Client,
        Self::Network,
        Self::Full,
    ];

    /// The log value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny-list",
            Self::Ban => "ban",
            Self::Connects => "connects",
            Self::Client => "per-client",
            Self::Network => "per-network",
            Self::Full => "sessions",
        }
    }
}

impl fmt::Display for TurnedAway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What admission did since the start, and how full it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections held now.
    pub held: usize,
    /// Connections admitted.
    pub admitted: u64,
    /// Strangers sent away to make room.
    pub evicted: u64,
    /// Clients whose rate of new connections was forgotten early, for want of rows.
    pub rates_forgotten: u64,
    /// Connections turned away, in the order of [`TurnedAway::ALL`].
    pub turned_away: [u64; TurnedAway::ALL.len()],
}

/// The doorkeeper. Clones share one count.
#[derive(Clone, Debug)]
pub struct Admission(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    crowd: Mutex<Crowd>,
    connects: ClientRate,
    admitted: AtomicU64,
    turned_away: [AtomicU64; TurnedAway::ALL.len()],
}

impl Admission {
    /// An empty house. `secret` keys the table of connection rates, so that nobody can aim at a row.
    pub fn new(settings: &Settings, secret: &[u8; 16]) -> Self {
        Self(Arc::new(Shared {
            crowd: Mutex::new(Crowd::new(settings)),
            // limit: connect-rates
            connects: ClientRate::new(settings.connects, RATE_ROWS, secret),
            admitted: AtomicU64::new(0),
            turned_away: std::array::from_fn(|_| AtomicU64::new(0)),
        }))
    }

    /// Whether `client` may hold one connection more.
    ///
    /// # Errors
    /// The reason why it may not; counted already.
    pub fn admit(
        &self,
        client: ClientKey,
        standing: Standing,
        now: Moment,
    ) -> Result<Slot, TurnedAway> {
        let outcome = self.decide(client, standing, now);
        let counter = match outcome {
            Ok(_) => Some(&self.0.admitted),
            Err(reason) => self.0.turned_away.get(reason as usize),
        };
        if let Some(counter) = counter {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }

    /// New caps. Connections that are held stay, also above a lower cap.
    pub fn reconfigure(&self, settings: &Settings) {
        self.0.connects.reconfigure(settings.connects);
        self.0.crowd().reconfigure(settings);
    }

    /// How it stands.
    pub fn counts(&self) -> Counts {
        let (held, evicted) = {
            let crowd = self.0.crowd();
            (crowd.held(), crowd.evicted())
        };
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            held,
            admitted: count(&self.0.admitted),
            evicted,
            rates_forgotten: self.0.connects.evictions(),
            turned_away: self.0.turned_away.each_ref().map(count),
        }
    }

    fn decide(
        &self,
        client: ClientKey,
        standing: Standing,
        now: Moment,
    ) -> Result<Slot, TurnedAway> {
        match standing {
            Standing::Deny => return Err(TurnedAway::Deny),
            Standing::Banned => return Err(TurnedAway::Ban),
            Standing::Allow => {}
            Standing::Familiar | Standing::Stranger => {
                let taken = self.0.connects.take(client, now);
                taken.map_err(|_| TurnedAway::Connects)?;
            }
        }
        let place = self.0.crowd().enter(client, standing)?;
        Ok(Slot {
            shared: Arc::clone(&self.0),
            client,
            place,
        })
    }
}

impl Shared {
    /// Nothing in the crowd panics; if it did, to go on counting beats turning everybody away.
    fn crowd(&self) -> MutexGuard<'_, Crowd> {
        self.crowd.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to hold one connection. Dropped, it frees.
#[must_use = "dropping it frees the place"]
#[derive(Debug)]
pub struct Slot {
    shared: Arc<Shared>,
    client: ClientKey,
    place: Place,
}

impl Slot {
    /// Tells that the client has logged in: it makes room for nobody any more. Also when it was
    /// just told to: whoever Postfix has accepted stays.
    pub fn logged_in(&self) {
        if let Place::Stranger(waiting) = &self.place {
            self.shared.crowd().keep(waiting);
        }
    }

    /// Returns when the connection must end to make room for another; never, for one that need not.
    /// Cancel-safe; asked again after it has returned, it returns at once.
    pub async fn evicted(&self) {
        match &self.place {
            Place::Stranger(waiting) => Waiting::evicted(waiting).await,
            Place::Reserved | Place::Open => std::future::pending().await,
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.shared.crowd().leave(self.client, &self.place);
    }
}
