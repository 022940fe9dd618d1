//! replay - what a config would have done with old mail logs: `gatepost replay --config FILE LOG…`
//!
//! Reads Postfix's and Dovecot's logs, judges every login attempt that they tell of by the very gate that
//! runs live, on the logs' own clock, and shows the mistakes. Changes nothing.
//! Exit codes: 0; 1 if a successful login would have been refused; 2 if something cannot be read.
//! Not here: reading logs (`gatepost_core::logs`), the trial (`trial`), how it is shown (`report`).

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{CONFIG, exit, logs};
use crate::config::Config;
use gatepost_core::logs::LoginHistory;
use gatepost_core::moment::Moment;

mod report;
mod since;
mod trial;

pub use trial::Elsewhere;

/// A successful login would have been refused.
const FOUND_WANTING: u8 = 1;

/// Show what a config would have done with the login attempts of old mail logs
///
/// Reads Postfix and Dovecot logs as syslog or journald write them (also journalctl -o json, and PAM's lines
/// in /var/log/secure), plain or gzipped, in any order. Logs show no passwords: every failure is
/// taken as a new guess.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The config to try
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    pub config: PathBuf,
    /// A second config to try beside it
    #[arg(long, value_name = "FILE")]
    pub compare: Option<PathBuf>,
    /// Judge from then on (2026-11-20, 2026-11-20T06:00:00Z, or 7d before the last attempt); what is
    /// older makes familiar, as `gatepost learn` would on the day of the install
    #[arg(long, value_name = "WHEN")]
    pub since: Option<since::Since>,
    /// What becomes of logins by IMAP, POP3 and ManageSieve
    #[arg(long, value_name = "WHAT", value_enum, default_value = "ignore")]
    pub elsewhere: Elsewhere,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Logs; - is standard input
    #[arg(value_name = "LOG", required = true)]
    pub logs: Vec<PathBuf>,
}

/// Reads, tries and tells.
pub fn run(args: &Args) -> ExitCode {
    match replay(args, &mut io::stdout().lock()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(FOUND_WANTING),
        Err(fault) => exit::refused(&*fault),
    }
}

/// How many successful logins would have been refused, by the first config.
fn replay(args: &Args, out: &mut dyn Write) -> Result<usize, Box<dyn std::error::Error>> {
    let (config, _) = Config::rules(&args.config)?;
    let compared = args.compare.as_deref().map(Config::rules).transpose()?;
    let history = logs::read(&args.logs)?;
    let plan = trial::Plan {
        since: since(args, &history),
        elsewhere: args.elsewhere,
    };
    let trial = trial::run(&config.gate, &history, plan);
    let other = compared.map(|(config, _)| trial::run(&config.gate, &history, plan));
    let tried = report::Tried {
        config: name(&args.config),
        trial: &trial,
    };
    let compared = match (&args.compare, &other) {
        (Some(path), Some(trial)) => Some(report::Tried {
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
    // A reader that has closed the pipe has seen enough.
    let _ = written.and_then(|()| out.flush());
    Ok(mistakes)
}

fn since(args: &Args, history: &LoginHistory) -> Moment {
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
