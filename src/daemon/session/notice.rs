//! notice - what the gate decided, on its way to those who keep and show it
//!
//! One bounded channel, owned by `server`. Records for the journal are waited for, so that a client that
//! has seen its ban cannot outlive it by a kill -9; the wait has an end, for the service matters more.
//! Not here: what becomes of an event (`server`).

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use gatepost_core::gate::Events;
use gatepost_core::gate::request::verdict::Event;

/// How long a session waits for the journal. A disk that is slower than this is told by the store.
const PATIENCE: Duration = Duration::from_millis(500);

/// Some events, and who waits until they are kept.
#[derive(Debug)]
pub struct Notice {
    /// The events of one call of the gate.
    pub events: Events,
    /// Told when the journal has them; dropped unheard if nobody waits.
    pub kept: Option<oneshot::Sender<()>>,
}

/// The sender's end.
#[derive(Clone, Debug)]
pub struct Notices(mpsc::Sender<Notice>);

impl Notices {
    /// A channel for at most `length` notices.
    pub fn channel(length: usize) -> (Self, mpsc::Receiver<Notice>) {
        let (sender, receiver) = mpsc::channel(length);
        (Self(sender), receiver)
    }

    /// Passes events on. Returns when those for the journal are written, or patience ends.
    pub async fn pass(&self, events: Events) {
        if !events.is_empty() {
            // Rare, and large: kept out of every session's own future.
            Box::pin(self.hand_over(events)).await;
        }
    }

    async fn hand_over(&self, events: Events) {
        let durable = events
            .iter()
            .any(|event| matches!(event, Event::Journal(_)));
        let (kept, written) = oneshot::channel();
        let notice = Notice {
            events,
            kept: durable.then_some(kept),
        };
        // Past the patience, or with the receiver gone at the very end, the event is lost to the log;
        // the gate has it all the same, and the next snapshot with it.
        let _ = timeout(PATIENCE, async {
            if self.0.send(notice).await.is_ok() && durable {
                let _ = written.await;
            }
        })
        .await;
    }
}
