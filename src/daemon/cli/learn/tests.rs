//! tests - imports into a state, into a running gatepost, and with `--follow`

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread::{self, JoinHandle};

use super::*;
use crate::admin::message::{ImportStats, PastLogin, Request, Response};

fn args(folder: &Path, words: &[&str]) -> LearnArgs {
    #[derive(clap::Parser)]
    struct LearnCli {
        #[command(flatten)]
        args: LearnArgs,
    }
    let config = folder.join("gatepost.toml");
    let text = "[[tls.certificate]]\nchain = \"a\"\nkey = \"b\"\n[upstream]\naddresses = [\"127.0.0.1:10465\"]\n[capacity]\nclients = 10000\npairs = 1000\n[state]\ndirectory = \"state\"\n[admin]\nsocket = \"admin.sock\"\n";
    let text = text.replace("\"state\"", &format!("{:?}", folder.join("state")));
    let text = text.replace(
        "\"admin.sock\"",
        &format!("{:?}", folder.join("admin.sock")),
    );
    std::fs::write(&config, text).unwrap();
    let config = config.display().to_string();
    let all = ["learn", "--config", &config]
        .into_iter()
        .chain(words.iter().copied());
    <LearnCli as clap::Parser>::parse_from(all).args
}

fn log(folder: &Path, name: &str, lines: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, lines).unwrap();
    path.display().to_string()
}

const LINES: &str = "\
2026-11-24T04:00:00Z mx dovecot: imap-login: Login: user=<Alice>, method=PLAIN, rip=203.0.113.7, lip=192.0.2.1
2026-11-24T04:00:01Z mx dovecot: imap-login: Login: user=<alice>, method=PLAIN, rip=203.0.113.99, lip=192.0.2.1
2026-11-24T04:00:02Z mx postfix/smtpd[7]: connect from unknown[198.51.100.7]
2026-11-24T04:00:02Z mx postfix/smtpd[7]: 4F: client=unknown[198.51.100.7], sasl_method=PLAIN, sasl_username=alice
2026-11-24T04:00:03Z mx postfix/smtpd[8]: warning: unknown[198.51.100.7]: SASL LOGIN authentication failed: x, sasl_username=eve
2026-11-24T04:00:04Z mx dovecot: pop3-login: Logged in: user=<bob>, method=PLAIN, rip=2001:db8:1:2::9, lip=2001:db8::1
2026-11-24T04:00:05Z mx dovecot: imap-login: Login: user=<x>, method=PLAIN, rip=192.0.2.66, lip=192.0.2.1>, method=PLAIN, rip=203.0.113.7, lip=192.0.2.1
nonsense
";

/// Answers as a running gatepost; returns what was imported when the client disconnects.
fn gatepost(folder: &Path, questions: usize) -> JoinHandle<Vec<PastLogin>> {
    let listener = UnixListener::bind(folder.join("admin.sock")).unwrap();
    thread::spawn(move || {
        let mut imported = Vec::new();
        for _ in 0..questions {
            let (stream, _) = listener.accept().unwrap();
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            let Request::Learn { logins, .. } = serde_json::from_str(&line).unwrap() else {
                panic!("{line}");
            };
            let (pairs, users) = (logins.len() as u64, 1);
            imported.extend(logins);
            let imported = ImportStats {
                pairs,
                users,
                settling_ended: false,
                settling: false,
            };
            let answer = serde_json::to_string(&Response::Learnt(imported)).unwrap();
            writeln!(&stream, "{answer}").unwrap();
        }
        imported
    })
}

fn shown(logins: &[PastLogin]) -> Vec<String> {
    let line = |login: &PastLogin| format!("{} {} {}", login.user, login.address, login.at);
    logins.iter().map(line).collect()
}

#[test]
fn logins_are_imported_once_into_the_state_of_a_stopped_gatepost() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(folder.path(), "mail.log", LINES);
    for (pairs, users) in [(4, 3), (0, 0)] {
        let mut out = Vec::new();
        learn(&args(folder.path(), &["--json", &log]), &mut out).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            (&json["lines"], &json["unreadable"]),
            (&8.into(), &1.into())
        );
        assert_eq!((&json["logins"], &json["seen"]), (&5.into(), &4.into()));
        assert_eq!(
            (&json["pairs"], &json["users"]),
            (&pairs.into(), &users.into())
        );
    }
}

#[test]
fn a_running_gatepost_gets_the_latest_login_of_each_pair() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(folder.path(), "mail.log", LINES);
    let gatepost = gatepost(folder.path(), 1);
    let mut out = Vec::new();
    learn(&args(folder.path(), &[&log]), &mut out).unwrap();
    let expected = [
        "alice 203.0.113.99 1795492801",
        "alice 198.51.100.7 1795492802",
        "bob 2001:db8:1:2:: 1795492804",
        "x>, method=plain, rip=192.0.2.66, lip=192.0.2.1 203.0.113.7 1795492805",
    ];
    assert_eq!(shown(&gatepost.join().unwrap()), expected);
    assert!(!folder.path().join("state").exists());
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.starts_with("8 lines read, 1 of them could not be parsed, such as:\n    nonsense\n"),
        "{text}"
    );
    assert!(text.contains("5 logins by 4 pairs"), "{text}");
    assert!(text.ends_with("4 pairs newly familiar, 1 users newly known\n"));
}

#[test]
fn a_session_that_was_open_before_trust_was_taken_back_brings_none_back() {
    let folder = tempfile::tempdir().unwrap();
    let now = Clock::wall();
    let time = |ago: u64| {
        let at = i64::try_from((now - Duration::from_secs(ago)).as_seconds()).unwrap();
        jiff::Timestamp::from_second(at).unwrap()
    };
    let line = |ago: u64, pid: u32, rest: &str| {
        let time = time(ago);
        format!("{time} mx postfix/smtpd[{pid}]: {rest}\n")
    };
    let mail = |user: &str| {
        format!("4F: client=unknown[203.0.113.7], sasl_method=PLAIN, sasl_username={user}")
    };
    let lines = [
        line(660, 7, "connect from unknown[203.0.113.7]"),
        line(0, 7, &mail("anna")),
        line(300, 8, "connect from unknown[203.0.113.7]"),
        line(299, 8, &mail("bert")),
        line(0, 9, &mail("carl")),
    ];
    let mail_log = log(folder.path(), "mail.log", &lines.concat());
    let args = args(folder.path(), &["--json", &mail_log]);
    let (config, _) = Config::rules(&args.config).unwrap();
    let clock = Clock::start();
    let (mut store, gate) = crate::server::restore::restore(&config, clock.now()).unwrap();
    let taken_back = clock.at_date(now - Duration::from_secs(600));
    let users = ["anna", "bert", "carl"]
        .map(|name| gatepost_core::gate::request::attempt::UserName::new(name.as_bytes()));
    for user in &users {
        gate.revoke(user, None, taken_back, &mut Vec::new());
    }
    store.save(&gate, clock.now()).unwrap();
    drop(store);
    let mut out = Vec::new();
    learn(&args, &mut out).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
    let counts = ["logins", "undated", "pairs", "users"].map(|key| json[key].as_u64());
    assert_eq!(
        counts,
        [3, 1, 1, 3].map(Some),
        "of bert's network alone: {json}"
    );
}

#[test]
fn a_state_in_use_by_a_gatepost_that_does_not_answer_is_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(folder.path(), "mail.log", LINES);
    let args = args(folder.path(), &[&log]);
    let (config, _) = Config::rules(&args.config).unwrap();
    let held = crate::store::Store::open(&config.store).unwrap();
    let fault = learn(&args, &mut Vec::new()).unwrap_err().to_string();
    assert!(
        fault.contains("admin.sock") && fault.contains("in use"),
        "{fault}"
    );
    drop(held);
    learn(&args, &mut Vec::new()).unwrap();
}

#[test]
fn following_sends_new_logins_and_keeps_those_without_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let mail = log(folder.path(), "mail.log", LINES);
    let args = args(folder.path(), &["--follow", &mail]);
    let (config, _) = Config::rules(&args.config).unwrap();
    let mut out = Vec::new();
    let mut follower = follow::Follower::new(&args, &config, &mut out);
    let mut logs = follower.open(&args.logs).unwrap();
    follower.poll(&mut logs);
    follower.import_new();
    // There was no answer. The log is rotated, and grows.
    std::fs::rename(&mail, folder.path().join("mail.log.1")).unwrap();
    let more = LINES.lines().nth(5).unwrap().replace("bob", "carol");
    log(folder.path(), "mail.log", &format!("{more}\n"));
    follower.poll(&mut logs);
    let gatepost = gatepost(folder.path(), 1);
    follower.import_new();
    follower.import_new();
    let imported = shown(&gatepost.join().unwrap());
    assert_eq!(imported.len(), 5, "{imported:?}");
    assert!(
        imported.contains(&"carol 2001:db8:1:2:: 1795492804".to_owned()),
        "{imported:?}"
    );
    drop(follower);
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.starts_with("9 lines read, 1 of them could not be parsed\n6 logins by 5 pairs"),
        "{text}"
    );
}

#[test]
fn standard_input_is_imported_as_it_arrives_and_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let args = args(folder.path(), &["--follow", "-"]);
    let (config, _) = Config::rules(&args.config).unwrap();
    let mut out = Vec::new();
    let (input, mut sender) = std::io::pipe().unwrap();
    let writing = thread::spawn(move || {
        for piece in LINES.as_bytes().chunks(50) {
            sender.write_all(piece).unwrap();
        }
    });
    follow::Follower::new(&args, &config, &mut out)
        .follow_input(&mut std::os::fd::OwnedFd::from(input).into())
        .unwrap();
    writing.join().unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.contains("8 lines read") && text.contains("4 pairs newly familiar"),
        "{text}"
    );
}

#[test]
fn logs_in_which_nothing_is_learnt_say_why_and_a_damaged_one_does_not_keep_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let lines: Vec<&str> = LINES.lines().collect();
    let learnt = |text: &str| {
        let log = log(folder.path(), "mail.log", text);
        let mut out = Vec::new();
        let learning = learn(&args(folder.path(), &["--json", &log]), &mut out).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        (learning, json["not_understood"].as_u64().unwrap())
    };
    for text in ["", "nonsense\n", lines[4], "Nov 24 04:00:00 mx kernel: x\n"] {
        assert_eq!(learnt(text), (Learning::Lacking, 0), "{text}");
    }
    assert_eq!(learnt("x sasl_username=bob"), (Learning::Lacking, 1));
    assert_eq!(learnt(lines[0]), (Learning::Whole, 0));

    // Unpacked in part, and named; the other log is learnt.
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(LINES.repeat(100).as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let damaged = folder.path().join("mail.log.2.gz");
    std::fs::write(&damaged, &packed[..packed.len() / 2]).unwrap();
    let whole = log(folder.path(), "mail.log", &lines[5].replace("bob", "dora"));
    let gatepost = gatepost(folder.path(), 1);
    let logs = [damaged.to_str().unwrap(), &whole];
    let learning = learn(&args(folder.path(), &logs), &mut Vec::new()).unwrap();
    assert_eq!(learning, Learning::Lacking);
    let imported = shown(&gatepost.join().unwrap());
    assert!(
        imported.iter().any(|login| login.starts_with("dora ")),
        "{imported:?}"
    );
    let missing = args(folder.path(), &["no-such.log", &whole]);
    assert!(learn(&missing, &mut Vec::new()).is_err());
}

#[test]
fn a_followed_log_may_be_missing_or_unreadable_for_a_while_and_what_is_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail.log");
    let name = path.display().to_string();
    let args = args(folder.path(), &["--follow", "--json", &name]);
    let (config, _) = Config::rules(&args.config).unwrap();
    let mut out = Vec::new();
    let mut follower = follow::Follower::new(&args, &config, &mut out);
    let mut logs = follower.open(&args.logs).unwrap();
    follower.poll(&mut logs);
    log(folder.path(), "mail.log", LINES);
    follower.poll(&mut logs);
    // A log that cannot be opened.
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    follower.poll(&mut logs);
    follower.poll(&mut logs);
    assert!(follower.open(&args.logs).is_err());
    std::fs::remove_dir(&path).unwrap();
    log(
        folder.path(),
        "mail.log",
        &LINES.lines().nth(5).unwrap().replace("bob", "carol"),
    );
    follower.poll(&mut logs);
    std::fs::write(&path, "").unwrap();
    follower.poll(&mut logs);
    log(
        folder.path(),
        "mail.log",
        &(LINES.lines().nth(5).unwrap().replace("bob", "dora") + "\n"),
    );
    follower.poll(&mut logs);
    let gatepost = gatepost(folder.path(), 1);
    follower.import_new();
    let imported = shown(&gatepost.join().unwrap());
    for user in ["alice ", "bob ", "dora "] {
        assert!(
            imported.iter().any(|login| login.starts_with(user)),
            "{user} {imported:?}"
        );
    }
    drop(follower);
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str::<serde_json::Value>(&text).unwrap();
}

#[test]
fn what_standard_input_has_brought_is_sent_again_while_it_is_silent() {
    let folder = tempfile::tempdir().unwrap();
    let args = args(folder.path(), &["--follow", "-"]);
    let (config, _) = Config::rules(&args.config).unwrap();
    let (input, mut sender) = std::io::pipe().unwrap();
    sender.write_all(LINES.as_bytes()).unwrap();
    // Nobody answers at first: the gate is not there. The sender lives on, and says nothing.
    let running = thread::spawn(move || {
        let mut out = Vec::new();
        let mut follower = follow::Follower::new(&args, &config, &mut out);
        follower
            .follow_input(&mut std::os::fd::OwnedFd::from(input).into())
            .map_err(|fault| fault.to_string())
    });
    let gatepost = gatepost(folder.path(), 1);
    assert_eq!(gatepost.join().unwrap().len(), 4);
    drop(sender);
    running.join().unwrap().unwrap();
}

#[test]
fn standard_input_beside_a_log_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let args = args(folder.path(), &["--follow", "-", "mail.log"]);
    assert!(learn(&args, &mut Vec::new()).is_err());
}
