//! mechanisms - every way to prove a password, against Dovecot
//!
//! The exchanges are those of mail programs where one has the mechanism, and scripted where the form
//! matters. Not here: XOAUTH2 and OAUTHBEARER, whose tokens are no passwords (`beside`).

use std::thread;

use super::programs::{self, Job, Tls};
use crate::kit::client::{Client, auth_plain, base64, loopback};
use crate::kit::mail::{ANNA, Mail, PasswordCheck, User, numbered};
use crate::kit::program::Ran;
use crate::kit::proxy::{Proxy, Setup};

const TEXT: &str = "From: <anna@example.org>\nTo: <someone@example.net>\n\
    Date: Tue, 24 Nov 2026 04:30:00 +0000\nMessage-ID: <1@example.org>\nSubject: x\n\nhello\n";

fn all_mechanisms(mail: &Mail) -> Setup {
    let all = ["PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "CRAM-MD5"];
    Setup::before(mail).with("mechanisms", all.map(toml::Value::from).to_vec())
}

fn attempt(proxy: &Proxy, send: fn(&Job<'_>) -> Ran, mechanism: &str, user: User<'_>) -> Ran {
    send(&Job {
        proxy,
        tls: Tls::Implicit,
        mechanism,
        user,
        text: TEXT,
    })
}

/// A right password goes through, then a wrong one is a rejection.
#[track_caller]
fn right_and_wrong(send: fn(&Job<'_>) -> Ran, mechanism: &str) {
    let mail = Mail::start();
    let proxy = all_mechanisms(&mail).start();
    let ran = attempt(&proxy, send, mechanism, ANNA);
    assert!(ran.success, "{mechanism}: {}", ran.text);
    assert_eq!(mail.only_mail(), TEXT.as_bytes());
    mail.logged(&[
        &format!("sasl_method={mechanism}"),
        "sasl_username=anna@example.org",
    ]);

    let ran = attempt(&proxy, send, mechanism, User(ANNA.0, "Wrong1Password"));
    assert!(!ran.success, "{mechanism}: {}", ran.text);
    let rejected = proxy.log().find("the rejection", |event| {
        event.message() == "attempt" && event.field("verdict") == "reject"
    });
    assert_eq!(rejected.field("mechanism"), mechanism);
    assert_eq!(rejected.field("user"), ANNA.0);
}

#[test]
fn smtplib_proves_its_password_with_scram_sha_1() {
    right_and_wrong(programs::smtplib, "SCRAM-SHA-1");
}

#[test]
fn smtplib_proves_its_password_with_scram_sha_256() {
    right_and_wrong(programs::smtplib, "SCRAM-SHA-256");
}

#[test]
fn smtplib_proves_its_password_with_cram_md5() {
    right_and_wrong(programs::smtplib, "CRAM-MD5");
}

#[test]
fn msmtp_proves_its_password_with_scram_sha_256() {
    right_and_wrong(programs::msmtp, "SCRAM-SHA-256");
}

#[test]
fn swaks_proves_its_password_with_cram_md5() {
    right_and_wrong(programs::swaks, "CRAM-MD5");
}

#[test]
fn right_logins_by_scram_at_the_same_moment_from_one_new_network_all_get_in() {
    let mail = Mail::start();
    let proxy = all_mechanisms(&mail).with("settling", "0s").start();
    thread::scope(|scope| {
        let sent = [0, 1, 2, 3, 4, 5].map(|number| {
            let proxy = &proxy;
            scope.spawn(move || {
                let (name, password) = numbered(number);
                let user = User(&name, &password);
                attempt(proxy, programs::smtplib, "SCRAM-SHA-256", user)
            })
        });
        for sent in sent {
            let ran = sent.join().expect("it ran");
            assert!(ran.success, "{}", ran.text);
        }
    });
    let accepted = proxy
        .log()
        .events(|event| event.field("verdict") == "accept");
    assert_eq!(accepted.len(), 6);
}

/// Two clients of a network that begin an exchange and fall silent.
fn fall_silent(proxy: &Proxy, net: u8) -> [Client; 2] {
    [7, 8].map(|host| {
        let mut client = proxy.client(loopback(net, host));
        client.greet();
        client.expect("AUTH CRAM-MD5", 334);
        client
    })
}

#[test]
fn two_silent_clients_keep_nobody_of_their_network_out_of_cram_md5() {
    let mail = Mail::start();
    let proxy = all_mechanisms(&mail).with("settling", "0s").start();
    let mut silent = fall_silent(&proxy, 11);
    let ran = attempt(&proxy, programs::swaks, "CRAM-MD5", ANNA);
    assert!(ran.success, "{}", ran.text);
    // One of them has lost its place; what it says now is refused, and told as that.
    let answer = base64("anna@example.org 00112233445566778899aabbccddeeff");
    assert_eq!(silent[0].say(&answer).code, 454);
    let refused = proxy.log().find("the refusal", |event| {
        event.field("verdict") == "refuse" && event.field("mechanism") == "CRAM-MD5"
    });
    assert_eq!(refused.field("reason"), "turn");
}

#[test]
fn strangers_that_fall_silent_keep_no_familiar_network_waiting() {
    let mail = Mail::start();
    let proxy = all_mechanisms(&mail).with("settling", "0s").start();
    let ran = attempt(&proxy, programs::swaks, "CRAM-MD5", ANNA);
    assert!(ran.success, "{}", ran.text);
    let silent = [fall_silent(&proxy, 42), fall_silent(&proxy, 43)];
    let mut user = proxy.client(loopback(11, 9));
    user.greet();
    user.expect("AUTH CRAM-MD5", 334);
    user.expect("*", 501);
    // Otherwise it would have waited until one of them lost its place, which is told when that one answers.
    for mut client in silent.into_iter().flatten() {
        let _ = client.try_say(&base64("anna@example.org 00112233445566778899aabbccddeeff"));
    }
    let displaced = proxy.logged(|event| event.field("reason") == "turn");
    assert!(displaced.is_empty(), "{displaced:?}");
}

#[test]
fn mechanisms_that_hide_the_password_are_offered_only_when_asked_for() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let offered = proxy.client(loopback(14, 1)).greet().lines.join("\n");
    assert!(offered.contains("AUTH PLAIN LOGIN"), "{offered}");
    assert!(
        !offered.contains("SCRAM") && !offered.contains("CRAM-MD5"),
        "{offered}"
    );
}

#[test]
fn plain_and_login_come_in_all_their_forms() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let (name, password) = (base64(ANNA.0), base64(ANNA.1));
    let plain = base64(format!("\0{}\0{}", ANNA.0, ANNA.1));
    let with_authzid = base64(format!("{0}\0{0}\0{1}", ANNA.0, ANNA.1));
    let forms: [&[&str]; 5] = [
        &["AUTH PLAIN", &plain],
        &["auth plain", &with_authzid],
        &["AUTH LOGIN", &name, &password],
        &[&format!("AUTH LOGIN {name}"), &password],
        &[&format!("AUTH PLAIN {plain}")],
    ];
    for form in forms {
        let mut client = proxy.client(loopback(14, 2));
        client.greet();
        let (last, rounds) = form.split_last().unwrap();
        for line in rounds {
            client.expect(line, 334);
        }
        client.expect(last, 235);
    }
    assert_eq!(mail.password_checks().len(), forms.len());
}

#[test]
fn what_is_no_proof_of_a_password_is_not_counted_and_not_asked() {
    let mail = Mail::start();
    let proxy = all_mechanisms(&mail).with("limits.client.burst", 1).start();
    for (line, answer) in [
        ("AUTH PLAIN", "*"),
        ("AUTH LOGIN", "*"),
        ("AUTH PLAIN", "not base64!"),
        ("AUTH CRAM-MD5", "*"),
    ] {
        let mut client = proxy.client(loopback(14, 3));
        client.greet();
        client.expect(line, 334);
        client.expect(answer, 501);
    }
    let asked: Vec<PasswordCheck> = mail.password_checks();
    assert!(asked.iter().all(|check| check.user.is_empty()), "{asked:?}");
    let mut client = proxy.client(loopback(14, 3));
    client.greet();
    client.expect(&auth_plain(ANNA), 235);
}

#[test]
fn scram_is_judged_before_dovecot_sees_an_octet_of_it() {
    let mail = Mail::start();
    let proxy = all_mechanisms(&mail).with("limits.client.burst", 1).start();
    let mut client = proxy.client(loopback(14, 4));
    client.greet();
    client.expect(&auth_plain(User(ANNA.0, "Wrong1Password")), 535);

    let first = base64(format!("n,,n={},r=fyko+d2lbbFgONRv9qkxdawL", ANNA.0));
    client.expect(&format!("AUTH SCRAM-SHA-256 {first}"), 454);
    assert_eq!(mail.password_checks().len(), 1);
    let log = mail.dovecot_log();
    assert!(log.contains("\tPLAIN\tservice=smtp"), "{log}");
    assert!(!log.contains("\tSCRAM-SHA-256\tservice=smtp"), "{log}");
}
