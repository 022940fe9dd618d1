//! own - the addresses of this machine, which nobody means to ban
//!
//! As the kernel's tables have them: proc(5), `net/fib_trie` and `net/if_inet6`. Of loopback in IPv4 only 127.0.0.1,
//! which programs use. Not here: bans (`expel`).

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::verdict::Subject;

/// The addresses of this machine.
#[derive(Debug)]
pub(super) struct OwnAddresses(Vec<IpAddr>);

impl OwnAddresses {
    /// Asks the kernel. Tables that cannot be read show none.
    pub(super) fn read() -> Self {
        let table = |name: &str| {
            let path = format!("/proc/self/net/{name}");
            fs::read_to_string(path).unwrap_or_default()
        };
        Self::of(&table("fib_trie"), &table("if_inet6"))
    }

    fn of(routes: &str, interfaces: &str) -> Self {
        let mut own = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        let mut last = None;
        for line in routes.lines().map(str::trim) {
            match line.strip_prefix("|-- ") {
                Some(address) => last = address.parse().ok(),
                None if line == "/32 host LOCAL" => own.extend(last.map(IpAddr::V4)),
                None => {}
            }
        }
        let octets = interfaces.lines().filter_map(|line| line.get(..32));
        let v6 = octets.filter_map(|octets| u128::from_str_radix(octets, 16).ok());
        own.extend(v6.map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))));
        Self(own)
    }

    /// The own address that a ban would hit.
    pub(super) fn within(&self, subject: Subject) -> Option<IpAddr> {
        let hit = |own: &&IpAddr| {
            let client = ClientKey::new(**own);
            match subject {
                Subject::Client(banned) => banned == client,
                Subject::Network(banned) => banned == client.network(),
            }
        };
        self.0.iter().find(hit).copied().or_else(|| bound(subject))
    }
}

/// An address that this machine can bind, if the tables do not show it.
fn bound(subject: Subject) -> Option<IpAddr> {
    let Subject::Client(client) = subject else {
        return None;
    };
    let address = client.address();
    // A datagram socket: nothing is sent.
    let is_bound = || UdpSocket::bind((address, 0)).is_ok();
    (!address.is_unspecified() && !address.is_loopback() && is_bound()).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTES: &str = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     |-- 127.0.0.0\n        \
        /8 host LOCAL\n     |-- 203.0.113.9\n        /32 host LOCAL\n     |-- 198.51.100.255\n        /32 link BROADCAST\n";
    const INTERFACES: &str = "20010db8000100020000000000000005 02 40 00 80     eth0\n";

    #[test]
    fn own_addresses_are_found_by_themselves_and_in_their_network() {
        let own = OwnAddresses::of(ROUTES, INTERFACES);
        let hit = |text: &str| {
            let client = text.parse().map(Subject::Client);
            let subject = client.or_else(|_| text.parse().map(Subject::Network));
            own.within(subject.unwrap()).map(|own| own.to_string())
        };
        for (text, address) in [
            ("203.0.113.9", "203.0.113.9"),
            ("203.0.113.0/24", "203.0.113.9"),
            ("127.0.0.1", "127.0.0.1"),
            ("127.0.0.0/24", "127.0.0.1"),
            ("2001:db8:1:2::/64", "2001:db8:1:2::5"),
            ("2001:db8:1::/48", "2001:db8:1:2::5"),
            ("::1", "::1"),
        ] {
            assert_eq!(hit(text).as_deref(), Some(address), "{text}");
        }
        for other in [
            "203.0.113.8",
            "198.51.100.255",
            "198.51.100.0/24",
            "127.0.1.0/24",
            "2001:db8:1:3::/64",
            "2001:db8:2::/48",
        ] {
            assert_eq!(hit(other), None, "{other}");
        }
    }
}
