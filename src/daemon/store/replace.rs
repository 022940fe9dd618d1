//! replace - a file on disk replaced whole or not at all
//!
//! Written to a temporary file, piece by piece, synced, renamed, and the directory synced: a reader sees
//! the old file or the new one. Not here: what is written (`gate::state`).

use std::io::{self, BufWriter, Write};

use super::StoreFault;
use super::directory::Directory;
use super::note::SummedFile;

/// Octets that go to the file at once.
const PIECE: usize = 1 << 17;

/// Puts what `write` writes in the place of `name`, unless a file of another state has come there.
pub(in crate::store) fn replace(
    directory: &Directory,
    name: &str,
    write: impl FnOnce(&mut BufWriter<SummedFile>) -> io::Result<()>,
) -> Result<(), StoreFault> {
    let (file, temporary) = directory.create_temporary(name)?;
    let mut out = BufWriter::with_capacity(PIECE, SummedFile::new(file));
    let written = write(&mut out)
        .and_then(|()| out.flush())
        .and_then(|()| out.get_ref().file.sync_all());
    // Half a file that stays would take room on a disk that may be full: `into_parts` writes nothing more.
    let (file, _) = out.into_parts();
    written
        .map_err(StoreFault::io("writing", &directory.path().join(name)))
        .and_then(|()| directory.put(file, &temporary, name))
        .inspect_err(|_| {
            // That it may not go matters less: the next start removes it.
            let _ = directory.remove(&temporary);
        })?;
    directory.sync()
}
