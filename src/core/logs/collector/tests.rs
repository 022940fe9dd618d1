//! tests - of whole logs: gzip, order, copies, long lines, years

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

const NEWEST: Moment = Moment::from_seconds(1_795_564_800); // 2026-11-25

fn gz(text: &str) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

fn failed(time: &str, user: &str) -> String {
    format!(
        "{time} mx postfix/smtpd[7]: warning: unknown[203.0.113.7]: SASL PLAIN authentication failed: x, sasl_username={user}\n"
    )
}

fn history(logs: &[&[u8]]) -> LoginHistory {
    let mut collector = LogCollector::new(TimeZone::UTC);
    for log in logs {
        collector.read(*log, NEWEST, &mut |_| ()).unwrap();
    }
    collector.into_history()
}

fn users(history: &LoginHistory) -> Vec<String> {
    let name = |attempt: &super::super::LoggedAttempt| {
        history
            .names
            .get(attempt.user.unwrap())
            .unwrap()
            .to_string()
    };
    history.attempts.iter().map(name).collect()
}

#[test]
fn a_gzipped_log_of_several_members_is_read_like_a_plain_one() {
    let (one, two) = (
        failed("Nov 24 04:00:00", "a"),
        failed("Nov 24 04:01:00", "b"),
    );
    let packed = [gz(&one), gz(""), gz(&two)].concat();
    assert_eq!(users(&history(&[&packed])), ["a", "b"]);
    assert_eq!(users(&history(&[(one + &two).as_bytes()])), ["a", "b"]);
}

#[test]
fn a_damaged_gzip_is_an_error_and_keeps_what_was_read() {
    let text = failed("Nov 24 04:00:00", "a").repeat(20_000);
    let packed = gz(&text);
    let mut collector = LogCollector::new(TimeZone::UTC);
    let cut = &packed[..packed.len() / 2];
    assert!(collector.read(cut, NEWEST, &mut |_| ()).is_err());
    assert!(collector.parser.stats().events > 0);
}

#[test]
fn zeros_behind_a_gzip_are_padding_and_other_octets_are_damage() {
    let packed = gz(&failed("Nov 24 04:00:00", "a"));
    for (behind, fits) in [
        (&b""[..], true),
        (&[0; 1], true),
        (&[0; 300_000], true),
        (b"x", false),
        (&[0, 0, 1], false),
    ] {
        let mut collector = LogCollector::new(TimeZone::UTC);
        let log = [packed.as_slice(), behind].concat();
        let read = collector.read(&*log, NEWEST, &mut |_| ());
        assert_eq!(read.is_ok(), fits, "{}", behind.len());
        assert_eq!(users(&collector.into_history()), ["a"]);
    }
}

#[test]
fn who_collects_successes_keeps_no_guess_and_no_guessed_name() {
    let mut log: String = (0..1000)
        .map(|n| failed("Nov 24 04:00:00", &format!("guess{n}")))
        .collect();
    log += "Nov 24 04:00:00 mx postfix/smtpd[7]: 4F: client=x[203.0.113.7], sasl_method=PLAIN, sasl_username=bob\n";
    let mut collector = LogCollector::of_successes(TimeZone::UTC);
    collector.read(log.as_bytes(), NEWEST, &mut |_| ()).unwrap();
    assert_eq!(
        (collector.rows.len(), collector.copies.earlier.len()),
        (1, 1)
    );
    let history = collector.into_history();
    assert_eq!(
        (users(&history), history.stats.events),
        (vec!["bob".to_owned()], 1001)
    );
    assert_eq!(history.names.len(), 1);
}

#[test]
fn logs_in_any_order_are_merged_by_time() {
    let (old, new) = (
        failed("Nov 22 04:00:00", "a"),
        failed("2026-11-24T04:01:00Z", "b"),
    );
    assert_eq!(
        users(&history(&[new.as_bytes(), old.as_bytes()])),
        ["a", "b"]
    );
}

#[test]
fn a_line_that_stands_in_two_files_is_one_and_twice_in_one_file_two() {
    let line = failed("Nov 24 04:00:00", "a");
    let all = line.repeat(3) + &failed("Nov 24 05:00:00", "b");
    let history = history(&[
        all.as_bytes(),
        line.repeat(2).as_bytes(),
        line.repeat(4).as_bytes(),
    ]);
    assert_eq!(users(&history), ["a", "a", "a", "a", "b"]);
    assert_eq!(history.copies, 5);
}

#[test]
fn a_line_with_whole_seconds_is_a_copy_of_one_with_a_fraction() {
    let coarse = failed("Nov 24 04:00:00", "a");
    let fine = failed("2026-11-24T04:00:00.250Z", "a") + &failed("2026-11-24T04:00:00.500Z", "a");
    for (logs, found) in [
        ([coarse.clone(), fine.clone()], 1),
        ([fine.clone(), coarse.clone()], 1),
        ([coarse.repeat(2), fine.clone()], 2),
        ([fine.clone(), coarse.repeat(2)], 2),
        ([fine.clone(), fine.clone()], 2),
    ] {
        let history = history(&[logs[0].as_bytes(), logs[1].as_bytes()]);
        assert_eq!(
            (history.attempts.len(), history.copies),
            (2, found),
            "{logs:?}"
        );
    }
}

#[test]
fn a_line_over_the_limit_is_unreadable_and_the_next_one_is_read() {
    for (octets, unreadable) in [
        (LONGEST_LINE_OCTETS - 1, 0),
        (LONGEST_LINE_OCTETS, 0),
        (LONGEST_LINE_OCTETS + 1, 1),
        (LONGEST_LINE_OCTETS * 5, 1),
    ] {
        let head = "Nov 24 04:00:00 mx kernel: ";
        let long = format!("{head}{}\n", "x".repeat(octets - head.len()));
        for log in [
            long.clone() + &failed("Nov 24 04:00:00", "a"),
            failed("Nov 24 04:00:00", "a") + long.trim_end(),
        ] {
            let history = history(&[log.as_bytes()]);
            assert_eq!(users(&history), ["a"], "{octets}");
            assert_eq!(
                (history.stats.lines, history.stats.unreadable),
                (2, unreadable),
                "{octets}"
            );
        }
    }
}

#[test]
fn a_log_of_years_ends_at_the_files_time() {
    let log = failed("Mar  1 00:00:00", "a")
        + &failed("Oct  1 00:00:00", "b")
        + &failed("Jan 15 00:00:00", "c");
    let history = history(&[log.as_bytes()]);
    let days: Vec<u64> = history
        .attempts
        .iter()
        .map(|attempt| attempt.at.as_seconds() / 86_400)
        .collect();
    // 2025-03-01, 2025-10-01, 2026-01-15
    assert_eq!(days, [20_148, 20_362, 20_468]);
}

#[test]
fn a_login_at_postfix_is_as_old_as_its_session_and_not_as_its_first_message() {
    let line = |time: &str, host: &str, rest: &str| {
        format!("2026-11-24T{time}Z {host} postfix/smtpd[7]: {rest}\n")
    };
    let connect = |time: &str, host: &str| line(time, host, "connect from gate[192.0.2.1]");
    let mail = |time: &str| {
        let message = "4F: client=unknown[203.0.113.7], sasl_method=PLAIN, sasl_username=anna";
        line(time, "mx", message)
    };
    let ends = line("04:30:00", "mx", "disconnect from gate[192.0.2.1] ehlo=1");
    let (begins, late) = (connect("04:00:00.5", "mx"), mail("04:11:00"));
    let earliest = |logs: &[String]| {
        let logs: Vec<_> = logs.iter().map(String::as_bytes).collect();
        let history = history(&logs);
        let times = history.attempts.iter().map(|login| {
            let earliest = login.earliest?;
            Some(login.at.since(earliest).as_secs())
        });
        times.collect::<Vec<_>>()
    };
    assert_eq!(earliest(&[begins.clone() + &late]), [Some(660)]);
    let whole = begins.clone() + &mail("04:00:01") + &late;
    let both = [Some(1), Some(660)];
    assert_eq!(
        earliest(std::slice::from_ref(&whole)),
        both,
        "ten minutes later"
    );
    assert_eq!(earliest(&[whole.clone(), whole]), both, "a copy");

    // Nobody knows how old it is.
    for logs in [
        vec![begins.clone(), late.clone()],
        vec![begins.clone() + &ends + &mail("04:31:00")],
        vec![connect("04:00:00", "mx2") + &late],
        vec![begins + &mail("23:59:59")],
    ] {
        assert_eq!(earliest(&logs), [None], "{logs:?}");
    }
    // Somebody has filtered the log: as old as a session may be.
    assert_eq!(earliest(&[late]), [Some(18 * 3600)]);
    let dovecot = "imap-login: Login: user=<anna>, method=PLAIN, rip=203.0.113.7";
    let dovecot = format!("2026-11-24T04:00:00Z mx dovecot: {dovecot}\n");
    assert_eq!(earliest(&[dovecot]), [Some(0)]);
}
