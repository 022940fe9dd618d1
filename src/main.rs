//! main - the program: words in, exit code out
//!
//! Not here: what the commands do (the daemon's `cli`, the lab's `demo`, `attack` and `simulate`), the pages that are made
//! of their help (`manuals`).

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[cfg(feature = "manuals")]
mod manuals;

/// Gives memory back that a crowd of connections took, by a thread of its own within ten seconds. glibc's allocator
/// keeps it for good.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What somebody needs who has never seen the program, with users waiting.
const FIRST_HELP: &str = "\
Nobody can send:        gatepost doctor
Alice cannot send:      gatepost explain alice; gatepost forgive alice
A stolen password:      change it, then gatepost expel alice
Not yet installed:      gatepost setup
All in one manual page: man gatepost";

/// SMTPS submission proxy that rate-limits AUTH in front of Postfix and Dovecot
#[derive(Debug, Parser)]
#[command(name = "gatepost", version, about, max_term_width = 100, after_help = FIRST_HELP)]
struct CommandLine {
    #[command(subcommand)]
    command: ProgramCommand,
}

#[derive(Debug, Subcommand)]
enum ProgramCommand {
    #[command(flatten)]
    Daemon(gatepost_daemon::cli::DaemonCommand),
    #[cfg(feature = "lab")]
    #[command(flatten)]
    Lab(gatepost_lab::LabCommand),
    #[cfg(feature = "manuals")]
    #[command(hide = true)]
    Manuals(manuals::ManualsArgs),
}

fn main() -> ExitCode {
    match CommandLine::parse().command {
        ProgramCommand::Daemon(command) => command.run(),
        #[cfg(feature = "lab")]
        ProgramCommand::Lab(command) => command.run(),
        #[cfg(feature = "manuals")]
        ProgramCommand::Manuals(args) => {
            manuals::run(&args, <CommandLine as clap::CommandFactory>::command())
        }
    }
}
