//! introduce - `gatepost introduce USER [NETWORK]`: makes a user known, or trusted in a network

use std::process::ExitCode;

use super::{OperatorArgs, show_message};
use crate::admin::message::Request;

/// Make a user known, and familiar in a network: for a traveller, or a new mailbox
#[derive(Debug, clap::Args)]
pub struct IntroduceArgs {
    /// The user, as in AUTH
    user: String,
    /// 203.0.113.0/24 or 2001:db8:1::/48, or an address in it; without it the user is only made known
    network: Option<String>,
    /// Also if the name is a trap (`traps.users`): it is none then, until `gatepost forget`
    #[arg(long)]
    trap: bool,
    #[command(flatten)]
    operator: OperatorArgs,
}

/// Sends the request to the running Gatepost.
pub fn run(args: &IntroduceArgs) -> ExitCode {
    let request = Request::Introduce {
        user: args.user.clone(),
        network: args.network.clone(),
        trap: args.trap,
    };
    args.operator.send(&request, show_message)
}
