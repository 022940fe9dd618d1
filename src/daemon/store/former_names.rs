//! former_names - names that have another key since, and who is still known under the old one
//!
//! Not here: the keys (`key`), whose hash is whose (`gate::state::renamed`).

use super::directory::Directory;
use super::{Store, StoreFault, find, replace};
use gatepost_core::gate::Gate;
use gatepost_core::gate::state::file::{Form, StateFile};
use gatepost_core::moment::Moment;

impl Store {
    /// Hashes names under this key from now on: the machines of a cluster have one. The users who were known until now
    /// stand in `gate.before()`.
    ///
    /// A disk that refuses tells that at the next snapshot.
    pub fn adopt_users_key(&mut self, users: [u8; 16], gate: &Gate, now: Moment) {
        // First who was known, then the key: without the one the other is worth nothing.
        if let Some(before) = gate.before() {
            let _ = write(&self.directory, before, now);
        }
        self.key_file.adopt(&self.directory, users);
        let _ = self.save(gate, now);
    }

    /// The key under which names were hashed before, if there was another, and who is known under it, in a file of `longest` octets at most.
    pub fn names_before(&self, longest: u64) -> Option<([u8; 16], StateFile)> {
        let users = self.key_file.users_before()?;
        let octets = self.directory.read(find::KNOWN_BEFORE, longest).ok()?;
        let form = Form::Snapshot;
        Some((users, StateFile { form, octets }))
    }
}

/// Replaces the snapshot of those who are known under the old key.
pub(super) fn write(directory: &Directory, before: &Gate, now: Moment) -> Result<(), StoreFault> {
    replace::replace(directory, find::KNOWN_BEFORE, |out| {
        before.write_known(now, out)
    })
}
