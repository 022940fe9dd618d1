//! lock - one process a state directory
//!
//! The lock is on the directory itself, so it works on a disk that is full or read-only, leaves no
//! file behind and goes with the process, however that ends. flock(2).

use std::fs::File;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::StoreFault;

/// Held as long as the directory is ours.
#[derive(Debug)]
pub(in crate::store) struct Lock(#[expect(dead_code, reason = "held for its lock")] File);

impl Lock {
    /// Takes the lock, or says who must go first.
    pub(in crate::store) fn take(directory: &Path) -> Result<Self, StoreFault> {
        let handle = File::open(directory).map_err(StoreFault::io("opening", directory))?;
        match flock(&handle, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self(handle)),
            Err(Errno::WOULDBLOCK) => Err(StoreFault::Locked(directory.to_owned())),
            Err(errno) => Err(StoreFault::io("locking", directory)(errno.into())),
        }
    }
}

/// Makes the directory, for its owner alone, where it is missing.
pub(in crate::store) fn make_directory(directory: &Path) -> Result<(), StoreFault> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(StoreFault::io("making", directory))
}
