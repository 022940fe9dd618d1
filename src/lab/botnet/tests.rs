//! The botnet and honest people against a real backend behind a real TLS front, on loopback.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::backend::{Backend, BackendCounters, BackendSettings};
use crate::certificate::Authority;
use gatepost_core::moment::Moment;
use gatepost_daemon::clock::Clock;
use gatepost_daemon::drain::{self, Drainer};

const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// A backend with a TLS front, and all that a test asks of it.
struct TestServer {
    front: SocketAddr,
    authority: Authority,
    counters: Arc<BackendCounters>,
    clock: Clock,
    _drainer: Drainer,
}

impl TestServer {
    async fn new(begins: TargetTls) -> Self {
        let clock = Clock::start();
        let authority = Authority::new(clock.now()).unwrap();
        let settings = BackendSettings {
            users: (0..4)
                .map(|number| (user(number), format!("green otter {number}")))
                .collect::<HashMap<_, _>>(),
            check: Duration::ZERO,
            ..BackendSettings::default()
        };
        let backend = Backend::bind(LOOPBACK, settings).await.unwrap();
        let (behind, counters) = (backend.address().unwrap(), backend.counters());
        let (drainer, drain) = drain::channel();
        tokio::spawn(backend.run(drain));
        let listener = TcpListener::bind(LOOPBACK).await.unwrap();
        let front = listener.local_addr().unwrap();
        let acceptor = acceptor(&authority);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move { relay(client, behind, acceptor, begins).await.ok() });
            }
        });
        Self {
            front,
            authority,
            counters,
            clock,
            _drainer: drainer,
        }
    }

    fn target(&self, begins: TargetTls) -> Target {
        Target::new(
            self.front,
            begins,
            &TrustedCertificates::Authority(self.authority.der()),
        )
        .unwrap()
    }
}

fn acceptor(authority: &Authority) -> TlsAcceptor {
    let leaf = authority.issue(&["127.0.0.1"]).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(leaf.chain(), leaf.key())
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// What a proxy without any duties does: announce, secure, pass on.
async fn relay(
    mut client: TcpStream,
    behind: SocketAddr,
    acceptor: TlsAcceptor,
    begins: TargetTls,
) -> std::io::Result<()> {
    let mut server = TcpStream::connect(behind).await?;
    let (source, own) = (client.peer_addr()?, client.local_addr()?);
    let header = format!(
        "PROXY TCP4 {} {} {} {}\r\n",
        source.ip(),
        own.ip(),
        source.port(),
        own.port()
    );
    server.write_all(header.as_bytes()).await?;
    if begins == TargetTls::StartTls {
        client.write_all(b"220 front\r\n").await?;
        expect(&mut client, b"EHLO User\r\n").await?;
        client.write_all(b"250-front\r\n250 STARTTLS\r\n").await?;
        expect(&mut client, b"STARTTLS\r\n").await?;
        client.write_all(b"220 go\r\n").await?;
        // There is no banner behind STARTTLS.
        while server.read_u8().await? != b'\n' {}
    }
    let mut secured = acceptor.accept(client).await?;
    tokio::io::copy_bidirectional(&mut secured, &mut server).await?;
    Ok(())
}

async fn expect(stream: &mut TcpStream, octets: &[u8]) -> std::io::Result<()> {
    let mut seen = vec![0; octets.len()];
    stream.read_exact(&mut seen).await?;
    assert_eq!(seen, octets);
    Ok(())
}

fn user(number: u32) -> String {
    format!("user{number}@example.org")
}

fn patient() -> BotHabits {
    BotHabits {
        ylmf_percent: 0,
        loud_percent: 0,
        ..BotHabits::default()
    }
}

/// 60 guesses by 12 addresses, one of them right.
fn plan() -> AttackPlan {
    AttackPlan {
        names: (0..4).map(user).collect(),
        passwords: (0..15)
            .map(|number| format!("green otter {}", number + 3))
            .collect(),
        addresses: 12,
        guesses: 60,
        rate: 2000.0,
        lasting: Duration::from_secs(60),
        per_session: 3,
        at_once: 5,
        habits: patient(),
    }
}

/// Runs `plan` against whatever listens at `front`.
async fn attacked(front: SocketAddr, plan: AttackPlan) -> AttemptFigures {
    let target = Target::new(front, TargetTls::Implicit, &TrustedCertificates::Any).unwrap();
    let (_drainer, drain) = drain::channel();
    let tally = Arc::default();
    let made = attack(&target, plan, &tally, Clock::start(), drain).await;
    let figures = tally.figures();
    assert_eq!(figures.tries, made);
    figures
}

#[tokio::test]
async fn what_the_botnet_saw_and_what_the_backend_counted_add_up() {
    for begins in [TargetTls::Implicit, TargetTls::StartTls] {
        let stage = TestServer::new(begins).await;
        let (tally, (_drainer, drain)) = (Arc::default(), drain::channel());
        let made = attack(&stage.target(begins), plan(), &tally, stage.clock, drain).await;
        let seen = tally.figures();
        assert_eq!((made, seen.tries, seen.under_way), (60, 60, 0));
        assert_eq!(
            (seen.accepted, seen.rejected, seen.other),
            (1, 59, 0),
            "{seen:?}"
        );
        assert_eq!(seen.latency.count, 60);
        let counted = stage.counters.totals();
        assert_eq!((counted.checks, counted.logins), (60, 1));
        // Three guesses a session, but for the one that got in early.
        assert!((20..=25).contains(&seen.sessions), "{seen:?}");
        assert_eq!(stage.counters.of_clients(is_bot).checks, 60);
        for number in 0..12 {
            let bot = IpAddr::from(bot_address(number));
            assert!(
                stage.counters.of_clients(|client| client == bot).checks > 0,
                "{bot}"
            );
        }
    }
}

#[tokio::test]
async fn honest_people_log_in_mistype_and_send_and_all_adds_up() {
    let stage = TestServer::new(TargetTls::Implicit).await;
    let people = (0..4).map(|number| HonestUser {
        user: user(number),
        password: format!("green otter {number}"),
        source: user_address(number).into(),
    });
    let plan = HonestPlan {
        people: people.collect(),
        visits: 40,
        rate: 1000.0,
        lasting: Duration::from_secs(60),
        mistypes_percent: 10,
        mail_octets: 4096,
        at_once: 8,
    };
    let (tally, (_drainer, drain)) = (Arc::default(), drain::channel());
    let target = stage.target(TargetTls::Implicit);
    let made = visit(&target, plan, &tally, stage.clock, drain).await;
    let seen = tally.figures();
    assert_eq!(
        (made, seen.visits, seen.mails, seen.locked_out),
        (40, 40, 40, 0)
    );
    assert!((1..=8).contains(&seen.mistyped), "{seen:?}");
    assert_eq!(
        (seen.tries.accepted, seen.tries.rejected),
        (40, seen.mistyped)
    );
    assert_eq!(seen.tries.tries, 40 + seen.mistyped);
    assert_eq!(seen.tries.latency.count, 40 - seen.mistyped);
    let home = IpAddr::from(user_address(1));
    assert_eq!(stage.counters.of_clients(|client| client == home).mails, 10);
    let mail = stage.counters.last_mails().pop().unwrap();
    assert!(mail.subject.starts_with("Letter "), "{mail:?}");
    // Every second line of the body is a dot, which was stuffed on its way.
    assert!((4000..4200).contains(&mail.octets), "{mail:?}");
}

#[tokio::test]
async fn a_reset_an_empty_port_and_a_close_are_told_apart() {
    for (linger, expected) in [(true, [60, 0]), (false, [0, 60])] {
        let listener = TcpListener::bind(LOOPBACK).await.unwrap();
        let front = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                if linger {
                    client.set_zero_linger().unwrap();
                    continue;
                }
                tokio::spawn(async move {
                    // Read what is sent, so that the close is a FIN and no RST.
                    let _ = client.shutdown().await;
                    let _ = client.read_to_end(&mut Vec::new()).await;
                });
            }
        });
        let seen = attacked(front, plan()).await;
        assert_eq!([seen.reset, seen.closed], expected, "{seen:?}");
        serving.abort();
        let _ = serving.await;
        let seen = attacked(front, plan()).await;
        assert_eq!(seen.connection_refused, 60, "{seen:?}");
    }
}

#[tokio::test]
async fn a_drain_ends_the_attack_and_what_was_under_way_is_told() {
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let front = listener.local_addr().unwrap();
    let (drainer, drain) = drain::channel();
    let mute = tokio::spawn(async move {
        let mut clients = Vec::new();
        for _ in 0..5 {
            clients.push(listener.accept().await.unwrap());
        }
        drainer.begin();
        clients
    });
    let target = Target::new(front, TargetTls::Implicit, &TrustedCertificates::Any).unwrap();
    let tally = Arc::default();
    let made = attack(&target, plan(), &tally, Clock::start(), drain).await;
    let seen = tally.figures();
    assert_eq!((made, seen.tries, seen.under_way), (5, 5, 5));
    mute.await.unwrap();
}

#[tokio::test]
async fn the_attack_ends_with_its_time() {
    let plan = AttackPlan {
        rate: 100.0,
        lasting: Duration::from_millis(50),
        ..plan()
    };
    // No program of ours binds this port.
    let nobody = "127.81.1.1:1".parse().unwrap();
    assert_eq!(attacked(nobody, plan).await.connection_refused, 5);
}

#[tokio::test]
async fn a_certificate_of_someone_else_is_odd_and_named() {
    let stage = TestServer::new(TargetTls::Implicit).await;
    let stranger = Authority::new(Moment::from_seconds(1_800_000_000)).unwrap();
    let trust = TrustedCertificates::Authority(stranger.der());
    let target = Target::new(stage.front, TargetTls::Implicit, &trust).unwrap();
    let (tally, (_drainer, drain)) = (Arc::default(), drain::channel());
    attack(&target, plan(), &tally, stage.clock, drain).await;
    let seen = tally.figures();
    assert_eq!(seen.other, 60);
    assert!(
        seen.first_other.as_deref().unwrap().contains("certificate"),
        "{seen:?}"
    );
    assert_eq!(stage.counters.totals().checks, 0);
}

#[test]
fn targets_elsewhere_are_refused() {
    for elsewhere in [
        "192.0.2.1:465",
        "[2001:db8::1]:465",
        "0.0.0.0:465",
        "[::ffff:10.0.0.1]:465",
    ] {
        let address = elsewhere.parse().unwrap();
        let fault =
            Target::new(address, TargetTls::Implicit, &TrustedCertificates::Any).unwrap_err();
        assert!(matches!(fault, TargetFault::NotLoopback(_)), "{elsewhere}");
    }
    for here in ["127.9.9.9:465", "[::1]:465"] {
        assert!(
            Target::new(
                here.parse().unwrap(),
                TargetTls::Implicit,
                &TrustedCertificates::Any
            )
            .is_ok()
        );
    }
}

#[test]
fn bots_and_people_have_addresses_of_their_own_in_networks_far_apart() {
    let bots: HashSet<_> = (0..100_000).map(bot_address).collect();
    assert_eq!(bots.len(), 100_000);
    assert!(bots.iter().all(|bot| is_bot(IpAddr::from(*bot))));
    let networks: HashSet<_> = (0..16_384)
        .map(|number| bot_address(number).to_bits() >> 8)
        .collect();
    assert_eq!(networks.len(), 16_384);
    let people: HashSet<_> = (0..4096).map(user_address).collect();
    assert_eq!(people.len(), 4096);
    assert!(
        people
            .iter()
            .all(|person| person.is_loopback() && !is_bot(IpAddr::from(*person)))
    );
}

#[test]
fn loud_addresses_make_their_share_of_the_sessions() {
    let plan = AttackPlan {
        addresses: 1000,
        habits: BotHabits {
            loud_percent: 20,
            ..BotHabits::default()
        },
        ..plan()
    };
    let of_two = (0..10_000)
        .filter(|session| [0, 1].map(bot_address).contains(&plan.source(*session)))
        .count();
    assert!((1_900..2_200).contains(&of_two), "{of_two}");
}
