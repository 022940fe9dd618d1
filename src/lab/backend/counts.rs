//! counts - what reached the backend: the truth about what a proxy lets through
//!
//! By client too, as announced; at most 100,000 of them, so that no botnet makes it grow.
//! Not here: what the clients saw of it (`botnet::tally`).

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

const CLIENTS: usize = 100_000;
const LAST_MAILS: usize = 8;

/// Counts; shared by all sessions and their readers.
#[derive(Debug, Default)]
pub struct BackendCounters(Mutex<CounterState>);

#[derive(Debug, Default)]
struct CounterState {
    totals: BackendTotals,
    clients: HashMap<IpAddr, ClientCounts>,
    last: VecDeque<Mail>,
}

/// All clients together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BackendTotals {
    /// Connections, probes included.
    pub connections: u64,
    /// Of these, still open.
    pub open: u64,
    /// Passwords that the checker was asked about.
    pub checks: u64,
    /// Of these, right ones.
    pub logins: u64,
    /// Mails accepted.
    pub mails: u64,
    /// Their octets, as unstuffed.
    pub octets: u64,
}

/// One client, as announced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClientCounts {
    /// Passwords that the checker was asked about.
    pub checks: u64,
    /// Of these, right ones.
    pub logins: u64,
    /// Mails accepted.
    pub mails: u64,
}

/// What is kept of a mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mail {
    /// Who logged in.
    pub user: String,
    /// The announced client.
    pub client: IpAddr,
    /// The address in MAIL FROM.
    pub sender: String,
    /// How many RCPT TO.
    pub recipients: usize,
    /// Its `Subject:`, empty where there is none.
    pub subject: String,
    /// Its size, as unstuffed.
    pub octets: u64,
    /// The CRC-32 of all of it, to compare with what was sent.
    pub crc32: u32,
}

/// One open connection; dropped, it is counted as closed.
#[derive(Debug)]
pub(super) struct OpenConnection(Arc<BackendCounters>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.state().totals.open -= 1;
    }
}

impl BackendCounters {
    /// All clients together.
    pub fn totals(&self) -> BackendTotals {
        self.state().totals
    }

    /// All clients that `of` picks, together.
    pub fn of_clients(&self, of: impl Fn(IpAddr) -> bool) -> ClientCounts {
        let state = self.state();
        let picked = state.clients.iter().filter(|(client, _)| of(**client));
        picked.fold(ClientCounts::default(), |sum, (_, client)| ClientCounts {
            checks: sum.checks + client.checks,
            logins: sum.logins + client.logins,
            mails: sum.mails + client.mails,
        })
    }

    /// The last few mails, the newest last.
    pub fn last_mails(&self) -> Vec<Mail> {
        self.state().last.iter().cloned().collect()
    }

    pub(super) fn connected(self: &Arc<Self>) -> OpenConnection {
        let mut state = self.state();
        state.totals.connections += 1;
        state.totals.open += 1;
        OpenConnection(Arc::clone(self))
    }

    pub(super) fn asked(&self, client: IpAddr) {
        let mut state = self.state();
        state.totals.checks += 1;
        state.client(client, |figures| figures.checks += 1);
    }

    pub(super) fn accepted(&self, client: IpAddr) {
        let mut state = self.state();
        state.totals.logins += 1;
        state.client(client, |figures| figures.logins += 1);
    }

    pub(super) fn received(&self, mail: Mail) {
        let mut state = self.state();
        state.totals.mails += 1;
        state.totals.octets += mail.octets;
        state.client(mail.client, |figures| figures.mails += 1);
        if state.last.len() == LAST_MAILS {
            state.last.pop_front();
        }
        state.last.push_back(mail);
    }

    fn state(&self) -> MutexGuard<'_, CounterState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CounterState {
    fn client(&mut self, client: IpAddr, count: impl FnOnce(&mut ClientCounts)) {
        if self.clients.len() < CLIENTS || self.clients.contains_key(&client) {
            count(self.clients.entry(client).or_default());
        }
    }
}
