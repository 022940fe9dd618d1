//! admission - admission control: which clients may hold a connection
//!
//! Decided before TLS, from the address alone: standing, rate of new connections, connections of the
//! client, of its network and in all. When all sessions are in use, the oldest stranger that has not
//! logged in is evicted. So idle or slow connections cannot keep others out. At the cap of a client or a
//! network one of its own goes for the new one; those that have logged in do not count there.
//!
//! In a familiar network many people may share one address, and one of their machines may be infected. Nothing before the
//! login tells them apart, so what a connection costs us is what is limited there. The rate is one for the network, and
//! generous; it counts only clients that begin a handshake, or a dialogue in clear. A client that says nothing, or leaves
//! at once, costs little more than its refusal would.
//!
//! A quarter of the sessions is reserved for familiar networks, at most [`RESERVE_PER_NETWORK`] of it for
//! one network, because an infected PC may be in a familiar network too. Familiar clients fill the reserve
//! first; strangers never use it. Beyond it, familiar clients are evicted too, after all strangers.
//! Not here: bans and lists (`gate`, through [`Standing`]), concurrent handshakes (`tls`), the
//! sockets (`listener`).
//! The allow list is exempt from all limits but the total: a webmail host is many users at one address. What has not
//! logged in there is evicted too, after all others, as long as it leaves half of the places to them.

mod connections;
mod entry;
mod pending;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::connections::Connections;
use self::entry::EvictionEntry;
use crate::net::filter;
use gatepost_core::gate::buckets::quota::Quota;
use gatepost_core::gate::buckets::rate::ClientRate;
use gatepost_core::gate::request::change::Subject;
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::verdict::Standing;
use gatepost_core::moment::Moment;

pub use self::connections::RESERVE_PER_NETWORK;
pub use self::entry::ConnectionStage;

/// The limits on connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdmissionSettings {
    /// Concurrent sessions.
    pub sessions: usize,
    /// Connections of one client that have not logged in; not in a familiar network.
    pub per_client: u32,
    /// Connections of one network that have not logged in.
    pub per_network: u32,
    /// Rate of new connections of one client; not in a familiar network.
    pub connects: Quota,
    /// Rate of new connections of one familiar network, of those that begin a handshake, or a dialogue in clear.
    pub familiar_connects: Quota,
    /// TLS handshakes that compute at the same time.
    pub handshakes: usize,
    /// Whether the kernel drops the busiest banned clients.
    pub filter: filter::FilterMode,
}

/// Clients whose rate of new connections is stored, 400 KB in all. At the default quota a client's debt
/// is gone after a minute; the client with the least debt is evicted first.
const RATE_ROWS: usize = 16_384;

/// Why a connection is refused. The log values (`Display`) are public API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TurnedAway {
    /// On the deny list.
    Deny,
    /// Banned.
    Ban,
    /// The client opens connections too fast.
    Connects,
    /// The client has too many connections, and those that gave way are not closed yet.
    Client,
    /// The network has too many connections, and those that gave way are not closed yet.
    Network,
    /// All sessions are in use, and no stranger can be evicted.
    Full,
    /// The familiar network opens connections too fast.
    FamiliarConnects,
}

impl TurnedAway {
    /// Every reason, in the order of the documentation.
    pub const ALL: [Self; 7] = [
        Self::Deny,
        Self::Ban,
        Self::Connects,
        Self::Client,
        Self::Network,
        Self::Full,
        Self::FamiliarConnects,
    ];

    /// The value in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny-list",
            Self::Ban => "ban",
            Self::Connects => "connects",
            Self::Client => "per-client",
            Self::Network => "per-network",
            Self::Full => "sessions",
            Self::FamiliarConnects => "familiar-connects",
        }
    }
}

impl fmt::Display for TurnedAway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What admission did since the start, and the connections held now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AdmissionCounts {
    /// Connections held now.
    pub held: usize,
    /// Connections admitted.
    pub admitted: u64,
    /// Connections evicted because all sessions were in use.
    pub evicted: u64,
    /// Connections that gave way to another of their client.
    pub evicted_for_client: u64,
    /// Connections that gave way to another of their network.
    pub evicted_for_network: u64,
    /// Clients and familiar networks whose connection rate was evicted before its debt was gone, because the rows were full.
    pub rates_forgotten: u64,
    /// Connections refused, in the order of [`TurnedAway::ALL`].
    pub turned_away: [u64; TurnedAway::ALL.len()],
}

/// Admission control. Clones share one state.
#[derive(Clone, Debug)]
pub struct Admission(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    connections: Mutex<Connections>,
    connects: ClientRate,
    familiar_connects: ClientRate,
    admitted: AtomicU64,
    turned_away: [AtomicU64; TurnedAway::ALL.len()],
}

impl Admission {
    /// No connections yet. `secret` keys the table of connection rates, so that an attacker cannot choose a row.
    pub fn new(settings: &AdmissionSettings, secret: &[u8; 16]) -> Self {
        Self(Arc::new(Shared {
            connections: Mutex::new(Connections::new(settings)),
            // limit: connect-rates
            connects: ClientRate::new(settings.connects, RATE_ROWS, secret),
            // limit: connect-rates
            familiar_connects: ClientRate::new(settings.familiar_connects, RATE_ROWS, secret),
            admitted: AtomicU64::new(0),
            turned_away: std::array::from_fn(|_| AtomicU64::new(0)),
        }))
    }

    /// Whether `client` may hold one more connection.
    ///
    /// # Errors
    /// The reason why it may not; already counted.
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

    /// Sets new limits. Connections that are held stay, even above a lower limit.
    pub fn reconfigure(&self, settings: &AdmissionSettings) {
        self.0.connects.reconfigure(settings.connects);
        let familiar = settings.familiar_connects;
        self.0.familiar_connects.reconfigure(familiar);
        self.0.connections().reconfigure(settings);
    }

    /// Connections of a client or a network that have not logged in.
    pub fn pending_of(&self, subject: Subject) -> usize {
        self.0.connections().pending_of(subject)
    }

    /// The counts now.
    pub fn counts(&self) -> AdmissionCounts {
        let (held, evicted) = {
            let connections = self.0.connections();
            (connections.held(), connections.evicted())
        };
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        AdmissionCounts {
            held,
            admitted: count(&self.0.admitted),
            evicted: evicted.full,
            evicted_for_client: evicted.client,
            evicted_for_network: evicted.network,
            rates_forgotten: self.0.connects.evictions() + self.0.familiar_connects.evictions(),
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
            Standing::Stranger => {
                let taken = self.0.connects.take(client, now);
                taken.map_err(|_| TurnedAway::Connects)?;
            }
            Standing::Familiar => {
                let taken = self.0.familiar_connects.take(client.network(), now);
                taken.map_err(|_| TurnedAway::FamiliarConnects)?;
            }
        }
        let entry = self.0.connections().acquire(client, standing);
        if entry.is_err() {
            self.0.give_back(client, standing);
        }
        Ok(Slot {
            shared: Arc::clone(&self.0),
            client,
            standing,
            entry: entry?,
        })
    }
}

impl Shared {
    /// Nothing panics while the lock is held. If something did, going on to count is better than
    /// refusing every client.
    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection of a familiar network that said nothing does not count for its rate.
    fn give_back(&self, client: ClientKey, standing: Standing) {
        if standing == Standing::Familiar {
            self.familiar_connects.give_back(client.network());
        }
    }
}

/// The right to hold one connection. Dropping it frees the place.
#[must_use = "dropping it frees the place"]
#[derive(Debug)]
pub struct Slot {
    shared: Arc<Shared>,
    client: ClientKey,
    standing: Standing,
    entry: Arc<EvictionEntry>,
}

impl Slot {
    /// How the client stood when it was admitted.
    pub const fn standing(&self) -> Standing {
        self.standing
    }

    /// Records how far the connection has come.
    pub fn progressed(&self, progress: ConnectionStage) {
        self.entry.progressed(progress);
    }

    /// Records that the client has logged in: it is not evicted any more, and counts in the total alone. This also
    /// holds when its eviction has just begun: a client that Postfix has accepted stays.
    pub fn logged_in(&self) {
        self.shared.connections().exempt(&self.entry);
    }

    /// Returns when the connection is evicted and must end; never, for one that has logged in.
    /// Cancel-safe; called again after it has returned, it returns at once.
    pub async fn evicted(&self) {
        self.entry.evicted().await;
    }

    /// Returns when the connection is evicted because all sessions are in use; not when it gives way to another of its
    /// own client or network. That anybody can bring about at any moment, and so time what is done for a login, if its
    /// answer did not wait all the same. Cancel-safe, and called again as [`Slot::evicted`].
    pub async fn evicted_for_all(&self) {
        self.entry.evicted_for_all().await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if self.entry.progress() == ConnectionStage::Silent {
            self.shared.give_back(self.client, self.standing);
        }
        self.shared.connections().release(&self.entry);
    }
}
