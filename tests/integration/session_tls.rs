//! session_tls - TLS as clients meet it, and what they may not do before login
//!
//! Not here: the dialogue as transcripts (beside `smtp::dialogue`), handshake deadlines (`net::tls`).

use std::io::{Read, Write};
use std::net::TcpStream;

use toml::toml;

use crate::kit::client::{Client, Trust, auth_plain, loopback};
use crate::kit::mail::{ANNA, Mail};
use crate::kit::proxy::{NAME, Setup};
use crate::kit::wait;

#[test]
fn a_client_that_thinks_we_are_a_web_server_gets_no_session() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let roots = proxy.setup.authority().roots();
    for protocols in [&["h2"][..], &["http/1.1"], &["h2", "http/1.1", "smtp"]] {
        let trust = Trust::with_alpn(roots.clone(), protocols);
        let mut client = Client::connect(loopback(22, 1), proxy.implicit()).unwrap();
        assert!(
            client
                .secure(&trust, NAME)
                .and_then(|()| client.try_reply())
                .is_err()
        );
    }
    // A client that offers something else is no confused browser.
    let trust = Trust::with_alpn(roots, &["smtp"]);
    let mut client = Client::connect(loopback(22, 1), proxy.implicit()).unwrap();
    client.secure(&trust, NAME).unwrap();
    client.greet();
}

#[test]
fn each_name_gets_its_own_certificate() {
    let mail = Mail::start();
    let mut setup = Setup::before(&mail);
    let other = setup.authority().sign(&["smtp.example.com"]);
    let first = setup.new_certificate();
    let chain = setup
        .write("other-chain.pem", &other.chain)
        .display()
        .to_string();
    let key = setup
        .write("other-key.pem", &other.key)
        .display()
        .to_string();
    let folder = setup.folder().display().to_string();
    let certificates = toml! {
        list = [
            { chain = (format!("{folder}/chain.pem")), key = (format!("{folder}/key.pem")) },
            { chain = chain, key = key },
        ]
    };
    setup.set("tls.certificate", certificates["list"].clone());
    let proxy = setup.start();
    for (name, expected) in [
        ("smtp.example.com", &other),
        (NAME, &first),
        ("localhost", &first),
    ] {
        let mut client = Client::connect(loopback(22, 2), proxy.implicit()).unwrap();
        client.secure(&proxy.trust(), name).unwrap();
        assert_eq!(client.certificate(), expected.der, "{name}");
    }
}

#[test]
fn no_password_is_taken_in_clear() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let mut client = Client::connect(loopback(22, 3), proxy.starttls()).unwrap();
    let offered = client.greet();
    assert!(
        offered.offers("STARTTLS") && !offered.offers("AUTH"),
        "{offered:?}"
    );
    assert_eq!(client.say(&auth_plain(ANNA)).code, 538);
    assert_eq!(mail.password_checks(), []);

    let mut client = proxy.starttls_client(loopback(22, 3));
    let offered = client.expect("EHLO laptop", 250);
    assert!(
        offered.offers("AUTH") && !offered.offers("STARTTLS"),
        "{offered:?}"
    );
    client.expect(&auth_plain(ANNA), 235);
}

#[test]
fn what_was_pipelined_in_clear_behind_starttls_is_never_obeyed() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let mut client = Client::connect(loopback(22, 4), proxy.starttls()).unwrap();
    client.greet();
    client.send(format!("STARTTLS\r\nEHLO evil\r\n{}\r\n", auth_plain(ANNA)).as_bytes());
    let reply = client.reply();
    if reply.code == 220 && client.secure(&proxy.trust(), NAME).is_ok() {
        // Had it been kept, the answers to the injected lines would come first.
        assert_eq!(client.say("NOOP").code, 250);
        assert_eq!(client.say("MAIL FROM:<anna@example.org>").code, 530);
    }
    assert_eq!(mail.password_checks(), []);
}

#[test]
fn every_keyword_of_postfix_is_passed_on_but_those_that_would_harm() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let offered = proxy.client(loopback(22, 5)).greet();
    for keyword in [
        "SIZE",
        "8BITMIME",
        "SMTPUTF8",
        "DSN",
        "CHUNKING",
        "PIPELINING",
        "AUTH",
    ] {
        assert!(offered.offers(keyword), "{keyword} is missing: {offered:?}");
    }
    assert!(
        offered.lines.iter().any(|line| line == "SIZE 67108864"),
        "{offered:?}"
    );
    for keyword in ["STARTTLS", "XCLIENT", "XFORWARD"] {
        assert!(
            !offered.offers(keyword),
            "{keyword} is offered: {offered:?}"
        );
    }
}

#[test]
fn mail_before_login_is_refused_and_costs_postfix_nothing() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let mut client = proxy.client(loopback(22, 6));
    client.greet();
    for line in [
        "MAIL FROM:<anna@example.org>",
        "RCPT TO:<a@example.net>",
        "DATA",
    ] {
        client.expect(line, 530);
    }
    assert!(!mail.postfix_log().contains("127.22.0.6"));
}

#[test]
fn a_silent_client_is_cut_off_before_and_after_the_handshake() {
    let mail = Mail::start();
    let setup = Setup::before(&mail)
        .with("timeouts.handshake", "1s")
        .with("timeouts.line", "1s");
    let proxy = setup.start();
    let mut silent = TcpStream::connect(proxy.implicit()).unwrap();
    silent.write_all(b"\x16\x03\x01").unwrap();
    silent.read_to_end(&mut Vec::new()).ok();

    let mut silent = wait::find("a handshake in time", || proxy.try_greeted(loopback(22, 9)));
    assert_eq!(silent.reply().code, 421);
    assert!(silent.try_reply().is_err());
}
