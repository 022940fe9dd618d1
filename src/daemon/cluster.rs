//! cluster - the machines that have one bound together, the store that lends to them, the links between them
//!
//! Each owns a part of every bucket that all clients share (`gate::buckets::division`): so no machine needs another to keep to
//! the bound. What a store lends beside that goes where it is needed. With a secret the machines tell one another who is known,
//! familiar and banned: over the store (`stream`), or directly (`mesh`).
//! Not here: reading them from the file (`config`), the tasks that borrow and tell (`server::lending`, `server::sharing`).

mod health;
mod outbox;
#[cfg(test)]
mod own_redis;
mod sharing;

pub mod common_clock;
pub mod decided;
pub mod mesh;
pub mod message;
pub mod secret;
pub mod store;
pub mod stream;

pub use self::health::{Lending, LendingHealth, LendingState};
pub use self::outbox::{Outbox, OutboxFacts};
pub use self::sharing::{MachineTold, Sharing, SharingHealth, SharingState};

use std::path::PathBuf;
use std::sync::Arc;

use self::decided::DecidedPlaces;
use self::mesh::{MeshHealth, MeshSettings};
use self::store::LenderSettings;
use crate::report::limits::LimitCounters;
use gatepost_core::moment::Moment;

/// The machines, and which of them this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterSettings {
    /// This machine.
    pub name: String,
    /// All of them.
    pub machines: Vec<String>,
    /// Where half of each shared bucket is lent; none: all of it is divided.
    pub store: Option<LenderSettings>,
    /// Where they are linked with each other, instead of a store; none: nowhere.
    pub mesh: Option<MeshSettings>,
    /// The file with what the machines have in common; none: they tell one another nothing.
    pub secret: Option<PathBuf>,
}

/// The machines, if there are several, and how this one fares with their store.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// None: there is only this one.
    pub settings: Option<Arc<ClusterSettings>>,
    /// Whether the store lends.
    pub lending: LendingHealth,
    /// Whether the machines tell one another what they know.
    pub sharing: SharingHealth,
    /// Whether they are linked with each other.
    pub mesh: MeshHealth,
    /// What this one has to tell.
    pub outbox: Outbox,
    /// At which machine what is shared was decided.
    pub decided: DecidedPlaces,
}

impl Cluster {
    /// One that has not asked its store yet; and what it has to tell, if it tells anything.
    pub fn new(
        settings: Option<ClusterSettings>,
        limits: &Arc<LimitCounters>,
    ) -> (Self, Option<OutboxFacts>) {
        let tells = settings
            .as_ref()
            .is_some_and(|settings| settings.secret.is_some());
        let (outbox, facts) = match tells {
            true => {
                let (outbox, facts) = Outbox::channel(limits);
                (outbox, Some(facts))
            }
            false => (Outbox::closed(limits), None),
        };
        let cluster = Self {
            decided: DecidedPlaces::new(settings.as_ref()),
            settings: settings.map(Arc::new),
            lending: LendingHealth::default(),
            sharing: SharingHealth::default(),
            mesh: MeshHealth::default(),
            outbox,
        };
        (cluster, facts)
    }

    /// Whether this machine is cut off: from what lends to it, or from the machines that it tells what it knows.
    pub fn cut_off(&self) -> Option<CutOff> {
        let lending = match self.lending.get().state {
            LendingState::CutOff { since, why } => Some((since, why.to_string())),
            LendingState::NotAsked | LendingState::Lends { .. } => None,
        };
        let sharing = match self.sharing.get().state {
            SharingState::CutOff { since, why } | SharingState::InPart { since, why } => {
                Some((since, why))
            }
            SharingState::NotAsked | SharingState::Shares { .. } => None,
        };
        let both = lending.into_iter().chain(sharing);
        let first = both.min_by_key(|(since, _)| *since);
        first.map(|(since, why)| CutOff { since, why })
    }
}

/// That this machine does not reach the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutOff {
    /// Since when.
    pub since: Moment,
    /// Why, as it was found last.
    pub why: String,
}

impl ClusterSettings {
    /// Whether the machines tell one another what they know.
    pub fn shares(&self) -> bool {
        self.secret.is_some() && (self.store.is_some() || self.mesh.is_some())
    }

    /// The list of machines, as others can compare it with theirs.
    pub fn list_hash(&self) -> String {
        format!("{:08x}", self.list_number())
    }

    /// The same, as a number.
    pub fn list_number(&self) -> u32 {
        crc32fast::hash(self.machines.join(" ").as_bytes())
    }
}
