//! notice - what changed in the gate, on its way to journal and log
//!
//! One bounded channel, owned by `server`. Some changes are waited for until the journal has them, so that a
//! client that has seen its ban cannot outlive it by a kill -9; the wait has an end, for the service matters
//! more, and how often it came to that is counted. An operator is told what came of it ([`Notices::keep`]).
//! Not here: what becomes of a change (`server`).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::report::limits::{LimitCounters, ResourceLimit};
use gatepost_core::gate::Changes;
use gatepost_core::gate::request::change::Change;

/// How long a session waits for the journal. The store logs a disk that is much slower than this.
const JOURNAL_TIMEOUT: Duration = Duration::from_millis(500);

/// How long an operator waits for the disk.
const DISK_TIMEOUT: Duration = Duration::from_secs(10);

/// What became of changes: why they are not kept.
pub type WriteOutcome = Result<(), Arc<str>>;

/// Some changes, and who waits until they are kept.
#[derive(Debug)]
pub struct Notice {
    /// The changes of one call of the gate.
    pub changes: Changes,
    /// Who is told what became of them.
    pub waiting: Acknowledge,
}

/// Who waits for changes to be kept, and where.
#[derive(Debug)]
pub enum Acknowledge {
    /// Nobody.
    Nobody,
    /// A session, for the journal: they outlive the process.
    ForJournal(oneshot::Sender<WriteOutcome>),
    /// An operator, for the disk: they outlive the machine.
    ForDisk(oneshot::Sender<WriteOutcome>),
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
            let awaited = changes.iter().any(Change::is_awaited);
            // Rare, and large: kept out of every session's own future.
            Box::pin(self.hand_over(changes, awaited)).await;
        }
    }

    /// Passes on what other machines tell. Returns when it is written, or after `JOURNAL_TIMEOUT`: however much they tell, no session
    /// waits behind more than a part of it. Whether it was written in time.
    pub async fn pass_in_turn(&self, changes: Changes) -> bool {
        changes.is_empty() || self.hand_over(changes, true).await
    }

    /// Passes on what other machines tell, and does not wait. It takes half of the room at most: the rest is for sessions.
    pub fn pass_at_once(&self, changes: Changes) {
        if changes.is_empty() {
            return;
        }
        let notice = Notice {
            changes,
            waiting: Acknowledge::Nobody,
        };
        let has_room = self.sender.capacity() > self.sender.max_capacity() / 2;
        let is_passed = has_room && self.sender.try_send(notice).is_ok();
        if !is_passed {
            self.limits.count(ResourceLimit::Notices);
        }
    }

    /// Passes an operator's changes on, and says whether the disk has them.
    ///
    /// # Errors
    ///
    /// Why it does not.
    pub async fn keep(&self, changes: Changes) -> WriteOutcome {
        if changes.is_empty() {
            return Ok(());
        }
        let (told, answer) = oneshot::channel();
        let notice = Notice {
            changes,
            waiting: Acknowledge::ForDisk(told),
        };
        let kept = timeout(DISK_TIMEOUT, async {
            self.sender.send(notice).await.ok()?;
            answer.await.ok()
        });
        match kept.await {
            Ok(Some(kept)) => kept,
            Ok(None) => Err("Gatepost is stopping".into()),
            Err(_) => {
                self.limits.count(ResourceLimit::Acknowledgements);
                Err("the disk does not answer".into())
            }
        }
    }

    /// Whether it was handed over in time.
    async fn hand_over(&self, changes: Changes, awaited: bool) -> bool {
        let (written, acknowledged) = oneshot::channel();
        let notice = Notice {
            changes,
            waiting: match awaited {
                true => Acknowledge::ForJournal(written),
                false => Acknowledge::Nobody,
            },
        };
        // When time is up, or with the receiver gone at the very end, the change may be lost to journal and
        // log; the gate has it all the same, and the next snapshot with it.
        let mut acted = ResourceLimit::Notices;
        let passed = timeout(JOURNAL_TIMEOUT, async {
            self.sender.send(notice).await.ok()?;
            acted = ResourceLimit::Acknowledgements;
            match awaited {
                // A session goes on whatever the disk says; `status` tells that.
                true => acknowledged.await.ok().map(drop),
                false => Some(()),
            }
        })
        .await;
        let in_time = matches!(passed, Ok(Some(())));
        if !in_time {
            self.limits.count(acted);
        }
        in_time
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
            match received.recv().await.unwrap().waiting {
                Acknowledge::ForJournal(session) => session.send(Ok(())),
                other => panic!("{other:?}"),
            }
        });
        kept.unwrap();
        assert_eq!(counts(), (1, 1), "written in time");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_passed_at_once_leaves_half_of_the_room_and_is_counted_where_it_finds_none() {
        let limits = Arc::new(LimitCounters::default());
        let (notices, _received) = Notices::channel(4, &limits);
        notices.pass_at_once(Changes::new());
        for _ in 0..5 {
            notices.pass_at_once(journalled());
        }
        assert_eq!(notices.sender.capacity(), 2);
        assert_eq!(limits.get(ResourceLimit::Notices), 3);
        assert!(!notices.pass_in_turn(journalled()).await, "nobody writes");
    }

    #[tokio::test(start_paused = true)]
    async fn what_other_machines_tell_goes_to_the_journal_one_part_at_a_time() {
        let limits = Arc::new(LimitCounters::default());
        let (notices, mut received) = Notices::channel(2, &limits);
        // Nothing that a session would wait for.
        let part = || vec![Change::here(Moment::EPOCH, Fact::BackendFailing)];
        let both = async {
            notices.pass_in_turn(part()).await;
            notices.pass_in_turn(part()).await;
        };
        let journal = async {
            for _ in 0..2 {
                let notice = received.recv().await.unwrap();
                tokio::task::yield_now().await;
                assert!(received.try_recv().is_err(), "the next one waits");
                match notice.waiting {
                    Acknowledge::ForJournal(waits) => waits.send(Ok(())).unwrap(),
                    other => panic!("{other:?}"),
                }
            }
        };
        tokio::join!(both, journal);
        assert_eq!(limits.get(ResourceLimit::Acknowledgements), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_operator_is_told_what_the_disk_said_and_when_it_says_nothing() {
        let limits = Arc::new(LimitCounters::default());
        let (notices, mut received) = Notices::channel(1, &limits);
        assert_eq!(notices.keep(Vec::new()).await, Ok(()), "nothing to keep");
        let (kept, _) = tokio::join!(notices.keep(journalled()), async {
            match received.recv().await.unwrap().waiting {
                Acknowledge::ForDisk(operator) => operator.send(Err("full".into())),
                other => panic!("{other:?}"),
            }
        });
        assert_eq!(kept, Err("full".into()));
        let late = notices.keep(journalled()).await;
        assert_eq!(late, Err("the disk does not answer".into()));
        assert_eq!(limits.get(ResourceLimit::Acknowledgements), 1);
        drop(received);
        let ending = notices.keep(journalled()).await;
        assert_eq!(ending, Err("Gatepost is stopping".into()));
    }
}
