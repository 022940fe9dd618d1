//! announcement - Postfix learns who the client is, by each means that it knows
//!
//! Its log is what an administrator reads, so its log is what is checked.

use std::net::{IpAddr, Ipv6Addr};

use crate::kit::client::{Client, auth_plain, loopback};
use crate::kit::mail::{ANNA, Entry, Mail};
use crate::kit::proxy::{NAME, Proxy, Setup};

use super::handover::nobody_can_log_in;

const TEXT: &str = "From: <anna@example.org>\r\nSubject: x\r\n\r\nhello\r\n";

fn submit(mut client: Client) -> String {
    client.greet();
    client.expect(&auth_plain(ANNA), 235);
    client.submit(ANNA.0, TEXT);
    client.expect("QUIT", 221);
    client.address().port().to_string()
}

#[track_caller]
fn postfix_sees_the_client(mail: &Mail, setup: Setup) {
    let proxy = setup.start();
    let port = submit(proxy.client(loopback(12, 1)));
    let line = mail.logged(&[": client=", "sasl_username=anna@example.org"]);
    assert!(line.contains(&format!("[127.12.0.1]:{port},")), "{line}");
    // The name that the client gave stands in the header, as if there were no proxy.
    assert!(
        mail.received()
            .starts_with("Received: from laptop.example.net (")
    );
    assert!(mail.received().contains("[127.12.0.1]"));
    assert_eq!(mail.only_mail(), TEXT.replace('\r', "").as_bytes());
}

#[test]
fn proxy_protocol_version_two_tells_postfix_the_client() {
    let mail = Mail::start();
    let setup = Setup::before(&mail).with("upstream.announce", "proxy-v2");
    postfix_sees_the_client(&mail, setup);
}

#[test]
fn proxy_protocol_version_one_tells_postfix_the_client() {
    let mail = Mail::start();
    let setup = Setup::before(&mail).with("upstream.announce", "proxy-v1");
    postfix_sees_the_client(&mail, setup);
}

#[test]
fn xclient_tells_postfix_the_client() {
    let mail = Mail::start();
    let setup = Setup::new(&mail.address(Entry::Xclient).to_string());
    postfix_sees_the_client(&mail, setup.with("upstream.announce", "xclient"));
}

#[test]
fn a_unix_socket_leads_to_postfix_too() {
    let mail = Mail::start();
    let setup = Setup::new(&format!("unix:{}", mail.socket().display()));
    postfix_sees_the_client(&mail, setup);
}

#[test]
fn without_an_announcement_postfix_sees_the_proxy_and_still_the_user() {
    let mail = Mail::start();
    let setup = Setup::new(&mail.address(Entry::Plain).to_string());
    let proxy = setup.with("upstream.announce", "none").start();
    submit(proxy.client(loopback(12, 1)));
    let line = mail.logged(&[": client=", "sasl_username=anna@example.org"]);
    assert!(line.contains("[127.0.0.1]:"), "{line}");
}

#[test]
fn postfix_refusing_xclient_gets_no_password() {
    let mail = Mail::start();
    let setup = Setup::new(&mail.address(Entry::Plain).to_string());
    let proxy = setup.with("upstream.announce", "xclient").start();
    nobody_can_log_in(&mail, &proxy);
}

#[test]
fn an_ipv6_client_is_told_as_one() {
    for announce in ["proxy-v2", "proxy-v1", "xclient"] {
        let mail = Mail::start();
        let entry = match announce {
            "xclient" => Entry::Xclient,
            _ => Entry::ProxyProtocol,
        };
        let setup = Setup::new(&mail.address(entry).to_string());
        let proxy = setup.with("upstream.announce", announce).start();
        let port = submit(ipv6_client(&proxy));
        let line = mail.logged(&[": client=", "sasl_username=anna@example.org"]);
        assert!(
            line.contains(&format!("[::1]:{port},")),
            "{announce}: {line}"
        );
    }
}

fn ipv6_client(proxy: &Proxy) -> Client {
    let local = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let server = (local, proxy.implicit().port()).into();
    let mut client = Client::connect(local, server).unwrap();
    client.secure(&proxy.trust(), NAME).unwrap();
    client
}
