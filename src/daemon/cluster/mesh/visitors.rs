//! visitors - connections to a mesh's port that have not shown yet that they have the secret: few at once, and few a second
//!
//! Who comes from where the other machines are has places of its own, so that no stranger keeps a machine from being linked. A
//! stranger beyond the limits is reset at once, before any handshake.
//! Not here: the handshake and its deadline (`link`).

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use gatepost_core::moment::Moment;

/// Connections at once from where a machine is.
const MACHINES_AT_ONCE: usize = 16;
/// Connections at once from elsewhere.
const STRANGERS_AT_ONCE: usize = 4;
/// Handshakes a second with those from elsewhere.
const STRANGERS_A_SECOND: u32 = 8;
/// Addresses of machines that are remembered.
const ADDRESSES: usize = 64;

/// Who is at the port, and who may be.
#[derive(Debug)]
pub struct Visitors {
    machines: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    /// Where the other machines are.
    addresses: Mutex<BTreeSet<IpAddr>>,
    /// Handshakes with strangers since the moment.
    lately: Mutex<(Moment, u32)>,
}

/// The right to a handshake; dropped, it is another one's.
#[derive(Debug)]
pub struct PortPlace {
    _place: OwnedSemaphorePermit,
}

impl Default for Visitors {
    fn default() -> Self {
        Self {
            // limit: cluster-visitors
            machines: Arc::new(Semaphore::new(MACHINES_AT_ONCE)),
            // limit: cluster-visitors
            strangers: Arc::new(Semaphore::new(STRANGERS_AT_ONCE)),
            addresses: Mutex::default(),
            lately: Mutex::default(),
        }
    }
}

impl Visitors {
    /// Another machine is at these addresses.
    pub fn expect(&self, found: impl IntoIterator<Item = IpAddr>) {
        let mut addresses = self
            .addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for address in found {
            if addresses.len() >= ADDRESSES {
                addresses.pop_first();
            }
            addresses.insert(address.to_canonical());
        }
    }

    /// Somebody comes from there. None: there is no place.
    pub fn admit(&self, from: IpAddr, now: Moment) -> Option<PortPlace> {
        let addresses = self
            .addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_machine = addresses.contains(&from.to_canonical());
        let places = match is_machine {
            true => &self.machines,
            false => &self.strangers,
        };
        let place = Arc::clone(places).try_acquire_owned().ok()?;
        (is_machine || self.is_in_time(now)).then_some(PortPlace { _place: place })
    }

    fn is_in_time(&self, now: Moment) -> bool {
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        if now.since(lately.0) >= Duration::from_secs(1) {
            *lately = (now, 0);
        }
        let is_in_time = lately.1 < STRANGERS_A_SECOND;
        lately.1 += u32::from(is_in_time);
        is_in_time
    }
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
        let few: Vec<PortPlace> = (0..9)
            .filter_map(|n| visitors.admit(stranger(n), NOW))
            .collect();
        assert_eq!(few.len(), STRANGERS_AT_ONCE);
        let at_home: Vec<PortPlace> = (0..99).filter_map(|_| visitors.admit(HOME, NOW)).collect();
        assert_eq!(at_home.len(), MACHINES_AT_ONCE);
        drop(few);
        assert!(visitors.admit(stranger(9), NOW).is_some());
        assert!(visitors.admit(HOME, NOW).is_none());
    }

    #[test]
    fn so_many_handshakes_a_second_and_no_more() {
        let visitors = Visitors::default();
        let second = Duration::from_secs(1);
        let handshakes = |at| {
            (0..99)
                .filter(|n| visitors.admit(stranger(*n), at).is_some())
                .count()
        };
        assert_eq!(handshakes(NOW), STRANGERS_A_SECOND as usize);
        assert_eq!(handshakes(NOW + second - Duration::from_nanos(1)), 0);
        assert_eq!(handshakes(NOW + second), STRANGERS_A_SECOND as usize);
    }

    #[test]
    fn addresses_fill_no_memory() {
        let visitors = Visitors::default();
        visitors.expect((0..1000).map(stranger));
        assert_eq!(visitors.addresses.lock().unwrap().len(), ADDRESSES);
    }
}
