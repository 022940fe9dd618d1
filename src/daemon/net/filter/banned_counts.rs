//! banned_counts - how often each banned client connects, in bounded memory
//!
//! Not here: what is done with the busiest (`filter`).

use std::cmp::Reverse;
use std::collections::HashMap;

use gatepost_core::gate::request::client::ClientKey;

/// Connections of banned clients, by client.
#[derive(Debug)]
pub(super) struct BannedCounts {
    counts: HashMap<ClientKey, u32>,
    capacity: usize,
    /// Connections that were not counted because the map was full.
    left_out: u64,
}

impl BannedCounts {
    /// Counts at most `capacity` clients.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            counts: HashMap::new(),
            capacity,
            left_out: 0,
        }
    }

    /// How many connections were not counted because the map was full.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Counts a connection. When the map is full, new clients are not counted until the next
    /// [`BannedCounts::retain`].
    pub(super) fn count(&mut self, client: ClientKey) {
        if let Some(count) = self.counts.get_mut(&client) {
            *count = count.saturating_add(1);
        } else if self.counts.len() < self.capacity {
            self.counts.insert(client, 1);
        } else {
            self.left_out += 1;
        }
    }

    /// Removes the clients that `keep` rejects and, if the map is full, the less busy half.
    pub(super) fn retain(&mut self, keep: impl Fn(ClientKey) -> bool) {
        self.counts.retain(|client, _| keep(*client));
        if self.counts.len() >= self.capacity {
            let stay = self.busiest(self.capacity / 2);
            let stay: Vec<_> = stay
                .into_iter()
                .filter_map(|client| self.counts.get_key_value(&client))
                .map(|(client, count)| (*client, *count))
                .collect();
            self.counts = stay.into_iter().collect();
        }
    }

    /// At most `most` clients, the busiest first; equals in a fixed order.
    pub(super) fn busiest(&self, most: usize) -> Vec<ClientKey> {
        let mut all: Vec<_> = self
            .counts
            .iter()
            .map(|(client, count)| (Reverse(*count), *client))
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

    fn counts(capacity: usize, came: &[(u32, u32)]) -> BannedCounts {
        let mut counts = BannedCounts::new(capacity);
        for &(client, times) in came {
            for _ in 0..times {
                counts.count(ClientKey::V4(client));
            }
        }
        counts
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
        let mut counts = counts(10, &[(1, 2), (2, 5)]);
        counts.retain(|client| client != ClientKey::V4(2));
        assert_eq!(numbers(counts.busiest(9)), [1]);
    }

    #[test]
    fn a_full_map_stops_growing_and_keeps_the_busiest() {
        let mut counts = counts(4, &[(1, 1), (2, 3), (3, 1), (4, 2), (5, 9)]);
        assert_eq!(numbers(counts.busiest(9)), [2, 4, 1, 3], "5 found it full");
        counts.retain(|_| true);
        assert_eq!(numbers(counts.busiest(9)), [2, 4]);
        counts.count(ClientKey::V4(5));
        assert_eq!(numbers(counts.busiest(9)), [2, 4, 5]);
    }
}
