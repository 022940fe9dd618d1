//! tests - the program, run by a small interpreter, against a plain set

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

/// Runs a program on a packet that begins with its network header: how much of it is kept.
fn run(program: &[Instruction], packet: &[u8]) -> u32 {
    let mut accumulator = 0u32;
    let mut at = 0;
    loop {
        let Instruction { code, jt, jf, k } = program[at];
        let offset = || (k - NETWORK_HEADER) as usize;
        let skip = |condition| usize::from(if condition { jt } else { jf });
        at += 1;
        match code {
            LOAD_WORD => {
                let word = packet[offset()..][..4].try_into().unwrap();
                accumulator = u32::from_be_bytes(word);
            }
            LOAD_OCTET => accumulator = u32::from(packet[offset()]),
            SHIFT_RIGHT => accumulator >>= k,
            JUMP => at += k as usize,
            JUMP_IF_EQUAL => at += skip(accumulator == k),
            JUMP_IF_AT_LEAST => at += skip(accumulator >= k),
            RETURN => return k,
            other => panic!("{other:#x}"),
        }
    }
}

fn packet_from(source: IpAddr) -> Vec<u8> {
    let mut packet = vec![0xee; 60];
    match source {
        IpAddr::V4(v4) => {
            packet[0] = 0x45;
            packet[12..16].copy_from_slice(&v4.octets());
        }
        IpAddr::V6(v6) => {
            packet[0] = 0x6e;
            packet[8..24].copy_from_slice(&v6.octets());
        }
    }
    packet
}

#[track_caller]
fn check(program: &[Instruction], banned: &HashSet<ClientKey>, source: IpAddr) {
    let kept = run(program, &packet_from(source));
    let expected = match banned.contains(&ClientKey::new(source)) {
        true => 0,
        false => u32::MAX,
    };
    assert_eq!(kept, expected, "{source}");
}

/// Addresses that lie close together, so that hits and near misses are frequent.
fn addresses() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        (0u32..300).prop_map(|low| Ipv4Addr::from_bits(0xcb00_7100 + low * 3).into()),
        any::<u32>().prop_map(|bits| Ipv4Addr::from_bits(bits).into()),
        (0u128..4, 0u128..40, any::<u64>()).prop_map(|(upper, lower, host)| {
            let prefix = (0x2001_0db8 + upper) << 96 | lower << 64;
            Ipv6Addr::from_bits(prefix | u128::from(host)).into()
        }),
        any::<u128>().prop_map(|bits| Ipv6Addr::from_bits(bits).into()),
    ]
}

proptest! {
    #[test]
    fn exactly_the_banned_are_dropped(
        banned in proptest::collection::vec(addresses(), 0..1_000),
        others in proptest::collection::vec(addresses(), 0..200),
    ) {
        let clients: Vec<ClientKey> = banned
            .iter()
            .map(|address| ClientKey::new(*address))
            // ::ffff:0:0/96 never arrives in an IPv6 header; its key is IPv4.
            .collect();
        let set: HashSet<ClientKey> = clients.iter().copied().collect();
        let dual = build(&clients, Family::V6);
        let v4_only = build(&clients, Family::V4);
        for source in banned.iter().chain(&others) {
            check(&dual, &set, *source);
            if source.is_ipv4() {
                check(&v4_only, &set, *source);
            }
        }
    }
}

#[test]
fn every_client_and_its_neighbours_are_found_at_every_size() {
    for count in [0, 1, 2, LINEAR, LINEAR + 1, 255, 256, 257, 3_000] {
        let v4: Vec<u32> = (0..count as u32).map(|n| 0x0a00_0000 + 2 * n).collect();
        let banned: HashSet<ClientKey> = v4.iter().map(|bits| ClientKey::V4(*bits)).collect();
        let program = build(&banned.iter().copied().collect::<Vec<_>>(), Family::V6);
        for bits in 0x09ff_ffff..0x0a00_0000 + 2 * count as u32 + 2 {
            check(&program, &banned, Ipv4Addr::from_bits(bits).into());
        }
    }
}

#[test]
fn a_client_costs_the_documented_number_of_instructions() {
    let v4: Vec<ClientKey> = (0..3_000).map(|n| ClientKey::V4(n * 77)).collect();
    assert!(build(&v4, Family::V4).len() < LONGEST);
    let v6: Vec<ClientKey> = (0..500).map(|n| ClientKey::V6(n << 40)).collect();
    assert!(build(&v6, Family::V6).len() < LONGEST);
}

#[test]
fn an_ipv6_address_with_the_words_of_a_banned_ipv4_address_passes() {
    let banned: HashSet<ClientKey> = [ClientKey::V4(0x2001_0db8)].into();
    let program = build(&[ClientKey::V4(0x2001_0db8)], Family::V6);
    let alike = Ipv6Addr::from_bits(0x2001_0db8_2001_0db8 << 64);
    check(&program, &banned, alike.into());
    check(&program, &banned, Ipv4Addr::from_bits(0x2001_0db8).into());
}

#[test]
fn the_first_clients_of_the_list_fill_the_longest_program() {
    let v6: Vec<ClientKey> = (0..3_000).rev().map(|n| ClientKey::V6(n << 32)).collect();
    let fitting = fitting(&v6);
    assert_eq!(fitting, &v6[..fitting.len()]);
    let length = build(fitting, Family::V6).len();
    assert!((LONGEST * 9 / 10..=LONGEST).contains(&length), "{length}");
}
