//! predecessors - processes that were stopped and still have sessions that had logged in: counted, and ended on order
//!
//! Each has a socket of its own in the state directory, with its process id in the name, and answers there which sessions it has.
//! Which of them are meant is decided here, by the rules of the process that serves: a ban, a deny list or an order of the operator
//! reaches everybody, whichever process has the session, and however that one folded and hashed names. One that does not answer is
//! asked again until it does.
//! Not here: their end of it (`leaving`).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::admin::AdminSettings;
use crate::admin::message::{HeldMessage, LONGEST, Request, Response};
use crate::store::{LEAVING, StoreSettings};
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::client::ClientKey;

/// How long one of them may take. One that hangs holds nobody up.
const PATIENCE: Duration = Duration::from_secs(2);

/// One that has not answered is asked again after so long, so often: longer than sessions may go on.
const AGAIN: Duration = Duration::from_secs(1);
const TRIES: u32 = 86_400;

/// The socket of a process that leaves.
pub(super) fn socket_of(state: &StoreSettings, process: u32) -> AdminSettings {
    AdminSettings {
        socket: state.directory.join(format!("{LEAVING}{process}")),
        group: None,
    }
}

/// Those that had one state directory.
#[derive(Clone, Debug)]
pub(in crate::server) struct Predecessors {
    directory: Arc<Path>,
}

/// What an order to end sessions has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::server) struct EndedSessions {
    pub(in crate::server) sessions: usize,
    /// Processes that have not answered. The order is repeated until they do.
    pub(in crate::server) silent: usize,
}

impl EndedSessions {
    /// With so many of our own.
    pub(in crate::server) fn and(self, own: usize) -> Self {
        Self {
            sessions: self.sessions + own,
            ..self
        }
    }

    /// What is left to say of those that have not answered.
    pub(in crate::server) fn remark(self) -> &'static str {
        match self.silent {
            0 => "",
            _ => {
                "; a process that was stopped has sessions and does not answer: what is to be ended there ends when it does"
            }
        }
    }
}

impl Predecessors {
    pub(in crate::server) fn of(state: &StoreSettings) -> Self {
        Self {
            directory: Arc::from(state.directory.as_path()),
        }
    }

    /// How many sessions they have.
    pub(in crate::server) async fn sessions(&self) -> usize {
        let mut sessions = 0;
        for socket in self.sockets() {
            sessions += held(&socket).await.map_or(0, |held| held.len());
        }
        sessions
    }

    /// Ends those that are meant.
    pub(in crate::server) async fn end(
        &self,
        is_meant: impl Fn(&UserName, ClientKey) -> bool + Send + Sync + 'static,
    ) -> EndedSessions {
        let mut ended = EndedSessions::default();
        let is_meant = Arc::new(is_meant);
        for socket in self.sockets() {
            match end_at(&socket, &*is_meant).await {
                Ok(sessions) => ended.sessions += sessions,
                Err(fault) if has_gone(&fault) => {}
                Err(fault) => {
                    warn!(
                        socket = %socket.display(),
                        "a process that was stopped and has sessions does not answer ({fault}): what is to be ended there ends when it does"
                    );
                    ended.silent += 1;
                    tokio::spawn(end_later(socket, Arc::clone(&is_meant)));
                }
            }
        }
        ended
    }

    fn sockets(&self) -> Vec<PathBuf> {
        let is_one = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(LEAVING)
        };
        let entries = std::fs::read_dir(&self.directory);
        let entries = entries.into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(is_one).collect()
    }
}

/// Asks one that has not answered until it does, or has gone.
async fn end_later(
    socket: PathBuf,
    is_meant: Arc<impl Fn(&UserName, ClientKey) -> bool + Send + Sync>,
) {
    for _ in 0..TRIES {
        sleep(AGAIN).await;
        match end_at(&socket, &*is_meant).await {
            Ok(sessions) => {
                return info!(sessions, "sessions of a stopped process were ended late");
            }
            Err(fault) if has_gone(&fault) => return,
            Err(_) => {}
        }
    }
}

/// Ends those that are meant at one process. How many there were.
async fn end_at(
    socket: &Path,
    is_meant: &impl Fn(&UserName, ClientKey) -> bool,
) -> io::Result<usize> {
    let meant = |one: &HeldMessage| {
        let name = UserName::new(one.name.as_slice());
        one.client
            .parse()
            .is_ok_and(|client| is_meant(&name, client))
    };
    let held = held(socket).await?;
    let numbers: Vec<u64> = held
        .iter()
        .filter(|one| meant(one))
        .map(|one| one.number)
        .collect();
    if numbers.is_empty() {
        return Ok(0);
    }
    match ask(socket, &Request::EndHeld { numbers }).await? {
        Response::Ended { sessions, .. } => Ok(usize::try_from(sessions).unwrap_or(usize::MAX)),
        _ => Ok(0),
    }
}

/// Its process has ended, and its sessions with it.
fn has_gone(fault: &io::Error) -> bool {
    matches!(
        fault.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
    )
}

async fn held(socket: &Path) -> io::Result<Vec<HeldMessage>> {
    match ask(socket, &Request::Held).await? {
        Response::Held { sessions } => Ok(sessions),
        _ => Ok(Vec::new()),
    }
}

async fn ask(socket: &Path, request: &Request) -> io::Result<Response> {
    timeout(PATIENCE, answer(socket, request)).await?
}

async fn answer(socket: &Path, request: &Request) -> io::Result<Response> {
    let (reader, mut writer) = UnixStream::connect(socket).await?.into_split();
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    writer.write_all(&line).await?;
    let mut answer = Vec::new();
    let mut bounded = BufReader::new(reader.take(64 * LONGEST as u64));
    bounded.read_until(b'\n', &mut answer).await?;
    Ok(serde_json::from_slice(&answer)?)
}
