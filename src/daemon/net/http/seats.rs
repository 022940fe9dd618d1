//! seats - the connections that a door may have at once, and which one gives way
//!
//! A client could take all of them and say nothing. So a connection that was never answered anything but
//! refusals gives way to a new one, the longest there first; one that was served, or may ask, stays as long as it likes.
//! Not here: how long a connection may be idle (`http`).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// All seats of a door.
#[derive(Debug)]
pub(super) struct Seats {
    limit: usize,
    /// In the order in which they were taken.
    taken: Arc<Mutex<VecDeque<Arc<Occupant>>>>,
}

/// A seat that is taken; dropped, it is free.
#[derive(Debug)]
pub(super) struct Seat {
    taken: Arc<Mutex<VecDeque<Arc<Occupant>>>>,
    occupant: Arc<Occupant>,
    /// Whether another connection had to give way.
    pub(super) is_anothers: bool,
}

#[derive(Debug, Default)]
struct Occupant {
    served: AtomicBool,
    wanted: Notify,
}

impl Seats {
    /// So many, all free.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            taken: Arc::default(),
        }
    }

    /// Takes a seat, another's if none is free. None: everybody there was served.
    pub(super) fn take(&self) -> Option<Seat> {
        let mut taken = lock(&self.taken);
        let is_anothers = taken.len() >= self.limit;
        if is_anothers {
            let unserved = |other: &Arc<Occupant>| !other.served.load(Ordering::Relaxed);
            let first = taken.iter().position(unserved)?;
            taken.remove(first)?.wanted.notify_one();
        }
        let occupant = Arc::new(Occupant::default());
        taken.push_back(Arc::clone(&occupant));
        Some(Seat {
            taken: Arc::clone(&self.taken),
            occupant,
            is_anothers,
        })
    }
}

impl Seat {
    /// Its connection was answered, or may ask: it keeps the seat.
    pub(super) fn served(&self) {
        self.occupant.served.store(true, Ordering::Relaxed);
    }

    /// Returns when the seat is another connection's.
    pub(super) async fn wanted(&self) {
        self.occupant.wanted.notified().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        lock(&self.taken).retain(|other| !Arc::ptr_eq(other, &self.occupant));
    }
}

fn lock(taken: &Mutex<VecDeque<Arc<Occupant>>>) -> MutexGuard<'_, VecDeque<Arc<Occupant>>> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}
