//! replay - `gatepost replay --config FILE [LOG…]`: what a config would have done with old mail logs
//!
//! Reads Postfix's and Dovecot's logs, judges every login attempt in them with the gate that also
//! runs live, at the times of the logs, and shows which honest logins would have been refused. Changes nothing.
//! Exit codes: 0; 1 if a successful login would have been refused, or if a log is damaged; 2 if a file cannot be opened.
//! Not here: parsing logs (`logs` in the core), the judging (`trial`), the output (`report`).

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{CONFIG, exit, logs};
use crate::config::Config;
use gatepost_core::logs::LoginHistory;
use gatepost_core::logs::collector::LogCollector;
use gatepost_core::moment::Moment;

mod report;
mod since;
mod trial;

pub use trial::Elsewhere;

/// Show what a config would have done with the login attempts of old mail logs
///
/// Reads Postfix and Dovecot logs as syslog, journald or containers write them (also journalctl -o json, and PAM's lines
/// in /var/log/secure), plain or packed (gzip, xz, zstd, bzip2), in any order. Logs show no passwords: every failure is
/// taken as a new guess.
#[derive(Debug, clap::Args)]
pub struct ReplayArgs {
    /// The config to test
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    pub config: PathBuf,
    /// A second config to compare it with
    #[arg(long, value_name = "FILE")]
    pub compare: Option<PathBuf>,
    /// Judge from this time on (2026-11-20, 2026-11-20T06:00:00Z, or 7d before the last attempt); older
    /// logins only make users familiar, like `gatepost learn` at the installation
    #[arg(long, value_name = "WHEN")]
    pub since: Option<since::Since>,
    /// What to do with logins by IMAP, POP3 and ManageSieve
    #[arg(long, value_name = "WHAT", value_enum, default_value = "ignore")]
    pub elsewhere: Elsewhere,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Log files; - is standard input; none: /var/log/mail.log with its older parts, or else the journal of Postfix and Dovecot
    #[arg(value_name = "LOG")]
    pub logs: Vec<PathBuf>,
}

/// Reads, judges and reports.
pub fn run(args: &ReplayArgs) -> ExitCode {
    match replay(args, &mut io::stdout().lock()) {
        Ok(Replayed::AsRequired) => ExitCode::SUCCESS,
        Ok(Replayed::Lacking) => ExitCode::from(exit::BELOW_REQUIREMENT),
        Err(fault) => exit::fail(&*fault),
    }
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Replayed {
    /// No successful login would have been refused by the first config.
    AsRequired,
    /// Some would have been, or a log is damaged.
    Lacking,
}

fn replay(args: &ReplayArgs, out: &mut dyn Write) -> Result<Replayed, Box<dyn std::error::Error>> {
    let (config, _) = Config::rules(&args.config)?;
    let compared = args.compare.as_deref().map(Config::rules).transpose()?;
    let read = logs::read(&args.logs, LogCollector::new(logs::zone()))?;
    let history = read.history;
    let judging = logs::Progress::stage(format!("judging {} attempts", history.attempts.len()));
    let plan = trial::ReplayPlan {
        since: since(args, &history),
        elsewhere: args.elsewhere,
    };
    let trial = trial::run(&config.gate, &history, plan);
    let other = compared.map(|(config, _)| trial::run(&config.gate, &history, plan));
    drop(judging);
    let tried = report::TriedConfig {
        config: name(&args.config),
        trial: &trial,
    };
    let compared = match (&args.compare, &other) {
        (Some(path), Some(trial)) => Some(report::TriedConfig {
            config: name(path),
            trial,
        }),
        _ => None,
    };
    let mistakes = trial.mistakes.len();
    let written = if args.json {
        report::json(&history, &tried, compared.as_ref(), out)
    } else {
        let columns: Vec<_> = std::iter::once(tried).chain(compared).collect();
        report::text(&history, &columns, out)
    };
    exit::unless_closed(written.and_then(|()| out.flush()))?;
    logs::show_damaged(&read.damaged);
    Ok(match mistakes == 0 && read.damaged.is_empty() {
        true => Replayed::AsRequired,
        false => Replayed::Lacking,
    })
}

fn since(args: &ReplayArgs, history: &LoginHistory) -> Moment {
    let last = history
        .attempts
        .last()
        .map(|login| login.at)
        .unwrap_or_default();
    args.since
        .map_or(Moment::EPOCH, |since| since.moment(last, &logs::zone()))
}

fn name(config: &Path) -> String {
    config
        .file_name()
        .unwrap_or(config.as_os_str())
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests;
