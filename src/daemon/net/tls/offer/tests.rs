//! tests - what ClientHellos offer, and what would help

use rustls::crypto::aws_lc_rs::{ALL_CIPHER_SUITES, ALL_KX_GROUPS};
use rustls::{NamedGroup, SupportedCipherSuite};

use super::*;

#[test]
fn every_suite_that_is_served_is_known_here() {
    for suite in ALL_CIPHER_SUITES {
        let mut offer = ClientOffer::default();
        offer.add_suite(suite.suite().into());
        let expected = match suite {
            SupportedCipherSuite::Tls13(_) => offer.tls13_suites,
            SupportedCipherSuite::Tls12(_) if format!("{suite:?}").contains("ECDSA") => {
                offer.ecdsa_suites
            }
            SupportedCipherSuite::Tls12(_) => offer.rsa_suites,
        };
        assert!(expected, "{suite:?}");
    }
    let groups: Vec<_> = ALL_KX_GROUPS.iter().map(|group| group.name()).collect();
    for told in [
        NamedGroup::X25519,
        NamedGroup::secp256r1,
        NamedGroup::secp384r1,
    ] {
        assert!(groups.contains(&told), "{told:?}");
    }
}

fn hello(legacy: u16, suites: &[u16], extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let list = |numbers: &[u16]| -> Vec<u8> {
        numbers
            .iter()
            .flat_map(|number| number.to_be_bytes())
            .collect()
    };
    let counted = |octets: Vec<u8>| [&list(&[octets.len() as u16])[..], &octets].concat();
    let extensions = extensions
        .iter()
        .flat_map(|(kind, content)| [list(&[*kind]), counted(content.clone())].concat());
    let body = [
        list(&[legacy]),
        vec![0; 32],
        vec![0],
        counted(list(suites)),
        vec![1, 0],
        counted(extensions.collect()),
    ]
    .concat();
    let [_, high, middle, low] = (body.len() as u32).to_be_bytes();
    [vec![1, high, middle, low], body].concat()
}

#[test]
fn the_highest_version_is_read_from_where_the_client_says_it() {
    let versions = |numbers: &[u16]| {
        let octets: Vec<u8> = numbers.iter().flat_map(|n| n.to_be_bytes()).collect();
        (43, [&[octets.len() as u8][..], &octets].concat())
    };
    let read = |legacy, extensions: &[(u16, Vec<u8>)]| {
        ClientOffer::read(&hello(legacy, &[0x2f], extensions))
            .unwrap()
            .version()
    };
    assert_eq!(read(0x0300, &[]), OfferedVersion::Ssl3);
    assert_eq!(read(0x0301, &[]), OfferedVersion::Tls10);
    assert_eq!(read(0x0302, &[]), OfferedVersion::Tls11);
    assert_eq!(read(0x0303, &[]), OfferedVersion::Tls12);
    assert_eq!(read(0x0304, &[]), OfferedVersion::Tls12);
    assert_eq!(
        read(0x0303, &[versions(&[0x0302, 0x0301])]),
        OfferedVersion::Tls11
    );
    // GREASE, and a version of the future.
    let many = versions(&[0x7a7a, 0x0305, 0x0304, 0x0303]);
    assert_eq!(read(0x0303, &[many]), OfferedVersion::Tls13);
    assert_eq!(
        read(0x0303, &[versions(&[0x7a7a])]),
        OfferedVersion::Unknown
    );
}

#[test]
fn a_cure_is_told_only_where_it_would_help() {
    let offer = |suites, schemes: &[u8]| {
        let schemes = (13, [&[0, schemes.len() as u8][..], schemes].concat());
        ClientOffer::read(&hello(0x0303, suites, &[schemes])).unwrap()
    };
    let rsa = KeyKinds::of([SignatureAlgorithm::RSA]);
    let ecdsa = KeyKinds::of([SignatureAlgorithm::ECDSA]);
    let why = PeerIncompatible::NoCipherSuitesInCommon;
    let both_signatures = [4, 3, 4, 1];
    // GCM with ECDSA, and CBC with RSA: Windows 8.1.
    let windows = offer(&[0xc02c, 0xc02b, 0xc014, 0xc013, 0x2f], &both_signatures);
    let cured = |offer: ClientOffer, keys| match offer.lack(&why, keys) {
        Lack::Suite(OfferedVersion::Tls12, cure) => cure,
        other => panic!("{other}"),
    };
    assert_eq!(cured(windows, rsa), Cure::EcCertificate);
    assert_eq!(cured(windows, ecdsa), Cure::NewerProgram);
    assert_eq!(
        cured(offer(&[0xc02f], &both_signatures), ecdsa),
        Cure::RsaCertificate
    );
    assert_eq!(cured(offer(&[0xc02c], &[4, 1]), rsa), Cure::NewerProgram);
    assert_eq!(
        cured(offer(&[0x2f, 0xc013], &both_signatures), rsa),
        Cure::NewerProgram
    );
}

#[test]
fn what_is_cut_off_anywhere_offers_nothing_and_harms_nothing() {
    let whole = hello(0x0303, &[0xc02b], &[(13, vec![0, 2, 4, 3])]);
    assert!(ClientOffer::read(&whole).is_some());
    for end in 0..whole.len() {
        assert_eq!(ClientOffer::read(&whole[..end]), None, "{end}");
    }
}
