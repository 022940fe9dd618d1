//! doors - one gate for every door of a real Dovecot: IMAP, POP3, ManageSieve and SMTP
//!
//! What counts is what Dovecot has checked, by its own log. Not here: the protocol, request by request (the daemon's
//! `auth_policy`), the rules under a simulated clock (`gate`).

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::kit::client::auth_plain;
use crate::kit::doors::{Door, Doors, SECRET, until_it_answers};
use crate::kit::mail::{ANNA, CARLA, Entry, NUMBERED, User, numbered};
use crate::kit::proxy::Proxy;
use crate::kit::siege::{ADDRESSES, REFILL, STRANGERS, UNKNOWN, WORDS, attacker, home};

const WORKERS: usize = 12;
const HONEST_WORKERS: usize = 4;
const HONEST_LOGINS: usize = 250;

/// Unique passwords of users, and names that nobody has.
fn guess(number: usize) -> (String, String) {
    let (user, _) = numbered(number % NUMBERED);
    match number % 4 {
        0..3 => (user, format!("Zx{number}unique{}q", number * 31)),
        _ => (
            format!("nobody{number}@example.org"),
            format!("Zx{number}other{number}q"),
        ),
    }
}

fn learn_homes(setup: &crate::kit::proxy::Setup) {
    let users: Vec<(String, IpAddr)> = (0..NUMBERED).map(|n| (numbered(n).0, home(n))).collect();
    let logins: Vec<(&str, IpAddr)> = users.iter().map(|(name, at)| (&**name, *at)).collect();
    setup.learn_yesterdays(&logins);
}

fn smtp(proxy: &Proxy, source: IpAddr, user: &str, password: &str) -> Option<u16> {
    let mut client = proxy.try_client(source).ok()?;
    client.try_reply().ok()?;
    client.try_say("EHLO laptop.example.net").ok()?;
    let reply = client.try_say(&auth_plain(User(user, password))).ok()?;
    client.try_say("QUIT").ok();
    Some(reply.code)
}

/// A guess at the door whose turn it is.
fn attack(doors: &Doors, proxy: &Proxy, number: usize) {
    let (name, password) = guess(number);
    let from = attacker(number);
    match number % 5 {
        0 | 1 => drop(smtp(proxy, from, &name, &password)),
        other => drop(doors.log_in(Door::ALL[other - 2], from, User(&name, &password))),
    }
}

/// A right login of a user at home, at the door whose turn it is.
fn honest(doors: &Doors, proxy: &Proxy, number: usize) -> bool {
    let user = number % NUMBERED;
    let (name, password) = numbered(user);
    match number % 4 {
        3 => smtp(proxy, home(user), &name, &password) == Some(235),
        other => doors
            .log_in(Door::ALL[other], home(user), User(&name, &password))
            .unwrap_or(false),
    }
}

#[track_caller]
fn status(proxy: &Proxy) -> Value {
    let ran = proxy.setup.command(&["status", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.text);
    serde_json::from_str(&ran.text).unwrap_or_else(|error| panic!("{error}: {}", ran.text))
}

fn tokens(proxy: &Proxy) -> BTreeMap<String, u64> {
    let status = status(proxy);
    let buckets = status["buckets"].as_array().expect("buckets").iter();
    buckets
        .map(|bucket| {
            (
                bucket["name"].as_str().unwrap().to_owned(),
                bucket["tokens"].as_u64().unwrap(),
            )
        })
        .collect()
}

/// All guessers and all users at once; how many right logins were refused.
fn besieged(doors: &Doors, proxy: &Proxy) -> usize {
    let (next, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|threads| {
        let (next, refused) = (&next, &refused);
        for _ in 0..WORKERS {
            threads.spawn(move || {
                loop {
                    match next.fetch_add(1, Ordering::Relaxed) {
                        number if number < ADDRESSES => attack(doors, proxy, number),
                        _ => break,
                    }
                }
            });
        }
        for worker in 0..HONEST_WORKERS {
            threads.spawn(move || {
                for round in 0..HONEST_LOGINS {
                    if !honest(doors, proxy, worker + round * HONEST_WORKERS) {
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    refused.into_inner()
}

/// The users' own buckets are full.
fn nobody_is_charged(proxy: &Proxy) {
    for user in 0..NUMBERED {
        let (name, at) = (numbered(user).0, home(user).to_string());
        let ran = proxy.setup.command(&["explain", &at, &name, "--json"]);
        let told: Value = serde_json::from_str(&ran.text).unwrap();
        let familiar = told["buckets"].as_array().unwrap().iter();
        let full = familiar
            .filter(|one| one["name"] == "familiar")
            .all(|one| one["tokens"] == one["burst"]);
        assert!(full, "{}", ran.text);
    }
}

#[test]
fn guessers_at_every_door_get_what_smtp_alone_would_give_and_the_users_all_get_in() {
    let doors = Doors::start("");
    let setup = doors.setup();
    learn_homes(&setup);
    let proxy = setup.start();
    until_it_answers(&proxy);
    let refused = besieged(&doors, &proxy);
    assert_eq!(
        refused,
        0,
        "of {} right logins",
        HONEST_WORKERS * HONEST_LOGINS
    );
    let checked = doors.wrong_passwords_checked();
    let bound = STRANGERS + UNKNOWN + WORDS + REFILL;
    assert!(
        checked <= bound,
        "{checked} wrong passwords were checked, the bound is {bound}"
    );
    assert!(checked >= UNKNOWN, "nothing was checked: {checked}");
    let status = status(&proxy);
    for door in ["smtp", "imap", "pop3", "sieve"] {
        let told = &status["doors"][door];
        assert!(told["accepted"].as_u64() >= Some(200), "{door}: {told}");
        assert!(told["refused"].as_u64() > Some(50), "{door}: {told}");
    }
    nobody_is_charged(&proxy);
}

#[test]
fn who_read_mail_there_sends_from_there_at_once_whatever_strangers_have_used_up() {
    let doors = Doors::start("");
    let setup = doors.setup();
    learn_homes(&setup);
    let proxy = setup.start();
    until_it_answers(&proxy);
    let (hotel, train): (IpAddr, IpAddr) =
        ("127.50.1.7".parse().unwrap(), "127.51.1.7".parse().unwrap());
    assert!(doors.log_in(Door::Imap, hotel, CARLA).unwrap());
    for number in 0..600 {
        let (name, password) = guess(4 * number);
        let _ = smtp(&proxy, attacker(number), &name, &password);
    }
    assert_eq!(
        smtp(&proxy, train, CARLA.0, CARLA.1),
        Some(454),
        "strangers are refused by now"
    );
    assert_eq!(smtp(&proxy, hotel, CARLA.0, CARLA.1), Some(235));
    for door in Door::ALL {
        assert!(doors.log_in(door, hotel, CARLA).unwrap(), "{door:?}");
    }
}

#[test]
fn what_gatepost_let_through_is_judged_once_and_what_another_postfix_asks_is_judged() {
    let doors = Doors::start("");
    let setup = doors.setup();
    setup.learn_yesterdays(&[(ANNA.0, "127.40.1.1".parse().unwrap())]);
    let proxy = setup.start();
    until_it_answers(&proxy);
    let home = "127.40.1.1".parse().unwrap();
    let counted = |name: &str| status(&proxy)["counters"][name].as_u64().unwrap();
    assert_eq!(smtp(&proxy, home, ANNA.0, "Holunder-1"), Some(535));
    assert_eq!((counted("attempts"), counted("rejected")), (1, 1));
    assert_eq!(smtp(&proxy, home, ANNA.0, ANNA.1), Some(235));
    assert_eq!((counted("attempts"), counted("accepted")), (2, 1));
    // The same wrong password at another door is known to be wrong: one hash for all.
    assert!(
        !doors
            .log_in(Door::Pop3, home, User(ANNA.0, "Holunder-1"))
            .unwrap()
    );
    assert_eq!((counted("attempts"), counted("repeated")), (3, 1));
    assert_eq!(doors.wrong_passwords_checked(), 1);
    // Another Postfix, which was told of no gate.
    let before = counted("attempts");
    let mut client =
        crate::kit::client::Client::connect(home, doors.mail.address(Entry::Plain)).unwrap();
    client.greet();
    client.expect(&auth_plain(User(ANNA.0, "Holunder-2")), 535);
    assert_eq!((counted("attempts"), counted("rejected")), (before + 1, 2));
}

#[test]
fn while_gatepost_is_away_logins_go_on_and_back_again_it_knows_what_was_spent() {
    let doors = Doors::start("");
    let setup = doors.setup();
    learn_homes(&setup);
    let mut proxy = setup.start();
    until_it_answers(&proxy);
    for number in 0..120 {
        attack(&doors, &proxy, number);
    }
    let before = tokens(&proxy);
    proxy.signal(Signal::KILL);
    // Two seconds for each of the two questions, and what Dovecot itself takes.
    let (name, password) = numbered(1);
    for door in Door::ALL {
        let began = std::fs::metadata("/proc/self").is_ok();
        assert!(
            began && doors.log_in(door, home(1), User(&name, &password)).unwrap(),
            "{door:?}"
        );
    }
    proxy.kill_and_start();
    until_it_answers(&proxy);
    let after = tokens(&proxy);
    for (name, held) in &before {
        assert!(
            after[name] <= held + 2,
            "{name}: {} after {held}",
            after[name]
        );
    }
    assert!(
        doors
            .log_in(Door::Imap, home(1), User(&name, &password))
            .unwrap()
    );
    assert!(
        status(&proxy)["doors"]["imap"]["accepted"].as_u64() >= Some(1),
        "Dovecot asks again"
    );
}

#[test]
fn a_thousand_silent_connections_keep_dovecot_from_nothing() {
    let doors = Doors::start("");
    let setup = doors.setup();
    learn_homes(&setup);
    let proxy = setup.start();
    until_it_answers(&proxy);
    let before = proxy.resident_kib();
    let mut silent = Vec::new();
    for number in 0..1_000 {
        let mut one = TcpStream::connect(doors.policy).unwrap();
        let _ = one.write_all(b"POST /?command=allow HTTP/1.1\r\nX-API-Key: ");
        silent.push(one);
        if number % 100 == 0 {
            let (name, password) = numbered(2);
            assert!(
                doors
                    .log_in(Door::Imap, home(2), User(&name, &password))
                    .unwrap()
            );
        }
    }
    let grown = proxy.resident_kib().saturating_sub(before);
    assert!(grown < 32 * 1024, "{grown} KiB");
    let limits = &status(&proxy)["limits"];
    assert!(
        limits["policy-connections"].as_u64() >= Some(800),
        "{limits}"
    );
    assert!(status(&proxy)["doors"]["imap"]["accepted"].as_u64() >= Some(10));
}

#[test]
fn a_question_without_the_secret_is_refused_and_hostile_ones_leave_nothing_raw_in_the_log() {
    let doors = Doors::start("");
    let proxy = doors.setup().start();
    until_it_answers(&proxy);
    let ask = |command: &str, secret: &str, body: &[u8]| {
        let mut stream = TcpStream::connect(doors.policy).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let head = format!(
            "POST /?command={command} HTTP/1.1\r\nHost: x\r\nX-API-Key: {secret}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let body = |login: &str| {
        serde_json::json!({"login": login, "remote": "127.60.1.1", "protocol": "imap", "session_id": login, "pwhash": ""})
            .to_string()
    };
    assert!(ask("allow", "another", body("anna").as_bytes()).starts_with("HTTP/1.1 401 "));
    let hostile = ["a\0b", "x\r\nverdict=accept", "\u{1b}[2J", "\u{202e}moc"];
    for login in hostile {
        for command in ["allow", "report"] {
            let answer = ask(command, SECRET, body(login).as_bytes());
            assert!(answer.contains("{\"status\":"), "{answer}");
        }
    }
    let megabyte = vec![b'x'; 1 << 20];
    assert!(ask("allow", SECRET, &megabyte).ends_with("{\"status\":-1}"));
    proxy.log().find("the hostile name", |event| {
        event.field("user") == "x\\x0d\\x0averdict=accept" && event.field("verdict") == "reject"
    });
    let log = proxy.log().text();
    for raw in ["\0", "\u{1b}", "\u{202e}", SECRET] {
        assert!(!log.contains(raw), "{raw:?} is in the log");
    }
}

#[test]
fn setup_writes_what_dovecot_needs_for_root_only_what_is_secret_and_the_doctor_sees_it() {
    let doors = Doors::start("");
    let folder = doors.mail.dovecot_settings().with_file_name("copy");
    std::fs::create_dir(&folder).unwrap();
    let settings = folder.join("dovecot.conf");
    std::fs::write(&settings, "!include_try conf.d/*.conf\n").unwrap();
    let (postfix, dovecot) = (
        doors.mail.postfix_config().display().to_string(),
        settings.display().to_string(),
    );
    let backup = folder.join("backup").display().to_string();
    let proxy = doors.setup().start();
    until_it_answers(&proxy);
    let run = |words: &[&str]| {
        let places = ["--postfix-config", &postfix, "--dovecot-config", &dovecot];
        proxy.setup.command(&[words, &places].concat())
    };
    let doctor = || {
        let told = run(&["doctor"]).text;
        let about: Vec<String> = told
            .lines()
            .filter(|line| line.contains("auth-policy"))
            .map(ToOwned::to_owned)
            .collect();
        about.join("\n")
    };
    let told = doctor();
    assert!(
        told.contains("WRONG") && told.contains("it asks nobody"),
        "{told}"
    );
    let applied = run(&["setup", "--apply", "--backup", &backup]);
    assert_eq!(applied.code, Some(0), "{}", applied.text);
    let secrets = folder.join("gatepost-policy.conf.ext");
    let mode = std::os::unix::fs::PermissionsExt::mode(&secrets.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let all = std::fs::read_to_string(folder.join("conf.d/99-gatepost.conf")).unwrap();
    assert!(!all.contains(SECRET), "{all}");
    let told = doctor();
    assert!(
        told.contains("Dovecot asks Gatepost") && told.contains("Dovecot has the secret"),
        "{told}"
    );
    assert!(!told.contains("WRONG"), "{told}");
    // Another user's program can read the rest of Dovecot's settings.
    let asked = std::process::Command::new("setpriv")
        .args([
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "doveconf",
            "-c",
            &dovecot,
            "auth_policy_server_url",
        ])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&asked.stdout);
    assert!(
        said.contains("http://127.0.0.1:"),
        "{said}{}",
        String::from_utf8_lossy(&asked.stderr)
    );
    let text = std::fs::read_to_string(&secrets).unwrap();
    std::fs::write(&secrets, text.replace(SECRET, "another-secret-than-that")).unwrap();
    let told = doctor();
    assert!(told.contains("another secret"), "{told}");
    let undone = run(&["setup", "--undo", "--backup", &backup]);
    assert_ne!(undone.code, Some(0), "it was changed by hand");
    std::fs::write(&secrets, text).unwrap();
    let undone = run(&["setup", "--undo", "--backup", &backup]);
    assert_eq!(undone.code, Some(0), "{}", undone.text);
    assert!(!secrets.exists());
}

#[test]
fn a_master_login_is_counted_for_the_master_whose_password_it_is() {
    let doors = Doors::start(
        "auth_master_user_separator = *
         passdb {
           driver = passwd-file
           args = {folder}/masters
           master = yes
         }",
    );
    let masters = doors.mail.dovecot_settings().with_file_name("masters");
    std::fs::write(masters, "keeper:{PLAIN}Schlehe8Hagebutte\n").unwrap();
    let proxy = doors.setup().with("names.master-separator", "*").start();
    until_it_answers(&proxy);
    let from = "127.52.1.7".parse().unwrap();
    let name = format!("{}*keeper", ANNA.0);
    assert!(
        !doors
            .log_in(Door::Imap, from, User(&name, "Schlehe9Falsch"))
            .unwrap()
    );
    assert!(
        doors
            .log_in(Door::Imap, from, User(&name, "Schlehe8Hagebutte"))
            .unwrap()
    );
    for verdict in ["reject", "accept"] {
        let event = proxy
            .log()
            .find(verdict, |event| event.field("verdict") == verdict);
        let told = (event.field("user"), event.field("door"));
        assert_eq!(told, ("keeper".to_owned(), "imap".to_owned()));
    }
    let ran = proxy.setup.command(&["explain", "keeper", "--json"]);
    let told: Value = serde_json::from_str(&ran.text).unwrap();
    assert_eq!(told["known"], true, "{}", ran.text);
}
