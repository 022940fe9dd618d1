//! refused_counts - how often each refused client connects, in bounded memory
//!
//! A banned client stays for as long as its ban. Others (over their rate, at a cap) must be loud, and stay for a short
//! time only: then their connections are looked at again, for nobody sees any more what the kernel drops.
//! Not here: what is done with the busiest (`filter`).

use std::cmp::Reverse;
use std::collections::HashMap;

use gatepost_core::capacity::give_back;
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::verdict::Standing;

/// Refused connections between two looks (a second) that make a client loud. More than any mail program opens.
pub(super) const LOUD: u32 = 50;
/// Looks for which a loud client stays.
pub(super) const LOOKS: u32 = 10;

/// Why a client was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedFor {
    /// It is banned or denied.
    Ban,
    /// It has or opens too many connections.
    Connections,
}

/// Connections of refused clients, by client.
#[derive(Debug)]
pub(super) struct RefusedCounts {
    clients: HashMap<ClientKey, RefusedClient>,
    capacity: usize,
    /// Connections that were not counted because the map was full.
    left_out: u64,
}

#[derive(Clone, Copy, Debug)]
struct RefusedClient {
    reason: RefusedFor,
    connections: u32,
    /// Looks since it was found loud; 0: it was not.
    loud: u32,
}

impl RefusedClient {
    /// Whether it stays, by how it stands now.
    fn stays(&mut self, standing: Standing) -> bool {
        match (self.reason, standing) {
            (_, Standing::Familiar | Standing::Allow) => false,
            (_, Standing::Banned | Standing::Deny) => {
                self.reason = RefusedFor::Ban;
                true
            }
            (RefusedFor::Ban, Standing::Stranger) => false,
            (RefusedFor::Connections, Standing::Stranger) => {
                self.loud += u32::from(self.connections >= LOUD);
                (1..=LOOKS).contains(&self.loud)
            }
        }
    }

    const fn is_dropped(self) -> bool {
        matches!(self.reason, RefusedFor::Ban) || self.loud > 0
    }
}

impl RefusedCounts {
    /// Counts at most `capacity` clients.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            clients: HashMap::new(),
            capacity,
            left_out: 0,
        }
    }

    /// How many connections were not counted because the map was full.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Counts a connection. When the map is full, new clients are not counted until the next
    /// [`RefusedCounts::look`].
    pub(super) fn count(&mut self, client: ClientKey, reason: RefusedFor) {
        let is_full = self.clients.len() >= self.capacity;
        if let Some(client) = self.clients.get_mut(&client) {
            client.connections = client.connections.saturating_add(1);
        } else if is_full {
            self.left_out += 1;
        } else {
            let refused = RefusedClient {
                reason,
                connections: 1,
                loud: 0,
            };
            self.clients.insert(client, refused);
        }
    }

    /// Removes the clients that are not to be dropped as they stand now, and those whose time is over; if the map is
    /// full, the less busy half too.
    pub(super) fn look(&mut self, standing: impl Fn(ClientKey) -> Standing) {
        let stays =
            |client: &ClientKey, refused: &mut RefusedClient| refused.stays(standing(*client));
        self.clients.retain(stays);
        give_back(&mut self.clients);
        if self.clients.len() >= self.capacity {
            let stay = self.busiest(self.capacity / 2).into_iter();
            let with_counts = stay.filter_map(|client| self.clients.remove_entry(&client));
            self.clients = with_counts.collect();
        }
    }

    /// Removes all.
    pub(super) fn clear(&mut self) {
        self.clients = HashMap::new();
    }

    /// At most `most` clients to be dropped, the busiest first; equals in a fixed order.
    pub(super) fn busiest(&self, most: usize) -> Vec<ClientKey> {
        let dropped = self
            .clients
            .iter()
            .filter(|(_, refused)| refused.is_dropped());
        let mut all: Vec<_> = dropped
            .map(|(client, refused)| (Reverse(refused.connections), *client))
            .collect();
        all.sort_unstable();
        all.into_iter()
            .take(most)
            .map(|(_, client)| client)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BANNED: fn(ClientKey) -> Standing = |_| Standing::Banned;
    const STRANGERS: fn(ClientKey) -> Standing = |_| Standing::Stranger;

    fn counts(capacity: usize, came: &[(u32, u32)]) -> RefusedCounts {
        let mut counts = RefusedCounts::new(capacity);
        came_again(&mut counts, RefusedFor::Ban, came);
        counts
    }

    fn came_again(counts: &mut RefusedCounts, reason: RefusedFor, came: &[(u32, u32)]) {
        for &(client, times) in came {
            for _ in 0..times {
                counts.count(ClientKey::V4(client), reason);
            }
        }
    }

    fn numbers(clients: Vec<ClientKey>) -> Vec<u32> {
        let number = |client| match client {
            ClientKey::V4(bits) => bits,
            ClientKey::V6(_) => panic!("{client}"),
        };
        clients.into_iter().map(number).collect()
    }

    #[test]
    fn the_busiest_come_first() {
        let counts = counts(10, &[(1, 2), (2, 5), (3, 2), (4, 1)]);
        assert_eq!(numbers(counts.busiest(3)), [2, 1, 3]);
    }

    #[test]
    fn a_client_no_longer_banned_is_removed() {
        let mut counts = counts(10, &[(1, 2), (2, 500)]);
        counts.look(|client| match client == ClientKey::V4(2) {
            true => Standing::Stranger,
            false => Standing::Banned,
        });
        assert_eq!(numbers(counts.busiest(9)), [1]);
    }

    #[test]
    fn a_client_that_is_refused_for_its_connections_must_be_loud_and_is_heard_again_soon() {
        let mut counts = RefusedCounts::new(10);
        let came = [(1, LOUD), (2, LOUD - 1)];
        came_again(&mut counts, RefusedFor::Connections, &came);
        assert!(counts.busiest(9).is_empty());
        for _ in 0..LOOKS {
            counts.look(STRANGERS);
            assert_eq!(numbers(counts.busiest(9)), [1]);
        }
        counts.look(STRANGERS);
        assert!(counts.busiest(9).is_empty());
        // What was counted before one look is not added to what comes after it.
        came_again(&mut counts, RefusedFor::Connections, &[(2, LOUD - 1)]);
        counts.look(STRANGERS);
        assert!(counts.busiest(9).is_empty());
    }

    #[test]
    fn a_loud_client_stays_while_it_is_banned_and_goes_where_somebody_is_familiar() {
        let mut counts = RefusedCounts::new(10);
        let came = [(1, LOUD), (2, LOUD)];
        came_again(&mut counts, RefusedFor::Connections, &came);
        counts.look(|client| match client == ClientKey::V4(2) {
            true => Standing::Familiar,
            false => Standing::Banned,
        });
        for _ in 0..3 * LOOKS {
            counts.look(BANNED);
        }
        assert_eq!(numbers(counts.busiest(9)), [1]);
        counts.look(STRANGERS);
        assert!(counts.busiest(9).is_empty());
    }

    #[test]
    fn a_full_map_stops_growing_and_keeps_the_busiest() {
        let mut counts = counts(4, &[(1, 1), (2, 3), (3, 1), (4, 2), (5, 9)]);
        assert_eq!(numbers(counts.busiest(9)), [2, 4, 1, 3], "5 found it full");
        counts.look(BANNED);
        assert_eq!(numbers(counts.busiest(9)), [2, 4]);
        counts.count(ClientKey::V4(5), RefusedFor::Ban);
        assert_eq!(numbers(counts.busiest(9)), [2, 4, 5]);
    }
}
