//! session_handshakes - handshakes that fail, as the real openssl makes them: counted, told and warned of by cause
//!
//! Not here: what each fault is called (`net::tls`), the alert to a browser (`session_tls`).

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use crate::kit::client::{auth_plain, loopback};
use crate::kit::mail::{ANNA, Mail};
use crate::kit::program;
use crate::kit::proxy::{NAME, Proxy, Setup};

/// The handshakes that failed, by cause. Not those of the test's own looks whether anybody listens.
fn failed(proxy: &Proxy) -> BTreeMap<String, u64> {
    let status = proxy.status();
    let by_cause = status["handshakes_failed"].as_object().expect("by cause");
    by_cause
        .iter()
        .filter_map(|(cause, count)| Some((cause.clone(), count.as_u64()?)))
        .filter(|(cause, count)| *count > 0 && cause != "nothing-sent")
        .collect()
}

/// What `openssl s_client` prints after a try from 127.70.0.`last`.
fn openssl(proxy: &Proxy, last: u8, arguments: &[&str]) -> String {
    let address = format!("127.0.0.1:{}", proxy.implicit().port());
    let source = format!("127.70.0.{last}:0");
    let mut command = Command::new("openssl");
    command.args([
        "s_client",
        "-connect",
        &address,
        "-bind",
        &source,
        "-servername",
        NAME,
    ]);
    command.args(arguments);
    program::with_input(&mut command, b"QUIT\r\n").text
}

/// Lets OpenSSL 3 offer what is old.
const OLD: &str = "DEFAULT:@SECLEVEL=0";

/// The cause that is counted, what openssl is asked for, what it says, and what we tell. `ROOT` stands for the authority's file.
type Case = (
    &'static str,
    &'static [&'static str],
    &'static str,
    &'static str,
);

#[rustfmt::skip]
const CASES: [Case; 8] = [
        (
            "version",
            &["-tls1", "-cipher", OLD],
            "alert number 70",
            "offers TLS 1.0 at most",
        ),
        (
            "version",
            &["-tls1_1", "-cipher", OLD],
            "alert number 70",
            "offers TLS 1.1 at most",
        ),
        (
            "cipher-suite",
            &["-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384"],
            "alert number 40",
            "an RSA certificate beside the other one would help",
        ),
        (
            "cipher-suite",
            &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA"],
            "alert number 40",
            "offers TLS 1.2, and no cipher suite in common",
        ),
        (
            "group",
            &["-groups", "P-521"],
            "alert number 40",
            "no group in common",
        ),
        (
            "unknown-ca",
            &["-verify_return_error"],
            "verify error",
            "does not know who signed",
        ),
        (
            "bad-certificate",
            &[
                "-verify_return_error",
                "-CAfile",
                "ROOT",
                "-verify_hostname",
                "other.example.org",
            ],
            "verify error",
            "refuses our certificate",
        ),
        (
            "signature",
            &["-tls1_3", "-sigalgs", "RSA-PSS+SHA256"],
            "alert number 40",
            "an RSA certificate beside the other one would help",
        ),
    ];

#[test]
fn each_failure_of_a_real_client_has_its_cause_its_alert_and_its_line() {
    let setup = Setup::new("127.0.0.1:9");
    let root = setup.authority().write_root(setup.folder());
    let root = root.display().to_string();
    let proxy = setup.start();
    let mut expected = BTreeMap::new();
    for (number, (cause, arguments, said, told)) in (1..).zip(CASES) {
        let arguments: Vec<_> = arguments
            .iter()
            .map(|one| if *one == "ROOT" { root.as_str() } else { one })
            .collect();
        let printed = openssl(&proxy, number, &arguments);
        assert!(printed.contains(said), "{arguments:?}: {printed}");
        let client = format!("127.70.0.{number}:");
        let line = proxy.log().find(cause, |event| {
            event.message() == "handshake failed" && event.field("client").starts_with(&client)
        });
        assert_eq!(line.level(), "INFO", "{}", line.text());
        assert_eq!(line.field("cause"), cause, "{}", line.text());
        assert!(line.field("fault").contains(told), "{}", line.text());
        *expected.entry(cause.to_owned()).or_insert(0) += 1;
    }
    assert_eq!(failed(&proxy), expected);
}

#[test]
fn a_client_that_finds_an_expired_certificate_is_counted_as_that() {
    let setup = Setup::new("127.0.0.1:9");
    let root = setup.authority().write_root(setup.folder());
    let expired = setup.authority().sign_expired(&[NAME]);
    setup.write("chain.pem", &expired.chain);
    setup.write("key.pem", &expired.key);
    let proxy = setup.start();
    let root = root.display().to_string();
    openssl(&proxy, 1, &["-verify_return_error", "-CAfile", &root]);
    proxy.log().find("the cause", |event| {
        event.field("cause") == "certificate-expired"
    });
    assert_eq!(
        failed(&proxy),
        BTreeMap::from([("certificate-expired".to_owned(), 1)])
    );
    let status = proxy.setup.command(&["status"]).text;
    let shown = status.lines().find(|line| line.starts_with("certificate"));
    let shown = shown.expect("a line about the certificate");
    assert!(
        shown.contains(NAME) && shown.contains("EXPIRED"),
        "{status}"
    );
    assert!(
        status.contains("no TLS      certificate-expired"),
        "{status}"
    );
}

/// Sends octets in place of a handshake, and reads to the end. The answer.
fn say(proxy: &Proxy, octets: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(proxy.implicit()).unwrap();
    stream.write_all(octets).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("closed, not reset");
    answer
}

#[test]
fn plain_text_and_a_client_hello_without_end_get_an_alert_and_no_reset() {
    let proxy = Setup::new("127.0.0.1:9").start();
    let long_plain = [b"EHLO laptop\r\n".to_vec(), vec![b'x'; 30_000]].concat();
    assert_eq!(say(&proxy, &long_plain), [21, 3, 3, 0, 2, 2, 10]);
    let record = [
        &[22, 3, 1, 0x40, 0][..],
        &[1, 0, 0xff, 0xff, 3, 3],
        &[0; 16_378],
    ]
    .concat();
    assert_eq!(say(&proxy, &record.repeat(2)), [21, 3, 3, 0, 2, 2, 47]);
    let expected = [("plain-text", 1), ("other", 1)];
    assert_eq!(
        failed(&proxy),
        expected
            .map(|(cause, count)| (cause.to_owned(), count))
            .into()
    );
}

#[test]
fn a_scanner_has_one_line() {
    let proxy = Setup::new("127.0.0.1:9").start();
    for _ in 0..20 {
        say(&proxy, b"GET / HTTP/1.1\r\n\r\n");
    }
    let counts = failed(&proxy);
    assert_eq!(counts.get("plain-text"), Some(&20), "{counts:?}");
    let lines =
        proxy.logged(|event| event.message() == "handshake failed" && event.level() == "INFO");
    assert_eq!(lines.len(), 1, "{lines:?}");
    let explained = proxy.setup.command(&["explain", "127.0.0.1"]).text;
    assert!(
        explained.contains("last fault  handshake-plain-text"),
        "{explained}"
    );
}

#[test]
fn a_connection_alone_has_no_line() {
    let proxy = Setup::new("127.0.0.1:9").start();
    drop(TcpStream::connect(proxy.implicit()).unwrap());
    let line = proxy.log().find("the session's end", |event| {
        event.message() == "handshake failed"
    });
    assert_eq!(line.field("cause"), "nothing-sent");
    assert_eq!(line.level(), "DEBUG");
}

#[test]
fn a_failure_in_a_network_of_users_is_warned_of_once_with_the_count() {
    let mail = Mail::start();
    let mut proxy = Setup::before(&mail).start();
    let mut client = proxy.client(loopback(70, 1));
    client.greet();
    client.expect(&auth_plain(ANNA), 235);
    for _ in 0..3 {
        openssl(&proxy, 9, &["-tls1", "-cipher", OLD]);
    }
    say(&proxy, b"EHLO a stranger\r\n");
    proxy.terminate();
    proxy.ends_well();
    let warnings = proxy
        .log()
        .events(|event| event.message() == "own users without tls");
    let [warning] = warnings.as_slice() else {
        panic!("{warnings:?}");
    };
    assert_eq!(warning.level(), "WARN");
    assert_eq!(warning.field("causes"), "version=3");
    assert!(
        warning
            .field("last")
            .contains("127.70.0.9: offers TLS 1.0 at most"),
        "{}",
        warning.text()
    );
}
