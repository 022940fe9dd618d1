//! tests - the PROXY protocol against its specification, a second implementation, and random octets

use std::net::SocketAddr;

use proptest::prelude::*;
use proxy_header::{ParseConfig, ProxiedAddress, ProxyHeader};
use tokio::io::AsyncReadExt as _;

use super::*;

const HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01";

fn socket(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn client(source: &str, destination: &str) -> Announced {
    Announced::Client {
        source: socket(source),
        destination: socket(destination),
    }
}

/// Reads a header from the start of `octets`, and returns what is left in the stream.
fn read_from(octets: &[u8]) -> (Result<Announced, HeaderFault>, Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut stream = octets;
        let announced = read(&mut stream).await;
        let mut left = Vec::new();
        stream.read_to_end(&mut left).await.unwrap();
        (announced, left)
    })
}

#[track_caller]
fn accepts(header: &[u8], expected: Announced) {
    let (announced, left) = read_from(&[header, HELLO].concat());
    assert_eq!(announced.unwrap(), expected);
    assert_eq!(left, HELLO, "the ClientHello has to stay in the stream");
}

#[track_caller]
fn refuses(header: &[u8], fault: &str) {
    let told = read_from(header).0.unwrap_err().to_string();
    assert!(told.contains(fault), "{told}");
}

fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap().to_be_bytes();
    [&SIGNATURE[..], &[command, family], &length, block].concat()
}

const BLOCK4: [u8; 12] = [203, 0, 113, 7, 192, 0, 2, 1, 0xc8, 0x22, 0x01, 0xd1];

#[test]
fn both_versions_name_the_client_and_leave_what_follows() {
    let expected = client("203.0.113.7:51234", "192.0.2.1:465");
    accepts(b"PROXY TCP4 203.0.113.7 192.0.2.1 51234 465\r\n", expected);
    accepts(&v2(V2_PROXY, TCP4, &BLOCK4), expected);
    accepts(
        b"PROXY TCP6 2001:db8::7 2001:db8::1 1 0\r\n",
        client("[2001:db8::7]:1", "[2001:db8::1]:0"),
    );
}

#[test]
fn extensions_are_skipped_up_to_the_limit() {
    let block = [&BLOCK4[..], &vec![4; V2_LIMIT - 12]].concat();
    accepts(
        &v2(V2_PROXY, TCP4, &block),
        client("203.0.113.7:51234", "192.0.2.1:465"),
    );
    let block = vec![4; V2_LIMIT + 1];
    refuses(&v2(V2_PROXY, TCP4, &block), "4097 octets");
    refuses(&v2(V2_LOCAL, UNSPEC, &block), "4097 octets");
}

#[test]
fn a_header_without_addresses_is_local() {
    accepts(&v2(V2_LOCAL, UNSPEC, b""), Announced::Local);
    accepts(&v2(V2_LOCAL, TCP4, &BLOCK4), Announced::Local);
    accepts(&v2(V2_LOCAL, 0xff, b"xyz"), Announced::Local);
    accepts(&v2(V2_PROXY, UNSPEC, b"\x04\0\0"), Announced::Local);
    accepts(b"PROXY UNKNOWN\r\n", Announced::Local);
    accepts(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", Announced::Local);
}

#[test]
fn a_mapped_address_is_ipv4() {
    accepts(
        b"PROXY TCP6 ::ffff:203.0.113.7 ::1 9 465\r\n",
        client("203.0.113.7:9", "[::1]:465"),
    );
}

#[test]
fn other_protocols_and_unknown_commands_are_refused() {
    refuses(&v2(V2_PROXY, 0x12, &BLOCK4), "not TCP");
    refuses(&v2(V2_PROXY, 0x31, &[0; 216]), "not TCP");
    refuses(&v2(0x22, TCP4, &BLOCK4), "unknown version or command 0x22");
    refuses(&v2(0x11, TCP4, &BLOCK4), "unknown version or command 0x11");
    refuses(&v2(V2_PROXY, TCP4, &BLOCK4[..11]), "11 octets");
    refuses(&v2(V2_PROXY, TCP6, &BLOCK4), "12 octets");
    refuses(b"EHLO mail.example.org\r\n", "no PROXY header");
    refuses(
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00",
        "no PROXY header",
    );
}

#[test]
fn version_1_is_parsed_strictly() {
    for header in [
        "PROXY TCP4 203.0.113.7 192.0.2.1 51234 +465\r\n",
        "PROXY TCP4 203.0.113.7 192.0.2.1 51234 0465\r\n",
        "PROXY TCP4 203.0.113.7 192.0.2.1 51234 65536\r\n",
        "PROXY TCP4 203.0.113.7 192.0.2.1 51234 \r\n",
        "PROXY TCP4 203.0.113.7 192.0.2.1 51234\r\n",
        "PROXY TCP4 203.0.113.7 192.0.2.1 51234 465 \r\n",
        "PROXY TCP4  203.0.113.7 192.0.2.1 51234 465\r\n",
        "PROXY TCP4 2001:db8::7 192.0.2.1 51234 465\r\n",
        "PROXY TCP6 203.0.113.7 192.0.2.1 51234 465\r\n",
        "PROXY UDP4 203.0.113.7 192.0.2.1 51234 465\r\n",
        "PROXY tcp4 203.0.113.7 192.0.2.1 51234 465\r\n",
        "PROXY TCP4 203.0.113.07 192.0.2.1 51234 465\r\n",
        "PROXY TCP4 203.0.113.7 192.0.2.1 51234 465\n\r\n",
    ] {
        refuses(header.as_bytes(), "malformed");
    }
}

#[test]
fn version_1_ends_at_107_octets() {
    let padded = |total: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(total - 16));
    accepts(padded(106).as_bytes(), Announced::Local);
    accepts(padded(107).as_bytes(), Announced::Local);
    refuses(padded(108).as_bytes(), "malformed");
    refuses(&[b'P'; 500], "no PROXY header");
}

#[test]
fn a_truncated_header_is_refused() {
    let headers = [
        b"PROXY TCP4 203.0.113.7 192.0.2.1 51234 465\r\n".to_vec(),
        v2(V2_PROXY, TCP4, &[&BLOCK4[..], &[4, 0, 1, 0]].concat()),
    ];
    for header in headers {
        for end in 0..header.len() {
            let fault = read_from(&header[..end]).0.unwrap_err();
            assert!(matches!(fault, HeaderFault::Truncated(_)), "{end}: {fault}");
        }
    }
}

#[test]
fn a_probe_is_local_or_loopback() {
    let mut out = Vec::new();
    announce_probe(Version::V2, &mut out);
    assert_eq!(out, b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0");
    out.clear();
    announce_probe(Version::V1, &mut out);
    assert_eq!(out, b"PROXY TCP4 127.0.0.1 127.0.0.1 1 1\r\n");
}

#[test]
fn a_listener_of_the_other_family_keeps_its_port_only() {
    let mut out = Vec::new();
    announce(
        Version::V1,
        socket("203.0.113.7:9"),
        socket("[2001:db8::1]:465"),
        &mut out,
    );
    assert_eq!(out, b"PROXY TCP4 203.0.113.7 0.0.0.0 9 465\r\n");
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn pair() -> impl Strategy<Value = (SocketAddr, SocketAddr)> {
    prop_oneof![
        any::<([u8; 4], u16, [u8; 4], u16)>()
            .prop_map(|(s, p, d, q)| ((s, p).into(), (d, q).into())),
        any::<([u8; 16], u16, [u8; 16], u16)>().prop_map(|(s, p, d, q)| {
            ((Ipv6Addr::from(s), p).into(), (Ipv6Addr::from(d), q).into())
        }),
    ]
}

proptest! {
    #[test]
    fn what_is_rendered_is_read_back((source, destination) in pair()) {
        let (source, destination) = (canonical(source), canonical(destination));
        prop_assume!(source.is_ipv4() == destination.is_ipv4());
        for version in [Version::V1, Version::V2] {
            let mut header = Vec::new();
            announce(version, source, destination, &mut header);
            let (announced, left) = read_from(&[&header, HELLO].concat());
            prop_assert_eq!(announced.unwrap(), Announced::Client { source, destination });
            prop_assert_eq!(left, HELLO);
        }
    }

    #[test]
    fn another_implementation_reads_what_we_render((source, destination) in pair()) {
        let (source, destination) = (canonical(source), canonical(destination));
        prop_assume!(source.is_ipv4() == destination.is_ipv4());
        for version in [Version::V1, Version::V2] {
            let mut header = Vec::new();
            announce(version, source, destination, &mut header);
            let (theirs, length) = ProxyHeader::parse(&header, ParseConfig::default()).unwrap();
            prop_assert_eq!(length, header.len());
            let expected = ProxiedAddress::stream(source, destination);
            prop_assert_eq!(theirs.proxied_address(), Some(&expected));
        }
    }

    #[test]
    fn no_octets_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..64), kind in 0..3) {
        let opening: &[u8] = match kind {
            0 => b"",
            1 => b"PROXY ",
            _ => &SIGNATURE,
        };
        let _ = read_from(&[opening, &octets].concat());
    }
}
