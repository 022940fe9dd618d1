//! health - which machines of a mesh are linked with this one, since when, and why others are not
//!
//! Not here: making links (`server::sharing::by_mesh`), showing this (`server::operator`).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::PeerAddress;
use super::greeting::Greeting;
use gatepost_core::moment::Moment;

/// A fault of one place is told no more often.
const REPORTED: Duration = Duration::from_secs(3600);
/// Faults of which it is kept when they were told.
const REPORTS: usize = 256;

/// How the links of this machine are. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct MeshHealth(Arc<Mutex<MeshFacts>>);

/// How they are.
#[derive(Clone, Debug, Default)]
pub struct MeshFacts {
    /// Machines that are linked or were.
    pub links: BTreeMap<String, LinkFacts>,
    /// Places that are dialled, and why there is no link; none: there is one, or it is this machine's own.
    pub dialled: BTreeMap<PeerAddress, Option<String>>,
    /// Why this machine does not listen, if it should.
    pub unbound: Option<String>,
    /// Whether another process has this machine's name.
    pub is_taken: bool,
    /// The machine whose clock all have in common.
    pub reference: String,
    /// What was told to the operator, and when.
    reported: BTreeMap<(String, &'static str), Moment>,
}

/// A machine that is linked, or was.
#[derive(Clone, Debug)]
pub struct LinkFacts {
    /// Whether it is.
    pub is_linked: bool,
    /// Since when it is, or is not.
    pub since: Moment,
    /// Why it is not.
    pub why: Option<String>,
    /// Where it is.
    pub address: SocketAddr,
    /// The version of its gatepost.
    pub version: String,
    /// A hash of its list of machines.
    pub list: u32,
    heard: Arc<AtomicU64>,
}

impl LinkFacts {
    /// When it said something last.
    pub fn heard(&self) -> Moment {
        Moment::from_nanos(self.heard.load(Ordering::Relaxed))
    }
}

impl MeshHealth {
    /// How they are.
    pub fn get(&self) -> MeshFacts {
        self.locked().clone()
    }

    /// A machine is linked; where it is to be noted when it says something.
    pub fn linked(&self, other: &Greeting, address: SocketAddr, now: Moment) -> Arc<AtomicU64> {
        let heard = Arc::new(AtomicU64::new(now.as_nanos()));
        let mut facts = self.locked();
        let before = facts.links.get(&other.name);
        let since = before.filter(|before| before.is_linked);
        let link = LinkFacts {
            is_linked: true,
            since: since.map_or(now, |before| before.since),
            why: None,
            address,
            version: other.version.clone(),
            list: other.list,
            heard: Arc::clone(&heard),
        };
        // Only names on the list come here.
        facts.links.insert(other.name.clone(), link);
        heard
    }

    /// A machine is not linked any more.
    pub fn unlinked(&self, machine: &str, why: String, now: Moment) {
        if let Some(link) = self.locked().links.get_mut(machine) {
            (link.is_linked, link.since) = (false, now);
            link.why = Some(why);
        }
    }

    /// Whether a machine is linked.
    pub fn is_linked(&self, machine: &str) -> bool {
        let facts = self.locked();
        facts.links.get(machine).is_some_and(|link| link.is_linked)
    }

    /// A place was dialled, and why there is no link.
    pub fn dialled(&self, peer: &PeerAddress, why: Option<String>) {
        self.locked().dialled.insert(peer.clone(), why);
    }

    /// Why this machine does not listen; none: it does.
    pub fn listens(&self, why: Option<String>) {
        self.locked().unbound = why;
    }

    /// Whether another process has this machine's name, and the machine with the common clock; whether the first is new.
    pub fn stands(&self, is_taken: bool, reference: String) -> bool {
        let mut facts = self.locked();
        facts.reference = reference;
        std::mem::replace(&mut facts.is_taken, is_taken) != is_taken
    }

    /// Whether a fault of this kind is to be told of a place: once an hour, however often it comes.
    pub fn is_due(&self, place: &str, kind: &'static str, now: Moment) -> bool {
        let mut facts = self.locked();
        let reported = &mut facts.reported;
        let subject = (place.to_owned(), kind);
        let before = reported.get(&subject).copied();
        let is_due = before.is_none_or(|at| now.since(at) >= REPORTED);
        let has_room = before.is_some() || reported.len() < REPORTS;
        if is_due && has_room {
            reported.insert(subject, now);
        }
        is_due && has_room
    }

    fn locked(&self) -> MutexGuard<'_, MeshFacts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_seconds(1_800_000_000);

    #[test]
    fn a_fault_is_told_once_an_hour_of_each_place_and_places_fill_no_memory() {
        let health = MeshHealth::default();
        assert!(health.is_due("a:1", "damaged", NOW));
        let almost = NOW + REPORTED - Duration::from_nanos(1);
        assert!(!health.is_due("a:1", "damaged", almost));
        assert!(health.is_due("a:1", "version", NOW));
        assert!(health.is_due("b:1", "damaged", NOW));
        assert!(health.is_due("a:1", "damaged", NOW + REPORTED));
        for number in 0..REPORTS {
            health.is_due(&number.to_string(), "damaged", NOW);
        }
        assert_eq!(health.get().reported.len(), REPORTS);
        assert!(!health.is_due("one more", "damaged", NOW));
    }
}
