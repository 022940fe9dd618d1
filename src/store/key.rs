//! key - the secrets of the state: under which user names are hashed, and rows find their places
//!
//! Made once, kept beside the snapshot, for its owner alone: whoever reads a stray copy of the snapshot learns
//! no names by trying, and nobody can aim at a row. Kept over a restart, the rows' key makes restoring a snapshot
//! sequential. Not here: the key of passwords, made anew at every start.

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;

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

/// Reads the keys, or makes some where none are.
///
/// Keys that cannot be written (a read-only disk) serve for this run: the service matters more.
pub(in crate::store) fn load_or_make(
    directory: &Path,
    aside: &mut Vec<SetAside>,
) -> Result<StateKeys, StoreFault> {
    let path = directory.join("keys");
    match std::fs::read(&path) {
        Ok(octets) => {
            if let Frame::Whole(payload, []) = frame::first(&octets)
                && let Some(keys) = StateKeys::read(payload)
            {
                return Ok(keys);
            }
            aside.push(set_aside(
                &path,
                "it holds no keys: every user is unknown again",
            )?);
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(StoreFault::io("reading", &path)(error)),
    }
    let keys = StateKeys {
        users: random(),
        rows: random(),
    };
    let mut octets = Vec::new();
    frame::push(&mut octets, &[keys.users, keys.rows].concat());
    let _ = snapshot::replace(&path, &octets);
    Ok(keys)
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
