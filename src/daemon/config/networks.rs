//! networks - lists of networks: load balancers, the allow list, the deny list
//!
//! Mapped IPv4 becomes IPv4, as for clients.
//! Not here: how a list is searched (`gate`, `net::listener`).

use ipnet::{IpNet, Ipv6Net};
use toml::Spanned;

use super::finding::{Findings, Remark};
use super::raw;
use super::value::Quoted;
use gatepost_core::gate::request::networks::canonical;

/// IPv6 clients are counted by this prefix.
const CLIENT_PREFIX: u8 = 64;

/// Load balancers: exact networks, but never all addresses.
pub(super) fn balancers(given: &[Spanned<Quoted<IpNet>>], findings: &mut Findings) -> Vec<IpNet> {
    let whose = "any client could announce any address";
    let networks = given.iter();
    networks
        .filter_map(|given| network(given, whose, findings))
        .collect()
}

/// The lists of `[networks]`.
#[derive(Debug, Default)]
pub(super) struct NetworkLists {
    pub(super) allow: Vec<IpNet>,
    pub(super) deny: Vec<IpNet>,
    pub(super) only: Vec<IpNet>,
}

/// Reads them; what contradicts another is refused.
pub(super) fn lists(given: &raw::RawNetworks, findings: &mut Findings) -> NetworkLists {
    let mut allow = Vec::new();
    for entry in &given.allow {
        if let Some(network) = network(entry, "no attempt would be judged", findings) {
            warn_widening(network, entry, findings);
            allow.push((widened(network), entry.span()));
        }
    }
    let mut deny = Vec::new();
    for entry in &given.deny {
        if let Some(network) = network(entry, "no client could connect", findings) {
            deny.push((widened(network), entry.span()));
        }
    }
    let mut only = Vec::new();
    for entry in &given.only {
        if let Some(network) = network(entry, "leave the list empty then", findings) {
            only.push(widened(network));
        }
    }
    for (allowed, span) in &allow {
        if !only.is_empty() && !only.iter().any(|inside| inside.contains(allowed)) {
            let message = format!("{allowed} is allowed, and in no network of `only`");
            findings.refuse(
                Remark::at(span.clone(), message)
                    .help("nobody else may log in: write it into `only` as well"),
            );
        }
        let denied = deny.iter().find(|(denied, _)| denied.contains(allowed));
        if let Some((denied, beside)) = denied {
            findings.refuse(
                Remark::at(span.clone(), format!("{allowed} is allowed and denied"))
                    .beside(beside.clone(), "denied here")
                    .help(format!(
                        "the deny list has priority: remove {allowed} from `allow`, or make {denied} smaller"
                    )),
            );
        }
    }
    let networks = |list: Vec<(IpNet, _)>| list.into_iter().map(|(network, _)| network).collect();
    NetworkLists {
        allow: networks(allow),
        deny: networks(deny),
        only,
    }
}

/// One network, as clients are counted; none if it is refused.
pub(super) fn network(
    given: &Spanned<Quoted<IpNet>>,
    of_all: &str,
    findings: &mut Findings,
) -> Option<IpNet> {
    let network = canonical(given.get_ref().0);
    let remark = |message: String| Remark::at(given.span(), message);
    if network.prefix_len() == 0 {
        findings.refuse(
            remark(format!("{network} is all addresses: {of_all}"))
                .help("write the networks that are meant"),
        );
        return None;
    }
    if network != network.trunc() {
        findings.refuse(
            remark(format!("{network} has bits set after its prefix")).help(format!(
                "write {} for the network, or {} for the one address",
                network.trunc(),
                network.addr()
            )),
        );
        return None;
    }
    Some(network)
}

fn warn_widening(network: IpNet, given: &Spanned<Quoted<IpNet>>, findings: &mut Findings) {
    let wide = widened(network);
    if wide != network && !network.addr().is_loopback() {
        findings.warn(
            Remark::at(given.span(), format!("{network} allows all of {wide}"))
                .help("an IPv6 client is counted by its /64: make sure that all of it is yours"),
        );
    }
}

/// As clients are counted: of IPv6 at least a /64.
pub(super) fn widened(network: IpNet) -> IpNet {
    match network {
        IpNet::V6(v6) if v6.prefix_len() > CLIENT_PREFIX => {
            Ipv6Net::new(v6.addr(), CLIENT_PREFIX).map_or(network, |wide| wide.trunc().into())
        }
        _ => network,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{findings, given};

    fn list(networks: &[&str]) -> Vec<Spanned<Quoted<IpNet>>> {
        let networks = networks.iter().map(|text| text.parse().unwrap());
        networks.filter_map(|net| given(Quoted(net))).collect()
    }

    #[track_caller]
    fn read(allow: &[&str], deny: &[&str]) -> (Vec<String>, Vec<String>, usize) {
        let mut findings = findings();
        let given = raw::RawNetworks {
            allow: list(allow),
            deny: list(deny),
            ..Default::default()
        };
        let NetworkLists { allow, deny, .. } = lists(&given, &mut findings);
        let texts = |list: Vec<IpNet>| list.iter().map(ToString::to_string).collect();
        let faults = findings.conclude().map_or_else(|f| f.faults().len(), |_| 0);
        (texts(allow), texts(deny), faults)
    }

    #[test]
    fn a_mapped_network_is_the_ipv4_network() {
        let (allow, _, faults) = read(&["::ffff:192.0.2.0/120"], &[]);
        assert_eq!((allow, faults), (vec!["192.0.2.0/24".to_owned()], 0));
    }

    #[test]
    fn an_ipv6_address_is_widened_to_its_client() {
        let (allow, deny, faults) = read(&["::1/128"], &["2001:db8:1:2::25/128"]);
        assert_eq!(allow, ["::/64"]);
        assert_eq!(deny, ["2001:db8:1:2::/64"]);
        assert_eq!(faults, 0);
    }

    #[test]
    fn all_addresses_are_refused() {
        for all in ["0.0.0.0/0", "::/0", "::ffff:0.0.0.0/96"] {
            assert_eq!(read(&[all], &[]).2, 1, "{all}");
            assert_eq!(read(&[], &[all]).2, 1, "{all}");
            let mut findings = findings();
            assert!(balancers(&list(&[all]), &mut findings).is_empty());
            assert!(findings.conclude().is_err(), "{all}");
        }
    }

    #[test]
    fn a_hole_in_a_denied_network_is_refused_and_a_hole_in_an_allowed_one_is_not() {
        assert_eq!(read(&["192.0.2.1/32"], &["192.0.2.0/24"]).2, 1);
        assert_eq!(read(&["192.0.2.0/24"], &["192.0.2.0/24"]).2, 1);
        assert_eq!(read(&["192.0.2.0/24"], &["192.0.2.1/32"]).2, 0);
    }

    #[test]
    fn who_is_allowed_must_be_among_the_only_ones() {
        let faults = |allow: &[&str], only: &[&str]| {
            let mut findings = findings();
            let given = raw::RawNetworks {
                allow: list(allow),
                only: list(only),
                ..Default::default()
            };
            lists(&given, &mut findings);
            findings.conclude().map_or_else(|f| f.faults().len(), |_| 0)
        };
        assert_eq!(faults(&["192.0.2.1/32"], &[]), 0);
        assert_eq!(faults(&["192.0.2.1/32"], &["192.0.2.0/24"]), 0);
        assert_eq!(faults(&["192.0.2.1/32"], &["198.51.100.0/24"]), 1);
        assert_eq!(faults(&[], &["0.0.0.0/0"]), 1);
    }

    #[test]
    fn a_load_balancer_may_be_one_ipv6_address() {
        let mut findings = findings();
        let networks = balancers(&list(&["2001:db8::25/128"]), &mut findings);
        assert_eq!(networks, ["2001:db8::25/128".parse().unwrap()]);
        assert!(findings.conclude().unwrap().is_empty());
    }
}
