//! refused - refused connections, each held for a moment before its reset
//!
//! A program that connects again as soon as it is reset comes back as fast as it is reset: 150 of them take a third of a
//! processor from Postfix and Dovecot. Held for a tenth of a second, they come a thousand times a second in all. Nothing
//! is read meanwhile, and nobody else waits: a delayed accept would delay everybody's. The number that is held has a
//! limit. Beyond it the oldest are reset at once, which costs as much as a reset without a wait.
//! Not here: who is refused (`admission`), clients that do not wait for their reset (`filter` drops the busiest).

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
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
    handing: mpsc::Sender<OwnedFd>,
    handed: mpsc::Receiver<OwnedFd>,
}

/// Where a connection is handed over that the listener did not refuse itself, to be held as its own are.
#[derive(Clone, Debug)]
pub(super) struct Refusals(mpsc::Sender<OwnedFd>);

impl Refusals {
    /// Has a connection held. It must be set to close with a reset.
    pub(super) fn hand_over(&self, socket: OwnedFd) {
        // Beyond what may be held it is reset at once.
        let _ = self.0.try_send(socket);
    }
}

impl RefusedConnections {
    /// None. Must be called inside a tokio runtime.
    pub(super) fn new(limits: &Arc<LimitCounters>) -> Self {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // limit: held-refusals
        let (handing, handed) = mpsc::channel(HALF);
        Self {
            newer: Vec::new(),
            older: Vec::new(),
            ticks,
            limits: Arc::clone(limits),
            handing,
            handed,
        }
    }

    /// Where others hand over what they refuse.
    pub(super) fn refusals(&self) -> Refusals {
        Refusals(self.handing.clone())
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

    /// Waits until the older ones are due, and resets them, or until one is handed over, and holds it. Cancel-safe.
    pub(super) async fn turn(&mut self) {
        let is_empty = self.is_empty();
        tokio::select! {
            biased;
            _ = self.ticks.tick(), if !is_empty => self.reset_older(),
            Some(socket) = self.handed.recv() => self.hold(socket),
        }
    }

    /// Resets the older ones, and the newer ones are the older ones then.
    fn reset_older(&mut self) {
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
        let idle = timeout(Duration::from_secs(60), refused.turn()).await;
        assert!(idle.is_err(), "nothing is due where nothing is held");
        let first = hold(&mut refused);
        assert!(timeout(PERIOD * 9 / 10, refused.turn()).await.is_err());
        refused.turn().await;
        let second = hold(&mut refused);
        assert!(is_open(&first), "it is one of the older ones now");
        refused.turn().await;
        assert!(!is_open(&first) && is_open(&second));
        refused.turn().await;
        assert!(!is_open(&second) && refused.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_handed_over_is_held_as_long() {
        let mut refused = RefusedConnections::new(&Arc::default());
        let (ours, client) = UnixStream::pair().unwrap();
        client.set_nonblocking(true).unwrap();
        refused.refusals().hand_over(ours.into());
        refused.turn().await;
        assert!(is_open(&client) && !refused.is_empty());
        let two = timeout(PERIOD * 19 / 10, async {
            loop {
                refused.turn().await;
            }
        });
        assert!(two.await.is_err() && is_open(&client));
        refused.turn().await;
        assert!(!is_open(&client) && refused.is_empty());
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
