//! cli - the command line: a file a command
//!
//! The program's `main` parses the command line and calls the command. Every command that prints has `--json`.
//! Exit codes: `exit`. Not here: what the commands' answers mean (`admin::message`, `gate`).

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Subcommand;
use serde::Serialize;

use crate::admin::client::Client;
use crate::admin::message::{Request, Response};
use crate::config::Config;

pub mod bans;
pub mod check;
pub mod exit;
pub mod explain;
pub mod forgive;
pub mod introduce;
pub mod learn;
mod logs;
pub mod replay;
pub mod run;
pub mod status;

/// Where the config is, unless told otherwise.
pub const CONFIG: &str = "/etc/gatepost/gatepost.toml";

/// The commands of the daemon and its operator.
#[derive(Debug, Subcommand)]
#[expect(
    missing_docs,
    reason = "clap takes a command's help from its Args; text here would replace it"
)]
pub enum Command {
    Run(run::Args),
    Check(check::Args),
    Status(status::Args),
    Bans(bans::Args),
    Explain(explain::Args),
    Forgive(forgive::Args),
    Introduce(introduce::Args),
    Learn(learn::Args),
    Replay(replay::Args),
}

impl Command {
    /// Runs the command to its end.
    pub fn run(&self) -> ExitCode {
        match self {
            Self::Run(args) => run::run(args),
            Self::Check(args) => check::run(args),
            Self::Status(args) => status::run(args),
            Self::Bans(args) => bans::run(args),
            Self::Explain(args) => explain::run(args),
            Self::Forgive(args) => forgive::run(args),
            Self::Introduce(args) => introduce::run(args),
            Self::Learn(args) => learn::run(args),
            Self::Replay(args) => replay::run(args),
        }
    }
}

/// Where a command finds the running Gatepost, and how it answers.
#[derive(Debug, clap::Args)]
pub struct Operator {
    /// The config file of the running gatepost: names its socket
    #[arg(long, global = true, value_name = "FILE", default_value = CONFIG)]
    config: std::path::PathBuf,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

impl Operator {
    /// Asks the running Gatepost and prints its answer: as JSON, or as `show` writes it.
    ///
    /// A refusal is told on standard error, with exit code 2.
    fn ask(
        &self,
        request: &Request,
        show: impl FnOnce(&Response, &mut dyn Write) -> io::Result<()>,
    ) -> ExitCode {
        let response = match self.response(request) {
            Ok(response) => response,
            Err(fault) => return exit::refused(&*fault),
        };
        if let Response::Refused { message } = &response {
            return exit::refused(message);
        }
        let mut out = io::stdout().lock();
        let written = match (&response, self.json) {
            (Response::Bans { bans }, true) => print_json(&mut out, bans),
            (response, true) => print_json(&mut out, response),
            (response, false) => show(response, &mut out),
        };
        // A reader that has closed the pipe has seen enough.
        let _ = written.and_then(|()| out.flush());
        ExitCode::SUCCESS
    }

    fn response(&self, request: &Request) -> Result<Response, Box<dyn std::error::Error>> {
        let socket = Config::operator(&self.config)?.socket;
        Ok(Client::connect(&socket)?.ask(request)?)
    }
}

/// Shows an answer that is one sentence.
fn sentence(response: &Response, out: &mut dyn Write) -> io::Result<()> {
    match response {
        Response::Done { message } | Response::Refused { message } => writeln!(out, "{message}"),
        other => print_json(out, other),
    }
}

/// Writes `value` as indented JSON and a line end.
///
/// # Errors
/// What writing yields.
pub fn print_json(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

/// The runtime of a command that needs one.
pub fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}

/// Tells systemd, where it listens.
fn notify(states: &[sd_notify::NotifyState<'_>]) {
    // Without systemd there is nobody to tell.
    let _ = sd_notify::notify(states);
}

/// Returns when the operator has had enough: SIGINT or SIGTERM. Where neither can be caught it never
/// returns, and they end the process.
pub async fn enough() {
    use tokio::signal::unix::{SignalKind, signal};
    let caught = |kind| async move {
        match signal(kind) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = caught(SignalKind::interrupt()) => {}
        _ = caught(SignalKind::terminate()) => {}
    }
}
