//! forget - `gatepost forget USER [NETWORK]`: makes a user unknown, or takes back that one is familiar in a network

use std::process::ExitCode;

use super::{OperatorArgs, show_message};
use crate::admin::message::Request;

/// Make a user unknown again, or take back where the user is familiar
///
/// With NETWORK, for one that is not the user's any more (an old office, a shared VPN): a login from there is a stranger's
/// again, and the user stays known. Without it, for a mailbox that is gone or a name that was introduced by mistake: it is unknown, and a
/// trap again if it was one. Open sessions go on; `gatepost expel` ends them, and is the answer to a stolen password.
///
/// Logins of before, also those that `gatepost learn` reads in old logs, do not count any more. The next login makes
/// known and familiar again. What the history (`[history]`) has of it is removed, too. What was spent by guesses at the name stays spent.
#[derive(Debug, clap::Args)]
pub struct ForgetArgs {
    /// The user, as in AUTH
    user: String,
    /// 203.0.113.0/24 or 2001:db8:1::/48, or an address in it; without it the user is unknown then
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
