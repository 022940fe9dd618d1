//! attack - a simulated attack on one's own server: `gatepost attack TARGET`
//!
//! A word list, many loopback addresses, and honest users in between if accounts are given. It
//! refuses every target that is not this machine. Not here: the botnet (`lab::botnet`).

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use self::values::{AttackTarget, HonestAccount, read_account, read_rate, read_target};
use crate::board;
use crate::botnet::{
    self, AttackPlan, AttemptFigures, AttemptTally, BotHabits, HonestFigures, HonestPlan,
    HonestTally, HonestUser, Target, TargetFault, TargetTls, TrustedCertificates,
};
use crate::load::raise_descriptor_limit;
use crate::screen::{Screen, print_line};
use gatepost_core::moment::Moment;
use gatepost_daemon::cli::exit;
use gatepost_daemon::clock::Clock;
use gatepost_daemon::drain::{self, Drain};

mod values;

/// The time between two visits of an honest user.
const BETWEEN_VISITS: Duration = Duration::from_secs(5);
/// Sessions at once, honest users' included.
const AT_ONCE: usize = 500;

/// Attack a server on this machine, as a botnet would
///
/// Every bot and every honest user has an address of its own out of 127.0.0.0/8. Targets elsewhere
/// are refused. Certificates are not checked.
#[derive(Debug, clap::Args)]
pub struct AttackArgs {
    // No doc comment: rustdoc takes [::1] for a link.
    #[arg(
        value_name = "TARGET",
        value_parser = read_target,
        help = "The server: 127.0.0.1, localhost, [::1], with :PORT unless it is 465 (587 with --starttls)"
    )]
    target: AttackTarget,
    /// Addresses that the bots have together
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=4_000_000))]
    addresses: u32,
    /// Guesses in all
    #[arg(long, value_name = "N", default_value_t = 1000)]
    guesses: u64,
    /// Guesses a second
    #[arg(long, value_name = "R", default_value_t = 20.0, value_parser = read_rate)]
    rate: f64,
    /// The longest that it lasts
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Guesses before a bot disconnects
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    per_session: u32,
    /// TLS begins after STARTTLS
    #[arg(long)]
    starttls: bool,
    /// Names to try, one a line; default: the usual ones
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    /// Passwords to try, one a line; default: the usual ones
    #[arg(long, value_name = "FILE")]
    passwords: Option<PathBuf>,
    /// An honest user's account: logs in every 5 seconds and sends a mail to its own address
    #[arg(long, value_name = "USER:PASS", value_parser = read_account)]
    honest: Vec<HonestAccount>,
    /// Print one JSON object at the end, and nothing else
    #[arg(long)]
    json: bool,
}

/// Why there is no attack.
#[derive(Debug, thiserror::Error)]
enum AttackFault {
    #[error(transparent)]
    Target(#[from] TargetFault),
    #[error("cannot read {}: {cause}", path.display())]
    List { path: PathBuf, cause: io::Error },
    #[error("{}: no line to try", .0.display())]
    Empty(PathBuf),
    #[error("cannot start: {0}")]
    Runtime(#[from] io::Error),
    #[error("{0}: nobody listens there")]
    ConnectionRefused(SocketAddr),
}

/// What is printed with `--json`.
#[derive(Debug, Serialize)]
struct AttackSummary {
    target: SocketAddr,
    seconds: f64,
    botnet: AttemptFigures,
    honest: Option<HonestFigures>,
}

/// Attacks, and prints what the attackers saw. 0 after an attack, 2 where there was none.
pub fn run(args: &AttackArgs) -> ExitCode {
    match attacked(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => exit::fail(&fault),
    }
}

fn attacked(args: &AttackArgs) -> Result<(), AttackFault> {
    let begins = match args.starttls {
        true => TargetTls::StartTls,
        false => TargetTls::Implicit,
    };
    let port = args.target.port.unwrap_or(match begins {
        TargetTls::Implicit => 465,
        TargetTls::StartTls => 587,
    });
    let address = SocketAddr::new(args.target.address, port);
    let target = Target::new(address, begins, &TrustedCertificates::Any)?;
    let attack = plan(args)?;
    raise_descriptor_limit();
    let runtime = gatepost_daemon::cli::runtime()?;
    let summary = runtime.block_on(perform(args, &target, attack));
    if summary.botnet.tries > 0 && summary.botnet.connection_refused == summary.botnet.tries {
        return Err(AttackFault::ConnectionRefused(address));
    }
    if args.json {
        print_line(&serde_json::to_string_pretty(&summary).map_err(io::Error::from)?);
    }
    Ok(())
}

async fn perform(args: &AttackArgs, target: &Target, attack: AttackPlan) -> AttackSummary {
    let clock = Clock::start();
    let (drainer, drain) = drain::channel();
    let tallies = Tallies {
        began: clock.now(),
        clock,
        target: target.address(),
        botnet: Arc::default(),
        honest: (!args.honest.is_empty()).then(Arc::default),
    };
    let honest = async {
        if let Some(tally) = &tallies.honest {
            let plan = people(&args.honest, attack.lasting);
            // They stop with the attack: what they would see after it shows nothing.
            botnet::visit(target, plan, tally, clock, drain.clone()).await;
        }
    };
    let attack = async {
        botnet::attack(
            target,
            attack.clone(),
            &tallies.botnet,
            clock,
            drain.clone(),
        )
        .await;
        drainer.begin();
    };
    let interrupted = async {
        gatepost_daemon::cli::wait_for_shutdown().await;
        drainer.begin();
        std::future::pending::<()>().await;
    };
    let shown = async {
        if !args.json {
            show(&tallies, drain.clone()).await;
        }
    };
    tokio::select! {
        _ = async { tokio::join!(attack, honest, shown) } => {}
        () = interrupted => {}
    }
    tallies.summary()
}

/// Both sides' figures while they grow.
struct Tallies {
    began: Moment,
    clock: Clock,
    target: SocketAddr,
    botnet: Arc<AttemptTally>,
    honest: Option<Arc<HonestTally>>,
}

impl Tallies {
    fn elapsed(&self) -> Duration {
        self.clock.now().since(self.began)
    }

    fn summary(&self) -> AttackSummary {
        AttackSummary {
            target: self.target,
            seconds: self.elapsed().as_secs_f64(),
            botnet: self.botnet.figures(),
            honest: self.honest.as_ref().map(|tally| tally.figures()),
        }
    }
}

/// Shows the table until the drain begins, and once more.
async fn show(tallies: &Tallies, mut drain: Drain) {
    let mut screen = Screen::new();
    let paint = screen.paint();
    loop {
        let (elapsed, now) = (tallies.elapsed(), tallies.summary());
        let mut block = vec![String::new()];
        let honest = now.honest.as_ref();
        let title = honest.map_or("", |_| "honest users");
        block.extend(board::head(paint, elapsed, title, "botnet"));
        block.extend(board::outcomes(paint, honest, &now.botnet, elapsed));
        if let Some(honest) = honest {
            block.extend(board::visits(paint, honest));
        }
        if let Some(other) = &now.botnet.first_other {
            block.push(format!("  the first of these others: {other:.50}"));
        }
        if drain.has_begun() {
            return screen.finish(&block);
        }
        screen.draw(&block, &board::summary_line(honest, &now.botnet, elapsed));
        tokio::select! {
            () = tokio::time::sleep(screen.pause()) => {}
            () = drain.begun() => {}
        }
    }
}

fn plan(args: &AttackArgs) -> Result<AttackPlan, AttackFault> {
    Ok(AttackPlan {
        names: words(args.users.as_deref(), botnet::NAMES)?,
        passwords: words(args.passwords.as_deref(), botnet::PASSWORDS)?,
        addresses: args.addresses,
        guesses: args.guesses,
        rate: args.rate,
        lasting: Duration::from_secs(args.seconds),
        per_session: args.per_session,
        at_once: AT_ONCE,
        habits: BotHabits::default(),
    })
}

/// The lines of `file`, empty ones left out, or `usual`.
fn words(file: Option<&Path>, usual: &[&str]) -> Result<Vec<String>, AttackFault> {
    let Some(path) = file else {
        return Ok(usual.iter().map(ToString::to_string).collect());
    };
    let path = path.to_owned();
    let octets = match std::fs::read(&path) {
        Ok(octets) => octets,
        Err(cause) => return Err(AttackFault::List { path, cause }),
    };
    let text = String::from_utf8_lossy(&octets);
    let lines = text.lines().filter(|line| !line.is_empty());
    let words: Vec<_> = lines.map(ToOwned::to_owned).collect();
    match words.is_empty() {
        true => Err(AttackFault::Empty(path)),
        false => Ok(words),
    }
}

fn people(accounts: &[HonestAccount], lasting: Duration) -> HonestPlan {
    let person = |(number, account): (u32, &HonestAccount)| HonestUser {
        user: account.user.clone(),
        password: account.password.clone(),
        source: botnet::user_address(number).into(),
    };
    HonestPlan {
        people: (0..).zip(accounts).map(person).collect(),
        visits: u64::MAX,
        rate: accounts.len() as f64 / BETWEEN_VISITS.as_secs_f64(),
        lasting,
        mistypes_percent: 10,
        mail_octets: 2048,
        at_once: AT_ONCE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_without_a_line_is_refused_by_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "\n\r\n").unwrap();
        let fault = words(Some(file.path()), &[]).unwrap_err().to_string();
        assert!(fault.contains(file.path().to_str().unwrap()), "{fault}");
        std::fs::write(file.path(), "one\r\n\ntwo\n").unwrap();
        assert_eq!(words(Some(file.path()), &[]).unwrap(), ["one", "two"]);
        assert_eq!(words(None, &["usual"]).unwrap(), ["usual"]);
    }
}
