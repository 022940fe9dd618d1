//! list - `gatepost bans list`: all bans, some of them, or how many
//!
//! Not here: what adds and removes them (`bans`).

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;
use std::process::ExitCode;

use ipnet::IpNet;

use crate::admin::message::{BanMessage, Request, Response};
use crate::cli::{OperatorArgs, print_json};
use gatepost_core::gate::request::networks::canonical;

/// Which bans to list.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct ListArgs {
    /// Only those in this network, of any size, or around this address
    #[arg(value_name = "NETWORK", value_parser = read_network)]
    network: Option<IpNet>,
    /// Only those with this reason: strikes, trap, neighbours, operator
    #[arg(long)]
    reason: Option<String>,
    /// No more than so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Only how many there are, by reason
    #[arg(long)]
    count: bool,
}

/// How many bans there are.
#[derive(Debug, Default, serde::Serialize)]
struct BanCount {
    bans: usize,
    by_reason: BTreeMap<String, usize>,
}

/// Sends the request to the running Gatepost.
pub(super) fn run(wanted: &ListArgs, operator: &OperatorArgs) -> ExitCode {
    let choose = |response| match response {
        Response::Bans { bans } => Response::Bans {
            bans: wanted.chosen(bans),
        },
        other => other,
    };
    match (wanted.count, operator.json) {
        (false, _) => operator.send_and(&Request::BansList, choose, show),
        (true, false) => operator.send_and(&Request::BansList, choose, |response, out| {
            let counted = count(response);
            for (reason, bans) in &counted.by_reason {
                writeln!(out, "{reason:<24} {bans}")?;
            }
            writeln!(out, "{:<24} {}", "all", counted.bans)
        }),
        (true, true) => operator
            .as_text()
            .send_and(&Request::BansList, choose, |response, out| {
                print_json(out, &count(response))
            }),
    }
}

impl ListArgs {
    fn chosen(&self, bans: Vec<BanMessage>) -> Vec<BanMessage> {
        let all = bans.into_iter().filter(|ban| self.is_chosen(ban));
        all.take(self.limit.unwrap_or(usize::MAX)).collect()
    }

    fn is_chosen(&self, ban: &BanMessage) -> bool {
        let is_inside = |wanted: &IpNet| {
            read_network(&ban.address)
                .is_ok_and(|ban| wanted.contains(&ban) || ban.contains(wanted))
        };
        let has_reason = |wanted: &String| {
            let reason = ban.reason.split(' ').next();
            ban.reason == *wanted || reason == Some(wanted.as_str())
        };
        self.network.as_ref().is_none_or(is_inside) && self.reason.as_ref().is_none_or(has_reason)
    }
}

fn count(response: &Response) -> BanCount {
    let mut counted = BanCount::default();
    if let Response::Bans { bans } = response {
        counted.bans = bans.len();
        for ban in bans {
            *counted.by_reason.entry(ban.reason.clone()).or_default() += 1;
        }
    }
    counted
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

fn read_network(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    let network = address.or_else(|_| text.parse::<IpNet>());
    let network = network.map(|network| canonical(network).trunc());
    network.map_err(|_| {
        "write an address or a network: 203.0.113.7, 10.0.0.0/8, 2001:db8::/32".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(network: Option<&str>, reason: Option<&str>, limit: Option<usize>) -> Vec<String> {
        let bans = [
            ("203.0.113.7", "strikes"),
            ("203.0.113.0/24", "operator"),
            ("198.51.100.9", "trap (dry run)"),
            ("2001:db8:1:2::/64", "strikes"),
        ];
        let bans = bans.map(|(address, reason)| BanMessage {
            address: address.to_owned(),
            until: String::new(),
            reason: reason.to_owned(),
        });
        let wanted = ListArgs {
            network: network.map(|text| read_network(text).unwrap()),
            reason: reason.map(ToOwned::to_owned),
            limit,
            count: false,
        };
        let chosen = wanted.chosen(bans.into()).into_iter();
        chosen.map(|ban| ban.address).collect()
    }

    #[test]
    fn bans_are_chosen_by_network_address_reason_and_number() {
        assert_eq!(chosen(None, None, None).len(), 4);
        assert_eq!(
            chosen(Some("203.0.0.0/16"), None, None),
            ["203.0.113.7", "203.0.113.0/24"]
        );
        assert_eq!(chosen(Some("203.0.113.8"), None, None), ["203.0.113.0/24"]);
        assert_eq!(
            chosen(Some("::ffff:203.0.0.0/112"), None, None),
            ["203.0.113.7", "203.0.113.0/24"]
        );
        assert_eq!(
            chosen(Some("2001:db8::/32"), None, None),
            ["2001:db8:1:2::/64"]
        );
        assert_eq!(chosen(None, Some("trap"), None), ["198.51.100.9"]);
        assert_eq!(chosen(None, Some("strikes"), Some(1)), ["203.0.113.7"]);
        assert!(chosen(Some("192.0.2.0/24"), None, None).is_empty());
        assert!(read_network("example.org").is_err());
    }
}
