//! foreign - files of another state that stand where ours belong: they get another name, and are never overwritten
//!
//! A file system is mounted over the directory after the start, or a backup is put back while we run. Ours is what this process
//! has read or made, by its inode.
//! Not here: when the directory is looked at (`store`), the cure (`server`).

use std::path::PathBuf;

use super::StoreFault;
use super::directory::Directory;
use super::find::{self, DEBTS, KEYS, KNOWN};

/// Whether a file of another state stands in the place of one of ours.
pub(super) fn has_some(directory: &Directory) -> bool {
    [KNOWN, DEBTS, KEYS]
        .into_iter()
        .any(|name| directory.is_foreign(name))
}

/// Renames all files of a state that are not ours; where they are now.
///
/// # Errors
///
/// One of them could not be renamed: then nothing may be written here.
pub(super) fn set_aside(directory: &Directory) -> Result<Vec<PathBuf>, StoreFault> {
    let mut aside = Vec::new();
    for name in directory.names()? {
        if find::is_of_a_state(&name) && directory.is_foreign(&name) {
            let to = find::free_name(directory, &name, find::FOUND);
            directory.rename(&name, &to)?;
            aside.push(directory.path().join(to));
        }
    }
    Ok(aside)
}
