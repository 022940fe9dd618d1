//! fixed - the keys that a running process cannot change, and the rest of a new config without them
//!
//! Not here: what a reload changes (`server::reload`).

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::Config;

impl Config {
    /// The keys that differ in `new` and that a running process cannot change: it keeps its own
    /// until a restart.
    pub fn fixed_changes(&self, new: &Self) -> Vec<&'static str> {
        let addresses = |config: &Self| -> BTreeSet<SocketAddr> {
            config.listeners.iter().map(|l| l.address).collect()
        };
        let (capacity, new_capacity) = (self.gate.capacity, new.gate.capacity);
        let (names, new_names) = (&self.gate.names, &new.gate.names);
        [
            ("listen.address", addresses(self) != addresses(new)),
            ("names.domain", names.domain != new_names.domain),
            (
                "names.default-realm",
                names.default_realm != new_names.default_realm,
            ),
            ("names.translate", names.translate != new_names.translate),
            (
                "names.master-separator",
                names.master_separator != new_names.master_separator,
            ),
            ("names.subaddress", names.subaddress != new_names.subaddress),
            ("capacity.clients", capacity.clients != new_capacity.clients),
            ("capacity.pairs", capacity.pairs != new_capacity.pairs),
            ("state.directory", self.store != new.store),
            ("history.keep", self.history.keep != new.history.keep),
            ("auth-policy", self.auth_policy != new.auth_policy),
            ("cluster", self.cluster != new.cluster),
            ("crowdsec", self.crowdsec != new.crowdsec),
            ("admin.socket", self.admin.socket != new.admin.socket),
            ("admin.group", self.admin.group != new.admin.group),
            ("http", self.web != new.web),
        ]
        .into_iter()
        .filter_map(|(key, changed)| changed.then_some(key))
        .collect()
    }

    /// This config as far as a process that was started with `running` can apply it: the keys of
    /// [`fixed_changes`](Self::fixed_changes) stay as they are, and the listeners stay in their
    /// order, each with the settings that this config has for its address, if any.
    #[must_use]
    pub fn with_fixed_of(self, running: &Self) -> Self {
        let mut listeners = running.listeners.clone();
        for listener in &mut listeners {
            let mut new = self.listeners.iter();
            if let Some(new) = new.find(|new| new.address == listener.address) {
                listener.clone_from(new);
            }
        }
        let mut config = Self {
            listeners,
            store: running.store.clone(),
            history: running.history.clone(),
            admin: running.admin.clone(),
            web: running.web.clone(),
            auth_policy: running.auth_policy.clone(),
            cluster: running.cluster.clone(),
            crowdsec: running.crowdsec.clone(),
            ..self
        };
        config.gate.nonce.clone_from(&running.gate.nonce);
        config.gate.division = running.gate.division;
        config.gate.capacity = running.gate.capacity;
        config.gate.names.clone_from(&running.gate.names);
        config
    }
}
