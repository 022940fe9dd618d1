//! expel - `gatepost expel USER|ADDRESS|NETWORK`: ends sessions, and a user's trust with them

use std::process::ExitCode;

use super::{OperatorArgs, show_message};
use crate::admin::message::Request;

/// End open sessions at once: of a user, an address or a network
///
/// A password was stolen: change it first, then `gatepost expel USER`. It ends the user's sessions, the thief's
/// among them, and forgets all networks where the user has logged in, since the thief's are among those too. The owner
/// logs in anew with the new password. With NETWORK only what came from there ends and is forgotten.
///
/// An address or a network may come back at once: `gatepost bans add` ends its sessions and keeps it out.
#[derive(Debug, clap::Args)]
pub struct ExpelArgs {
    /// A user's name, an address, or a network (203.0.113.0/24, 2001:db8:1::/48)
    #[arg(value_name = "USER|ADDRESS|NETWORK")]
    target: String,
    /// Of a user: only the sessions from this network
    network: Option<String>,
    #[command(flatten)]
    operator: OperatorArgs,
}

/// Sends the request to the running Gatepost.
pub fn run(args: &ExpelArgs) -> ExitCode {
    let request = Request::Expel {
        target: args.target.clone(),
        network: args.network.clone(),
    };
    args.operator.send(&request, show_message)
}
