//! leaving - what is left of a process that has given up its state to the next one
//!
//! Not here: giving it up (`server`), how the next one is started (`cli::run`).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::session::Services;

/// How much longer than the grace a drain may take.
const DRAIN_MARGIN: Duration = Duration::from_secs(10);

/// What is left of a Gatepost that has given up its state: the sessions that have logged in.
#[derive(Debug)]
#[must_use = "its sessions end with the process"]
pub struct Leaving {
    pub(super) services: Arc<Services>,
    pub(super) sessions: TaskTracker,
}

impl Leaving {
    /// How many sessions go on.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Stays until the last session is over, or the grace.
    pub async fn end(self) {
        self.sessions.close();
        let longest = self.services.config.load().grace + DRAIN_MARGIN;
        if timeout(longest, self.sessions.wait()).await.is_err() {
            // A client that takes no octet, a Postfix that says none.
            let sessions = self.sessions.len();
            warn!(sessions, "sessions are cut off: they did not end in time");
        }
    }
}
