//! names_by_reply - a list of names, sorted into real and invented ones by what is replied
//!
//! Not here: the replies' times (`names_by_time`), SCRAM's challenges (`broken_exchange`).

use crate::kit::client::{auth_plain, loopback};
use crate::kit::mail::{Mail, User, numbered};
use crate::kit::proxy::{Proxy, Setup};

/// A server on which the first eight of the many have logged in.
fn start(mail: &Mail) -> Proxy {
    let proxy = Setup::before(mail).start();
    for number in 0..8 {
        let (name, password) = numbered(number);
        let mut client = proxy.client(loopback(50, 1));
        client.greet();
        client.expect(&auth_plain(User(&name, &password)), 235);
    }
    proxy
}

/// One guess, from a network of its own; the whole reply but the session's id.
fn guess(proxy: &Proxy, network: u8, name: &str) -> String {
    let mut client = proxy.client(loopback(network, 7));
    client.greet();
    let reply = client.say(&auth_plain(User(
        name,
        &format!("Zwiebel{network}kuchenfest"),
    )));
    let text = reply.lines.join(" ");
    let text = text.split('(').next().unwrap_or_default();
    format!("{} {text}", reply.code)
}

#[test]
fn real_and_invented_names_get_one_reply() {
    let mail = Mail::start();
    let proxy = start(&mail);
    let invented = |number: u8| format!("someone{number}@example.org");
    let pair = |network: u8, number: u8| {
        let real = numbered(number.into()).0;
        let told = [
            guess(&proxy, network, &real),
            guess(&proxy, network + 100, &invented(number)),
        ];
        assert_eq!(told[0], told[1], "{real}");
        told[0].clone()
    };
    for number in 0..2 {
        assert!(pair(60 + number, number).starts_with("535"));
    }
    // What is left to invented names.
    for number in 0..25 {
        guess(&proxy, 200 + number, &invented(100 + number));
    }
    for number in 0..8 {
        assert!(pair(70 + number, number).starts_with("454"));
    }
    // A right password is accepted from far away all the same.
    let (name, password) = numbered(3);
    let mut client = proxy.client(loopback(99, 1));
    client.greet();
    client.expect(&auth_plain(User(&name, &password)), 235);
}
