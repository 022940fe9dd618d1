//! cli - the commands of the daemon and its operator, a file each
//!
//! The program's `main` parses the command line and calls the command. Every command has `--json` but `setup` and `run`;
//! `top` refuses it.
//! Exit codes: `exit`. Not here: the meaning of the answers (`admin::message`, `gate`).

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;
use serde::Serialize;

use crate::admin::DEFAULT_SOCKET;
use crate::admin::client::AdminClient;
use crate::admin::message::{Request, Response};
use crate::config::{Config, ConfigFaults};

pub mod bans;
pub mod check;
pub mod dashboard;
pub mod doctor;
mod dovecot_policy;
pub mod exit;
pub mod expel;
pub mod explain;
pub mod forget;
pub mod forgive;
pub mod introduce;
pub mod learn;
mod logs;
pub mod notices;
pub mod paint;
mod postfix_files;
pub mod replay;
pub mod report;
pub mod run;
pub mod setup;
pub mod status;
pub mod top;
pub mod users;

/// The default path of the config file.
pub const CONFIG: &str = "/etc/gatepost/gatepost.toml";

/// The commands of the daemon and its operator.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "clap takes a command's help from its Args")]
pub enum DaemonCommand {
    Run(run::RunArgs),
    Check(check::CheckArgs),
    Doctor(doctor::DoctorArgs),
    Setup(setup::SetupArgs),
    Status(status::StatusArgs),
    Top(top::TopArgs),
    Dashboard(dashboard::DashboardArgs),
    Bans(bans::BansArgs),
    Explain(explain::ExplainArgs),
    Forgive(forgive::ForgiveArgs),
    Forget(forget::ForgetArgs),
    Expel(expel::ExpelArgs),
    Introduce(introduce::IntroduceArgs),
    Users(users::UsersArgs),
    Learn(learn::LearnArgs),
    Replay(replay::ReplayArgs),
    Report(report::ReportArgs),
    Notices(notices::NoticesArgs),
}

impl DaemonCommand {
    /// Runs the command to its end.
    pub fn run(&self) -> ExitCode {
        match self {
            Self::Run(args) => run::run(args),
            Self::Check(args) => check::run(args),
            Self::Doctor(args) => doctor::run(args),
            Self::Setup(args) => setup::run(args),
            Self::Status(args) => status::run(args),
            Self::Top(args) => top::run(args),
            Self::Dashboard(args) => dashboard::run(args),
            Self::Bans(args) => bans::run(args),
            Self::Explain(args) => explain::run(args),
            Self::Forgive(args) => forgive::run(args),
            Self::Forget(args) => forget::run(args),
            Self::Expel(args) => expel::run(args),
            Self::Introduce(args) => introduce::run(args),
            Self::Users(args) => users::run(args),
            Self::Learn(args) => learn::run(args),
            Self::Replay(args) => replay::run(args),
            Self::Report(args) => report::run(args),
            Self::Notices(args) => notices::run(args),
        }
    }
}

/// The options of commands that send requests to the running Gatepost.
#[derive(Clone, Debug, clap::Args)]
pub struct OperatorArgs {
    /// The config file of the running gatepost: names its socket
    #[arg(long, global = true, value_name = "FILE", default_value = CONFIG)]
    config: std::path::PathBuf,
    /// The socket of the running gatepost, whatever the config file says
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<std::path::PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

impl OperatorArgs {
    /// Sends a request to the running Gatepost and prints the answer: as JSON, or as `show` writes it.
    ///
    /// A refusal is printed on standard error, with exit code 2. Exit code 1: done, but not on disk; nothing there to
    /// do it to; or what is shown is not as it must be.
    fn send(
        &self,
        request: &Request,
        show: impl FnOnce(&Response, &mut dyn Write) -> io::Result<()>,
    ) -> ExitCode {
        self.send_and(request, |response| response, show)
    }

    /// As [`Self::send`], with the part of the answer that `choose` takes.
    fn send_and(
        &self,
        request: &Request,
        choose: impl FnOnce(Response) -> Response,
        show: impl FnOnce(&Response, &mut dyn Write) -> io::Result<()>,
    ) -> ExitCode {
        let response = match self.response(request) {
            Ok(response) => choose(response),
            Err(fault) => return exit::fail(&*fault),
        };
        if let Response::Refused { message } = &response {
            return exit::fail(message);
        }
        let mut out = io::stdout().lock();
        let written = match (&response, self.json) {
            (Response::Bans { bans }, true) => print_json(&mut out, bans),
            (response, true) => print_json(&mut out, response),
            (response, false) => show(response, &mut out),
        };
        let code = match response {
            Response::NotFound { .. } | Response::NotKept { .. } => {
                ExitCode::from(exit::BELOW_REQUIREMENT)
            }
            Response::Status(status) if !status.logins_work => {
                ExitCode::from(exit::BELOW_REQUIREMENT)
            }
            _ => ExitCode::SUCCESS,
        };
        exit::after(written.and_then(|()| out.flush()), code)
    }

    /// The same, where `show` writes JSON itself.
    fn as_text(&self) -> Self {
        Self {
            json: false,
            ..self.clone()
        }
    }

    fn response(&self, request: &Request) -> Result<Response, Box<dyn std::error::Error>> {
        Ok(self.connect()?.ask(request)?)
    }

    fn connect(&self) -> Result<AdminClient, Box<dyn std::error::Error>> {
        if let Some(socket) = &self.socket {
            return Ok(AdminClient::connect(socket)?);
        }
        match Config::operator(&self.config) {
            Ok(settings) => Ok(AdminClient::connect(&settings.socket)?),
            Err(faults) => self.connect_to_the_default(faults),
        }
    }

    /// A config that cannot be read must not keep the operator from a gatepost that goes on with its old one.
    fn connect_to_the_default(
        &self,
        faults: ConfigFaults,
    ) -> Result<AdminClient, Box<dyn std::error::Error>> {
        let Ok(client) = AdminClient::connect(Path::new(DEFAULT_SOCKET)) else {
            return Err(Box::new(faults));
        };
        // Without standard error the note is lost.
        let _ = writeln!(
            io::stderr(),
            "gatepost: {} names no socket (`gatepost check` says why); asking {DEFAULT_SOCKET}",
            self.config.display()
        );
        Ok(client)
    }
}

/// Shows an answer that is one message.
fn show_message(response: &Response, out: &mut dyn Write) -> io::Result<()> {
    match response {
        Response::Done { message }
        | Response::NotKept { message }
        | Response::NotFound { message }
        | Response::Ended { message, .. }
        | Response::Refused { message } => writeln!(out, "{}", plain(message)),
        other => print_json(out, other),
    }
}

/// Without what a terminal would act on, whatever has answered.
fn plain(message: &str) -> String {
    let is_plain = |letter: char| !letter.is_control() || matches!(letter, '\n' | '\t');
    let letters = message.chars();
    letters
        .map(|letter| match is_plain(letter) {
            true => letter.to_string(),
            false => letter.escape_default().to_string(),
        })
        .collect()
}

/// Writes `value` as indented JSON and a line end.
///
/// # Errors
/// What writing yields.
pub fn print_json(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

/// The asynchronous runtime of a command that needs one.
pub fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}

/// Notifies systemd, if it is there.
fn notify(states: &[sd_notify::NotifyState<'_>]) {
    // Without systemd this fails, and is not needed.
    let _ = sd_notify::notify(states);
}

/// Returns on SIGINT or SIGTERM. If neither can be handled it never
/// returns, and the signals end the process.
pub async fn wait_for_shutdown() {
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
