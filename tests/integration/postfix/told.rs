//! told - notices, by a real program and a real HTTP server, of what really happens
//!
//! Not here: how often (`daemon::server::notify`), what is one (`daemon::history`).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde_json::Value;
use toml::Value as Setting;

use crate::kit::client::loopback;
use crate::kit::mail::{ANNA, Mail, User};
use crate::kit::proxy::{Proxy, Setup};
use crate::kit::redis::Redis;
use crate::kit::wait;

/// A web server that answers `reply` to each POST; and its address.
fn web_server(reply: &'static str) -> (String, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let (sender, received) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).expect("a line");
                if let Some(value) = line.strip_prefix("Content-Length: ") {
                    length = value.trim().parse().expect("a number");
                }
                head += &line;
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("the body");
            let body = serde_json::from_slice(&body).expect("JSON");
            if sender.send((head, body)).is_err() {
                return;
            }
            let mut stream = stream;
            let _ = write!(stream, "HTTP/1.1 {reply}\r\nContent-Length: 0\r\n\r\n");
        }
    });
    (format!("http://{address}/hook"), received)
}

/// A program that keeps what it was told, in the setup's folder.
fn program(setup: &Setup, script: &str) -> String {
    let path = setup.write("tell", &format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("its mode");
    path.display().to_string()
}

fn with_command(setup: Setup, words: &[&str]) -> Setup {
    let words = words
        .iter()
        .map(|word| Setting::from(*word))
        .collect::<Vec<_>>();
    setup.with("notices.command", words)
}

fn log_in(proxy: &Proxy, net: u8, user: User<'_>) -> Option<u16> {
    let mut client = proxy.try_client(loopback(net, 1)).ok()?;
    Some(client.try_log_in(user).ok()?.code)
}

#[test]
fn a_backend_that_is_away_and_back_is_told_to_program_and_webhook() {
    let mut mail = Mail::start();
    let (url, posted) = web_server("204 No Content");
    let setup = Setup::before(&mail).with("notices.webhook", url);
    let kept = setup.folder().join("told");
    let script = format!(
        "cat > {0}.json; echo \"$GATEPOST_EVENT $1\" >> {0}",
        kept.display()
    );
    let path = program(&setup, &script);
    let proxy = with_command(setup, &[&path, "$(id) `id`"]).start();
    assert_eq!(log_in(&proxy, 65, ANNA), Some(235));
    mail.stop_postfix();
    let told = |part: &str| {
        // Who tries finds it sooner than the probe.
        let _ = log_in(&proxy, 65, ANNA);
        std::fs::read_to_string(&kept).is_ok_and(|text| text.contains(part))
    };
    wait::until("it is told", || told("backend-unusable $(id) `id`"));
    mail.start_postfix();
    wait::until("and its end", || told("backend-usable"));
    let (head, body) = posted.recv().expect("a post");
    assert!(
        head.starts_with("POST /hook HTTP/1.1\r\nHost: 127.0.0.1:"),
        "{head}"
    );
    assert_eq!(body["event"], "backend-unusable");
    assert!(
        body["text"].is_string() && body["host"] == crate::kit::proxy::NAME,
        "{body}"
    );
    assert_eq!(posted.recv().expect("another").1["event"], "backend-usable");
    let json = std::fs::read(kept.with_extension("json")).expect("its standard input");
    let json: Value = serde_json::from_slice(&json).expect("JSON");
    assert!(json["at"].is_string(), "{json}");
}

#[test]
fn a_machine_that_is_cut_off_from_its_cluster_and_back_is_told_once() {
    let mail = Mail::start();
    let mut redis = Redis::start();
    let (url, posted) = web_server("200 OK");
    let machines: Vec<Setting> = vec!["mx1".into(), "mx2".into()];
    let proxy = Setup::before(&mail)
        .with("notices.webhook", url)
        .with("cluster.machines", machines)
        .with("cluster.name", "mx1")
        .with("cluster.store", redis.address())
        .start();
    let state = || proxy.status()["cluster"]["store"]["state"].take();
    wait::until("it lends", || state() == "lends");
    redis.kill();
    let next = |what: &str| wait::find(what, || posted.try_recv().ok()).1;
    let body = next("that it is cut off");
    assert_eq!(body["event"], "cluster-cut-off");
    assert_eq!(body["subject"], "mx1");
    redis.restart_empty();
    let body = next("that it is back");
    assert_eq!(body["event"], "cluster-connected");
    assert!(posted.try_recv().is_err(), "and no more");
}

#[test]
fn a_test_notice_arrives_or_says_why_it_did_not() {
    let test = |proxy: &Proxy| proxy.setup.command(&["notices", "test"]);
    let proxy = Setup::new("127.0.0.1:9").start();
    let ran = test(&proxy);
    assert!(
        ran.code == Some(2) && ran.text.contains("neither"),
        "{}",
        ran.text
    );

    let (url, posted) = web_server("200 OK");
    let proxy = Setup::new("127.0.0.1:9")
        .with("notices.webhook", url)
        .start();
    let ran = test(&proxy);
    assert!(ran.success && ran.text.contains("was sent"), "{}", ran.text);
    wait::until("it arrives", || {
        posted
            .try_recv()
            .is_ok_and(|(_, body)| body["event"] == "test")
    });

    let (url, _posted) = web_server("404 Not Found");
    let proxy = Setup::new("127.0.0.1:9")
        .with("notices.webhook", url)
        .start();
    let ran = test(&proxy);
    assert!(
        ran.code == Some(2) && ran.text.contains("404 Not Found"),
        "{}",
        ran.text
    );

    let setup = Setup::new("127.0.0.1:9");
    let path = program(&setup, "exit 7");
    let proxy = with_command(setup, &[&path]).start();
    let ran = test(&proxy);
    assert!(
        ran.code == Some(2) && ran.text.contains("exit status: 7"),
        "{}",
        ran.text
    );
}

#[test]
fn a_program_that_does_not_end_is_killed_and_holds_up_nobody() {
    let mail = Mail::start();
    let setup = Setup::before(&mail);
    let kept = setup.folder().join("pid");
    let script = format!("sleep 1000 & echo $! > {}; wait", kept.display());
    let path = program(&setup, &script);
    let proxy = with_command(setup, &[&path]).start();
    thread::scope(|scope| {
        let asked = scope.spawn(|| proxy.setup.command(&["notices", "test"]));
        wait::until("it runs", || {
            kept.metadata().is_ok_and(|found| found.len() > 0)
        });
        assert_eq!(log_in(&proxy, 65, ANNA), Some(235));
        let ran = asked.join().expect("the command");
        assert!(ran.text.contains("longer than 10 s"), "{}", ran.text);
    });
    let pid = std::fs::read_to_string(&kept).expect("its id");
    let process = format!("/proc/{}", pid.trim());
    wait::until("it is gone", || {
        let status = std::fs::read_to_string(format!("{process}/stat"));
        status.is_err() || status.is_ok_and(|text| text.contains(") Z "))
    });
}

#[test]
fn a_stolen_account_a_refusal_at_home_and_a_banned_network_are_told_by_their_names() {
    let mail = Mail::start();
    let setup = Setup::before(&mail).with("limits.familiar.burst", 2);
    let kept = setup.folder().join("told");
    let script = format!(
        "echo \"$GATEPOST_EVENT $GATEPOST_SUBJECT\" >> {}",
        kept.display()
    );
    let path = program(&setup, &script);
    let proxy = with_command(setup, &[&path]).start();
    let told = || std::fs::read_to_string(&kept).unwrap_or_default();
    let is_told = |line: &str| told().lines().any(|one| one == line);

    for net in 65..70 {
        assert_eq!(log_in(&proxy, net, ANNA), Some(235));
    }
    let guesses = (0..3).map(|n| format!("Birnbaum1{n}Kirsche"));
    let answers: Vec<_> = guesses
        .map(|password| log_in(&proxy, 65, User(ANNA.0, &password)))
        .collect();
    assert_eq!(answers, [Some(535), Some(535), Some(454)]);
    let refused = format!("familiar-refused {}", ANNA.0);
    wait::until("the refusal is told", || is_told(&refused));
    assert!(!told().contains("many-networks"), "five: {}", told());
    assert_eq!(log_in(&proxy, 70, ANNA), Some(235));
    let stolen = format!("many-networks {}", ANNA.0);
    wait::until("six networks are told", || is_told(&stolen));

    for last in 1..6 {
        // The last ones find the network banned.
        if let Ok(mut client) = proxy.try_client(loopback(80, last)) {
            let _ = client.try_log_in(User("root", "x"));
        }
    }
    wait::until("the ban is told", || {
        is_told("network-banned 127.80.0.0/24")
    });
    assert_eq!(told().lines().count(), 3, "each once: {}", told());
}

#[test]
fn a_certificate_that_has_expired_is_told_of_at_the_start() {
    let (url, posted) = web_server("200 OK");
    let setup = Setup::new("127.0.0.1:9").with("notices.webhook", url);
    let expired = setup.authority().sign_expired(&["mail.example.org"]);
    setup.write("chain.pem", &expired.chain);
    setup.write("key.pem", &expired.key);
    let _proxy = setup.start();
    wait::until("it is told", || {
        posted.try_recv().is_ok_and(|(_, body)| {
            body["event"] == "certificate-due" && body["subject"] == "mail.example.org"
        })
    });
}
