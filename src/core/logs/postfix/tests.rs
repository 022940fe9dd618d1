//! tests - of Postfix's lines: every version's forms, and names that imitate them

use super::*;
use AuthOutcome::{Defer, Reject};

#[track_caller]
fn check(message: &str, client: &str, user: Option<&str>, outcome: AuthOutcome) {
    let Parsed::Report(report) = read(message.as_bytes()) else {
        panic!("{:?}", read(message.as_bytes()));
    };
    assert_eq!(report.client, client.parse().unwrap());
    assert_eq!(report.user, user.map(str::as_bytes));
    assert_eq!(report.outcome, outcome);
}

const FAILURES: &[(&str, Option<&str>, AuthOutcome)] = &[
    (
        "unknown[203.0.113.7]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
        None,
        Reject,
    ),
    (
        "mail.example.net[203.0.113.7]: SASL login authentication failed: authentication failure",
        None,
        Reject,
    ),
    (
        "unknown[203.0.113.7]: SASL PLAIN authentication failed:",
        None,
        Reject,
    ),
    (
        "unknown[203.0.113.7]: SASL PLAIN authentication failed: ",
        None,
        Reject,
    ),
    (
        "unknown[203.0.113.7]:55729: SASL SCRAM-SHA-256 authentication failed: x",
        None,
        Reject,
    ),
    (
        "unknown[203.0.113.7]: SASL LOGIN authentication failed: (reason unavailable), sasl_username=admin",
        Some("admin"),
        Reject,
    ),
    (
        "unknown[203.0.113.7]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=(unavailable)",
        None,
        Reject,
    ),
    (
        "unknown[203.0.113.7]: SASL LOGIN authentication failed: Connection lost to authentication server",
        None,
        Defer,
    ),
];

#[test]
fn failures_of_every_version_are_read() {
    for &(message, user, outcome) in FAILURES {
        check(&format!("warning: {message}"), "203.0.113.7", user, outcome);
    }
    check(
        "warning: unknown[2001:db8:1:2::9]: SASL PLAIN authentication failed: x",
        "2001:db8:1:2::9",
        None,
        Reject,
    );
}

#[test]
fn successes_are_read() {
    for (message, user) in [
        (
            "C467E99418C: client=unknown[203.0.113.7], sasl_method=PLAIN, sasl_username=alice@example.org",
            "alice@example.org",
        ),
        (
            "4FzQ6T2kqrz1: client=a-b.example.net[203.0.113.7]:50481, sasl_method=LOGIN, sasl_username=bob",
            "bob",
        ),
        (
            "NOQUEUE: client=unknown[203.0.113.7], sasl_method=XOAUTH2, sasl_username=a, b",
            "a, b",
        ),
    ] {
        check(message, "203.0.113.7", Some(user), AuthOutcome::Accept);
    }
}

#[test]
fn a_sender_of_the_client_ends_the_name_and_other_fields_leave_it_open() {
    let head = "C4BAD994012: client=unknown[203.0.113.7], sasl_method=PLAIN, sasl_username=";
    for (tail, user) in [
        ("alice, sasl_sender=<a+3Db@x>", Some("alice")),
        ("alice, sasl_sender=<>", Some("alice")),
        ("alice, sasl_sender=x y", None),
        ("alice, sasl_sender=x, sasl_sender=<>", None),
        ("alice, orig_client=x[192.0.2.1]", None),
    ] {
        check(
            &format!("{head}{tail}"),
            "203.0.113.7",
            user,
            AuthOutcome::Accept,
        );
    }
}

#[test]
fn a_name_cannot_imitate_a_field_or_a_line() {
    for name in [
        "x, sasl_username=alice@example.org",
        "y?r?nNov 24 04:03:44 mx postfix/smtpd[1]: A1: client=h[192.0.2.6], sasl_method=PLAIN, sasl_username=ro",
        "]: SASL PLAIN authentication failed: , sasl_username=root",
    ] {
        let message = format!(
            "warning: unknown[203.0.113.7]: SASL PLAIN authentication failed: (reason unavailable), sasl_username={name}"
        );
        check(&message, "203.0.113.7", Some(name), AuthOutcome::Reject);
    }
}

#[test]
fn what_tried_no_password_is_no_attempt() {
    for message in [
        "warning: unknown[203.0.113.7]: SASL LOGIN authentication aborted",
        "warning: unknown[203.0.113.7]: SASL FOO authentication failed: Invalid authentication mechanism, sasl_username=(unavailable)",
        "warning: unknown[203.0.113.7]: SASL LOGIN authentication failed: Invalid base64 data in continued response",
        "warning: hostname x.example.net does not resolve to address 203.0.113.7",
        "NOQUEUE: reject: RCPT from unknown[203.0.113.7]: 554 5.7.1 <a@b>: x; sasl_username=<root>",
        "warning: non-SMTP command from unknown[203.0.113.7]: A1: client=h[192.0.2.6], sasl_method=PLAIN, sasl_username=root",
        "Anonymous TLS connection established from unknown[203.0.113.7]: x",
        "warning: SASL authentication failure: Password verification failed",
    ] {
        assert_eq!(read(message.as_bytes()), Parsed::Unrelated, "{message}");
    }
    for message in [
        "C467E99418C: client=unknown[203.0.113.7]",
        "A1: client=]x[192.0.2.6], sasl_method=PLAIN, sasl_username=root",
        "",
    ] {
        assert_eq!(read(message.as_bytes()), Parsed::Foreign, "{message}");
    }
    let unknown = "warning: unknown[unknown]: SASL LOGIN authentication failed: x";
    assert_eq!(read(unknown.as_bytes()), Parsed::Ambiguous);
}

#[test]
fn only_lines_of_smtpd_are_read() {
    for program in [
        "postfix/smtpd",
        "postfix/submission/smtpd",
        "postfix-in/smtpd",
    ] {
        assert!(is_smtpd(program.as_bytes()), "{program}");
    }
    for program in ["postfix/smtp", "smtpd", "postfix/postscreen", "opensmtpd"] {
        assert!(!is_smtpd(program.as_bytes()), "{program}");
    }
}
