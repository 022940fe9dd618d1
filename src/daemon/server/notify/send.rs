//! send - one notice, to a command and to a webhook, each within its time
//!
//! The command runs without a shell: what clients made up is in its environment and on its standard input, never among
//! its arguments. A webhook gets one POST (RFC 9112), and what it answers is read no further than its first line.
//! Not here: how often (`rate`).

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use rustls::pki_types::ServerName;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::net::tls::client;
use crate::report::http_url::{HttpUrl, Scheme};
use crate::report::occurrence::NoticeSettings;

/// How long a command, or a webhook, may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// Octets of an answer's first line.
const LONGEST_LINE: u64 = 1024;

/// A notice, as it is sent. The names are public API.
#[derive(Clone, Debug, Serialize)]
pub(super) struct NoticeBody {
    /// The kind.
    pub(super) event: String,
    /// What it is about.
    pub(super) subject: String,
    /// A sentence; chat servers show this.
    pub(super) text: String,
    /// When, RFC 3339.
    pub(super) at: String,
    /// The name in the banner.
    pub(super) host: String,
}

/// Sends it wherever it is wanted. What went wrong, a sentence each.
pub(super) async fn send(settings: &NoticeSettings, body: &NoticeBody) -> Vec<String> {
    let json = serde_json::to_vec(body).unwrap_or_default();
    let (command, webhook) = tokio::join!(
        async {
            match settings.command.is_empty() {
                true => None,
                false => within(run(&settings.command, body, &json)).await,
            }
        },
        async {
            match &settings.webhook {
                None => None,
                Some(webhook) => within(post(webhook, &json)).await,
            }
        }
    );
    let command = command.map(|why| format!("[notices] command: {why}"));
    let webhook = webhook.map(|why| format!("[notices] webhook: {why}"));
    command.into_iter().chain(webhook).collect()
}

/// What went wrong, if something did.
async fn within(sending: impl Future<Output = Result<(), String>>) -> Option<String> {
    match timeout(DEADLINE, sending).await {
        Ok(done) => done.err(),
        Err(_) => Some(format!("it took longer than {} s", DEADLINE.as_secs())),
    }
}

/// A program with all that it has started. Dropped before its end, all are killed.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let id = self.0.and_then(|id| i32::try_from(id).ok());
        if let Some(group) = id.and_then(Pid::from_raw) {
            // It may have ended meanwhile.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

async fn run(command: &[String], body: &NoticeBody, json: &[u8]) -> Result<(), String> {
    let (program, arguments) = command.split_first().ok_or("it is empty")?;
    let mut child = Command::new(program)
        .args(arguments)
        .env("GATEPOST_EVENT", &body.event)
        .env("GATEPOST_SUBJECT", &body.subject)
        .env("GATEPOST_TEXT", &body.text)
        .env("GATEPOST_AT", &body.at)
        .env("GATEPOST_HOST", &body.host)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("{program}: {error}"))?;
    let mut group = Group(child.id());
    if let Some(mut stdin) = child.stdin.take() {
        // One that reads nothing is none the worse.
        let _ = stdin.write_all(json).await;
    }
    let status = child.wait().await.map_err(|error| error.to_string())?;
    // What it leaves running on purpose may go on.
    group.0 = None;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{program} ended with {status}")),
    }
}

async fn post(webhook: &HttpUrl, json: &[u8]) -> Result<(), String> {
    let told = |error: std::io::Error| format!("{}: {error}", webhook.host);
    let at = (webhook.host.as_str(), webhook.port);
    let stream = TcpStream::connect(at).await.map_err(told)?;
    match webhook.scheme {
        Scheme::Http => exchange(stream, webhook, json).await,
        Scheme::Https => {
            let name = ServerName::try_from(webhook.host.clone());
            let name = name.map_err(|error| error.to_string())?;
            let connector = TlsConnector::from(client::config(None)?);
            let stream = connector.connect(name, stream).await.map_err(told)?;
            exchange(stream, webhook, json).await
        }
    }
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    webhook: &HttpUrl,
    json: &[u8],
) -> Result<(), String> {
    let host = match webhook.host.contains(':') {
        true => format!("[{}]", webhook.host),
        false => webhook.host.clone(),
    };
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {host}:{}\r\nUser-Agent: gatepost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        webhook.path,
        webhook.port,
        json.len()
    );
    let told = |error: std::io::Error| format!("{host}: {error}");
    let request = [head.as_bytes(), json].concat();
    stream.write_all(&request).await.map_err(told)?;
    stream.flush().await.map_err(told)?;
    let mut line = String::new();
    let mut answer = BufReader::new(stream.take(LONGEST_LINE));
    answer.read_line(&mut line).await.map_err(told)?;
    let code = line.split_ascii_whitespace().nth(1).unwrap_or_default();
    match code.len() == 3 && code.starts_with('2') {
        true => Ok(()),
        false => Err(format!("{host} answered {:?}", line.trim_end())),
    }
}
