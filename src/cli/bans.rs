//! bans - list, add and remove bans: `gatepost bans [list|add|remove]`

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;

use super::{Operator, print_json, sentence};
use crate::admin::message::{Ban, Request, Response};

/// List, add and remove bans
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    operator: Operator,
}

#[derive(Debug, Subcommand)]
enum What {
    /// All bans, soonest end first
    List(Operator),
    /// Ban an address or a network
    Add {
        /// 203.0.113.7, 203.0.113.0/24, 2001:db8:1::/48
        address: String,
        /// For how long
        #[arg(long = "for", value_name = "TIME", default_value = "1d", value_parser = humantime::parse_duration)]
        span: Duration,
        #[command(flatten)]
        operator: Operator,
    },
    /// End a ban
    Remove {
        /// As it is listed
        address: String,
        #[command(flatten)]
        operator: Operator,
    },
}

/// Asks the running Gatepost.
pub fn run(args: &Args) -> ExitCode {
    match &args.what {
        None => list(&args.operator),
        Some(What::List(operator)) => list(operator),
        Some(What::Add {
            address,
            span,
            operator,
        }) => {
            let request = Request::BansAdd {
                subject: address.clone(),
                seconds: span.as_secs().max(1),
            };
            operator.ask(&request, sentence)
        }
        Some(What::Remove { address, operator }) => operator.ask(
            &Request::BansRemove {
                subject: address.clone(),
            },
            sentence,
        ),
    }
}

fn list(operator: &Operator) -> ExitCode {
    operator.ask(&Request::BansList, show)
}

fn show(response: &Response, out: &mut dyn Write) -> io::Result<()> {
    let Response::Bans { bans } = response else {
        return print_json(out, response);
    };
    if bans.is_empty() {
        return writeln!(out, "no bans");
    }
    writeln!(out, "{:<24} {:<22} REASON", "ADDRESS", "UNTIL")?;
    for Ban {
        address,
        until,
        reason,
    } in bans
    {
        writeln!(out, "{address:<24} {until:<22} {reason}")?;
    }
    Ok(())
}
