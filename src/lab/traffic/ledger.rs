//! ledger - who logged in from where: the facts by which the reports are sorted
//!
//! Kept apart from the gate's own records, by the documented rules: familiar for 90 days, at most 32
//! networks a user, near in the same /16 or /32.
//! Not here: what the gate knows (`gate::trust`).

use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;

use crate::traffic::DAY;
use gatepost_core::gate::request::client::NetworkKey;
use gatepost_core::moment::Moment;

/// Where a login comes from, seen from its user's past.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Locality {
    /// The user logged in from this network in the last 90 days.
    Home,
    /// The user logged in from the same /16 or /32.
    Near,
    /// Everything else.
    Far,
}

const NETWORKS: usize = 32;
const KEPT: Duration = DAY.saturating_mul(90);

/// Every person's networks, and the last login in each.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    logins: HashMap<u32, Vec<(NetworkKey, Moment)>>,
}

impl Ledger {
    pub(crate) fn login(&mut self, person: u32, network: NetworkKey, now: Moment) {
        let networks = self.logins.entry(person).or_default();
        if let Some((_, last)) = networks.iter_mut().find(|(known, _)| *known == network) {
            *last = (*last).max(now);
            return;
        }
        networks.push((network, now));
        if networks.len() > NETWORKS {
            let oldest = networks
                .iter()
                .enumerate()
                .min_by_key(|(_, (_, last))| *last);
            if let Some((at, _)) = oldest {
                networks.swap_remove(at);
            }
        }
    }

    pub(crate) fn locality(&self, person: u32, network: NetworkKey, now: Moment) -> Locality {
        let known = self.logins.get(&person).map_or(&[][..], Vec::as_slice);
        let mut locality = Locality::Far;
        for (other, last) in known {
            if now.since(*last) >= KEPT {
                continue;
            }
            if *other == network {
                return Locality::Home;
            }
            if other.region() == network.region() {
                locality = Locality::Near;
            }
        }
        locality
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::START;
    use gatepost_core::gate::request::client::ClientKey;

    fn network(text: &str) -> NetworkKey {
        text.parse::<ClientKey>().unwrap().network()
    }

    #[test]
    fn a_place_is_home_for_90_days_near_in_its_16_and_else_far() {
        let mut ledger = Ledger::default();
        ledger.login(1, network("20.1.2.3"), START);
        assert_eq!(
            ledger.locality(1, network("20.1.2.9"), START),
            Locality::Home
        );
        assert_eq!(
            ledger.locality(1, network("20.1.9.9"), START),
            Locality::Near
        );
        assert_eq!(
            ledger.locality(1, network("20.2.2.3"), START),
            Locality::Far
        );
        assert_eq!(
            ledger.locality(2, network("20.1.2.3"), START),
            Locality::Far
        );
        let later = START + KEPT;
        assert_eq!(
            ledger.locality(1, network("20.1.2.3"), later),
            Locality::Far
        );
    }

    #[test]
    fn the_33rd_network_displaces_the_oldest() {
        let mut ledger = Ledger::default();
        for n in 0..33 {
            let at = START + Duration::from_secs(n);
            ledger.login(1, network(&format!("20.{n}.0.1")), at);
        }
        assert_eq!(
            ledger.locality(1, network("20.0.0.1"), START),
            Locality::Far
        );
        assert_eq!(
            ledger.locality(1, network("20.32.0.1"), START),
            Locality::Home
        );
    }
}
