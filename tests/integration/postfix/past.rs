//! past - what the history tells after a restart: `explain`, `report`, `forget`
//!
//! Not here: what is kept of a flood (`daemon::history`), the file's bounds (there too).

use serde_json::Value;

use crate::kit::client::loopback;
use crate::kit::impostor::{Conduct, Impostor};
use crate::kit::mail::{ANNA, BERT, Mail, User};
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::wait;

fn log_in(proxy: &Proxy, net: u8, user: User<'_>) -> Option<u16> {
    let mut client = proxy.try_client(loopback(net, 1)).ok()?;
    Some(client.try_log_in(user).ok()?.code)
}

#[track_caller]
fn report(proxy: &Proxy) -> Value {
    let text = proxy.ask(&["report", "--json"]);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Strangers spend the one token that they all share, and Bert is told 454 far from home.
fn happened(mail: &Mail) -> Proxy {
    let setup = Setup::before(mail).with("limits.strangers.burst", 1);
    let setup = setup.with("limits.near.burst", 1);
    let proxy = setup.start();
    assert_eq!(log_in(&proxy, 65, ANNA), Some(235));
    assert_eq!(log_in(&proxy, 66, BERT), Some(235));
    for net in 67..72 {
        let password = format!("Guess{net}of{net}many");
        log_in(&proxy, net, User(ANNA.0, &password));
    }
    proxy.ask(&["introduce", "carla@example.org"]);
    proxy
}

#[test]
fn what_was_decided_is_explained_and_reported_after_a_restart() {
    let mail = Mail::start();
    let mut proxy = happened(&mail);
    let before = proxy.status();
    let session = proxy.log().find("Bert's login", |event| {
        event.message() == "attempt" && event.field("user") == BERT.0
    });
    proxy.restart();
    let told = proxy.ask(&["explain", &session.field("session")]);
    assert!(told.contains("127.66.0.1 in 127.66.0.0/24"), "{told}");
    let told = proxy.ask(&["explain", ANNA.0]);
    let (_, past) = told.split_once("from the history").expect(&told);
    assert!(
        past.contains("127.65.0.1") && past.contains("a new place"),
        "{told}"
    );
    assert!(
        past.contains("127.71.0.1") && past.contains("refuse ("),
        "{told}"
    );
    let told = proxy.ask(&["explain", "127.71.0.1"]);
    assert!(
        told.contains("from the history") && told.contains(ANNA.0),
        "{told}"
    );

    let told = report(&proxy);
    for name in ["attempts", "accepted", "rejected", "refused", "guesses"] {
        assert_eq!(
            told["counters"][name], before["counters"][name],
            "{name}: {told}"
        );
    }
    assert!(told["counters"]["refused"].as_u64() > Some(0), "{told}");
    let places = told["new_places"].as_array().expect("places");
    assert_eq!(places.len(), 2, "{told}");
    assert_eq!(told["attacked"][0]["user"], ANNA.0, "{told}");
    let acts = told["acts"].to_string();
    assert!(acts.contains("carla@example.org"), "{told}");

    let text = proxy.ask(&["report", "--since", "2h"]);
    assert!(
        text.contains("All is well") && text.contains("users under attack"),
        "{text}"
    );
    let html = proxy.ask(&["report", "--html"]);
    assert!(
        html.contains("<svg") && html.contains("127.65.0.1"),
        "{html}"
    );
}

#[test]
fn who_is_forgotten_is_forgotten_by_the_history_too() {
    let mail = Mail::start();
    let mut proxy = happened(&mail);
    proxy.restart();
    let told = proxy.ask(&["forget", ANNA.0, "127.65.0.0/24"]);
    assert!(told.contains("1 rows of the history"), "{told}");
    let told = proxy.ask(&["explain", ANNA.0]);
    assert!(
        told.contains("127.71.0.1") && !told.contains("127.65.0.1"),
        "{told}"
    );
    proxy.ask(&["forget", ANNA.0]);
    let ran = proxy.setup.command(&["explain", ANNA.0]);
    assert_eq!(
        ran.code,
        Some(1),
        "nobody knows that user now: {}",
        ran.text
    );
    assert!(!ran.text.contains("from the history"), "{}", ran.text);
    let told = report(&proxy);
    assert_eq!(told["attacked"].as_array().map(Vec::len), Some(0), "{told}");
    assert!(proxy.ask(&["explain", BERT.0]).contains("127.66.0.1"));
}

#[test]
fn a_postfix_that_was_away_is_in_the_report() {
    let mut mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    assert_eq!(log_in(&proxy, 65, ANNA), Some(235));
    mail.stop_postfix();
    let outages = |proxy: &Proxy| report(proxy)["outages"].clone();
    wait::until("the outage is kept", || {
        // Who tries finds it sooner than the probe.
        assert_ne!(log_in(&proxy, 65, ANNA), Some(235));
        let found = outages(&proxy);
        found[0]["ended"].is_null() && found[0]["why"].is_string()
    });
    mail.start_postfix();
    wait::until("its end is kept", || {
        outages(&proxy)[0]["ended"].is_string()
    });
    assert!(
        proxy
            .ask(&["report"])
            .contains("Logins could not work for a time.")
    );
}

#[test]
fn an_outage_of_a_backend_that_left_the_config_is_over() {
    let impostor = Impostor::start(Conduct::Honest);
    // Nobody listens there.
    let mut setup = Setup::new("127.0.0.1:1");
    setup.set("upstream.announce", "none");
    let mut proxy = setup.start();
    let outages = |proxy: &Proxy| report(proxy)["outages"].clone();
    let goes_on = |proxy: &Proxy, number: usize| {
        wait::until("the outage is kept", || {
            let found = outages(proxy);
            found[0]["ended"].is_null() && found[number - 1]["why"].is_string()
        });
    };
    let is_over = |proxy: &Proxy, number: usize| {
        wait::until("its end is kept", || {
            let found = outages(proxy);
            let mut ended = (0..number).map(|one| &found[one]["ended"]);
            ended.all(Value::is_string)
        });
    };
    goes_on(&proxy, 1);
    let address = |address: String| toml::Value::Array(vec![address.into()]);
    let here = address(impostor.address().to_string());
    proxy.setup.set("upstream.addresses", here.clone());
    proxy.reload();
    is_over(&proxy, 1);
    let nowhere = address("127.0.0.2:1".to_owned());
    proxy.setup.set("upstream.addresses", nowhere);
    proxy.reload();
    goes_on(&proxy, 2);
    proxy.setup.set("upstream.addresses", here);
    proxy.kill_and_start();
    is_over(&proxy, 2);
}

#[test]
fn a_disk_without_room_for_the_history_stops_nobody() {
    let mail = Mail::start();
    let mut proxy = Setup::before(&mail).start();
    assert_eq!(log_in(&proxy, 65, ANNA), Some(235));
    proxy.terminate();
    proxy.ends_well();
    // Something that can be neither opened nor put aside stands where the journal would.
    let state = proxy.setup.folder().join("state");
    let _ = std::fs::remove_file(state.join("history.db-journal"));
    for name in ["history.db-journal", "history.db.damaged-journal"] {
        let directory = state.join(name);
        std::fs::create_dir(&directory).expect("its place is free");
        std::fs::write(directory.join("full"), "").expect("a file");
    }
    proxy.start_again();
    assert_eq!(log_in(&proxy, 66, BERT), Some(235));
    proxy.log().find("it is told", |event| {
        event.message().contains("the history") && event.message().contains("is not kept")
    });
    assert_eq!(log_in(&proxy, 65, ANNA), Some(235));
    assert!(proxy.ask(&["explain", ANNA.0]).contains("127.65.0.0/24"));
}

#[test]
fn the_id_of_a_mail_leads_to_who_submitted_it() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let mut client = proxy.client(loopback(65, 1));
    assert_eq!(client.try_log_in(ANNA).expect("a reply").code, 235);
    client.submit(ANNA.0, "Subject: x\r\n\r\nx\r\n");
    let line = mail.logged(&[": client=", "sasl_username=anna@example.org"]);
    let (_, message) = line.split_once("]: ").expect("the program's name ends");
    let (id, _) = message.split_once(':').expect("an id");
    let log = mail.postfix_config().join("../postfix.log");
    let log = log.canonicalize().expect("the mail log");
    let log = log.to_str().expect("a plain path");
    let told = proxy.ask(&["explain", id, "--mail-log", log]);
    assert!(told.contains("submitted by anna@example.org"), "{told}");
    assert!(told.contains("127.65.0.1 in 127.65.0.0/24"), "{told}");
    let ran = proxy
        .setup
        .command(&["explain", "0123456789", "--mail-log", log]);
    assert_eq!(ran.code, Some(1), "{}", ran.text);
}
