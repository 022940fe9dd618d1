//! tests - every fault of a certificate file

use std::fs;
use std::time::Duration;

use rcgen::{KeyPair, date_time_ymd};

use super::{FileRole, TlsFault};
use crate::net::tls::Tls;
use crate::net::tls::tests::{Shelf, params};
use gatepost_core::moment::Moment;

/// 2027-01-15.
const NOW: Moment = Moment::from_seconds(1_800_000_000);

#[test]
fn names_and_expiry_are_read() {
    let mut shelf = Shelf::new();
    let mut params = params(&["MX.example.org", "*.example.org", "192.0.2.1"]);
    params.not_after = date_time_ymd(2027, 1, 25);
    shelf.add(params, &KeyPair::generate().unwrap());
    let certificates = shelf.load().certificates();
    let names: Vec<&str> = certificates[0].names.iter().map(|name| &**name).collect();
    assert_eq!(names, ["mx.example.org", "*.example.org"]);
    // 2027-01-15 08:00 to 2027-01-25 00:00.
    assert_eq!(certificates[0].days_left(NOW), 9);
    assert_eq!(
        certificates[0].days_left(NOW + Duration::from_secs(86_400 * 40)),
        0
    );
}

/// The result of `load` for one certificate with these two files.
#[track_caller]
fn fault(chain: &str, key: &str) -> (FileRole, String) {
    let mut shelf = Shelf::with(&[&["first.example.org"]]);
    shelf.add_files(chain, key);
    match Tls::load(&shelf.settings).unwrap_err() {
        TlsFault::File {
            certificate: 1,
            role,
            path,
            problem,
        } => {
            let files = &shelf.settings.certificates[1];
            let blamed = match role {
                FileRole::Chain => &files.chain,
                FileRole::Key => &files.key,
            };
            assert_eq!(&path, blamed);
            (role, problem.to_string())
        }
        other => panic!("{other}"),
    }
}

#[track_caller]
fn check(chain: &str, key: &str, role: FileRole, said: &str) {
    let (blamed, told) = fault(chain, key);
    assert_eq!(blamed, role, "{told}");
    assert!(told.contains(said), "{told}");
}

#[test]
fn each_fault_of_a_certificate_names_the_file_and_what_would_be_right() {
    let key = KeyPair::generate().unwrap();
    let other = KeyPair::generate().unwrap();
    let chain = params(&["mx.example.org"]).self_signed(&key).unwrap().pem();
    let of_other = params(&["ca.example.org"])
        .self_signed(&other)
        .unwrap()
        .pem();
    let key = key.serialize_pem();
    let other = other.serialize_pem();
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let (cut, _) = chain.split_at(chain.len() / 2);
    let no_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

    use FileRole::{Chain, Key};
    check(&chain, &other, Key, "renew both together");
    check(
        &format!("{of_other}{chain}"),
        &key,
        Chain,
        "position 2; the leaf must be first",
    );
    check(&chain, "", Key, "holds no private key");
    check(&chain, &encrypted, Key, "without one");
    check(&chain, &chain, Key, "exchanged");
    check(&key, &key, Chain, "exchanged");
    check("", &key, Chain, "holds no certificate");
    check("my cat's name\n", &key, Chain, "holds no certificate");
    check(cut, &key, Chain, "not a complete PEM file");
    check(no_der, &key, Chain, "holds an invalid certificate");
    check(&"#".repeat(1_048_577), &key, Chain, "longer than");
    let long_but_good = format!("{}\n{chain}", "#".repeat(1_048_575 - chain.len()));
    let mut shelf = Shelf::new();
    shelf.add_files(&long_but_good, &key);
    shelf.load();
}

#[test]
fn a_byte_order_mark_hides_no_block_and_is_told_where_it_stands_for_other_letters() {
    let key = KeyPair::generate().unwrap();
    let chain = params(&["mx.example.org"]).self_signed(&key).unwrap().pem();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chain.pem");
    let read = |mark: &[u8], text: &[u8]| {
        std::fs::write(&path, [mark, text].concat()).unwrap();
        let read = crate::net::tls::read_chain(&path);
        read.map(|chain| chain.len())
            .map_err(|fault| fault.to_string())
    };
    let twice: &[u8] = b"\xef\xbb\xbf\xef\xbb\xbf";
    for mark in [
        twice,
        b"\xef\xbb\xbf",
        b"\xef\xbb\xbf \t",
        b"\xef\xbb\xbf\r\n",
        b"\xff\xfe",
    ] {
        assert_eq!(read(mark, chain.as_bytes()), Ok(1), "{mark:?}");
    }
    let text = format!("subject=mx\n{chain}");
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for (mark, text) in [("", &little), ("", &big), ("\u{feff}", &little)] {
        let told = read(mark.as_bytes(), text).unwrap_err();
        assert!(told.contains("byte order mark"), "{told}");
    }
}

#[test]
fn a_wrong_date_is_told_to_the_second_and_is_no_fault() {
    let second = |at: u64| Moment::from_seconds(at);
    let mut shelf = Shelf::new();
    let mut params = params(&["mx.example.org"]);
    params.not_before = date_time_ymd(2027, 1, 15);
    params.not_after = date_time_ymd(2027, 1, 25);
    shelf.add(params, &KeyPair::generate().unwrap());
    let (first, last) = (1_799_971_200, 1_800_835_200);
    let certificates = Tls::load(&shelf.settings).unwrap().certificates();
    let problem = |now| certificates[0].date_problem(second(now));
    assert_eq!(problem(first), None);
    assert_eq!(problem(last), None);
    let early = problem(first - 86_400).unwrap().to_string();
    assert_eq!(early, "is not valid yet, for another 1 day");
    let late = problem(last + 86_400 * 3).unwrap().to_string();
    assert_eq!(late, "expired 3 days ago");
    assert!(problem(last + 1).is_some());
    assert!(problem(first - 1).is_some());
}

#[test]
fn a_missing_file_and_a_missing_certificate_are_refused() {
    let mut shelf = Shelf::with(&[&["mx.example.org"]]);
    fs::remove_file(&shelf.settings.certificates[0].key).unwrap();
    let told = Tls::load(&shelf.settings).unwrap_err().to_string();
    assert!(
        told.contains("key0.pem: does not exist; write the path"),
        "{told}"
    );
    shelf.settings.certificates.clear();
    let none = Tls::load(&shelf.settings).unwrap_err();
    assert!(matches!(none, TlsFault::NoCertificate));
}

#[test]
fn chain_and_key_may_stand_in_one_file() {
    let mut shelf = Shelf::new();
    let key = KeyPair::generate().unwrap();
    let chain = params(&["mx.example.org"]).self_signed(&key).unwrap().pem();
    let one = format!("{}{chain}", key.serialize_pem());
    shelf.add_files(&one, &one);
    shelf.load();
}
