//! run - `gatepost run --config FILE`: the proxy
//!
//! Reads the config, starts the log, builds the runtime, handles signals.
//! SIGTERM and SIGINT start the drain; a second one exits at once. SIGHUP reloads. systemd is told when we serve, reload,
//! stop and, as long as it is so, that we work. sd_notify(3).
//! Not here: the process that starts this one for systemd (`supervise`), everything else (`server`).

use std::error::Error;
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info, warn};

use super::exit;
use crate::clock::Clock;
use crate::config::Config;
use crate::drain::{self, Drainer};
use crate::net::listener::given::GivenSockets;
use crate::report::events;
use crate::report::setup::Log;
use crate::server::{Reloader, Server};

mod supervise;
mod watchdog;

use supervise::Supervisor;

/// Run the proxy
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// The config file
    #[arg(long, value_name = "FILE", default_value = super::CONFIG)]
    pub config: PathBuf,
    /// Serve in a child process, which stays for its logged-in sessions when this one is stopped: for systemd
    /// with KillMode=process, so that a restart waits for no session
    #[arg(long)]
    pub supervised: bool,
    /// This is the child process of one with --supervised, which is at standard input
    #[arg(long, hide = true, conflicts_with = "supervised")]
    pub child: bool,
}

/// Runs until a signal ends it. Exits with 0 after a drain, with 2 if it could not start.
pub fn run(args: &RunArgs) -> ExitCode {
    if args.supervised {
        return supervise::run(args);
    }
    let clock = Clock::start();
    let (config, warnings) = match Config::load(&args.config, Clock::wall()) {
        Ok(loaded) => loaded,
        Err(faults) => return exit::fail(&faults),
    };
    let log = Log::start(&config.report);
    for warning in warnings.iter().filter(|warning| !warning.is_hint()) {
        events::config_warning(&warning.summary());
    }
    if rustix::process::geteuid().is_root() {
        warn!(
            "it runs as root, and needs no right of root's: User=gatepost in its unit, and gatepost.socket for the ports"
        );
    }
    let code = match super::runtime() {
        Ok(runtime) => {
            let code = runtime.block_on(serve(args, clock, config, log.clone()));
            // A thread that waits for a disk that is gone must not keep the process.
            runtime.shutdown_background();
            code
        }
        Err(fault) => exit::fail(&fault),
    };
    log.finish();
    code
}

async fn serve(args: &RunArgs, clock: Clock, config: Config, log: Log) -> ExitCode {
    // Before the start is announced: until the handler exists, an early SIGHUP would end the process.
    let signals = match signals() {
        Ok(signals) => signals,
        Err(fault) => {
            error!("cannot handle signals: {fault}");
            return ExitCode::from(exit::FAILURE);
        }
    };
    let (mut supervisor, server) = match start(args, clock, config).await {
        Ok(started) => started,
        Err(fault) => {
            error!("{fault}");
            return ExitCode::from(exit::FAILURE);
        }
    };
    let (drainer, drain) = drain::channel();
    let reloader = server.reloader(args.config.clone(), log.clone());
    let supervisor_end = supervisor.end();
    let signal_task = tokio::spawn(handle_signals(
        signals,
        supervisor_end,
        reloader,
        drainer,
        log,
    ));
    let watchdog_task = tokio::spawn(watchdog::run(server.operator()));
    super::notify(&[sd_notify::NotifyState::Ready]);
    let leaving = server.serve(drain).await;
    watchdog_task.abort();
    info!(
        sessions = leaving.sessions(),
        "state saved and released: another gatepost may start"
    );
    supervisor.released().await;
    leaving.end().await;
    signal_task.abort();
    info!("stopped");
    ExitCode::SUCCESS
}

/// What there is of a supervisor, and everything that can fail.
async fn start(
    args: &RunArgs,
    clock: Clock,
    config: Config,
) -> Result<(Supervisor, Server), Box<dyn Error>> {
    let supervisor = match args.child {
        true => Supervisor::of_child()?,
        false => Supervisor::default(),
    };
    let given = GivenSockets::from_environment()?;
    Ok((supervisor, Server::start_on(config, clock, given).await?))
}

/// Turns signals into reloads, the drain, and an immediate exit.
async fn handle_signals(
    (mut hang_up, mut terminate, mut interrupt): Signals,
    supervisor_end: impl Future<Output = ()>,
    reloader: Reloader,
    drainer: Drainer,
    log: Log,
) {
    let mut supervisor_end = pin!(supervisor_end);
    loop {
        tokio::select! {
            _ = hang_up.recv() => tokio::select! {
                () = reload(&reloader) => {}
                // A reload probes Postfix, which may take long; a stop does not wait for that.
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
            },
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            () = &mut supervisor_end => break,
        }
    }
    super::notify(&[sd_notify::NotifyState::Stopping]);
    info!("stopping: no new connections, dialogues end, sessions that have logged in may finish");
    drainer.begin();
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    warn!("second signal: exiting at once");
    log.finish();
    std::process::exit(i32::from(exit::FAILURE));
}

/// Reloads, between the two words that systemd awaits of one, sd_notify(3).
async fn reload(reloader: &Reloader) {
    if let Ok(now) = sd_notify::NotifyState::monotonic_usec_now() {
        super::notify(&[sd_notify::NotifyState::Reloading, now]);
    }
    reloader.reload().await;
    super::notify(&[sd_notify::NotifyState::Ready]);
}

type Signals = (
    tokio::signal::unix::Signal,
    tokio::signal::unix::Signal,
    tokio::signal::unix::Signal,
);

fn signals() -> std::io::Result<Signals> {
    Ok((
        signal(SignalKind::hangup())?,
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    ))
}
