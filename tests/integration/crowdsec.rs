//! crowdsec - Gatepost beside a real CrowdSec: its decisions in force here, our bans told there
//!
//! What no LAPI says by itself (garbage, an answer without an end, none at all) is said by one that plays it; decisions of
//! each form are in the daemon's own tests (`crowdsec`), who is spared in the gate's.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::kit::authority::Authority;
use crate::kit::client::{auth_plain, loopback};
use crate::kit::crowdsec::Crowdsec;
use crate::kit::impostor::{Conduct, Impostor};
use crate::kit::mail::User;
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::wait;

/// A port on which nobody listens.
const NOWHERE: &str = "127.0.0.1:9";

/// One that takes decisions over from here.
fn asking(url: &str, key: &Path) -> Setup {
    Setup::new(NOWHERE)
        .with("crowdsec.url", url)
        .with("crowdsec.key-file", key.display().to_string())
        .with("crowdsec.every", "1s")
}

fn beside(crowdsec: &Crowdsec) -> Setup {
    let machine = crowdsec.machine_file().display().to_string();
    asking(&crowdsec.url(), &crowdsec.key_file()).with("crowdsec.machine-file", machine)
}

/// Writes this authority's certificate in the last one's place; says where.
fn trust(authority: &Authority, setup: &Setup) -> String {
    let root = authority.write_root(setup.folder());
    root.display().to_string()
}

fn is_listed(proxy: &Proxy, address: &str) -> bool {
    let ran = proxy.setup.command(&["explain", address]);
    ran.text.contains("banned") && ran.text.contains("list")
}

#[track_caller]
fn until_listed(proxy: &Proxy, address: &str) {
    wait::until("the decision is in force", || is_listed(proxy, address));
}

#[track_caller]
fn until_not_listed(proxy: &Proxy, address: &str) {
    wait::until("the decision is over", || !is_listed(proxy, address));
}

#[track_caller]
fn crowdsec_of(proxy: &Proxy) -> Value {
    proxy.status()["crowdsec"].take()
}

#[track_caller]
fn until_state(proxy: &Proxy, part: &str, state: &str) {
    wait::until("CrowdSec's state", || {
        crowdsec_of(proxy)[part]["state"] == state
    });
}

#[test]
fn decisions_of_crowdsec_refuse_strangers_until_they_end_or_are_taken_away() {
    let crowdsec = Crowdsec::start();
    crowdsec.decide("add --ip 127.9.0.1 --duration 1h");
    let proxy = beside(&crowdsec).start();
    until_listed(&proxy, "127.9.0.1");
    assert!(
        proxy.try_client(loopback(9, 1)).is_err(),
        "it is turned away"
    );
    assert!(proxy.try_client(loopback(9, 2)).is_ok());
    crowdsec.decide("delete --ip 127.9.0.1");
    until_not_listed(&proxy, "127.9.0.1");
    assert!(proxy.try_client(loopback(9, 1)).is_ok());
}

#[test]
fn bans_of_addresses_and_ranges_count_and_nothing_wide_is_taken() {
    let crowdsec = Crowdsec::start();
    let proxy = beside(&crowdsec).start();
    crowdsec.decide("add --range 198.51.100.0/24 --duration 1h");
    crowdsec.decide("add --ip 2001:db8::7 --duration 1h");
    crowdsec.decide("add --range 64.0.0.0/7 --duration 1h");
    crowdsec.decide("add --scope username --value anna");
    crowdsec.decide("add --ip 198.51.101.1 --type captcha");
    until_listed(&proxy, "198.51.100.77");
    until_listed(&proxy, "2001:db8::8");
    wait::until("what is left out is counted", || {
        crowdsec_of(&proxy)["left_out"] == 1
    });
    assert!(!is_listed(&proxy, "65.0.0.1"), "it is too wide");
    assert!(!is_listed(&proxy, "198.51.101.1"), "it is no ban");
    assert_eq!(crowdsec_of(&proxy)["in_force"], 2);

    let all = proxy.setup.command(&["bans", "lists"]).text;
    assert!(
        all.lines()
            .any(|line| line.starts_with("[crowdsec] ") && line.ends_with(" 2")),
        "{all}"
    );
    let removed = proxy
        .setup
        .command(&["bans", "remove", "--source", "[crowdsec]"]);
    assert!(
        !removed.success && removed.text.contains("cscli decisions delete"),
        "{}",
        removed.text
    );

    let doctor = proxy.setup.command(&["doctor"]).text;
    assert!(
        doctor.contains("tells its decisions: 2 in force"),
        "{doctor}"
    );
    let bouncers = crowdsec.cscli(&["bouncers", "list", "--output", "raw"]);
    assert!(bouncers.contains("gatepost"), "{bouncers}");
}

#[test]
fn when_crowdsec_is_away_its_decisions_stay_until_their_ends_and_it_is_told_once() {
    let mut crowdsec = Crowdsec::start();
    let proxy = beside(&crowdsec).start();
    crowdsec.decide("add --ip 192.0.2.1 --duration 1h");
    crowdsec.decide("add --ip 192.0.2.2 --duration 20s");
    until_listed(&proxy, "192.0.2.2");
    crowdsec.kill();
    until_state(&proxy, "decisions", "fails");
    until_not_listed(&proxy, "192.0.2.2");
    assert!(is_listed(&proxy, "192.0.2.1"), "its end has not come");
    let status = proxy.setup.command(&["status"]).text;
    assert!(
        status.contains("DOES NOT TELL its decisions since"),
        "{status}"
    );
    let doctor = proxy.setup.command(&["doctor"]).text;
    assert!(
        doctor.contains("does not tell its decisions since"),
        "{doctor}"
    );
    assert!(proxy.try_client(loopback(9, 3)).is_ok(), "logins go on");

    crowdsec.start_again();
    until_state(&proxy, "decisions", "answers");
    crowdsec.decide("add --ip 192.0.2.3 --duration 1h");
    until_listed(&proxy, "192.0.2.3");
    let told = |text: &str| {
        let fits = proxy.logged(|event| event.message().contains(text));
        fits.len()
    };
    assert_eq!(told("CrowdSec does not tell its decisions"), 1);
    assert_eq!(told("the decisions of CrowdSec are in force"), 2);
}

/// Tries a trap: the client is banned.
#[track_caller]
fn touch_trap(proxy: &Proxy, net: u8, host: u8) {
    let mut client = proxy.client(loopback(net, host));
    client.greet();
    client.say(&auth_plain(User("root", "secret")));
}

fn told(crowdsec: &Crowdsec) -> Vec<Value> {
    let text = crowdsec.cscli(&[
        "decisions",
        "list",
        "--origin",
        "gatepost",
        "--output",
        "json",
    ]);
    let alerts: Value = serde_json::from_str(&text).unwrap_or_default();
    let alerts = alerts.as_array().cloned().unwrap_or_default();
    let decisions = alerts
        .into_iter()
        .map(|mut alert| alert["decisions"][0].take());
    decisions.collect()
}

#[test]
fn crowdsec_is_told_of_bans_that_gatepost_made_and_they_do_not_come_back() {
    let mut crowdsec = Crowdsec::start();
    let backend = Impostor::start(Conduct::Honest);
    let mut setup = beside(&crowdsec).with("upstream.announce", "none");
    setup.set("upstream.addresses", vec![backend.address().to_string()]);
    let proxy = setup.start();
    until_state(&proxy, "decisions", "answers");
    proxy
        .setup
        .command(&["bans", "add", "192.0.2.77", "--for", "1h"]);
    touch_trap(&proxy, 10, 1);
    wait::until("the ban is told", || told(&crowdsec).len() == 1);
    let decision = told(&crowdsec).remove(0);
    assert_eq!(decision["value"], "127.10.0.1");
    assert_eq!(decision["scenario"], "gatepost/trap");
    assert_eq!(decision["type"], "ban");
    let left = decision["duration"].as_str().unwrap_or_default();
    assert!(left.starts_with("9m") || left.starts_with("10m"), "{left}");
    assert_eq!(crowdsec_of(&proxy)["told"], 1);

    // It is in what a bouncer is told, and taken for what it is: what the operator lifts here is lifted.
    crowdsec.decide("add --ip 192.0.2.9 --duration 1h");
    until_listed(&proxy, "192.0.2.9");
    let lifted = proxy.setup.command(&["bans", "remove", "127.10.0.1"]);
    assert!(lifted.success, "{}", lifted.text);
    assert!(proxy.try_client(loopback(10, 1)).is_ok());

    // While it is away they wait, and its token may be another's.
    crowdsec.kill();
    touch_trap(&proxy, 10, 2);
    until_state(&proxy, "bans", "fails");
    crowdsec.start_again();
    wait::until("the ban is told", || told(&crowdsec).len() == 2);
    until_state(&proxy, "bans", "answers");
    let doctor = proxy.setup.command(&["doctor"]).text;
    assert!(doctor.contains("takes bans"), "{doctor}");
}

#[test]
fn over_https_decisions_come_and_bans_go_only_where_the_authority_is_the_right_one() {
    let (right, other) = (Authority::new(), Authority::new());
    let mut crowdsec = Crowdsec::start_https(&right);
    let backend = Impostor::start(Conduct::Honest);
    let mut setup = beside(&crowdsec).with("upstream.announce", "none");
    setup.set("upstream.addresses", vec![backend.address().to_string()]);
    let root = trust(&right, &setup);
    let proxy = setup.with("crowdsec.ca", root).start();
    crowdsec.decide("add --ip 192.0.2.1 --duration 1h");
    until_listed(&proxy, "192.0.2.1");
    touch_trap(&proxy, 12, 1);
    wait::until("the ban is told", || told(&crowdsec).len() == 1);

    // Somebody else answers in its place, as far as Gatepost can tell.
    crowdsec.kill();
    crowdsec.change_certificate(&other);
    crowdsec.start_again();
    crowdsec.decide("add --ip 192.0.2.2 --duration 1h");
    touch_trap(&proxy, 12, 2);
    let why_of = |part: &str| crowdsec_of(&proxy)[part]["reason"].to_string();
    for part in ["decisions", "bans"] {
        wait::until("the certificate is refused", || {
            why_of(part).contains("invalid peer certificate")
        });
    }
    assert!(is_listed(&proxy, "192.0.2.1"), "what was imported stays");
    assert!(!is_listed(&proxy, "192.0.2.2"), "nothing is imported");
    assert_eq!(told(&crowdsec).len(), 1, "nothing is told");

    // The authority is read anew each time.
    trust(&other, &proxy.setup);
    until_listed(&proxy, "192.0.2.2");
    wait::until("the ban is told", || told(&crowdsec).len() == 2);
}

#[test]
fn of_a_crowdsec_that_another_authority_has_signed_nothing_is_imported_and_the_log_says_why() {
    let crowdsec = Crowdsec::start_https(&Authority::new());
    crowdsec.decide("add --ip 192.0.2.1 --duration 1h");
    let setup = beside(&crowdsec);
    let root = trust(&Authority::new(), &setup);
    let proxy = setup.with("crowdsec.ca", root).start();
    let event = proxy.log().find("the certificate is refused", |event| {
        event
            .message()
            .contains("CrowdSec does not tell its decisions")
    });
    assert_eq!(&*event.level(), "WARN");
    let message = event.message();
    assert!(message.contains("invalid peer certificate"), "{message}");
    until_state(&proxy, "decisions", "fails");
    assert_eq!(crowdsec_of(&proxy)["in_force"], 0);
    assert!(!is_listed(&proxy, "192.0.2.1"));
}

#[test]
fn a_hundred_thousand_decisions_are_taken_and_a_stopped_crowdsec_keeps_no_login_waiting() {
    let crowdsec = Crowdsec::start();
    // Before: what is imported in parts while a bouncer asks, the LAPI does not tell it whole.
    crowdsec.import(100_000);
    let proxy = beside(&crowdsec).start();
    wait::until("all decisions are in force", || {
        crowdsec_of(&proxy)["in_force"] == 100_000
    });
    assert!(is_listed(&proxy, "16.1.134.159") && !is_listed(&proxy, "16.1.134.160"));
    let resident = proxy.resident_kib();
    assert!(resident < 200 * 1024, "{resident} KiB");
    crowdsec.signal(Signal::STOP);
    for host in 1..20 {
        assert!(proxy.try_client(loopback(11, host)).is_ok(), "{host}");
    }
    crowdsec.signal(Signal::CONT);
}

/// Plays a LAPI that gives each answer in turn, and the last one for ever.
fn play(answers: Vec<Vec<u8>>) -> PlayedLapi {
    play_with(move |stream, number| {
        let answer = &answers[number.min(answers.len() - 1)];
        // It may have been enough before.
        let _ = stream.write_all(answer);
    })
}

/// One that answers so, however often it is asked.
fn play_with(answer: impl Fn(&mut TcpStream, usize) + Send + 'static) -> PlayedLapi {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("its port").port();
    let asked = Arc::new(AtomicUsize::new(0));
    let heads = Arc::new(Mutex::new(Vec::new()));
    let (count, seen) = (Arc::clone(&asked), Arc::clone(&heads));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut head = [0; 4096];
            let octets = stream.read(&mut head).unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..octets]).into_owned();
            seen.lock().expect("the heads").push(head);
            answer(&mut stream, count.fetch_add(1, Ordering::SeqCst));
        }
    });
    let key = NamedTempFile::new().expect("a file for a key");
    fs::write(key.path(), "a-key\n").expect("write a key");
    PlayedLapi {
        port,
        asked,
        heads,
        key,
    }
}

/// A LAPI that is played.
struct PlayedLapi {
    port: u16,
    /// How often it was asked.
    asked: Arc<AtomicUsize>,
    /// What it was asked.
    heads: Arc<Mutex<Vec<String>>>,
    key: NamedTempFile,
}

impl PlayedLapi {
    fn asked_by(&self) -> Setup {
        asking(&format!("http://127.0.0.1:{}", self.port), self.key.path())
    }

    fn times_asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn answer(body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

#[test]
fn what_is_no_answer_of_a_lapi_changes_nothing_and_all_is_asked_for_again() {
    let good = r#"{"deleted":null,"new":[{"duration":"1h","id":1,"origin":"cscli","scenario":"x","scope":"Ip","type":"ban","value":"192.0.2.1"}]}"#;
    let played = play(vec![
        answer(good),
        answer("<html>It works!</html>"),
        answer(r#"{"deleted":null,"new":[{"value":1}]}"#),
        b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"deleted\":".to_vec(),
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n".to_vec(),
        answer(&good.replace("192.0.2.1", "192.0.2.2")),
    ]);
    let proxy = played.asked_by().start();
    until_listed(&proxy, "192.0.2.1");
    until_state(&proxy, "decisions", "fails");
    assert!(is_listed(&proxy, "192.0.2.1"));
    until_listed(&proxy, "192.0.2.2");
    assert!(
        !is_listed(&proxy, "192.0.2.1"),
        "all was asked for, and it is not among it"
    );
    assert!(played.times_asked() >= 7);
    let heads = played.heads.lock().expect("the heads");
    let whole: Vec<bool> = heads
        .iter()
        .map(|head| head.contains("startup=true"))
        .collect();
    assert_eq!(
        whole[..7],
        [true, false, true, true, true, true, true],
        "{heads:?}"
    );
    let head = heads[0].to_ascii_lowercase();
    assert!(head.contains("x-api-key: a-key\r\n"), "{head}");
    assert!(head.contains("user-agent: gatepost/"), "{head}");
}

#[test]
fn after_the_clock_was_set_all_decisions_are_asked_for_again() {
    let played = play(vec![answer(r#"{"deleted":null,"new":null}"#)]);
    let (setup, clock) = played.asked_by().with_other_clock(0);
    let _proxy = setup.start();
    let times_whole = || {
        let heads = played.heads.lock().expect("the heads");
        let whole = heads.iter().filter(|head| head.contains("startup=true"));
        whole.count()
    };
    wait::until("it asks for news", || played.times_asked() >= 3);
    assert_eq!(times_whole(), 1);
    clock.set(-40 * 24 * 3600);
    wait::until("it asks for all", || times_whole() == 2);
}

#[test]
fn an_answer_without_an_end_is_cut_off_and_takes_no_memory() {
    let played = play_with(|stream, _| {
        let mut more = b"HTTP/1.1 200 OK\r\n\r\n{\"deleted\":null,\"new\":[".to_vec();
        while stream.write_all(&more).is_ok() {
            more = vec![b' '; 65_536];
        }
    });
    let proxy = played.asked_by().start();
    until_state(&proxy, "decisions", "fails");
    let why = crowdsec_of(&proxy)["decisions"]["reason"].to_string();
    assert!(why.contains("more than 62914560 octets"), "{why}");
    wait::until("it is asked again", || played.times_asked() > 1);
    let grown = proxy.resident_kib();
    assert!(grown < 300 * 1024, "{grown} KiB");
}
