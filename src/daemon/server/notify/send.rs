//! send - one notice, to a command and to a webhook, each within its time
//!
//! The command runs without a shell: what clients made up is in its environment and on its standard input, never among
//! its arguments. A webhook gets one POST, and of its answer only the status counts.
//! Not here: how often (`rate`).

use std::process::Stdio;
use std::time::Duration;

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, USER_AGENT};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

use crate::http_url::HttpUrl;
use crate::net::http_client::{self, HttpLimits};
use crate::report::occurrence::NoticeSettings;

/// How long a command, or a webhook, may take.
const DEADLINE: Duration = Duration::from_secs(10);

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
    let request = Request::post(&webhook.path)
        .header(HOST, webhook.authority())
        .header(USER_AGENT, "gatepost")
        .header(CONTENT_TYPE, "application/json")
        .header(CONNECTION, "close")
        .body(Full::new(Bytes::copy_from_slice(json)))
        .map_err(|error| error.to_string())?;
    let limits = HttpLimits {
        connect: DEADLINE,
        answer: DEADLINE,
        longest: None,
    };
    let host = &webhook.host;
    match http_client::exchange(webhook, None, request, limits).await {
        Ok(answer) if answer.status.is_success() => Ok(()),
        Ok(answer) => Err(format!("{host} answered {}", answer.status)),
        Err(fault) => Err(format!("{host}: {fault}")),
    }
}
