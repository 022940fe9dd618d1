//! session_ends - what ends a session before its login, who is left alone, and what strangers may hold meanwhile
//!
//! Where a test waits for a deadline, every other deadline is longer than a client of the kit waits: a
//! session that does not end fails the test.
//! Not here: who is chosen to make room (`net::admission`), the end of the process (`session`).

use crate::kit::client::{Client, Reply, auth_plain, base64, loopback};
use crate::kit::impostor::{Conduct, Fault, Impostor};
use crate::kit::mail::{ANNA, User};
use crate::kit::proxy::{NAME, Proxy, Setup};
use crate::kit::wait;

/// In front of a Postfix that accepts everybody, with time for every line.
fn patient(impostor: &Impostor) -> Setup {
    Setup::new(&impostor.address().to_string())
        .with("upstream.announce", "none")
        .with(
            "mechanisms",
            vec![toml::Value::from("PLAIN"), "SCRAM-SHA-256".into()],
        )
        .with("timeouts.handshake", "5m")
        .with("timeouts.line", "10m")
        .with("timeouts.login", "10m")
}

/// Room for three strangers, and none of it taken.
fn small(impostor: &Impostor) -> Proxy {
    let proxy = patient(impostor).with("admission.sessions", 4).start();
    wait::until("those who asked whether it listens are gone", || {
        let status = proxy.setup.command(&["status", "--json"]);
        status.text.contains("\"sessions\": 0,")
    });
    proxy
}

fn stranger(proxy: &Proxy, host: u8) -> Client {
    let mut client = proxy.client(loopback(40, host));
    client.greet();
    client
}

#[track_caller]
fn told_to_go(client: &mut Client, why: &str) {
    let Reply { code, lines } = client.reply();
    assert_eq!(code, 421, "{lines:?}");
    assert!(lines[0].contains(why), "{lines:?}");
    assert_eq!(client.rest().expect("the end"), b"");
}

#[test]
fn an_idle_stranger_that_has_to_make_room_is_told_so_and_goes() {
    let impostor = Impostor::start(Conduct::Honest);
    let proxy = small(&impostor);
    let mut idle = stranger(&proxy, 1);
    let _others = [stranger(&proxy, 2), stranger(&proxy, 3)];
    let mut last = stranger(&proxy, 4);
    told_to_go(&mut idle, "too many connections");
    last.expect("NOOP", 250);
}

/// A client makes room for others that has sent no more than this.
fn makes_room_after(sent: impl Fn(&Proxy) -> Vec<u8>) {
    let impostor = Impostor::start(Conduct::Honest);
    let proxy = small(&impostor);
    let mut silent = Client::connect(loopback(40, 1), proxy.implicit()).unwrap();
    silent.send(&sent(&proxy));
    wait::until("it is inside", || {
        let status = proxy.setup.command(&["status", "--json"]);
        status.text.contains("\"sessions\": 1,")
    });
    let _others = [stranger(&proxy, 2), stranger(&proxy, 3)];
    let mut last = stranger(&proxy, 4);
    silent.rest().expect("the end");
    last.expect("NOOP", 250);
}

#[test]
fn a_client_that_never_begins_tls_makes_room_too() {
    makes_room_after(|_| Vec::new());
}

#[test]
fn a_client_that_stops_in_its_handshake_makes_room_too() {
    makes_room_after(|proxy| proxy.trust().client_hello(NAME)[..100].to_vec());
    makes_room_after(|proxy| proxy.trust().client_hello(NAME));
}

#[test]
fn who_says_nothing_behind_the_banner_is_told_so_at_the_deadline_of_a_line() {
    let impostor = Impostor::start(Conduct::Honest);
    let proxy = patient(&impostor).with("timeouts.line", "1s").start();
    let mut silent = Client::connect(loopback(40, 1), proxy.starttls()).unwrap();
    assert_eq!(silent.reply().code, 220);
    told_to_go(&mut silent, "timeout");
}

#[test]
fn who_has_logged_in_is_not_asked_to_make_room() {
    let impostor = Impostor::start(Conduct::Honest);
    let proxy = small(&impostor);
    // From a network of its own: its neighbours would be familiar, and have places of their own.
    let mut user = proxy.client(loopback(41, 1));
    user.greet();
    user.expect(&auth_plain(ANNA), 235);
    let mut idle = stranger(&proxy, 2);
    let _other = stranger(&proxy, 3);
    let mut last = stranger(&proxy, 4);
    // The user came first; the place is the oldest one's of those who have not logged in.
    told_to_go(&mut idle, "too many connections");
    last.expect("NOOP", 250);
    user.expect("NOOP", 250);
}

#[test]
fn a_login_that_takes_too_long_in_all_is_given_up() {
    let impostor = Impostor::start(Conduct::Honest);
    let proxy = patient(&impostor).with("timeouts.login", "1s").start();
    let mut client = Client::connect(loopback(40, 1), proxy.starttls()).unwrap();
    let said = String::from_utf8(client.rest().expect("the end")).unwrap();
    assert!(said.starts_with("220 "), "{said}");
    assert!(said.contains("\r\n421 4.4.2 "), "{said}");
}

/// `AUTH SCRAM-SHA-256` with its first message.
fn scram() -> String {
    format!("AUTH SCRAM-SHA-256 {}", base64("n,,n=anna,r=nonce"))
}

#[test]
fn a_client_that_thinks_too_long_in_an_exchange_holds_postfix_no_longer() {
    let impostor = Impostor::start(Conduct::Honest);
    let proxy = patient(&impostor).start();
    let mut client = stranger(&proxy, 1);
    client.expect(&scram(), 334);
    told_to_go(&mut client, "timeout");
}

#[test]
fn a_proof_that_was_sent_is_settled_though_its_client_hangs_up() {
    let impostor = Impostor::start(Conduct::Honest);
    let proxy = patient(&impostor).start();
    let mut client = stranger(&proxy, 1);
    client.expect(&scram(), 334);
    client.expect(&base64("c=biws,r=nonce,p=proof"), 334);
    drop(client);
    proxy.log().find("what came of the attempt", |event| {
        event.message() == "attempt" && event.field("verdict") == "accept"
    });
    let status = proxy.setup.command(&["status", "--json"]);
    assert!(
        status.text.contains("\"familiar_pairs\": 1,"),
        "{}",
        status.text
    );
}

/// One stranger at a time, with a client in a network of its own.
fn one_at_a_time(impostor: &Impostor) -> Proxy {
    patient(impostor)
        .with("upstream.strangers-at-once", 1)
        .with("timeouts.turn", "3s")
        .start()
}

fn from_network(proxy: &Proxy, net: u8) -> Client {
    let mut client = proxy.client(loopback(net, 1));
    client.greet();
    client
}

#[test]
fn strangers_that_think_hold_no_more_of_postfix_than_they_may() {
    let impostor = Impostor::start(Conduct::Honest);
    let proxy = one_at_a_time(&impostor);
    let mut thinks = from_network(&proxy, 42);
    thinks.expect(&scram(), 334);
    // The longest silent gives way, and is told so when it speaks.
    let mut next = from_network(&proxy, 43);
    next.expect(&scram(), 334);
    thinks.expect(&base64("c=biws,r=nonce,p=proof"), 454);
    let refused = proxy.log().find("the refusal", |event| {
        event.message() == "attempt" && event.field("verdict") == "refuse"
    });
    assert_eq!(refused.field("reason"), "turn");
    next.expect(&base64("c=biws,r=nonce,p=proof"), 334);
    next.expect("", 235);
}

#[test]
fn a_strangers_proof_is_checked_in_its_turn() {
    let impostor = Impostor::start(Conduct::Honest);
    let proxy = one_at_a_time(&impostor);
    let mut thinks = from_network(&proxy, 42);
    thinks.expect(&scram(), 334);
    impostor.conduct(Conduct::AtAuth(Fault::Silence));
    let mut occupies = from_network(&proxy, 43);
    occupies.send(format!("{}\r\n", auth_plain(ANNA)).as_bytes());
    wait::until("the other one is at Postfix", || impostor.logins() == 2);
    thinks.expect(&base64("c=biws,r=nonce,p=proof"), 454);
}

#[test]
fn a_wrong_password_is_answered_after_the_delay() {
    let impostor = Impostor::start(Conduct::Rejecting);
    let proxy = patient(&impostor)
        .with("timeouts.failure-delay", "1s")
        .start();
    let mut client = stranger(&proxy, 1);
    client.expect(&auth_plain(ANNA), 535);
    client.expect("QUIT", 221);
    let address = client.address().to_string();
    let end = proxy.log().find("the end of the session", |event| {
        event.message() == "session" && event.field("client") == address
    });
    let took: u64 = end.field("ms").parse().expect("a number");
    assert!(took >= 1_000, "{took} ms");
}

#[test]
fn each_auth_command_behind_a_refusal_is_counted_though_it_is_not_judged() {
    let impostor = Impostor::start(Conduct::Rejecting);
    let proxy = patient(&impostor).with("limits.client.burst", 1).start();
    let counted = |what: &str| proxy.status()["counters"][what].as_u64().expect("a count");
    // It has its banner before the other one's failure: behind it, it would be refused in its place.
    let mut client = stranger(&proxy, 1);
    stranger(&proxy, 1).expect(&auth_plain(User("eve", "first")), 535);
    let told = |client: &mut Client, word| client.say(&auth_plain(User("eve", word))).code;
    let refused: Vec<_> = ["a", "b", "c", "d", "e", "f"]
        .map(|word| told(&mut client, word))
        .into();
    assert_eq!(refused, [454, 454, 454, 454, 454, 421]);
    assert_eq!((counted("refused"), counted("unjudged")), (1, 5));
    assert_eq!(counted("attempts"), 2);
}
