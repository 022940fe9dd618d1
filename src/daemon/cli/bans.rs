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
    List,
    /// Ban an address or a network
    Add {
        /// An address, or a network of this size: 203.0.113.7, 203.0.113.0/24, 2001:db8:1::/48
        address: String,
        /// For how long: 30m, 12h, 7d
        #[arg(long = "for", value_name = "TIME", default_value = "1d", value_parser = read_span)]
        span: Duration,
    },
    /// End a ban
    Remove {
        /// As it is listed
        address: String,
    },
}

/// Asks the running Gatepost.
pub fn run(args: &Args) -> ExitCode {
    let operator = &args.operator;
    match &args.what {
        None | Some(What::List) => operator.ask(&Request::BansList, show),
        Some(What::Add { address, span }) => {
            let request = Request::BansAdd {
                subject: address.clone(),
                seconds: span.as_secs(),
            };
            operator.ask(&request, sentence)
        }
        Some(What::Remove { address }) => {
            let request = Request::BansRemove {
                subject: address.clone(),
            };
            operator.ask(&request, sentence)
        }
    }
}

/// The length of a ban, whole seconds.
fn read_span(text: &str) -> Result<Duration, &'static str> {
    match humantime::parse_duration(text) {
        Ok(span) if span.as_secs() > 0 => Ok(span),
        Ok(_) => Err("a ban lasts a second at least"),
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Words {
        #[command(flatten)]
        args: Args,
    }

    fn read(words: &[&str]) -> Result<Args, String> {
        let words = std::iter::once(&"bans").chain(words);
        match Words::try_parse_from(words) {
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
    fn a_time_that_is_none_is_told_with_what_would_be_right() {
        let told = |time| read(&["add", "192.0.2.1", "--for", time]).unwrap_err();
        assert!(told("forever").contains("write 30m, 12h or 7d"));
        assert!(told("0s").contains("a second at least"));
        assert!(read(&["add", "192.0.2.1", "--for", "1h 30m"]).is_ok());
    }
}
