//! place - where the operator's socket is: its directory, held open, and its name there
//!
//! Not here: who answers (`socket`), with which user's rights root acts in another user's directory (`crate::owner`).

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Gid, Mode, chownat, statat, unlinkat};
use rustix::io::Errno;
use tokio::net::UnixListener;

use crate::owner::{self, Owner};

/// The directory of the socket, held open, and the name in it. Where the directory is another user's and we are
/// root, all is done as that user.
#[derive(Debug)]
pub(in crate::server::socket) struct SocketPlace {
    directory: OwnedFd,
    owner: Owner,
    path: PathBuf,
}

impl SocketPlace {
    /// Opens the directory of this path, making it where it is missing.
    pub(in crate::server::socket) fn find(path: &Path) -> io::Result<Self> {
        let directory = path.parent().unwrap_or(Path::new("/"));
        let mode = Mode::from_raw_mode(0o755);
        let (directory, owner) = owner::open_directory(directory, mode)?;
        Ok(Self {
            directory,
            owner,
            path: path.to_owned(),
        })
    }

    fn name(&self) -> &OsStr {
        self.path.file_name().unwrap_or_default()
    }

    /// What has the name now.
    pub(in crate::server::socket) fn kind(&self) -> io::Result<Option<FileType>> {
        match statat(&self.directory, self.name(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Removes what has the name.
    pub(in crate::server::socket) fn remove(&self) -> io::Result<()> {
        let remove = || unlinkat(&self.directory, self.name(), AtFlags::empty());
        self.owner.act(|| Ok(remove()?))
    }

    /// Binds with its mode from the first moment on: it is set by umask, not after the fact.
    pub(in crate::server::socket) fn bind(&self, group: Option<Gid>) -> io::Result<UnixListener> {
        let mask = match group {
            Some(_) => 0o117,
            None => 0o177,
        };
        let path = match self.owner {
            Owner::Ourselves => self.path.clone(),
            // Its owner need not be able to go the whole way there.
            Owner::Other { .. } => Path::new("/proc/self/fd")
                .join(self.directory.as_raw_fd().to_string())
                .join(self.name()),
        };
        self.owner.act(|| {
            let before = rustix::process::umask(Mode::from_raw_mode(mask));
            let bound = UnixListener::bind(path);
            rustix::process::umask(before);
            let listener = bound?;
            if group.is_some() {
                let flags = AtFlags::SYMLINK_NOFOLLOW;
                chownat(&self.directory, self.name(), None, group, flags)?;
            }
            Ok(listener)
        })
    }
}
