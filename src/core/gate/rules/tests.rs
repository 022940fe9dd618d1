//! tests - lists, traps and the lengths of bans

use super::*;
use crate::gate::request::names::{Domain, NameSettings};
use crate::gate::request::settings::BanSettings;

fn rules(settings: &GateSettings) -> Rules {
    Rules::new(settings, &NameFolding::new(&settings.names), &KEYS)
}

const KEYS: Keys = Keys {
    users: [1; 16],
    passwords: [2; 16],
    table: [3; 16],
};

fn client(text: &str) -> ClientKey {
    text.parse().unwrap()
}

fn networks(list: &[&str]) -> Networks {
    let list: Vec<IpNet> = list.iter().map(|text| text.parse().unwrap()).collect();
    Networks::new(&list)
}

#[test]
fn clients_are_found_in_listed_networks() {
    let listed = networks(&["198.51.100.0/24", "203.0.113.7/32", "2001:db8::/32"]);
    for inside in ["198.51.100.9", "203.0.113.7", "2001:db8:9::1"] {
        assert!(listed.contains(client(inside)), "{inside}");
    }
    for outside in ["198.51.101.9", "203.0.113.8", "2001:db9::1"] {
        assert!(!listed.contains(client(outside)), "{outside}");
    }
    assert!(!networks(&[]).contains(client("198.51.100.9")));
}

#[test]
fn a_single_ipv6_address_counts_as_its_64_and_a_mapped_network_as_ipv4() {
    let listed = networks(&["2001:db8:1:2::9/128", "::ffff:198.51.100.0/120"]);
    assert!(listed.contains(client("2001:db8:1:2:ffff::1")));
    assert!(!listed.contains(client("2001:db8:1:3::9")));
    assert!(listed.contains(client("198.51.100.77")));
    assert!(!listed.contains(client("198.51.101.77")));
}

#[test]
fn bans_double_from_ten_minutes_to_one_hour() {
    let rules = rules(&GateSettings::default());
    let minutes: Vec<u64> = (1..=9)
        .map(|ban| rules.ban_length(ban).as_secs() / 60)
        .collect();
    assert_eq!(minutes, [10, 20, 40, 60, 60, 60, 60, 60, 60]);
    assert_eq!(rules.most_bans(), 4);
    assert_eq!(rules.ban_length(u8::MAX), Duration::from_secs(3_600));
}

#[test]
fn odd_ban_settings_are_harmless() {
    for (strikes, first, longest) in [(0, 0, 0), (1, 100, 10), (9999, 0, 86_400)] {
        let rules = rules(&GateSettings {
            bans: BanSettings {
                strikes,
                first: Duration::from_secs(first),
                longest: Duration::from_secs(longest),
            },
            ..GateSettings::default()
        });
        assert!(rules.ban_length(rules.most_bans()) <= Duration::from_secs(longest));
    }
}

#[test]
fn traps_are_whole_names_in_any_case() {
    let rules = rules(&GateSettings::default());
    let is_trap = |name: &str| {
        let name = UserName::new(name.as_bytes());
        rules.is_trap(KEYS.user(&NameFolding::default().fold(&name)))
    };
    assert!(is_trap("root") && is_trap("Oracle"));
    assert!(!is_trap("root@example.org") && !is_trap("rooted") && !is_trap(""));
    assert!(rules.is_trap_helo(b"YLMF-PC") && !rules.is_trap_helo(b"laptop"));
}

#[test]
fn a_trap_is_a_trap_under_every_name_of_it() {
    let settings = GateSettings {
        names: NameSettings {
            domain: Domain::Strip,
            master_separator: Some(b'*'),
            ..NameSettings::default()
        },
        ..GateSettings::default()
    };
    let (rules, folding) = (rules(&settings), NameFolding::new(&settings.names));
    let is_trap = |name: &str| {
        let name = UserName::new(name.as_bytes());
        rules.is_trap(KEYS.user(&folding.fold(&name)))
    };
    assert!(is_trap("root@example.org") && is_trap("anna*ROOT@a"));
    assert!(!is_trap("root*anna") && !is_trap("rooted@a"));
}
