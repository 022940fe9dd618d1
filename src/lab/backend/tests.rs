//! Transcripts: `C:` is sent, `S:` is what comes back, each as one line; `C!` goes without CRLF, `\r\n` in it is one.

use std::net::IpAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use gatepost_daemon::drain;

fn settings() -> BackendSettings {
    BackendSettings {
        users: HashMap::from([("ann@example.org".to_owned(), "green otter".to_owned())]),
        client_source: ClientSource::Socket,
        check: Duration::ZERO,
        ..BackendSettings::default()
    }
}

/// A session on a duplex; the counters and the signal to stop outlive it.
fn session(settings: &BackendSettings) -> (BackendSession, Arc<BackendCounters>, drain::Drainer) {
    let (drainer, drain) = drain::channel();
    let counters = Arc::<BackendCounters>::default();
    let session = BackendSession {
        client_source: settings.client_source,
        hostname: settings.hostname.as_str().into(),
        counters: Arc::clone(&counters),
        checker: Arc::new(PasswordChecker::new(settings)),
        drain,
    };
    (session, counters, drainer)
}

/// Plays a transcript and gives what was counted.
async fn check(transcript: &str) -> Arc<BackendCounters> {
    let (session, counters, _drainer) = session(&settings());
    let (mut far, near) = tokio::io::duplex(1 << 20);
    let client = IpAddr::from([203, 0, 113, 7]);
    let served = tokio::spawn(async move { smtp_session::serve(near, client, &session).await });
    let steps = transcript.lines().map(str::trim_start);
    for step in steps.filter(|step| !step.is_empty()) {
        let (who, text) = step.split_at(step.len().min(2));
        let text = text.strip_prefix(' ').unwrap_or(text);
        match who {
            "C:" => far
                .write_all(format!("{text}\r\n").as_bytes())
                .await
                .unwrap(),
            "C!" => {
                let text = text.replace(r"\r\n", "\r\n");
                far.write_all(text.as_bytes()).await.unwrap();
            }
            _ => {
                let mut line = Vec::new();
                while !line.ends_with(b"\r\n") {
                    line.push(far.read_u8().await.unwrap_or(b'\n'));
                    assert!(
                        line.last() != Some(&b'\n') || line.ends_with(b"\r\n"),
                        "hung up: {step}"
                    );
                }
                assert_eq!(
                    String::from_utf8_lossy(&line).trim_end(),
                    text.trim_end(),
                    "{step}"
                );
            }
        }
    }
    drop(far);
    let _ = served.await.unwrap();
    counters
}

const GREETED: &str = "
    S: 220 backend.test ESMTP lab backend
    C: EHLO laptop
    S: 250-backend.test
    S: 250-PIPELINING
    S: 250-SIZE 52428800
    S: 250-AUTH PLAIN LOGIN
    S: 250-ENHANCEDSTATUSCODES
    S: 250-8BITMIME
    S: 250 CHUNKING";

const LOGGED_IN: &str = "
    C: AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBncmVlbiBvdHRlcg==
    S: 235 2.7.0 Authentication successful";

#[tokio::test]
async fn login_succeeds_in_each_form_and_fails_on_a_wrong_password() {
    let counted = check(&format!(
        "{GREETED}
        C: AUTH LOGIN
        S: 334 VXNlcm5hbWU6
        C: YW5uQGV4YW1wbGUub3Jn
        S: 334 UGFzc3dvcmQ6
        C: d3Jvbmc=
        S: 535 5.7.8 Error: authentication failed
        C: AUTH LOGIN YW5uQGV4YW1wbGUub3Jn
        S: 334 UGFzc3dvcmQ6
        C: *
        S: 501 5.7.0 Authentication aborted
        C: AUTH PLAIN ====
        S: 501 5.5.2 Cannot decode response
        C: AUTH SCRAM-SHA-1
        S: 504 5.5.4 Unrecognized authentication type
        C: AUTH PLAIN
        S: 334
        C: AGFubkBleGFtcGxlLm9yZwBncmVlbiBvdHRlcg==
        S: 235 2.7.0 Authentication successful
        C: AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBncmVlbiBvdHRlcg==
        S: 503 5.5.1 Error: authentication not possible now
        C: QUIT
        S: 221 2.0.0 Bye"
    ))
    .await;
    let totals = counted.totals();
    assert_eq!((totals.checks, totals.logins), (2, 1));
}

#[tokio::test]
async fn a_dot_stuffed_mail_is_counted_as_it_was_meant() {
    let counted = check(&format!(
        "{GREETED}
        {LOGGED_IN}
        C: MAIL FROM:<ann@example.org> SIZE=20
        S: 250 2.1.0 Ok
        C: RCPT TO:<bob@example.org>
        S: 250 2.1.5 Ok
        C: RCPT TO:<cy@example.org>
        S: 250 2.1.5 Ok
        C: DATA
        S: 354 End data with <CR><LF>.<CR><LF>
        C: Subject: dots
        C:
        C: ..one
        C: ...
        C: .
        S: 250 2.0.0 Ok: discarded
        C: QUIT
        S: 221 2.0.0 Bye"
    ))
    .await;
    let text = b"Subject: dots\r\n\r\n.one\r\n..\r\n";
    let mail = Mail {
        user: "ann@example.org".to_owned(),
        client: IpAddr::from([203, 0, 113, 7]),
        sender: "ann@example.org".to_owned(),
        recipients: 2,
        subject: "dots".to_owned(),
        octets: text.len() as u64,
        crc32: crc32fast::hash(text),
    };
    assert_eq!(counted.last_mails(), [mail]);
    let of = |last: u8| counted.of_clients(|client| client == IpAddr::from([203, 0, 113, last]));
    assert_eq!((of(7).mails, of(7).logins, of(8).mails), (1, 1, 0));
}

#[tokio::test]
async fn chunks_are_taken_octet_for_octet_and_pipelined() {
    let counted = check(&format!(
        "{GREETED}
        {LOGGED_IN}
        C: MAIL FROM:<>
        C: RCPT TO:<bob@example.org>
        C: BDAT 4
        C! .\\r\\nQ
        C: BDAT 0
        C: BDAT 3 LAST
        C! UITQUIT\\r\\n
        S: 250 2.1.0 Ok
        S: 250 2.1.5 Ok
        S: 250 2.0.0 Ok
        S: 250 2.0.0 Ok
        S: 250 2.0.0 Ok: discarded
        S: 221 2.0.0 Bye"
    ))
    .await;
    let mail = &counted.last_mails()[0];
    assert_eq!(
        (mail.octets, mail.crc32),
        (7, crc32fast::hash(b".\r\nQUIT"))
    );
}

#[tokio::test]
async fn a_refused_chunk_is_read_all_the_same() {
    let counted = check(&format!(
        "{GREETED}
        {LOGGED_IN}
        C: BDAT 6 LAST
        C: NOOP
        S: 503 5.5.1 Error: need RCPT command
        C: BDAT six
        S: 501 5.5.4 Syntax: BDAT count [LAST]"
    ))
    .await;
    assert_eq!(counted.totals().mails, 0);
}

#[tokio::test]
async fn commands_out_of_order_are_refused() {
    check(&format!(
        "{GREETED}
        C: MAIL FROM:<ann@example.org>
        S: 530 5.7.0 Authentication required
        {LOGGED_IN}
        C: RCPT TO:<bob@example.org>
        S: 503 5.5.1 Error: need MAIL command
        C: MAIL FROM:<ann@example.org> SIZE=52428801
        S: 552 5.3.4 Message size exceeds fixed limit
        C: MAIL FROM ann
        S: 501 5.5.4 Syntax: MAIL FROM:<address>
        C: mail from:<ann@example.org>
        S: 250 2.1.0 Ok
        C: DATA
        S: 503 5.5.1 Error: need RCPT command
        C: MAIL FROM:<ann@example.org>
        S: 503 5.5.1 Error: nested MAIL command
        C: RSET
        S: 250 2.0.0 Ok
        C: STARTTLS
        S: 502 5.5.2 Error: command not recognized"
    ))
    .await;
}

#[tokio::test]
async fn twenty_errors_end_the_session() {
    let errors = "
        C: VRFY
        S: 502 5.5.2 Error: command not recognized"
        .repeat(19);
    check(&format!(
        "{GREETED}{errors}
        C: EXPN
        S: 502 5.5.2 Error: command not recognized
        S: 421 4.7.0 Too many errors"
    ))
    .await;
}

#[tokio::test]
async fn a_drain_says_421_and_run_returns() {
    let (drainer, drain) = drain::channel();
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let backend = Backend::bind(loopback, settings()).await.unwrap();
    let (address, counters) = (backend.address().unwrap(), backend.counters());
    let running = tokio::spawn(backend.run(drain));
    let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut banner = [0; 4];
    client.read_exact(&mut banner).await.unwrap();
    assert_eq!((&banner, counters.totals().open), (b"220 ", 1));
    drainer.begin();
    let mut rest = String::new();
    client.read_to_string(&mut rest).await.unwrap();
    assert!(rest.ends_with("421 4.3.2 Shutting down\r\n"), "{rest}");
    running.await.unwrap();
    assert_eq!(counters.totals().open, 0);
}

#[tokio::test]
async fn it_listens_on_loopback_only() {
    let anywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let fault = Backend::bind(anywhere, settings()).await.unwrap_err();
    assert_eq!(fault.kind(), io::ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_client_beyond_the_processes_waits_until_one_is_free() {
    let (_drainer, drain) = drain::channel();
    let settings = BackendSettings {
        processes: 1,
        ..settings()
    };
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let backend = Backend::bind(loopback, settings).await.unwrap();
    let (address, counters) = (backend.address().unwrap(), backend.counters());
    tokio::spawn(backend.run(drain));
    let connect = || tokio::net::TcpStream::connect(address);
    let (mut first, mut second) = tokio::try_join!(connect(), connect()).unwrap();
    assert_eq!(first.read_u8().await.unwrap(), b'2');
    assert_eq!(counters.totals().connections, 1);
    drop(first);
    assert_eq!(second.read_u8().await.unwrap(), b'2');
    assert_eq!(counters.totals().connections, 2);
}
