//! leaving - what is left of a process that has given up its state to the next one
//!
//! It answers the next one on a socket of its own which sessions it has, and ends those that it is told to. Where it cannot make that
//! socket it ends them all: nobody could ban or expel them.
//! Not here: giving it up (`server`), how the next one is started (`cli::run`), what that one asks (`predecessors`).

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;
use tracing::{error, warn};

use super::operator::Operator;
use super::predecessors;
use super::socket::OperatorSocket;
use crate::drain::{self, Drainer};
use crate::net::splice::EndOrder;
use crate::session::{Services, registry};
use crate::store::StoreSettings;

/// How much longer than the grace a drain may take.
const DRAIN_MARGIN: Duration = Duration::from_secs(10);

/// How often it is looked whether a login was answered whose session nobody could reach.
const LOOK: Duration = Duration::from_millis(100);

/// What is left of a Gatepost that has given up its state: the sessions that have logged in.
#[derive(Debug)]
#[must_use = "its sessions end with the process"]
pub struct Leaving {
    services: Arc<Services>,
    sessions: TaskTracker,
    reach: Reach,
}

/// Whether the next process can say anything about the sessions.
#[derive(Debug)]
enum Reach {
    /// There are none.
    NotNeeded,
    /// By the socket. What works is still noted: the next one asks for it.
    Socket {
        drainer: Drainer,
        served: JoinHandle<()>,
        sampled: JoinHandle<()>,
    },
    /// It cannot: they end.
    None(JoinHandle<()>),
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
        let reach = match bound {
            Some(Ok(socket)) => {
                let (drainer, drain) = drain::channel();
                Reach::Socket {
                    drainer,
                    served: tokio::spawn(socket.serve(operator.leaving(), drain)),
                    sampled: tokio::spawn(sample(Arc::clone(&services))),
                }
            }
            Some(Err(fault)) => {
                error!(
                    "operators could not reach the sessions that have logged in, so that these end now: {fault}"
                );
                Reach::None(tokio::spawn(end_all(Arc::clone(&services))))
            }
            None => Reach::NotNeeded,
        };
        Self {
            services,
            sessions,
            reach,
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
        match self.reach {
            Reach::NotNeeded => {}
            Reach::None(ended) => ended.abort(),
            Reach::Socket {
                drainer,
                served,
                sampled,
            } => {
                sampled.abort();
                drainer.begin();
                // The socket is removed with it.
                let _ = served.await;
            }
        }
    }
}

/// Notes which sessions work, for the next process.
async fn sample(services: Arc<Services>) {
    loop {
        sleep(registry::SAMPLE).await;
        services.registry.sample(services.judging.clock.now());
    }
}

/// Ends all sessions, also those whose login is answered only now.
async fn end_all(services: Arc<Services>) {
    loop {
        services.registry.end_all(EndOrder::Drained);
        sleep(LOOK).await;
    }
}
