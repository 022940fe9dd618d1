//! seats - the connections that a door may have at once, and which one gives way
//!
//! A client could take all of them and say nothing. So a connection that got nothing but refusals gives way to a new one,
//! the longest there first; one that was served, or may ask, stays as long as it likes. The connection is asked before it
//! has to go: its question may lie unread in the socket, and then it goes to the end of the line. Meanwhile nobody else
//! is let in, and a client that connects waits in the kernel's queue.
//! Not here: how long a connection may be idle (`http`).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// All seats of a door.
#[derive(Debug)]
pub(super) struct Seats {
    limit: usize,
    shared: Arc<SharedSeats>,
}

#[derive(Debug, Default)]
struct SharedSeats {
    /// In the order in which they were taken, or kept.
    taken: Mutex<VecDeque<Arc<Occupant>>>,
    /// A seat is free, or its occupant has said that it stays.
    changed: Notify,
}

/// A seat that is taken; dropped, it is free.
#[derive(Debug)]
pub(super) struct Seat {
    shared: Arc<SharedSeats>,
    occupant: Arc<Occupant>,
}

#[derive(Debug, Default)]
struct Occupant {
    served: AtomicBool,
    asked: AtomicBool,
    wanted: Notify,
}

/// How a new connection came to a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SeatRoom {
    /// One was free.
    Free,
    /// Another connection gave way.
    Anothers,
    /// Everybody there was served.
    Full,
}

impl Seats {
    /// So many, all free.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            shared: Arc::default(),
        }
    }

    /// Waits until a seat is free, and asks those that were served nothing for theirs, one after the other. Cancel-safe.
    pub(super) async fn room(&self) -> SeatRoom {
        let mut room = SeatRoom::Free;
        loop {
            {
                let taken = self.shared.taken();
                if taken.len() < self.limit {
                    return room;
                }
                let unserved = |other: &&Arc<Occupant>| !other.served.load(Ordering::Relaxed);
                let Some(first) = taken.iter().find(unserved) else {
                    return SeatRoom::Full;
                };
                first.wanted.notify_one();
            }
            room = SeatRoom::Anothers;
            self.shared.changed.notified().await;
        }
    }

    /// Takes a seat that is free.
    pub(super) fn take(&self) -> Seat {
        let occupant = Arc::new(Occupant::default());
        self.shared.taken().push_back(Arc::clone(&occupant));
        Seat {
            shared: Arc::clone(&self.shared),
            occupant,
        }
    }
}

impl Seat {
    /// Its connection was answered, or may ask: it keeps the seat.
    pub(super) fn served(&self) {
        self.occupant.served.store(true, Ordering::Relaxed);
        self.shared.changed.notify_one();
    }

    /// Its connection has asked, and did not show that it may.
    pub(super) fn asked(&self) {
        self.occupant.asked.store(true, Ordering::Relaxed);
    }

    /// Returns when the seat is wanted for another connection.
    pub(super) async fn wanted(&self) {
        self.occupant.wanted.notified().await;
    }

    /// Whether its connection leaves when the seat is wanted. One whose first question lies in the socket stays, behind the
    /// others.
    pub(super) fn gives_way(&self, is_silent: impl FnOnce() -> bool) -> bool {
        let stays = self.occupant.served.load(Ordering::Relaxed)
            || !(self.occupant.asked.load(Ordering::Relaxed) || is_silent());
        if stays {
            let mut taken = self.shared.taken();
            taken.retain(|other| !Arc::ptr_eq(other, &self.occupant));
            taken.push_back(Arc::clone(&self.occupant));
            self.shared.changed.notify_one();
        }
        !stays
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.shared.taken();
        taken.retain(|other| !Arc::ptr_eq(other, &self.occupant));
        self.shared.changed.notify_one();
    }
}

impl SharedSeats {
    fn taken(&self) -> MutexGuard<'_, VecDeque<Arc<Occupant>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
