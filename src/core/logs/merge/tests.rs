//! tests - of merging: several lines about one attempt, and one line about several

use super::super::collector::LogCollector;
use super::super::{LoginHistory, Service};
use super::*;
use jiff::tz::TimeZone;

/// Lines of classic syslog on 24 November 2026; the hour and the host are added.
fn history(lines: &str) -> LoginHistory {
    let log: String = lines
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| {
            let (time, rest) = line.split_once(' ').unwrap();
            format!("Nov 24 04:{time} mx {rest}\n")
        })
        .collect();
    let mut collector = LogCollector::new(TimeZone::UTC);
    let newest = Moment::from_seconds(1_795_564_800);
    collector.read(log.as_bytes(), newest, &mut |_| ()).unwrap();
    collector.into_history()
}

#[track_caller]
fn check(lines: &str, expected: &[&str]) {
    let history = history(lines);
    assert_eq!(history.stats.unreadable, 0, "{:?}", history.stats.sample);
    let attempts: Vec<String> = history
        .attempts
        .iter()
        .map(|attempt| {
            let user = attempt.user.and_then(|id| history.names.get(id));
            let user = user.map_or("-".to_owned(), ToString::to_string);
            let service = attempt.service.as_str();
            format!("{user}@{} {service} {:?}", attempt.client, attempt.outcome)
        })
        .collect();
    assert_eq!(attempts, expected);
}

#[test]
fn one_failure_logged_by_two_databases_pam_and_postfix_is_one_attempt() {
    check(
        "
        00:00 dovecot: auth: passwd-file(bob,203.0.113.7): Password mismatch
        00:00 auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=bob rhost=203.0.113.7  user=bob
        00:02 dovecot: auth-worker(3): pam(bob,203.0.113.7): pam_authenticate() failed: Authentication failure (password mismatch?)
        00:04 postfix/smtpd[7]: warning: unknown[203.0.113.7]: SASL LOGIN authentication failed: UGFzc3dvcmQ6
        ",
        &["bob@203.0.113.7 smtp Reject"],
    );
    let history = history(
        "00:00 dovecot: auth: sql(bob,203.0.113.7): unknown user\n00:01 postfix/smtpd[7]: warning: unknown[203.0.113.7]: SASL LOGIN authentication failed: x",
    );
    assert_eq!((history.merged, history.stats.events), (1, 2));
}

#[test]
fn a_source_logs_an_attempt_once_however_many_follow_in_a_second() {
    check(
        "
        00:00 dovecot: auth: sql(bob,203.0.113.7): Password mismatch
        00:00 dovecot: auth: sql(bob,203.0.113.7): Password mismatch
        00:01 dovecot: auth: sql(info,203.0.113.7): unknown user
        00:02 postfix/smtpd[7]: warning: unknown[203.0.113.7]: SASL PLAIN authentication failed: , sasl_username=bob
        00:02 postfix/smtpd[8]: warning: unknown[203.0.113.7]: SASL PLAIN authentication failed: , sasl_username=bob
        00:02 postfix/smtpd[9]: warning: unknown[203.0.113.7]: SASL PLAIN authentication failed: , sasl_username=info
        00:03 postfix/smtpd[9]: warning: unknown[203.0.113.7]: SASL PLAIN authentication failed: , sasl_username=info
        ",
        &[
            "bob@203.0.113.7 smtp Reject",
            "bob@203.0.113.7 smtp Reject",
            "info@203.0.113.7 smtp Reject",
            "info@203.0.113.7 smtp Reject",
        ],
    );
}

#[test]
fn other_clients_other_users_and_later_tries_are_other_attempts() {
    check(
        "
        00:00 dovecot: auth: sql(bob,203.0.113.7): Password mismatch
        00:01 postfix/smtpd[7]: warning: unknown[203.0.113.8]: SASL PLAIN authentication failed: , sasl_username=bob
        00:01 postfix/smtpd[7]: warning: unknown[203.0.113.7]: SASL PLAIN authentication failed: , sasl_username=eve
        00:21 postfix/smtpd[7]: warning: unknown[203.0.113.7]: SASL PLAIN authentication failed: , sasl_username=bob
        ",
        &[
            "eve@203.0.113.7 smtp Reject",
            "bob@203.0.113.8 smtp Reject",
            "bob@203.0.113.7 smtp Reject",
        ],
    );
}

#[test]
fn twenty_seconds_later_is_still_the_same_attempt_and_a_domain_may_be_added() {
    check(
        "
        00:00 dovecot: auth: sql(bob@example.org,203.0.113.7): Password mismatch
        00:20 postfix/smtpd[7]: warning: unknown[203.0.113.7]: SASL PLAIN authentication failed: , sasl_username=bob
        ",
        &["bob@example.org@203.0.113.7 smtp Reject"],
    );
}

#[test]
fn a_failure_without_a_name_still_counts() {
    check(
        "00:00 postfix/smtpd[7]: warning: unknown[203.0.113.7]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
        &["-@203.0.113.7 smtp Reject"],
    );
}

#[test]
fn the_end_of_a_connection_reports_failures_logged_before_and_those_that_were_not() {
    check(
        "
        00:00 dovecot: auth: sql(bob,203.0.113.7,<a>): Password mismatch
        00:08 dovecot: auth: sql(info,203.0.113.7,<a>): unknown user
        00:24 dovecot: imap-login: Disconnected (auth failed, 3 attempts in 24 secs): user=<eve>, method=PLAIN, rip=203.0.113.7, lip=192.0.2.1
        ",
        &[
            "bob@203.0.113.7 imap Reject",
            "info@203.0.113.7 imap Reject",
            "eve@203.0.113.7 imap Reject",
        ],
    );
}

#[test]
fn an_imap_connection_does_not_swallow_failures_at_postfix() {
    check(
        "
        00:00 postfix/smtpd[7]: warning: unknown[203.0.113.7]: SASL PLAIN authentication failed: , sasl_username=bob
        00:01 dovecot: auth: sql(bob,203.0.113.7,<a>): Password mismatch
        00:02 dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<bob>, method=PLAIN, rip=203.0.113.7, lip=192.0.2.1
        ",
        &["bob@203.0.113.7 smtp Reject", "bob@203.0.113.7 imap Reject"],
    );
}

#[test]
fn a_database_that_does_not_know_the_user_is_no_failure_if_the_next_one_does() {
    check(
        "
        00:00 dovecot: auth: passwd-file(bob,203.0.113.7): unknown user
        00:01 postfix/smtpd[7]: 4FzQ: client=unknown[203.0.113.7], sasl_method=PLAIN, sasl_username=bob
        00:10 dovecot: auth: passwd-file(bob,203.0.113.7): unknown user
        00:12 postfix/smtpd[7]: warning: unknown[203.0.113.7]: SASL PLAIN authentication failed: , sasl_username=bob
        00:13 postfix/smtpd[8]: 4FzR: client=unknown[203.0.113.7], sasl_method=PLAIN, sasl_username=bob
        00:20 dovecot: auth: passwd-file(bob,203.0.113.7): Password mismatch
        00:23 postfix/smtpd[9]: 4FzS: client=unknown[203.0.113.7], sasl_method=PLAIN, sasl_username=bob
        ",
        &[
            "bob@203.0.113.7 smtp Accept",
            "bob@203.0.113.7 smtp Reject",
            "bob@203.0.113.7 smtp Accept",
            "bob@203.0.113.7 smtp Accept",
        ],
    );
}

#[test]
fn a_dead_backend_is_no_failure_of_anybody() {
    check(
        "
        00:00 dovecot: auth: sql(bob,203.0.113.7): Password mismatch
        00:01 postfix/smtpd[7]: warning: unknown[203.0.113.7]: SASL PLAIN authentication failed: Connection lost to authentication server
        ",
        &["bob@203.0.113.7 smtp Defer"],
    );
}

#[test]
fn one_client_hammering_is_merged_exactly_within_bounds() {
    let mut lines = String::new();
    for second in 0..60 {
        for _ in 0..20 {
            lines +=
                &format!("00:{second:02} dovecot: auth: sql(bob,203.0.113.7): Password mismatch\n");
            lines += &format!(
                "00:{second:02} postfix/smtpd[7]: warning: unknown[203.0.113.7]: SASL PLAIN authentication failed: x\n"
            );
        }
    }
    let history = history(&lines);
    assert_eq!((history.attempts.len(), history.merged), (1200, 1200));
    assert!(
        history
            .attempts
            .iter()
            .all(|attempt| attempt.service == Service::Smtp)
    );
}

/// Two databases are asked; the lines are of one second where the seconds are.
const TWO_DATABASES: &str = "
    00:00 dovecot: auth: passwd-file(bob,203.0.113.7): unknown user
    00:00 dovecot: auth: ldap(bob,203.0.113.7): Password mismatch
    00:02 postfix/smtpd[7]: warning: unknown[203.0.113.7]: SASL PLAIN authentication failed: , sasl_username=bob
    00:10 dovecot: auth: passwd-file(carol,203.0.113.8): unknown user
    00:10 postfix/smtpd[8]: 4FzQ: client=unknown[203.0.113.8], sasl_method=PLAIN, sasl_username=carol
    00:20 dovecot: auth: passwd-file(dave,203.0.113.9): unknown user
    00:29 postfix/smtpd[9]: 4FzR: client=unknown[203.0.113.9], sasl_method=PLAIN, sasl_username=dave
    00:40 dovecot: auth: passwd-file(eve,203.0.113.9): unknown user
    00:41 postfix/smtpd[9]: disconnect from unknown[203.0.113.9] ehlo=1 auth=1 quit=1 commands=3
";

#[test]
fn a_database_decides_nothing_where_postfix_speaks_and_what_it_says_alone_is_counted() {
    let expected = [
        "bob@203.0.113.7 smtp Reject",
        "carol@203.0.113.8 smtp Accept",
        "dave@203.0.113.9 smtp Accept",
    ];
    check(TWO_DATABASES, &expected);
    assert_eq!(history(TWO_DATABASES).dropped, 1, "eve's");
}

#[test]
fn the_order_of_lines_and_files_changes_nothing() {
    let mut lines: Vec<&str> = TWO_DATABASES.trim().lines().collect();
    // In one second: the database names the user, and Postfix does not.
    lines.push("00:50 postfix/smtpd[7]: warning: unknown[203.0.113.11]: SASL LOGIN authentication failed: x");
    lines.push("00:50 dovecot: auth: sql(zoe,203.0.113.11): Password mismatch");
    let attempts = |lines: &str| {
        let history = history(lines);
        let name = |id| history.names.get(id).unwrap().to_string();
        let attempt = |one: &LoggedAttempt| (one.at, one.client, one.user.map(name), one.outcome);
        history.attempts.iter().map(attempt).collect::<Vec<_>>()
    };
    let expected = attempts(&lines.join("\n"));
    assert!(expected.iter().all(|(_, _, user, _)| user.is_some()));
    for _ in 0..lines.len() {
        lines.rotate_left(1);
        assert_eq!(attempts(&lines.join("\n")), expected);
        let reversed: Vec<&str> = lines.iter().rev().copied().collect();
        assert_eq!(attempts(&reversed.join("\n")), expected);
    }
}

#[test]
fn databases_alone_are_believed_once_a_second() {
    check(
        "
        00:00 dovecot: auth: ldap(bob,203.0.113.7): Password mismatch
        00:00 dovecot: auth: ldap(bob,203.0.113.7): unknown user
        00:00 auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=bob rhost=203.0.113.7  user=bob
        00:00 auth: pam_sss(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=bob rhost=203.0.113.7  user=bob
        00:05 dovecot: auth: ldap(bob,203.0.113.7): Password mismatch
        ",
        &[
            "bob@203.0.113.7 unknown Reject",
            "bob@203.0.113.7 unknown Reject",
        ],
    );
}

#[test]
fn each_witness_speaks_for_its_own_service() {
    let session = "00:00 dovecot: auth: sql(bob,203.0.113.7,<a>): Password mismatch";
    let postfix = "00:00 dovecot: auth: sql(eve,203.0.113.7): Password mismatch";
    let pam = "00:00 auth: pam_unix(imap:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=ann rhost=203.0.113.7";
    let all = format!("{session}\n{postfix}\n{pam}\n");
    let smtpd = "00:09 postfix/smtpd[7]: connect from unknown[203.0.113.9]";
    let login =
        "00:09 dovecot: imap-login: Login: user=<x>, method=PLAIN, rip=203.0.113.9, lip=192.0.2.1";
    let (bob, eve, ann) = (
        "bob@203.0.113.7 dovecot Reject",
        "eve@203.0.113.7 unknown Reject",
        "ann@203.0.113.7 unknown Reject",
    );
    let other = "x@203.0.113.9 imap Accept";
    check(&all, &[ann, bob, eve]);
    check(&format!("{all}{smtpd}"), &[bob]);
    check(&format!("{all}{login}"), &[eve, other]);
    check(&format!("{all}{smtpd}\n{login}"), &[other]);
}
