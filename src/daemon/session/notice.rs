//! notice - what changed in the gate, on its way to journal and log
//!
//! One bounded channel, owned by `server`. Some changes are waited for until the journal has them, so that a
//! client that has seen its ban cannot outlive it by a kill -9; the wait has an end, for the service matters
//! more, and how often it came to that is counted.
//! Not here: what becomes of a change (`server`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use gatepost_core::gate::Events;
use gatepost_core::gate::request::change::Change;

/// How long a session waits for the journal. A disk that is slower than this is told by the store.
const PATIENCE: Duration = Duration::from_millis(500);

/// Some changes, and who waits until they are in the journal.
#[derive(Debug)]
pub struct Notice {
    /// The changes of one call of the gate.
    pub events: Events,
    /// Acknowledged when the journal has them; none: nobody waits.
    pub written: Option<oneshot::Sender<()>>,
}

/// The sender's end.
#[derive(Clone, Debug)]
pub struct Notices {
    sender: mpsc::Sender<Notice>,
    late: Arc<AtomicU64>,
}

impl Notices {
    /// A channel for at most `length` notices.
    pub fn channel(length: usize) -> (Self, mpsc::Receiver<Notice>) {
        let (sender, receiver) = mpsc::channel(length);
        let late = Arc::default();
        (Self { sender, late }, receiver)
    }

    /// How many notices were given up: changes that were not journaled, or not seen to be, in time.
    pub fn late(&self) -> u64 {
        self.late.load(Ordering::Relaxed)
    }

    /// Passes changes on. Returns when those that are awaited are written, or time is up.
    pub async fn pass(&self, events: Events) {
        if !events.is_empty() {
            // Rare, and large: kept out of every session's own future.
            Box::pin(self.hand_over(events)).await;
        }
    }

    async fn hand_over(&self, events: Events) {
        let awaited = events.iter().any(Change::is_awaited);
        let (written, acknowledged) = oneshot::channel();
        let notice = Notice {
            events,
            written: awaited.then_some(written),
        };
        // When time is up, or with the receiver gone at the very end, the change may be lost to journal and
        // log; the gate has it all the same, and the next snapshot with it.
        let passed = timeout(PATIENCE, async {
            if self.sender.send(notice).await.is_ok() && awaited {
                let _ = acknowledged.await;
            }
        });
        if passed.await.is_err() {
            self.late.fetch_add(1, Ordering::Relaxed);
        }
    }
}
