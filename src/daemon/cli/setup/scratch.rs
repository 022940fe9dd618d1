//! scratch - a folder of root's own, for as long as it is needed
//!
//! Not here: what is put there (`change`, `plan`, `revert`).

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// A folder of root's own for as long as it is needed.
pub(super) struct Scratch(pub(super) PathBuf);

impl Scratch {
    pub(super) fn new() -> io::Result<Self> {
        let number = crate::store::key::random();
        let name: String = number.iter().map(|octet| format!("{octet:02x}")).collect();
        let path = std::env::temp_dir().join(format!("gatepost-setup-{name}"));
        // Fails where somebody has put something there.
        fs::create_dir(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o700))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays is a copy, for root only.
        let _ = fs::remove_dir_all(&self.0);
    }
}
