//! saving - snapshots on their way to the disk, on any thread
//!
//! Not here: the journal that goes on meanwhile, and what the snapshots cover (`store`).

use std::sync::Arc;

use super::directory::Directory;
use super::{StoreFault, find, former_names, replace};
use gatepost_core::gate::Gate;
use gatepost_core::moment::Moment;

/// Snapshots to be written.
#[derive(Debug)]
#[must_use]
pub struct Saving {
    pub(super) directory: Arc<Directory>,
    pub(super) covers: u64,
}

/// Snapshots that are on disk, and the number of the first journal that they do not cover.
#[derive(Debug)]
#[must_use]
pub struct Saved {
    pub(super) directory: Arc<Directory>,
    pub(super) covers: u64,
}

impl Saving {
    /// Replaces the snapshots by the gate's state, synced.
    ///
    /// # Errors
    ///
    /// When the file system refuses; what was not replaced then stays.
    pub fn write(self, gate: &Gate, now: Moment) -> Result<Saved, StoreFault> {
        let directory = self.directory;
        replace::replace(&directory, find::KNOWN, |out| gate.write_known(now, out))?;
        replace::replace(&directory, find::DEBTS, |out| gate.write_debts(now, out))?;
        if let Some(before) = gate.before() {
            former_names::write(&directory, before, now)?;
        }
        Ok(Saved {
            directory,
            covers: self.covers,
        })
    }
}
