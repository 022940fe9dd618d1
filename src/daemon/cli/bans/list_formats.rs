//! list_formats - published lists of networks, whole or not at all
//!
//! One entry a line, each line in one of these forms, which may be mixed:
//! - an address, a network or a range (`192.0.2.0-192.0.2.255`), with columns and comments as `config::network_list` reads
//!   them: Spamhaus DROP's text, FireHOL's netsets, blocklist.de, CrowdSec's CSV;
//! - a JSON object with `cidr`, `ip`, `address`, `network` or `value`: Spamhaus DROP's JSON, whose last line says how many there are;
//! - `add SET ENTRY` and `create SET ...`, as `ipset save` writes them.
//!
//! Networks of private use, multicast and what is reserved are left out: lists of "bogons" hold them, and honest
//! clients come from the first. All else that cannot be read refuses the list with its line.
//! Not here: who is spared (`gate`), where lists come from (a timer of the operator's).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};
use serde_json::Value;

use crate::config::network_list;
use gatepost_core::gate::request::lists::{MOST_NETWORKS, is_narrow};
use gatepost_core::gate::request::networks::canonical;

/// Networks that one range may come to.
const MOST_OF_A_RANGE: usize = 256;

/// What stands in a list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PublishedList {
    /// Each once, sorted.
    pub(super) networks: Vec<IpNet>,
    /// How many were left out, for they are not of the public internet.
    pub(super) private: usize,
}

/// What a line holds.
enum ListLine {
    Nothing,
    Networks(Vec<IpNet>),
    /// How many entries there are, says the list.
    Count(u64),
}

/// Reads a list.
///
/// # Errors
///
/// The first thing that is wrong with it, with its line.
pub(super) fn read(text: &str) -> Result<PublishedList, String> {
    let mut list = PublishedList::default();
    let (mut objects, mut is_whole) = (0, true);
    for (place, line) in text.lines().enumerate() {
        let at = |why: String| format!("line {}: {why}", place + 1);
        let networks = match read_line(line).map_err(at)? {
            ListLine::Nothing => continue,
            ListLine::Count(count) if count != objects => {
                return Err(at(format!(
                    "the list says that it has {count} entries, and has {objects}"
                )));
            }
            ListLine::Count(_) => {
                is_whole = true;
                continue;
            }
            ListLine::Networks(networks) => networks,
        };
        if line.trim_start().starts_with('{') {
            objects += 1;
            // Spamhaus names its records, and ends with a line about them.
            is_whole &= !line.contains("\"sblid\"");
        }
        for network in networks {
            if is_private(network) {
                list.private += 1;
            } else if is_narrow(network) {
                list.networks.push(network);
            } else {
                return Err(at(format!(
                    "{network} is wider than a list may name (/8, IPv6 /19): write it into [networks] deny"
                )));
            }
        }
        if list.networks.len() > MOST_NETWORKS {
            return Err(at(format!("there are more than {MOST_NETWORKS} networks")));
        }
    }
    if !is_whole {
        return Err("its last line, which says how many entries there are, is missing".to_owned());
    }
    list.networks.sort_unstable();
    list.networks.dedup();
    match list.networks.is_empty() {
        true => Err("there is no network in it".to_owned()),
        false => Ok(list),
    }
}

fn read_line(line: &str) -> Result<ListLine, String> {
    let line = line.trim_start_matches('\u{feff}').trim();
    if line.starts_with('{') {
        return object(line);
    }
    let mut words = line.split_ascii_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some("create"), Some(_), Some(_)) => Ok(ListLine::Nothing),
        (Some("add"), Some(_), Some(entry)) => networks(entry).map(ListLine::Networks),
        (Some(first), ..) if is_range(first) => networks(first).map(ListLine::Networks),
        _ => match network_list::line(line) {
            None => Ok(ListLine::Nothing),
            Some(network) => Ok(ListLine::Networks(vec![network?])),
        },
    }
}

fn is_range(word: &str) -> bool {
    let is_part = |letter: char| letter.is_ascii_hexdigit() || matches!(letter, '.' | ':' | '-');
    word.contains('-') && word.chars().all(is_part)
}

/// A JSON object: an entry, or what the list says of itself.
fn object(line: &str) -> Result<ListLine, String> {
    let object: Value =
        serde_json::from_str(line).map_err(|fault| format!("this is no JSON: {fault}"))?;
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    if text("type") == Some("metadata") {
        let records = object.get("records").and_then(Value::as_u64);
        return Ok(records.map_or(ListLine::Nothing, ListLine::Count));
    }
    let names = ["cidr", "ip", "address", "network", "value"];
    let entry = names.into_iter().find_map(text);
    let entry = entry.ok_or("there is no cidr, ip, address, network or value in this object")?;
    networks(entry).map(ListLine::Networks)
}

/// An address, a network or a range.
fn networks(entry: &str) -> Result<Vec<IpNet>, String> {
    let wrong = || format!("{entry:?} is no address, no network and no range");
    if let Some((first, last)) = entry.split_once('-') {
        let parse = |text: &str| text.trim().parse::<IpAddr>().map_err(|_| wrong());
        return range(parse(first)?, parse(last)?)
            .filter(|networks| !networks.is_empty() && networks.len() <= MOST_OF_A_RANGE)
            .ok_or_else(wrong);
    }
    let address = entry.parse::<IpAddr>().map(IpNet::from);
    let network = address
        .or_else(|_| entry.parse::<IpNet>())
        .map_err(|_| wrong())?;
    match network == network.trunc() {
        true => Ok(vec![canonical(network)]),
        false => Err(format!("{network} has bits set after its prefix")),
    }
}

fn range(first: IpAddr, last: IpAddr) -> Option<Vec<IpNet>> {
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) if first <= last => {
            let parts = Ipv4Subnets::new(first, last, 0);
            Some(parts.map(IpNet::from).take(MOST_OF_A_RANGE + 1).collect())
        }
        (IpAddr::V6(first), IpAddr::V6(last)) if first <= last => {
            let parts = Ipv6Subnets::new(first, last, 0);
            Some(parts.map(IpNet::from).take(MOST_OF_A_RANGE + 1).collect())
        }
        _ => None,
    }
}

/// Whether no client of the public internet comes from there.
fn is_private(network: IpNet) -> bool {
    // 224.0.0.0/3 is multicast and what is reserved, ff00::/8 multicast.
    let others = match network {
        IpNet::V4(v4) => v4.prefix_len() >= 3 && v4.addr() >= Ipv4Addr::new(224, 0, 0, 0),
        IpNet::V6(v6) => {
            v6.prefix_len() >= 8 && v6.addr() >= Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0)
        }
    };
    others || network_list::is_private(network)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    /// A list as it is published, from `tests/lists`.
    fn fixture(name: &str) -> String {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/lists");
        fs::read_to_string(folder.join(name)).unwrap()
    }

    fn shown(text: &str) -> Vec<String> {
        let list = read(text).unwrap();
        list.networks.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_published_form_is_read_as_it_is() {
        let three = ["198.51.100.9/32", "203.0.113.0/24", "2001:db8:5::/48"];
        for name in [
            "drop.txt",
            "drop.json",
            "ipset.save",
            "cidr.csv",
            "crowdsec.csv",
        ] {
            assert_eq!(shown(&fixture(name)), three, "{name}");
        }
        assert_eq!(
            shown(&fixture("blocklist.de.txt")),
            ["198.51.100.9/32", "2001:db8:5::7/128"]
        );
        let firehol = read(&fixture("firehol_level1.netset")).unwrap();
        assert_eq!((firehol.networks.len(), firehol.private), (3, 9));
        assert_eq!(
            shown("192.0.2.0-192.0.2.130\n"),
            ["192.0.2.0/25", "192.0.2.128/31", "192.0.2.130/32"]
        );
    }

    #[test]
    fn a_damaged_a_torn_and_a_hostile_list_is_refused_whole_with_its_line() {
        let whole = fixture("drop.json");
        let lines: Vec<&str> = whole.lines().collect();
        let torn = lines[..2].join("\n");
        assert!(read(&torn).unwrap_err().contains("is missing"));
        let one_less = [lines[0], lines[3]].join("\n");
        assert!(
            read(&one_less)
                .unwrap_err()
                .starts_with("line 2: the list says")
        );
        for (text, why) in [
            ("", "there is no network in it"),
            ("# nothing\n", "there is no network in it"),
            ("10.0.0.0/8\n", "there is no network in it"),
            ("192.0.2.1\n<html>\n", "line 2: "),
            ("192.0.2.1\n0.0.0.0/0\n", "line 2: 0.0.0.0/0 is wider"),
            ("::/0\n", "line 1: ::/0 is wider"),
            ("::ffff:0:0/96\n", "line 1: 0.0.0.0/0 is wider"),
            ("128.0.0.0/2\n", "line 1: 128.0.0.0/2 is wider"),
            ("2001:c000::/18\n", "line 1: 2001:c000::/18 is wider"),
            ("0.0.0.0-255.255.255.255\n", "line 1: 0.0.0.0/0 is wider"),
            ("192.0.2.9-192.0.2.1\n", "line 1: "),
            ("192.0.2.1/24\n", "line 1: 192.0.2.1/24 has bits"),
            ("192.0.2.300\n", "line 1: "),
            ("{\"cidr\":\"192.0.2.0/24\"\n", "line 1: this is no JSON"),
            ("{\"asn\":7}\n", "line 1: there is no cidr"),
            ("[{\"cidr\":\"192.0.2.0/24\"}]\n", "line 1: "),
            ("add drop mail.example.org\n", "line 1: "),
            ("\0\0\0\0\n", "line 1: "),
        ] {
            let fault = read(text).unwrap_err();
            assert!(fault.starts_with(why), "{text:?}: {fault}");
        }
    }

    #[test]
    fn a_list_that_is_too_long_is_refused_at_its_line() {
        let lines = |count: u32| -> String {
            let address = |n| Ipv4Addr::from_bits(1 << 28 | n);
            (0..count).map(|n| format!("{}\n", address(n))).collect()
        };
        let most = MOST_NETWORKS as u32;
        assert_eq!(read(&lines(most)).unwrap().networks.len(), MOST_NETWORKS);
        let fault = read(&lines(most + 1)).unwrap_err();
        assert!(
            fault.starts_with("line 200001: there are more than"),
            "{fault}"
        );
    }

    proptest! {
        #[test]
        fn no_text_brings_in_a_wide_or_private_network(text in "[-0-9a-f:./{}\"\nac dir,;#]{0,200}") {
            if let Ok(list) = read(&text) {
                prop_assert!(list.networks.iter().all(|one| is_narrow(*one) && !is_private(*one)));
            }
        }
    }
}
