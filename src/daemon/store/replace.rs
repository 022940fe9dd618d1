//! replace - a file on disk replaced whole or not at all
//!
//! Written to a temporary file, piece by piece, synced, renamed, and the directory synced: a reader sees
//! the old file or the new one. Not here: what is written (`gate::state`).

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::{StoreFault, private};

/// Octets that go to the file at once.
const PIECE: usize = 1 << 17;

/// Puts what `write` writes in the place of `path`.
pub(in crate::store) fn replace(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), StoreFault> {
    let temporary = path.with_extension("new");
    let file = private::open(OpenOptions::new().write(true).truncate(true), &temporary)?;
    let mut out = BufWriter::with_capacity(PIECE, file);
    let written = write(&mut out)
        .and_then(|()| out.flush())
        .and_then(|()| out.get_ref().sync_all());
    if let Err(error) = written {
        // Half a file takes room on a disk that may be full. That it may not go matters less.
        drop(out.into_parts());
        let _ = std::fs::remove_file(&temporary);
        return Err(StoreFault::io("writing", &temporary)(error));
    }
    std::fs::rename(&temporary, path).map_err(StoreFault::io("replacing", path))?;
    let directory = path.parent().unwrap_or(Path::new("/"));
    File::open(directory)
        .and_then(|handle| handle.sync_all())
        .map_err(StoreFault::io("syncing", directory))
}
