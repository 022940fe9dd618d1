//! client - a client and its network, as the gate counts them
//!
//! [`ClientKey`] is one IPv4 address or one IPv6 /64; [`NetworkKey`] its /24 or /48; [`RegionKey`]
//! its /16 or /32. An IPv4-mapped IPv6 address is IPv4 from the first line on, so that a dual-stack
//! listener and a PROXY header count alike.
//! Not here: the socket's own address (`net`), allow and deny lists (`networks`).
//! We count /64s, not addresses, in IPv6: one customer holds a whole /64. RFC 4291 section 2.5.5.2.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// One client: an IPv4 address, or an IPv6 /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClientKey {
    /// The address.
    V4(u32),
    /// The upper 64 bits of the address.
    V6(u64),
}

/// The network of a client: an IPv4 /24, or an IPv6 /48.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NetworkKey {
    /// The address with its last 8 bits cleared.
    V4(u32),
    /// The upper 64 bits of the address with the last 16 of them cleared.
    V6(u64),
}

/// The carrier-sized neighbourhood of a client: an IPv4 /16, or an IPv6 /32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RegionKey {
    /// The address with its last 16 bits cleared.
    V4(u32),
    /// The upper 64 bits of the address with the last 32 of them cleared.
    V6(u64),
}

impl ClientKey {
    /// The client that `address` belongs to.
    pub fn new(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::V4(v4.to_bits()),
            IpAddr::V6(v6) => Self::V6(upper_half(v6)),
        }
    }

    /// The first address of this client.
    pub fn address(self) -> IpAddr {
        match self {
            Self::V4(bits) => Ipv4Addr::from_bits(bits).into(),
            Self::V6(upper) => lower_zero(upper).into(),
        }
    }

    /// The /24 or /48 around this client.
    pub fn network(self) -> NetworkKey {
        match self {
            Self::V4(bits) => NetworkKey::V4(bits & 0xffff_ff00),
            Self::V6(upper) => NetworkKey::V6(upper & 0xffff_ffff_ffff_0000),
        }
    }

    /// The /16 or /32 around this client.
    pub fn region(self) -> RegionKey {
        self.network().region()
    }
}

impl NetworkKey {
    /// The first address of this network.
    pub fn address(self) -> IpAddr {
        match self {
            Self::V4(bits) => Ipv4Addr::from_bits(bits).into(),
            Self::V6(upper) => lower_zero(upper).into(),
        }
    }

    /// The /16 or /32 around this network.
    pub fn region(self) -> RegionKey {
        match self {
            Self::V4(bits) => RegionKey::V4(bits & 0xffff_0000),
            Self::V6(upper) => RegionKey::V6(upper & 0xffff_ffff_0000_0000),
        }
    }

    /// The first and the last client of this network.
    pub(in crate::gate) fn clients(self) -> (ClientKey, ClientKey) {
        match self {
            Self::V4(bits) => (ClientKey::V4(bits), ClientKey::V4(bits | 0xff)),
            Self::V6(upper) => (ClientKey::V6(upper), ClientKey::V6(upper | 0xffff)),
        }
    }

    /// This network as one word: a /48 leaves 16 bits free, and the lowest tells the families apart.
    pub(in crate::gate) fn code(self) -> u64 {
        match self {
            Self::V4(bits) => (u64::from(bits) << 16) | 1,
            Self::V6(upper) => upper,
        }
    }

    /// The network of such a word; none if no network has it.
    pub(in crate::gate) fn of_code(code: u64) -> Option<Self> {
        match (code & 0xffff, code >> 16) {
            (0, _) => Some(Self::V6(code)),
            (1, bits) if bits & 0xff == 0 => u32::try_from(bits).ok().map(Self::V4),
            _ => None,
        }
    }
}

impl From<IpAddr> for ClientKey {
    fn from(address: IpAddr) -> Self {
        Self::new(address)
    }
}

impl RegionKey {
    /// This region as one word: that of its first network.
    pub(in crate::gate) fn code(self) -> u64 {
        match self {
            Self::V4(bits) => NetworkKey::V4(bits).code(),
            Self::V6(upper) => NetworkKey::V6(upper).code(),
        }
    }

    /// The region of such a word; none if no region has it.
    pub(in crate::gate) fn of_code(code: u64) -> Option<Self> {
        let region = NetworkKey::of_code(code)?.region();
        (region.code() == code).then_some(region)
    }
}

/// `203.0.0.0/16`, or `2001:db8::/32`.
impl fmt::Display for RegionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(bits) => write!(f, "{}/16", NetworkKey::V4(*bits).address()),
            Self::V6(upper) => write!(f, "{}/32", NetworkKey::V6(*upper).address()),
        }
    }
}

/// `203.0.113.7`, or `2001:db8:1:2::/64`.
impl fmt::Display for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(_) => write!(f, "{}", self.address()),
            Self::V6(_) => write!(f, "{}/64", self.address()),
        }
    }
}

/// `203.0.113.0/24`, or `2001:db8:1::/48`.
impl fmt::Display for NetworkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(_) => write!(f, "{}/24", self.address()),
            Self::V6(_) => write!(f, "{}/48", self.address()),
        }
    }
}

/// Why a text names no client or network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no {1}")]
pub struct KeyFault(String, &'static str);

/// Reads an address, or an address with `/64` (IPv6) or `/32` (IPv4, `/128` if mapped) behind it.
impl FromStr for ClientKey {
    type Err = KeyFault;

    fn from_str(text: &str) -> Result<Self, KeyFault> {
        let fault = || KeyFault(text.to_owned(), "address: write 203.0.113.7 or 2001:db8::1");
        let (address, prefix) = split(text);
        let address: IpAddr = address.parse().map_err(|_| fault())?;
        match (address.to_canonical(), prefix) {
            (IpAddr::V4(_), Some("128")) if address.is_ipv6() => Ok(Self::new(address)),
            (IpAddr::V4(_), None | Some("32")) | (IpAddr::V6(_), None | Some("64" | "128")) => {
                Ok(Self::new(address))
            }
            _ => Err(fault()),
        }
    }
}

/// Reads an address, or an address with `/24` (IPv4, `/120` if mapped) or `/48` (IPv6) behind it.
impl FromStr for NetworkKey {
    type Err = KeyFault;

    fn from_str(text: &str) -> Result<Self, KeyFault> {
        let fault = || {
            KeyFault(
                text.to_owned(),
                "network: write 203.0.113.0/24 or 2001:db8:1::/48",
            )
        };
        let (address, prefix) = split(text);
        let address: IpAddr = address.parse().map_err(|_| fault())?;
        match (address.to_canonical(), prefix) {
            (IpAddr::V4(_), Some("120")) if address.is_ipv6() => {
                Ok(ClientKey::new(address).network())
            }
            (IpAddr::V4(_), None | Some("24")) | (IpAddr::V6(_), None | Some("48")) => {
                Ok(ClientKey::new(address).network())
            }
            _ => Err(fault()),
        }
    }
}

fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    }
}

fn upper_half(address: Ipv6Addr) -> u64 {
    (address.to_bits() >> 64) as u64
}

fn lower_zero(upper: u64) -> Ipv6Addr {
    Ipv6Addr::from_bits(u128::from(upper) << 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(text: &str) -> ClientKey {
        ClientKey::new(text.parse().unwrap())
    }

    #[test]
    fn a_mapped_address_is_the_ipv4_client() {
        assert_eq!(client("::ffff:203.0.113.7"), client("203.0.113.7"));
        assert_eq!(client("203.0.113.7").to_string(), "203.0.113.7");
    }

    #[test]
    fn a_mapped_network_is_the_ipv4_network() {
        let network = "::ffff:203.0.113.0/120".parse::<NetworkKey>().unwrap();
        assert_eq!(network.to_string(), "203.0.113.0/24");
        let one = "::ffff:203.0.113.7/128".parse::<ClientKey>().unwrap();
        assert_eq!(one, client("203.0.113.7"));
        for text in [
            "203.0.113.0/120",
            "::ffff:203.0.113.0/119",
            "2001:db8::/120",
        ] {
            assert!(text.parse::<NetworkKey>().is_err(), "{text}");
            assert!(text.parse::<ClientKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn one_slash_64_is_one_client_and_its_neighbour_another() {
        assert_eq!(client("2001:db8:1:2::9"), client("2001:db8:1:2:ffff::1"));
        assert_ne!(client("2001:db8:1:2::9"), client("2001:db8:1:3::9"));
        assert_eq!(client("2001:db8:1:2::9").to_string(), "2001:db8:1:2::/64");
    }

    #[test]
    fn networks_and_regions_have_the_documented_sizes() {
        assert_eq!(
            client("203.0.113.7").network().to_string(),
            "203.0.113.0/24"
        );
        assert_eq!(
            client("2001:db8:1:2::9").network().to_string(),
            "2001:db8:1::/48"
        );
        assert_eq!(client("203.0.113.7").region(), client("203.0.9.9").region());
        assert_ne!(
            client("203.0.113.7").region(),
            client("203.1.113.7").region()
        );
        assert_eq!(
            client("2001:db8:1::").region(),
            client("2001:db8:ffff::").region()
        );
    }

    #[test]
    fn a_network_is_read_back_from_its_code() {
        for text in [
            "203.0.113.7",
            "0.0.0.0",
            "255.255.255.255",
            "2001:db8:1:2::9",
            "::1",
        ] {
            let network = client(text).network();
            assert_eq!(NetworkKey::of_code(network.code()), Some(network));
        }
        for code in [2, 0x1_0001, 0x100_0000_0000_0001] {
            assert_eq!(NetworkKey::of_code(code), None);
        }
    }

    #[test]
    fn what_is_printed_is_read_back() {
        for text in ["203.0.113.7", "2001:db8:1:2::/64"] {
            assert_eq!(text.parse::<ClientKey>().unwrap().to_string(), text);
        }
        for text in ["203.0.113.0/24", "2001:db8:1::/48"] {
            assert_eq!(text.parse::<NetworkKey>().unwrap().to_string(), text);
        }
        assert!("203.0.113.7/33".parse::<ClientKey>().is_err());
        assert!("mail.example".parse::<NetworkKey>().is_err());
    }
}
