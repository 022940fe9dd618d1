//! usable - a Postfix at which nobody can log in is named, with the reason and the cure
//!
//! Each of the mistakes that administrators make, in the real Postfix; what counts is what `status` says then, and its
//! exit code. Not here: the same as a table of replies (`net::upstream::usable`).

use std::net::SocketAddr;

use serde_json::Value;

use crate::kit::client::{auth_plain, loopback};
use crate::kit::mail::{ANNA, Entry, Mail};
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::{ports, wait};

/// The first backend in `status`, once it was asked, and the exit code.
#[track_caller]
fn backend(proxy: &Proxy) -> (Value, Option<i32>) {
    wait::find("Postfix is asked", || {
        let (status, code) = status(proxy);
        let backend = status["upstream"][0].clone();
        (backend["state"] != "not-asked").then_some((backend, code))
    })
}

fn status(proxy: &Proxy) -> (Value, Option<i32>) {
    let ran = proxy.setup.command(&["status", "--json"]);
    let status = serde_json::from_str(&ran.text);
    (
        status.unwrap_or_else(|fault| panic!("{fault}: {}", ran.text)),
        ran.code,
    )
}

#[track_caller]
fn is_named(setup: Setup, reason: &str, cure: &str) {
    let proxy = setup.start();
    let (backend, code) = backend(&proxy);
    let text = |key: &str| backend[key].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        (text("state"), code),
        ("unusable".to_owned(), Some(1)),
        "{reason}"
    );
    assert!(text("reason").contains(reason), "{reason}: {backend}");
    assert!(text("cure").contains(cure), "{cure}: {backend}");
    assert!(!text("since").is_empty(), "{backend}");
    // A person, monitoring and the log are told the same.
    for words in [&["status"][..], &["status", "--quiet"]] {
        let ran = proxy.setup.command(words);
        assert_eq!(ran.code, Some(1), "{}", ran.text);
        assert!(ran.text.contains(&text("reason")), "{}", ran.text);
        assert!(ran.text.contains(&text("cure")), "{}", ran.text);
    }
    proxy.log().find("the fault", |event| {
        event.message() == "upstream fails" && event.field("fault").contains(&text("cure"))
    });
}

fn before(address: SocketAddr, announce: &str) -> Setup {
    Setup::new(&address.to_string()).with("upstream.announce", announce)
}

#[test]
fn each_mistake_at_its_greeting_is_named_with_the_cure() {
    let mail = Mail::start();
    let haproxy = "smtpd_upstream_proxy_protocol=haproxy";
    let no_auth = mail.add_entry("smtpd", &[haproxy, "smtpd_sasl_auth_enable=no"]);
    is_named(
        before(no_auth, "proxy-v2"),
        "offers no AUTH",
        "smtpd_sasl_auth_enable=yes",
    );
    let no_path = mail.add_entry("smtpd", &[haproxy, "smtpd_sasl_path=private/nowhere"]);
    is_named(
        before(no_path, "proxy-v2"),
        "instead of a greeting",
        "smtpd_sasl_path",
    );
    let awaits = mail.add_entry("smtpd", &[haproxy, "smtpd_upstream_proxy_timeout=1s"]);
    is_named(before(awaits, "none"), "awaits a PROXY header", "proxy-v2");
    let options = [
        "postscreen_upstream_proxy_protocol=haproxy",
        "postscreen_cache_map=",
        "postscreen_greet_action=ignore",
    ];
    let postscreen = mail.add_entry("postscreen", &options);
    is_named(
        before(postscreen, "proxy-v2"),
        "postscreen",
        "must be smtpd",
    );
}

#[test]
fn each_mistake_in_the_announcement_or_the_offers_is_named_with_the_cure() {
    let mail = Mail::start();
    let starttls = mail.address(Entry::StartTls);
    is_named(
        before(starttls, "proxy-v2"),
        "STARTTLS",
        "smtpd_tls_security_level=none",
    );
    let plain = mail.address(Entry::Plain);
    is_named(
        before(plain, "proxy-v2"),
        "does not expect a PROXY header",
        "=haproxy",
    );
    is_named(
        before(plain, "xclient"),
        "no XCLIENT",
        "smtpd_authorized_xclient_hosts",
    );
    let nothing = (loopback(0, 1), ports::free()).into();
    is_named(
        before(nothing, "proxy-v2"),
        "nothing listens",
        "config/master.cf",
    );
    let setup = Setup::before(&mail).with("mechanisms", vec!["XOAUTH2"]);
    is_named(setup, "PLAIN LOGIN", "auth_mechanisms");
}

#[test]
fn a_dovecot_that_is_away_is_named_and_so_is_its_return() {
    let mut mail = Mail::start();
    mail.stop_dovecot();
    let proxy = Setup::before(&mail).start();
    let (away, code) = backend(&proxy);
    assert_eq!((&away["state"], code), (&Value::from("unusable"), Some(1)));
    assert!(
        away["cure"]
            .as_str()
            .unwrap()
            .contains("is Dovecot running"),
        "{away}"
    );
    mail.start_dovecot();
    wait::until("Postfix can be used again", || {
        let (status, code) = status(&proxy);
        status["upstream"][0]["state"] == "usable" && code == Some(0)
    });
    let mut client = proxy.client(loopback(70, 1));
    client.greet();
    client.expect(&auth_plain(ANNA), 235);
    let ran = proxy.setup.command(&["status", "--quiet"]);
    assert_eq!(ran.code, Some(0));
    assert!(
        ran.text.starts_with("OK: postfix 127.0.0.1:"),
        "{}",
        ran.text
    );
    assert_eq!(ran.text.lines().count(), 1, "{}", ran.text);
}
