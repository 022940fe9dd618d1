//! connections - the connections held, in all and in the reserve, and which one is evicted for another
//!
//! The maps have entries only for clients with a connection, so the total bounds their size. A step costs a
//! few look-ups, independent of the number of connections; one at the cap of a client or of a network costs
//! a look at each of its connections.
//! Not here: standing lists and the rate of new connections (`admission`, `rate`); which connection of a
//! client or a network goes (`pending`); locking.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::entry::{AFTER_ALL, AFTER_STRANGERS, EntryState, EvictionEntry, SlotShare};
use super::pending::PendingConnections;
use super::{AdmissionSettings, TurnedAway};
use gatepost_core::gate::request::change::Subject;
use gatepost_core::gate::request::client::{ClientKey, NetworkKey};
use gatepost_core::gate::request::verdict::Standing;

/// The most places in the reserve for familiar networks that one network may hold.
pub const RESERVE_PER_NETWORK: u32 = 50;

/// Connections that may be on their way out, beyond an eighth of the total, or a network's cap.
pub(super) const EVICTION_SLACK: usize = 16;

/// How many connections were evicted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct EvictionCounts {
    /// All sessions were in use.
    pub(super) full: u64,
    /// For another of the same client.
    pub(super) client: u64,
    /// For another of the same network.
    pub(super) network: u64,
}

/// All connections that are held.
#[derive(Debug)]
pub(super) struct Connections {
    sessions: usize,
    per_client: usize,
    per_network: usize,
    pending: PendingConnections,
    /// Connections in the rest that have not logged in, in the order in which they are evicted.
    queue: BTreeMap<u64, Arc<EvictionEntry>>,
    /// Of those, the ones of the allow list.
    queued_allowed: usize,
    arrivals: u64,
    /// Connections in the quarter for familiar networks.
    reserved: usize,
    /// Connections in the rest, without those being evicted.
    unreserved: usize,
    /// Connections that were evicted because all sessions were in use, and are still open.
    evicting: usize,
    evicted: EvictionCounts,
}

impl Connections {
    pub(super) fn new(settings: &AdmissionSettings) -> Self {
        let mut connections = Self {
            sessions: 0,
            per_client: 0,
            per_network: 0,
            pending: PendingConnections::default(),
            queue: BTreeMap::new(),
            queued_allowed: 0,
            arrivals: 0,
            reserved: 0,
            unreserved: 0,
            evicting: 0,
            evicted: EvictionCounts::default(),
        };
        connections.reconfigure(settings);
        connections
    }

    pub(super) fn reconfigure(&mut self, settings: &AdmissionSettings) {
        self.sessions = settings.sessions;
        self.per_client = usize::try_from(settings.per_client).unwrap_or(usize::MAX);
        self.per_network = usize::try_from(settings.per_network).unwrap_or(usize::MAX);
    }

    /// Connections held, including those being evicted.
    pub(super) fn held(&self) -> usize {
        self.reserved + self.unreserved + self.evicting
    }

    /// Connections of a client or a network that have not logged in.
    pub(super) fn pending_of(&self, subject: Subject) -> usize {
        match subject {
            Subject::Client(client) => self.pending.of_client(client),
            Subject::Network(network) => self.pending.of_network(network),
        }
    }

    /// Connections evicted since the start.
    pub(super) fn evicted(&self) -> EvictionCounts {
        self.evicted
    }

    /// Takes a place for `client`, and evicts another connection if necessary.
    pub(super) fn acquire(
        &mut self,
        client: ClientKey,
        standing: Standing,
    ) -> Result<Arc<EvictionEntry>, TurnedAway> {
        // The allow list has no caps of its own: a webmail host is many users at one address.
        if standing != Standing::Allow {
            self.make_room_of_its_own(client, standing)?;
        }
        let share = self.choose_share(client.network(), standing)?;
        // Beyond the reserve all can be evicted until they log in, strangers first: an attacker with one valid account
        // can make networks familiar, and a machine of the allow list may be infected. Either could fill the total with
        // connections that never log in.
        let order = match standing {
            Standing::Familiar => AFTER_STRANGERS,
            Standing::Allow => AFTER_ALL,
            _ => 0,
        };
        let entry = Arc::new(EvictionEntry::new(client, share, self.arrivals | order));
        self.arrivals += 1;
        if share == SlotShare::Rest {
            self.queue.insert(entry.order, Arc::clone(&entry));
            self.queued_allowed += usize::from(standing == Standing::Allow);
        }
        if standing != Standing::Allow {
            self.pending.add(&entry);
        }
        Ok(entry)
    }

    /// Frees a place.
    pub(super) fn release(&mut self, entry: &EvictionEntry) {
        match entry.state() {
            EntryState::Evicted => {
                self.evicting -= 1;
                return;
            }
            EntryState::Replaced => self.pending.left(entry.client),
            EntryState::Queued => self.forget(entry),
            EntryState::Kept => {}
        }
        self.leave_share(entry);
    }

    /// Keeps a connection that has logged in. It counts in its place only.
    pub(super) fn exempt(&mut self, entry: &EvictionEntry) {
        match entry.state() {
            EntryState::Kept => {}
            EntryState::Queued => self.forget(entry),
            EntryState::Replaced => self.pending.left(entry.client),
            EntryState::Evicted => {
                // Above the total by one, until another connection ends. Only the rest evicts for the total.
                self.evicting -= 1;
                self.unreserved += 1;
            }
        }
        entry.set(EntryState::Kept);
    }

    /// Whether nothing is left of any connection.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.held() + self.queued_allowed == 0 && self.pending.is_empty() && self.queue.is_empty()
    }

    /// At the cap of the client or its network, one of their connections goes. In a familiar network only the
    /// network's cap holds: behind one address there may be a whole office.
    fn make_room_of_its_own(
        &mut self,
        client: ClientKey,
        standing: Standing,
    ) -> Result<(), TurnedAway> {
        let network = client.network();
        let of_client = self.pending.of_client(client);
        if standing == Standing::Stranger && of_client >= self.per_client {
            let first = self.pending.first_of_client(client);
            self.replace(first, client, TurnedAway::Client)?;
            self.evicted.client += 1;
        } else if self.pending.of_network(network) >= self.per_network {
            let first = self.pending.first_of_network(network);
            self.replace(first, client, TurnedAway::Network)?;
            self.evicted.network += 1;
        }
        Ok(())
    }

    fn replace(
        &mut self,
        first: Option<Arc<EvictionEntry>>,
        newcomer: ClientKey,
        reason: TurnedAway,
    ) -> Result<(), TurnedAway> {
        // It is still open for a moment, for two seconds if its refusal is held back, and counts in the total until
        // it is closed.
        let most = self.per_network + EVICTION_SLACK;
        if self.pending.has_many_leaving(newcomer, most) {
            return Err(reason);
        }
        let entry = first.ok_or(reason)?;
        self.forget(&entry);
        self.pending.leaves(entry.client);
        entry.set(EntryState::Replaced);
        entry.wake();
        Ok(())
    }

    fn choose_share(
        &mut self,
        network: NetworkKey,
        standing: Standing,
    ) -> Result<SlotShare, TurnedAway> {
        if standing != Standing::Stranger
            && self.reserved < self.sessions / 4
            && self.pending.reserved(network) < RESERVE_PER_NETWORK
        {
            self.reserved += 1;
            self.pending.reserve(network);
            return Ok(SlotShare::Reserve);
        }
        self.make_room_in_all()?;
        self.unreserved += 1;
        Ok(SlotShare::Rest)
    }

    fn make_room_in_all(&mut self) -> Result<(), TurnedAway> {
        let rest = self.sessions - self.sessions / 4;
        if self.unreserved < rest {
            return Ok(());
        }
        // An evicted connection is still open for a moment. If more were evicted than close, they would
        // exceed the limit on open files.
        if self.evicting >= self.sessions / 8 + EVICTION_SLACK {
            return Err(TurnedAway::Full);
        }
        // The allow list comes last while it leaves half to the others. Otherwise one silent machine of it would have
        // everybody else make room for one another.
        let from = match self.queued_allowed > rest / 2 {
            true => AFTER_ALL,
            false => 0,
        };
        let first = self.queue.range(from..).next();
        let oldest = first.map(|(_, oldest)| Arc::clone(oldest));
        let oldest = oldest.ok_or(TurnedAway::Full)?;
        self.forget(&oldest);
        oldest.set(EntryState::Evicted);
        oldest.wake();
        self.unreserved -= 1;
        self.evicting += 1;
        self.evicted.full += 1;
        Ok(())
    }

    /// It cannot be evicted any more.
    fn forget(&mut self, entry: &EvictionEntry) {
        if self.queue.remove(&entry.order).is_some() && entry.order >= AFTER_ALL {
            self.queued_allowed -= 1;
        }
        self.pending.remove(entry);
    }

    fn leave_share(&mut self, entry: &EvictionEntry) {
        match entry.share {
            SlotShare::Rest => self.unreserved -= 1,
            SlotShare::Reserve => {
                self.reserved -= 1;
                self.pending.unreserve(entry.client.network());
            }
        }
    }
}
