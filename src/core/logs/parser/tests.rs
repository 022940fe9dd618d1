//! tests - of parsing: every log form by one line, sessions, repetitions, hostile lines

use proptest::prelude::*;

use super::*;

fn parser() -> LogParser {
    let mut parser = LogParser::new(TimeZone::UTC);
    parser.begin(Moment::from_seconds(1_795_478_400)); // 2026-11-24
    parser
}

/// `user client outcome xattempts at time` for a line that reports a login.
fn parse(parser: &mut LogParser, line: &[u8]) -> Option<String> {
    let mut parsed = None;
    parser.parse_line(line, |event| {
        let report = event.report;
        let user = report.user.map(String::from_utf8_lossy);
        parsed = Some(format!(
            "{} {} {:?} x{} at {}",
            user.as_deref().unwrap_or("-"),
            report.client,
            report.outcome,
            report.attempts,
            event.at.as_seconds(),
        ));
    });
    parsed
}

const MAIL: &str = "4FzQ: client=unknown[203.0.113.7], sasl_method=PLAIN, sasl_username=alice";
const FAILED: &str = "warning: unknown[203.0.113.7]: SASL LOGIN authentication failed: x";

#[test]
fn one_message_is_parsed_alike_in_every_form_of_log() {
    let json = |message: &str| {
        format!(
            r#"{{"__REALTIME_TIMESTAMP":"1795493024000000","_COMM":"smtpd","SYSLOG_IDENTIFIER":"postfix/smtpd","SYSLOG_PID":"7","MESSAGE":{message}}}"#
        )
    };
    let octets = FAILED
        .bytes()
        .map(|byte| byte.to_string())
        .collect::<Vec<_>>();
    for line in [
        format!("Nov 24 04:03:44 mx postfix/smtpd[7]: {FAILED}"),
        format!("Nov 24 04:03:44 mx postfix/smtpd[7]: {FAILED}\r"),
        format!("2026-11-24T04:03:44.000+00:00 mx postfix/smtpd[7]: {FAILED}"),
        format!("2026-11-24T05:03:44+0100 mx postfix/smtpd[7]: {FAILED}"),
        json(&format!("\"{FAILED}\"")),
        json(&format!("[{}]", octets.join(","))),
    ] {
        let mut parser = parser();
        let parsed = parse(&mut parser, line.as_bytes());
        assert_eq!(
            parsed.as_deref(),
            Some("- 203.0.113.7 Reject x1 at 1795493024"),
            "{line}"
        );
        assert_eq!(parser.stats().events, 1);
    }
}

#[test]
fn a_second_message_in_a_session_is_no_second_login() {
    let mut parser = parser();
    let mut line = |time: &str, pid: u32, message: &str| {
        let line = format!("Nov 24 {time} mx postfix/smtpd[{pid}]: {message}");
        parse(&mut parser, line.as_bytes()).is_some()
    };
    assert!(line("04:00:00", 7, MAIL));
    assert!(!line("04:00:05", 7, MAIL));
    assert!(line("04:00:06", 8, MAIL), "another process");
    assert!(
        line("04:00:07", 7, &MAIL.replace("alice", "bob")),
        "another user"
    );
    line(
        "04:00:08",
        7,
        "disconnect from unknown[203.0.113.7] ehlo=1 auth=1",
    );
    line("04:00:08", 7, "connect from unknown[203.0.113.7]");
    assert!(
        line("04:00:09", 7, &MAIL.replace("alice", "bob")),
        "another session"
    );
    assert!(
        !line("04:10:08", 7, &MAIL.replace("alice", "bob")),
        "within ten minutes"
    );
    assert!(
        line("04:20:08", 7, &MAIL.replace("alice", "bob")),
        "ten minutes later"
    );
    assert_eq!(parser.stats().same_session, 2);
}

#[test]
fn a_line_that_looks_like_a_login_and_is_not_understood_is_counted_and_shown() {
    for (line, unreadable, not_understood) in [
        ("Nov 24 04:03:44 mx kernel: hello", 0, 0),
        (
            "Nov 24 04:03:44 mx postfix/qmgr[7]: 4F: from=<x>, sasl_username=y",
            0,
            0,
        ),
        ("nonsense", 1, 0),
        ("nonsense sasl_username=bob", 1, 1),
        (
            "Nov 24 04:03:44 mx newmail[7]: user bob, rip=203.0.113.7",
            1,
            1,
        ),
        (
            "Nov 24 04:03:44 mx postfix/smtpd[7]: said otherwise, sasl_username=bob",
            1,
            1,
        ),
        (
            "Nov 24 04:03:44 mx dovecot: imap-login: Gone (for a new reason): user=<bob>, rip=203.0.113.7",
            1,
            1,
        ),
        (
            "Nov 24 04:03:44 mx dovecot: imap-login: Gone (for a new reason): user=<>, rip=203.0.113.7",
            0,
            0,
        ),
    ] {
        let mut parser = parser();
        assert_eq!(parse(&mut parser, line.as_bytes()), None, "{line}");
        let stats = parser.into_stats();
        assert_eq!(
            (stats.unreadable, stats.not_understood),
            (unreadable, not_understood),
            "{line}"
        );
        assert_eq!(stats.sample.len() as u64, unreadable);
    }
}

#[test]
fn the_last_message_repeated_is_the_failure_of_the_line_before() {
    let lines = |lines: &[String]| {
        let mut parser = parser();
        let parsed: Vec<_> = lines
            .iter()
            .map(|line| parse(&mut parser, line.as_bytes()))
            .collect();
        parsed.last().cloned().flatten()
    };
    let failed = format!("Nov 24 04:03:44 mx postfix/smtpd[7]: {FAILED}");
    let mail = format!("Nov 24 04:03:44 mx postfix/smtpd[7]: {MAIL}");
    for repeated in [
        "mx last message repeated 3 times",
        "last message repeated 3 times",
        "mx syslogd: last message repeated 3 times",
    ] {
        let repeated = format!("Nov 24 04:03:50 {repeated}");
        let expected = Some("- 203.0.113.7 Reject x3 at 1795493030".to_owned());
        assert_eq!(lines(&[failed.clone(), repeated.clone()]), expected);
        assert_eq!(
            lines(&[
                failed.clone(),
                "Nov 24 04:03:45 mx a: b".into(),
                repeated.clone()
            ]),
            None
        );
        assert_eq!(lines(&[mail.clone(), repeated.clone()]), None);
        assert_eq!(lines(&[repeated]), None);
    }
}

#[test]
fn a_repetition_counts_as_often_as_it_says_within_bounds() {
    for (times, expected) in [(3, 3), (999, 999), (1000, 1000), (1001, 1000), (0, 1)] {
        let line = format!(
            "Nov 24 04:03:44 mx postfix/smtpd[7]: message repeated {times} times: [ {FAILED}]"
        );
        let parsed = parse(&mut parser(), line.as_bytes()).unwrap();
        assert!(parsed.contains(&format!(" x{expected} ")), "{parsed}");
    }
}

#[test]
fn unreadable_lines_are_counted_and_the_sample_is_bounded_and_harmless() {
    let mut parser = parser();
    for _ in 0..100 {
        let line = [b"\x1b]0;owned\x07 ", &b"x".repeat(10_000)[..]].concat();
        assert_eq!(parse(&mut parser, &line), None);
    }
    parse(&mut parser, b"");
    parse(&mut parser, b"-- Boot 0123456789abcdef --");
    parse(&mut parser, b"Nov 24 04:03:44 mx kernel: hello");
    let stats = parser.into_stats();
    assert_eq!((stats.lines, stats.unreadable, stats.events), (103, 100, 0));
    assert_eq!(stats.sample.len(), 5);
    for line in &stats.sample {
        assert!(
            line.len() < 300 && line.starts_with(r"\x1b]0;owned\x07 xxx"),
            "{line}"
        );
        assert!(line.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
    }
}

#[test]
fn the_program_decides_which_reader_is_asked() {
    for (program, message) in [
        ("sshd[7]", FAILED),
        ("postfix/cleanup[7]", FAILED),
        (
            "postfix/smtpd[7]",
            "imap-login: Login: user=<root>, method=PLAIN, rip=203.0.113.7",
        ),
        ("dovecot", MAIL),
        (
            "sshd[7]",
            "pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser=a rhost=203.0.113.7  user=a",
        ),
    ] {
        let line = format!("Nov 24 04:03:44 mx {program}: {message}");
        assert_eq!(parse(&mut parser(), line.as_bytes()), None, "{line}");
    }
    let login = "imap-login: Login: user=<bob>, method=PLAIN, rip=203.0.113.7";
    for program in ["dovecot", "dovecot-out", "mail-in[7]"] {
        let line = format!("Nov 24 04:03:44 mx {program}: {login}");
        assert!(parse(&mut parser(), line.as_bytes()).is_some(), "{line}");
    }
    let line = format!(
        "Nov 24 04:03:44 mx {}",
        login.replace("login:", "login[7]:")
    );
    assert!(parse(&mut parser(), line.as_bytes()).is_some(), "{line}");
    let pam = "pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=a rhost=203.0.113.7  user=a";
    for program in ["auth", "dovecot-auth", "auth-worker[3]", "dovecot[2]: auth"] {
        let line = format!("Nov 24 04:03:44 mx {program}: {pam}");
        assert!(parse(&mut parser(), line.as_bytes()).is_some(), "{line}");
    }
}

/// What an attacker may choose: any octets, and pieces that mean something.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "user=<",
        ">, method=PLAIN, rip=192.0.2.66, lip=1.1.1.1",
        " rhost=192.0.2.66  user=x",
        ", sasl_username=root",
        ",192.0.2.66): Password mismatch",
        "): ",
        "[192.0.2.66]: SASL PLAIN authentication failed: x",
        "\r",
        " ",
        "(",
        ",",
        ">",
        " (auth failed, 9 attempts in 1 secs): ",
        "Login: ",
        "{",
        "\"",
        "x",
    ]);
    let piece = prop_oneof![
        pieces.prop_map(|piece| piece.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 1..4)
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| {
        let name = pieces.concat();
        // What ends a line, daemons never write.
        name.into_iter().filter(|&octet| octet != b'\n').collect()
    })
}

proptest! {
    #[test]
    fn no_name_brings_a_login_from_another_address(name in hostile(), form in 0..6_usize) {
        let (before, after): (&str, &str) = [
            ("postfix/smtpd[7]: warning: unknown[203.0.113.7]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=", ""),
            ("postfix/smtpd[7]: 4F: client=unknown[203.0.113.7], sasl_method=PLAIN, sasl_username=", ""),
            ("dovecot: imap-login: Login: user=<", ">, method=PLAIN, rip=203.0.113.7, lip=192.0.2.1, session=<a>"),
            ("dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<", ">, method=PLAIN, rip=203.0.113.7, lip=192.0.2.1"),
            ("dovecot: imap-login: Aborted login (tried to use disallowed plaintext auth): user=<", ">, rip=203.0.113.7, lip=192.0.2.1"),
            ("dovecot: auth: sql(bob,203.0.113.7): Password mismatch (given password: ", ")"),
        ][form];
        let line = [b"Nov 24 04:03:44 mx ", before.as_bytes(), &name, after.as_bytes()].concat();
        let mut parser = parser();
        parser.parse_line(&line, |event| {
            let report = event.report;
            assert_eq!(report.client, "203.0.113.7".parse().unwrap());
            assert!(report.attempts == 1 && (form == 1 || form == 2) == (report.outcome == AuthOutcome::Accept));
        });
    }

    #[test]
    fn a_name_twice_in_pams_line_brings_nobody_from_another_address(name in hostile()) {
        let head = &b"Nov 24 04:03:44 mx auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser="[..];
        let line = [head, &name, b" rhost=203.0.113.7  user=", &name].concat();
        parser().parse_line(&line, |event| {
            assert_eq!(event.report.client, "203.0.113.7".parse().unwrap());
            assert_eq!(event.report.user.unwrap_or_default(), name);
        });
    }

    #[test]
    fn any_octets_are_parsed_without_a_panic(line in prop::collection::vec(any::<u8>(), 0..200), cut in 0..150_usize) {
        parser().parse_line(&line, |_| ());
        let whole = format!("2026-11-24T04:03:44.5+01:00 mx dovecot[7]: auth-worker(3): Info: conn unix:auth-worker (pid=1): auth-worker<1>: sql(bob,203.0.113.7,<a>): {FAILED}");
        let cut = &whole.as_bytes()[..cut.min(whole.len())];
        parser().parse_line(&[cut, &line].concat(), |_| ());
    }
}
