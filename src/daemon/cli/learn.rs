//! learn - `gatepost learn --config FILE [LOG…]`: makes users familiar who logged in according to mail logs
//!
//! So a user who logged in before the installation does not start as a stranger. Successful logins by SMTP, IMAP,
//! POP3 and ManageSieve count; nothing is ever removed. `--follow` continues to read, so that users who read
//! their mail are familiar before they send. A login at Postfix counts as of the beginning of its session, for its log shows
//! the first message alone: it may come hours after a password that was changed meanwhile.
//! Not here: parsing logs (`logs` in the core), growing logs (`follow`), the logins to import (`batch`), the
//! import into the gate (`import`).

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use batch::{ImportBatch, ImportSummary};

use super::{CONFIG, exit, logs, print_json};
use crate::admin::message::{ImportStats, SettlingAfter};
use crate::clock::Clock;
use crate::config::Config;
use gatepost_core::logs::LoginHistory;
use gatepost_core::logs::collector::LogCollector;
use gatepost_core::moment::Moment;

mod batch;
mod follow;
mod import;
mod tail;

/// Make users familiar who logged in according to mail logs
///
/// Reads Postfix and Dovecot logs as syslog, journald or containers write them, plain or packed (gzip, xz, zstd,
/// bzip2), in any order. Works while gatepost runs and while it does not. Users are named as in the logs: where Dovecot
/// adds or removes a domain, a user who logs in with the other name remains a stranger. Exits with 1 if nothing was
/// learnt, and says why; or if a log is damaged: the rest is learnt. On a host with accounts of others, who can write
/// anything into syslog, read the journal of the two services (see --follow).
#[derive(Debug, clap::Args)]
pub struct LearnArgs {
    /// The config file of gatepost: names its socket and its state directory
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    pub config: PathBuf,
    /// Continue to read as the logs grow, also over rotation, and update the running gatepost. With - as log:
    /// `journalctl --follow -o json -u postfix@- -u dovecot | gatepost learn --follow -`
    #[arg(long)]
    pub follow: bool,
    /// End settling in at once, however little the logs cover: without it, it ends only when they cover the time that
    /// `settling` asks for, up to now
    #[arg(long, conflicts_with = "follow")]
    pub now: bool,
    /// Print JSON: one object; with --follow one a line for each import
    #[arg(long)]
    pub json: bool,
    /// Log files; - is standard input; none: /var/log/mail.log with its older parts, or else the journal of Postfix and Dovecot
    #[arg(value_name = "LOG", required_if_eq("follow", "true"))]
    pub logs: Vec<PathBuf>,
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Learning {
    /// All logs were read, and there were logins in them.
    Whole,
    /// Nothing was learnt, or not from all.
    Lacking,
}

/// Reads, imports and reports.
pub fn run(args: &LearnArgs) -> ExitCode {
    match learn(args, &mut io::stdout().lock()) {
        Ok(Learning::Whole) => ExitCode::SUCCESS,
        Ok(Learning::Lacking) => ExitCode::from(exit::BELOW_REQUIREMENT),
        Err(fault) => exit::fail(&*fault),
    }
}

fn learn(args: &LearnArgs, out: &mut dyn Write) -> Result<Learning, Box<dyn std::error::Error>> {
    let (config, _) = Config::rules(&args.config)?;
    if args.follow {
        follow::follow(args, &config, out)?;
        return Ok(Learning::Whole);
    }
    let collector = LogCollector::of_successes(logs::zone());
    let read = logs::read(&args.logs, collector)?;
    let mut batch = ImportBatch::default();
    batch.add_history(&read.history);
    let logins = batch.take();
    let imported = match logins.as_slice() {
        [] => ImportStats::default(),
        logins => import::import(&config, logins, after(args, &config, &read.history))?,
    };
    let summary = batch.summary(imported);
    exit::unless_closed(report(&summary, args, out).and_then(|()| out.flush()))?;
    logs::show_damaged(&read.damaged);
    let nothing = summary.why_nothing(read.history.stats.events);
    if let Some(why) = nothing {
        let _ = writeln!(io::stderr(), "gatepost: nothing was learnt: {why}");
    }
    Ok(match nothing.is_none() && read.damaged.is_empty() {
        true => Learning::Whole,
        false => Learning::Lacking,
    })
}

/// Whether settling in ends by these logins: asked for, or they cover as much time as it would take.
fn after(args: &LearnArgs, config: &Config, history: &LoginHistory) -> SettlingAfter {
    match args.now || covers(history, config.gate.settling, Clock::wall()) {
        true => SettlingAfter::Ends,
        false => SettlingAfter::GoesOn,
    }
}

/// Whether logins cover a span that ends now: a day at its beginning and a weekend at its end may be without any.
fn covers(history: &LoginHistory, span: Duration, now: Moment) -> bool {
    const DAY: Duration = Duration::from_secs(86_400);
    let dated = || {
        history
            .attempts
            .iter()
            .filter(|login| login.earliest.is_some())
    };
    let times = || dated().map(|login| login.at);
    let (Some(first), Some(last)) = (times().min(), times().max()) else {
        return false;
    };
    last.since(first) + DAY >= span && now.since(last) <= DAY * 3
}

fn report(summary: &ImportSummary, args: &LearnArgs, out: &mut dyn Write) -> io::Result<()> {
    if args.json && args.follow {
        serde_json::to_writer(&mut *out, summary)?;
        return writeln!(out);
    }
    if args.json {
        return print_json(out, summary);
    }
    summary.lines().show(out)?;
    let ImportSummary {
        logins,
        unnamed,
        undated,
        seen,
        pairs,
        users,
        ..
    } = summary;
    writeln!(out, "{logins} logins by {seen} pairs of user and network")?;
    if *unnamed > 0 {
        writeln!(
            out,
            "{unnamed} of them not imported: the log line does not name the user reliably"
        )?;
    }
    if *undated > 0 {
        writeln!(
            out,
            "{undated} of them make the user known and no network familiar: the line `connect from` of the session is not in the log, or a day old"
        )?;
    }
    writeln!(
        out,
        "{pairs} pairs newly familiar, {users} users newly known"
    )?;
    if summary.settling && !args.follow {
        writeln!(
            out,
            "settling in goes on: these logins do not cover the time that `settling` asks for up to now; --now ends it"
        )?;
    }
    if summary.settling_ended {
        writeln!(
            out,
            "settling in has ended: the whole policy is enforced from now on"
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
