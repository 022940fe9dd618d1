//! tests - of what stands in front of a head

use super::header;
use crate::logs::syslog::Dates;
use crate::moment::Moment;
use jiff::tz::TimeZone;

const MESSAGE: &str = "A1: client=x[203.0.113.7], sasl_method=PLAIN, sasl_username=bob";

#[track_caller]
fn check(head: &str, line: &str) {
    let line = line.replace("{}", head);
    let header = header(line.as_bytes()).unwrap_or_else(|| panic!("no head: {line}"));
    assert_eq!(
        String::from_utf8_lossy(header.program),
        "postfix/smtpd",
        "{line}"
    );
    assert_eq!(String::from_utf8_lossy(header.message), MESSAGE, "{line}");
    let newest = Moment::from_seconds(1_795_564_800);
    let mut dates = Dates::new(TimeZone::UTC, newest);
    dates.follow(header.stamp);
    let at = dates.moment(header.stamp).unwrap();
    assert_eq!(at.as_seconds(), 1_795_493_024, "{line}");
}

/// All forms of the head of one line of Postfix.
const HEADS: &[&str] = &[
    "Nov 24 04:03:44 mx postfix/smtpd[1]: ",
    "Nov 24 04:03:44 postfix/smtpd[1]: ",
    "Nov 24 04:03:44  mx  postfix/smtpd[1]:  ",
    "Nov 24 04:03:44.003 mx postfix/smtpd[1]: ",
    "Nov 24 2026 04:03:44 mx postfix/smtpd[1]: ",
    "Nov 24 04:03:44 2026 mx postfix/smtpd[1]: ",
    "Nov 24 04:03:44 <mail.info> mx postfix/smtpd[1]: ",
    "Nov 24 04:03:44 mx mail.info postfix/smtpd[1]: ",
    "Nov 24 04:03:44 mx mail.info INFO postfix/smtpd[1]: ",
    "Nov 24 04:03:44 INFO    postfix/smtpd[1]: ",
    "Nov 24 04:03:44 [192.0.2.1] postfix/smtpd[1]: ",
    "Nov 24 04:03:44 src@mx postfix/smtpd[1]: ",
    "Nov 24 04:03:44 mx/relay postfix/smtpd[1]: ",
    "Nov 24 04:03:44 2001:db8::1 postfix/smtpd[1]: ",
    "Nov 24 04:03:44 mx postfix/smtpd[1]: [ID 197553 mail.info] ",
    "Nov 24 04:03:44 mx postfix/smtpd: ",
    "2026-11-24T04:03:44.003Z mx postfix/smtpd[1]: ",
    "2026-11-24 04:03:44,003 mx postfix/smtpd[1]: ",
    "2026/11/24 04:03:44 mx postfix/smtpd[1]: ",
    "2026-11-24T05:03:44+01:00 WARNING postfix/smtpd[1]: ",
    "Tue 2026-11-24 04:03:44 UTC mx postfix/smtpd[1]: ",
    "Tue 2026-11-24 04:03:44 CET mx postfix/smtpd[1]: ",
    "1795493024.123456 mx postfix/smtpd[1]: ",
    "@400000006b050caa00000000 mx postfix/smtpd[1]: ",
    "2026-11-24T04:03:44Z mx postfix/smtpd 23048 - - ",
    "2026-11-24T04:03:44Z mx postfix/smtpd - - - ",
    "2026-11-24T04:03:44Z mx postfix/smtpd 23048 ID [meta sequenceId=\"12\"] ",
    "2026-11-24T04:03:44Z mx postfix/smtpd 23048 - [a b=\"\\]\\\"\" c=\"d\"][e] \u{feff}",
    "Nov 24 04:03:44 mx dovecot[1]: Nov 24 04:03:44 mx postfix/smtpd[1]: ",
    "Nov 24 04:03:44 dockerhost 4f1c5b9d0aa1[812]: Nov 24 05:03:44 mx postfix/smtpd[1]: ",
    "Nov 24 04:03:44 dockerhost 4f1c5b9d0aa1[812]: postfix/smtpd[1]: ",
    "Nov 24 04:03:44 dockerhost mailserver[812]: 2026-11-24T05:03:44Z mx postfix/smtpd[1]: ",
];

#[test]
fn every_head_is_read_behind_every_envelope() {
    for head in HEADS {
        for envelope in [
            "{}",
            " \t{}",
            "\u{feff}{}",
            "<22>{}",
            "<mail.info>{}",
            "<22>1 {}",
            "postfix-mailcow-1  | {}",
            "\u{1b}[36mpostfix-1  |\u{1b}[0m {}",
            "postfix-1  | <22>{}",
            "2026-11-24T04:03:44.123Z stdout F {}",
            "2026-11-24T04:03:44.123Z {}",
            "2026-11-24T05:03:44.123+01:00 stderr F postfix-1 | {}",
        ] {
            check(head, &format!("{envelope}{MESSAGE}"));
        }
    }
}

#[test]
fn a_container_that_writes_no_time_has_that_in_front() {
    for head in ["postfix/smtpd[1]: ", "INFO    postfix/smtpd[1]: "] {
        for envelope in [
            "2026-11-24T04:03:44.123Z stdout F {}",
            "2026-11-24T04:03:44.123Z {}",
        ] {
            check(head, &format!("{envelope}{MESSAGE}"));
        }
    }
    assert!(header(format!("postfix-1  | postfix/smtpd[1]: {MESSAGE}").as_bytes()).is_none());
}

#[test]
fn a_client_s_text_in_another_program_s_message_is_no_line() {
    let inner = "Nov 24 04:03:44 mx postfix/smtpd[1]: x";
    for program in ["webshop", "sshd[7]", "postfix/smtpd[7]", "asterisk"] {
        let line = format!("Nov 24 04:03:44 mx {program}: {inner}");
        let header = header(line.as_bytes()).unwrap();
        assert_eq!(header.message, inner.as_bytes(), "{line}");
    }
}
