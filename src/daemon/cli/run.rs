//! run - `gatepost run --config FILE`: the proxy
//!
//! Reads the config, starts the log, builds the runtime, handles signals.
//! SIGTERM and SIGINT start the drain; a second one exits at once. SIGHUP reloads.
//! Not here: everything else (`server`).

use std::path::PathBuf;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info, warn};

use super::exit;
use crate::clock::Clock;
use crate::config::Config;
use crate::drain::{self, Drainer};
use crate::report::events;
use crate::report::setup::Log;
use crate::server::{Reloader, Server};

/// Run the proxy
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// The config file
    #[arg(long, value_name = "FILE", default_value = super::CONFIG)]
    pub config: PathBuf,
}

/// Runs until a signal ends it. Exits with 0 after a drain, with 2 if it could not start.
pub fn run(args: &RunArgs) -> ExitCode {
    let clock = Clock::start();
    let (config, warnings) = match Config::load(&args.config, Clock::wall()) {
        Ok(loaded) => loaded,
        Err(faults) => return exit::fail(&faults),
    };
    let log = Log::start(&config.report);
    for warning in warnings.iter().filter(|warning| !warning.is_hint()) {
        events::config_warning(&warning.summary());
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
    let server = match Server::start(config, clock).await {
        Ok(server) => server,
        Err(fault) => {
            error!("{fault}");
            return ExitCode::from(exit::FAILURE);
        }
    };
    let (drainer, drain) = drain::channel();
    let reloader = server.reloader(args.config.clone(), log.clone());
    let signal_task = tokio::spawn(handle_signals(signals, reloader, drainer, log));
    super::notify(&[sd_notify::NotifyState::Ready]);
    server.run(drain).await;
    signal_task.abort();
    info!("stopped");
    ExitCode::SUCCESS
}

/// Turns signals into reloads, the drain, and an immediate exit.
async fn handle_signals(
    (mut hang_up, mut terminate, mut interrupt): Signals,
    reloader: Reloader,
    drainer: Drainer,
    log: Log,
) {
    loop {
        tokio::select! {
            _ = hang_up.recv() => tokio::select! {
                () = reloader.reload() => {}
                // A reload probes Postfix, which may take long; a stop does not wait for that.
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
            },
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
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
