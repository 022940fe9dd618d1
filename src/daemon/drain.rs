//! drain - the signal to stop, as a token that every task can watch
//!
//! Tasks hold a [`Drain`]; the owner of the [`Drainer`] gives the signal.
//! Not here: what each module does when it drains, and the deadline (`server`).

use tokio::sync::watch;

/// Gives the signal. Dropping it also gives the signal, so that no task waits for an owner that is gone.
#[derive(Debug)]
pub struct Drainer(watch::Sender<bool>);

/// Watches for the signal. Clones watch the same one.
#[derive(Clone, Debug)]
pub struct Drain(watch::Receiver<bool>);

/// A new signal, not given yet.
pub fn channel() -> (Drainer, Drain) {
    let (sender, receiver) = watch::channel(false);
    (Drainer(sender), Drain(receiver))
}

impl Drainer {
    /// Gives the signal to every [`Drain`]. Calling it again changes nothing.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }
}

impl Drain {
    /// Whether the signal was given.
    pub fn has_begun(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Returns when the signal is given; at once if it already was. Cancel-safe.
    pub async fn begun(&mut self) {
        // An error means that the drainer was dropped, which counts as the signal.
        let _ = self.0.wait_for(|begun| *begun).await;
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
    async fn a_dropped_drainer_is_a_signal() {
        let (drainer, mut drain) = channel();
        drop(drainer);
        drain.begun().await;
    }
}
