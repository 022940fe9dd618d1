//! visitors - connections to a mesh's port that have not shown yet that they have the secret: few at once, and few a second
//!
//! A connection from an address where the other machines are, or that has shown the secret before, has places of its own,
//! so that no stranger keeps a machine from being linked. Among strangers, too, may be a machine that was not seen yet.
//! So the oldest silent one gives way to a connection from another address; only a connection that says something counts
//! for the handshakes of a second; and no network has more than a quarter of those. A stranger beyond the limits is reset
//! at once, before any handshake.
//! Not here: the handshake and its deadline (`link`).

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use gatepost_core::gate::request::client::{ClientKey, NetworkKey};
use gatepost_core::moment::Moment;

/// Connections at once from where a machine is.
const MACHINES_AT_ONCE: usize = 16;
/// Connections at once from elsewhere; more than there are handshakes in the time that one may take.
const STRANGERS_AT_ONCE: usize = 64;
/// Handshakes a second with those from elsewhere.
const STRANGERS_A_SECOND: usize = 8;
/// Of these, with those of one network.
const NETWORK_A_SECOND: usize = 2;
/// Addresses of machines that are remembered.
const ADDRESSES: usize = 64;

/// Who is at the port, and who may be.
#[derive(Debug)]
pub struct Visitors {
    machines: Arc<Semaphore>,
    shared: Arc<AtPort>,
    /// Where the other machines are.
    addresses: Mutex<BTreeSet<IpAddr>>,
}

#[derive(Debug, Default)]
struct AtPort {
    /// The oldest first.
    strangers: Mutex<VecDeque<Arc<StrangerVisit>>>,
    /// Handshakes with strangers since the moment.
    lately: Mutex<(Moment, Vec<NetworkKey>)>,
}

#[derive(Debug)]
struct StrangerVisit {
    from: IpAddr,
    spoken: AtomicBool,
    wanted: Notify,
}

/// A place at the port; dropped, it is another one's.
#[derive(Debug)]
pub struct PortPlace(PlaceKind);

#[derive(Debug)]
enum PlaceKind {
    Machine { _place: OwnedSemaphorePermit },
    Stranger(Arc<AtPort>, Arc<StrangerVisit>),
}

impl Default for Visitors {
    fn default() -> Self {
        Self {
            // limit: cluster-visitors
            machines: Arc::new(Semaphore::new(MACHINES_AT_ONCE)),
            shared: Arc::default(),
            addresses: Mutex::default(),
        }
    }
}

impl Visitors {
    /// Another machine is at these addresses.
    pub fn expect(&self, found: impl IntoIterator<Item = IpAddr>) {
        let mut addresses = lock(&self.addresses);
        for address in found.into_iter().map(|address| address.to_canonical()) {
            // One that is there already needs no room.
            if addresses.contains(&address) {
                continue;
            }
            // limit: cluster-visitors
            if addresses.len() >= ADDRESSES {
                addresses.pop_first();
            }
            addresses.insert(address);
        }
    }

    /// Somebody comes from there. None: there is no place.
    pub fn admit(&self, from: IpAddr) -> Option<PortPlace> {
        let from = from.to_canonical();
        if lock(&self.addresses).contains(&from) {
            let place = Arc::clone(&self.machines).try_acquire_owned().ok()?;
            return Some(PortPlace(PlaceKind::Machine { _place: place }));
        }
        let mut strangers = lock(&self.shared.strangers);
        // limit: cluster-visitors
        if strangers.len() >= STRANGERS_AT_ONCE {
            let gives_way = |other: &Arc<StrangerVisit>| {
                !other.spoken.load(Ordering::Relaxed) && other.from != from
            };
            let oldest = strangers.iter().position(gives_way)?;
            strangers.remove(oldest)?.wanted.notify_one();
        }
        let visit = Arc::new(StrangerVisit {
            from,
            spoken: AtomicBool::new(false),
            wanted: Notify::new(),
        });
        strangers.push_back(Arc::clone(&visit));
        let shared = Arc::clone(&self.shared);
        Some(PortPlace(PlaceKind::Stranger(shared, visit)))
    }
}

impl PortPlace {
    /// It has said something. Whether a handshake may begin.
    pub fn speaks(&self, now: Moment) -> bool {
        match &self.0 {
            PlaceKind::Machine { .. } => true,
            PlaceKind::Stranger(shared, visit) => {
                visit.spoken.store(true, Ordering::Relaxed);
                shared.is_in_time(ClientKey::new(visit.from).network(), now)
            }
        }
    }

    /// Returns when the place is needed for another one, as long as nothing was said.
    pub async fn wanted(&self) {
        match &self.0 {
            PlaceKind::Machine { .. } => std::future::pending().await,
            PlaceKind::Stranger(_, visit) => visit.wanted.notified().await,
        }
    }
}

impl Drop for PortPlace {
    fn drop(&mut self) {
        if let PlaceKind::Stranger(shared, visit) = &self.0 {
            lock(&shared.strangers).retain(|other| !Arc::ptr_eq(other, visit));
        }
    }
}

impl AtPort {
    fn is_in_time(&self, network: NetworkKey, now: Moment) -> bool {
        let mut lately = lock(&self.lately);
        if now.since(lately.0) >= Duration::from_secs(1) {
            *lately = (now, Vec::new());
        }
        let of_network = lately.1.iter().filter(|other| **other == network).count();
        let is_in_time = lately.1.len() < STRANGERS_A_SECOND && of_network < NETWORK_A_SECOND;
        if is_in_time {
            lately.1.push(network);
        }
        is_in_time
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_seconds(1_800_000_000);
    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    fn stranger(n: u32) -> IpAddr {
        IpAddr::V4(std::net::Ipv4Addr::from_bits(0xC000_0200 + n))
    }

    #[test]
    fn strangers_have_few_places_and_take_none_of_the_machines() {
        let visitors = Visitors::default();
        visitors.expect([HOME]);
        let few: Vec<PortPlace> = (0..99)
            .filter_map(|_| visitors.admit(stranger(1)))
            .collect();
        assert_eq!(few.len(), STRANGERS_AT_ONCE);
        let at_home: Vec<PortPlace> = (0..99).filter_map(|_| visitors.admit(HOME)).collect();
        assert_eq!(at_home.len(), MACHINES_AT_ONCE);
        assert!(at_home.iter().all(|place| place.speaks(NOW)));
        drop(few);
        assert!(visitors.admit(stranger(9)).is_some());
        assert!(visitors.admit(HOME).is_none());
    }

    #[test]
    fn the_oldest_silent_stranger_gives_way_to_one_from_another_address() {
        let visitors = Visitors::default();
        let held: Vec<PortPlace> = (0..STRANGERS_AT_ONCE)
            .map(|_| visitors.admit(stranger(1)).unwrap())
            .collect();
        let wanted = |place: &PortPlace| {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            let wanted = std::pin::pin!(place.wanted());
            wanted.poll(&mut context).is_ready()
        };
        held[0].speaks(NOW);
        assert!(visitors.admit(stranger(1)).is_none(), "its own address");
        let machine = visitors.admit(stranger(2)).unwrap();
        assert!(machine.speaks(NOW));
        let gone: Vec<usize> = (0..held.len()).filter(|at| wanted(&held[*at])).collect();
        assert_eq!(gone, [1]);
        drop((held, machine));
        assert!(visitors.shared.strangers.lock().unwrap().is_empty());
    }

    #[test]
    fn so_many_handshakes_a_second_and_a_quarter_of_a_network() {
        let visitors = Visitors::default();
        let second = Duration::from_secs(1);
        let handshakes = |apart: u32, at| {
            (0..99)
                .filter(|n| visitors.admit(stranger(n * apart)).unwrap().speaks(at))
                .count()
        };
        assert_eq!(handshakes(1, NOW), NETWORK_A_SECOND);
        assert_eq!(handshakes(256, NOW), STRANGERS_A_SECOND - NETWORK_A_SECOND);
        let before = NOW + second - Duration::from_nanos(1);
        assert_eq!(handshakes(256, before), 0);
        assert_eq!(handshakes(256, NOW + second), STRANGERS_A_SECOND);
    }

    #[test]
    fn addresses_fill_no_memory() {
        let visitors = Visitors::default();
        visitors.expect((0..1000).map(stranger));
        assert_eq!(visitors.addresses.lock().unwrap().len(), ADDRESSES);
    }

    #[test]
    fn a_machine_that_is_expected_already_takes_no_other_ones_place() {
        let visitors = Visitors::default();
        visitors.expect((0..64).map(stranger));
        let all = visitors.addresses.lock().unwrap().clone();
        assert_eq!(all.len(), ADDRESSES);
        visitors.expect((0..64).map(stranger));
        let IpAddr::V4(last) = stranger(63) else {
            panic!("another family");
        };
        visitors.expect([IpAddr::V6(last.to_ipv6_mapped())]);
        assert_eq!(*visitors.addresses.lock().unwrap(), all);
    }
}
