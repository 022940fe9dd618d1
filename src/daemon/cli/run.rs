//! run - the proxy: `gatepost run --config FILE`
//!
//! Reads the config, starts the log, builds the runtime, turns signals into reloads and the drain.
//! Not here: everything else (`server`). SIGTERM and SIGINT drain; a second one ends at once. SIGHUP reloads.

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
pub struct Args {
    /// The config file
    #[arg(long, value_name = "FILE", default_value = super::CONFIG)]
    pub config: PathBuf,
}

/// Runs until a signal ends it. 0 after a drain, 2 where it could not start.
pub fn run(args: &Args) -> ExitCode {
    let clock = Clock::start();
    let (config, warnings) = match Config::load(&args.config, clock.now()) {
        Ok(loaded) => loaded,
        Err(faults) => return exit::refused(&faults),
    };
    let log = Log::start(&config.report);
    for warning in warnings.iter().filter(|warning| !warning.is_hint()) {
        events::config_warning(&warning.summary());
    }
    let code = match super::runtime() {
        Ok(runtime) => runtime.block_on(serve(args, clock, config, log.clone())),
        Err(fault) => exit::refused(&fault),
    };
    log.finish();
    code
}

async fn serve(args: &Args, clock: Clock, config: Config, log: Log) -> ExitCode {
    // Before anybody can know that we run: a reload that comes too early would end us.
    let signals = match signals() {
        Ok(signals) => signals,
        Err(fault) => {
            error!("no signals: {fault}");
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
    let obedience = tokio::spawn(obey(signals, reloader, drainer, log));
    super::notify(&[sd_notify::NotifyState::Ready]);
    server.run(drain).await;
    obedience.abort();
    info!("stopped");
    ExitCode::SUCCESS
}

/// Turns signals into reloads, the drain, and an end at once.
async fn obey(
    (mut hang_up, mut terminate, mut interrupt): Signals,
    reloader: Reloader,
    drainer: Drainer,
    log: Log,
) {
    loop {
        tokio::select! {
            _ = hang_up.recv() => tokio::select! {
                () = reloader.reload() => {}
                // A reload asks Postfix, which may be silent for long; a stop does not wait for that.
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
    warn!("a second signal: ending at once");
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
