//! outbox - facts of this machine on their way to the others
//!
//! Nobody waits: what finds it full is lost to it, and told later with all that this machine knows.
//! Not here: who empties it (`server::sharing`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::report::limits::{LimitCounters, ResourceLimit};
use gatepost_core::gate::request::change::Change;

/// Facts that wait: what a machine does in ten minutes while the store is away.
const WAITING: usize = 65_536;

/// Where facts are left. Clones are the same.
#[derive(Clone, Debug)]
pub struct Outbox {
    /// None: there is nobody to tell.
    sender: Option<mpsc::Sender<Change>>,
    lost: Arc<AtomicBool>,
    limits: Arc<LimitCounters>,
}

/// Where they are taken from.
#[derive(Debug)]
pub struct OutboxFacts {
    receiver: mpsc::Receiver<Change>,
    lost: Arc<AtomicBool>,
}

impl Outbox {
    /// One that is emptied.
    pub fn channel(limits: &Arc<LimitCounters>) -> (Self, OutboxFacts) {
        // limit: cluster-facts
        let (sender, receiver) = mpsc::channel(WAITING);
        let lost = Arc::new(AtomicBool::new(false));
        let outbox = Self {
            sender: Some(sender),
            lost: Arc::clone(&lost),
            limits: Arc::clone(limits),
        };
        (outbox, OutboxFacts { receiver, lost })
    }

    /// One that takes nothing.
    pub fn closed(limits: &Arc<LimitCounters>) -> Self {
        Self {
            sender: None,
            lost: Arc::default(),
            limits: Arc::clone(limits),
        }
    }

    /// Leaves what others are to know.
    pub fn leave(&self, changes: &[Change]) {
        let Some(sender) = &self.sender else { return };
        for change in changes.iter().filter(|change| change.concerns_others()) {
            if let Err(TrySendError::Full(_)) = sender.try_send(*change) {
                self.lost.store(true, Ordering::Relaxed);
                self.limits.count(ResourceLimit::ClusterFacts);
            }
        }
    }
}

impl OutboxFacts {
    /// The next one.
    pub fn take(&mut self) -> Option<Change> {
        self.receiver.try_recv().ok()
    }

    /// Whether something was lost since the last question.
    pub fn has_lost(&self) -> bool {
        self.lost.swap(false, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost_core::gate::request::change::Fact;
    use gatepost_core::gate::request::change::{Expulsion, Origin, Subject};
    use gatepost_core::moment::Moment;

    fn expelled(n: u32) -> Change {
        let client = gatepost_core::gate::request::client::ClientKey::V4(n);
        let whose = Expulsion::Place(Subject::Client(client));
        Change::here(Moment::EPOCH, Fact::Expelled(whose))
    }

    #[test]
    fn what_finds_it_full_is_counted_and_known_to_be_lost() {
        let limits = Arc::new(LimitCounters::default());
        let (outbox, mut facts) = Outbox::channel(&limits);
        let all: Vec<Change> = (0..WAITING as u32).map(expelled).collect();
        outbox.leave(&all);
        assert!(!facts.has_lost());
        outbox.leave(&[expelled(0)]);
        assert!(facts.has_lost() && !facts.has_lost());
        assert_eq!(limits.get(ResourceLimit::ClusterFacts), 1);
        assert_eq!(std::iter::from_fn(|| facts.take()).count(), WAITING);
    }

    #[test]
    fn what_concerns_nobody_else_is_not_left() {
        let limits = Arc::new(LimitCounters::default());
        let (outbox, mut facts) = Outbox::channel(&limits);
        let elsewhere = Change {
            origin: Origin::ELSEWHERE,
            ..expelled(1)
        };
        let outage = Change::here(Moment::EPOCH, Fact::BackendFailing);
        outbox.leave(&[elsewhere, outage, expelled(2)]);
        assert_eq!(facts.take(), Some(expelled(2)));
        assert_eq!(facts.take(), None);
    }
}
