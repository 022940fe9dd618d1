//! stolen - valid logins that are hardly their owner's, before a real Postfix and at Dovecot's own doors
//!
//! Not here: what is counted (`gate`).

use crate::kit::client::{auth_plain, loopback};
use crate::kit::doors::{Door, Doors};
use crate::kit::mail::{ANNA, BERT, Mail, User};
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::wait;

const HOME: u8 = 71;
const AFAR: u8 = 99;

fn log_in(proxy: &Proxy, net: u8, user: User<'_>) -> u16 {
    let mut client = proxy.client(loopback(net, 1));
    client.try_log_in(user).unwrap().code
}

/// Anna is at home; four new networks in a day are too many.
fn setup(mail: &Mail) -> Setup {
    let setup = Setup::before(mail).with("stolen.networks", 4);
    setup.learn_yesterdays(&[(ANNA.0, loopback(HOME, 9)), (BERT.0, loopback(HOME, 9))]);
    setup
}

fn suspected(proxy: &Proxy) -> usize {
    proxy
        .logged(|event| event.message().starts_with("password suspected"))
        .len()
}

/// Whether the report names Anna under its heading.
fn is_reported(proxy: &Proxy) -> bool {
    let report = proxy.ask(&["report"]);
    let mut lines = report.lines();
    lines.any(|line| line.contains("whose password seems to be stolen"))
        && lines.any(|line| line.ends_with(&format!("  {}  networks", ANNA.0)))
}

#[test]
fn a_password_that_is_used_from_many_networks_is_told_everywhere_and_nobody_is_refused() {
    let mail = Mail::start();
    let setup = setup(&mail);
    let kept = setup.folder().join("told");
    let script = format!(
        "echo \"$GATEPOST_EVENT $GATEPOST_SUBJECT\" >> {}",
        kept.display()
    );
    let words: toml::Value = ["/bin/sh", "-c", &script]
        .map(toml::Value::from)
        .to_vec()
        .into();
    let mut proxy = setup.with("notices.command", words).start();
    for net in 81..84 {
        assert_eq!(log_in(&proxy, net, ANNA), 235);
    }
    assert_eq!(suspected(&proxy), 0, "three are a journey");
    for net in 84..90 {
        assert_eq!(log_in(&proxy, net, ANNA), 235);
    }
    let told = proxy.log().find("the suspicion", |event| {
        event.message().starts_with("password suspected")
    });
    assert_eq!(told.level(), "WARN");
    assert_eq!(told.field("user"), ANNA.0);
    assert_eq!(told.field("cause"), "networks");
    assert_eq!(suspected(&proxy), 1, "once");
    let line = format!("stolen-suspected {}", ANNA.0);
    wait::until("the notice is sent", || {
        std::fs::read_to_string(&kept).is_ok_and(|text| text.lines().any(|one| one == line))
    });
    let status = proxy.status();
    assert_eq!(status["counters"]["stolen-suspected"], 1);
    assert_eq!(status["suspected"], 1);
    let told = proxy.setup.command(&["explain", ANNA.0]).text;
    assert!(
        told.contains("SUSPECTED   the password seems to be stolen (networks)"),
        "{told}"
    );
    assert!(told.contains("new place   127.84.0.0/16"), "{told}");
    let is_kept = || proxy.ask(&["report"]).contains("accept (stolen)");
    wait::until("the history has it", is_kept);
    // The name is the history's.
    proxy.restart();
    assert!(is_reported(&proxy));
    proxy.ask(&["forgive", ANNA.0]);
    assert_eq!(proxy.status()["suspected"], 0);
    assert!(!is_reported(&proxy));
}

#[test]
fn held_logins_wait_over_restarts_until_the_operator_forgives_and_the_familiar_place_never_does() {
    let mail = Mail::start();
    let mut proxy = setup(&mail).with("stolen.hold", true).start();
    for net in 81..85 {
        assert_eq!(log_in(&proxy, net, ANNA), 235);
    }
    let checks = mail.password_checks().len();
    let held = |proxy: &Proxy| {
        for (net, user) in [
            (AFAR, ANNA),
            (AFAR, User(ANNA.0, "Wrong1Password")),
            (81, ANNA),
        ] {
            assert_eq!(log_in(proxy, net, user), 454, "{net}");
        }
    };
    held(&proxy);
    assert_eq!(
        mail.password_checks().len(),
        checks,
        "Postfix was not asked"
    );
    assert_eq!(log_in(&proxy, HOME, ANNA), 235);
    assert_eq!(log_in(&proxy, AFAR, BERT), 235, "nobody else is held");
    proxy.kill_and_start();
    held(&proxy);
    proxy.restart();
    held(&proxy);
    assert_eq!(log_in(&proxy, HOME, ANNA), 235);
    proxy.setup.command(&["forgive", ANNA.0]);
    assert_eq!(log_in(&proxy, AFAR, ANNA), 235);
    proxy.kill_and_start();
    assert_eq!(log_in(&proxy, 98, ANNA), 235, "forgiven for good");
}

#[test]
fn a_held_right_password_reads_as_a_strangers_who_is_refused() {
    let mail = Mail::start();
    let setup = setup(&mail).with("stolen.hold", true);
    let proxy = setup.with("limits.unknown.burst", 1).start();
    for net in 81..85 {
        assert_eq!(log_in(&proxy, net, ANNA), 235);
    }
    let said = |net, user| {
        let mut client = proxy.client(loopback(net, 1));
        client.greet();
        let reply = client.say(&auth_plain(user));
        // The session's id is its own.
        let lines: Vec<String> = reply
            .lines
            .iter()
            .map(|line| line.chars().take(40).collect())
            .collect();
        (reply.code, lines)
    };
    said(90, User("nobody-here", "Wrong1Password"));
    let stranger = said(91, User("nobody-there", "Wrong1Password"));
    assert_eq!(stranger.0, 454);
    assert_eq!(said(AFAR, ANNA), stranger);
}

#[test]
fn at_dovecots_doors_it_is_counted_and_held_as_well() {
    let doors = Doors::start("");
    let setup = doors
        .setup()
        .with("stolen.networks", 4)
        .with("stolen.hold", true);
    setup.learn_yesterdays(&[(ANNA.0, loopback(HOME, 9))]);
    let proxy = setup.start();
    crate::kit::doors::until_it_answers(&proxy);
    let imap = |net| doors.log_in(Door::Imap, loopback(net, 1), ANNA).unwrap();
    for net in 81..85 {
        assert!(imap(net), "{net}");
    }
    proxy.log().find("the suspicion", |event| {
        event.message().starts_with("password suspected")
    });
    assert!(!imap(AFAR));
    assert!(imap(HOME));
    assert_eq!(log_in(&proxy, AFAR, ANNA), 454);
}
