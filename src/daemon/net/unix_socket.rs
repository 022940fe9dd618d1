//! unix_socket - a UNIX socket of ours: made with its mode from the first moment on, guarded, removed when dropped
//!
//! For its owner alone, or for one group too. A socket that a killed process left is taken over; one that is
//! answered is not, and neither is a file of another kind. A path that is too long for the kernel is gone by its directory.
//! Not here: who is answered and how (`server::socket`, `http`), with which user's rights root acts in another
//! user's directory (`crate::owner`).

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::unistd::Group;
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, chownat, open, statat, unlinkat};
use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{UnixListener, UnixStream};

use crate::owner::{self, Owner};

/// `sun_path` of Linux holds 108 octets with the NUL at its end (unix(7)).
pub const LONGEST_PATH: usize = 107;

/// Why there is no socket. Each names the section of the config that asks for it.
#[derive(Debug, thiserror::Error)]
pub enum SocketFault {
    /// Another process answers there.
    #[error("{path} is answered by another gatepost: give each its own socket in {section}")]
    Taken {
        /// The section.
        section: &'static str,
        /// The socket.
        path: PathBuf,
    },
    /// Something that is no socket is there.
    #[error(
        "{section}: {path} is a file of another kind, and stays: name a path of its own for the socket"
    )]
    NoSocket {
        /// The section.
        section: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The system has no such group.
    #[error("{section} group: this machine has no group {name:?}")]
    NoGroup {
        /// The section.
        section: &'static str,
        /// The group.
        name: String,
    },
    /// The file system refused.
    #[error("the socket {path} of {section}: {source}{}", cure(.source, .group.as_deref()))]
    Io {
        /// The section.
        section: &'static str,
        /// The socket.
        path: PathBuf,
        /// Who shall have it besides its owner.
        group: Option<String>,
        /// What the system said.
        source: io::Error,
    },
}

/// What to do about it, where that is known.
fn cure(fault: &io::Error, group: Option<&str>) -> String {
    match (fault.kind(), group) {
        (io::ErrorKind::PermissionDenied, Some(group)) => {
            format!("; the service must be in the group to give it away: SupplementaryGroups={group} in its unit")
        }
        (io::ErrorKind::PermissionDenied, None) => {
            "; its directory must belong to the user that gatepost runs as: RuntimeDirectory= in the unit makes it".to_owned()
        }
        _ => String::new(),
    }
}

/// The socket, removed when it is dropped.
#[derive(Debug)]
pub struct UnixSocket {
    listener: UnixListener,
    place: SocketPlace,
}

impl UnixSocket {
    /// Makes the socket that a `section` of the config asks for, with its directory where that is missing. A `group`
    /// may use it besides its owner.
    ///
    /// Must be called inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// It is another process's, or the file system refuses it.
    pub fn bind(
        section: &'static str,
        path: &Path,
        group: Option<&str>,
    ) -> Result<Self, SocketFault> {
        let owned = || path.to_owned();
        let io = |source| SocketFault::Io {
            section,
            path: owned(),
            group: group.map(str::to_owned),
            source,
        };
        let group = match group {
            Some(name) => Some(group_id(name).map_err(io)?.ok_or(SocketFault::NoGroup {
                section,
                name: name.to_owned(),
            })?),
            None => None,
        };
        let place = SocketPlace::find(path).map_err(io)?;
        if let Some(kind) = place.kind().map_err(io)? {
            let path = owned();
            // A path that was mistyped may be the config's, or a mailbox.
            if kind != FileType::Socket {
                return Err(SocketFault::NoSocket { section, path });
            }
            if is_answered(&place.way()) {
                return Err(SocketFault::Taken { section, path });
            }
            place.remove().map_err(io)?;
        }
        let listener = place.bind(group).map_err(io)?;
        Ok(Self { listener, place })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.place.path
    }

    /// The next connection. Cancel-safe.
    ///
    /// # Errors
    ///
    /// There is no descriptor or memory for one.
    pub async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        // One that stays is taken over at the next start.
        let _ = self.place.remove();
    }
}

/// Connects to a socket, however long its path is.
///
/// # Errors
///
/// Nobody accepts there, or the file system refuses the way.
pub async fn connect(path: &Path) -> io::Result<UnixStream> {
    if fits(path) {
        return UnixStream::connect(path).await;
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = path.parent().unwrap_or(Path::new("/"));
    let directory = open(directory, flags, Mode::empty())?;
    UnixStream::connect(way_in(&directory, path.file_name().unwrap_or_default())).await
}

fn fits(path: &Path) -> bool {
    path.as_os_str().len() <= LONGEST_PATH
}

/// The path of a file in a directory that is open.
fn way_in(directory: &OwnedFd, name: &OsStr) -> PathBuf {
    Path::new("/proc/self/fd")
        .join(directory.as_raw_fd().to_string())
        .join(name)
}

/// Whether a process accepts there. Without waiting: behind a socket whose owner accepts nobody one would wait for ever.
fn is_answered(path: &Path) -> bool {
    let connect = || {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.connect(&SockAddr::unix(path)?)
    };
    connect().is_ok()
}

/// The id of a group, by the machine's name service: /etc/group, or a directory's.
fn group_id(name: &str) -> io::Result<Option<Gid>> {
    let group = Group::from_name(name)?;
    Ok(group.map(|group| Gid::from_raw(group.gid.as_raw())))
}

/// The directory of the socket, held open, and the name in it. Where the directory is another user's and we are
/// root, all is done as that user.
#[derive(Debug)]
struct SocketPlace {
    directory: OwnedFd,
    owner: Owner,
    path: PathBuf,
}

impl SocketPlace {
    /// Opens the directory of this path, making it where it is missing.
    fn find(path: &Path) -> io::Result<Self> {
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

    /// A path to it that the kernel takes.
    fn way(&self) -> PathBuf {
        match self.owner {
            Owner::Ourselves if fits(&self.path) => self.path.clone(),
            // Its owner need not be able to go the whole way there.
            _ => way_in(&self.directory, self.name()),
        }
    }

    /// What has the name now.
    fn kind(&self) -> io::Result<Option<FileType>> {
        match statat(&self.directory, self.name(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Removes what has the name.
    fn remove(&self) -> io::Result<()> {
        let remove = || unlinkat(&self.directory, self.name(), AtFlags::empty());
        self.owner.act(|| Ok(remove()?))
    }

    /// Binds with its mode from the first moment on: it is set by umask, not after the fact.
    fn bind(&self, group: Option<Gid>) -> io::Result<UnixListener> {
        let mask = match group {
            Some(_) => 0o117,
            None => 0o177,
        };
        let path = self.way();
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

    use super::*;

    fn bind(path: &Path, group: Option<&str>) -> Result<UnixSocket, SocketFault> {
        UnixSocket::bind("[admin]", path, group)
    }

    #[tokio::test]
    async fn a_file_at_the_sockets_path_is_not_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gatepost.toml");
        std::fs::write(&path, "hostname = \"mx.example.org\"").unwrap();
        let refused = bind(&path, None);
        assert!(matches!(refused, Err(SocketFault::NoSocket { .. })));
        assert!(path.exists());
    }

    #[tokio::test]
    async fn a_socket_that_nobody_answers_is_taken_over_and_one_that_is_answered_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let _held = bind(&path, None).unwrap();
        let second = bind(&path, None);
        assert!(matches!(second, Err(SocketFault::Taken { .. })));
    }

    #[tokio::test]
    async fn a_socket_is_made_and_found_however_long_its_path_is() {
        for length in [LONGEST_PATH, LONGEST_PATH + 1, 2 * LONGEST_PATH] {
            let folder = tempfile::tempdir().unwrap();
            let name = "admin.sock";
            let rest = length - folder.path().as_os_str().len() - name.len() - 2;
            let path = folder.path().join("d".repeat(rest)).join(name);
            assert_eq!(path.as_os_str().len(), length);
            let held = bind(&path, None).unwrap();
            let (there, here) = tokio::join!(held.accept(), connect(&path));
            assert!(there.is_ok() && here.is_ok(), "{length}: {here:?}");
            let second = bind(&path, None);
            assert!(matches!(second, Err(SocketFault::Taken { .. })));
            drop(held);
            assert!(!path.exists());
            let refused = connect(&path).await.unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::NotFound);
        }
    }

    #[tokio::test]
    async fn a_new_socket_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let _held = bind(&path, None).unwrap();
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{mode:o}");
    }

    #[tokio::test]
    async fn a_group_is_given_the_socket_and_nothing_that_it_could_be_a_link_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let held = bind(&path, Some("root")).unwrap();
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660, "{mode:o}");
        drop(held);
        let target = folder.path().join("target");
        std::fs::write(&target, "not ours").unwrap();
        symlink(&target, &path).unwrap();
        let refused = bind(&path, Some("root"));
        assert!(matches!(refused, Err(SocketFault::NoSocket { .. })));
    }

    /// Needs root, as `tests/run` has it.
    #[tokio::test]
    async fn root_makes_the_socket_in_anothers_directory_as_that_one() {
        let folder = tempfile::tempdir().unwrap();
        let closed = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(folder.path(), closed).unwrap();
        let directory = folder.path().join("run");
        std::fs::create_dir(&directory).unwrap();
        chown(&directory, Some(12_345), Some(12_346)).unwrap();
        let path = directory.join("admin.sock");
        let held = bind(&path, None).unwrap();
        assert_eq!(path.metadata().unwrap().uid(), 12_345);
        assert!(is_answered(&path));
        drop(held);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_group_that_the_machine_lacks_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let refused = bind(&path, Some("no such group")).unwrap_err();
        let told = "[admin] group: this machine has no group \"no such group\"";
        assert_eq!(refused.to_string(), told);
        assert_eq!(group_id("root").unwrap(), Some(Gid::ROOT));
    }
}
