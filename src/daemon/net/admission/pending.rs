//! pending - the connections that have not logged in, by network and client, and which one goes at a cap
//!
//! At its cap a client or a network makes room itself: one of its own connections goes for the new one. Which,
//! an attacker must not be able to choose. A network gives up one of the client with the most, so that one
//! infected machine pays for itself; clients with few are equal, so that a small office is never the one with the most
//! beside an attacker with many addresses. Within the chosen client, connections of the [`ConnectionStage`] that most of
//! them have reached go first, the oldest of these: an attacker that fills one stage, with silent connections or with
//! whole handshakes, shortens only the time that a client has for that stage.
//! Not here: the total (`connections`), how many a client or a network may hold (`admission`).

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::entry::{ConnectionStage, EvictionEntry};
use gatepost_core::capacity::give_back;
use gatepost_core::gate::request::client::{ClientKey, NetworkKey};

/// Clients of a network with at most so many connections are equal, and are refused for no other client's.
const FEW: usize = 8;

/// All networks that hold a connection which counts there.
#[derive(Debug, Default)]
pub(super) struct PendingConnections(HashMap<NetworkKey, NetworkCounts>);

#[derive(Debug, Default)]
struct NetworkCounts {
    /// Not logged in, by client; the oldest first.
    clients: BTreeMap<ClientKey, VecDeque<Arc<EvictionEntry>>>,
    /// Not logged in, in all.
    pending: usize,
    /// Gave way to another of its network, and still open; by client, and in all.
    leaving_clients: BTreeMap<ClientKey, usize>,
    leaving: usize,
    /// In the reserve, logged in or not.
    reserved: u32,
}

impl PendingConnections {
    /// Connections of a client that have not logged in.
    pub(super) fn of_client(&self, client: ClientKey) -> usize {
        let network = self.0.get(&client.network());
        let client = network.and_then(|network| network.clients.get(&client));
        client.map_or(0, VecDeque::len)
    }

    /// Connections of a network that have not logged in.
    pub(super) fn of_network(&self, network: NetworkKey) -> usize {
        self.0.get(&network).map_or(0, |network| network.pending)
    }

    /// Whether a client has many connections that gave way and are still open, where its network has `most` of them.
    /// One that has few pays for no other.
    pub(super) fn has_many_leaving(&self, client: ClientKey, most: usize) -> bool {
        let network = self.0.get(&client.network());
        network.is_some_and(|network| {
            let of_client = network.leaving_clients.get(&client);
            network.leaving >= most && of_client.is_some_and(|leaving| *leaving > FEW)
        })
    }

    /// Connections of a network in the reserve.
    pub(super) fn reserved(&self, network: NetworkKey) -> u32 {
        self.0.get(&network).map_or(0, |network| network.reserved)
    }

    /// Adds a connection.
    pub(super) fn add(&mut self, entry: &Arc<EvictionEntry>) {
        let network = self.0.entry(entry.client.network()).or_default();
        let of_client = network.clients.entry(entry.client).or_default();
        of_client.push_back(Arc::clone(entry));
        network.pending += 1;
    }

    /// Removes a connection that was added, where it has not been removed yet.
    pub(super) fn remove(&mut self, entry: &EvictionEntry) {
        self.change(entry.client.network(), |network| {
            let Some(of_client) = network.clients.get_mut(&entry.client) else {
                return;
            };
            let found = of_client.binary_search_by_key(&entry.arrival(), |other| other.arrival());
            if found.is_ok_and(|at| of_client.remove(at).is_some()) {
                network.pending -= 1;
            }
            if of_client.is_empty() {
                network.clients.remove(&entry.client);
            }
        });
    }

    /// One connection of a network more in the reserve.
    pub(super) fn reserve(&mut self, network: NetworkKey) {
        self.0.entry(network).or_default().reserved += 1;
    }

    /// One less.
    pub(super) fn unreserve(&mut self, network: NetworkKey) {
        self.change(network, |network| network.reserved -= 1);
    }

    /// One more that gave way.
    pub(super) fn leaves(&mut self, client: ClientKey) {
        let network = self.0.entry(client.network()).or_default();
        network.leaving += 1;
        *network.leaving_clients.entry(client).or_default() += 1;
    }

    /// One less of them.
    pub(super) fn left(&mut self, client: ClientKey) {
        self.change(client.network(), |network| {
            network.leaving -= 1;
            if let Some(leaving) = network.leaving_clients.get_mut(&client) {
                *leaving -= 1;
                if *leaving == 0 {
                    network.leaving_clients.remove(&client);
                }
            }
        });
    }

    /// Which of a client's connections goes first.
    pub(super) fn first_of_client(&self, client: ClientKey) -> Option<Arc<EvictionEntry>> {
        let network = self.0.get(&client.network())?;
        goes_first(network.clients.get(&client)?.iter())
    }

    /// Which of a network's connections goes first.
    pub(super) fn first_of_network(&self, network: NetworkKey) -> Option<Arc<EvictionEntry>> {
        let clients = &self.0.get(&network)?.clients;
        let most = clients.values().map(VecDeque::len).max()?.max(FEW);
        let with_most = || {
            clients
                .values()
                .filter(move |held| held.len().max(FEW) == most)
        };
        goes_first(with_most().flatten())
    }

    /// Whether nothing is left of any connection.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn change(&mut self, network: NetworkKey, change: impl FnOnce(&mut NetworkCounts)) {
        if let Entry::Occupied(mut entry) = self.0.entry(network) {
            change(entry.get_mut());
            let counts = entry.get();
            if counts.pending == 0 && counts.leaving == 0 && counts.reserved == 0 {
                entry.remove();
                give_back(&mut self.0);
            }
        }
    }
}

/// The oldest of those that have made the progress that most of them have made.
fn goes_first<'a>(
    entries: impl Iterator<Item = &'a Arc<EvictionEntry>> + Clone,
) -> Option<Arc<EvictionEntry>> {
    let mut counts = [0_usize; ConnectionStage::ALL.len()];
    for entry in entries.clone() {
        if let Some(count) = counts.get_mut(entry.progress() as usize) {
            *count += 1;
        }
    }
    // Among stages of one size the earliest: the last of the reversed ones.
    let fullest = ConnectionStage::ALL
        .into_iter()
        .rev()
        .max_by_key(|progress| counts.get(*progress as usize).copied());
    entries
        .filter(|entry| Some(entry.progress()) == fullest)
        .min_by_key(|entry| entry.arrival())
        .map(Arc::clone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::admission::entry::SlotShare;

    #[test]
    fn the_room_that_a_crowd_of_networks_took_is_given_back() {
        let mut pending = PendingConnections::default();
        let entry = |number: u32| {
            let client = ClientKey::V4(number << 8);
            Arc::new(EvictionEntry::new(
                client,
                SlotShare::Rest,
                u64::from(number),
            ))
        };
        let entries: Vec<_> = (0..50_000).map(entry).collect();
        entries.iter().for_each(|entry| pending.add(entry));
        assert!(pending.0.capacity() >= 50_000);
        entries.iter().for_each(|entry| pending.remove(entry));
        assert!(pending.is_empty());
        assert!(pending.0.capacity() < 4_096);
    }
}
