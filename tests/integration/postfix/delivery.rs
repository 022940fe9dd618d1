//! delivery - the mail programs that people use send through Gatepost
//!
//! Each over both kinds of listener and with both mechanisms; the mail must lie in Postfix's queue
//! byte for byte, and Postfix's log must tell the client's own address and port, and the user.

use super::programs::{self, Job, Tls};
use crate::kit::mail::{ANNA, Mail};
use crate::kit::program::Ran;
use crate::kit::proxy::{Proxy, Setup};

const HEADER: &str = "From: <anna@example.org>\nTo: <someone@example.net>\n\
    Date: Tue, 24 Nov 2026 04:30:00 +0000\nMessage-ID: <1@example.org>\nSubject: it lies there\n\n";

/// Dots in every place where SMTP might stumble over them.
const SMALL: &str = ".\n..\n.hidden\n...\nmiddle . of a line.\n\n.\nend\n";

fn small() -> String {
    format!("{HEADER}{SMALL}")
}

/// 30 MB, of which no two lines are alike and many begin with a dot.
fn large() -> String {
    const SIZE: usize = 30_000_000;
    let mut text = HEADER.to_owned();
    let mut number = 0_u64;
    while text.len() < SIZE {
        let dot = if number.is_multiple_of(17) { "." } else { "" };
        let noise = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        text.push_str(&format!("{dot}{number} {noise:064x}\n"));
        number += 1;
    }
    text
}

/// Sends `text`, and reads it back from the queue.
#[track_caller]
fn deliver(send: fn(&Job<'_>) -> Ran, source: &str, tls: Tls, mechanism: &str, text: &str) {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let job = Job {
        proxy: &proxy,
        tls,
        mechanism,
        user: ANNA,
        text,
    };
    let ran = send(&job);
    assert!(ran.success, "{tls:?} {mechanism}: {}", ran.text);
    let queued = mail.only_mail();
    assert!(
        queued == text.as_bytes(),
        "{tls:?} {mechanism}: the mail has changed"
    );
    told(&mail, &proxy, source, mechanism);
}

/// Both logs tell the same client, by address and port.
#[track_caller]
fn told(mail: &Mail, proxy: &Proxy, source: &str, mechanism: &str) {
    let accepted = proxy.log().find("the login", |event| {
        event.message() == "attempt" && event.field("verdict") == "accept"
    });
    let client = accepted.field("client");
    let (address, port) = client.rsplit_once(':').expect("an address and a port");
    assert_eq!(
        (address, accepted.field("mechanism").as_str()),
        (source, mechanism)
    );
    mail.logged(&[
        &format!("client=unknown[{address}]:{port}"),
        &format!("sasl_method={mechanism}"),
        "sasl_username=anna@example.org",
    ]);
}

fn deliver_small(send: fn(&Job<'_>) -> Ran, source: &str) {
    for tls in [Tls::Implicit, Tls::StartTls] {
        for mechanism in ["PLAIN", "LOGIN"] {
            deliver(send, source, tls, mechanism, &small());
        }
    }
}

#[test]
fn swaks_sends() {
    deliver_small(programs::swaks, "127.11.0.1");
}

#[test]
fn curl_sends() {
    deliver_small(programs::curl, "127.11.0.2");
}

#[test]
fn msmtp_sends() {
    deliver_small(programs::msmtp, "127.11.0.3");
}

#[test]
fn smtplib_sends() {
    deliver_small(programs::smtplib, "127.11.0.4");
}

#[test]
fn nodemailer_sends() {
    deliver_small(programs::nodemailer, "127.11.0.5");
}

#[test]
fn lettre_sends() {
    deliver_small(programs::lettre, "127.11.0.6");
}

#[test]
fn swaks_sends_thirty_megabytes() {
    deliver(
        programs::swaks,
        "127.11.0.1",
        Tls::Implicit,
        "PLAIN",
        &large(),
    );
}

#[test]
fn curl_sends_thirty_megabytes() {
    deliver(
        programs::curl,
        "127.11.0.2",
        Tls::StartTls,
        "LOGIN",
        &large(),
    );
}

#[test]
fn msmtp_sends_thirty_megabytes() {
    deliver(
        programs::msmtp,
        "127.11.0.3",
        Tls::Implicit,
        "LOGIN",
        &large(),
    );
}

#[test]
fn smtplib_sends_thirty_megabytes() {
    deliver(
        programs::smtplib,
        "127.11.0.4",
        Tls::StartTls,
        "PLAIN",
        &large(),
    );
}

#[test]
fn nodemailer_sends_thirty_megabytes() {
    deliver(
        programs::nodemailer,
        "127.11.0.5",
        Tls::Implicit,
        "PLAIN",
        &large(),
    );
}

#[test]
fn lettre_sends_thirty_megabytes() {
    deliver(
        programs::lettre,
        "127.11.0.6",
        Tls::StartTls,
        "LOGIN",
        &large(),
    );
}
