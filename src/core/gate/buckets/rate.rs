//! rate - one token bucket a client, a network or a user, for the rooms beside the gate
//!
//! Admission counts new connections with it, and the gate turns. It stands here because the table and the arithmetic
//! do: fixed memory, and in a full set the client whose bucket is full soonest is evicted.
//! Not here: the buckets of login attempts (`bucket`).

use std::fmt;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use crate::gate::buckets::key::Key;
use crate::gate::buckets::limit::Limit;
use crate::gate::buckets::quota::Quota;
use crate::gate::buckets::table::Table;
use crate::gate::request::client::{ClientKey, NetworkKey};
use crate::gate::request::keys::UserId;
use crate::moment::Moment;

/// Whose bucket it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateKey {
    /// A client's.
    Client(ClientKey),
    /// A network's.
    Network(NetworkKey),
    /// A user's, from where the user is a stranger.
    Stranger(UserId),
    /// A user's, from where the user has logged in.
    AtHome(UserId),
}

impl From<ClientKey> for RateKey {
    fn from(client: ClientKey) -> Self {
        Self::Client(client)
    }
}

impl From<NetworkKey> for RateKey {
    fn from(network: NetworkKey) -> Self {
        Self::Network(network)
    }
}

impl RateKey {
    fn row(self) -> Key {
        match self {
            Self::Client(client) => Key::client(client),
            Self::Network(network) => Key::network(network),
            Self::Stranger(user) => Key::far(user),
            Self::AtHome(user) => Key::near(user),
        }
    }
}

/// The buckets of all clients or networks that have lately taken a token.
pub struct ClientRate {
    table: Table<3>,
    limit: RwLock<Limit>,
}

impl ClientRate {
    /// Full buckets for all clients, in a table of `rows` rows for clients that owe something (24
    /// octets each). `secret` spreads them, so that nobody can aim at another's row.
    pub fn new(quota: Quota, rows: usize, secret: &[u8; 16]) -> Self {
        Self {
            table: Table::new(rows, secret, |&[_, arrival, _]| arrival),
            limit: RwLock::new(Limit::new(quota)),
        }
    }

    /// Takes one token of a client or a network.
    ///
    /// # Errors
    /// There is none; the time until there is one.
    pub fn take(&self, of: impl Into<RateKey>, now: Moment) -> Result<(), Duration> {
        let limit = *self.limit.read().unwrap_or_else(PoisonError::into_inner);
        self.table.with(of.into().row(), now, |row| {
            let arrival = row.map_or(0, |&[_, arrival, _]| arrival);
            match limit.take(arrival, now) {
                Ok(arrival) => (Ok(()), Some([0, arrival, 0])),
                // Written too, so that a debt of an older, slower quota is cut once and then runs off.
                Err(wait) => (Err(wait), Some([0, limit.bounded(arrival, now), 0])),
            }
        })
    }

    /// Whether one could take a token now.
    pub(in crate::gate) fn has_token(&self, of: RateKey, now: Moment) -> bool {
        let limit = *self.limit.read().unwrap_or_else(PoisonError::into_inner);
        let arrival = self.table.read(of.row());
        limit.left(arrival.map_or(0, |[_, arrival, _]| arrival), now) > 0
    }

    /// Gives a token back that was taken. Late, when it has come back by itself, it is one more than was taken:
    /// never more than a full bucket.
    pub fn give_back(&self, of: impl Into<RateKey>) {
        let limit = *self.limit.read().unwrap_or_else(PoisonError::into_inner);
        self.table.with(of.into().row(), Moment::EPOCH, |row| {
            let without =
                |&[_, arrival, _]: &[u64; 3]| [0, arrival.saturating_sub(limit.every()), 0];
            ((), row.map(without))
        });
    }

    /// How many clients were forgotten early, for want of rows.
    pub fn evictions(&self) -> u64 {
        self.table.evictions()
    }

    /// Another quota from now on; a debt stays, but never longer than one burst of it.
    pub fn reconfigure(&self, quota: Quota) {
        *self.limit.write().unwrap_or_else(PoisonError::into_inner) = Limit::new(quota);
    }
}

impl fmt::Debug for ClientRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientRate").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_seconds(1_000_000);

    fn quota(burst: u32, seconds: u64) -> Quota {
        Quota {
            burst,
            every: Duration::from_secs(seconds),
        }
    }

    #[test]
    fn each_client_has_its_burst_and_then_one_token_at_a_time() {
        let rate = ClientRate::new(quota(3, 10), 64, &[7; 16]);
        let (one, other) = (ClientKey::V4(1), ClientKey::V6(1));
        for _ in 0..3 {
            assert!(rate.take(one, NOW).is_ok());
        }
        assert_eq!(rate.take(one, NOW), Err(Duration::from_secs(10)));
        assert!(rate.take(other, NOW).is_ok());
        assert!(rate.take(one, NOW + Duration::from_secs(10)).is_ok());
        assert!(rate.take(one, NOW + Duration::from_secs(10)).is_err());
    }

    #[test]
    fn a_token_that_is_given_back_can_be_taken_again() {
        let rate = ClientRate::new(quota(2, 10), 64, &[7; 16]);
        let network = ClientKey::V4(1).network();
        for _ in 0..2 {
            assert!(rate.take(network, NOW).is_ok());
        }
        assert!(rate.take(network, NOW).is_err());
        rate.give_back(network);
        assert!(rate.take(network, NOW).is_ok());
        assert!(rate.take(network, NOW).is_err());
        for _ in 0..9 {
            rate.give_back(network);
        }
        for _ in 0..2 {
            assert!(rate.take(network, NOW).is_ok());
        }
        assert!(rate.take(network, NOW).is_err(), "never more than a burst");
        rate.give_back(ClientKey::V4(5));
        assert!(rate.take(ClientKey::V4(1), NOW).is_ok(), "a client's own");
    }

    #[test]
    fn a_wider_quota_holds_at_once() {
        let rate = ClientRate::new(quota(1, 60), 64, &[7; 16]);
        let client = ClientKey::V4(1);
        assert!(rate.take(client, NOW).is_ok());
        assert!(rate.take(client, NOW).is_err());
        rate.reconfigure(quota(5, 1));
        assert!(
            rate.take(client, NOW).is_err(),
            "the debt is one burst of the new quota"
        );
        assert!(rate.take(client, NOW + Duration::from_secs(1)).is_ok());
    }

    #[test]
    fn a_million_clients_leave_the_loudest_in_the_table() {
        let rate = ClientRate::new(quota(60, 1), 4_096, &[7; 16]);
        let loud = ClientKey::V4(0);
        while rate.take(loud, NOW).is_ok() {}
        for number in 1..1_000_000 {
            assert!(rate.take(ClientKey::V4(number), NOW).is_ok());
        }
        assert!(rate.take(loud, NOW).is_err());
        assert!(rate.table.rows() < 2 * 4_096);
    }
}
