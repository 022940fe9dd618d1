//! refused - refused connections, each held for a moment before its reset
//!
//! A program that connects again as soon as it is reset connects as often as it is reset quickly: 150 of them take a
//! third of a processor from Postfix and Dovecot. Held for a tenth of a second, they come a thousand times a
//! second in all. Nothing is read meanwhile, and nobody else waits: an accept that is put off would put off
//! everybody's. So many at most are held; of more, the oldest are reset at once, and that costs what it did before.
//! Not here: who is refused (`admission`), clients that do not wait for their reset (`filter` drops the busiest).

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::report::limits::{LimitCounters, ResourceLimit};

/// A connection is held for one to two of these.
const PERIOD: Duration = Duration::from_millis(100);

/// Half of the connections that are held at most.
const HALF: usize = 512;

/// Refused connections of one listener. A socket that is dropped is reset: that was set on the listening one.
#[derive(Debug)]
pub(super) struct RefusedConnections {
    newer: Vec<OwnedFd>,
    older: Vec<OwnedFd>,
    ticks: Interval,
    limits: Arc<LimitCounters>,
}

impl RefusedConnections {
    /// None. Must be called inside a tokio runtime.
    pub(super) fn new(limits: &Arc<LimitCounters>) -> Self {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            newer: Vec::new(),
            older: Vec::new(),
            ticks,
            limits: Arc::clone(limits),
        }
    }

    /// Holds a connection.
    pub(super) fn hold(&mut self, socket: OwnedFd) {
        if self.is_empty() {
            self.ticks.reset();
        }
        // limit: held-refusals
        if self.newer.len() >= HALF {
            let early = self.older.len() as u64;
            self.limits.add(ResourceLimit::HeldRefusals, early);
            self.reset_older();
        }
        self.newer.push(socket);
    }

    /// Returns when the older ones are due; never, while there is none. Cancel-safe.
    pub(super) async fn due(&mut self) {
        match self.is_empty() {
            true => std::future::pending().await,
            false => {
                self.ticks.tick().await;
            }
        }
    }

    /// Resets the older ones, and the newer ones are the older ones then.
    pub(super) fn reset_older(&mut self) {
        self.older.clear();
        std::mem::swap(&mut self.newer, &mut self.older);
        // A flood's memory is not kept.
        if self.is_empty() {
            self.newer.shrink_to_fit();
            self.older.shrink_to_fit();
        }
    }

    /// Resets all: their descriptors are needed. Whether there were any.
    pub(super) fn reset_all(&mut self) -> bool {
        let held = !self.is_empty();
        self.newer.clear();
        self.older.clear();
        held
    }

    fn is_empty(&self) -> bool {
        self.newer.is_empty() && self.older.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    use tokio::time::timeout;

    use super::*;

    /// A connection that is held, and its client.
    fn hold(refused: &mut RefusedConnections) -> UnixStream {
        let (ours, client) = UnixStream::pair().unwrap();
        client.set_nonblocking(true).unwrap();
        refused.hold(ours.into());
        client
    }

    fn is_open(mut client: &UnixStream) -> bool {
        client.read(&mut [0]).is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_held_for_a_moment_and_then_closed() {
        let mut refused = RefusedConnections::new(&Arc::default());
        let idle = timeout(Duration::from_secs(60), refused.due()).await;
        assert!(idle.is_err(), "nothing is due where nothing is held");
        let first = hold(&mut refused);
        assert!(timeout(PERIOD * 9 / 10, refused.due()).await.is_err());
        refused.due().await;
        refused.reset_older();
        let second = hold(&mut refused);
        assert!(is_open(&first), "it is one of the older ones now");
        refused.due().await;
        refused.reset_older();
        assert!(!is_open(&first) && is_open(&second));
        refused.due().await;
        refused.reset_older();
        assert!(!is_open(&second) && refused.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn of_too_many_the_oldest_are_closed_at_once_and_counted() {
        let limits = Arc::new(LimitCounters::default());
        let mut refused = RefusedConnections::new(&limits);
        let held: Vec<UnixStream> = (0..2 * HALF).map(|_| hold(&mut refused)).collect();
        assert!(held.iter().all(is_open));
        let _one_more = hold(&mut refused);
        assert_eq!(held.iter().filter(|client| is_open(client)).count(), HALF);
        assert!(!is_open(&held[HALF - 1]) && is_open(&held[HALF]));
        assert_eq!(limits.get(ResourceLimit::HeldRefusals), HALF as u64);
        assert!(refused.reset_all(), "their descriptors are needed");
        assert!(!held.iter().any(is_open) && !refused.reset_all());
    }
}
