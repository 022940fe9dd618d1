//! session_log - what an attacker, or a support case, finds in the log
//!
//! No secret at any level, and nothing that a client sends can make a line of its own.

use crate::kit::client::{Client, auth_plain, base64, loopback};
use crate::kit::mail::{ANNA, Mail, User};
use crate::kit::proxy::{Proxy, Setup};

fn greeted(proxy: &Proxy) -> Client {
    let mut client = proxy.client(loopback(27, 1));
    client.greet();
    client
}

#[test]
fn no_password_stands_in_the_log_at_any_level_in_any_form() {
    let mail = Mail::start();
    let mechanisms = ["PLAIN", "LOGIN", "XOAUTH2", "SCRAM-SHA-256", "CRAM-MD5"];
    let proxy = Setup::before(&mail)
        .with("mechanisms", mechanisms.map(toml::Value::from).to_vec())
        .with("log.level", "trace")
        .start();
    let wrong = User(ANNA.0, "Verschwiegen5Geheim");
    let (name, password) = (base64(ANNA.0), base64(wrong.1));
    let plain = auth_plain(wrong);
    let token = base64(format!(
        "user={}\x01auth=Bearer {}\x01\x01",
        ANNA.0, wrong.1
    ));

    greeted(&proxy).expect(&plain, 535);
    for lines in [
        ["AUTH LOGIN", &name, &password],
        ["AUTH PLAIN", &password, "*"],
    ] {
        let mut client = greeted(&proxy);
        for line in lines {
            client.say(line);
        }
    }
    // Secrets where no secret belongs: as a command, as a name, in a broken exchange.
    greeted(&proxy).say(&plain["AUTH ".len()..]);
    greeted(&proxy).say(&password);
    greeted(&proxy).say(&format!("AUTH XOAUTH2 {token}"));
    greeted(&proxy).say(&format!("{plain}!"));
    greeted(&proxy).expect(&auth_plain(ANNA), 235);
    proxy
        .log()
        .find("the login", |event| event.field("verdict") == "accept");

    let log = proxy.log().text();
    let plain_message = plain.rsplit(' ').next().unwrap();
    let right = base64(format!("\0{}\0{}", ANNA.0, ANNA.1));
    for secret in [wrong.1, ANNA.1, &password, plain_message, &token, &right] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
}

#[test]
fn a_user_name_cannot_write_a_line_of_its_own() {
    let mail = Mail::start();
    for format in ["json", "text"] {
        let proxy = Setup::before(&mail).with("log.format", format).start();
        let evil = "x\r\n2026-11-24T00:00:00Z INFO attempt verdict=accept\u{1b}[2J\u{202e}\t\0";
        let name = evil.replace('\0', "");
        greeted(&proxy).say(&auth_plain(User(&name, "Wrong1Password")));
        greeted(&proxy).say(&format!("EHLO {evil}"));
        greeted(&proxy).expect(&auth_plain(ANNA), 235);
        let log = proxy.log();
        log.wait_for_text("anna@example.org");
        for line in log.text().lines() {
            assert!(!line.starts_with("2026-11-24T00:00:00Z"), "{line}");
            let odd = |c: char| c.is_control() || c == '\u{202e}';
            assert!(!line.contains(odd), "{format}: {line:?}");
        }
    }
}
