//! idle - operators' connections that wait for their peers, and which of them gives way to a new one
//!
//! One that sends nothing, or does not read, could keep the others out. The one that waits longest gives way;
//! one whose request is being answered stays.
//! Not here: how many connections there may be, how long a peer may be silent (`socket`).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The connections that wait for their peers, the longest first.
#[derive(Clone, Debug, Default)]
pub(super) struct IdleConnections(Arc<Mutex<VecDeque<Arc<Notify>>>>);

/// While this lives, its connection waits for its peer.
#[derive(Debug)]
pub(super) struct IdleTime {
    all: IdleConnections,
    wanted: Arc<Notify>,
}

impl IdleConnections {
    /// A connection begins to wait for its peer.
    pub(super) fn begin(&self) -> IdleTime {
        let wanted = Arc::new(Notify::new());
        self.lock().push_back(Arc::clone(&wanted));
        IdleTime {
            all: self.clone(),
            wanted,
        }
    }

    /// Ends the connection that has waited longest; whether there is one.
    pub(super) fn end_longest(&self) -> bool {
        let longest = self.lock().pop_front();
        longest.inspect(|wanted| wanted.notify_one()).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IdleTime {
    /// Returns when the connection must give way.
    pub(super) async fn wanted(&self) {
        self.wanted.notified().await;
    }
}

impl Drop for IdleTime {
    fn drop(&mut self) {
        self.all
            .lock()
            .retain(|other| !Arc::ptr_eq(other, &self.wanted));
    }
}
