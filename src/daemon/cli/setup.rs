//! setup - `gatepost setup`: what to change in Postfix, Dovecot and certbot for Gatepost, on this machine
//!
//! Prints the commands; with `--apply` shows the difference, keeps the files as they were, and does it; with `--undo` puts them
//! back, byte for byte. Ends with the doctor where the programs were restarted.
//! Not here: which changes (`plan`, `entry`), the certificate (`certificate`), files and their backup (`change`), what others have changed since
//! (`revert`).

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use super::postfix_files::PostfixFiles;
use super::{doctor, exit};
use crate::clock::Clock;
use crate::config::Config;
use crate::config::mail_servers::MailServers;

use change::{Backup, FileChange};
use plan::SetupPlan;

mod certificate;
mod change;
mod entry;
mod own;
mod plan;
mod revert;
mod scratch;

type Fault = Box<dyn std::error::Error>;

/// Print, or make, the changes in Postfix, Dovecot and certbot that Gatepost needs
///
/// Without an option it changes nothing and prints every command, the files, and the way back.
#[derive(Debug, clap::Args)]
pub struct SetupArgs {
    /// The config file of gatepost
    #[arg(long, value_name = "FILE", default_value = super::CONFIG)]
    config: PathBuf,
    #[command(flatten)]
    servers: MailServers,
    /// Show the difference, keep the files as they are now in a backup, and change them
    #[arg(long)]
    apply: bool,
    /// Take back what --apply has changed; what you have changed since stays
    #[arg(long, conflicts_with = "apply")]
    undo: bool,
    /// Where the backup is
    #[arg(long, value_name = "DIR", default_value = "/var/lib/gatepost-setup")]
    backup: PathBuf,
}

/// Prints the plan, does it, or takes it back.
pub fn run(args: &SetupArgs) -> ExitCode {
    let mut out = io::stdout().lock();
    let done = match (args.apply, args.undo) {
        (true, _) => apply(args, &mut out),
        (_, true) => undo(args, &mut out),
        _ => print(args, &mut out),
    };
    match done {
        Ok(code) => code,
        Err(fault) => exit::fail(&fault),
    }
}

fn plan(args: &SetupArgs) -> Result<SetupPlan, Fault> {
    let (config, _) = Config::rules(&args.config)?;
    let files = PostfixFiles::read(&args.servers).ok_or(
        "postconf does not tell Postfix's settings: is Postfix installed, and is this root?",
    )?;
    Ok(SetupPlan::new(&args.config, &config, &files, &args.servers))
}

fn print(args: &SetupArgs, out: &mut dyn Write) -> Result<ExitCode, Fault> {
    let plan = plan(args)?;
    plan.show(out).and_then(|()| {
        writeln!(
            out,
            "\n# `gatepost setup --apply` does all of this, `gatepost setup --undo` takes it back."
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

fn apply(args: &SetupArgs, out: &mut dyn Write) -> Result<ExitCode, Fault> {
    let plan = plan(args)?;
    would_start(args, &plan)
        .map_err(|why| format!("nothing was changed, for Gatepost would not start:\n{why}"))?;
    let changes = plan.changes(&args.servers)?;
    for change in &changes {
        write!(out, "{}", change.difference()?)?;
    }
    if changes.iter().all(FileChange::is_none) {
        writeln!(out, "nothing is to be changed")?;
    } else {
        Backup::new(&args.backup).apply(&changes)?;
        writeln!(
            out,
            "done; the files as they were: {}",
            args.backup.display()
        )?;
    }
    plan.remarks(out)?;
    if args.servers.is_elsewhere() {
        writeln!(
            out,
            "nothing was restarted, for these are not the files of the running programs"
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    restart(&plan.restarts(), out)?;
    Ok(doctor::run(&doctor::DoctorArgs::of(&args.config)))
}

/// Postfix must not lose its ports to a Gatepost that does not start.
fn would_start(args: &SetupArgs, plan: &SetupPlan) -> Result<(), Fault> {
    let text = match plan.config_text() {
        Some(text) => text.to_owned(),
        None => std::fs::read_to_string(&args.config)?,
    };
    let brought = plan.brought();
    Config::foresee(&args.config, text, Clock::wall(), brought.as_ref())?;
    Ok(())
}

fn undo(args: &SetupArgs, out: &mut dyn Write) -> Result<ExitCode, Fault> {
    let restored = Backup::new(&args.backup).undo()?;
    for path in restored {
        writeln!(out, "{} is as it was", path.display())?;
    }
    if !args.servers.is_elsewhere() {
        // Gatepost first: Postfix gets its ports back.
        let commands = [
            "systemctl disable --now gatepost.socket gatepost.service; systemctl daemon-reload",
            "systemctl restart dovecot",
            "systemctl restart postfix",
        ];
        restart(&commands.map(str::to_owned), out)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs commands of systemd and the like, one after the other, to the first that fails.
fn restart(commands: &[String], out: &mut dyn Write) -> Result<(), Fault> {
    for line in commands {
        writeln!(out, "+ {line}")?;
        let ended = Command::new("sh").args(["-c", line]).status()?;
        if !ended.success() {
            return Err(format!("{line}: {ended}; `gatepost setup --undo` takes all back").into());
        }
    }
    Ok(())
}
