//! crowd - who is inside, counted by client, by network and as a whole
//!
//! Maps hold only whoever is inside, so their size is bounded by the whole. Each step costs a few
//! look-ups, whatever the size.
//! Not here: standing lists and the rate of new connections (`admission`, `rate`); locking.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::Notify;

use super::{Settings, TurnedAway};
use gatepost_core::gate::request::client::{ClientKey, NetworkKey};
use gatepost_core::gate::request::verdict::Standing;

/// Of the places kept for familiar networks, at most so many for one network.
pub const RESERVE_PER_NETWORK: u32 = 50;

/// Strangers told to go that have not gone yet, beyond the whole: an eighth of it and these.
pub(super) const LEAVING: usize = 16;

/// Where a connection stands.
#[derive(Debug)]
pub(super) enum Place {
    /// In the quarter kept for familiar networks.
    Reserved,
    /// In the rest, and need not make room.
    Open,
    /// In the rest, until it logs in, ends or is told to make room; not strangers alone.
    Stranger(Arc<Waiting>),
}

/// Somebody who may be told to make room.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Its place in the queue: who came first has the smallest, strangers before the familiar.
    arrival: u64,
    /// Written under the crowd's lock alone; read outside as a hint, behind `told`.
    state: AtomicU8,
    told: Notify,
}

/// Added to an arrival that is to go only after all that lack it.
const BEHIND: u64 = 1 << 63;

const QUEUED: u8 = 0;
const KEPT: u8 = 1;
const EVICTED: u8 = 2;

impl Waiting {
    /// Returns when it was told to make room.
    pub(super) async fn evicted(&self) {
        loop {
            self.told.notified().await;
            if self.state.load(Ordering::Relaxed) == EVICTED {
                // Left for whoever asks again.
                self.told.notify_one();
                return;
            }
        }
    }
}

/// All connections that are held.
#[derive(Debug)]
pub(super) struct Crowd {
    sessions: usize,
    per_client: u32,
    per_network: u32,
    clients: HashMap<ClientKey, u32>,
    networks: HashMap<NetworkKey, InNetwork>,
    /// Those in the rest that have not logged in, by arrival.
    queue: BTreeMap<u64, Arc<Waiting>>,
    arrivals: u64,
    /// In the quarter for familiar networks.
    reserved: usize,
    /// In the rest, without those told to go.
    open: usize,
    /// Told to go and not gone yet.
    leaving: usize,
    evicted: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct InNetwork {
    all: u32,
    reserved: u32,
}

impl Crowd {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            sessions: settings.sessions,
            per_client: settings.per_client,
            per_network: settings.per_network,
            clients: HashMap::new(),
            networks: HashMap::new(),
            queue: BTreeMap::new(),
            arrivals: 0,
            reserved: 0,
            open: 0,
            leaving: 0,
            evicted: 0,
        }
    }

    pub(super) fn reconfigure(&mut self, settings: &Settings) {
        self.sessions = settings.sessions;
        self.per_client = settings.per_client;
        self.per_network = settings.per_network;
    }

    /// Connections held, those told to go included.
    pub(super) fn held(&self) -> usize {
        self.reserved + self.open + self.leaving
    }

    /// Strangers told to make room, since the start.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Takes a place for `client`, making room if need be.
    pub(super) fn enter(
        &mut self,
        client: ClientKey,
        standing: Standing,
    ) -> Result<Place, TurnedAway> {
        let network = client.network();
        let inside = self.networks.get(&network).copied().unwrap_or_default();
        if standing != Standing::Allow {
            if self.clients.get(&client).copied().unwrap_or(0) >= self.per_client {
                return Err(TurnedAway::Client);
            }
            if inside.all >= self.per_network {
                return Err(TurnedAway::Network);
            }
        }
        let place = self.place(standing, inside)?;
        *self.clients.entry(client).or_default() += 1;
        let inside = self.networks.entry(network).or_default();
        inside.all += 1;
        inside.reserved += u32::from(matches!(place, Place::Reserved));
        Ok(place)
    }

    /// Frees a place.
    pub(super) fn leave(&mut self, client: ClientKey, place: &Place) {
        match place {
            Place::Reserved => self.reserved -= 1,
            Place::Open => self.open -= 1,
            Place::Stranger(waiting) if waiting.is(EVICTED) => self.leaving -= 1,
            Place::Stranger(waiting) => {
                self.queue.remove(&waiting.arrival);
                self.open -= 1;
            }
        }
        let reserved = u32::from(matches!(place, Place::Reserved));
        release(&mut self.clients, client, |count| {
            *count -= 1;
            *count == 0
        });
        release(&mut self.networks, client.network(), |inside| {
            inside.all -= 1;
            inside.reserved -= reserved;
            inside.all == 0
        });
    }

    /// Lets a stranger that has logged in stay.
    pub(super) fn keep(&mut self, waiting: &Waiting) {
        self.queue.remove(&waiting.arrival);
        if waiting.is(EVICTED) {
            // Above the whole by one then, until somebody leaves.
            self.leaving -= 1;
            self.open += 1;
        }
        waiting.becomes(KEPT);
    }

    /// Whether nothing is left of anybody.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.held() == 0
            && self.clients.is_empty()
            && self.networks.is_empty()
            && self.queue.is_empty()
    }

    fn place(&mut self, standing: Standing, inside: InNetwork) -> Result<Place, TurnedAway> {
        let reserve = self.sessions / 4;
        let familiar = standing != Standing::Stranger;
        if familiar && self.reserved < reserve && inside.reserved < RESERVE_PER_NETWORK {
            self.reserved += 1;
            return Ok(Place::Reserved);
        }
        if self.open >= self.sessions - reserve {
            self.evict_oldest()?;
        }
        self.open += 1;
        if standing == Standing::Allow {
            return Ok(Place::Open);
        }
        // Beyond the quarter the familiar go too, when no stranger is left: whoever has one valid account
        // makes networks familiar, and could fill the whole with connections that never log in.
        let behind_strangers = if familiar { BEHIND } else { 0 };
        let waiting = Arc::new(Waiting {
            arrival: self.arrivals | behind_strangers,
            state: AtomicU8::new(QUEUED),
            told: Notify::new(),
        });
        self.arrivals += 1;
        self.queue.insert(waiting.arrival, Arc::clone(&waiting));
        Ok(Place::Stranger(waiting))
    }

    fn evict_oldest(&mut self) -> Result<(), TurnedAway> {
        // Whoever was told to go is still here for a moment. Told faster than they go, they would
        // outgrow the limit on open files.
        if self.leaving >= self.sessions / 8 + LEAVING {
            return Err(TurnedAway::Full);
        }
        let (_, oldest) = self.queue.pop_first().ok_or(TurnedAway::Full)?;
        oldest.becomes(EVICTED);
        oldest.told.notify_one();
        self.open -= 1;
        self.leaving += 1;
        self.evicted += 1;
        Ok(())
    }
}

impl Waiting {
    fn is(&self, state: u8) -> bool {
        self.state.load(Ordering::Relaxed) == state
    }

    fn becomes(&self, state: u8) {
        self.state.store(state, Ordering::Relaxed);
    }
}

fn release<K: Eq + Hash, V>(map: &mut HashMap<K, V>, key: K, lower: impl FnOnce(&mut V) -> bool) {
    if let Entry::Occupied(mut entry) = map.entry(key)
        && lower(entry.get_mut())
    {
        entry.remove();
    }
}
