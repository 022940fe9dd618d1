//! notice - what changed in the gate, on its way to journal and log
//!
//! One bounded channel, owned by `server`. Some changes are waited for until the journal has them, so that a
//! client that has seen its ban cannot outlive it by a kill -9; the wait has an end, for the service matters
//! more, and how often it came to that is counted.
//! Not here: what becomes of a change (`server`).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::report::limits::{LimitCounters, ResourceLimit};
use gatepost_core::gate::Changes;
use gatepost_core::gate::request::change::Change;

/// How long a session waits for the journal. The store logs a disk that is slower than this.
const JOURNAL_TIMEOUT: Duration = Duration::from_millis(500);

/// Some changes, and who waits until they are in the journal.
#[derive(Debug)]
pub struct Notice {
    /// The changes of one call of the gate.
    pub changes: Changes,
    /// Acknowledged when the journal has them; none: nobody waits.
    pub written: Option<oneshot::Sender<()>>,
}

/// The sending end.
#[derive(Clone, Debug)]
pub struct Notices {
    sender: mpsc::Sender<Notice>,
    limits: Arc<LimitCounters>,
}

impl Notices {
    /// A channel for at most `length` notices. What is lost or late is counted in `limits`.
    pub fn channel(length: usize, limits: &Arc<LimitCounters>) -> (Self, mpsc::Receiver<Notice>) {
        // limit: notices
        let (sender, receiver) = mpsc::channel(length);
        let limits = Arc::clone(limits);
        (Self { sender, limits }, receiver)
    }

    /// Passes changes on. Returns when those that are awaited are written, or after `JOURNAL_TIMEOUT`.
    pub async fn pass(&self, changes: Changes) {
        if !changes.is_empty() {
            // Rare, and large: kept out of every session's own future.
            Box::pin(self.hand_over(changes)).await;
        }
    }

    async fn hand_over(&self, changes: Changes) {
        let awaited = changes.iter().any(Change::is_awaited);
        let (written, acknowledged) = oneshot::channel();
        let notice = Notice {
            changes,
            written: awaited.then_some(written),
        };
        // When time is up, or with the receiver gone at the very end, the change may be lost to journal and
        // log; the gate has it all the same, and the next snapshot with it.
        let mut acted = ResourceLimit::Notices;
        let passed = timeout(JOURNAL_TIMEOUT, async {
            self.sender.send(notice).await.ok()?;
            acted = ResourceLimit::Acknowledgements;
            match awaited {
                true => acknowledged.await.ok(),
                false => Some(()),
            }
        })
        .await;
        if !matches!(passed, Ok(Some(()))) {
            self.limits.count(acted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost_core::gate::request::change::{Fact, SharedLevel};
    use gatepost_core::moment::Moment;

    fn journalled() -> Changes {
        let level = SharedLevel {
            bucket: 0,
            arrival: 1,
            every: 1,
        };
        vec![Change::here(Moment::EPOCH, Fact::SharedBucket(level))]
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_lost_and_what_is_late_is_counted() {
        let limits = Arc::new(LimitCounters::default());
        let (notices, mut received) = Notices::channel(1, &limits);
        let counts = || {
            (
                limits.get(ResourceLimit::Notices),
                limits.get(ResourceLimit::Acknowledgements),
            )
        };
        notices.pass(journalled()).await;
        assert_eq!(counts(), (0, 1), "sent, and not written in time");
        notices.pass(journalled()).await;
        assert_eq!(counts(), (1, 1), "no room in time");
        received.recv().await.unwrap();
        let (_, kept) = tokio::join!(notices.pass(journalled()), async {
            received.recv().await.unwrap().written.unwrap().send(())
        });
        kept.unwrap();
        assert_eq!(counts(), (1, 1), "written in time");
    }
}
