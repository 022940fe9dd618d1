//! demo - everything on loopback, nothing to install: `gatepost demo`
//!
//! Gatepost with a fresh certificate, an embedded submission server behind it, honest people and a
//! botnet in front, and a table of what each of them got, until Ctrl-C or the end of the time.
//! Not here: the parts (`stage`, `crowd`, `view`).

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::TaskTracker;

use self::stage::{Facts, Stage, StageFault};
use self::view::Standing;
use crate::botnet::{self, HonestTally, Tally};
use crate::load::raise_descriptor_limit;
use crate::screen::{Screen, say};
use gatepost_core::moment::Moment;
use gatepost_daemon::cli::exit;
use gatepost_daemon::clock::Clock;
use gatepost_daemon::drain::{self, Drain};

mod crowd;
mod stage;
mod view;

/// See Gatepost at work: everything on loopback, nothing to install
///
/// Gatepost on 127.0.0.1:4650, a small submission server behind it, honest users and a botnet in
/// front. Ends with Ctrl-C, after an hour at most.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// End with a summary after so many seconds
    #[arg(long, value_name = "N", default_value_t = 3600, hide_default_value = true,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Print one JSON object at the end, and nothing else
    #[arg(long)]
    json: bool,
}

/// Runs the demo. 0 after it, 2 where it could not start.
pub fn run(args: &Args) -> ExitCode {
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

async fn perform(args: &Args) -> Result<(), StageFault> {
    let clock = Clock::start();
    let Stage {
        server,
        backend,
        facts,
        folder,
    } = Stage::set(clock).await?;
    let house = TaskTracker::new();
    let (closing, drain) = drain::channel();
    house.spawn(server.run(drain.clone()));
    house.spawn(backend.run(drain));

    let mut screen = Screen::new();
    if !args.json {
        say(&view::introduction(&facts, screen.paint()));
    }
    let crowd = Crowd {
        facts,
        clock,
        began: clock.now(),
        honest: Arc::default(),
        botnet: Arc::default(),
    };
    let standing = crowd.come(args, &mut screen).await;
    closing.begin();
    house.close();
    house.wait().await;
    drop(folder);
    tell(args, &standing, &mut screen)
}

/// The last table and the last words, or the JSON.
fn tell(args: &Args, standing: &Standing, screen: &mut Screen) -> Result<(), StageFault> {
    if args.json {
        let object = serde_json::to_string_pretty(standing).map_err(std::io::Error::from)?;
        say(&object);
        return Ok(());
    }
    screen.finish(&standing.table(screen.paint()));
    say(&standing.conclusion());
    Ok(())
}

/// People and bots, and what each of them saw.
struct Crowd {
    facts: Facts,
    clock: Clock,
    began: Moment,
    honest: Arc<HonestTally>,
    botnet: Arc<Tally>,
}

impl Crowd {
    /// Comes until the time is over or Ctrl-C, and tells how things stand then.
    async fn come(&self, args: &Args, screen: &mut Screen) -> Standing {
        let lasting = Duration::from_secs(args.seconds);
        let (leaving, drain) = drain::channel();
        let target = &self.facts.target;
        let honest = async {
            let plan = crowd::honest(lasting);
            botnet::visit(target, plan, &self.honest, self.clock, drain.clone()).await
        };
        let attack = async {
            let plan = crowd::attack(lasting);
            botnet::attack(target, plan, &self.botnet, self.clock, drain.clone()).await
        };
        let end = async {
            tokio::select! {
                () = tokio::time::sleep(lasting) => {}
                () = gatepost_daemon::cli::wait_for_shutdown() => {}
            }
            leaving.begin();
        };
        let shown = async {
            if !args.json {
                self.show(screen, drain.clone()).await;
            }
        };
        tokio::join!(honest, attack, end, shown);
        self.standing()
    }

    async fn show(&self, screen: &mut Screen, mut drain: Drain) {
        while !drain.has_begun() {
            let standing = self.standing();
            screen.draw(&standing.table(screen.paint()), &standing.line());
            tokio::select! {
                () = tokio::time::sleep(screen.pause()) => {}
                () = drain.begun() => {}
            }
        }
    }

    fn standing(&self) -> Standing {
        let elapsed = self.clock.now().since(self.began);
        Standing::ask(
            &self.facts,
            self.honest.figures(),
            self.botnet.figures(),
            elapsed,
        )
    }
}
