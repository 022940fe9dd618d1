//! drain - the signal to stop, as a token that every task can watch; and the call to look who must leave
//!
//! Tasks hold a [`Drain`]; the owner of the [`Drainer`] gives the signal. A [`Recaller`] calls all that wait to
//! look whether they must leave, by the same channel, so that waiting for both costs what waiting for one does.
//! Not here: what each module does when it drains, and the deadline (`server`); who must leave (`session`).

use std::sync::{Arc, Weak};

use tokio::sync::watch;

/// Counts the calls: a session remembers in which epoch it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(pub u64);

#[derive(Clone, Copy, Debug, Default)]
struct Signal {
    begun: bool,
    epoch: Epoch,
}

/// Gives the signal. Dropping it also gives the signal, so that no task waits for an owner that is gone.
#[derive(Debug)]
pub struct Drainer(Arc<watch::Sender<Signal>>);

/// Calls all that wait. It keeps no [`Drainer`] alive.
#[derive(Clone, Debug)]
pub struct Recaller(Weak<watch::Sender<Signal>>);

/// Watches for the signal. Clones watch the same one.
#[derive(Clone, Debug)]
pub struct Drain(watch::Receiver<Signal>);

/// A new signal, not given yet.
pub fn channel() -> (Drainer, Drain) {
    let (sender, receiver) = watch::channel(Signal::default());
    (Drainer(Arc::new(sender)), Drain(receiver))
}

impl Drainer {
    /// Gives the signal to every [`Drain`]. Calling it again changes nothing.
    pub fn begin(&self) {
        self.0.send_modify(|signal| signal.begun = true);
    }

    /// What calls those that wait.
    pub fn recaller(&self) -> Recaller {
        Recaller(Arc::downgrade(&self.0))
    }
}

impl Recaller {
    /// Calls everybody that waits; it is `epoch` since.
    pub fn recall(&self, epoch: Epoch) {
        if let Some(sender) = self.0.upgrade() {
            sender.send_modify(|signal| signal.epoch = signal.epoch.max(epoch));
        }
    }
}

impl Drain {
    /// Whether the signal was given.
    pub fn has_begun(&self) -> bool {
        self.0.borrow().begun || self.0.has_changed().is_err()
    }

    /// Returns when the signal is given; at once if it already was. Cancel-safe.
    pub async fn begun(&mut self) {
        // An error means that the drainer was dropped, which counts as the signal.
        let _ = self.0.wait_for(|signal| signal.begun).await;
    }

    /// The epoch now.
    pub fn epoch(&self) -> Epoch {
        self.0.borrow().epoch
    }

    /// Returns when the signal is given, or another epoch than `seen` has begun: then that one. Cancel-safe.
    pub async fn begun_or_recalled(&mut self, seen: Epoch) -> Option<Epoch> {
        let changed = self
            .0
            .wait_for(|signal| signal.begun || signal.epoch != seen);
        let signal = changed.await.map(|signal| *signal);
        signal
            .ok()
            .filter(|signal| !signal.begun)
            .map(|signal| signal.epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_watcher_sees_the_signal_late_ones_too() {
        let (drainer, mut early) = channel();
        assert!(!early.has_begun());
        drainer.begin();
        early.begun().await;
        let mut late = early.clone();
        late.begun().await;
        assert!(late.has_begun());
    }

    #[tokio::test]
    async fn a_call_is_seen_once_and_is_no_signal_to_stop() {
        let (drainer, mut drain) = channel();
        let recaller = drainer.recaller();
        let began = drain.epoch();
        recaller.recall(Epoch(2));
        recaller.recall(Epoch(1));
        assert_eq!(drain.begun_or_recalled(began).await, Some(Epoch(2)));
        assert!(!drain.has_begun());
        drop(drainer);
        assert_eq!(drain.begun_or_recalled(Epoch(2)).await, None);
        recaller.recall(Epoch(3));
    }

    #[tokio::test]
    async fn a_dropped_drainer_is_a_signal() {
        let (drainer, mut drain) = channel();
        drop(drainer);
        drain.begun().await;
    }
}
