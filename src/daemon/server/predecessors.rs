//! predecessors - processes that were stopped and still have sessions that had logged in: counted, and ended on order
//!
//! Each has a socket of its own beside the operator's, with its process id in the name, and answers there which sessions it has. Which
//! of them are meant is decided here, by the rules of the process that serves: a ban, a deny list or an order of the operator
//! reaches everybody, whichever process has the session.
//! Not here: their end of it (`leaving`).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::admin::AdminSettings;
use crate::admin::message::{HeldMessage, LONGEST, Request, Response};
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::keys::UserId;

/// How long one of them may take. One that hangs holds nobody up.
const PATIENCE: Duration = Duration::from_secs(2);

/// The socket of a process that leaves.
pub(super) fn socket_of(admin: &AdminSettings, process: u32) -> AdminSettings {
    let mut name = admin.socket.clone().into_os_string();
    name.push(INFIX);
    name.push(process.to_string());
    AdminSettings {
        socket: PathBuf::from(name),
        group: None,
    }
}

const INFIX: &str = ".leaving-";

/// Those beside one operator's socket.
#[derive(Clone, Debug)]
pub(in crate::server) struct Predecessors {
    socket: Arc<Path>,
}

impl Predecessors {
    pub(in crate::server) fn beside(admin: &AdminSettings) -> Self {
        Self {
            socket: Arc::from(admin.socket.as_path()),
        }
    }

    /// How many sessions they have.
    pub(in crate::server) async fn sessions(&self) -> usize {
        let mut sessions = 0;
        for socket in self.sockets() {
            sessions += held(&socket).await.len();
        }
        sessions
    }

    /// Ends those that are meant. How many there were.
    pub(in crate::server) async fn end(
        &self,
        is_meant: impl Fn(UserId, ClientKey) -> bool,
    ) -> usize {
        let mut ended = 0;
        for socket in self.sockets() {
            let meant = |one: &HeldMessage| match (one.user.parse(), one.client.parse()) {
                (Ok(user), Ok(client)) => is_meant(user, client),
                _ => false,
            };
            let held = held(&socket).await;
            let numbers: Vec<u64> = held
                .iter()
                .filter(|one| meant(one))
                .map(|one| one.number)
                .collect();
            if !numbers.is_empty()
                && let Ok(Response::Ended { sessions, .. }) =
                    ask(&socket, &Request::EndHeld { numbers }).await
            {
                ended += usize::try_from(sessions).unwrap_or(usize::MAX);
            }
        }
        ended
    }

    fn sockets(&self) -> Vec<PathBuf> {
        let folder = self.socket.parent().unwrap_or(Path::new("/"));
        let own = self
            .socket
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        let begins = format!("{own}{INFIX}");
        let is_one = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(&begins)
        };
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(is_one).collect()
    }
}

/// None: it has gone, hangs, or has none.
async fn held(socket: &Path) -> Vec<HeldMessage> {
    match ask(socket, &Request::Held).await {
        Ok(Response::Held { sessions }) => sessions,
        _ => Vec::new(),
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
