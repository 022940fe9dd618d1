//! systems - whether a user has logged in from the autonomous system of an attempt
//!
//! Asked only where neither the network nor its /16 (or /32) is known of the user: a phone or a laptop that moves within its
//! carrier comes from another /16 every few days. Nothing is kept: a database of the operator's is asked about the user's
//! networks, at most 32, each time.
//! Not here: the database (the daemon's `places`), what near is worth (`ladder`).

use std::sync::{Arc, OnceLock};

use crate::gate::request::client::NetworkKey;
use crate::gate::request::place::SystemLookup;

/// What can be asked; nothing until it is set.
#[derive(Default)]
pub(in crate::gate) struct Systems(OnceLock<Arc<dyn SystemLookup>>);

impl Systems {
    /// From now on this one is asked. Once is enough: it knows itself which database is in use.
    pub(in crate::gate) fn ask(&self, lookup: Arc<dyn SystemLookup>) {
        let _ = self.0.set(lookup);
    }

    /// Whether one system announces `network` and any of `others`.
    pub(in crate::gate) fn have_in_common(
        &self,
        network: NetworkKey,
        others: impl FnOnce() -> Vec<NetworkKey>,
    ) -> bool {
        let Some(lookup) = self.0.get() else {
            return false;
        };
        // Number 0 stands for what nobody announces (RFC 7607).
        let Some(system) = lookup.system(network).filter(|number| *number != 0) else {
            return false;
        };
        let mut others = others().into_iter();
        others.any(|other| lookup.system(other) == Some(system))
    }
}
