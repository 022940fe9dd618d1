//! foreign - files of another state that stand where ours belong: they get another name, and are never overwritten
//!
//! A file system is mounted over the directory after the start, or a backup is put back while we run, file by file or into
//! the files that are there. Ours is what this process has found at its start or written, and what is as it was then (`note`).
//! Not here: when the directory is looked at (`store`), the cure (`server`).

use std::path::PathBuf;

use super::StoreFault;
use super::directory::Directory;
use super::find::{self, DEBTS, KEYS, KEYS_BEFORE, KNOWN, KNOWN_BEFORE, TICKETS};

/// What is written into a directory beside journals, whether it is there yet or not.
const WRITTEN: [&str; 6] = [KNOWN, DEBTS, KEYS, TICKETS, KEYS_BEFORE, KNOWN_BEFORE];

/// Whether a file of another state stands in the place of one of ours.
pub(super) fn has_some(directory: &Directory) -> bool {
    let own = directory.own_names();
    let own = own.iter().map(String::as_str);
    let own = own.filter(|name| find::is_of_a_state(name) && !WRITTEN.contains(name));
    WRITTEN
        .into_iter()
        .chain(own)
        .any(|name| directory.is_foreign(name))
}

/// Renames all files of a state that are not ours, all with the same number, and adds to `aside` where they are now.
///
/// # Errors
///
/// One of them could not be renamed: then nothing may be written here. Those before it stand in `aside`.
pub(super) fn set_aside(directory: &Directory, aside: &mut Vec<PathBuf>) -> Result<(), StoreFault> {
    let mut names = directory.names()?;
    names.retain(|name| find::is_of_a_state(name) && directory.is_foreign(name));
    let number = find::free_number(directory, &names, find::FOUND);
    for name in names {
        let to = format!("{name}{}{number}", find::FOUND);
        directory.rename(&name, &to)?;
        aside.push(directory.path().join(to));
    }
    Ok(())
}
