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
use gatepost_core::moment::Moment;

/// The file's name.
pub(super) const NAME: &str = "history.db";

/// What SQLite puts beside it.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The ends of the names that a file has that was put aside: damaged, or of a later version.
pub(super) const DAMAGED: &str = ".damaged";
pub(super) const OF_VERSION: &str = ".version-";

/// Whether the history uses this name in a state directory.
pub fn is_own_name(name: &str) -> bool {
    name.starts_with(NAME)
}

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

    /// Puts aside what stands beside the file under a name of SQLite's and is no regular file: it would open a FIFO and
    /// wait. Where it is now.
    ///
    /// # Errors
    ///
    /// When it may not be renamed.
    pub(super) fn clear(&self) -> io::Result<Vec<PathBuf>> {
        self.owner.act(|| {
            let at = self.handle.as_fd();
            let mut moved = Vec::new();
            for end in BESIDE {
                let name = format!("{NAME}{end}");
                if self.is_foreign(&name)? {
                    let to = format!("{NAME}{DAMAGED}{end}");
                    renameat(at, name, at, &to)?;
                    moved.push(self.path.join(to));
                }
            }
            Ok(moved)
        })
    }

    /// Sees that the file and what is beside it are regular files, as far as they are there.
    ///
    /// # Errors
    ///
    /// Which is not.
    pub(super) fn check(&self) -> io::Result<()> {
        self.owner.act(|| {
            for end in [""].into_iter().chain(BESIDE) {
                let name = format!("{NAME}{end}");
                if self.is_foreign(&name)? {
                    let told = format!("{name} is no regular file");
                    return Err(io::Error::new(ErrorKind::InvalidInput, told));
                }
            }
            Ok(())
        })
    }

    /// Whether something that is no regular file has this name.
    fn is_foreign(&self, name: &str) -> io::Result<bool> {
        match statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(!FileType::from_raw_mode(found.st_mode).is_file()),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
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

    /// Removes the index of WAL, which a killed earlier version left. With the owner's rights.
    pub(super) fn remove_index(&self) {
        // Where it stays it is in nobody's way.
        let _ = unlinkat(&self.handle, format!("{NAME}-shm"), AtFlags::empty());
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

    /// Removes what was put aside, and not written to since `before`: it has names and addresses as the history has.
    ///
    /// # Errors
    ///
    /// When it may not be removed.
    pub(super) fn remove_aside(&self, before: Moment) -> io::Result<()> {
        self.owner.act(|| {
            for entry in std::fs::read_dir(&self.path)? {
                let name = entry?.file_name();
                let Some(name) = name.to_str().filter(|name| is_aside(name)) else {
                    continue;
                };
                let at = self.handle.as_fd();
                let found = statat(at, name, AtFlags::SYMLINK_NOFOLLOW)?;
                let written = u64::try_from(found.st_mtime).unwrap_or_default();
                if Moment::from_seconds(written) >= before {
                    continue;
                }
                match FileType::from_raw_mode(found.st_mode).is_dir() {
                    // What somebody has put into it is not ours to remove.
                    true => drop(unlinkat(at, name, AtFlags::REMOVEDIR)),
                    false => unlinkat(at, name, AtFlags::empty())?,
                }
            }
            Ok(())
        })
    }

    /// Removes the file and what is beside it, and what was put aside; whether there was one.
    ///
    /// # Errors
    ///
    /// When it may not be removed.
    pub(super) fn remove(&self) -> io::Result<bool> {
        self.remove_aside(Moment::from_seconds(u64::MAX))?;
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

/// Whether a file of this name was put aside, or stood beside one that was.
fn is_aside(name: &str) -> bool {
    let bare = BESIDE.iter().find_map(|end| name.strip_suffix(end));
    let Some(end) = bare.unwrap_or(name).strip_prefix(NAME) else {
        return false;
    };
    let version = end.strip_prefix(OF_VERSION);
    end == DAMAGED || version.is_some_and(|version| version.parse::<i32>().is_ok())
}
