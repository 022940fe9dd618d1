//! computing - whose handshake is computed next
//!
//! Between two waits for its client, a handshake computes: a tenth of a millisecond for an ECDSA signature, a
//! whole one for RSA-2048, five for RSA-4096. A [`ComputingSlot`] is the right to do one such step. It is never held while a
//! client is waited for, so that clients who send nothing more hold up nobody.
//! Familiar networks and strangers have lanes of their own: the familiar never wait for strangers, who use all
//! processor cores but one. In each lane a client that has nothing else waiting comes first, then a network that
//! has nothing else waiting, then the oldest handshake: a crowd from many addresses of few networks waits behind one
//! honest client, and one address behind all others. The number that waits is bounded by `[admission] sessions`, and each
//! waits until the deadline of its handshake at most.
//! Not here: the steps themselves and the deadline (`tls`), who is familiar (the gate, as `admission` was told).

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::task::yield_now;

use gatepost_core::gate::request::client::{ClientKey, NetworkKey};
use gatepost_core::gate::request::verdict::Standing;

/// After this many steps of one lane the next one lets every other task go first, and what the kernel has to
/// tell since. A task that computes is not interrupted otherwise, and a familiar client's would stand behind hundreds.
const IN_A_ROW: u32 = 4;

/// The slots of all handshakes.
#[derive(Debug)]
pub(super) struct Computing {
    familiar: Lane,
    strangers: Lane,
}

impl Computing {
    /// With `at_once` slots, but no more than there are `cores`; for strangers one less, and one at least.
    pub(super) fn new(at_once: usize, cores: usize) -> Self {
        let computing = Self {
            familiar: Lane::default(),
            strangers: Lane::default(),
        };
        computing.limit(at_once, cores);
        computing
    }

    /// Sets other numbers. Steps in progress go on.
    pub(super) fn limit(&self, at_once: usize, cores: usize) {
        let familiar = at_once.min(cores).max(1);
        self.familiar.limit(familiar);
        self.strangers
            .limit(familiar.min(cores.saturating_sub(1)).max(1));
    }

    /// Waits for the slot of one step. Cancel-safe: a handshake that stops waiting takes no slot along.
    pub(super) async fn slot(&self, client: ClientKey, standing: Standing) -> ComputingSlot<'_> {
        let lane = match standing {
            Standing::Familiar | Standing::Allow => &self.familiar,
            Standing::Stranger | Standing::Banned | Standing::Deny => &self.strangers,
        };
        let (slot, order) = match lane.enter(client) {
            ComputingEntry::Slot(slot, order) => (slot, order),
            ComputingEntry::Wait(mut place) => {
                // A sender is lost only with its place, and this place is still here.
                let order = (&mut place.granted).await.unwrap_or(StepOrder::OthersFirst);
                (place.into_slot(), order)
            }
        };
        if order == StepOrder::OthersFirst {
            yield_now().await;
        }
        slot
    }
}

/// The right to do one step of a handshake. Dropped, it is the next one's.
#[must_use = "dropped, it is the next one's"]
#[derive(Debug)]
pub(super) struct ComputingSlot<'a> {
    lane: &'a Lane,
}

impl Drop for ComputingSlot<'_> {
    fn drop(&mut self) {
        let next = self.lane.state().release();
        if let Some(next) = next {
            next.send();
        }
    }
}

/// The slots of one kind of client, and who waits for one.
#[derive(Debug, Default)]
struct Lane(Mutex<LaneState>);

#[derive(Debug, Default)]
struct LaneState {
    slots: usize,
    in_use: usize,
    /// Steps since other tasks went first.
    in_a_row: u32,
    waiting: BTreeMap<Rank, oneshot::Sender<StepOrder>>,
    /// How many of each client wait, and of each network.
    clients: BTreeMap<ClientKey, usize>,
    networks: BTreeMap<NetworkKey, usize>,
    arrivals: u64,
}

/// A place among those who wait; the lowest is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// How many of the same client waited already.
    of_client: usize,
    /// How many of the same network.
    of_network: usize,
    arrival: u64,
    client: ClientKey,
}

enum ComputingEntry<'a> {
    Slot(ComputingSlot<'a>, StepOrder),
    Wait(WaitingStep<'a>),
}

/// When a step is done, once there is a slot for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StepOrder {
    AtOnce,
    /// After all other tasks that are ready.
    OthersFirst,
}

/// A place among the handshakes that wait. One whose rank is gone from the lane has got a slot.
struct WaitingStep<'a> {
    lane: &'a Lane,
    /// None: the slot was taken out.
    rank: Option<Rank>,
    granted: oneshot::Receiver<StepOrder>,
}

impl<'a> WaitingStep<'a> {
    /// The slot that was granted.
    fn into_slot(mut self) -> ComputingSlot<'a> {
        self.rank = None;
        ComputingSlot { lane: self.lane }
    }
}

impl Drop for WaitingStep<'_> {
    fn drop(&mut self) {
        if let Some(rank) = self.rank
            && self.lane.state().leave(rank).is_none()
        {
            drop(ComputingSlot { lane: self.lane });
        }
    }
}

impl Lane {
    fn limit(&self, slots: usize) {
        let granted: Vec<_> = {
            let mut state = self.state();
            state.slots = slots;
            std::iter::from_fn(|| state.grant_free()).collect()
        };
        granted.into_iter().for_each(Grant::send);
    }

    fn enter(&self, client: ClientKey) -> ComputingEntry<'_> {
        let mut state = self.state();
        if state.in_use < state.slots {
            let order = state.take();
            return ComputingEntry::Slot(ComputingSlot { lane: self }, order);
        }
        let (rank, granted) = state.wait(client);
        ComputingEntry::Wait(WaitingStep {
            lane: self,
            rank: Some(rank),
            granted,
        })
    }

    /// Nothing panics while the lock is held.
    fn state(&self) -> MutexGuard<'_, LaneState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A slot for somebody who waits, to be sent when the lane is not locked any more.
struct Grant(oneshot::Sender<StepOrder>, StepOrder);

impl Grant {
    fn send(self) {
        // One who stopped waiting meanwhile gives the slot back.
        let _ = self.0.send(self.1);
    }
}

impl LaneState {
    fn wait(&mut self, client: ClientKey) -> (Rank, oneshot::Receiver<StepOrder>) {
        let (sender, granted) = oneshot::channel();
        let rank = Rank {
            of_client: increment(&mut self.clients, client),
            of_network: increment(&mut self.networks, client.network()),
            arrival: self.arrivals,
            client,
        };
        self.arrivals += 1;
        self.waiting.insert(rank, sender);
        (rank, granted)
    }

    /// Takes out the handshake that waits at `rank`. None: it does not wait any more.
    fn leave(&mut self, rank: Rank) -> Option<oneshot::Sender<StepOrder>> {
        let waiter = self.waiting.remove(&rank)?;
        decrement(&mut self.clients, rank.client);
        decrement(&mut self.networks, rank.client.network());
        Some(waiter)
    }

    /// Takes a free slot.
    fn take(&mut self) -> StepOrder {
        self.in_use += 1;
        self.in_a_row += 1;
        if self.in_a_row < IN_A_ROW {
            return StepOrder::AtOnce;
        }
        self.in_a_row = 0;
        StepOrder::OthersFirst
    }

    /// A slot is free: who gets it.
    fn release(&mut self) -> Option<Grant> {
        self.in_use -= 1;
        self.grant_free()
    }

    /// Takes a free slot, if there is one, for the next who waits, if anybody does.
    fn grant_free(&mut self) -> Option<Grant> {
        if self.in_use >= self.slots {
            return None;
        }
        let (&rank, _) = self.waiting.first_key_value()?;
        let next = self.leave(rank)?;
        Some(Grant(next, self.take()))
    }
}

/// The count before.
fn increment<K: Ord>(counts: &mut BTreeMap<K, usize>, key: K) -> usize {
    let count = counts.entry(key).or_default();
    *count += 1;
    *count - 1
}

fn decrement<K: Ord>(counts: &mut BTreeMap<K, usize>, key: K) {
    if let Entry::Occupied(mut count) = counts.entry(key) {
        *count.get_mut() -= 1;
        if *count.get() == 0 {
            count.remove();
        }
    }
}
