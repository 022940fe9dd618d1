//! socket - the operator's UNIX socket: made, guarded, served line by line
//!
//! For its owner alone, or for one group too. A socket that a killed process left is taken over; one that is
//! answered is not. Not here: the answers (`operator`), the messages (`admin::message`).

use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use super::operator::Operator;
use crate::admin;
use crate::admin::message::{LONGEST, Response};

/// How long an operator's command may be silent.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketFault {
    /// Another process answers there.
    #[error("{0} is answered by another gatepost: give each its own [admin] socket")]
    Taken(PathBuf),
    /// Something that is no socket is there.
    #[error("[admin] socket: {0} is a file of another kind, and stays: name a path of its own")]
    NoSocket(PathBuf),
    /// The system has no such group.
    #[error("[admin] group: there is no group {0:?} in /etc/group")]
    NoGroup(String),
    /// The file system refused.
    #[error("the operator's socket {path}: {source}")]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The socket, removed when it is dropped.
#[derive(Debug)]
pub(in crate::server) struct OperatorSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl OperatorSocket {
    /// Makes the socket, with its directory where that is missing.
    pub(in crate::server) fn bind(settings: &admin::AdminSettings) -> Result<Self, SocketFault> {
        let path = settings.socket.clone();
        let io = |source| SocketFault::Io {
            path: path.clone(),
            source,
        };
        let group = settings.group.as_deref().map(group_id).transpose()?;
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).map_err(io)?;
        }
        if let Ok(there) = path.symlink_metadata() {
            // A path that was mistyped may be the config's, or a mailbox.
            if !there.file_type().is_socket() {
                return Err(SocketFault::NoSocket(path));
            }
            if std::os::unix::net::UnixStream::connect(&path).is_ok() {
                return Err(SocketFault::Taken(path));
            }
            std::fs::remove_file(&path).map_err(io)?;
        }
        let listener = bind_private(&path).map_err(io)?;
        if let Some(group) = group {
            rustix::fs::chown(&path, None, Some(rustix::fs::Gid::from_raw(group)))
                .map_err(|errno| io(errno.into()))?;
            let mode = std::fs::Permissions::from_mode(0o660);
            std::fs::set_permissions(&path, mode).map_err(io)?;
        }
        Ok(Self { listener, path })
    }

    /// The next operator. A failing accept waits a little, so as not to spin.
    pub(in crate::server) async fn accept(&self) -> UnixStream {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return stream,
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

impl Drop for OperatorSocket {
    fn drop(&mut self) {
        // One that stays is taken over at the next start.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Answers one operator until it hangs up, is silent for a minute, or says what is no request.
pub(in crate::server) async fn serve(stream: UnixStream, operator: Operator) {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut bounded = (&mut reader).take(LONGEST as u64);
        match timeout(PATIENCE, bounded.read_until(b'\n', &mut line)).await {
            Ok(Ok(octets)) if octets > 0 => {}
            _ => return,
        }
        let response = match serde_json::from_slice(&line) {
            Ok(request) => operator.answer(request).await,
            Err(fault) => Response::Refused {
                message: format!("no request: {fault}"),
            },
        };
        let Ok(mut octets) = serde_json::to_vec(&response) else {
            return;
        };
        octets.push(b'\n');
        match timeout(PATIENCE, writer.write_all(&octets)).await {
            Ok(Ok(())) => {}
            _ => return,
        }
    }
}

/// Binds with mode 0600 from the first moment on: the mode is set by umask, not after the fact.
fn bind_private(path: &Path) -> io::Result<UnixListener> {
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
    let bound = UnixListener::bind(path);
    rustix::process::umask(before);
    bound
}

/// The id of a group of this machine. Groups of a directory service are not asked for: name one in
/// /etc/group.
fn group_id(name: &str) -> Result<u32, SocketFault> {
    let missing = || SocketFault::NoGroup(name.to_owned());
    let groups = std::fs::read_to_string("/etc/group").map_err(|_| missing())?;
    groups
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            (fields.next()? == name).then(|| fields.nth(1)?.parse().ok())?
        })
        .next()
        .ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(socket: PathBuf) -> admin::AdminSettings {
        admin::AdminSettings {
            socket,
            group: None,
        }
    }

    #[tokio::test]
    async fn a_file_at_the_sockets_path_is_not_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gatepost.toml");
        std::fs::write(&path, "hostname = \"mx.example.org\"").unwrap();
        let refused = OperatorSocket::bind(&settings(path.clone()));
        assert!(matches!(refused, Err(SocketFault::NoSocket(_))));
        assert!(path.exists());
    }

    #[tokio::test]
    async fn a_socket_that_nobody_answers_is_taken_over_and_one_that_is_answered_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let _held = OperatorSocket::bind(&settings(path.clone())).unwrap();
        let second = OperatorSocket::bind(&settings(path));
        assert!(matches!(second, Err(SocketFault::Taken(_))));
    }
}
