//! networks - whether an address is in a network
//!
//! One rule for the allow list, the deny list and load balancers: a mapped IPv4 network is the IPv4 network,
//! because an IPv4-mapped address is counted as IPv4. Not here: large lists and how they are searched
//! (`gate::rules`), parsing (the daemon's `config`). RFC 4291 section 2.5.5.2.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// The bits of a mapped address in front of the IPv4 address.
const MAPPED_PREFIX: u8 = 96;

/// The network, as IPv4 if it is mapped: `::ffff:10.0.0.0/104` becomes `10.0.0.0/8`.
pub fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else {
        return network;
    };
    let Some(v4) = v6.addr().to_ipv4_mapped() else {
        return network;
    };
    v6.prefix_len()
        .checked_sub(MAPPED_PREFIX)
        .and_then(|prefix| Ipv4Net::new(v4, prefix).ok())
        .map_or(network, IpNet::from)
}

/// Whether `address` is in one of `networks`. Searches one after another, so the list should be short.
pub fn contain(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks
        .iter()
        .any(|network| canonical(*network).contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(network: &str, address: &str, expected: bool) {
        let networks = [network.parse().unwrap()];
        let contained = contain(&networks, address.parse().unwrap());
        assert_eq!(contained, expected, "{address} in {network}");
    }

    #[test]
    fn a_mapped_network_contains_ipv4_addresses_and_mapped_ones() {
        check("::ffff:10.0.0.0/104", "10.1.2.3", true);
        check("::ffff:10.0.0.0/104", "::ffff:10.1.2.3", true);
        check("::ffff:10.0.0.0/104", "11.0.0.1", false);
        check("10.0.0.0/8", "::ffff:10.1.2.3", true);
    }

    #[test]
    fn ipv6_networks_are_exact() {
        check("2001:db8::7/128", "2001:db8::7", true);
        check("2001:db8::7/128", "2001:db8::8", false);
        check("::ffff:0:0/95", "2001:db8::8", false);
    }
}
