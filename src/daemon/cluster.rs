//! cluster - the machines that have one bound together, and the store that lends to them
//!
//! Each owns a part of every bucket that all clients share (`gate::buckets::division`): so no machine needs another to keep to
//! the bound. What a store lends beside that goes where it is needed.
//! Not here: reading them from the file (`config`), the task that borrows (`server::lending`).

mod health;
pub mod store;

pub use self::health::{Lending, LendingHealth, LendingState};

use std::sync::Arc;

use self::store::LenderSettings;

/// The machines, and which of them this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterSettings {
    /// This machine.
    pub name: String,
    /// All of them.
    pub machines: Vec<String>,
    /// Where half of each shared bucket is lent; none: all of it is divided.
    pub store: Option<LenderSettings>,
}

/// The machines, if there are several, and how this one fares with their store.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// None: there is only this one.
    pub settings: Option<Arc<ClusterSettings>>,
    /// Whether the store lends.
    pub lending: LendingHealth,
}

impl Cluster {
    /// One that has not asked its store yet.
    pub fn new(settings: Option<ClusterSettings>) -> Self {
        Self {
            settings: settings.map(Arc::new),
            lending: LendingHealth::default(),
        }
    }
}

impl ClusterSettings {
    /// The list of machines, as others can compare it with theirs.
    pub fn list_hash(&self) -> String {
        format!(
            "{:08x}",
            crc32fast::hash(self.machines.join(" ").as_bytes())
        )
    }
}
