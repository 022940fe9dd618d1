//! proxy_header - the PROXY protocol, versions 1 and 2: rendered and parsed
//!
//! Rendered for Postfix: the client ([`announce`]), or that a probe has none ([`announce_probe`]).
//! Parsed from a load balancer ([`read`]): the client. Reading stops at the last octet of the header, so
//! that the ClientHello after it stays in the socket.
//! Not here: which peers may announce a client (`listener`), the deadline (the caller's).
//! By hand: the crates we read accept `PROXYx` and port `+25` in version 1, and
//! refuse a LOCAL header with a short address block, which a receiver has to skip unread.
//! HAProxy's proxy-protocol.txt, sections 2.1 and 2.2.

use std::io;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The first octets of every version 2 header.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The longest version 1 header, with its CRLF, in octets.
const V1_LIMIT: usize = 107;
/// The shortest version 1 header: `PROXY UNKNOWN` and CRLF, in octets.
const V1_LEAST: usize = 15;
/// The longest address block of version 2 that is stored: two IPv6 addresses and ports, in octets.
const ADDRESSES: usize = 36;
/// The most octets that a version 2 header may announce. Addresses take 36 of
/// them; the rest are extensions (TLVs), for which balancers use a few hundred octets.
const V2_LIMIT: usize = 4096;

const V2_LOCAL: u8 = 0x20;
const V2_PROXY: u8 = 0x21;
const UNSPEC: u8 = 0x00;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;

/// A version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Text.
    V1,
    /// Binary.
    V2,
}

/// The endpoints in a header. IPv4-mapped IPv6 addresses become IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announced {
    /// A client that connected to the balancer.
    Client {
        /// The client's address and port.
        source: SocketAddr,
        /// The address that the client connected to.
        destination: SocketAddr,
    },
    /// The balancer itself, or a client without an address (LOCAL, UNSPEC, UNKNOWN): the socket's own
    /// endpoints are used.
    Local,
}

/// Why a header is refused.
#[derive(Debug, thiserror::Error)]
pub enum HeaderFault {
    /// The connection ended or failed within the header.
    #[error("the PROXY header is incomplete: {0}")]
    Truncated(#[from] io::Error),
    /// Neither signature.
    #[error("no PROXY header")]
    NoHeader,
    /// Version 1 that does not follow the specification, or is longer than 107 octets.
    #[error("malformed PROXY header of version 1")]
    Malformed,
    /// Version 2 with a version or command that is neither LOCAL nor PROXY.
    #[error("unknown version or command {0:#04x} in a PROXY header")]
    UnknownCommand(u8),
    /// Neither TCP over IPv4 nor TCP over IPv6.
    #[error("address family {0:#04x} in a PROXY header is not TCP")]
    NotTcp(u8),
    /// Version 2 with a length too short for its addresses, or above 4096 octets.
    #[error(
        "a PROXY header of version 2 with {0} octets of addresses and extensions: too few, or over 4096"
    )]
    Length(usize),
}

/// Appends the header that announces the client to Postfix.
///
/// `listener` is the address that the client connected to. A header has one address family, the client's:
/// a listener of the other family is announced as the unspecified address, with its port.
pub fn announce(version: Version, client: SocketAddr, listener: SocketAddr, out: &mut Vec<u8>) {
    let pair = EndpointPair::new(client, listener);
    match version {
        Version::V1 => pair.render_v1(out),
        Version::V2 => pair.render_v2(out),
    }
}

/// Appends the header of a connection without a client: LOCAL in version 2; in version 1,
/// where Postfix refuses UNKNOWN, loopback addresses.
pub fn announce_probe(version: Version, out: &mut Vec<u8>) {
    match version {
        Version::V1 => {
            let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
            EndpointPair::new(loopback, loopback).render_v1(out);
        }
        Version::V2 => {
            out.extend_from_slice(&SIGNATURE);
            out.extend_from_slice(&[V2_LOCAL, UNSPEC, 0, 0]);
        }
    }
}

/// Reads one header of either version, and no octet after it.
///
/// # Errors
/// [`HeaderFault`] for everything that is not a well-formed header for TCP. The stream is then
/// unusable. It has no deadline, and the future is not cancel-safe.
pub async fn read<R: AsyncRead + Unpin>(stream: &mut R) -> Result<Announced, HeaderFault> {
    let mut opening = [0; SIGNATURE.len()];
    stream.read_exact(&mut opening).await?;
    if opening == SIGNATURE {
        read_v2(stream).await
    } else if opening.starts_with(b"PROXY ") {
        read_v1(stream, &opening).await
    } else {
        Err(HeaderFault::NoHeader)
    }
}

async fn read_v2<R: AsyncRead + Unpin>(stream: &mut R) -> Result<Announced, HeaderFault> {
    let mut fixed = [0; 4];
    stream.read_exact(&mut fixed).await?;
    let [command, family, high, low] = fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    let addresses = match (command, family) {
        (V2_LOCAL, _) | (V2_PROXY, UNSPEC) => 0,
        (V2_PROXY, TCP4) => 12,
        (V2_PROXY, TCP6) => ADDRESSES,
        (V2_PROXY, other) => return Err(HeaderFault::NotTcp(other)),
        (other, _) => return Err(HeaderFault::UnknownCommand(other)),
    };
    if !(addresses..=V2_LIMIT).contains(&length) {
        return Err(HeaderFault::Length(length));
    }
    let mut block = [0; ADDRESSES];
    let (block, _) = block.split_at_mut(addresses);
    stream.read_exact(block).await?;
    skip(stream, length - addresses).await?;
    Ok(match addresses_v2(block) {
        Some((source, destination)) => Announced::Client {
            source,
            destination,
        },
        None => Announced::Local,
    })
}

/// The two endpoints of a version 2 address block of 12 or 36 octets; none for any other length.
fn addresses_v2(block: &[u8]) -> Option<(SocketAddr, SocketAddr)> {
    let (ips, ports) = block.split_at_checked(block.len().checked_sub(4)?)?;
    let (source, destination) = ips.split_at_checked(ips.len() / 2)?;
    let &[s1, s2, d1, d2] = ports else {
        return None;
    };
    Some((
        endpoint(source, u16::from_be_bytes([s1, s2]))?,
        endpoint(destination, u16::from_be_bytes([d1, d2]))?,
    ))
}

fn endpoint(ip: &[u8], port: u16) -> Option<SocketAddr> {
    let ip = if let Ok(v4) = <[u8; 4]>::try_from(ip) {
        IpAddr::from(v4)
    } else {
        IpAddr::from(<[u8; 16]>::try_from(ip).ok()?)
    };
    Some(SocketAddr::new(ip.to_canonical(), port))
}

async fn skip<R: AsyncRead + Unpin>(stream: &mut R, mut octets: usize) -> io::Result<()> {
    const PIECE: usize = 256;
    let mut scrap = [0; PIECE];
    while octets > 0 {
        let (part, _) = scrap.split_at_mut(octets.min(PIECE));
        stream.read_exact(part).await?;
        octets -= part.len();
    }
    Ok(())
}

async fn read_v1<R: AsyncRead + Unpin>(
    stream: &mut R,
    opening: &[u8],
) -> Result<Announced, HeaderFault> {
    let mut header = Vec::with_capacity(V1_LIMIT);
    header.extend_from_slice(opening);
    let mut wanted = V1_LEAST - opening.len();
    while wanted > 0 {
        if header.len() + wanted > V1_LIMIT {
            return Err(HeaderFault::Malformed);
        }
        let mut part = [0; 3];
        let (part, _) = part.split_at_mut(wanted);
        stream.read_exact(part).await?;
        header.extend_from_slice(part);
        // The header ends with CRLF: after a CR one more octet is expected, otherwise at least two.
        wanted = match header.as_slice() {
            [.., b'\r', b'\n'] => 0,
            [.., b'\n'] => return Err(HeaderFault::Malformed),
            [.., b'\r'] => 1,
            _ => 2,
        };
    }
    parse_v1(&header).ok_or(HeaderFault::Malformed)
}

fn parse_v1(header: &[u8]) -> Option<Announced> {
    let text = std::str::from_utf8(header).ok()?;
    let mut fields = text
        .strip_prefix("PROXY ")?
        .strip_suffix("\r\n")?
        .split(' ');
    let parse: fn(&str) -> Option<IpAddr> = match fields.next()? {
        "UNKNOWN" => return Some(Announced::Local),
        "TCP4" => |ip| Some(ip.parse::<Ipv4Addr>().ok()?.into()),
        "TCP6" => |ip| Some(ip.parse::<Ipv6Addr>().ok()?.to_canonical()),
        _ => return None,
    };
    let (source, destination) = (parse(fields.next()?)?, parse(fields.next()?)?);
    let (source_port, destination_port) = (port(fields.next()?)?, port(fields.next()?)?);
    fields.next().is_none().then_some(Announced::Client {
        source: SocketAddr::new(source, source_port),
        destination: SocketAddr::new(destination, destination_port),
    })
}

/// A decimal port without sign or leading zeros.
fn port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|octet| octet.is_ascii_digit());
    let leads_with_zero = text.len() > 1 && text.starts_with('0');
    (plain && !leads_with_zero).then(|| text.parse().ok())?
}

/// Two endpoints of one family.
enum EndpointPair {
    V4([Ipv4Addr; 2], [u16; 2]),
    V6([Ipv6Addr; 2], [u16; 2]),
}

impl EndpointPair {
    fn new(client: SocketAddr, listener: SocketAddr) -> Self {
        let ports = [client.port(), listener.port()];
        match (client.ip().to_canonical(), listener.ip().to_canonical()) {
            (IpAddr::V4(client), IpAddr::V4(listener)) => Self::V4([client, listener], ports),
            (IpAddr::V6(client), IpAddr::V6(listener)) => Self::V6([client, listener], ports),
            (IpAddr::V4(client), IpAddr::V6(_)) => Self::V4([client, Ipv4Addr::UNSPECIFIED], ports),
            (IpAddr::V6(client), IpAddr::V4(_)) => Self::V6([client, Ipv6Addr::UNSPECIFIED], ports),
        }
    }

    fn render_v1(&self, out: &mut Vec<u8>) {
        // Writing into a `Vec` cannot fail.
        let _ = match self {
            Self::V4([client, listener], [from, to]) => {
                write!(out, "PROXY TCP4 {client} {listener} {from} {to}\r\n")
            }
            Self::V6([client, listener], [from, to]) => {
                write!(out, "PROXY TCP6 {client} {listener} {from} {to}\r\n")
            }
        };
    }

    fn render_v2(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&SIGNATURE);
        let ports = match self {
            Self::V4(ips, ports) => {
                out.extend_from_slice(&[V2_PROXY, TCP4, 0, 12]);
                ips.iter()
                    .for_each(|ip| out.extend_from_slice(&ip.octets()));
                ports
            }
            Self::V6(ips, ports) => {
                out.extend_from_slice(&[V2_PROXY, TCP6, 0, 36]);
                ips.iter()
                    .for_each(|ip| out.extend_from_slice(&ip.octets()));
                ports
            }
        };
        ports
            .iter()
            .for_each(|port| out.extend_from_slice(&port.to_be_bytes()));
    }
}

#[cfg(test)]
mod tests;
