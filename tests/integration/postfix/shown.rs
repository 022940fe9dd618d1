//! shown - what mail programs show their user of each answer, and what it costs the user
//!
//! The table in config/manual/gatepost.1.md is this one. Not here: that their mails arrive unchanged (`delivery`).

use std::fs;

use super::programs::{self, Job, Tls};
use crate::kit::client::loopback;
use crate::kit::mail::{ANNA, BERT, Mail, User};
use crate::kit::program::Ran;
use crate::kit::proxy::{Proxy, Setup};

const TEXT: &str = "From: <bert@example.org>\nTo: <someone@example.net>\n\
    Date: Tue, 24 Nov 2026 04:30:00 +0000\nMessage-ID: <1@example.org>\nSubject: x\n\nhello\n";

const WRONG: User<'static> = User(BERT.0, "Falsch-Huhn-Batterie");

/// The words of the answers.
const REJECTED: &str = "authentication failed";
const LIMITED: &str = "check name and password, or try again later (";
const AT_BANNER: &str = "too many failed logins from here, try again later, in 30 min (";

type Program = fn(&Job<'_>) -> Ran;

/// What a program shows its user.
struct Shown {
    wrong: &'static str,
    limited: &'static str,
    at_banner: &'static str,
}

/// What most show: the server's words.
const WORDS: Shown = Shown {
    wrong: REJECTED,
    limited: LIMITED,
    at_banner: AT_BANNER,
};

fn send(proxy: &Proxy, program: Program, user: User<'_>) -> Ran {
    program(&Job {
        proxy,
        tls: Tls::Implicit,
        mechanism: "PLAIN",
        user,
        text: TEXT,
    })
}

#[track_caller]
fn fails_with(ran: &Ran, shown: &str) {
    let fits = !ran.success && ran.text.contains(shown);
    assert!(fits, "not {shown:?}: {}", ran.text);
}

/// A client that has failed once is refused at the banner.
fn limited_at_banner(mail: &Mail) -> Proxy {
    let setup = Setup::before(mail).with("settling", "0s");
    setup.with("limits.client.burst", 1).start()
}

/// An unknown user is refused, and only AUTH says which user it is.
fn limited_at_auth(mail: &Mail) -> Proxy {
    let setup = Setup::before(mail).with("settling", "0s");
    let proxy = setup.with("limits.unknown.burst", 1).start();
    let mut stranger = proxy.client(loopback(67, 1));
    let guess = stranger.try_log_in(User(ANNA.0, "Guess7of7many")).unwrap();
    assert_eq!(guess.code, 535);
    proxy
}

/// The networks of all programs, banned or not.
fn bans(proxy: &Proxy, what: &str) {
    for network in ["127.11.0.0/24", "127.0.0.0/24"] {
        let own: &[&str] = if what == "add" { &["--own"] } else { &[] };
        let ran = proxy
            .setup
            .command(&[&["bans", what, network], own].concat());
        assert!(ran.success, "{}", ran.text);
    }
}

/// Wrong, limited at the banner, banned, limited at AUTH, right.
#[track_caller]
fn shows(program: Program, shown: &Shown) {
    let mail = Mail::start();
    let proxy = limited_at_banner(&mail);
    fails_with(&send(&proxy, program, WRONG), shown.wrong);
    fails_with(&send(&proxy, program, BERT), shown.at_banner);
    bans(&proxy, "add");
    let banned = send(&proxy, program, BERT);
    fails_with(&banned, "");
    for word in [REJECTED, "Login denied", "Invalid login", "Authentication"] {
        assert!(!banned.text.contains(word), "{}", banned.text);
    }
    drop(proxy);
    let proxy = limited_at_auth(&mail);
    fails_with(&send(&proxy, program, BERT), shown.limited);
    let ran = proxy.setup.command(&["introduce", BERT.0]);
    assert!(ran.success, "{}", ran.text);
    let ran = send(&proxy, program, BERT);
    assert!(ran.success, "{}", ran.text);
}

#[test]
fn swaks_shows_the_servers_words() {
    shows(programs::swaks, &WORDS);
}

#[test]
fn msmtp_shows_the_servers_words() {
    shows(programs::msmtp, &WORDS);
}

#[test]
fn net_smtp_shows_the_servers_words() {
    shows(programs::net_smtp, &WORDS);
}

#[test]
fn smtplib_calls_a_limited_login_an_authentication_error_and_a_banner_a_connection_error() {
    let shown = Shown {
        wrong: "SMTPAuthenticationError: (535,",
        limited: "SMTPAuthenticationError: (454,",
        at_banner: "SMTPConnectError: (421, b'4.7.0 mail.example.org Error: too many failed logins",
    };
    shows(programs::smtplib, &shown);
}

#[test]
fn nodemailer_calls_a_limited_login_invalid_and_shows_the_banners_words() {
    let shown = Shown {
        wrong: "Invalid login: 535",
        limited: "Invalid login: 454",
        ..WORDS
    };
    shows(programs::nodemailer, &shown);
}

#[test]
fn curl_calls_a_limited_login_denied_as_a_wrong_one_and_shows_the_banners_code() {
    let shown = Shown {
        wrong: "(67) Login denied",
        limited: "(67) Login denied",
        at_banner: "(8) Got unexpected smtp-server response: 421",
    };
    shows(programs::curl, &shown);
}

#[test]
fn lettre_tells_what_is_transient_with_the_servers_words() {
    let shown = Shown {
        wrong: "kind: Permanent",
        limited: "kind: Transient",
        ..WORDS
    };
    shows(programs::lettre, &shown);
}

#[test]
fn git_send_email_erases_the_stored_password_at_454_and_keeps_it_at_a_banner_of_421() {
    let shown = Shown {
        at_banner: "Unable to initialize SMTP properly",
        ..WORDS
    };
    shows(programs::git_send_email, &shown);
    let mail = Mail::start();
    let keeps = |proxy: &Proxy| {
        send(proxy, programs::git_send_email, BERT);
        let kept = fs::read_to_string(programs::git_passwords(proxy)).unwrap();
        kept.contains(BERT.1)
    };
    assert!(!keeps(&limited_at_auth(&mail)));
    let proxy = limited_at_banner(&mail);
    fails_with(&send(&proxy, programs::git_send_email, WRONG), REJECTED);
    assert!(keeps(&proxy));
}
