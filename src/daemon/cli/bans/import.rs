//! import - `gatepost bans add --file`: a list of addresses and networks, as blocklists are published
//!
//! A network of another size than bans have becomes those that it is made of.
//! Not here: lines (`config::network_list`), what a ban does (`server::operator`).

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::Serialize;

use crate::admin::message::{BATCH, Request, Response};
use crate::cli::{OperatorArgs, exit, print_json};
use crate::config::network_list;

/// A list with more bans than this would push others out.
const MOST: usize = 65_536;
/// Bans of one line.
const MOST_OF_A_LINE: u32 = 8;

/// What came of a list.
#[derive(Debug, Default, Serialize)]
struct ListResult {
    lines: usize,
    banned: u64,
    sessions: u64,
    refused: Vec<RefusedLine>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct RefusedLine {
    line: usize,
    why: String,
}

/// Reads the list, has it banned, and says what was taken and what was not.
pub(super) fn run(file: &Path, span: Duration, operator: &OperatorArgs) -> ExitCode {
    let text = match read(file) {
        Ok(text) => text,
        Err(fault) => return exit::fail(&format!("{}: {fault}", file.display())),
    };
    let mut summary = ListResult::default();
    let subjects = parse(&text, &mut summary);
    if subjects.len() > MOST {
        return exit::fail(&format!(
            "{}: {} bans, and there is room for {MOST} from a list: write wide networks into [networks] deny",
            file.display(),
            subjects.len()
        ));
    }
    for batch in subjects.chunks(BATCH) {
        let request = Request::BansImport {
            subjects: batch.iter().map(|(_, subject)| subject.clone()).collect(),
            seconds: span.as_secs(),
        };
        match operator.response(&request) {
            Ok(Response::BansImported {
                banned,
                sessions,
                refused,
            }) => {
                summary.banned += banned;
                summary.sessions += sessions;
                let lines = refused.into_iter().filter_map(|(place, why)| {
                    let (line, _) = batch.get(place)?;
                    Some(RefusedLine { line: *line, why })
                });
                summary.refused.extend(lines);
            }
            Ok(Response::NotKept { message }) => {
                exit::fail(&message);
                return ExitCode::from(exit::BELOW_REQUIREMENT);
            }
            Ok(Response::Refused { message }) => return exit::fail(&message),
            Ok(_) => {
                return exit::fail(&"gatepost gave another answer: are both of the same version?");
            }
            Err(fault) => return exit::fail(&*fault),
        }
    }
    summary.refused.sort_by_key(|refused| refused.line);
    finish(&summary, operator)
}

fn finish(summary: &ListResult, operator: &OperatorArgs) -> ExitCode {
    let mut out = io::stdout().lock();
    let written = match operator.json {
        true => print_json(&mut out, summary),
        false => show(summary, &mut out),
    };
    let code = match summary.refused.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(exit::BELOW_REQUIREMENT),
    };
    exit::after(written.and_then(|()| out.flush()), code)
}

fn show(summary: &ListResult, out: &mut dyn Write) -> io::Result<()> {
    for refused in &summary.refused {
        writeln!(out, "line {}: {}", refused.line, refused.why)?;
    }
    writeln!(
        out,
        "{} lines: {} bans, {} refused; {} sessions ended",
        summary.lines,
        summary.banned,
        summary.refused.len(),
        summary.sessions
    )
}

pub(super) fn read(file: &Path) -> io::Result<String> {
    let source: Box<dyn Read> = match file.as_os_str() == "-" {
        true => Box::new(io::stdin().lock()),
        false => Box::new(File::open(file)?),
    };
    let mut octets = Vec::new();
    source
        .take(network_list::LONGEST + 1)
        .read_to_end(&mut octets)?;
    match octets.len() as u64 > network_list::LONGEST {
        true => Err(io::Error::other("the list is longer than 16 MiB")),
        // Comments may be in any encoding.
        false => Ok(String::from_utf8_lossy(&octets).into_owned()),
    }
}

/// What each line bans, with the line's number.
fn parse(text: &str, summary: &mut ListResult) -> Vec<(usize, String)> {
    let mut subjects = Vec::new();
    for (place, line) in text.lines().enumerate() {
        let Some(entry) = network_list::line(line) else {
            continue;
        };
        summary.lines += 1;
        let line = place + 1;
        match entry.and_then(split) {
            Ok(networks) => subjects.extend(networks.into_iter().map(|one| (line, one))),
            Err(why) => summary.refused.push(RefusedLine { line, why }),
        }
    }
    subjects
}

/// The clients or networks, as bans have them, that a network is made of.
fn split(network: IpNet) -> Result<Vec<String>, String> {
    let too_wide = || {
        format!("{network} is wider than a list of bans may hold: write it into [networks] deny")
    };
    let fits = |prefix: u8, into: u8| u32::from(into.saturating_sub(prefix)) <= MOST_OF_A_LINE;
    match network {
        IpNet::V4(net) if net.prefix_len() <= 24 => {
            let parts = fits(net.prefix_len(), 24).then(|| net.subnets(24));
            let parts = parts.and_then(Result::ok).ok_or_else(too_wide)?;
            Ok(parts.map(|part: Ipv4Net| part.to_string()).collect())
        }
        IpNet::V4(net) => {
            let range = u32::from(net.network())..=u32::from(net.broadcast());
            Ok(range
                .map(|bits| std::net::Ipv4Addr::from_bits(bits).to_string())
                .collect())
        }
        IpNet::V6(net) if net.prefix_len() >= 64 => Ok(vec![net.network().to_string()]),
        IpNet::V6(net) => {
            let into = if net.prefix_len() <= 48 { 48 } else { 64 };
            let parts = fits(net.prefix_len(), into).then(|| net.subnets(into));
            let parts = parts.and_then(Result::ok).ok_or_else(too_wide)?;
            Ok(parts.map(|part: Ipv6Net| named(part)).collect())
        }
    }
}

/// A /48 with its prefix; a /64 by its first address, as one client.
fn named(network: Ipv6Net) -> String {
    match network.prefix_len() {
        64 => network.network().to_string(),
        _ => network.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Vec<(usize, String)>, Vec<RefusedLine>) {
        let mut summary = ListResult::default();
        let subjects = parse(text, &mut summary);
        (subjects, summary.refused)
    }

    #[test]
    fn the_lists_of_spamhaus_firehol_and_crowdsec_are_read_as_they_are() {
        let drop = "; Spamhaus DROP List 2026/11/27 - (c) 2026 The Spamhaus Project SLU\n; Last-Modified: Fri\n192.0.2.0/24 ; SBL256894\n";
        let firehol = "#\n# firehol_level1\n#\n198.51.100.9\n\n203.0.113.0/24\r\n";
        let crowdsec = "\"192.0.2.7\",ban,crowdsecurity/smtp-bf\n";
        let (subjects, refused) = parsed(&[drop, firehol, crowdsec].concat());
        let subjects: Vec<_> = subjects
            .iter()
            .map(|(line, one)| (*line, one.as_str()))
            .collect();
        assert_eq!(
            subjects,
            [
                (3, "192.0.2.0/24"),
                (7, "198.51.100.9"),
                (9, "203.0.113.0/24"),
                (10, "192.0.2.7")
            ]
        );
        assert_eq!(refused, []);
    }

    #[test]
    fn a_network_of_another_size_becomes_bans_up_to_256_of_a_line() {
        let counts = |line: &str| {
            let (subjects, refused) = parsed(line);
            (subjects.len(), refused.len())
        };
        for (line, bans) in [
            ("10.0.0.0/16", 256),
            ("10.0.0.0/23", 2),
            ("10.0.0.0/25", 128),
            ("10.0.0.4/32", 1),
            ("2001:db8::/40", 256),
            ("2001:db8::/48", 1),
            ("2001:db8::/56", 256),
            ("2001:db8::/64", 1),
            ("2001:db8::1/128", 1),
        ] {
            assert_eq!(counts(line), (bans, 0), "{line}");
        }
        for wide in [
            "10.0.0.0/15",
            "0.0.0.0/0",
            "2001:db8::/39",
            "2001:db8::/49",
            "::/0",
        ] {
            assert_eq!(counts(wide), (0, 1), "{wide}");
        }
        assert_eq!(counts("10.0.0.1/24\nmail.example.org\n300.1.1.1\n"), (0, 3));
    }
}
