//! turns - waiting for a turn: the core's queue, with channels and timers
//!
//! A waiter is a channel's end. [`wake`] hands out what the queue gives, after every change; each waiter
//! has a timer of its own for its deadline. Nobody who stops waiting takes a turn along.
//! Not here: who is next (`gate::queue`), who has to wait (the gate says so).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use gatepost_core::gate::queue::{Queue, QueueClass, Ticket, Turn, Woken};
use gatepost_core::gate::request::client::{ClientKey, NetworkKey};
use gatepost_core::moment::Moment;

/// A waiter in a queue.
#[derive(Debug)]
pub(in crate::judging) struct Waiter(oneshot::Sender<Held>);

/// A turn that somebody holds; dropped, it is the next one's.
#[derive(Debug)]
#[must_use]
pub(in crate::judging) struct Held {
    queue: Arc<Queue<Waiter>>,
    /// None: somebody else has taken it over.
    turn: Option<Turn>,
}

impl Held {
    /// Holds a turn of `queue`.
    pub(in crate::judging) fn new(queue: &Arc<Queue<Waiter>>, turn: Turn) -> Self {
        Self {
            queue: Arc::clone(queue),
            turn: Some(turn),
        }
    }

    /// The class of the attempt that it was given to.
    pub(in crate::judging) fn class(&self) -> Option<QueueClass> {
        self.turn.as_ref().map(Turn::class)
    }

    /// The turn, which is no longer given back by itself.
    pub(in crate::judging) fn into_turn(mut self) -> Option<Turn> {
        self.turn.take()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(turn) = self.turn.take() {
            self.queue.free(turn);
            wake(&self.queue);
        }
    }
}

/// Waits for a turn, for as long in all as one that has waited `since` then; none if it did not come before that
/// deadline. Cancel-safe.
pub(in crate::judging) async fn take(
    queue: &Arc<Queue<Waiter>>,
    network: NetworkKey,
    class: QueueClass,
    since: Moment,
    now: Moment,
) -> Option<Held> {
    let mut place = Place::enter(queue, network, class, since);
    // Nothing to wait for, no timer.
    if let Some(held) = place.fetch() {
        return Some(held);
    }
    match place.wait(place.deadline().since(now)).await {
        Some(held) => Some(held),
        None => place.miss(),
    }
}

/// A turn that is free now, if there is one.
#[cfg(test)]
pub(in crate::judging) fn take_now(
    queue: &Arc<Queue<Waiter>>,
    network: NetworkKey,
    now: Moment,
) -> Option<Held> {
    Place::enter(queue, network, QueueClass::Ordinary, now).fetch()
}

/// Hands out the turns that are free.
pub(in crate::judging) fn wake(queue: &Arc<Queue<Waiter>>) {
    // Deadlines are left to their waiters' own timers.
    advance(queue, Moment::EPOCH);
}

/// Hands out the turns that are free, and ends the waiting of those whose deadline has come.
fn advance(queue: &Arc<Queue<Waiter>>, now: Moment) {
    loop {
        let mut unwanted = Vec::new();
        for woken in queue.advance(now) {
            // A channel that is dropped tells its waiter that no turn came.
            if let Woken::Turn(Waiter(sender), turn) = woken
                && let Err(held) = sender.send(Held::new(queue, turn))
            {
                unwanted.extend(held.into_turn());
            }
        }
        if unwanted.is_empty() {
            return;
        }
        // They stopped waiting a moment ago.
        for turn in unwanted {
            queue.free(turn);
        }
    }
}

/// A place in the queue; it is left however the waiting ends.
pub(in crate::judging) struct Place<'a> {
    queue: &'a Arc<Queue<Waiter>>,
    ticket: Ticket,
    granted: oneshot::Receiver<Held>,
}

impl<'a> Place<'a> {
    fn enter(
        queue: &'a Arc<Queue<Waiter>>,
        network: NetworkKey,
        class: QueueClass,
        now: Moment,
    ) -> Self {
        Self::join(queue, |waiter| queue.enter(network, class, waiter, now))
    }

    /// A place behind no more of another client of its network than of its own.
    pub(in crate::judging) fn enter_as(
        queue: &'a Arc<Queue<Waiter>>,
        client: ClientKey,
        class: QueueClass,
        now: Moment,
    ) -> Self {
        Self::join(queue, |waiter| queue.enter_as(client, class, waiter, now))
    }

    fn join(queue: &'a Arc<Queue<Waiter>>, enter: impl FnOnce(Waiter) -> Ticket) -> Self {
        let (sender, granted) = oneshot::channel();
        let place = Self {
            queue,
            ticket: enter(Waiter(sender)),
            granted,
        };
        wake(queue);
        place
    }

    /// When its waiting ends without a turn.
    pub(in crate::judging) const fn deadline(&self) -> Moment {
        self.ticket.deadline()
    }

    /// Its turn, if that has come.
    pub(in crate::judging) fn fetch(&mut self) -> Option<Held> {
        self.granted.try_recv().ok()
    }

    /// Its turn, if that comes within `time_limit`.
    pub(in crate::judging) async fn wait(&mut self, time_limit: Duration) -> Option<Held> {
        let granted = timeout(time_limit, &mut self.granted).await;
        granted.ok()?.ok()
    }

    /// Its deadline has come; its turn, if that came with it.
    pub(in crate::judging) fn miss(mut self) -> Option<Held> {
        advance(self.queue, self.deadline());
        self.fetch()
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.queue.leave(self.ticket);
    }
}

#[cfg(test)]
mod tests;
