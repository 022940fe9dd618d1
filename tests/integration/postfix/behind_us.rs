//! behind_us - the test's own Postfix and Dovecot do what the other tests rely on
//!
//! Spoken to without Gatepost, as Gatepost speaks to them.

use std::net::Ipv4Addr;
use std::process::Command;

use crate::kit::client::{Client, auth_plain};
use crate::kit::mail::{ANNA, Entry, Mail, PasswordCheck, User};
use crate::kit::program;

fn check(user: &str, right: bool) -> PasswordCheck {
    PasswordCheck {
        user: user.to_owned(),
        right,
    }
}

fn postfix(mail: &Mail, entry: Entry, header: &str) -> Client {
    let mut client = Client::connect(Ipv4Addr::LOCALHOST.into(), mail.address(entry)).unwrap();
    client.send(header.as_bytes());
    client
}

#[test]
fn a_mail_lies_in_the_queue_as_it_was_sent_and_dovecot_tells_who_logged_in() {
    let mail = Mail::start();
    let header = "PROXY TCP4 192.0.2.7 127.0.0.1 4567 465\r\n";
    let mut client = postfix(&mail, Entry::ProxyProtocol, header);
    client.greet();
    client.expect(&auth_plain(User(ANNA.0, "wrong")), 535);
    client.expect(&auth_plain(User("root", "toor")), 535);
    client.expect(&auth_plain(ANNA), 235);
    client.expect("MAIL FROM:<anna@example.org>", 250);
    client.expect("RCPT TO:<someone@example.net>", 250);
    client.expect("DATA", 354);
    client.expect("From: anna\r\nSubject: x\r\n\r\n..dot\r\nend\r\n.", 250);

    assert_eq!(mail.only_mail(), b"From: anna\nSubject: x\n\n.dot\nend\n");
    mail.logged(&[
        "client=unknown[192.0.2.7]:4567",
        "sasl_username=anna@example.org",
    ]);
    let checks = [(ANNA.0, false), ("root", false), (ANNA.0, true)];
    assert_eq!(
        mail.password_checks(),
        checks.map(|(user, right)| check(user, right))
    );
    assert_eq!(mail.smtpd_processes(), 1);
}

#[test]
fn postfix_and_dovecot_can_be_stopped_and_started_again() {
    let mut mail = Mail::start();
    mail.stop_postfix();
    assert!(Client::connect(Ipv4Addr::LOCALHOST.into(), mail.address(Entry::Plain)).is_err());
    mail.start_postfix();
    mail.stop_dovecot();
    mail.start_dovecot();
    let mut client = postfix(&mail, Entry::Plain, "");
    client.greet();
    client.expect(&auth_plain(ANNA), 235);
}

#[test]
fn a_dovecot_without_its_passwords_makes_postfix_say_535() {
    let mail = Mail::start();
    mail.break_passwords();
    let mut client = postfix(&mail, Entry::Plain, "");
    client.greet();
    client.expect(&auth_plain(ANNA), 535);
    mail.mend_passwords();
    client.expect(&auth_plain(ANNA), 235);
}

#[test]
fn the_entry_that_the_manual_gives_old_programs_serves_them() {
    let mail = Mail::start();
    let address = mail.address(Entry::OldPrograms).to_string();
    for (arguments, version) in [
        (["-tls1", "-cipher", "DEFAULT:@SECLEVEL=0"], "TLSv1"),
        (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA"], "TLSv1.2"),
    ] {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-ign_eof", "-crlf", "-connect", &address]);
        let ran = program::with_input(command.args(arguments), b"QUIT\n");
        let greeted = ran.text.contains("220 mail.example.org ESMTP");
        assert!(greeted, "{}{}", ran.text, mail.postfix_log());
        let negotiated = ran
            .text
            .lines()
            .find_map(|line| line.trim().strip_prefix("Protocol  : "));
        assert_eq!(negotiated, Some(version), "{}", ran.text);
    }
}
