//! snapshot - the gate's image on disk, replaced whole or not at all
//!
//! A magic line names the format and its version, then one frame. Written to a temporary file, synced,
//! renamed, and the directory synced: a reader sees the old image or the new one.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::frame::{self, Frame};
use super::{SetAside, StoreFault, private, set_aside};

/// Changes when the frame changes; the image inside has a version of its own.
const MAGIC: &[u8] = b"gatepost snapshot 1\n";

/// Where the snapshot lies.
pub(in crate::store) fn path(directory: &Path) -> PathBuf {
    directory.join("snapshot")
}

/// Reads the image, or sets a file aside that holds none.
pub(in crate::store) fn read(
    directory: &Path,
    aside: &mut Vec<SetAside>,
) -> Result<Option<Vec<u8>>, StoreFault> {
    let path = path(directory);
    let mut octets = match std::fs::read(&path) {
        Ok(octets) => octets,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreFault::io("reading", &path)(error)),
    };
    let why = match octets.strip_prefix(MAGIC).map(frame::first) {
        Some(Frame::Whole(image, [])) => {
            // The image is the file's end: moved to the front, not copied.
            let head = octets.len() - image.len();
            octets.drain(..head);
            return Ok(Some(octets));
        }
        Some(_) => "its checksum is wrong, or octets are missing",
        None => "it is no snapshot of this version of gatepost",
    };
    aside.push(set_aside(&path, why)?);
    Ok(None)
}

/// Replaces the image.
pub(in crate::store) fn write(directory: &Path, image: &[u8]) -> Result<(), StoreFault> {
    let mut octets = MAGIC.to_vec();
    frame::push(&mut octets, image);
    replace(&path(directory), &octets)
}

/// Writes a whole file under a temporary name, syncs it, and puts it in the place of `path`.
pub(in crate::store) fn replace(path: &Path, octets: &[u8]) -> Result<(), StoreFault> {
    let temporary = path.with_extension("new");
    let mut file = private::open(OpenOptions::new().write(true).truncate(true), &temporary)?;
    let written = file.write_all(octets).and_then(|()| file.sync_all());
    if let Err(error) = written {
        // Half a file takes room on a disk that may be full. That it may not go matters less.
        let _ = std::fs::remove_file(&temporary);
        return Err(StoreFault::io("writing", &temporary)(error));
    }
    std::fs::rename(&temporary, path).map_err(StoreFault::io("replacing", path))?;
    let directory = path.parent().unwrap_or(Path::new("/"));
    File::open(directory)
        .and_then(|handle| handle.sync_all())
        .map_err(StoreFault::io("syncing", directory))
}
