//! key - the secrets of the state: under which user names are hashed, and rows find their places
//!
//! Made once, kept beside the snapshot, for its owner alone: whoever reads a stray copy of the snapshot learns
//! no names by trying, and nobody can aim at a row. Kept over a restart, for then users and rows are
//! found again. Not here: the key of passwords, made anew at every start.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::frame::{self, Frame};
use super::{SetAside, StoreFault, set_aside, snapshot};

/// The secrets of one state directory.
#[derive(Clone, Copy)]
pub struct StateKeys {
    /// For user names.
    pub users: [u8; 16],
    /// For the rows of the tables.
    pub rows: [u8; 16],
}

/// The secrets, and whether they lie on the disk.
#[derive(Debug)]
pub(in crate::store) struct KeyFile {
    pub(in crate::store) keys: StateKeys,
    kept: bool,
}

/// Tells nothing.
impl fmt::Debug for StateKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StateKeys(..)")
    }
}

impl StateKeys {
    fn read(octets: &[u8]) -> Option<Self> {
        let (users, rows) = octets.split_first_chunk()?;
        Some(Self {
            users: *users,
            rows: rows.try_into().ok()?,
        })
    }
}

impl KeyFile {
    /// Reads the keys, or makes some where none are.
    ///
    /// Keys that cannot be written (a full disk) serve, and are written before the next snapshot: the
    /// service matters more.
    pub(in crate::store) fn load_or_make(
        directory: &Path,
        aside: &mut Vec<SetAside>,
    ) -> Result<Self, StoreFault> {
        let path = path(directory);
        match std::fs::read(&path) {
            Ok(octets) => {
                if let Frame::Whole(payload, []) = frame::first(&octets)
                    && let Some(keys) = StateKeys::read(payload)
                {
                    return Ok(Self { keys, kept: true });
                }
                let why = "it holds no keys: every user is unknown again";
                aside.push(set_aside(&path, why)?);
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(StoreFault::io("reading", &path)(error)),
        }
        let keys = StateKeys {
            users: random(),
            rows: random(),
        };
        let mut file = Self { keys, kept: false };
        // The first snapshot tells that the disk refuses.
        let _ = file.keep(directory);
        Ok(file)
    }

    /// Writes the keys, unless they are written. A snapshot without the key of its names is worth nothing,
    /// so this comes first.
    pub(in crate::store) fn keep(&mut self, directory: &Path) -> Result<(), StoreFault> {
        if !self.kept {
            let mut octets = Vec::new();
            frame::push(&mut octets, &[self.keys.users, self.keys.rows].concat());
            snapshot::replace(&path(directory), &octets)?;
            self.kept = true;
        }
        Ok(())
    }
}

fn path(directory: &Path) -> PathBuf {
    directory.join("keys")
}

/// Sixteen octets from the system's generator.
///
/// # Panics
///
/// Never on Linux since 3.17: the generator cannot fail once the machine has started.
#[expect(clippy::expect_used, reason = "without it nothing is safe")]
pub fn random() -> [u8; 16] {
    let mut key = [0; 16];
    getrandom::fill(&mut key).expect("the system's random generator answers");
    key
}
