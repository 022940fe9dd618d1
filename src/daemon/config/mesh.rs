//! mesh - the links of `[cluster]`: where this machine listens for the others, and where it dials them
//!
//! Not here: the machines (`cluster`), the links themselves (`crate::cluster::mesh`).

use std::net::SocketAddr;

use toml::Spanned;

use super::claims::{ClaimedPlace, Claims};
use super::finding::{Findings, Remark};
use super::raw;
use super::value::Given;
use crate::cluster::mesh::{MOST_MACHINES, MeshSettings, PeerAddress};

const LISTEN: &str = "write an address of this machine and a port, like \"10.0.0.1:4652\"";
const PEERS: &str = "write the name or address of another machine and the port where it listens, like \"mx2.example.org:4652\"";

/// The links; none: none are wanted, or they are refused.
pub(super) fn read(
    given: &raw::RawCluster,
    claims: &mut Claims,
    findings: &mut Findings,
) -> Option<MeshSettings> {
    let span = wanted(given)?;
    let store = given.store.as_ref();
    if let Some(store) = store.filter(|store| !store.get_ref().is_empty()) {
        let remark = Remark::at(
            store.span(),
            "machines share by a store or by links, not both",
        );
        let remark = remark.beside(span.clone(), "the links");
        findings
            .refuse(remark.help(
                "two to five machines need no store; more need one, and no listen and peers",
            ));
        return None;
    }
    let secret = given.secret_file.as_ref();
    if secret.is_none_or(|secret| secret.get_ref().is_empty()) {
        findings.missing_at(
            span.clone(),
            "machines that are linked know each other by a secret",
            "write cluster.secret-file, the same secret on all machines",
        );
    }
    let machines = given.machines.as_ref();
    if let Some(machines) = machines.filter(|listed| listed.get_ref().len() > MOST_MACHINES) {
        let count = machines.get_ref().len();
        let message = format!("{count} machines are too many to be linked, each with each");
        let help =
            format!("{MOST_MACHINES} at most; more need cluster.store, and no listen and peers");
        findings.refuse(Remark::at(machines.span(), message).help(help));
    }
    Some(MeshSettings {
        listen: listen(given, claims, findings),
        peers: peers(given, findings),
    })
}

/// Where links are asked for, if they are.
fn wanted(given: &raw::RawCluster) -> Option<std::ops::Range<usize>> {
    let listen = listens(&given.listen).map(Spanned::span);
    let peers = given.peers.as_ref();
    let peers = peers.filter(|peers| !peers.get_ref().is_empty());
    listen.or_else(|| peers.map(Spanned::span))
}

fn listens(given: &Given<String>) -> Option<&Spanned<String>> {
    given.as_ref().filter(|listen| !listen.get_ref().is_empty())
}

fn listen(
    given: &raw::RawCluster,
    claims: &mut Claims,
    findings: &mut Findings,
) -> Option<SocketAddr> {
    let listen = listens(&given.listen)?;
    let address = listen.get_ref().parse::<SocketAddr>().ok();
    let address = address.filter(|address| address.port() > 0);
    match address {
        Some(address) => {
            let place = ClaimedPlace::Listen(address);
            claims.enter("cluster.listen", place, Some(listen.span()));
        }
        None => {
            let message = format!("{:?} is no address and port", listen.get_ref());
            findings.refuse(Remark::at(listen.span(), message).help(LISTEN));
        }
    }
    address
}

fn peers(given: &raw::RawCluster, findings: &mut Findings) -> Vec<PeerAddress> {
    let mut peers = Vec::new();
    let listed = given.peers.iter().flat_map(Spanned::get_ref);
    for one in listed {
        let Some(peer) = peer(one.get_ref()) else {
            let message = format!("{:?} is no machine and port", one.get_ref());
            findings.refuse(Remark::at(one.span(), message).help(PEERS));
            continue;
        };
        if peers.contains(&peer) {
            let remark = Remark::at(one.span(), "this machine is dialled already");
            findings.refuse(remark.help("once is enough"));
            continue;
        }
        peers.push(peer);
    }
    if let Some(given) = given.peers.as_ref().filter(|_| peers.len() > MOST_MACHINES) {
        let message = format!("there are {} places to dial", peers.len());
        let help = format!("{MOST_MACHINES} machines at most can be linked");
        findings.refuse(Remark::at(given.span(), message).help(help));
    }
    peers
}

/// `host:port` or `[address]:port`.
fn peer(text: &str) -> Option<PeerAddress> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse::<u16>().ok().filter(|port| *port > 0)?;
    let host = match host.strip_prefix('[') {
        Some(rest) => {
            let address = rest.strip_suffix(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            address.to_owned()
        }
        None => host.to_ascii_lowercase(),
    };
    let fits = |letter: char| letter.is_ascii_alphanumeric() || ".-:".contains(letter);
    let is_name = !host.is_empty() && host.chars().all(fits);
    let is_bare = host.contains(':') && !text.starts_with('[');
    (is_name && !is_bare).then_some(PeerAddress { host, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let read = peer(text).map(|peer| peer.to_string());
        assert_eq!(read.as_deref(), expected, "{text}");
    }

    #[test]
    fn a_peer_is_a_name_or_an_address_and_a_port() {
        check("MX2.example.org:4652", Some("mx2.example.org:4652"));
        check("10.0.0.2:4652", Some("10.0.0.2:4652"));
        check("[fd00::2]:4652", Some("[fd00::2]:4652"));
        for none in [
            "mx2",
            "mx2:",
            ":4652",
            "mx2:0",
            "mx2:65536",
            "fd00::2:4652",
            "[mx2]:4652",
            "a b:1",
            "",
        ] {
            check(none, None);
        }
    }
}
