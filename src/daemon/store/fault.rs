//! fault - why the state cannot be read or written, and what to do about it
//!
//! Not here: what is done where the disk refuses (`server`).

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Why the state cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreFault {
    /// Another process holds the directory.
    #[error("{0} is in use by another gatepost: one process a state directory")]
    Locked(PathBuf),
    /// A file of another state has come where one of ours was to be written.
    #[error("{0} is of another state, which came there meanwhile")]
    Foreign(PathBuf),
    /// The file system refused.
    #[error("{doing} {path}: {source}{}", cure(.source))]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What to do about it, where that is known.
fn cure(fault: &io::Error) -> &'static str {
    match fault.kind() {
        ErrorKind::PermissionDenied => {
            "; the directory must belong to the user that gatepost runs as: chown -R gatepost: DIRECTORY, or StateDirectory= in \
             its unit, which makes it"
        }
        ErrorKind::ReadOnlyFilesystem => {
            "; with ProtectSystem= in its unit only StateDirectory= and ReadWritePaths= can be written to"
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "; make room there",
        _ => "",
    }
}

impl StoreFault {
    /// What stands in the way, without what was being done.
    pub fn cause(&self) -> String {
        match self {
            Self::Locked(_) | Self::Foreign(_) => self.to_string(),
            Self::Io { source, .. } => source.to_string(),
        }
    }

    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }
}
