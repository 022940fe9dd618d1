//! bans - list, add and remove bans, and published lists: `gatepost bans [list|add|import|lists|remove]`

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;

use super::{OperatorArgs, show_message};
use crate::admin::message::{ListRequest, Request};

mod import;
mod list;
mod list_formats;
mod source;

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
    /// List bans, the next to end first
    List(list::ListArgs),
    /// Ban an address or a network, and end its open sessions
    ///
    /// The ban refuses everybody there, users who have logged in before and the allow list too.
    Add {
        /// An address, or a network of this size: 203.0.113.7, 203.0.113.0/24, 2001:db8:1::/48
        #[arg(required_unless_present = "file")]
        address: Option<String>,
        /// A list of them in place of one, or - for standard input
        ///
        /// One address or network a line, with comments behind # or ; or //: the lists of Spamhaus DROP, FireHOL and CrowdSec
        /// as they are. Of other sizes up to 256 networks (/16, /40) or addresses are banned each; wider ones are refused with their
        /// line: write them into `networks.deny`.
        #[arg(long, value_name = "FILE", conflicts_with = "address")]
        file: Option<PathBuf>,
        /// For how long: 30m, 12h, 7d
        #[arg(long = "for", value_name = "TIME", default_value = "1d", value_parser = read_span)]
        span: Duration,
        /// Also if it is, or holds, an address of this machine: webmail and others that log in from here are refused then
        #[arg(long, conflicts_with = "file")]
        own: bool,
    },
    /// Take over a published list of networks, in place of the one that its source had
    ///
    /// One entry a line: the lists of Spamhaus DROP (text or JSON), FireHOL, blocklist.de and CrowdSec, `ipset save`, and
    /// addresses, networks and ranges. A list is taken whole or not at all. Its clients are refused like banned ones, but never where
    /// a user has logged in from: others make these lists. Nothing wider than /8 (IPv6 /19) is taken, and networks of
    /// private use are left out. Of several machines each imports its own. Fetch no list more often than its
    /// maker allows: `config/lists` has a timer.
    Import {
        /// The list, or - for standard input
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// What it is called: up to 32 letters, digits, dots, hyphens and underscores
        #[arg(long, value_name = "NAME")]
        source: String,
        /// For how long it holds, unless the next one comes before: longer than from one fetch to the next
        #[arg(long, value_name = "TIME", default_value = "26h", value_parser = read_span)]
        expire: Duration,
    },
    /// List the published lists in force
    Lists,
    /// End a ban, or remove a published list
    Remove {
        /// The address as it is listed
        #[arg(required_unless_present = "source")]
        address: Option<String>,
        /// The source of a list, in place of an address
        #[arg(long, value_name = "NAME", conflicts_with = "address")]
        source: Option<String>,
    },
}

/// Sends the request to the running Gatepost.
pub fn run(args: &BansArgs) -> ExitCode {
    let operator = &args.operator;
    match &args.what {
        None => list::run(&list::ListArgs::default(), operator),
        Some(BansCommand::List(wanted)) => list::run(wanted, operator),
        Some(BansCommand::Add {
            file: Some(file),
            span,
            ..
        }) => import::run(file, *span, operator),
        Some(BansCommand::Add {
            address, span, own, ..
        }) => {
            let request = Request::BansAdd {
                subject: address.clone().unwrap_or_default(),
                seconds: span.as_secs(),
                own: *own,
            };
            operator.send(&request, show_message)
        }
        Some(BansCommand::Import {
            file,
            source,
            expire,
        }) => source::run(file, source, *expire, operator),
        Some(BansCommand::Lists) => source::show_all(operator),
        Some(BansCommand::Remove {
            source: Some(source),
            ..
        }) => {
            let what = ListRequest::Remove {
                source: source.clone(),
            };
            operator.send(&Request::Lists { what }, show_message)
        }
        Some(BansCommand::Remove { address, .. }) => {
            let request = Request::BansRemove {
                subject: address.clone().unwrap_or_default(),
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
        assert!(read(&["add", "--file", "-"]).is_ok());
        assert!(read(&["add"]).is_err() && read(&["add", "192.0.2.1", "--file", "-"]).is_err());
    }
}
