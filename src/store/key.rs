//! key - the secret under which user names are hashed in the state
//!
//! Made once, kept beside the snapshot, for its owner alone: whoever reads a stray copy of the snapshot learns
//! no names by trying. Not here: the keys of passwords and of the tables, made anew at every start.

use std::io::ErrorKind;
use std::path::Path;

use super::frame::{self, Frame};
use super::{SetAside, StoreFault, set_aside, snapshot};

/// A key, and whether it lies on the disk.
#[derive(Clone, Copy)]
pub(in crate::store) struct UserKey {
    pub(in crate::store) octets: [u8; 16],
    pub(in crate::store) kept: bool,
}

impl UserKey {
    /// Writes the key, unless it is written. A snapshot without the key of its names is worth nothing, so
    /// this comes first.
    pub(in crate::store) fn keep(&mut self, directory: &Path) -> Result<(), StoreFault> {
        if !self.kept {
            let mut octets = Vec::new();
            frame::push(&mut octets, &self.octets);
            snapshot::replace(&path(directory), &octets)?;
            self.kept = true;
        }
        Ok(())
    }
}

impl std::fmt::Debug for UserKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UserKey(..)")
    }
}

fn path(directory: &Path) -> std::path::PathBuf {
    directory.join("user.key")
}

/// Reads the key, or makes one where none is.
///
/// A key that cannot be written (a full disk) serves, and is written before the next snapshot: the service
/// matters more.
pub(in crate::store) fn load_or_make(
    directory: &Path,
    aside: &mut Vec<SetAside>,
) -> Result<UserKey, StoreFault> {
    let path = path(directory);
    match std::fs::read(&path) {
        Ok(octets) => {
            if let Frame::Whole(payload, []) = frame::first(&octets)
                && let Ok(octets) = payload.try_into()
            {
                return Ok(UserKey { octets, kept: true });
            }
            aside.push(set_aside(
                &path,
                "it is no key: every user is unknown again",
            )?);
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(StoreFault::io("reading", &path)(error)),
    }
    let mut key = UserKey {
        octets: random(),
        kept: false,
    };
    // The first snapshot tells that the disk refuses.
    let _ = key.keep(directory);
    Ok(key)
}

/// Sixteen octets from the system's generator.
///
/// # Panics
///
/// Never on Linux since 3.17: the generator cannot fail once the machine has started.
#[expect(
    clippy::expect_used,
    reason = "without randomness there is nothing safe to do"
)]
pub fn random() -> [u8; 16] {
    let mut key = [0; 16];
    getrandom::fill(&mut key).expect("the system's random generator answers");
    key
}
