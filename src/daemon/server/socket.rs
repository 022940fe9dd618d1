//! socket - the operator's UNIX socket: made, guarded, served line by line
//!
//! For its owner alone, or for one group too. A socket that a killed process left is taken over; one that is
//! answered is not. A few operators at once, each with a deadline for each line; the drain ends them.
//! Not here: the answers (`operator`), the messages (`admin::message`).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::unistd::Group;
use rustix::fs::{FileType, Gid};
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader,
};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

mod place;

use place::SocketPlace;

use super::operator::Operator;
use crate::admin;
use crate::admin::client::AdminClient;
use crate::admin::message::{LONGEST, Request, Response};
use crate::drain::Drain;
use crate::report::limits::{LimitCounters, ResourceLimit};

/// How long an operator's command may be silent.
const PATIENCE: Duration = Duration::from_secs(60);

/// Operators' connections at once.
const OPERATORS: usize = 8;

/// The pause after a failing accept, so as not to spin.
const BACK_OFF: Duration = Duration::from_millis(100);

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
    #[error("[admin] group: this machine has no group {0:?}")]
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
    place: SocketPlace,
}

impl OperatorSocket {
    /// Makes the socket, with its directory where that is missing.
    pub(in crate::server) fn bind(settings: &admin::AdminSettings) -> Result<Self, SocketFault> {
        let path = &settings.socket;
        let io = |source| SocketFault::Io {
            path: path.clone(),
            source,
        };
        let group = settings.group.as_deref();
        let group = group.map(|name| group_id(name, path)).transpose()?;
        let place = SocketPlace::find(path).map_err(io)?;
        if let Some(kind) = place.kind().map_err(io)? {
            // A path that was mistyped may be the config's, or a mailbox.
            if kind != FileType::Socket {
                return Err(SocketFault::NoSocket(path.clone()));
            }
            if AdminClient::connect(path).is_ok() {
                return Err(SocketFault::Taken(path.clone()));
            }
            place.remove().map_err(io)?;
        }
        let listener = place.bind(group).map_err(io)?;
        Ok(Self { listener, place })
    }

    /// Answers operators, a task each, until the drain and the last answer.
    pub(in crate::server) async fn serve(self, operator: Operator, mut drain: Drain) {
        let tasks = TaskTracker::new();
        // limit: operators
        let places = Arc::new(Semaphore::new(OPERATORS));
        loop {
            let stream = tokio::select! {
                stream = self.accept(operator.limits()) => stream,
                () = drain.begun() => break,
            };
            match Arc::clone(&places).try_acquire_owned() {
                Ok(place) => {
                    let (operator, drain) = (operator.clone(), drain.clone());
                    tasks.spawn(async move {
                        answer(stream, operator, drain).await;
                        drop(place);
                    });
                }
                Err(_) => {
                    operator.limits().count(ResourceLimit::Operators);
                    turn_away(stream);
                }
            }
        }
        tasks.close();
        tasks.wait().await;
    }

    async fn accept(&self, limits: &LimitCounters) -> UnixStream {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return stream,
                Err(_) => {
                    limits.count(ResourceLimit::OperatorAccepts);
                    sleep(BACK_OFF).await;
                }
            }
        }
    }
}

impl Drop for OperatorSocket {
    fn drop(&mut self) {
        // One that stays is taken over at the next start.
        let _ = self.place.remove();
    }
}

/// Tells an operator that there is no place, without waiting.
fn turn_away(stream: UnixStream) {
    let response = Response::Refused {
        message: format!("{OPERATORS} operators are connected already; try again"),
    };
    let octets = rendered(&response);
    // A fresh socket has room for a line. An operator that does not get it sees a closed connection.
    let _ = stream
        .into_std()
        .and_then(|stream| io::Write::write_all(&mut &stream, &octets));
}

/// Answers one operator until it hangs up, is silent for a minute, or sends a request that is too long.
async fn answer(stream: UnixStream, operator: Operator, mut drain: Drain) {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    loop {
        let asked = tokio::select! {
            asked = read_request(&mut reader) => asked,
            () = drain.begun() => return,
        };
        let response = match asked {
            OperatorInput::Request(request) => operator.answer(request).await,
            OperatorInput::Malformed(message) => Response::Refused { message },
            OperatorInput::TooLong => {
                operator.limits().count(ResourceLimit::OperatorRequests);
                let message = format!("the request is longer than {LONGEST} octets");
                let _ = write_response(&mut writer, &Response::Refused { message }).await;
                return;
            }
            OperatorInput::Nothing => return,
        };
        if write_response(&mut writer, &response).await.is_err() {
            return;
        }
    }
}

/// What came from an operator.
#[derive(Debug, PartialEq)]
enum OperatorInput {
    Request(Request),
    /// A line that is no request, and why.
    Malformed(String),
    /// More than the longest line.
    TooLong,
    /// The operator hung up, or was silent for too long.
    Nothing,
}

async fn read_request(reader: &mut (impl AsyncBufRead + Unpin)) -> OperatorInput {
    let mut line = Vec::new();
    let mut bounded = reader.take(LONGEST as u64);
    match timeout(PATIENCE, bounded.read_until(b'\n', &mut line)).await {
        Ok(Ok(octets)) if octets > 0 => {}
        _ => return OperatorInput::Nothing,
    }
    if line.len() >= LONGEST && !line.ends_with(b"\n") {
        return OperatorInput::TooLong;
    }
    match serde_json::from_slice(&line) {
        Ok(request) => OperatorInput::Request(request),
        Err(fault) => OperatorInput::Malformed(format!("no request: {fault}")),
    }
}

async fn write_response(
    writer: &mut (impl AsyncWrite + Unpin),
    response: &Response,
) -> io::Result<()> {
    let octets = rendered(response);
    timeout(PATIENCE, writer.write_all(&octets)).await?
}

/// One line.
fn rendered(response: &Response) -> Vec<u8> {
    // Every response is strings and numbers, which JSON takes.
    let mut octets = serde_json::to_vec(response).unwrap_or_default();
    octets.push(b'\n');
    octets
}

/// The id of a group, by the machine's name service: /etc/group, or a directory's.
fn group_id(name: &str, path: &Path) -> Result<Gid, SocketFault> {
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(Gid::from_raw(group.gid.as_raw())),
        Ok(None) => Err(SocketFault::NoGroup(name.to_owned())),
        Err(errno) => Err(SocketFault::Io {
            path: path.to_owned(),
            source: errno.into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

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

    #[tokio::test]
    async fn a_new_socket_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let _held = OperatorSocket::bind(&settings(path.clone())).unwrap();
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{mode:o}");
    }

    #[tokio::test]
    async fn a_group_is_given_the_socket_and_nothing_that_it_could_be_a_link_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let mut settings = settings(path.clone());
        settings.group = Some("root".to_owned());
        let held = OperatorSocket::bind(&settings).unwrap();
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660, "{mode:o}");
        drop(held);
        let target = folder.path().join("target");
        std::fs::write(&target, "not ours").unwrap();
        symlink(&target, &path).unwrap();
        let refused = OperatorSocket::bind(&settings);
        assert!(matches!(refused, Err(SocketFault::NoSocket(_))));
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
        let held = OperatorSocket::bind(&settings(path.clone())).unwrap();
        assert_eq!(path.metadata().unwrap().uid(), 12_345);
        assert!(AdminClient::connect(&path).is_ok());
        drop(held);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_group_that_the_machine_lacks_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(folder.path().join("admin.sock"));
        settings.group = Some("no such group".to_owned());
        let refused = OperatorSocket::bind(&settings).unwrap_err();
        assert!(refused.to_string().contains("no such group"), "{refused}");
        assert_eq!(group_id("root", Path::new("")).unwrap(), Gid::ROOT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_without_an_end_is_read_to_the_limit_and_no_further() {
        let (mut operator, ours) = tokio::io::duplex(2 * LONGEST);
        let mut ours = BufReader::new(ours);
        operator.write_all(&vec![b'x'; LONGEST - 1]).await.unwrap();
        operator.write_all(b"\n").await.unwrap();
        assert!(matches!(
            read_request(&mut ours).await,
            OperatorInput::Malformed(_)
        ));
        operator.write_all(&vec![b'x'; LONGEST]).await.unwrap();
        // Time would go on, to the time-out, where more were waited for.
        assert_eq!(read_request(&mut ours).await, OperatorInput::TooLong);
        operator.write_all(b"{\"do\":\"status\"}\n").await.unwrap();
        let request = OperatorInput::Request(Request::Status);
        assert_eq!(read_request(&mut ours).await, request);
        assert_eq!(
            read_request(&mut ours).await,
            OperatorInput::Nothing,
            "silence"
        );
    }

    #[tokio::test]
    async fn an_operator_without_a_place_reads_why() {
        let (ours, mut operator) = UnixStream::pair().unwrap();
        turn_away(ours);
        let mut told = String::new();
        operator.read_to_string(&mut told).await.unwrap();
        assert!(told.contains("8 operators are connected"), "{told}");
    }
}
