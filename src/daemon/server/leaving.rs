//! leaving - what is left of a process that has given up its state to the next one
//!
//! It answers the next one on a socket of its own which sessions it has, and ends those that it is told to.
//! Not here: giving it up (`server`), how the next one is started (`cli::run`), what that one asks (`predecessors`).

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::warn;

use super::operator::Operator;
use super::predecessors;
use super::socket::OperatorSocket;
use crate::drain::{self, Drainer};
use crate::session::Services;
use crate::store::StoreSettings;

/// How much longer than the grace a drain may take.
const DRAIN_MARGIN: Duration = Duration::from_secs(10);

/// What is left of a Gatepost that has given up its state: the sessions that have logged in.
#[derive(Debug)]
#[must_use = "its sessions end with the process"]
pub struct Leaving {
    services: Arc<Services>,
    sessions: TaskTracker,
    socket: Option<(Drainer, JoinHandle<()>)>,
}

impl Leaving {
    /// Begins to answer the next process, if there is something to tell.
    pub(super) fn begin(
        services: Arc<Services>,
        sessions: TaskTracker,
        operator: Operator,
        state: &StoreSettings,
    ) -> Self {
        let own = predecessors::socket_of(state, std::process::id());
        let bound = (!sessions.is_empty()).then(|| OperatorSocket::bind(&own));
        let socket = match bound {
            Some(Ok(socket)) => {
                let (drainer, drain) = drain::channel();
                Some((
                    drainer,
                    tokio::spawn(socket.serve(operator.leaving(), drain)),
                ))
            }
            Some(Err(fault)) => {
                warn!("operators cannot reach the sessions that go on: {fault}");
                None
            }
            None => None,
        };
        Self {
            services,
            sessions,
            socket,
        }
    }

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
        if let Some((drainer, served)) = self.socket {
            drainer.begin();
            // The socket is removed with it.
            let _ = served.await;
        }
    }
}
