//! doors - one gate for every door of a real Dovecot: IMAP, POP3, ManageSieve and SMTP
//!
//! What counts is what Dovecot has checked, by its own log. Not here: the protocol, request by request (the daemon's
//! `auth_policy`), the rules under a simulated clock (`gate`).

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::kit::client::auth_plain;
use crate::kit::doors::{Door, Doors, SECRET, until_it_answers};
use crate::kit::mail::{ANNA, CARLA, Entry, NUMBERED, User, numbered};
use crate::kit::proxy::Proxy;
use crate::kit::siege::{ADDRESSES, REFILL, STRANGERS, UNKNOWN, attacker, home};
use crate::kit::wait;

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
    proxy.log_in(source, User(user, password))
}

/// Where a botnet tries its passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spread {
    SmtpAlone,
    EveryDoor,
}

/// A guess at the door whose turn it is.
fn attack(doors: &Doors, proxy: &Proxy, number: usize) {
    attack_at(Spread::EveryDoor, doors, proxy, number);
}

fn attack_at(spread: Spread, doors: &Doors, proxy: &Proxy, number: usize) {
    let (name, password) = guess(number);
    let from = attacker(number);
    match (spread, number % 5) {
        (Spread::SmtpAlone, _) | (_, 0 | 1) => drop(smtp(proxy, from, &name, &password)),
        (_, other) => drop(doors.log_in(Door::ALL[other - 2], from, User(&name, &password))),
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

fn tokens(proxy: &Proxy) -> BTreeMap<String, u64> {
    let status = proxy.status();
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
fn besieged(spread: Spread, doors: &Doors, proxy: &Proxy) -> usize {
    let (next, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|threads| {
        let (next, refused) = (&next, &refused);
        for _ in 0..WORKERS {
            threads.spawn(move || {
                loop {
                    match next.fetch_add(1, Ordering::Relaxed) {
                        number if number < ADDRESSES => attack_at(spread, doors, proxy, number),
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

/// The whole siege, and how many wrong passwords Dovecot has checked in it, by its own log.
#[track_caller]
fn siege(spread: Spread) -> usize {
    let doors = Doors::start("");
    let setup = doors.setup();
    learn_homes(&setup);
    let proxy = setup.start();
    until_it_answers(&proxy);
    let refused = besieged(spread, &doors, &proxy);
    assert_eq!(
        refused,
        0,
        "of {} right logins",
        HONEST_WORKERS * HONEST_LOGINS
    );
    let status = proxy.status();
    for door in ["smtp", "imap", "pop3", "sieve"] {
        let told = &status["doors"][door];
        assert!(told["accepted"].as_u64() >= Some(200), "{door}: {told}");
        if spread == Spread::EveryDoor {
            assert!(told["refused"].as_u64() > Some(50), "{door}: {told}");
        }
    }
    nobody_is_charged(&proxy);
    doors.wrong_passwords_checked()
}

#[test]
fn guessers_at_every_door_get_what_smtp_alone_would_give_and_the_users_all_get_in() {
    let checked = siege(Spread::EveryDoor);
    // No password is a word.
    let bound = STRANGERS + UNKNOWN + REFILL;
    assert!(
        checked <= bound,
        "{checked} wrong passwords were checked, the bound is {bound}"
    );
    let by_smtp = siege(Spread::SmtpAlone);
    assert!(
        by_smtp >= STRANGERS + UNKNOWN,
        "the siege is none: {by_smtp}"
    );
    assert!(
        checked <= by_smtp + REFILL,
        "{checked} over all doors, {by_smtp} by SMTP alone"
    );
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
    let counted = |name: &str| proxy.status()["counters"][name].as_u64().unwrap();
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

/// Right logins one after another, each at the next door, until `over`: how many.
fn users_until(over: &AtomicBool, doors: &Doors, worker: usize) -> usize {
    let mut logins = 0;
    while !over.load(Ordering::Relaxed) {
        let number = worker + logins * HONEST_WORKERS;
        let (name, password) = numbered(number % NUMBERED);
        let (door, from) = (Door::ALL[number % 3], home(number % NUMBERED));
        let answer = doors.log_in(door, from, User(&name, &password));
        assert!(answer.unwrap(), "{name} at {door:?}");
        logins += 1;
    }
    logins
}

/// Users log in at every door while `meanwhile` runs; how many times.
fn users_beside(doors: &Doors, meanwhile: impl FnOnce()) -> usize {
    let over = AtomicBool::new(false);
    thread::scope(|threads| {
        let over = &over;
        let workers: Vec<_> = (0..HONEST_WORKERS)
            .map(|worker| threads.spawn(move || users_until(over, doors, worker)))
            .collect();
        meanwhile();
        over.store(true, Ordering::Relaxed);
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .sum()
    })
}

/// Guesses from `numbers` at every door, some at a time.
fn guesses(doors: &Doors, proxy: &Proxy, numbers: Range<usize>) {
    let next = AtomicUsize::new(numbers.start);
    thread::scope(|threads| {
        for _ in 0..WORKERS / 2 {
            threads.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= numbers.end {
                        return;
                    }
                    attack(doors, proxy, number);
                }
            });
        }
    });
}

#[test]
fn killed_under_load_it_locks_no_user_out_and_comes_back_with_its_buckets() {
    let doors = Doors::start("");
    let setup = doors.setup();
    learn_homes(&setup);
    let mut proxy = setup.start();
    until_it_answers(&proxy);
    let mut before = BTreeMap::new();
    // Half of the buckets is spent, and users and guessers are in the middle of their logins when it is killed.
    let logins = users_beside(&doors, || {
        guesses(&doors, &proxy, 0..100);
        before = tokens(&proxy);
        thread::scope(|threads| {
            threads.spawn(|| guesses(&doors, &proxy, 100..160));
            proxy.signal(Signal::KILL);
        });
    });
    assert!(logins >= 20, "{logins}");
    let full = before["strangers"];
    assert!((1..STRANGERS as u64).contains(&full), "{before:?}");
    let logins = users_beside(&doors, || {
        proxy.kill_and_start();
        until_it_answers(&proxy);
    });
    assert!(logins >= 4, "{logins}");
    let after = tokens(&proxy);
    for (name, held) in &before {
        // What came back since, and what guesses took between the look and the kill.
        let least = held.saturating_sub(WORKERS as u64);
        assert!(
            (least..=held + 2).contains(&after[name]),
            "{name}: {} after {held}",
            after[name]
        );
    }
    let accepted = || proxy.status()["doors"]["imap"]["accepted"].as_u64();
    let asked = accepted();
    let (name, password) = numbered(1);
    // Dovecot tries a port where nobody listened again within a minute, and reports after the user has been answered.
    wait::until("Dovecot asks again", || {
        let login = doors.log_in(Door::Imap, home(1), User(&name, &password));
        assert!(login.unwrap());
        accepted() > asked
    });
    nobody_is_charged(&proxy);
}

#[test]
fn while_systemd_holds_the_port_a_restart_lets_no_login_pass_unjudged() {
    // Otherwise Dovecot would let a login pass after two seconds, in which a slow machine may not have started the next one.
    let doors = Doors::start("auth_policy_server_timeout_msecs = 60000");
    let setup = doors.setup().managed();
    learn_homes(&setup);
    let proxy = setup.start();
    let starts = || {
        let log = proxy.log().text();
        log.matches("listening for Dovecot's questions").count()
    };
    wait::until("the door for Dovecot", || starts() == 1);
    let logins = users_beside(&doors, || {
        proxy.signal(Signal::USR1);
        wait::until("the next one", || starts() == 2);
        let accepted = || proxy.status()["doors"]["imap"]["accepted"].as_u64();
        wait::until("logins at the next one", || accepted() >= Some(4));
    });
    assert!(logins >= 4, "{logins}");
    // So none was turned away, and none has waited for longer than Dovecot waits for an answer.
    let log = doors.mail.dovecot_log();
    let unanswered: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("Policy server HTTP error"))
        .collect();
    assert!(unanswered.is_empty(), "{unanswered:#?}");
}

#[test]
fn a_thousand_silent_or_slow_connections_keep_dovecot_from_nothing() {
    let doors = Doors::start("");
    let setup = doors.setup();
    learn_homes(&setup);
    let proxy = setup.start();
    until_it_answers(&proxy);
    let before = proxy.resident_kib();
    let half_a_body = {
        let head = "POST /?command=allow HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n\r\n";
        [head.as_bytes(), &[b'x'; 40_000]].concat()
    };
    let mut others = Vec::new();
    for number in 0..1_000 {
        let mut one = TcpStream::connect(doors.policy).unwrap();
        let _ = match number % 2 {
            0 => one.write_all(b"POST /?command=allow HTTP/1.1\r\nX-API-Key: "),
            _ => one.write_all(&half_a_body),
        };
        others.push(one);
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
    let limits = &proxy.status()["limits"];
    assert!(
        limits["policy-connections"].as_u64() >= Some(800),
        "{limits}"
    );
    let accepted = || proxy.status()["doors"]["imap"]["accepted"].as_u64();
    wait::until("the reports of ten logins", || accepted() >= Some(10));
}

/// The whole answer to one request at the port for Dovecot.
#[track_caller]
fn ask(doors: &Doors, command: &str, secret: &str, body: &[u8]) -> String {
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
}

fn question(login: &str) -> String {
    serde_json::json!({"login": login, "remote": "127.60.1.1", "protocol": "imap", "session_id": login, "pwhash": ""})
        .to_string()
}

/// None of this is in the log.
#[track_caller]
fn nothing_raw_is_logged(proxy: &Proxy) {
    let log = proxy.log().text();
    for raw in ["\0", "\u{1b}", "\u{202e}", "\u{fffd}", SECRET] {
        assert!(!log.contains(raw), "{raw:?} is in the log");
    }
}

#[test]
fn a_question_without_the_secret_is_refused_and_hostile_names_leave_nothing_raw_in_the_log() {
    let doors = Doors::start("");
    let proxy = doors.setup().start();
    until_it_answers(&proxy);
    let refused = ask(&doors, "allow", "another", question("anna").as_bytes());
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    let hostile = ["a\0b", "x\r\nverdict=accept", "\u{1b}[2J", "\u{202e}moc"];
    for login in hostile {
        for command in ["allow", "report"] {
            let answer = ask(&doors, command, SECRET, question(login).as_bytes());
            assert!(answer.contains("{\"status\":"), "{answer}");
        }
    }
    proxy.log().find("the hostile name", |event| {
        event.field("user") == "x\\x0d\\x0averdict=accept" && event.field("verdict") == "reject"
    });
    nothing_raw_is_logged(&proxy);
}

#[test]
fn whatever_octets_a_request_has_the_answer_is_a_number_and_the_memory_is_bounded() {
    let doors = Doors::start("");
    let proxy = doors.setup().start();
    until_it_answers(&proxy);
    let whole = question("anna@example.org");
    let with = |octets: &[u8]| {
        let (head, tail) = whole.as_bytes().split_at(whole.find("anna").unwrap());
        [head, octets, tail].concat()
    };
    let raw = [
        with(b"\0"),
        with(b"\r\nverdict=accept"),
        with(b"\xff\xfe\xc3("),
        with(b"\",\"status\":0,\"success\":true,\"login\":\"bert"),
        with(b"\\ud800"),
        [b"[".repeat(60_000), whole.clone().into_bytes()].concat(),
        Vec::new(),
    ];
    for body in &raw {
        for command in ["allow", "report"] {
            let answer = ask(&doors, command, SECRET, body);
            let told = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
            let told: Value = serde_json::from_str(told).unwrap();
            assert_eq!(told.as_object().unwrap().len(), 1, "{answer}");
            assert!(told["status"].as_i64().unwrap() <= 20, "{answer}");
        }
    }
    let megabyte = vec![b'x'; 1 << 20];
    let before = proxy.resident_kib();
    for _ in 0..50 {
        let answer = ask(&doors, "allow", SECRET, &megabyte);
        assert!(answer.ends_with("{\"status\":-1}"), "{answer}");
    }
    let grown = proxy.resident_kib().saturating_sub(before);
    assert!(grown < 16 * 1024, "{grown} KiB");
    nothing_raw_is_logged(&proxy);
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
