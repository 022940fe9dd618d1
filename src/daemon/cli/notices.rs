//! notices - `gatepost notices test`: whether notices arrive
//!
//! Not here: what is told (`server::notify`).

use std::process::ExitCode;

use clap::Subcommand;

use super::{OperatorArgs, show_message};
use crate::admin::message::Request;

/// Try whether notices to the operator arrive
#[derive(Debug, clap::Args)]
pub struct NoticesArgs {
    #[command(subcommand)]
    command: NoticesCommand,
    #[command(flatten)]
    operator: OperatorArgs,
}

#[derive(Debug, Subcommand)]
enum NoticesCommand {
    /// Have the running gatepost send a test notice, and say what came of it
    Test,
}

/// Sends the request to the running Gatepost.
pub fn run(args: &NoticesArgs) -> ExitCode {
    let request = match args.command {
        NoticesCommand::Test => Request::NoticesTest,
    };
    args.operator.send(&request, show_message)
}
