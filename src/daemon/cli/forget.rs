//! forget - `gatepost forget USER [NETWORK]`: takes back that a user is familiar

use std::process::ExitCode;

use super::{OperatorArgs, show_message};
use crate::admin::message::Request;

/// Forget where a user has logged in: logins from there are a stranger's again
///
/// For a network that is not the user's any more: an old office, a shared VPN. The user stays known, open sessions
/// go on, and the next login from there makes it familiar again. Logins of before, also those that `gatepost learn`
/// reads in old logs, do not. What the history (`[history]`) has of the user from there is removed, too. Where a password was stolen: `gatepost expel`.
#[derive(Debug, clap::Args)]
pub struct ForgetArgs {
    /// The user, as in AUTH
    user: String,
    /// 203.0.113.0/24 or 2001:db8:1::/48, or an address in it; without it: everywhere
    network: Option<String>,
    #[command(flatten)]
    operator: OperatorArgs,
}

/// Sends the request to the running Gatepost.
pub fn run(args: &ForgetArgs) -> ExitCode {
    let request = Request::Forget {
        user: args.user.clone(),
        network: args.network.clone(),
    };
    args.operator.send(&request, show_message)
}
