//! devices - a mail program that brings its TLS ticket back is familiar wherever it is
//!
//! With rustls's client and with `openssl s_client`, before a Gatepost whose strangers have no token left.
//! Not here: the bounds (`gate`), the tickets themselves (`net::tls`).

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use rustls::HandshakeKind;
use serde_json::Value;

use super::programs::{self, Job, Tls};
use crate::kit::client::{Client, Trust, auth_plain, loopback};
use crate::kit::mail::{ANNA, BERT, Mail, User};
use crate::kit::program::Ran;
use crate::kit::proxy::{NAME, Proxy, Setup};

/// Strangers share one token.
fn setup(mail: &Mail) -> Setup {
    let setup = Setup::before(mail).with("limits.strangers.burst", 1);
    let setup = setup.with("limits.strangers.every", "1d");
    setup.with("bans.strikes", 0)
}

/// A login from 127.`net`.0.1 with the tickets that `trust` keeps.
fn log_in(proxy: &Proxy, trust: &Trust, net: u8, user: User<'_>) -> (HandshakeKind, u16) {
    let mut client = Client::connect(loopback(net, 1), proxy.implicit()).expect("a connection");
    client.secure(trust, NAME).expect("a handshake");
    let code = client.try_log_in(user).expect("an answer").code;
    (client.handshake_kind(), code)
}

/// Botnets use up what strangers may take, at whatever accounts.
#[track_caller]
fn spray(proxy: &Proxy) {
    for net in 200..204 {
        let password = format!("Guess{net}of{net}many");
        log_in(proxy, &proxy.trust(), net, User(ANNA.0, &password));
    }
    let refused = log_in(proxy, &proxy.trust(), 204, ANNA);
    assert_eq!(
        refused,
        (HandshakeKind::Full, 454),
        "strangers have no token"
    );
}

/// Anna has logged in at home with her laptop; then strangers are refused.
fn travelling(mail: &Mail) -> (Proxy, Trust) {
    let proxy = setup(mail).start();
    let laptop = proxy.trust();
    assert_eq!(
        log_in(&proxy, &proxy.trust(), 129, BERT),
        (HandshakeKind::Full, 235)
    );
    assert_eq!(
        log_in(&proxy, &laptop, 130, ANNA),
        (HandshakeKind::Full, 235)
    );
    spray(&proxy);
    (proxy, laptop)
}

#[test]
fn a_laptop_gets_in_far_away_while_strangers_are_refused_also_after_a_reload_and_a_restart() {
    let mail = Mail::start();
    let (mut proxy, laptop) = travelling(&mail);
    assert_eq!(
        log_in(&proxy, &proxy.trust(), 140, ANNA).1,
        454,
        "without its ticket"
    );
    assert_eq!(
        log_in(&proxy, &laptop, 141, ANNA),
        (HandshakeKind::Resumed, 235)
    );
    proxy.log().find("on which grounds", |event| {
        event.field("verdict") == "accept" && event.field("reason") == "device"
    });
    proxy.setup.new_certificate();
    proxy.reload();
    proxy
        .log()
        .find("the reload", |event| event.message() == "reloaded");
    assert_eq!(
        log_in(&proxy, &laptop, 142, ANNA),
        (HandshakeKind::Resumed, 235)
    );
    proxy.restart();
    spray(&proxy);
    assert_eq!(
        log_in(&proxy, &laptop, 143, ANNA),
        (HandshakeKind::Resumed, 235)
    );
    proxy.kill_and_start();
    assert_eq!(
        log_in(&proxy, &laptop, 144, ANNA),
        (HandshakeKind::Resumed, 235)
    );
    assert_eq!(log_in(&proxy, &proxy.trust(), 145, ANNA).1, 454);
}

#[test]
fn a_thief_with_the_laptop_has_five_tries_wherever_it_goes() {
    let mail = Mail::start();
    let (mut proxy, laptop) = travelling(&mail);
    let before = mail.password_checks().len();
    for net in 150..170 {
        let password = format!("Thief{net}of{net}many");
        log_in(&proxy, &laptop, net, User(ANNA.0, &password));
        if net == 160 {
            proxy.kill_and_start();
        }
    }
    assert_eq!(mail.password_checks().len() - before, 5);
    assert_eq!(
        log_in(&proxy, &laptop, 171, ANNA),
        (HandshakeKind::Resumed, 454)
    );
    // As another user it never was anything.
    assert_eq!(
        log_in(&proxy, &laptop, 172, BERT),
        (HandshakeKind::Resumed, 454)
    );
}

#[test]
fn the_operator_sees_devices_and_takes_them_back() {
    let mail = Mail::start();
    let (proxy, laptop) = travelling(&mail);
    let ask = |words: &[&str]| {
        let ran = proxy.setup.command(words);
        assert_eq!(ran.code, Some(0), "{words:?}: {}", ran.text);
        ran.text
    };
    let told = ask(&["explain", ANNA.0]);
    assert!(
        told.contains("\ndevice      not back yet, last 20"),
        "{told}"
    );
    assert_eq!(log_in(&proxy, &laptop, 141, ANNA).1, 235);
    let told = ask(&["explain", ANNA.0]);
    assert!(told.contains("\ndevice      familiar, last 20"), "{told}");
    let told: Value = serde_json::from_str(&ask(&["explain", ANNA.0, "--json"])).unwrap();
    assert_eq!(told["devices"][0]["familiar"], true);
    let told: Value = serde_json::from_str(&ask(&["users", "--json"])).unwrap();
    assert!(
        told["users"]
            .as_array()
            .unwrap()
            .iter()
            .any(|user| user["devices"] == 1),
        "{told}"
    );
    let told: Value = serde_json::from_str(&ask(&["status", "--json"])).unwrap();
    // Bert's program was one, too, though it never came back.
    assert_eq!(told["devices"], 2);
    ask(&["forget", ANNA.0]);
    let told = ask(&["explain", ANNA.0]);
    assert!(!told.contains("\ndevice "), "{told}");
    ask(&["introduce", ANNA.0]);
    assert_eq!(
        log_in(&proxy, &laptop, 142, ANNA),
        (HandshakeKind::Resumed, 454)
    );
}

#[test]
fn in_tls_1_2_nothing_has_changed() {
    let mail = Mail::start();
    let proxy = setup(&mail).start();
    let laptop = Trust::tls12(proxy.setup.authority().roots());
    assert_eq!(
        log_in(&proxy, &laptop, 130, ANNA),
        (HandshakeKind::Full, 235)
    );
    spray(&proxy);
    assert_eq!(
        log_in(&proxy, &laptop, 141, ANNA),
        (HandshakeKind::Resumed, 454)
    );
    assert_eq!(
        log_in(&proxy, &laptop, 130, ANNA),
        (HandshakeKind::Resumed, 235),
        "at home"
    );
}

fn restart_after(proxy: &mut Proxy, act: impl FnOnce()) {
    proxy.terminate();
    proxy.ends_well();
    act();
    proxy.start_again();
}

#[test]
fn tickets_whose_keys_are_gone_or_damaged_lead_to_full_handshakes_and_a_line_in_the_log() {
    let mail = Mail::start();
    let (mut proxy, laptop) = travelling(&mail);
    let keys = proxy.setup.folder().join("state/tickets");
    restart_after(&mut proxy, || {
        fs::remove_file(&keys).expect("the keys of tickets")
    });
    assert_eq!(
        log_in(&proxy, &laptop, 141, ANNA),
        (HandshakeKind::Full, 454)
    );
    // The new ticket is another device.
    assert_eq!(
        log_in(&proxy, &laptop, 142, ANNA),
        (HandshakeKind::Resumed, 454)
    );
    restart_after(&mut proxy, || {
        fs::write(&keys, "these are no keys").expect("write")
    });
    proxy.log().find("what was wrong", |event| {
        event.field("why") == "it holds no keys of tickets"
    });
    assert_eq!(
        log_in(&proxy, &laptop, 143, ANNA),
        (HandshakeKind::Full, 454)
    );
    assert_eq!(
        log_in(&proxy, &proxy.trust(), 130, ANNA),
        (HandshakeKind::Full, 235)
    );
}

/// A login by `openssl s_client`, which keeps its session in a file.
fn by_openssl(proxy: &Proxy, net: u8, more: &[&str]) -> u16 {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-quiet", "-no_ign_eof", "-servername", NAME]);
    command.args(["-bind", &format!("127.{net}.0.1:0"), "-connect"]);
    command.arg(format!("127.0.0.1:{}", proxy.implicit().port()));
    command.args(more);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().expect("openssl");
    let mut to = child.stdin.take().expect("its input");
    let mut from = BufReader::new(child.stdout.take().expect("its output"));
    let mut reply = || {
        let mut line = String::new();
        while line.as_bytes().get(3) != Some(&b' ') {
            line.clear();
            assert_ne!(from.read_line(&mut line).expect("a line"), 0, "it ended");
        }
        line[..3].parse::<u16>().expect("a code")
    };
    assert_eq!(reply(), 220);
    write!(to, "EHLO laptop.example.net\r\n").expect("write");
    assert_eq!(reply(), 250);
    write!(to, "{}\r\n", auth_plain(ANNA)).expect("write");
    let code = reply();
    drop(to);
    child.wait().expect("its end");
    code
}

#[test]
fn openssl_with_its_session_in_a_file_is_such_a_device() {
    let mail = Mail::start();
    let proxy = setup(&mail).start();
    let session = proxy
        .setup
        .folder()
        .join("session.pem")
        .display()
        .to_string();
    assert_eq!(by_openssl(&proxy, 130, &["-sess_out", &session]), 235);
    spray(&proxy);
    assert_eq!(by_openssl(&proxy, 140, &[]), 454);
    assert_eq!(by_openssl(&proxy, 141, &["-sess_in", &session]), 235);
}

/// What a manual promises of them: each run is a new device.
#[test]
fn programs_that_are_started_for_each_mail_bring_no_ticket_back() {
    let mail = Mail::start();
    let proxy = Setup::before(&mail).start();
    let programs: [fn(&Job<'_>) -> Ran; 7] = [
        programs::swaks,
        programs::curl,
        programs::msmtp,
        programs::smtplib,
        programs::nodemailer,
        programs::net_smtp,
        programs::lettre,
    ];
    for send in programs {
        for _ in 0..2 {
            let ran = send(&Job {
                proxy: &proxy,
                tls: Tls::Implicit,
                mechanism: "PLAIN",
                user: ANNA,
                text: "From: <anna@example.org>\nTo: <someone@example.net>\nSubject: one of two\n\n\
                       It lies there.\n",
            });
            assert!(ran.success, "{}", ran.text);
        }
    }
    let ran = proxy.setup.command(&["explain", ANNA.0, "--json"]);
    let told: Value = serde_json::from_str(&ran.text).expect("JSON");
    let devices = told["devices"].as_array().expect("devices");
    assert_eq!(
        devices.len(),
        4,
        "of those that never came back so many are kept: {told}"
    );
    assert!(
        devices.iter().all(|one| one["came_back"] == false),
        "{told}"
    );
}
