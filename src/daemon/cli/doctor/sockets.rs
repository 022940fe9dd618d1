//! sockets - which TCP addresses somebody listens at on this machine
//!
//! As the kernel lists them, for every process. Not here: who listens. proc(5), /proc/net/tcp.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// TCP_LISTEN in the kernel.
const LISTEN: &str = "0A";

/// Every address that is listened at; none where the kernel does not tell.
pub(super) fn listening() -> Vec<SocketAddr> {
    let read = |name| fs::read_to_string(name).unwrap_or_default();
    let (v4, v6) = (read("/proc/net/tcp"), read("/proc/net/tcp6"));
    v4.lines().chain(v6.lines()).filter_map(listener).collect()
}

/// The local address in a line, if somebody listens there.
fn listener(line: &str) -> Option<SocketAddr> {
    let mut fields = line.split_ascii_whitespace();
    let (local, state) = (fields.nth(1)?, fields.nth(1)?);
    let (address, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let ip: IpAddr = match address.len() {
        8 => Ipv4Addr::from(word(address)?).into(),
        32 => {
            let mut octets = [0; 16];
            for (place, hex) in octets.chunks_mut(4).zip(0..4) {
                place.copy_from_slice(&word(address.get(hex * 8..hex * 8 + 8)?)?);
            }
            Ipv6Addr::from(octets).into()
        }
        _ => return None,
    };
    (state == LISTEN).then_some(SocketAddr::new(ip, port))
}

/// Four octets of an address, which the kernel prints as a number of this machine.
fn word(hex: &str) -> Option<[u8; 4]> {
    u32::from_str_radix(hex, 16).ok().map(u32::to_ne_bytes)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_listener_is_found_in_either_family() {
        for address in ["127.0.0.1:0", "[::1]:0", "[::]:0", "0.0.0.0:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let address = listener.local_addr().unwrap();
            assert!(listening().contains(&address), "{address}");
            drop(listener);
            assert!(!listening().contains(&address), "{address}");
        }
    }
}
