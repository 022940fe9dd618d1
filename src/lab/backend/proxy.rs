//! proxy - the PROXY header that a connection begins with
//!
//! Reads the header's octets and not one more; what they mean is the crate `proxy-header`'s matter,
//! which the proxy's own rendering (`net::proxy_header`) has nothing to do with.
//! PROXY protocol 2.2, sections 2.1 and 2.2.

use std::io;
use std::net::{IpAddr, SocketAddr};

use proxy_header::{ParseConfig, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt as _};

const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const V2_FIXED: usize = 16;
const V1_LONGEST: usize = 107;

/// The announced client; `peer`'s own address where the header names no client (LOCAL, UNKNOWN).
///
/// # Errors
/// `InvalidData` where there is no header, or an error of the stream.
pub(super) async fn read<S>(stream: &mut S, peer: SocketAddr) -> io::Result<IpAddr>
where
    S: AsyncRead + Unpin,
{
    // No header of either version is shorter than its signature.
    let mut header = vec![0; V2_SIGNATURE.len()];
    stream.read_exact(&mut header).await?;
    if header == V2_SIGNATURE {
        read_v2(stream, &mut header).await?;
    } else if header.starts_with(b"PROXY ") {
        read_v1(stream, &mut header).await?;
    }
    match ProxyHeader::parse(&header, ParseConfig::default()) {
        Ok((parsed, length)) if length == header.len() => Ok(parsed
            .proxied_address()
            .map_or(peer.ip(), |addresses| addresses.source.ip())),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

async fn read_v2<S: AsyncRead + Unpin>(stream: &mut S, header: &mut Vec<u8>) -> io::Result<()> {
    let mut fixed = [0; V2_FIXED - V2_SIGNATURE.len()];
    stream.read_exact(&mut fixed).await?;
    let [_, _, high, low] = fixed;
    let mut rest = vec![0; usize::from(u16::from_be_bytes([high, low]))];
    stream.read_exact(&mut rest).await?;
    header.extend_from_slice(&fixed);
    header.append(&mut rest);
    Ok(())
}

async fn read_v1<S: AsyncRead + Unpin>(stream: &mut S, header: &mut Vec<u8>) -> io::Result<()> {
    while !header.ends_with(b"\r\n") && header.len() < V1_LONGEST {
        header.push(stream.read_u8().await?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The client that `octets` announce to a backend that `192.0.2.1` connects to, and what is left.
    async fn announced(mut octets: &[u8]) -> (Option<String>, &[u8]) {
        let peer = SocketAddr::from(([192, 0, 2, 1], 9));
        let client = read(&mut octets, peer).await.ok();
        (client.map(|client| client.to_string()), octets)
    }

    fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [V2_SIGNATURE, &[command, family], &length, body, b"EHLO"].concat()
    }

    #[tokio::test]
    async fn both_versions_announce_and_not_one_octet_more_is_read() {
        let line = b"PROXY TCP4 203.0.113.7 127.0.0.1 4711 465\r\nEHLO";
        assert_eq!(
            announced(line).await,
            (Some("203.0.113.7".into()), &b"EHLO"[..])
        );
        let body = [203, 0, 113, 7, 127, 0, 0, 1, 1, 2, 3, 4];
        let seen = v2(0x21, 0x11, &body);
        assert_eq!(
            announced(&seen).await,
            (Some("203.0.113.7".into()), &b"EHLO"[..])
        );
    }

    #[tokio::test]
    async fn a_header_without_a_client_means_the_peer() {
        for header in [v2(0x20, 0, b"1234567"), b"PROXY UNKNOWN\r\nEHLO".to_vec()] {
            let seen = announced(&header).await;
            assert_eq!(seen, (Some("192.0.2.1".into()), &b"EHLO"[..]));
        }
    }

    #[tokio::test]
    async fn anything_else_is_refused() {
        for octets in [
            b"EHLO laptop.example\r\n".to_vec(),
            b"PROXY TCP4 203.0.113.7".to_vec(),
            [b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat(),
            v2(0x31, 0x11, &[0; 12]),
            v2(0x21, 0x11, &[0; 3]),
        ] {
            assert_eq!(announced(&octets).await.0, None, "{octets:?}");
        }
    }
}
