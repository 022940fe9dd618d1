//! queue - at most a few unfamiliar attempts at Postfix at once, and one a network
//!
//! A password check is dear: one bcrypt takes Dovecot 45 ms in its one process. Whoever is not
//! familiar therefore waits for a [`Turn`], up to a deadline. Networks wait in line, not attempts: one
//! that had its turn goes to the back, so a crowd from one network holds up nobody else.
//! Not here: who has to wait (the gate says so), and the reply to whom no turn came (`session`).
//! CRAM-MD5, which holds Postfix before anybody is permitted, gets turns of its own: a second [`Turns`].

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use gatepost_core::gate::request::client::NetworkKey;

/// How many at once, and how long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Attempts that are not familiar, at Postfix at once.
    pub at_once: usize,
    /// How long an attempt waits for its turn.
    pub deadline: Duration,
}

/// The turns there are, and who waits for one. Clones share them.
///
/// It holds one entry for every network that waits or is at Postfix, so never more than there are
/// sessions.
#[derive(Clone, Debug)]
pub struct Turns {
    queue: Arc<Mutex<Queue>>,
    deadline: Duration,
}

/// The right of one attempt to be at Postfix; dropped, it is the next one's.
#[derive(Debug)]
pub struct Turn {
    network: NetworkKey,
    /// None: the turn went to nobody, and gives nothing back.
    queue: Option<Arc<Mutex<Queue>>>,
}

impl Turns {
    /// All turns free. Without any (`at_once` 0), nobody ever gets one.
    pub fn new(settings: Settings) -> Self {
        Self {
            queue: Arc::new(Mutex::new(Queue {
                free: settings.at_once,
                ..Queue::default()
            })),
            deadline: settings.deadline,
        }
    }

    /// Waits for a turn; none if it did not come before the deadline.
    ///
    /// Cancel-safe: whoever stops waiting leaves the line.
    pub async fn take(&self, network: NetworkKey) -> Option<Turn> {
        let (ticket, mut granted) = {
            let mut queue = lock(&self.queue);
            let entered = queue.enter(network);
            queue.grant(&self.queue);
            entered
        };
        let _leaver = Leaver {
            queue: &self.queue,
            network,
            ticket,
        };
        // Nothing to wait for, no timer.
        if let Ok(turn) = granted.try_recv() {
            return Some(turn);
        }
        let waited = tokio::time::timeout(self.deadline, granted).await;
        waited.ok()?.ok()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(shared) = self.queue.take() {
            let mut queue = lock(&shared);
            queue.leave_postfix(self.network);
            queue.grant(&shared);
        }
    }
}

/// Takes a waiter out of the line, however it stopped waiting.
struct Leaver<'a> {
    queue: &'a Mutex<Queue>,
    network: NetworkKey,
    ticket: u64,
}

impl Drop for Leaver<'_> {
    fn drop(&mut self) {
        lock(self.queue).leave_line(self.network, self.ticket);
    }
}

/// Networks, in line.
#[derive(Debug, Default)]
struct Queue {
    free: usize,
    /// Rises with every attempt and every network that joins the line: a ticket, and a place.
    next: u64,
    networks: HashMap<NetworkKey, Line>,
    /// Networks that wait and have nobody at Postfix, by place.
    order: BTreeMap<u64, NetworkKey>,
}

/// The attempts of one network.
#[derive(Debug, Default)]
struct Line {
    at_postfix: bool,
    /// In `order`; none while the network is at Postfix, or nobody waits.
    place: Option<u64>,
    waiting: BTreeMap<u64, oneshot::Sender<Turn>>,
}

impl Queue {
    fn enter(&mut self, network: NetworkKey) -> (u64, oneshot::Receiver<Turn>) {
        let (sender, receiver) = oneshot::channel();
        let ticket = self.next;
        self.next += 1;
        let line = self.networks.entry(network).or_default();
        line.waiting.insert(ticket, sender);
        self.put_in_order(network);
        (ticket, receiver)
    }

    /// Gives free turns to the networks at the front.
    fn grant(&mut self, shared: &Arc<Mutex<Self>>) {
        while self.free > 0 {
            let Some((_, network)) = self.order.pop_first() else {
                return;
            };
            let Some(line) = self.networks.get_mut(&network) else {
                continue;
            };
            line.place = None;
            let Some((_, waiter)) = line.waiting.pop_first() else {
                continue;
            };
            let turn = Turn {
                network,
                queue: Some(Arc::clone(shared)),
            };
            match waiter.send(turn) {
                Ok(()) => {
                    line.at_postfix = true;
                    self.free -= 1;
                }
                // It stopped waiting a moment ago. Its turn must not give back what it never took.
                Err(mut unwanted) => {
                    unwanted.queue = None;
                    self.put_in_order(network);
                }
            }
        }
    }

    fn leave_postfix(&mut self, network: NetworkKey) {
        self.free += 1;
        if let Some(line) = self.networks.get_mut(&network) {
            line.at_postfix = false;
        }
        self.put_in_order(network);
    }

    fn leave_line(&mut self, network: NetworkKey, ticket: u64) {
        if let Some(line) = self.networks.get_mut(&network) {
            line.waiting.remove(&ticket);
        }
        self.put_in_order(network);
    }

    /// Puts a network into the line, at the back, or takes it out, as its attempts want it.
    fn put_in_order(&mut self, network: NetworkKey) {
        let Some(line) = self.networks.get_mut(&network) else {
            return;
        };
        let wants = !line.at_postfix && !line.waiting.is_empty();
        match line.place {
            None if wants => {
                line.place = Some(self.next);
                self.order.insert(self.next, network);
                self.next += 1;
            }
            Some(place) if !wants => {
                line.place = None;
                self.order.remove(&place);
            }
            _ => {}
        }
        if !line.at_postfix && line.waiting.is_empty() {
            self.networks.remove(&network);
        }
    }
}

/// A panic elsewhere leaves the queue as it was: every change is complete when the lock is let go.
fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
