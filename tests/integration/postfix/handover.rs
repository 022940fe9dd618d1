//! handover - what crosses from Gatepost to Postfix at login, and what a logged-in client may try
//!
//! Not here: every split of the octets (beside `session`), what mail programs do (`delivery`).

use crate::kit::client::{Client, auth_plain, loopback};
use crate::kit::mail::{ANNA, BERT, Entry, Mail, User};
use crate::kit::proxy::{Proxy, Setup};

const TEXT: &str = "From: <anna@example.org>\r\nSubject: x\r\n\r\nhello\r\n";

fn logged_in(proxy: &Proxy) -> Client {
    let mut client = proxy.client(loopback(13, 1));
    client.greet();
    client.expect(&auth_plain(ANNA), 235);
    client
}

/// The mail goes out as Anna's, from the client's own address.
#[track_caller]
fn still_anna(mail: &Mail, mut client: Client) {
    client.submit(ANNA.0, TEXT);
    client.expect("QUIT", 221);
    let port = client.address().port();
    let line = mail.logged(&[": client=", "sasl_username="]);
    let us = format!("[127.13.0.1]:{port}, sasl_method=PLAIN, sasl_username=anna@example.org");
    assert!(line.contains(&us), "{line}");
}

#[test]
fn what_is_pipelined_behind_a_login_reaches_postfix_in_order() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let mut client = proxy.client(loopback(13, 1));
    client.greet();
    let group = format!(
        "{}\r\nMAIL FROM:<{}>\r\nRCPT TO:<someone@example.net>\r\nDATA\r\n",
        auth_plain(ANNA),
        ANNA.0
    );
    client.send(group.as_bytes());
    let codes: Vec<u16> = (0..4).map(|_| client.reply().code).collect();
    assert_eq!(codes, [235, 250, 250, 354]);
    client.expect(&format!("{TEXT}."), 250);
    assert_eq!(mail.only_mail(), TEXT.replace('\r', "").as_bytes());
}

#[test]
fn a_login_may_come_octet_by_octet() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let mut client = proxy.client(loopback(13, 1));
    client.greet();
    for octet in format!("{}\r\n", auth_plain(ANNA)).bytes() {
        client.send(&[octet]);
    }
    assert_eq!(client.reply().code, 235);
    still_anna(&mail, client);
}

#[test]
fn chunks_of_bdat_lie_in_the_queue_byte_for_byte() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let mut client = logged_in(&proxy);
    client.expect("MAIL FROM:<anna@example.org>", 250);
    client.expect("RCPT TO:<someone@example.net>", 250);
    // Dots are not doubled in chunks, and a chunk may end in the middle of a line end.
    let text = "From: <anna@example.org>\r\nSubject: x\r\n\r\n.\r\n..dots\r\nQUIT\r\nend\r\n";
    for split in [text.len() / 3, text.find("\r\n\r\n").unwrap() + 1] {
        let (first, last) = text.split_at(split);
        client.send(format!("BDAT {}\r\n{first}", first.len()).as_bytes());
        assert_eq!(client.reply().code, 250);
        client.send(format!("BDAT {} LAST\r\n{last}", last.len()).as_bytes());
        assert_eq!(client.reply().code, 250);
        let queue = mail.queue();
        assert!(
            queue
                .iter()
                .all(|name| mail.mail(name) == text.replace('\r', "").as_bytes())
        );
        client.expect("MAIL FROM:<anna@example.org>", 250);
        client.expect("RCPT TO:<someone@example.net>", 250);
    }
    assert_eq!(mail.queue().len(), 2);
}

#[test]
fn a_client_that_stops_sending_still_reads_the_last_replies() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let mut client = logged_in(&proxy);
    let group = "MAIL FROM:<anna@example.org>\r\nRCPT TO:<someone@example.net>\r\nRSET\r\nQUIT\r\n";
    client.send(group.as_bytes());
    client.finish_sending();
    let rest = String::from_utf8(client.rest().unwrap()).unwrap();
    let codes: Vec<&str> = rest.lines().map(|line| &line[..3]).collect();
    assert_eq!(codes, ["250", "250", "250", "221"], "{rest}");
}

#[test]
fn a_second_login_through_the_splice_gains_nothing() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let mut client = logged_in(&proxy);
    assert_eq!(client.say(&auth_plain(BERT)).code, 503);
    assert_eq!(
        client
            .say(&auth_plain(User("carla@example.org", "guess")))
            .code,
        503
    );
    assert_eq!(mail.password_checks().len(), 1);
    still_anna(&mail, client);
}

#[test]
fn xclient_through_the_splice_gains_nothing() {
    for (entry, announce) in [
        (Entry::ProxyProtocol, "proxy-v2"),
        (Entry::ProxyProtocol, "proxy-v1"),
        (Entry::Xclient, "xclient"),
    ] {
        let mail = Mail::start();
        let setup = Setup::new(&mail.address(entry).to_string());
        let proxy = setup.with("upstream.announce", announce).start();
        let mut client = logged_in(&proxy);
        let reply = client.say("XCLIENT ADDR=192.0.2.9 LOGIN=bert@example.org");
        assert!((500..600).contains(&reply.code), "{announce}: {reply:?}");
        still_anna(&mail, client);
    }
}

#[test]
fn starttls_through_the_splice_gains_nothing() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let mut client = logged_in(&proxy);
    let reply = client.say("STARTTLS");
    assert!((500..600).contains(&reply.code), "{reply:?}");
    still_anna(&mail, client);
}

/// Clients are told that there is nobody to log in to, and no password comes to Dovecot.
#[track_caller]
pub(super) fn nobody_can_log_in(mail: &Mail, proxy: &Proxy) {
    let mut client = proxy.client(loopback(13, 1));
    client.reply();
    let greeted = client.say("EHLO laptop");
    assert_eq!(greeted.code, 421, "{greeted:?}");
    assert!(client.try_say(&auth_plain(ANNA)).is_err());
    assert_eq!(mail.password_checks(), []);
}

#[test]
fn a_postfix_that_offers_starttls_gets_no_session_and_the_log_says_what_to_change() {
    let mail = Mail::start();
    let setup = Setup::new(&mail.address(Entry::StartTls).to_string());
    let proxy = setup.start();
    nobody_can_log_in(&mail, &proxy);
    proxy.log().find("what to change", |event| {
        let loud = ["WARN", "ERROR"].contains(&event.level().as_str());
        loud && event.text().contains("smtpd_tls_security_level")
    });
}
