//! forgive - forget what is held against an address or a user: `gatepost forgive ADDRESS|USER`

use std::process::ExitCode;

use super::{Operator, sentence};
use crate::admin::message::Request;

/// Forget what is held against an address, a network or a user: ban, strikes, spent tokens
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An address, a network (203.0.113.0/24, 2001:db8:1::/48), or a user's name
    #[arg(value_name = "ADDRESS|USER")]
    target: String,
    #[command(flatten)]
    operator: Operator,
}

/// Asks the running Gatepost.
pub fn run(args: &Args) -> ExitCode {
    args.operator.ask(
        &Request::Forgive {
            target: args.target.clone(),
        },
        sentence,
    )
}
