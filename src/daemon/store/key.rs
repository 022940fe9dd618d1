//! key - the secrets of the state: under which user names are hashed, and rows find their places
//!
//! Made once, kept beside the snapshots, for their owner alone: who reads a stray copy of a snapshot
//! learns no names by trying, and nobody can aim at a row. Kept over a restart, for then users and rows are
//! found again. The file: length (32), CRC-32, both little-endian, then the two keys; since the first
//! format. Where names get another key, the keys of before stay in `keys.before`, in the same form.
//! Not here: the key of passwords, made anew at every start.

use std::fmt;
use std::io::{ErrorKind, Write};

pub use super::random::random;

use super::directory::Directory;
use super::{SetAside, StoreFault, find, replace};

/// Length and checksum.
const HEAD: usize = 8;

/// Octets of a file of keys that is read: room for a version that keeps more of them.
const LONGEST: u64 = 4096;

/// The secrets of one state directory.
#[derive(Clone, Copy)]
pub struct StateKeys {
    /// For user names.
    pub users: [u8; 16],
    /// For the rows of the tables.
    pub rows: [u8; 16],
}

/// What was there for keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundKeys {
    /// The keys.
    Read,
    /// Nothing: these are new.
    Missing,
    /// Something else; these are new.
    SetAside(SetAside),
}

/// The secrets, and whether they lie on the disk.
#[derive(Debug)]
pub(in crate::store) struct KeyFile {
    pub(in crate::store) keys: StateKeys,
    kept: bool,
    /// Those of before another key for names was taken, under which some are still known.
    before: Option<StateKeys>,
}

/// Tells nothing.
impl fmt::Debug for StateKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StateKeys(..)")
    }
}

impl StateKeys {
    fn read(octets: &[u8]) -> Option<Self> {
        let (users, rest) = octets.get(HEAD..)?.split_first_chunk()?;
        let keys = Self {
            users: *users,
            rows: rest.try_into().ok()?,
        };
        (keys.octets() == octets).then_some(keys)
    }

    /// The whole file.
    fn octets(&self) -> Vec<u8> {
        let keys = [self.users, self.rows].concat();
        let length = (keys.len() as u32).to_le_bytes();
        [
            &length,
            &crc32fast::hash(&keys).to_le_bytes(),
            keys.as_slice(),
        ]
        .concat()
    }
}

impl KeyFile {
    /// Reads the keys, or makes some where none are.
    ///
    /// Keys that cannot be written (a full disk) serve, and are written before the next snapshot: the
    /// service matters more.
    ///
    /// # Errors
    ///
    /// They are there, and may not be read now: others would void the state.
    pub(in crate::store) fn load_or_make(
        directory: &Directory,
    ) -> Result<(Self, FoundKeys), StoreFault> {
        let found = match directory.read(find::KEYS, LONGEST) {
            Ok(octets) => match StateKeys::read(&octets) {
                Some(keys) => {
                    let before = directory.read(find::KEYS_BEFORE, LONGEST).ok();
                    let before = before.and_then(|octets| StateKeys::read(&octets));
                    let file = Self {
                        keys,
                        kept: true,
                        before,
                    };
                    return Ok((file, FoundKeys::Read));
                }
                None => {
                    FoundKeys::SetAside(find::set_aside(directory, find::KEYS, "it holds no keys"))
                }
            },
            Err(error) if error.kind() == ErrorKind::NotFound => FoundKeys::Missing,
            Err(error) => {
                FoundKeys::SetAside(find::set_aside_unread(directory, find::KEYS, error)?)
            }
        };
        let keys = StateKeys {
            users: random(),
            rows: random(),
        };
        let mut file = Self {
            keys,
            kept: false,
            before: None,
        };
        // The first snapshot tells that the disk refuses.
        let _ = file.keep(directory);
        Ok((file, found))
    }

    /// Writes the keys, unless they are written. A snapshot without the key of its names is worth nothing,
    /// so this comes first.
    pub(in crate::store) fn keep(&mut self, directory: &Directory) -> Result<(), StoreFault> {
        if !self.kept {
            if let Some(before) = &self.before {
                let octets = before.octets();
                replace::replace(directory, find::KEYS_BEFORE, |out| out.write_all(&octets))?;
            }
            let octets = self.keys.octets();
            replace::replace(directory, find::KEYS, |out| out.write_all(&octets))?;
            self.kept = true;
        }
        Ok(())
    }

    /// Hashes names under this key from now on.
    pub(in crate::store) fn adopt(&mut self, directory: &Directory, users: [u8; 16]) {
        if self.keys.users == users {
            return;
        }
        self.before = Some(self.keys);
        self.keys.users = users;
        self.kept = false;
        // As at the start.
        let _ = self.keep(directory);
    }

    /// The key under which names were hashed before.
    pub(in crate::store) fn users_before(&self) -> Option<[u8; 16]> {
        self.before.map(|keys| keys.users)
    }

    /// Whether the keys are still there, if they were written.
    pub(in crate::store) fn is_in_place(&self, directory: &Directory) -> bool {
        !self.kept || directory.has(find::KEYS)
    }

    /// The directory is another one, or what it had for keys has another name now.
    pub(in crate::store) fn moved(&mut self) {
        self.kept = false;
    }
}
