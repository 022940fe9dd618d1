//! private - opens files that are the state's owner's alone
//!
//! What root makes in a directory of another's is given to that one: `learn` by hand, while the service
//! is down, must leave a state that the service can read.
//! Not here: what is written (`replace`, `journal`).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{Gid, Uid, fchown};

use super::StoreFault;

/// Opens `path` in mode 0600, making it where it is missing.
pub(in crate::store) fn open(options: &mut OpenOptions, path: &Path) -> Result<File, StoreFault> {
    let file = options.create(true).mode(0o600).open(path);
    file.and_then(|file| give(&file, path).map(|()| file))
        .map_err(StoreFault::io("opening", path))
}

fn give(file: &File, path: &Path) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let owner = path.parent().unwrap_or(Path::new("/")).metadata()?;
    if file.metadata()?.uid() != owner.uid() {
        let (user, group) = (Uid::from_raw(owner.uid()), Gid::from_raw(owner.gid()));
        fchown(file, Some(user), Some(group))?;
    }
    Ok(())
}
