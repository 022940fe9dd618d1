//! tests - of Dovecot's lines: every version's forms, and names that imitate them

use super::*;

#[track_caller]
fn report(message: &str) -> LoginReport<'_> {
    match read(message.as_bytes()) {
        Parsed::Report(report) => report,
        other => panic!("{other:?}: {message}"),
    }
}

#[track_caller]
fn check(message: &str, client: &str, user: Option<&str>, service: Service) {
    let report = report(message);
    assert_eq!(report.client, client.parse().unwrap(), "{message}");
    assert_eq!(
        report.user.map(String::from_utf8_lossy).as_deref(),
        user,
        "{message}"
    );
    assert_eq!(report.service, service, "{message}");
}

#[test]
fn successes_of_every_service_and_version_are_read() {
    let tail =
        "user=<bob>, method=PLAIN, rip=203.0.113.7, lip=192.0.2.1, mpid=12, TLS, session=<a/b>";
    for (head, service) in [
        ("imap-login: Login: ", Service::Imap),
        ("imap-login: Info: Login: ", Service::Imap),
        ("pop3-login: Login: ", Service::Pop3),
        ("submission-login: Logged in: ", Service::Submission),
        ("managesieve-login: Info: Logged in: ", Service::Sieve),
    ] {
        let message = format!("{head}{tail}");
        check(&message, "203.0.113.7", Some("bob"), service);
        assert_eq!(report(&message).outcome, AuthOutcome::Accept);
    }
}

const ENDINGS: &[(&str, Option<&str>, u32, u64)] = &[
    (
        "imap-login: Disconnected (auth failed, 2 attempts): user=<bob>, method=PLAIN, rip=203.0.113.7, lip=192.0.2.1, TLS",
        Some("bob"),
        2,
        0,
    ),
    (
        "imap-login: Disconnected (auth failed, 1 attempts): method=PLAIN, rip=203.0.113.7, lip=192.0.2.1, TLS: Disconnected",
        None,
        1,
        0,
    ),
    (
        "pop3-login: Disconnected: Inactivity (auth failed, 1 attempts in 178 secs): user=<info>, method=PLAIN, rip=203.0.113.7, lip=192.0.2.1",
        Some("info"),
        1,
        178,
    ),
    (
        "pop3-login: Info: Aborted login (auth failed, 1 attempts in 2 secs): user=<info>, method=PLAIN, rip=203.0.113.7",
        Some("info"),
        1,
        2,
    ),
    (
        "imap-login: Disconnected: Connection closed: read(size=1003) failed: Connection reset by peer (auth failed, 1 attempts in 0 secs): user=<info>, rip=203.0.113.7, lip=127.0.0.19, session=<Lsz0>",
        Some("info"),
        1,
        0,
    ),
    (
        "imap-login: Login aborted: Connection closed (auth failed, 3 attempts in 16 secs) (auth_failed): user=<info>, method=PLAIN, rip=203.0.113.7, lip=192.0.2.1, TLS, session=<9Z>",
        Some("info"),
        3,
        16,
    ),
    (
        "submission-login: Client has quit the connection (auth failed, 1 attempts in 2 secs): user=<>, method=LOGIN, rip=203.0.113.7, lip=0.0.0.0",
        None,
        1,
        2,
    ),
];

#[test]
fn failures_at_the_end_of_a_connection_are_counted() {
    for &(message, user, attempts, seconds) in ENDINGS {
        let report = report(message);
        assert_eq!(
            report.user.map(String::from_utf8_lossy).as_deref(),
            user,
            "{message}"
        );
        assert_eq!(report.client, "203.0.113.7".parse().unwrap());
        assert_eq!(report.outcome, AuthOutcome::Reject);
        assert_eq!(
            (report.attempts, report.within.as_secs()),
            (attempts, seconds)
        );
    }
}

const AUTH_FAILURES: &[(&str, Service, LogSource)] = &[
    (
        "auth: passwd-file(bob,203.0.113.7): unknown user",
        Service::Unknown,
        LogSource::PasswdFile,
    ),
    (
        "auth: Info: passwd-file(bob,203.0.113.7): Password mismatch",
        Service::Unknown,
        LogSource::PasswdFile,
    ),
    (
        "auth: sql(bob,203.0.113.7,<6rXunFtu493AqJDi>): Password mismatch",
        Service::Dovecot,
        LogSource::Sql,
    ),
    (
        "auth: ldap(bob,203.0.113.7,<LZmGp6>): Password mismatch (for LDAP bind) (SHA1 of given password: f638ff)",
        Service::Dovecot,
        LogSource::Ldap,
    ),
    (
        "auth: Info: ldap(bob,203.0.113.7,): invalid credentials",
        Service::Unknown,
        LogSource::Ldap,
    ),
    (
        "auth: Info: cram-md5(bob,203.0.113.7): Password mismatch",
        Service::Unknown,
        LogSource::Mechanism,
    ),
    (
        "auth(default): pam(bob,203.0.113.7): pam_authenticate() failed: User not known to the underlying authentication module: 2 Time(s)",
        Service::Unknown,
        LogSource::PamDatabase,
    ),
    (
        "auth-worker(304): pam(bob,203.0.113.7): pam_authenticate() failed: Authentication failure (password mismatch?)",
        Service::Unknown,
        LogSource::PamDatabase,
    ),
    (
        "auth-worker(23060): Info: conn unix:auth-worker (pid=23051,uid=103): auth-worker<1>: pam(bob,203.0.113.7): pam_authenticate() failed: Authentication failure (Password mismatch?)",
        Service::Unknown,
        LogSource::PamDatabase,
    ),
    (
        "auth-worker(57065): Info: conn unix:auth-worker (uid=143): auth-worker<225622>: sql(bob,203.0.113.7,<Yx7+W8+Io>): Password mismatch",
        Service::Dovecot,
        LogSource::Sql,
    ),
    (
        "auth(bob,203.0.113.7,sasl:login)<CvN+E95Uf4e7eEnj>: Info: sql: Password mismatch (given password: XxxxXXxx123)",
        Service::Dovecot,
        LogSource::Sql,
    ),
    (
        "auth(bob,203.0.113.7,sasl:plain): passwd-file: Password mismatch",
        Service::Unknown,
        LogSource::PasswdFile,
    ),
    (
        "auth-worker(bob,203.0.113.7,sasl:plain)<1234>: request [12]: pam: unknown user",
        Service::Unknown,
        LogSource::PamDatabase,
    ),
    (
        "auth-worker(bob,203.0.113.7,sasl:plain,master)<1234><a+b>: request [12]: Info: pam: unknown user",
        Service::Dovecot,
        LogSource::PamDatabase,
    ),
];

#[test]
fn failures_of_auth_processes_are_read_in_every_form() {
    for &(message, service, source) in AUTH_FAILURES {
        check(message, "203.0.113.7", Some("bob"), service);
        assert_eq!(report(message).source, source, "{message}");
    }
    check(
        "auth: sql(?,2001:db8::9): unknown user",
        "2001:db8::9",
        None,
        Service::Unknown,
    );
}

#[test]
fn a_refused_character_is_a_failure_of_the_name_behind_it() {
    for name in [
        "x, sasl_username=alice@example.org",
        "z,192.0.2.9): Password mismatch",
    ] {
        let message = format!(
            "auth: Info: plain(?,203.0.113.7): Username character disallowed by auth_username_chars: 0x2c (username: {name})"
        );
        check(&message, "203.0.113.7", Some(name), Service::Unknown);
    }
}

#[test]
fn a_name_at_a_login_process_cannot_imitate_fields() {
    for name in [
        "x>, method=PLAIN, rip=192.0.2.9, lip=127.0.0.1, mpid=9, session=<a>",
        "x>, rip=192.0.2.9",
        ", rip=192.0.2.9",
        "a b, rip=192.0.2.9",
        "x>, method=PLAIN",
        "bob (auth failed, 9 attempts in 1 secs): user=<root>, rip=192.0.2.9",
    ] {
        let login = format!(
            "imap-login: Login: user=<{name}>, method=PLAIN, rip=203.0.113.7, lip=192.0.2.1, mpid=7, TLS, session=<b>"
        );
        check(&login, "203.0.113.7", Some(name), Service::Imap);
        let failed = format!(
            "imap-login: Disconnected: Aborted login by logging out (auth failed, 1 attempts in 2 secs): user=<{name}>, method=PLAIN, rip=203.0.113.7, lip=192.0.2.1, session=<b>"
        );
        check(&failed, "203.0.113.7", Some(name), Service::Imap);
        assert_eq!(report(&failed).attempts, 1);
        let bare = format!(
            "imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<{name}>, rip=203.0.113.7"
        );
        check(&bare, "203.0.113.7", Some(name), Service::Imap);
    }
}

#[test]
fn an_auth_line_that_can_be_read_in_two_ways_is_ambiguous() {
    for message in [
        "auth: sql(x,192.0.2.9): Password mismatch,203.0.113.7): Password mismatch",
        "auth: sql(bob,203.0.113.7): Password mismatch (given password: x,192.0.2.9): Password mismatch)",
        "auth: sql(bob,203.0.113.7): Password mismatch (given password: x,192.0.2.9): Username character disallowed by auth_username_chars: 0x2c (username: y))",
        "auth(x,192.0.2.9): sql: unknown user,203.0.113.7,sasl:plain): sql: Password mismatch",
    ] {
        assert_eq!(read(message.as_bytes()), Parsed::Ambiguous, "{message}");
    }
}

#[test]
fn what_is_no_attempt_is_not_read_as_one() {
    for message in [
        "imap-login: Disconnected (no auth attempts in 10 secs): user=<>, rip=203.0.113.7, TLS handshaking: SSL_accept() failed: error:1",
        "imap-login: Aborted login (tried to use disallowed plaintext auth): user=<>, rip=203.0.113.7, lip=192.0.2.1",
        "imap-login: Aborted login (tried to use disallowed plaintext auth): user=<x (auth failed, 9 attempts in 1 secs): user=<root>, rip=203.0.113.7",
        "imap(bob)<23073><F3DI>: Info: Disconnected: Logged out in=8 out=468",
        "imap(x imap-login: Login: user=<root>, method=PLAIN, rip=192.0.2.9)<1><a>: Info: x",
        "auth: Error: sql(bob,203.0.113.7): Password query failed: connection refused",
        "auth: Debug: client in: AUTH 1 PLAIN service=smtp rip=203.0.113.7",
        "auth: passwd-file(bob): Password mismatch",
        "lmtp(bob)<1><a>: Info: sieve: x",
        "auth",
        "imap-login: Disconnected: Too many invalid commands (no auth attempts in 1 secs): user=<>, rip=203.0.113.7",
        "imap-login: Disconnected: Inactivity during authentication (client didn't finish SASL auth, waited 180 secs): user=<>, method=PLAIN, rip=203.0.113.7",
        "imap-login: Disconnected (auth service reported temporary failure, 1 attempts in 3 secs): user=<bob>, method=PLAIN, rip=203.0.113.7",
        "imap-login: Login aborted: Logged out (internal failure, 1/1 successful auths in 3 secs) (internal_failure): user=<bob>, rip=203.0.113.7",
        "imap-login: Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10): user=<bob>, method=PLAIN, rip=203.0.113.7, lip=192.0.2.1",
        "imap-login: Disconnected: Connection closed (proxy dest temporary authentication failure to 192.0.2.9, 1 attempts in 2 secs): user=<bob>, rip=203.0.113.7",
        "imap-login: proxy(bob): Login failed to 192.0.2.9:143: [AUTHENTICATIONFAILED] no: user=<bob>, method=PLAIN, rip=203.0.113.7, lip=192.0.2.1",
        "imap-login: proxy(bob,192.0.2.9:143): Disconnected by client (10s idle, in=8, out=468): user=<bob>, rip=203.0.113.7",
    ] {
        assert_eq!(read(message.as_bytes()), Parsed::Unrelated, "{message}");
    }
    assert_eq!(read(b""), Parsed::Foreign);
    for message in [
        "imap-login: Login: user=<bob>, method=PLAIN, rip=localhost",
        "imap-login: Login: user=<bob>, method=PLAIN, lip=192.0.2.1",
        "imap-login: Login: rip=203.0.113.7x",
        "imap-login: Disconnected (auth failed, many attempts): user=<bob>, rip=203.0.113.7",
    ] {
        assert_eq!(read(message.as_bytes()), Parsed::Ambiguous, "{message}");
    }
}

/// `user client outcome xattempts`.
fn told(message: &str) -> String {
    let Parsed::Report(report) = read(message.as_bytes()) else {
        panic!("{message}: {:?}", read(message.as_bytes()));
    };
    let user = report.user.map(String::from_utf8_lossy);
    format!(
        "{} {} {:?} x{}",
        user.as_deref().unwrap_or("-"),
        report.client,
        report.outcome,
        report.attempts
    )
}

#[test]
fn every_reason_that_refuses_a_password_is_read() {
    let tail = ": user=<bob>, method=PLAIN, rip=203.0.113.7, lip=192.0.2.1, TLS, session=<a>";
    for (reason, attempts) in [
        ("Disconnected (auth failed, 3 attempts in 16 secs)", 3),
        ("Aborted login (auth failed, 1 attempts)", 1),
        ("Aborted login (auth failed, 1 attempt in 2 secs)", 1),
        (
            "Login aborted: Connection closed (auth failed, 2 attempts in 8 secs) (auth_failed)",
            2,
        ),
        (
            "Login aborted: Logged out (auth failed, 2 attempts in 8 secs, last failure: no) (auth_failed)",
            2,
        ),
        ("Disconnected: Inactivity (user disabled)", 1),
        ("Disconnected (user disabled, 2 attempts in 3 secs)", 2),
        ("Disconnected (password expired, 1 attempts in 3 secs)", 1),
        (
            "Disconnected: Too many (authorization failed, 1 attempts in 3 secs)",
            1,
        ),
        ("Disconnected (proxy dest auth failed)", 1),
        (
            "Login aborted: Connection closed (proxy dest authentication failure to 192.0.2.9, 2 attempts in 3 secs, last failure: [AUTH] no (really)) (proxy_dest_auth_failed)",
            2,
        ),
        (
            "Login aborted: Logged out (auth failed, 1/3 successful auths in 9 secs) (auth_failed)",
            2,
        ),
        (
            "Connection closed: SSL_read failed (auth failed, 1 attempts in 1 secs)",
            1,
        ),
    ] {
        for service in [
            "imap-login: ",
            "pop3-login: Info: ",
            "imap-login(12)<a/b+>: Info: ",
        ] {
            let message = format!("{service}{reason}{tail}");
            assert_eq!(
                told(&message),
                format!("bob 203.0.113.7 Reject x{attempts}"),
                "{message}"
            );
        }
    }
}

#[test]
fn a_login_that_a_proxy_has_passed_on_is_a_success() {
    for message in [
        "proxy(alice): started proxying to 192.0.2.9:143: user=<alice>, method=PLAIN, rip=203.0.113.7, lip=192.0.2.1, TLS, session=<a>",
        "proxy(alice): started proxying to 192.0.2.9:143/other (master x): user=<alice>, method=PLAIN, rip=203.0.113.7, lip=192.0.2.1",
        "proxy(alice,192.0.2.9:143): Started proxying to remote host: user=<alice>, method=PLAIN, rip=203.0.113.7, lip=192.0.2.1",
        "Started proxying to remote host (192.0.2.9:143): user=<alice>, method=PLAIN, rip=203.0.113.7, lip=192.0.2.1",
    ] {
        assert_eq!(
            told(&format!("imap-login: {message}")),
            "alice 203.0.113.7 Accept x1",
            "{message}"
        );
    }
}

#[test]
fn a_name_at_a_proxy_cannot_imitate_a_login() {
    for name in [
        "root): started proxying to h:1: user=<root",
        "): started proxying to h:1: user=<root>, rip=192.0.2.66, lip=1.1.1.1",
        "root): Started proxying to remote host",
        "root",
    ] {
        let message = format!(
            "imap-login: proxy({name}): Login failed to 192.0.2.9:143: no: user=<{name}>, method=PLAIN, rip=203.0.113.7, lip=192.0.2.1"
        );
        assert!(
            !matches!(read(message.as_bytes()), Parsed::Report(_)),
            "{message}"
        );
    }
}

#[test]
fn a_session_is_as_long_as_dovecot_allows() {
    for (octets, is_read) in [(63, true), (64, true), (65, false)] {
        let session = "s".repeat(octets);
        for message in [
            format!("auth: sql(bob,203.0.113.7,<{session}>): Password mismatch"),
            format!("auth(bob,203.0.113.7,sasl:plain)<{session}>: sql: Password mismatch"),
        ] {
            let parsed = matches!(read(message.as_bytes()), Parsed::Report(_));
            assert_eq!(parsed, is_read, "{message}");
        }
    }
}
