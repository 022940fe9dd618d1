//! forgive - `gatepost forgive ADDRESS|USER`: clears bans, strikes and spent tokens

use std::process::ExitCode;

use super::{OperatorArgs, show_message};
use crate::admin::message::Request;

/// Clear bans, strikes and spent tokens of an address, a network or a user
///
/// Of a user also that the password seems to be stolen, and so the waiting of far logins.
#[derive(Debug, clap::Args)]
pub struct ForgiveArgs {
    /// An address, a network (203.0.113.0/24, 2001:db8:1::/48), or a user's name
    #[arg(value_name = "ADDRESS|USER")]
    target: String,
    #[command(flatten)]
    operator: OperatorArgs,
}

/// Sends the request to the running Gatepost.
pub fn run(args: &ForgiveArgs) -> ExitCode {
    args.operator.send(
        &Request::Forgive {
            target: args.target.clone(),
        },
        show_message,
    )
}
