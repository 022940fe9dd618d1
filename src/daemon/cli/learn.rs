//! learn - `gatepost learn --config FILE LOG…`: makes users familiar who logged in according to mail logs
//!
//! So a user who logged in before the installation does not start as a stranger. Successful logins by SMTP, IMAP,
//! POP3 and ManageSieve count; nothing is ever removed. `--follow` continues to read, so that users who read
//! their mail are familiar before they send.
//! Not here: parsing logs (`logs` in the core), growing logs (`follow`), the logins to import (`batch`), the
//! import into the gate (`import`).

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use batch::{ImportBatch, ImportSummary};

use super::{CONFIG, exit, logs, print_json};
use crate::config::Config;

mod batch;
mod follow;
mod import;
mod tail;

/// Make users familiar who logged in according to mail logs
///
/// Reads Postfix and Dovecot logs as syslog or journald write them, plain or gzipped, in any order. Works
/// while gatepost runs and while it does not. Users are named as in the logs: where Dovecot adds or removes
/// a domain, a user who logs in with the other name remains a stranger.
#[derive(Debug, clap::Args)]
pub struct LearnArgs {
    /// The config file of gatepost: names its socket and its state directory
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    pub config: PathBuf,
    /// Continue to read as the logs grow, also over rotation, and update the running gatepost. With - as log:
    /// `journalctl --follow -o json -u postfix@- -u dovecot | gatepost learn --follow -`
    #[arg(long)]
    pub follow: bool,
    /// Print JSON: one object; with --follow one for each import
    #[arg(long)]
    pub json: bool,
    /// Log files; - is standard input
    #[arg(value_name = "LOG", required = true)]
    pub logs: Vec<PathBuf>,
}

/// Reads, imports and reports.
pub fn run(args: &LearnArgs) -> ExitCode {
    match learn(args, &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => exit::fail(&*fault),
    }
}

fn learn(args: &LearnArgs, out: &mut dyn Write) -> Result<(), Box<dyn std::error::Error>> {
    let (config, _) = Config::rules(&args.config)?;
    if args.follow {
        return follow::follow(args, &config, out);
    }
    let history = logs::read(&args.logs)?;
    let mut batch = ImportBatch::default();
    batch.add_history(&history);
    let imported = import::import(&config, &batch.take())?;
    let summary = batch.summary(imported);
    // A reader that has closed the pipe needs no more.
    let _ = report(&summary, args, out).and_then(|()| out.flush());
    Ok(())
}

fn report(summary: &ImportSummary, args: &LearnArgs, out: &mut dyn Write) -> io::Result<()> {
    if args.json {
        return print_json(out, summary);
    }
    logs::show_lines(summary.lines, summary.unreadable, &summary.sample, out)?;
    let ImportSummary {
        logins,
        unnamed,
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
    writeln!(
        out,
        "{pairs} pairs newly familiar, {users} users newly known"
    )?;
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
