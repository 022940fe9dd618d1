//! tests - upstream against a scripted Postfix; here: the script, and tests on real sockets

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, UnixListener};
use tokio::task::JoinHandle;

use super::*;
use gatepost_core::gate::request::client::NetworkKey;
use gatepost_core::gate::request::settings::ProcessSettings;

mod greeting;
mod login;

/// The dialogue with a Postfix that works.
const GREETS: &str = "
    S: 220 mx.example.org ESMTP Postfix
    C: EHLO laptop
    S: 250-mx.example.org
    S: 250-SIZE 10240000
    S: 250 AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER SCRAM-SHA-256 CRAM-MD5
";

fn origin() -> ClientOrigin {
    ClientOrigin {
        client: "203.0.113.7:51234".parse().unwrap(),
        listener: "192.0.2.1:465".parse().unwrap(),
        helo: HeloName::new(b"laptop"),
    }
}

/// Plays Postfix: `S:` is sent, `C:` is expected, `S+` is sent without CRLF, `END` waits for us to
/// close, and the end of the script closes.
async fn play<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, script: &str) {
    for line in script
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        if let Some(said) = line.strip_prefix("S: ") {
            let said = format!("{said}\r\n");
            stream.write_all(said.as_bytes()).await.unwrap();
        } else if let Some(said) = line.strip_prefix("S+ ") {
            stream.write_all(said.as_bytes()).await.unwrap();
        } else if let Some(expected) = line.strip_prefix("C: ") {
            assert_eq!(read_reply(stream).await, expected);
        } else if line == "C:" {
            assert_eq!(read_reply(stream).await, "");
        } else {
            assert_eq!(line, "END");
            assert_eq!(stream.read(&mut [0; 64]).await.unwrap_or(0), 0);
        }
    }
}

async fn read_reply<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(stream.read_u8().await.expect("a whole line"));
    }
    line.truncate(line.len() - 2);
    String::from_utf8(line).unwrap()
}

/// A Postfix on loopback that plays one script after the other, each on a connection of its own.
async fn postfix(scripts: &[&str]) -> (UpstreamAddress, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = UpstreamAddress::Tcp(listener.local_addr().unwrap());
    let scripts: Vec<String> = scripts.iter().map(|&script| script.to_owned()).collect();
    let played = tokio::spawn(async move {
        for script in scripts {
            let (mut stream, _) = listener.accept().await.unwrap();
            play(&mut stream, &script).await;
        }
    });
    (address, played)
}

/// An address with no listener, for as long as the socket is kept.
fn closed_port() -> (UpstreamAddress, TcpSocket) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    (UpstreamAddress::Tcp(socket.local_addr().unwrap()), socket)
}

fn upstream(addresses: Vec<UpstreamAddress>) -> Upstream {
    with_deadlines(addresses, Deadlines::default())
}

fn with_deadlines(addresses: Vec<UpstreamAddress>, deadlines: Deadlines) -> Upstream {
    let settings = UpstreamSettings {
        addresses,
        announce: Announce::ProxyV1,
        ..settings()
    };
    Upstream::new(settings, deadlines, processes(), Clock::start())
}

/// With all mechanisms, and nothing announced.
fn settings() -> UpstreamSettings {
    UpstreamSettings {
        addresses: Vec::new(),
        announce: Announce::Nothing,
        hostname: "gate.example.org".to_owned(),
        mechanisms: Mechanism::ALL.to_vec(),
    }
}

fn processes() -> Processes {
    Processes::new(ProcessSettings::default(), Arc::default())
}

/// The line of somebody else each time.
fn some_line() -> ProcessLine {
    static NETWORK: AtomicU32 = AtomicU32::new(0);
    ProcessLine::unnamed(NetworkKey::V4(NETWORK.fetch_add(1, Ordering::Relaxed)))
}

/// Connects, with a process that is there at once and no patience.
async fn connect(upstream: &Upstream) -> Result<Connected, UpstreamFault> {
    connect_with(upstream, Duration::ZERO).await
}

async fn connect_with(upstream: &Upstream, patience: Duration) -> Result<Connected, UpstreamFault> {
    let process = upstream.processes().take(some_line()).unwrap();
    upstream.connect(&origin(), process, patience).await
}

fn announced(rest: &str) -> String {
    format!("C: PROXY TCP4 203.0.113.7 192.0.2.1 51234 465\n{rest}")
}

#[tokio::test]
async fn the_next_address_serves_when_the_first_is_dead() {
    let (second, played) = postfix(&[&announced(GREETS), &announced(GREETS)]).await;
    let (first, _kept) = closed_port();
    let upstream = upstream(vec![first, second]);
    connect(&upstream).await.unwrap();
    assert!(upstream.endpoints[0].health.is_dead());
    assert!(!upstream.endpoints[1].health.is_dead());
    // From now on the dead address is tried last.
    connect(&upstream).await.unwrap();
    played.await.unwrap();
}

#[tokio::test]
async fn the_next_address_serves_when_the_first_refuses() {
    let (first, refused) = postfix(&[&announced("S: 421 4.3.2 all busy\nEND")]).await;
    let (second, greeted) = postfix(&[&announced(GREETS)]).await;
    connect(&upstream(vec![first, second])).await.unwrap();
    refused.await.unwrap();
    greeted.await.unwrap();
}

#[tokio::test]
async fn the_tcp_client_is_announced_over_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("postfix");
    let listener = UnixListener::bind(&path).unwrap();
    let played = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        play(&mut stream, &announced(GREETS)).await;
    });
    connect(&upstream(vec![UpstreamAddress::Unix(path)]))
        .await
        .unwrap();
    played.await.unwrap();
}

#[tokio::test]
async fn a_small_write_to_postfix_does_not_wait_for_an_acknowledgement() {
    let (address, played) = postfix(&["END"]).await;
    let Stream::Tcp(stream) = Stream::connect(&address).await.unwrap() else {
        panic!("not TCP");
    };
    assert!(stream.nodelay().unwrap());
    drop(stream);
    played.await.unwrap();
}

#[tokio::test]
async fn watchers_are_notified_only_of_changed_capabilities() {
    let other = GREETS.replace("10240000", "20480000");
    let scripts = [GREETS, GREETS, &other].map(announced);
    let (address, played) = postfix(&scripts.each_ref().map(String::as_str)).await;
    let upstream = upstream(vec![address]);
    let mut capabilities = upstream.capabilities();
    assert!(capabilities.borrow_and_update().is_none());
    connect(&upstream).await.unwrap();
    assert!(capabilities.has_changed().unwrap());
    let first = capabilities.borrow_and_update().clone().unwrap();
    connect(&upstream).await.unwrap();
    assert!(!capabilities.has_changed().unwrap());
    connect(&upstream).await.unwrap();
    assert!(capabilities.has_changed().unwrap());
    assert_ne!(*first, **capabilities.borrow_and_update().as_ref().unwrap());
    played.await.unwrap();
}

#[tokio::test]
async fn a_probe_announces_no_client_and_quits() {
    let script = "
        C: PROXY TCP4 127.0.0.1 127.0.0.1 1 1
        S: 220 mx.example.org ESMTP
        C: EHLO gate.example.org
        S: 250-mx.example.org
        S: 250 AUTH PLAIN
        C: QUIT
        S: 221 2.0.0 Bye
        END
    ";
    let (address, played) = postfix(&[script]).await;
    let (dead, _kept) = closed_port();
    let upstream = upstream(vec![dead, address]);
    upstream.probe().await.unwrap();
    assert!(upstream.capabilities().borrow().is_some());
    played.await.unwrap();
}

#[tokio::test]
async fn a_probe_detects_an_address_that_answers_again() {
    let (address, socket) = closed_port();
    let upstream = upstream(vec![address]);
    let fault = connect(&upstream).await.unwrap_err();
    assert!(matches!(fault, UpstreamFault::NotListening(_)), "{fault}");
    assert!(upstream.endpoints[0].health.is_dead());
    let listener = socket.listen(8).unwrap();
    let played = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let script = GREETS.replace("laptop", "gate.example.org");
        let probe_header = "C: PROXY TCP4 127.0.0.1 127.0.0.1 1 1";
        play(&mut stream, &format!("{probe_header}\n{script}\nC: QUIT")).await;
    });
    upstream.probe().await.unwrap();
    assert!(!upstream.endpoints[0].health.is_dead());
    played.await.unwrap();
}

#[tokio::test]
async fn without_addresses_there_is_a_fault_and_no_panic() {
    let upstream = upstream(vec![]);
    assert!(matches!(
        connect(&upstream).await,
        Err(UpstreamFault::NoAddress)
    ));
    assert!(matches!(
        upstream.probe().await,
        Err(UpstreamFault::NoAddress)
    ));
}

/// Who waits is one of several: the others' tries, and what came of them, are their own.
#[tokio::test]
async fn what_came_of_one_try_turns_nobody_else_away() {
    let (address, socket) = closed_port();
    let upstream = Arc::new(upstream(vec![address]));
    connect(&upstream).await.unwrap_err();
    assert!(upstream.endpoints[0].health.is_dead());
    let listener = socket.listen(8).unwrap();
    let login = || {
        let upstream = Arc::clone(&upstream);
        tokio::spawn(async move { connect(&upstream).await.map(drop) })
    };
    let hangs = login();
    let (hanging, _) = listener.accept().await.unwrap();
    let fails = login();
    let (closed, _) = listener.accept().await.unwrap();
    let served = login();
    let (mut stream, _) = listener.accept().await.unwrap();
    drop(closed);
    fails.await.unwrap().unwrap_err();
    let played = tokio::spawn(async move { play(&mut stream, &announced(GREETS)).await });
    served.await.unwrap().unwrap();
    played.await.unwrap();
    assert!(!hangs.is_finished());
    assert!(!upstream.endpoints[0].health.is_dead());
    drop((listener, hanging));
    hangs.await.unwrap().unwrap_err();
}

#[tokio::test]
async fn a_postfix_that_hangs_up_and_answers_others_is_tried_again() {
    let hangs_up = "C: PROXY TCP4 203.0.113.7 192.0.2.1 51234 465";
    for answers_others in [true, false] {
        let (address, _played) = postfix(&[hangs_up, hangs_up, &announced(GREETS)]).await;
        let deadlines = Deadlines {
            retry: Duration::from_millis(20),
            ..Deadlines::default()
        };
        let upstream = with_deadlines(vec![address], deadlines);
        let endpoint = Arc::clone(&upstream.endpoints[0]);
        let mut others = tokio::time::interval(Duration::from_millis(1));
        let answer_others = async {
            if !answers_others {
                std::future::pending::<()>().await;
            }
            loop {
                others.tick().await;
                let began = endpoint.health.begin();
                endpoint
                    .health
                    .note_greeting(&endpoint.address, Party::Probe, began, None);
            }
        };
        let connected = tokio::select! {
            connected = connect(&upstream) => connected,
            () = answer_others => unreachable!("it goes on for ever"),
        };
        assert_eq!(connected.is_ok(), answers_others);
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[expect(clippy::disallowed_methods, reason = "the paused clock")]
fn now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// How long an answer that never comes is waited for, while Postfix answers others `times` times, each 9 s
/// after the one before.
async fn waited(patience: Duration, times: u32) -> Duration {
    let upstream = upstream(vec![UpstreamAddress::Unix("/postfix".into())]);
    let endpoint = Arc::clone(&upstream.endpoints[0]);
    let others = tokio::spawn(async move {
        for _ in 0..times {
            tokio::time::sleep(SECOND * 9).await;
            let began = endpoint.health.begin();
            endpoint
                .health
                .note_greeting(&endpoint.address, Party::Probe, began, None);
        }
    });
    let began = now();
    let never = std::future::pending::<()>();
    let answer = upstream
        .while_busy(&upstream.endpoints[0], patience, never)
        .await;
    assert!(answer.is_none());
    others.abort();
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_postfix_that_answers_others_is_waited_for_as_long_as_the_client_can() {
    assert_eq!(waited(SECOND * 25, 9).await, SECOND * 25);
    assert_eq!(waited(SECOND * 90, 9).await, SECOND * 90);
}

#[tokio::test(start_paused = true)]
async fn a_postfix_that_answers_nobody_is_given_up_after_ten_seconds() {
    assert_eq!(waited(SECOND * 90, 0).await, SECOND * 10);
    assert_eq!(waited(SECOND * 90, 1).await, SECOND * 20);
    // A client that has waited long already is given as long as any other.
    assert_eq!(waited(SECOND, 0).await, SECOND * 10);
}
