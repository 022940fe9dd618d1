//! session_balancer - a load balancer speaks for its clients with the PROXY protocol
//!
//! The announced client is judged and told to Postfix, never the balancer; a peer that is not listed as
//! a balancer is not listened to. Not here: every form of the header (`net::proxy_header`).

use crate::kit::balancer::BehindBalancer;
use crate::kit::client::{Client, auth_plain, loopback};
use crate::kit::mail::{ANNA, Mail, User};
use crate::kit::proxy::Setup;
use crate::kit::wait;

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

struct Balanced {
    gatepost: BehindBalancer,
    mail: Mail,
}

fn balanced(change: fn(Setup) -> Setup) -> Balanced {
    let mail = Mail::start();
    let gatepost = BehindBalancer::start(change(Setup::before(&mail)));
    Balanced { gatepost, mail }
}

impl Balanced {
    fn client(&self, host: u8, header: &[u8]) -> std::io::Result<Client> {
        self.gatepost.connect(loopback(21, host), header)
    }

    /// Postfix and our own log both tell `client`.
    #[track_caller]
    fn tells(&self, header: &[u8], client: &str) {
        let mut session = self.client(1, header).expect("a balancer is let in");
        session.greet();
        session.expect(&auth_plain(ANNA), 235);
        session.submit(ANNA.0, "Subject: x\r\n\r\nhello\r\n");
        self.mail
            .logged(&[&format!("client=unknown{client}"), "sasl_username="]);
        self.gatepost.proxy.log().find(client, |event| {
            let told = event.field("client").replace(['[', ']'], "");
            event.message() == "attempt" && told == client.replace(['[', ']'], "")
        });
    }
}

/// A version 2 header: command nibble, family, addresses and ports.
fn version_two(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
    let length = u16::try_from(addresses.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[0x20 | command, family], &length, addresses].concat()
}

fn ipv6_addresses(source: &str) -> Vec<u8> {
    let source: std::net::Ipv6Addr = source.parse().unwrap();
    let ports = [4567_u16.to_be_bytes(), 465_u16.to_be_bytes()].concat();
    [&source.octets()[..], &[0; 16], &ports].concat()
}

#[test]
fn version_one_names_the_client() {
    let balanced = balanced(|setup| setup);
    let header = b"PROXY TCP4 203.0.113.5 192.0.2.1 4567 465\r\n";
    balanced.tells(header, "[203.0.113.5]:4567");
    let header = b"PROXY TCP6 2001:db8::5 2001:db8::1 4567 465\r\n";
    balanced.tells(header, "[2001:db8::5]:4567");
}

#[test]
fn version_two_names_the_client() {
    let balanced = balanced(|setup| setup);
    let ipv4 = [203, 0, 113, 6, 192, 0, 2, 1, 0x11, 0xd7, 1, 0xd1];
    balanced.tells(&version_two(1, 0x11, &ipv4), "[203.0.113.6]:4567");
    let ipv6 = ipv6_addresses("2001:db8::6");
    balanced.tells(&version_two(1, 0x21, &ipv6), "[2001:db8::6]:4567");
}

#[test]
fn a_mapped_address_is_the_ipv4_address_that_it_stands_for() {
    let balanced = balanced(|setup| setup);
    let mapped = ipv6_addresses("::ffff:203.0.113.7");
    balanced.tells(&version_two(1, 0x21, &mapped), "[203.0.113.7]:4567");
}

#[test]
fn the_announced_client_is_judged_and_not_the_balancer() {
    let balanced = balanced(|setup| setup.with("limits.client.burst", 1));
    let guess = |host: u8, password: &str| {
        let header = format!("PROXY TCP4 203.0.113.{host} 192.0.2.1 4567 465\r\n");
        let mut client = balanced.client(1, header.as_bytes()).unwrap();
        client.try_log_in(User(ANNA.0, password)).unwrap().code
    };
    assert_eq!(guess(5, "Wrong1Password"), 535);
    assert_eq!(guess(5, "Other2Password"), 421);
    assert_eq!(guess(6, "Third3Password"), 535);
    assert_eq!(guess(7, ANNA.1), 235);
}

#[test]
fn the_health_check_of_a_balancer_is_served_as_the_balancer() {
    let balanced = balanced(|setup| setup);
    let mut check = balanced.client(1, &version_two(0, 0, b"")).unwrap();
    check.greet();
    check.expect("QUIT", 221);
}

#[test]
fn who_is_no_balancer_cannot_speak_for_a_client() {
    let balanced = balanced(|setup| setup);
    let header = b"PROXY TCP4 203.0.113.5 192.0.2.1 4567 465\r\n";
    assert!(balanced.client(2, header).is_err());
    assert!(!balanced.gatepost.proxy.log().text().contains("203.0.113.5"));
}

#[test]
fn a_balancer_that_announces_nobody_is_not_served() {
    let balanced = balanced(|setup| setup.with("timeouts.handshake", "1s"));
    assert!(balanced.client(1, b"").is_err());
}

#[test]
fn a_silent_balancer_is_not_waited_for_once_the_end_has_begun() {
    let mut balanced = balanced(|setup| {
        setup
            .with("timeouts.handshake", "5m")
            .with("timeouts.drain", "10m")
    });
    let session = balanced.gatepost.session(loopback(22, 1), ANNA);
    let mut silent = balanced.gatepost.silent();
    assert!(silent.is_open());
    balanced.gatepost.proxy.terminate();
    wait::until("the silent one is closed", || !silent.is_open());
    drop(session);
    balanced.gatepost.proxy.ends_well();
}
