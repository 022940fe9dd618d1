//! network_list - lists of addresses and networks as they are published: Spamhaus DROP, FireHOL, CrowdSec
//!
//! One a line; comments behind `#`, `;` or `//`. Of a line with columns, the first that is an address counts. For `[networks] deny-files`
//! and `gatepost bans add --file`. Not here: what a ban does, and what a deny list does (`gate`).

use std::net::IpAddr;
use std::path::Path;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::finding::{Findings, Remark};
use super::{Config, inspect, networks, raw, sections};
use gatepost_core::gate::request::networks::canonical;

/// The longest list, in octets.
pub const LONGEST: u64 = 16 << 20;

/// The most networks of all deny files together.
const MOST: usize = 500_000;

/// Networks of private use, which published lists hold as "bogons", and from which honest clients come all the same.
const PRIVATE_V4: [Ipv4Net; 7] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 168, 0, 0], 16),
];

const PRIVATE_V6: [Ipv6Net; 3] = [v6(0, 8), v6(0xfc00, 7), v6(0xfe80, 10)];

const fn v4(octets: [u8; 4], prefix: u8) -> Ipv4Net {
    let [a, b, c, d] = octets;
    Ipv4Net::new_assert(std::net::Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(first: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(std::net::Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0), prefix)
}

/// What a line holds; none: it is empty, a comment, or the head of a table.
pub fn line(line: &str) -> Option<Result<IpNet, String>> {
    let text = line.trim_start_matches('\u{feff}').trim();
    let text = text.split("//").next().unwrap_or_default();
    let text = text.split(['#', ';']).next().unwrap_or_default();
    let separates = |letter: char| letter.is_whitespace() || letter == ',';
    let words = || {
        let words = text
            .split(separates)
            .map(|word| word.trim_matches(['"', '\'']));
        words.filter(|word| !word.is_empty())
    };
    let first = words().next()?;
    if !text.contains(',') {
        return Some(network(first));
    }
    // CrowdSec writes Ip: or Range: before it.
    let bare = |word: &str| match word.split_once(':') {
        Some(("Ip" | "Range", rest)) => network(rest),
        _ => network(word),
    };
    let column = words().find_map(|word| bare(word).ok());
    let is_name = |word: &str| {
        word.chars()
            .all(|one| one.is_ascii_lowercase() || one == '_')
    };
    match column {
        Some(network) => Some(Ok(network)),
        None if words().all(is_name) => None,
        None => Some(bare(first)),
    }
}

fn network(entry: &str) -> Result<IpNet, String> {
    let address = entry.parse::<IpAddr>().map(IpNet::from);
    let network = address.or_else(|_| entry.parse::<IpNet>());
    let network = network.map_err(|_| format!("{entry:?} is no address and no network"))?;
    match network == network.trunc() {
        true => Ok(canonical(network)),
        false => Err(format!("{network} has bits set after its prefix")),
    }
}

/// Reads the files of `[networks] deny-files` into the deny list. One that cannot be read refuses the config; a line that cannot, and
/// what would shut out the operator's own, is left out and told.
pub(super) fn deny_files(
    file: &raw::RawFile,
    config: &mut Config,
    folder: &Path,
    findings: &mut Findings,
) {
    for given in &file.networks.deny_files {
        let path = sections::path(folder, given.get_ref());
        let shown = path.display();
        let text = match inspect::read(&path, LONGEST) {
            Ok(text) => text,
            Err(why) => {
                let remark = Remark::at(given.span(), format!("cannot read {shown}: {why}"));
                findings.refuse(
                    remark.help("write the path of a list with one address or network a line"),
                );
                continue;
            }
        };
        let mut left_out = LeftOut::default();
        for (place, one) in text.lines().enumerate() {
            match line(one) {
                None => {}
                Some(Err(why)) => left_out.note(place, why),
                Some(Ok(network)) => match shuts_out_own(network, &config.gate.allow) {
                    Some(why) => left_out.note(place, why),
                    None => config.gate.deny.push(networks::widened(network)),
                },
            }
        }
        if let Some(told) = left_out.told() {
            findings.warn(Remark::at(given.span(), format!("{shown}: {told}")).help(
                "write what is meant all the same into `deny`; a page of HTML in place of a list is a failed download",
            ));
        }
    }
    if config.gate.deny.len() > MOST {
        let message = format!("more than {MOST} networks are denied");
        findings
            .refuse(Remark::of_file(message).help("take a list away, or one with wider networks"));
    }
}

/// Whether a network is one of private use.
pub fn is_private(network: IpNet) -> bool {
    match network {
        IpNet::V4(v4) => PRIVATE_V4.iter().any(|private| private.contains(&v4)),
        IpNet::V6(v6) => PRIVATE_V6.iter().any(|private| private.contains(&v6)),
    }
}

/// Why a network of a published list is not denied, if it is not.
fn shuts_out_own(network: IpNet, allow: &[IpNet]) -> Option<String> {
    if is_private(network) {
        return Some(format!("{network} is of private use"));
    }
    if network.prefix_len() == 0 {
        return Some(format!("{network} is all addresses"));
    }
    let allowed = allow.iter().find(|allowed| network.contains(*allowed))?;
    Some(format!("{network} holds {allowed}, which `allow` names"))
}

/// Lines that are not used.
#[derive(Default)]
struct LeftOut {
    count: usize,
    first: Option<(usize, String)>,
}

impl LeftOut {
    fn note(&mut self, place: usize, why: String) {
        self.count += 1;
        self.first.get_or_insert((place + 1, why));
    }

    fn told(self) -> Option<String> {
        let (line, why) = self.first?;
        Some(match self.count {
            1 => format!("line {line} is left out: {why}"),
            count => format!("{count} lines are left out, the first is line {line}: {why}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(text: &str, expected: &[&str]) {
        let read = text.lines().filter_map(line).map(|one| match one {
            Ok(network) => network.to_string(),
            Err(why) => why,
        });
        assert_eq!(read.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_lists_of_spamhaus_firehol_and_crowdsec_are_read_as_they_are() {
        reads(
            "; Spamhaus DROP List 2026/11/27 - (c) 2026 The Spamhaus Project SLU\n; Last-Modified: Fri\n192.0.2.0/24 ; SBL256894\n",
            &["192.0.2.0/24"],
        );
        reads(
            "#\n# firehol_level1\n#\n198.51.100.9\n\n203.0.113.0/24\r\n",
            &["198.51.100.9/32", "203.0.113.0/24"],
        );
        reads(
            "\u{feff}\"192.0.2.7\",ban,crowdsecurity/smtp-bf\n",
            &["192.0.2.7/32"],
        );
        reads(
            "id,source,ip,reason,action,country\n4,crowdsec,Ip:192.0.2.9,crowdsecurity/smtp-bf,ban,DE\n5,cscli,Range:2001:db8::/32,manual,ban,\n",
            &["192.0.2.9/32", "2001:db8::/32"],
        );
        reads("::ffff:192.0.2.0/120\n", &["192.0.2.0/24"]);
    }

    #[test]
    fn what_is_no_network_is_said() {
        reads("<html>\n", &["\"<html>\" is no address and no network"]);
        reads(
            "192.0.2.1/24\n",
            &["192.0.2.1/24 has bits set after its prefix"],
        );
        reads("a,b.example\n", &["\"a\" is no address and no network"]);
    }

    #[test]
    fn what_would_shut_out_the_operators_own_is_not_denied() {
        let why = |network: &str, allow: &[&str]| {
            let allow: Vec<IpNet> = allow.iter().map(|one| one.parse().unwrap()).collect();
            shuts_out_own(network.parse().unwrap(), &allow)
        };
        for private in [
            "10.0.0.0/8",
            "10.1.2.0/24",
            "127.0.0.1/32",
            "192.168.0.0/16",
            "::1/128",
            "fe80::/10",
            "0.0.0.0/8",
        ] {
            assert!(why(private, &[]).unwrap().contains("private"), "{private}");
        }
        assert!(why("0.0.0.0/0", &[]).unwrap().contains("all addresses"));
        assert!(
            why("198.51.100.0/24", &["198.51.100.7/32"])
                .unwrap()
                .contains("`allow` names")
        );
        assert_eq!(
            why("198.51.100.0/24", &["198.51.0.0/16"]),
            None,
            "an exception in an allowed network"
        );
        assert_eq!(why("11.0.0.0/8", &[]), None);
    }
}
