//! bans - list, add and remove bans: `gatepost bans [list|add|remove]`

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;

use super::{OperatorArgs, print_json, show_message};
use crate::admin::message::{BanMessage, Request, Response};

/// List, add and remove bans
#[derive(Debug, clap::Args)]
pub struct BansArgs {
    #[command(subcommand)]
    what: Option<BansCommand>,
    #[command(flatten)]
    operator: OperatorArgs,
}

#[derive(Debug, Subcommand)]
enum BansCommand {
    /// List all bans, the next to end first
    List,
    /// Ban an address or a network, and end its open sessions
    ///
    /// The ban refuses everybody there, users who have logged in before and the allow list too.
    Add {
        /// An address, or a network of this size: 203.0.113.7, 203.0.113.0/24, 2001:db8:1::/48
        address: String,
        /// For how long: 30m, 12h, 7d
        #[arg(long = "for", value_name = "TIME", default_value = "1d", value_parser = read_span)]
        span: Duration,
    },
    /// End a ban
    Remove {
        /// The address as it is listed
        address: String,
    },
}

/// Sends the request to the running Gatepost.
pub fn run(args: &BansArgs) -> ExitCode {
    let operator = &args.operator;
    match &args.what {
        None | Some(BansCommand::List) => operator.send(&Request::BansList, show),
        Some(BansCommand::Add { address, span }) => {
            let request = Request::BansAdd {
                subject: address.clone(),
                seconds: span.as_secs(),
            };
            operator.send(&request, show_message)
        }
        Some(BansCommand::Remove { address }) => {
            let request = Request::BansRemove {
                subject: address.clone(),
            };
            operator.send(&request, show_message)
        }
    }
}

/// The length of a ban, in whole seconds.
fn read_span(text: &str) -> Result<Duration, &'static str> {
    match humantime::parse_duration(text) {
        Ok(span) if span.as_secs() > 0 => Ok(span),
        Ok(_) => Err("a ban lasts at least one second: write 30m, 12h or 7d"),
        Err(_) => Err("write 30m, 12h or 7d"),
    }
}

fn show(response: &Response, out: &mut dyn Write) -> io::Result<()> {
    let Response::Bans { bans } = response else {
        return print_json(out, response);
    };
    if bans.is_empty() {
        return writeln!(out, "no bans");
    }
    writeln!(out, "{:<24} {:<22} REASON", "ADDRESS", "UNTIL")?;
    for BanMessage {
        address,
        until,
        reason,
    } in bans
    {
        writeln!(out, "{address:<24} {until:<22} {reason}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct BansCli {
        #[command(flatten)]
        args: BansArgs,
    }

    fn read(words: &[&str]) -> Result<BansArgs, String> {
        let words = std::iter::once(&"bans").chain(words);
        match BansCli::try_parse_from(words) {
            Ok(words) => Ok(words.args),
            Err(fault) => Err(fault.to_string()),
        }
    }

    #[test]
    fn the_config_counts_before_and_behind_the_subcommand() {
        for words in [["--config", "f", "list"], ["list", "--config", "f"]] {
            assert_eq!(read(&words).unwrap().operator.config.to_str(), Some("f"));
        }
    }

    #[test]
    fn an_invalid_time_is_refused_with_the_right_form() {
        let refusal = |time| read(&["add", "192.0.2.1", "--for", time]).unwrap_err();
        assert!(refusal("forever").contains("write 30m, 12h or 7d"));
        assert!(refusal("0s").contains("at least one second"));
        assert!(read(&["add", "192.0.2.1", "--for", "1h 30m"]).is_ok());
    }
}
