//! history - old logs of every form to login attempts, by the crate's public face
//!
//! Excerpts in `tests/logs`, and generated logs of which the truth is known.
//! Not here: single lines and hostile names (the parsers' own tests).

use std::fs;
use std::path::Path;

use gatepost_core::gate::request::attempt::AuthOutcome;
use gatepost_core::logs::collector::LogCollector;
use gatepost_core::logs::{LoginHistory, Service};
use gatepost_core::moment::Moment;
use jiff::tz::TimeZone;

mod generated;

/// The zone of the excerpts, as POSIX writes it.
fn zone() -> TimeZone {
    TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
}

/// 2026-11-24T12:00:00Z: when the excerpts were last written.
const NEWEST: Moment = Moment::from_seconds(1_795_521_600);

fn read(logs: &[&str]) -> LoginHistory {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logs");
    let mut collector = LogCollector::new(zone());
    for log in logs {
        let text = fs::read(folder.join(log)).unwrap();
        collector.read(&*text, NEWEST, &mut |_| ()).unwrap();
    }
    collector.into_history()
}

/// One line a login: `04:21:17 smtp Accept alice@example.org 203.0.113.1`, in UTC.
fn told(history: &LoginHistory) -> Vec<String> {
    let line = |login: &gatepost_core::logs::LoggedAttempt| {
        let at =
            jiff::Timestamp::from_second(i64::try_from(login.at.as_seconds()).unwrap()).unwrap();
        let user = login.user.and_then(|id| history.names.get(id));
        let user = user.map_or("-".to_owned(), ToString::to_string);
        let (service, client) = (login.service.as_str(), login.client);
        format!(
            "{} {service} {:?} {user} {client}",
            at.strftime("%H:%M:%S"),
            login.outcome
        )
    };
    history.attempts.iter().map(line).collect()
}

#[track_caller]
fn check(logs: &[&str], expected: &str) {
    let history = read(logs);
    assert_eq!(history.stats.unreadable, 0, "{:?}", history.stats.sample);
    let expected: Vec<&str> = expected
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(sorted(told(&history)), sorted(expected), "{logs:?}");
}

/// Logs with and without fractions of a second order the lines of one second differently.
fn sorted<T: Ord>(mut lines: Vec<T>) -> Vec<T> {
    lines.sort();
    lines
}

/// What happened in the run that the excerpts are of: Postfix's and Dovecot's lines merged. Two failures at IMAP are missing:
/// their connection logged in in the end, so only a database has logged them.
const RUN: &str = r"
    03:21:17 smtp Accept alice@example.org 203.0.113.1
    03:21:17 smtp Accept bob 203.0.113.2
    03:21:18 smtp Reject bob 203.0.113.3
    03:21:18 smtp Reject nobody@example.org 203.0.113.4
    03:21:18 smtp Reject x,\x20sasl_username=alice@example.org 203.0.113.7
    03:21:18 smtp Reject y??nov\x2024\x2004:03:44\x20mx\x20postfix/smtpd[1]:\x20a1:\x20client=h[192.0.2.66]...(103 octets) 203.0.113.8
    03:21:18 smtp Reject z,192.0.2.66):\x20password\x20mismatch 203.0.113.9
    03:21:19 imap Accept alice@example.org 198.51.100.1
    03:21:19 imap Reject bob 198.51.100.3
    03:21:19 imap Reject x>,\x20method=plain,\x20rip=192.0.2.66,\x20lip=192.0.2.1,\x20mpid=9,\x20session...(68 octets) 198.51.100.4
    03:21:19 imap Reject a\x20b,\x20rip=192.0.2.66 198.51.100.5
    03:21:26 smtp Reject bob 203.0.113.4
    03:21:26 smtp Reject bob 203.0.113.3
    03:21:27 imap Reject bob 198.51.100.3
    03:21:39 imap Reject info 198.51.100.3
    03:21:39 imap Accept bob 198.51.100.2
";

#[test]
fn a_real_run_is_read_alike_from_every_form_of_log() {
    for log in [
        "mail-syslog.log",
        "mail-iso.log",
        "journal-short-iso.log",
        "journal.json",
    ] {
        check(&[log], RUN);
    }
    check(&["dovecot-2.3.log", "postfix-3.7.log"], RUN);
    check(&["postfix-3.7.log", "dovecot-2.3.log"], RUN);
    check(
        &["mail-syslog.log", "postfix-3.7.log", "mail-syslog.log"],
        RUN,
    );
}

#[test]
fn what_several_lines_told_of_one_attempt_is_counted() {
    let history = read(&["mail-syslog.log"]);
    assert_eq!((history.stats.lines, history.stats.events), (73, 37));
    // One line stands for three attempts.
    assert_eq!(
        (
            history.attempts.len(),
            history.merged,
            history.stats.same_session
        ),
        (16, 20, 1)
    );
}

#[test]
fn an_older_postfix_names_nobody_and_its_failures_count() {
    check(
        &["postfix-3.4.log"],
        "
        03:21:17 smtp Accept alice@example.org 203.0.113.1
        03:21:17 smtp Accept bob 203.0.113.2
        03:21:20 smtp Reject - 203.0.113.7
        03:21:20 smtp Reject - 203.0.113.8
        03:21:20 smtp Reject - 203.0.113.9
        03:21:22 smtp Reject - 203.0.113.3
        03:21:22 smtp Reject - 203.0.113.4
        03:21:28 smtp Reject - 203.0.113.4
        03:21:30 smtp Reject - 203.0.113.3
        ",
    );
    // Dovecot's log beside it names them.
    let history = read(&["postfix-3.4.log", "dovecot-2.3.log"]);
    let named = told(&history)
        .iter()
        .filter(|line| !line.contains(" - "))
        .count();
    assert_eq!((history.attempts.len(), named), (16, 16));
}

#[test]
fn other_versions_of_dovecot_and_pam_are_read() {
    check(
        &["dovecot-2.2.log"],
        "
        04:00:01 unknown Reject bob 203.0.113.21
        04:00:03 imap Reject info 203.0.113.22
        04:00:10 pop3 Reject test 203.0.113.23
        04:00:20 pop3 Accept alice 203.0.113.24
        ",
    );
    check(
        &["dovecot-2.4.log"],
        "
        05:00:01 smtp Reject info@example.org 203.0.113.31
        05:00:05 imap Reject bob 203.0.113.32
        05:00:10 imap Reject bob 203.0.113.32
        05:00:10 imap Reject bob 203.0.113.32
        05:00:20 sieve Reject user@example.org 203.0.113.33
        05:00:30 imap Accept alice 203.0.113.34
        05:00:31 submission Accept alice 203.0.113.34
        05:00:32 sieve Accept alice 2001:db8:1:2::/64
        ",
    );
    check(
        &["secure-centos.log"],
        r"
        06:00:01 unknown Reject informix 203.0.113.41
        06:00:05 unknown Reject bob 203.0.113.42
        06:00:07 unknown Reject x\x20rhost=192.0.2.66\x20\x20user=root 203.0.113.44
        ",
    );
}

#[test]
fn what_containers_and_other_syslogs_write_is_read() {
    check(
        &["no-host.log"],
        "
        04:20:55 smtp Accept alice@example.org 203.0.113.1
        04:20:58 imap Accept bob 203.0.113.24
        04:21:00 smtp Reject - 203.0.113.5
        04:21:05 imap Reject bob 203.0.113.6
        04:21:05 imap Reject bob 203.0.113.6
        ",
    );
    check(
        &["rfc5424.log"],
        "
        04:20:55 smtp Accept alice@example.org 203.0.113.1
        04:20:56 smtp Reject - 203.0.113.5
        04:20:57 imap Accept bob 203.0.113.24
        04:20:58 imap Reject bob 203.0.113.6
        04:20:58 imap Reject bob 203.0.113.6
        ",
    );
    check(
        &["containers.log"],
        "
        04:20:55 smtp Accept alice@example.org 203.0.113.1
        04:20:56 smtp Reject - 203.0.113.5
        04:20:57 smtp Accept bob 203.0.113.2
        04:20:58 smtp Reject info 203.0.113.7
        04:20:59 imap Accept carol 203.0.113.3
        04:21:00 imap Accept dave 203.0.113.4
        04:21:01 smtp Accept erin 203.0.113.8
        ",
    );
}

#[test]
fn an_outage_is_no_wrong_password() {
    check(
        &["outage.log"],
        "
        04:20:55 smtp Defer - 203.0.113.5
        04:20:56 smtp Defer - 203.0.113.5
        04:20:57 smtp Defer - 203.0.113.5
        04:20:58 smtp Reject bob 203.0.113.6
        ",
    );
}

#[test]
fn pam_is_read_whatever_its_service_is_called_and_two_modules_are_one_attempt() {
    check(
        &["secure-services.log"],
        "
        06:00:01 unknown Reject user1@example.org 203.0.113.41
        06:00:11 unknown Reject bob 203.0.113.42
        06:00:21 unknown Reject bob 203.0.113.43
        ",
    );
}

#[test]
fn with_two_databases_only_postfix_decides_in_any_order_of_files() {
    let [postfix, dovecot] = ["two-databases-postfix.log", "two-databases-dovecot.log"];
    let expected = "
        04:30:05 smtp Reject user1@example.org 203.0.113.1
        04:30:11 smtp Reject nobody@example.org 203.0.113.2
        04:30:25 smtp Accept user2@example.org 203.0.113.3
        04:30:25 smtp Accept user3@example.org 203.0.113.4
        ";
    check(&[postfix, dovecot], expected);
    check(&[dovecot, postfix], expected);
    // One of user4: nobody has said how it ended.
    assert_eq!(read(&[dovecot, postfix]).dropped, 1);
}

#[test]
fn packed_logs_of_several_parts_are_read() {
    for packed in ["xz", "zst", "bz2"] {
        check(
            &[&format!("two-parts.log.{packed}")],
            "
            03:20:55 smtp Accept alice@example.org 203.0.113.51
            03:21:00 smtp Reject - 203.0.113.52
            ",
        );
    }
}

#[test]
fn nobody_ever_comes_from_an_address_in_a_user_name() {
    for log in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logs")).unwrap() {
        let name = log.unwrap().file_name().into_string().unwrap();
        let imitated = "192.0.2.66".parse().unwrap();
        let history = read(&[&name]);
        assert!(
            history
                .attempts
                .iter()
                .all(|login| login.client != imitated),
            "{name}"
        );
    }
}

#[test]
fn a_generated_log_is_read_back_exactly_in_every_form() {
    let truth = generated::truth(2_000);
    for form in generated::Form::ALL {
        let log = generated::log(&truth, form);
        let mut collector = LogCollector::new(zone());
        collector
            .read(log.as_bytes(), generated::NEWEST, &mut |_| ())
            .unwrap();
        assert_told(&collector.into_history(), &truth);
    }
}

#[test]
fn a_generated_log_is_read_back_exactly_from_rotated_files_in_any_order() {
    let truth = generated::truth(2_000);
    let mut collector = LogCollector::new(zone());
    for part in truth.chunks(700).rev() {
        let log = generated::log(part, generated::Form::Classic);
        collector
            .read(log.as_bytes(), generated::NEWEST, &mut |_| ())
            .unwrap();
    }
    assert_told(&collector.into_history(), &truth);
}

#[test]
fn a_million_lines_are_counted() {
    const LINES: u64 = 1_000_000;
    let line = "Nov 24 04:03:44 mx postfix/smtpd[7]: warning: unknown[203.0.113.7]: SASL LOGIN authentication failed: UGFz\n\
                Nov 24 04:03:44 mx postfix/smtpd[7]: lost connection after AUTH from unknown[203.0.113.7]\n\
                Nov 24 04:03:44 mx postfix/qmgr[8]: 4FzQ: from=<alice@example.org>, size=181, nrcpt=1 (queue active)\n\
                Nov 24 04:03:45 mx dovecot: imap-login: Login: user=<bob>, method=PLAIN, rip=203.0.113.8, lip=192.0.2.1, mpid=9, TLS, session=<a>\n";
    let block = line.repeat(1_000);
    let mut log: Box<dyn std::io::Read> = Box::new(std::io::empty());
    for _ in 0..LINES / 4_000 {
        log = Box::new(std::io::Read::chain(
            log,
            std::io::Cursor::new(block.clone()),
        ));
    }
    let mut collector = LogCollector::new(zone());
    let mut last = 0;
    collector
        .read(log, NEWEST, &mut |lines| last = lines)
        .unwrap();
    assert_eq!(last, LINES / 8192 * 8192, "progress is told");
    let history = collector.into_history();
    assert_eq!(
        (history.stats.lines, history.stats.events),
        (LINES, LINES / 2)
    );
    assert_eq!(
        (history.attempts.len() as u64, history.merged),
        (LINES / 2, 0)
    );
    let failed = history
        .attempts
        .iter()
        .filter(|login| login.outcome == AuthOutcome::Reject);
    assert_eq!(failed.count() as u64, LINES / 4);
}

#[track_caller]
fn assert_told(history: &LoginHistory, truth: &[generated::Fact]) {
    assert_eq!(history.stats.unreadable, 0, "{:?}", history.stats.sample);
    let name = |login: &gatepost_core::logs::LoggedAttempt| {
        login.user.and_then(|id| history.names.get(id))
    };
    let mut told: Vec<String> = history
        .attempts
        .iter()
        .map(|login| {
            let user = name(login).unwrap();
            let accepted = login.outcome == AuthOutcome::Accept;
            let smtp = login.service == Service::Smtp;
            format!(
                "{} {user} {} {smtp} {accepted}",
                login.at.as_seconds(),
                login.client
            )
        })
        .collect();
    let mut expected: Vec<String> = truth.iter().map(generated::Fact::line).collect();
    told.sort();
    expected.sort();
    assert_eq!(told.len(), expected.len());
    for (told, expected) in told.iter().zip(&expected) {
        assert_eq!(told, expected);
    }
}

/// Runs the program; its exit code and what it printed, as JSON.
fn gatepost(words: &[&str]) -> (Option<i32>, serde_json::Value) {
    let run = std::process::Command::new(env!("CARGO_BIN_EXE_gatepost"))
        .args(words)
        .env("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        .output()
        .unwrap();
    let told = serde_json::from_slice(&run.stdout);
    let told = told.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&run.stderr)));
    (run.status.code(), told)
}

#[test]
fn the_program_learns_and_replays_a_real_log() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("gatepost.toml");
    let state = folder.path().join("state");
    let socket = folder.path().join("admin.sock");
    let text = format!(
        "[[tls.certificate]]\nchain = \"a\"\nkey = \"b\"\n[upstream]\naddresses = [\"127.0.0.1:10465\"]\n\
         [capacity]\nclients = 10000\n[state]\ndirectory = {state:?}\n[admin]\nsocket = {socket:?}\n"
    );
    fs::write(&config, text).unwrap();
    let config = config.display().to_string();
    let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logs/mail-syslog.log");
    let log = log.display().to_string();

    for (pairs, users) in [(4, 2), (0, 0)] {
        let (code, learnt) = gatepost(&["learn", "--json", "--config", &config, &log]);
        assert_eq!(code, Some(0));
        assert_eq!((&learnt["logins"], &learnt["seen"]), (&4.into(), &4.into()));
        assert_eq!(
            (&learnt["pairs"], &learnt["users"]),
            (&pairs.into(), &users.into())
        );
    }
    let (code, replayed) = gatepost(&["replay", "--json", "--config", &config, &log]);
    assert_eq!(code, Some(0));
    assert_eq!(
        (&replayed["attempts"], &replayed["successes"]),
        (&9.into(), &2.into())
    );
    assert_eq!(
        (&replayed["honest_refused"], &replayed["guesses"]),
        (&0.into(), &7.into())
    );
    assert_eq!(
        (&replayed["logs"]["lines"], &replayed["elsewhere"]["imap"]),
        (&73.into(), &7.into())
    );
}
