//! entry - one connection that may be evicted: its order, how far it has come, and the news that it must end
//!
//! Not here: who decides that (`connections`, `pending`).

use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::Notify;

use gatepost_core::gate::request::client::ClientKey;

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionStage {
    /// The client has sent nothing.
    Silent,
    /// It has begun a handshake, or a dialogue in clear.
    Spoken,
    /// The handshake is done.
    Secured,
}

impl ConnectionStage {
    /// In their order.
    pub(super) const ALL: [Self; 3] = [Self::Silent, Self::Spoken, Self::Secured];
}

/// Where a connection counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SlotShare {
    /// In the quarter for familiar networks.
    Reserve,
    /// In the rest.
    Rest,
}

/// What has become of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryState {
    /// It may be evicted.
    Queued,
    /// It has logged in.
    Kept,
    /// It gave way because all sessions were in use, and does not count in its place any more.
    Evicted,
    /// It gave way to another of its client or network, and counts until it is closed.
    Replaced,
}

impl EntryState {
    const ALL: [Self; 4] = [Self::Queued, Self::Kept, Self::Evicted, Self::Replaced];
}

/// The entry of a connection that may be evicted.
#[derive(Debug)]
pub(super) struct EvictionEntry {
    pub(super) client: ClientKey,
    pub(super) share: SlotShare,
    /// Its key in the order of all: the oldest has the smallest, and strangers come before familiar clients, and those
    /// before the allow list.
    pub(super) order: u64,
    /// Written only under the lock of the connections; read outside of it as a hint, after `notify`.
    state: AtomicU8,
    /// Written by the session alone.
    progress: AtomicU8,
    notify: Notify,
}

/// Added to the arrival of a connection that is evicted only after all without it.
pub(super) const AFTER_STRANGERS: u64 = 1 << 62;

/// Added to the arrival of a connection of the allow list.
pub(super) const AFTER_ALL: u64 = 1 << 63;

impl EvictionEntry {
    pub(super) fn new(client: ClientKey, share: SlotShare, order: u64) -> Self {
        Self {
            client,
            share,
            order,
            state: AtomicU8::new(EntryState::Queued as u8),
            progress: AtomicU8::new(ConnectionStage::Silent as u8),
            notify: Notify::new(),
        }
    }

    /// When it came, among all: the oldest has the smallest.
    pub(super) fn arrival(&self) -> u64 {
        self.order & !(AFTER_STRANGERS | AFTER_ALL)
    }

    pub(super) fn state(&self) -> EntryState {
        let state = EntryState::ALL.get(usize::from(self.state.load(Ordering::Relaxed)));
        state.copied().unwrap_or(EntryState::Queued)
    }

    pub(super) fn set(&self, state: EntryState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    pub(super) fn progress(&self) -> ConnectionStage {
        let progress = ConnectionStage::ALL.get(usize::from(self.progress.load(Ordering::Relaxed)));
        progress.copied().unwrap_or(ConnectionStage::Silent)
    }

    pub(super) fn progressed(&self, progress: ConnectionStage) {
        self.progress.fetch_max(progress as u8, Ordering::Relaxed);
    }

    /// Wakes the session that must end.
    pub(super) fn wake(&self) {
        self.notify.notify_one();
    }

    /// Returns when the connection must end.
    pub(super) async fn evicted(&self) {
        loop {
            self.notify.notified().await;
            if matches!(self.state(), EntryState::Evicted | EntryState::Replaced) {
                // Kept for the next caller.
                self.notify.notify_one();
                return;
            }
        }
    }

    /// Returns when it must end because all sessions are in use.
    pub(super) async fn evicted_for_all(&self) {
        self.evicted().await;
        // A connection that has given way to its own client or network is evicted in no other way.
        if self.state() == EntryState::Replaced {
            std::future::pending().await
        }
    }
}
