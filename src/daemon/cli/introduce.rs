//! introduce - make a user familiar before the first login: `gatepost introduce USER [NETWORK]`

use std::process::ExitCode;

use super::{Operator, sentence};
use crate::admin::message::Request;

/// Make a user known, and familiar in a network: for a traveller, or a new mailbox
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The user, as in AUTH
    user: String,
    /// 203.0.113.0/24 or 2001:db8:1::/48, or an address in it; without it the user is only known
    network: Option<String>,
    #[command(flatten)]
    operator: Operator,
}

/// Asks the running Gatepost.
pub fn run(args: &Args) -> ExitCode {
    let request = Request::Introduce {
        user: args.user.clone(),
        network: args.network.clone(),
    };
    args.operator.ask(&request, sentence)
}
