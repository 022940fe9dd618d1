//! learn - makes familiar whoever logged in according to mail logs: `gatepost learn --config FILE LOG…`
//!
//! On the day of the install nobody is a stranger then who was none yesterday. Successful logins by SMTP, IMAP,
//! POP3 and ManageSieve count; only ever adds. `--follow` goes on reading, so that whoever reads his
//! mail is familiar before he sends.
//! Not here: reading logs (`gatepost_core::logs`), growing logs (`follow`), what is kept of them (`lesson`), telling the
//! gate (`teach`).

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use lesson::{Learnt, Lesson};

use super::{CONFIG, exit, logs, print_json};
use crate::config::Config;

mod follow;
mod lesson;
mod tail;
mod teach;

/// Make familiar whoever logged in according to mail logs
///
/// Reads Postfix and Dovecot logs as syslog or journald write them, plain or gzipped, in any order. Works
/// while gatepost runs and while it does not. Users are taken as the logs name them: where Dovecot adds or cuts
/// off a domain, whoever logs in by the other name is a stranger still.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The config file of gatepost: names its socket and its state directory
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    pub config: PathBuf,
    /// Go on reading as the logs grow, over rotation, and tell the running gatepost. With - as the log:
    /// `journalctl --follow -o json -u postfix@- -u dovecot | gatepost learn --follow -`
    #[arg(long)]
    pub follow: bool,
    /// Print JSON: one object; with --follow one for each time that something was learnt
    #[arg(long)]
    pub json: bool,
    /// Logs; - is standard input
    #[arg(value_name = "LOG", required = true)]
    pub logs: Vec<PathBuf>,
}

/// Reads, teaches and tells.
pub fn run(args: &Args) -> ExitCode {
    match learn(args, &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => exit::refused(&*fault),
    }
}

fn learn(args: &Args, out: &mut dyn Write) -> Result<(), Box<dyn std::error::Error>> {
    let (config, _) = Config::rules(&args.config)?;
    if args.follow {
        return follow::follow(args, &config, out);
    }
    let history = logs::read(&args.logs)?;
    let mut lesson = Lesson::default();
    lesson.add_history(&history);
    let taught = teach::teach(&config, &lesson.take())?;
    let learnt = lesson.learnt(taught);
    // A reader that has closed the pipe has seen enough.
    let _ = tell(&learnt, args, out).and_then(|()| out.flush());
    Ok(())
}

fn tell(learnt: &Learnt, args: &Args, out: &mut dyn Write) -> io::Result<()> {
    if args.json {
        return print_json(out, learnt);
    }
    logs::show_lines(learnt.lines, learnt.unreadable, &learnt.sample, out)?;
    let Learnt {
        logins,
        unnamed,
        seen,
        pairs,
        users,
        ..
    } = learnt;
    writeln!(out, "{logins} logins by {seen} pairs of user and network")?;
    if *unnamed > 0 {
        writeln!(
            out,
            "{unnamed} of them not learnt: the line does not tell the user for certain"
        )?;
    }
    writeln!(
        out,
        "{pairs} pairs are familiar that were not, {users} users known that were not"
    )?;
    if learnt.settling_ended {
        writeln!(
            out,
            "settling in is over: all of the gate is enforced from now on"
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
