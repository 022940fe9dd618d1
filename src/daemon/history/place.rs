//! place - the files of the history in the state directory, found and put aside without following a link
//!
//! SQLite opens by name. So the directory is opened step by step (`owner`), its own name taken without links, and the
//! file looked at before; SQLite itself follows none. All is done with the rights of the directory's owner.
//! No descriptor of the file is opened here: closing one would end SQLite's locks (fcntl(2)).
//! Not here: what stands in the file (`database`).

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, chmodat, fstat, openat, renameat, stat, statat, unlinkat,
};
use rustix::io::Errno;

use crate::owner::{self, Owner};

/// The file's name.
pub(super) const NAME: &str = "history.db";

/// What SQLite puts beside it.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The directory of the history, and whose it is.
#[derive(Debug)]
pub(super) struct HistoryPlace {
    handle: OwnedFd,
    owner: Owner,
    path: PathBuf,
}

impl HistoryPlace {
    /// Opens the directory, made where it is missing.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        let (handle, owner) = owner::open_directory(directory, Mode::RWXU)?;
        let path = owner.act(|| std::fs::canonicalize(directory))?;
        let (opened, named) = (fstat(&handle)?, stat(&path)?);
        if (opened.st_dev, opened.st_ino) != (named.st_dev, named.st_ino) {
            return Err(io::Error::other("the directory was replaced meanwhile"));
        }
        Ok(Self {
            handle,
            owner,
            path,
        })
    }

    /// Where the file is.
    pub(super) fn file(&self) -> PathBuf {
        self.path.join(NAME)
    }

    /// Does `work` with the owner's rights.
    ///
    /// # Errors
    ///
    /// Those of `work`, and where root may not act as the owner.
    pub(super) fn act<T, E: From<io::Error>>(
        &self,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        self.owner.act(|| Ok(work()))?
    }

    /// Sees that the file is one, ours alone; makes an empty one where there is none.
    ///
    /// # Errors
    ///
    /// When something else has its name, or it cannot be made.
    pub(super) fn prepare(&self) -> io::Result<()> {
        self.owner.act(|| {
            let own = Mode::RUSR | Mode::WUSR;
            match statat(&self.handle, NAME, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(found) if !FileType::from_raw_mode(found.st_mode).is_file() => Err(
                    io::Error::new(ErrorKind::InvalidInput, "it is no regular file"),
                ),
                Ok(found) if Mode::from_raw_mode(found.st_mode) != own => {
                    Ok(chmodat(&self.handle, NAME, own, AtFlags::empty())?)
                }
                Ok(_) => Ok(()),
                Err(Errno::NOENT) => {
                    let new = OFlags::RDWR
                        | OFlags::CREATE
                        | OFlags::EXCL
                        | OFlags::NOFOLLOW
                        | OFlags::CLOEXEC;
                    openat(&self.handle, NAME, new, own)?;
                    Ok(())
                }
                Err(errno) => Err(errno.into()),
            }
        })
    }

    /// Which file has the name now.
    pub(super) fn identity(&self) -> Option<(u64, u64)> {
        let found = stat(self.file()).ok()?;
        Some((found.st_dev, found.st_ino))
    }

    /// Renames the file to `to`, over what was put aside before, with what is beside it. Where it is now.
    ///
    /// # Errors
    ///
    /// When the file itself may not be renamed.
    pub(super) fn put_aside(&self, to: &str) -> io::Result<PathBuf> {
        self.owner.act(|| {
            let at = self.handle.as_fd();
            renameat(at, NAME, at, to)?;
            for end in BESIDE {
                // What is not there need not go.
                let _ = renameat(at, format!("{NAME}{end}"), at, format!("{to}{end}"));
            }
            Ok(self.path.join(to))
        })
    }

    /// Removes the file and what is beside it; whether there was one.
    ///
    /// # Errors
    ///
    /// When it may not be removed.
    pub(super) fn remove(&self) -> io::Result<bool> {
        self.owner.act(|| {
            for end in BESIDE {
                let _ = unlinkat(&self.handle, format!("{NAME}{end}"), AtFlags::empty());
            }
            match unlinkat(&self.handle, NAME, AtFlags::empty()) {
                Ok(()) => Ok(true),
                Err(Errno::NOENT) => Ok(false),
                Err(errno) => Err(errno.into()),
            }
        })
    }
}
