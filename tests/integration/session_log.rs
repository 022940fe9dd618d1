//! session_log - what an attacker, or a support case, finds in the log
//!
//! No secret at any level, and nothing that a client sends can make a line of its own.

use crate::kit::client::{Client, auth_plain, base64, loopback};
use crate::kit::mail::{ANNA, Mail, User};
use crate::kit::proxy::{Event, Proxy, Setup};
use crate::kit::wait;

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

/// The ends of sessions of a client, with the level at which they are told.
fn ends(proxy: &Proxy, client: &Client) -> Vec<Event> {
    let address = client.address().ip().to_string();
    proxy
        .log()
        .events(|event| event.message() == "session" && event.field("client").starts_with(&address))
}

#[test]
fn a_session_that_fails_for_its_form_is_one_line_at_info_in_ten_minutes_and_explained() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let mut last = None;
    for count in 1..=3 {
        let mut client = greeted(&proxy);
        client.expect("AUTH DIGEST-MD5", 504);
        client.expect("QXVu", 500);
        client.expect("QUIT", 221);
        wait::until("it is told", || ends(&proxy, &client).len() == count);
        last = Some(client);
    }
    let ends = ends(&proxy, &last.unwrap());
    let levels: Vec<String> = ends.iter().map(Event::level).collect();
    assert_eq!(levels, ["INFO", "DEBUG", "DEBUG"]);
    for (field, value) in [
        ("ending", "quit"),
        ("fault", "no-mechanism"),
        (
            "reply",
            "504 5.5.4 Error: unsupported authentication mechanism",
        ),
        ("faults", "2"),
    ] {
        assert_eq!(ends[0].field(field), value, "{}", ends[0].text());
    }
    let told = proxy.setup.command(&["explain", "127.27.0.1"]).text;
    assert!(
        told.contains("last fault  no-mechanism, in session "),
        "{told}"
    );
    // A client that logs in after a fault is not told of.
    let mut client = greeted(&proxy);
    client.expect("AUTH DIGEST-MD5", 504);
    client.expect(&auth_plain(ANNA), 235);
    client.expect("QUIT", 221);
    let over = proxy.log().find("its end", |event| {
        event.message() == "session" && event.field("user") == ANNA.0
    });
    assert_eq!(over.field("fault"), "");
}

#[test]
fn who_begins_a_conversation_and_falls_silent_is_told_of_and_who_says_nothing_is_not() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).with("timeouts.line", "1s").start();
    let mut silent = Client::connect(loopback(27, 2), proxy.starttls()).unwrap();
    assert_eq!(silent.reply().code, 220);
    assert_eq!(silent.reply().code, 421);
    // Each time from another address: who is cut off before is told of too.
    let mut hosts = 3..;
    let mut slow = wait::find("a conversation that begins in time", || {
        proxy.try_greeted(loopback(27, hosts.next()?))
    });
    assert_eq!(slow.reply().code, 421);
    wait::until("both are told", || {
        ends(&proxy, &slow).len() == 1 && ends(&proxy, &silent).len() == 1
    });
    assert_eq!(ends(&proxy, &slow)[0].field("fault"), "timed-out");
    assert_eq!(ends(&proxy, &slow)[0].level(), "INFO");
    assert_eq!(ends(&proxy, &silent)[0].level(), "DEBUG");
}
