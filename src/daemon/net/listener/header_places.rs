//! header_places - the places of load balancers' connections whose PROXY header is waited for, and which one gives way
//!
//! One balancer that connects and says nothing could take all places. So, when all are taken, the balancer with the most
//! gives one up: its oldest connection that was looked at and is silent. An honest one announces its client at once.
//! Not here: how long a header may take (`balancer`), what it says (`proxy_header`).

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// All places of one listener.
#[derive(Debug)]
pub(super) struct HeaderPlaces {
    limit: usize,
    taken: Arc<Mutex<TakenPlaces>>,
}

/// By balancer, in the order in which they came.
#[derive(Debug, Default)]
struct TakenPlaces {
    by_balancer: BTreeMap<IpAddr, VecDeque<Arc<Announcer>>>,
    count: usize,
}

/// A place that is taken; dropped, it is free.
#[derive(Debug)]
pub(super) struct HeaderPlace {
    taken: Arc<Mutex<TakenPlaces>>,
    balancer: IpAddr,
    announcer: Arc<Announcer>,
    /// Whether another connection had to give way.
    pub(super) is_anothers: bool,
}

#[derive(Debug, Default)]
struct Announcer {
    silent: AtomicBool,
    wanted: Notify,
}

impl HeaderPlaces {
    /// So many, all free.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            taken: Arc::default(),
        }
    }

    /// Takes a place, another's if none is free. None: nobody there was found silent.
    pub(super) fn take(&self, balancer: IpAddr) -> Option<HeaderPlace> {
        let mut taken = lock(&self.taken);
        let is_anothers = taken.count >= self.limit;
        if is_anothers {
            taken.give_up_one()?;
        }
        let announcer = Arc::new(Announcer::default());
        let of_balancer = taken.by_balancer.entry(balancer).or_default();
        of_balancer.push_back(Arc::clone(&announcer));
        taken.count += 1;
        Some(HeaderPlace {
            taken: Arc::clone(&self.taken),
            balancer,
            announcer,
            is_anothers,
        })
    }

    /// Places that are taken.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        lock(&self.taken).count
    }
}

impl TakenPlaces {
    fn give_up_one(&mut self) -> Option<()> {
        let most = self
            .by_balancer
            .values_mut()
            .max_by_key(|held| held.len())?;
        let silent = |other: &Arc<Announcer>| other.silent.load(Ordering::Relaxed);
        let oldest = most.iter().position(silent)?;
        most.remove(oldest)?.wanted.notify_one();
        self.count -= 1;
        Some(())
    }

    fn leave(&mut self, balancer: IpAddr, announcer: &Arc<Announcer>) {
        let Some(held) = self.by_balancer.get_mut(&balancer) else {
            return;
        };
        let before = held.len();
        held.retain(|other| !Arc::ptr_eq(other, announcer));
        self.count -= before - held.len();
        if held.is_empty() {
            self.by_balancer.remove(&balancer);
        }
    }
}

impl HeaderPlace {
    /// Its connection was looked at, and there was nothing to read.
    pub(super) fn silent(&self) {
        self.announcer.silent.store(true, Ordering::Relaxed);
    }

    /// Returns when the place is another connection's.
    pub(super) async fn wanted(&self) {
        self.announcer.wanted.notified().await;
    }
}

impl Drop for HeaderPlace {
    fn drop(&mut self) {
        lock(&self.taken).leave(self.balancer, &self.announcer);
    }
}

fn lock(taken: &Mutex<TakenPlaces>) -> MutexGuard<'_, TakenPlaces> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_wanted(place: &HeaderPlace) -> bool {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        std::pin::pin!(place.wanted())
            .as_mut()
            .poll(&mut context)
            .is_ready()
    }

    #[test]
    fn the_balancer_with_the_most_gives_up_its_oldest_that_is_silent() {
        let places = HeaderPlaces::new(5);
        let balancer = |host: u8| IpAddr::from([127, 0, 77, host]);
        let other = places.take(balancer(1)).unwrap();
        other.silent();
        let crowd: Vec<_> = (0..4).map(|_| places.take(balancer(2)).unwrap()).collect();
        assert!(!crowd.iter().any(|place| place.is_anothers));
        assert!(
            places.take(balancer(3)).is_none(),
            "none of the most was looked at"
        );
        crowd[1].silent();
        crowd[2].silent();
        let newcomer = places.take(balancer(3)).unwrap();
        assert!(newcomer.is_anothers && places.count() == 5);
        let wanted: Vec<_> = crowd.iter().map(is_wanted).collect();
        assert_eq!(wanted, [false, true, false, false]);
        assert!(!is_wanted(&other));
        drop(crowd);
        assert_eq!(places.count(), 2);
        drop((other, newcomer));
        assert!(lock(&places.taken).by_balancer.is_empty());
    }
}
