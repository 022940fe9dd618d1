//! replace - a file on disk replaced whole or not at all
//!
//! Written to a temporary file, piece by piece, synced, renamed, and the directory synced: a reader sees
//! the old file or the new one. Not here: what is written (`gate::state`).

use std::fs::File;
use std::io::{self, BufWriter, Write};

use super::StoreFault;
use super::directory::Directory;

/// Octets that go to the file at once.
const PIECE: usize = 1 << 17;

/// Puts what `write` writes in the place of `name`.
pub(in crate::store) fn replace(
    directory: &Directory,
    name: &str,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), StoreFault> {
    let (file, temporary) = directory.create_temporary(name)?;
    let mut out = BufWriter::with_capacity(PIECE, file);
    let written = write(&mut out)
        .and_then(|()| out.flush())
        .and_then(|()| out.get_ref().sync_all());
    // Half a file that stays would take room on a disk that may be full: `into_parts` writes nothing more.
    drop(out.into_parts());
    written
        .map_err(StoreFault::io("writing", &directory.path().join(name)))
        .and_then(|()| directory.rename(&temporary, name))
        .inspect_err(|_| {
            // That it may not go matters less: the next start removes it.
            let _ = directory.remove(&temporary);
        })?;
    directory.sync()
}
