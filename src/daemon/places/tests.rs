//! tests - databases that are good, replaced, cut off, missing and hostile

use std::path::Path;

mod written;

use super::*;
use written::{Value, country, database, system};

fn client(text: &str) -> ClientKey {
    text.parse().unwrap()
}

fn german() -> Vec<u8> {
    database(&[
        ("198.51.100.0/24", country("DE")),
        ("203.0.113.0/25", country("at")),
        ("2001:db8::/32", country("FR")),
    ])
}

fn systems() -> Vec<u8> {
    database(&[("198.51.100.0/24", system(64_500, "Example Telekom"))])
}

/// Writes as an updater does: another file under the same name.
fn replace(path: &Path, octets: &[u8]) {
    let new = path.with_extension("new");
    std::fs::write(&new, octets).unwrap();
    std::fs::rename(&new, path).unwrap();
}

fn places(files: &[&Path]) -> Places {
    Places::new(&PlaceSettings {
        databases: files.iter().map(|path| path.to_path_buf()).collect(),
    })
}

fn is_in(places: &Places, address: &str) -> Option<String> {
    match places.country(client(address)) {
        Located::In(country) => Some(country.to_string()),
        Located::Unasked => Some("unasked".to_owned()),
        Located::Nowhere => None,
    }
}

#[test]
fn an_address_is_found_in_two_databases_and_shown_with_both() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("c.mmdb"), folder.path().join("a.mmdb"));
    std::fs::write(&one, german()).unwrap();
    std::fs::write(&two, systems()).unwrap();
    let places = places(&[&one, &two]);
    assert_eq!(
        is_in(&places, "198.51.100.9"),
        Some("unasked".to_owned()),
        "nothing is read"
    );
    let news = places.look();
    assert!(
        news.iter().all(|one| matches!(one, PlaceNews::Read(_))),
        "{news:?}"
    );
    assert_eq!(news.len(), 2);
    assert_eq!(places.look(), [], "nothing has changed");
    let found = places.find(client("198.51.100.9"));
    assert_eq!(found.to_string(), "DE, AS64500 Example Telekom");
    assert_eq!(places.find(client("203.0.113.127")).to_string(), "AT");
    assert_eq!(is_in(&places, "203.0.113.128"), None);
    assert_eq!(is_in(&places, "2001:db8:7:7::1"), Some("FR".to_owned()));
    assert_eq!(is_in(&places, "2001:db9::1"), None);
    assert_eq!(places.find(client("192.0.2.1")).shown(), None);
    let states = places.states();
    assert_eq!(
        states[0].in_use.as_deref(),
        Some("Test-Places of 2026-11-24, countries")
    );
}

#[test]
fn other_words_of_other_publishers_are_understood_and_other_types_say_nothing() {
    let text = |text: &str| Value::Text(text.to_owned());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let rows = [
        // IPinfo Lite.
        (
            "198.51.100.0/24",
            Value::Map(vec![
                ("asn", text("AS64501")),
                ("as_name", text("Fictional Net")),
                ("country", text("Germany")),
                ("country_code", text("DE")),
            ]),
        ),
        (
            "203.0.113.0/24",
            Value::Map(vec![("country_code", text("NL"))]),
        ),
        (
            "192.0.2.0/24",
            Value::Map(vec![
                ("country", Value::List(vec![text("DE")])),
                ("asn", Value::Map(vec![("number", Value::Number(1))])),
                ("as_name", Value::Number(7)),
            ]),
        ),
        ("10.0.0.0/8", text("no map")),
    ];
    std::fs::write(&path, database(&rows[..3])).unwrap();
    let places = places(&[&path]);
    places.look();
    let shown = |address| places.find(client(address)).to_string();
    assert_eq!(shown("198.51.100.1"), "DE, AS64501 Fictional Net");
    assert_eq!(shown("203.0.113.1"), "NL");
    assert_eq!(shown("192.0.2.1"), "unknown");
    replace(&path, &database(&rows));
    assert!(matches!(places.look()[..], [PlaceNews::Damaged(_)]));
}

#[test]
fn a_replaced_database_is_read_and_a_damaged_one_is_told_once_and_the_old_one_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    std::fs::write(&path, german()).unwrap();
    let places = places(&[&path]);
    places.look();
    replace(&path, &database(&[("198.51.100.0/24", country("CH"))]));
    assert!(matches!(places.look()[..], [PlaceNews::Read(_)]));
    assert_eq!(is_in(&places, "198.51.100.9"), Some("CH".to_owned()));
    // Cut off while somebody writes it, then further, then gone: one fault.
    let whole = german();
    replace(&path, &whole[..whole.len() / 2]);
    let told = places.look();
    let [PlaceNews::Damaged(state)] = &told[..] else {
        panic!("{told:?}");
    };
    assert!(state.in_use.is_some() && state.fault.is_some());
    replace(&path, &whole[..whole.len() - 3]);
    assert_eq!(places.look(), []);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(places.look(), []);
    assert_eq!(is_in(&places, "198.51.100.9"), Some("CH".to_owned()));
    assert!(
        places.states()[0]
            .fault
            .as_deref()
            .unwrap()
            .contains("no such file")
    );
    replace(&path, &whole);
    assert!(matches!(places.look()[..], [PlaceNews::Read(_)]));
    assert_eq!(is_in(&places, "198.51.100.9"), Some("DE".to_owned()));
    assert_eq!(places.states()[0].fault, None);
}

#[test]
fn a_database_that_is_absent_at_first_is_told_once_and_read_when_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let places = places(&[&path]);
    assert!(matches!(places.look()[..], [PlaceNews::Damaged(_)]));
    assert_eq!(places.look(), []);
    assert!(!places.has_countries());
    assert_eq!(is_in(&places, "198.51.100.9"), Some("unasked".to_owned()));
    std::fs::write(&path, german()).unwrap();
    assert!(matches!(places.look()[..], [PlaceNews::Read(_)]));
    assert!(places.has_countries());
}

#[test]
fn a_database_without_countries_asks_no_rule_by_country() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    std::fs::write(&path, systems()).unwrap();
    let places = places(&[&path]);
    places.look();
    assert!(!places.has_countries());
    assert_eq!(is_in(&places, "203.0.113.1"), Some("unasked".to_owned()));
    let none = database(&[("10.0.0.0/8", Value::Map(vec![("city", Value::Number(1))]))]);
    replace(&path, &none);
    let told = places.look();
    assert!(
        matches!(&told[..], [PlaceNews::Damaged(state)] if state.fault.as_deref().unwrap().contains("neither"))
    );
}

#[test]
fn a_hostile_name_is_short_and_harmless() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let hostile = format!("\"<script>\x1b[2J\r\n\u{202e}\\{}", "x".repeat(100_000));
    let rows = [("198.51.100.0/24", system(u32::MAX, &hostile))];
    std::fs::write(&path, database(&rows)).unwrap();
    let places = places(&[&path]);
    places.look();
    let shown = places.find(client("198.51.100.9")).to_string();
    assert_eq!(
        shown,
        "AS4294967295 '<script>?[2J????/xxxxxxxxxxxxxxxxxxxxxxx...".replace("????/", "???/")
    );
}

#[test]
fn other_paths_after_a_reload_keep_what_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("c"), folder.path().join("a"));
    std::fs::write(&one, german()).unwrap();
    std::fs::write(&two, systems()).unwrap();
    let places = places(&[&one]);
    places.look();
    std::fs::write(&one, b"damaged").unwrap();
    places.reconfigure(&PlaceSettings {
        databases: vec![two.clone(), one.clone()],
    });
    assert_eq!(is_in(&places, "198.51.100.9"), Some("DE".to_owned()));
    places.look();
    assert_eq!(
        places.find(client("198.51.100.9")).to_string(),
        "DE, AS64500 Example Telekom"
    );
    places.reconfigure(&PlaceSettings::default());
    assert_eq!(places.states(), []);
    assert_eq!(is_in(&places, "198.51.100.9"), Some("unasked".to_owned()));
}

proptest::proptest! {
    /// Whatever stands in the file: it is refused or used, and nothing panics.
    #[test]
    fn no_octets_end_the_process(at in 0..2_000_usize, octet in 0..=255_u8, cut in 0..2_000_usize) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let mut octets = german();
        let length = octets.len();
        octets[at % length] = octet;
        octets.truncate(length - cut % 64);
        std::fs::write(&path, &octets).unwrap();
        let places = places(&[&path]);
        places.look();
        for address in ["198.51.100.9", "203.0.113.1", "2001:db8::1", "::1", "255.255.255.255"] {
            let shown = places.find(client(address)).to_string();
            proptest::prop_assert!(shown.len() < 80);
        }
    }
}
