//! demo - everything on loopback, nothing to install: `gatepost demo`
//!
//! Gatepost with a new certificate, an embedded submission server behind it, honest users and a botnet
//! in front, and a table of how each of them fares, until Ctrl-C or the end of the time.
//! Not here: the parts (`setup`, `actors`, `view`).

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::TaskTracker;

use self::browser::PageOpening;
use self::setup::{DemoFault, DemoInfo, DemoSetup};
use self::view::DemoStatus;
use crate::botnet::{self, AttemptTally, HonestTally};
use crate::load::raise_descriptor_limit;
use crate::screen::{Screen, print_line};
use gatepost_core::moment::Moment;
use gatepost_daemon::cli::exit;
use gatepost_daemon::clock::Clock;
use gatepost_daemon::drain::{self, Drain};

mod actors;
mod browser;
mod setup;
mod view;

/// See Gatepost at work: everything on loopback, nothing to install
///
/// Gatepost on 127.0.0.1:4650, a small submission server behind it, honest users and a botnet in
/// front; a table, and a link to the page, which opens by itself on a desktop. Ends with Ctrl-C, after an hour at most.
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// End with a summary after so many seconds
    #[arg(long, value_name = "N", default_value_t = 3600, hide_default_value = true,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Print one JSON object at the end, and nothing else
    #[arg(long)]
    json: bool,
}

/// Runs the demo. 0 after it, 2 where it could not start.
pub fn run(args: &DemoArgs) -> ExitCode {
    raise_descriptor_limit();
    let runtime = match gatepost_daemon::cli::runtime() {
        Ok(runtime) => runtime,
        Err(fault) => return exit::fail(&fault),
    };
    match runtime.block_on(perform(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => exit::fail(&fault),
    }
}

async fn perform(args: &DemoArgs) -> Result<(), DemoFault> {
    let clock = Clock::start();
    let DemoSetup {
        server,
        backend,
        info,
        folder,
    } = DemoSetup::build(clock).await?;
    let servers = TaskTracker::new();
    let (closing, drain) = drain::channel();
    servers.spawn(server.run(drain.clone()));
    servers.spawn(backend.run(drain));

    let mut screen = Screen::new();
    if !args.json {
        let opening = match screen.is_terminal() {
            true => info.open_page(folder.path(), clock.now()),
            false => PageOpening::ByHand,
        };
        print_line(&view::introduction(&info, opening, screen.paint()));
    }
    let actors = DemoClients {
        info,
        clock,
        began: clock.now(),
        honest: Arc::default(),
        botnet: Arc::default(),
    };
    let status = actors.run(args, &mut screen).await;
    closing.begin();
    servers.close();
    servers.wait().await;
    drop(folder);
    print_end(args, &status, &mut screen)
}

/// The last table and the summary, or the JSON.
fn print_end(args: &DemoArgs, status: &DemoStatus, screen: &mut Screen) -> Result<(), DemoFault> {
    if args.json {
        let object = serde_json::to_string_pretty(status).map_err(std::io::Error::from)?;
        print_line(&object);
        return Ok(());
    }
    screen.finish(&status.table(screen.paint()));
    print_line(&status.conclusion());
    Ok(())
}

/// Honest users and bots, and what each of them saw.
struct DemoClients {
    info: DemoInfo,
    clock: Clock,
    began: Moment,
    honest: Arc<HonestTally>,
    botnet: Arc<AttemptTally>,
}

impl DemoClients {
    /// Runs until the time is over or Ctrl-C, and gives the status at the end.
    async fn run(&self, args: &DemoArgs, screen: &mut Screen) -> DemoStatus {
        let lasting = Duration::from_secs(args.seconds);
        let (ending, drain) = drain::channel();
        let target = &self.info.target;
        let honest = async {
            let plan = actors::honest(lasting);
            botnet::visit(target, plan, &self.honest, self.clock, drain.clone()).await
        };
        let attack = async {
            let plan = actors::attack(lasting);
            botnet::attack(target, plan, &self.botnet, self.clock, drain.clone()).await
        };
        let end = async {
            tokio::select! {
                () = tokio::time::sleep(lasting) => {}
                () = gatepost_daemon::cli::wait_for_shutdown() => {}
            }
            ending.begin();
        };
        let shown = async {
            if !args.json {
                self.show(screen, drain.clone()).await;
            }
        };
        tokio::join!(honest, attack, end, shown);
        self.status()
    }

    async fn show(&self, screen: &mut Screen, mut drain: Drain) {
        while !drain.has_begun() {
            let status = self.status();
            screen.draw(&status.table(screen.paint()), &status.line());
            tokio::select! {
                () = tokio::time::sleep(screen.pause()) => {}
                () = drain.begun() => {}
            }
        }
    }

    fn status(&self) -> DemoStatus {
        let elapsed = self.clock.now().since(self.began);
        DemoStatus::ask(
            &self.info,
            self.honest.figures(),
            self.botnet.figures(),
            elapsed,
        )
    }
}
