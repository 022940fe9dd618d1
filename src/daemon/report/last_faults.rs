//! last_faults - the last fault of each client, for an operator who asks why it did not log in
//!
//! One code beside a client, in a table of fixed size: of two clients that share a row the later one has it.
//! Not here: which faults there are (`smtp::dialogue`, `net::tls`), who is shown them (`server::operator`).

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::moment::Moment;

/// Rows. A row is 56 octets at most: 917 KB.
const ROWS: usize = 16_384;

/// The last fault of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastFault {
    /// The client.
    pub client: ClientKey,
    /// When.
    pub at: Moment,
    /// In which session.
    pub session: u64,
    /// Its log value.
    pub fault: &'static str,
}

/// The last faults of all clients, as far as there is room.
#[derive(Debug)]
pub struct LastFaults {
    hasher: RandomState,
    rows: Mutex<Box<[Option<LastFault>]>>,
}

impl Default for LastFaults {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            rows: Mutex::new(vec![None; ROWS].into_boxed_slice()),
        }
    }
}

impl LastFaults {
    /// Remembers one.
    pub fn note(&self, fault: LastFault) {
        let index = self.index(fault.client);
        if let Some(row) = self.rows().get_mut(index) {
            *row = Some(fault);
        }
    }

    /// The last one of a client, if it is remembered.
    pub fn of(&self, client: ClientKey) -> Option<LastFault> {
        let row = self.rows().get(self.index(client)).copied()?;
        row.filter(|fault| fault.client == client)
    }

    fn index(&self, client: ClientKey) -> usize {
        usize::try_from(self.hasher.hash_one(client) % ROWS as u64).unwrap_or_default()
    }

    fn rows(&self) -> MutexGuard<'_, Box<[Option<LastFault>]>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_fault_of_a_client_is_shown_and_nothing_grows() {
        assert!(size_of::<Option<LastFault>>() <= 56);
        let faults = LastFaults::default();
        let one = |client, session| LastFault {
            client: ClientKey::V4(client),
            at: Moment::EPOCH,
            session,
            fault: "no-mechanism",
        };
        for client in 0..100_000 {
            faults.note(one(client, 1));
        }
        faults.note(one(7, 2));
        assert_eq!(faults.of(ClientKey::V4(7)), Some(one(7, 2)));
        assert_eq!(faults.of(ClientKey::V4(100_000)), None);
        assert_eq!(faults.rows().len(), ROWS);
    }
}
