//! dashboard - `gatepost dashboard`: a link to the page
//!
//! Not here: the page (`web`).

use std::env;
use std::process::ExitCode;

use super::{OperatorArgs, print_json};
use crate::admin::message::{Request, Response};

/// Print a link that opens the page in a browser, once
///
/// It shows whether all is well, who is attacked and from where, and why somebody is refused. The page is where `[http] listen` says, on this machine only. From another one: ssh -L 9465:127.0.0.1:9465 HOST, then open the link
/// there. A link can be opened once, within ten minutes; who has opened it may stay for twelve hours.
#[derive(Debug, clap::Args)]
pub struct DashboardArgs {
    /// The page's address as the browser needs it, where that is another one: behind a web server, or through ssh -L
    #[arg(long, value_name = "URL")]
    at: Option<String>,
    #[command(flatten)]
    operator: OperatorArgs,
}

/// Asks the running Gatepost for a link.
pub fn run(args: &DashboardArgs) -> ExitCode {
    let request = Request::Dashboard {
        who: login_name(),
        from: came_from(),
    };
    args.operator
        .send(&request, |response, out| match response {
            Response::Dashboard { address, link } => {
                let address = args.at.as_ref().or(address.as_ref());
                match address {
                    Some(address) => {
                        writeln!(out, "{}/#{link}", address.trim_end_matches('/'))
                    }
                    None => writeln!(
                        out,
                        "#{link}\nThe page is on a UNIX socket: after ssh -L 9465:SOCKET HOST, open http://localhost:9465/#{link}"
                    ),
                }
            }
            other => print_json(out, other),
        })
}

/// The name that the operator logged in by, before sudo if it was used: for the log. sudo(8), login(1).
fn login_name() -> Option<String> {
    let name = |variable| env::var(variable).ok().filter(|name| !name.is_empty());
    name("SUDO_USER")
        .or_else(|| name("LOGNAME"))
        .or_else(|| name("USER"))
}

/// The address that the operator came from, if by SSH: the page bans nobody there. ssh(1).
fn came_from() -> Option<String> {
    let connection = env::var("SSH_CONNECTION").ok()?;
    connection.split(' ').next().map(ToOwned::to_owned)
}
