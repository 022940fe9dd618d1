//! notice - the gate's events, on their way to the journal and the log
//!
//! One bounded channel, owned by `server`. A session waits until records are in the journal, so that no client
//! that has seen its ban is free again after a kill -9; the wait has an end, for the service matters more.
//! Not here: what becomes of an event (`server`).

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use gatepost_core::gate::Events;
use gatepost_core::gate::request::verdict::Event;

/// How long a session waits for the journal. The store logs a disk that is slower than this.
const JOURNAL_TIMEOUT: Duration = Duration::from_millis(500);

/// Some events, and who waits until they are written.
#[derive(Debug)]
pub struct Notice {
    /// The events of one call of the gate.
    pub events: Events,
    /// Acknowledged when the journal has them. None: nobody waits.
    pub written: Option<oneshot::Sender<()>>,
}

/// The sending end.
#[derive(Clone, Debug)]
pub struct Notices(mpsc::Sender<Notice>);

impl Notices {
    /// A channel for at most `length` notices.
    pub fn channel(length: usize) -> (Self, mpsc::Receiver<Notice>) {
        let (sender, receiver) = mpsc::channel(length);
        (Self(sender), receiver)
    }

    /// Passes events on. Returns when those for the journal are written, or after [`JOURNAL_TIMEOUT`].
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
        let (acknowledge, written) = oneshot::channel();
        let notice = Notice {
            events,
            written: durable.then_some(acknowledge),
        };
        // After the timeout, or with the receiver gone at the very end, the event is lost to the log;
        // the gate has it all the same, and so has the next snapshot.
        let _ = timeout(JOURNAL_TIMEOUT, async {
            if self.0.send(notice).await.is_ok() && durable {
                let _ = written.await;
            }
        })
        .await;
    }
}
