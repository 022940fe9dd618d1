//! connections - the connections held, counted by client, by network and in all
//!
//! The maps have entries only for clients with a connection, so the total bounds their size. Each step
//! costs a few look-ups, independent of the number of connections.
//! Not here: standing lists and the rate of new connections (`admission`, `rate`); locking.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::Notify;

use super::{AdmissionSettings, TurnedAway};
use gatepost_core::gate::request::change::Subject;
use gatepost_core::gate::request::client::{ClientKey, NetworkKey};
use gatepost_core::gate::request::verdict::Standing;

/// The most places in the reserve for familiar networks that one network may hold.
pub const RESERVE_PER_NETWORK: u32 = 50;

/// Connections that may be on their way out, beyond an eighth of the total.
pub(super) const EVICTION_SLACK: usize = 16;

/// Which part of the total a connection counts in.
#[derive(Debug)]
pub(super) enum SlotKind {
    /// The quarter for familiar networks.
    Reserved,
    /// The rest; cannot be evicted.
    Fixed,
    /// The rest; can be evicted until it logs in. Strangers, and familiar clients beyond the reserve.
    Evictable(Arc<EvictionEntry>),
}

/// The entry of a connection that may be evicted.
#[derive(Debug)]
pub(super) struct EvictionEntry {
    /// Its key in the queue: the oldest has the smallest, and strangers come before familiar clients.
    arrival: u64,
    /// Written only under the lock of the connections; read outside of it as a hint, after `notify`.
    state: AtomicU8,
    notify: Notify,
}

/// Added to the arrival of a connection that is evicted only after all without it.
const AFTER_STRANGERS: u64 = 1 << 63;

const QUEUED: u8 = 0;
const KEPT: u8 = 1;
const EVICTED: u8 = 2;

impl EvictionEntry {
    /// Returns when the connection is evicted.
    pub(super) async fn evicted(&self) {
        loop {
            self.notify.notified().await;
            if self.state.load(Ordering::Relaxed) == EVICTED {
                // Kept for the next caller.
                self.notify.notify_one();
                return;
            }
        }
    }
}

/// All connections that are held.
#[derive(Debug)]
pub(super) struct Connections {
    sessions: usize,
    per_client: u32,
    per_network: u32,
    clients: HashMap<ClientKey, u32>,
    networks: HashMap<NetworkKey, NetworkCount>,
    /// Connections in the rest that have not logged in, by arrival.
    queue: BTreeMap<u64, Arc<EvictionEntry>>,
    arrivals: u64,
    /// Connections in the quarter for familiar networks.
    reserved: usize,
    /// Connections in the rest, without those being evicted.
    unreserved: usize,
    /// Connections that were evicted and are still open.
    evicting: usize,
    evicted: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct NetworkCount {
    all: u32,
    reserved: u32,
}

impl Connections {
    pub(super) fn new(settings: &AdmissionSettings) -> Self {
        Self {
            sessions: settings.sessions,
            per_client: settings.per_client,
            per_network: settings.per_network,
            clients: HashMap::new(),
            networks: HashMap::new(),
            queue: BTreeMap::new(),
            arrivals: 0,
            reserved: 0,
            unreserved: 0,
            evicting: 0,
            evicted: 0,
        }
    }

    pub(super) fn reconfigure(&mut self, settings: &AdmissionSettings) {
        self.sessions = settings.sessions;
        self.per_client = settings.per_client;
        self.per_network = settings.per_network;
    }

    /// Connections held, including those being evicted.
    pub(super) fn held(&self) -> usize {
        self.reserved + self.unreserved + self.evicting
    }

    /// Connections of a client or a network.
    pub(super) fn held_by(&self, subject: Subject) -> usize {
        let held = match subject {
            Subject::Client(client) => self.clients.get(&client).copied(),
            Subject::Network(network) => self.networks.get(&network).map(|count| count.all),
        };
        held.unwrap_or(0) as usize
    }

    /// Connections evicted since the start.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Takes a place for `client`, and evicts another connection if necessary.
    pub(super) fn acquire(
        &mut self,
        client: ClientKey,
        standing: Standing,
    ) -> Result<SlotKind, TurnedAway> {
        let network = client.network();
        let in_network = self.networks.get(&network).copied().unwrap_or_default();
        if standing != Standing::Allow {
            if self.clients.get(&client).copied().unwrap_or(0) >= self.per_client {
                return Err(TurnedAway::Client);
            }
            if in_network.all >= self.per_network {
                return Err(TurnedAway::Network);
            }
        }
        let kind = self.choose_slot(standing, in_network)?;
        *self.clients.entry(client).or_default() += 1;
        let in_network = self.networks.entry(network).or_default();
        in_network.all += 1;
        in_network.reserved += u32::from(matches!(kind, SlotKind::Reserved));
        Ok(kind)
    }

    /// Frees a place.
    pub(super) fn release(&mut self, client: ClientKey, kind: &SlotKind) {
        match kind {
            SlotKind::Reserved => self.reserved -= 1,
            SlotKind::Fixed => self.unreserved -= 1,
            SlotKind::Evictable(entry) if entry.is(EVICTED) => self.evicting -= 1,
            SlotKind::Evictable(entry) => {
                self.queue.remove(&entry.arrival);
                self.unreserved -= 1;
            }
        }
        let reserved = u32::from(matches!(kind, SlotKind::Reserved));
        decrement(&mut self.clients, client, |count| {
            *count -= 1;
            *count == 0
        });
        decrement(&mut self.networks, client.network(), |in_network| {
            in_network.all -= 1;
            in_network.reserved -= reserved;
            in_network.all == 0
        });
    }

    /// Keeps a connection that has logged in.
    pub(super) fn exempt(&mut self, entry: &EvictionEntry) {
        self.queue.remove(&entry.arrival);
        if entry.is(EVICTED) {
            // Above the total by one, until another connection ends.
            self.evicting -= 1;
            self.unreserved += 1;
        }
        entry.set(KEPT);
    }

    /// Whether nothing is left of any connection.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.held() == 0
            && self.clients.is_empty()
            && self.networks.is_empty()
            && self.queue.is_empty()
    }

    fn choose_slot(
        &mut self,
        standing: Standing,
        in_network: NetworkCount,
    ) -> Result<SlotKind, TurnedAway> {
        let reserve = self.sessions / 4;
        let familiar = standing != Standing::Stranger;
        if familiar && self.reserved < reserve && in_network.reserved < RESERVE_PER_NETWORK {
            self.reserved += 1;
            return Ok(SlotKind::Reserved);
        }
        if self.unreserved >= self.sessions - reserve {
            self.evict_oldest()?;
        }
        self.unreserved += 1;
        if standing == Standing::Allow {
            return Ok(SlotKind::Fixed);
        }
        // Beyond the reserve familiar clients can be evicted too, after all strangers: an attacker with one
        // valid account can make networks familiar, and could fill the total with connections that never log in.
        let order = if familiar { AFTER_STRANGERS } else { 0 };
        let entry = Arc::new(EvictionEntry {
            arrival: self.arrivals | order,
            state: AtomicU8::new(QUEUED),
            notify: Notify::new(),
        });
        self.arrivals += 1;
        self.queue.insert(entry.arrival, Arc::clone(&entry));
        Ok(SlotKind::Evictable(entry))
    }

    fn evict_oldest(&mut self) -> Result<(), TurnedAway> {
        // An evicted connection is still open for a moment. If more were evicted than close, they would
        // exceed the limit on open files.
        if self.evicting >= self.sessions / 8 + EVICTION_SLACK {
            return Err(TurnedAway::Full);
        }
        let (_, oldest) = self.queue.pop_first().ok_or(TurnedAway::Full)?;
        oldest.set(EVICTED);
        oldest.notify.notify_one();
        self.unreserved -= 1;
        self.evicting += 1;
        self.evicted += 1;
        Ok(())
    }
}

impl EvictionEntry {
    fn is(&self, state: u8) -> bool {
        self.state.load(Ordering::Relaxed) == state
    }

    fn set(&self, state: u8) {
        self.state.store(state, Ordering::Relaxed);
    }
}

fn decrement<K: Eq + Hash, V>(map: &mut HashMap<K, V>, key: K, lower: impl FnOnce(&mut V) -> bool) {
    if let Entry::Occupied(mut entry) = map.entry(key)
        && lower(entry.get_mut())
    {
        entry.remove();
    }
}
