//! control - what a splice tells while it runs, and the order to end it
//!
//! One word that is stored when octets have moved, and one order. The holder of the [`SpliceControl`] reads
//! from the word whether the session works, without a lock and without a clock in the splice.
//! Not here: who gives such an order (`session::registry`).

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use tokio::sync::Notify;

use super::SpliceEnd;

/// Set in the word while Postfix has answered, and the client has said nothing since.
const CLIENTS_TURN: u64 = 1 << 63;

/// What a splice tells, and its order to end. One splice uses it, once.
#[derive(Debug, Default)]
pub struct SpliceControl {
    word: AtomicU64,
    order: AtomicU8,
    given: Notify,
}

/// How far a splice has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpliceProgress {
    /// Octets moved, both ways together.
    pub octets: u64,
    /// Whether the last of them came from Postfix: it waits for the client.
    pub clients_turn: bool,
}

/// Why a splice is ordered to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum EndOrder {
    /// The operator said so.
    Expelled = 1,
    /// Its place goes to another session.
    GaveWay = 2,
    /// Gatepost stops, and nobody could reach it any more.
    Drained = 3,
}

impl SpliceControl {
    /// Orders the splice to end; the first order counts.
    pub fn end(&self, order: EndOrder) {
        let none =
            self.order
                .compare_exchange(0, order as u8, Ordering::Relaxed, Ordering::Relaxed);
        if none.is_ok() {
            self.given.notify_one();
        }
    }

    /// How far it has come.
    pub fn progress(&self) -> SpliceProgress {
        let word = self.word.load(Ordering::Relaxed);
        SpliceProgress {
            octets: word & !CLIENTS_TURN,
            clients_turn: word & CLIENTS_TURN != 0,
        }
    }

    pub(crate) fn tell(&self, progress: SpliceProgress) {
        let turn = if progress.clients_turn {
            CLIENTS_TURN
        } else {
            0
        };
        self.word
            .store(progress.octets & !CLIENTS_TURN | turn, Ordering::Relaxed);
    }

    /// Returns when the order is given.
    pub(super) async fn ordered(&self) -> SpliceEnd {
        loop {
            match self.order.load(Ordering::Relaxed) {
                0 => self.given.notified().await,
                order if order == EndOrder::GaveWay as u8 => return SpliceEnd::GaveWay,
                order if order == EndOrder::Drained as u8 => return SpliceEnd::Drained,
                _ => return SpliceEnd::Expelled,
            }
        }
    }
}
