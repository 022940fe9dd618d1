//! tests - the filter on real sockets; if the kernel does not permit it, the fault is tested

use std::net::{Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::*;
use crate::net::admission::{self, Admission};
use crate::net::listener::{self, AdmittedConnection, Arrival, Listener, TlsStart};
use gatepost_core::gate::buckets::quota::Quota;
use gatepost_core::moment::Moment;

const SOON: Duration = Duration::from_secs(10);

/// A listener, and a filter over it that has counted these clients.
fn filtered_listener(address: &str, banned: &[&str]) -> (Listener, Filter) {
    let settings = listener::ListenerSettings {
        address: address.parse().unwrap(),
        tls: TlsStart::Implicit,
        proxy_from: Vec::new(),
    };
    let listener = Listener::bind(&settings, &Arc::default()).unwrap();
    let filter = Filter::new(vec![listener.socket_filter()]);
    for client in banned {
        filter.reset(client.parse().unwrap(), RefusedFor::Ban);
    }
    (listener, filter)
}

fn admission() -> Admission {
    let settings = admission::AdmissionSettings {
        sessions: 100,
        per_client: 100,
        per_network: 100,
        connects: Quota {
            burst: 100,
            every: Duration::from_secs(1),
        },
        familiar_connects: Quota {
            burst: 100,
            every: Duration::from_secs(1),
        },
        handshakes: 1,
        filter: FilterMode::On,
    };
    Admission::new(&settings, &[7; 16])
}

async fn connect_from(source: &str, to: SocketAddr) -> io::Result<TcpStream> {
    let source: SocketAddr = source.parse().unwrap();
    let socket = match source.is_ipv4() {
        true => TcpSocket::new_v4()?,
        false => TcpSocket::new_v6()?,
    };
    socket.bind(source)?;
    let port = to.port();
    let to = match (to.ip().is_unspecified(), source.is_ipv4()) {
        (true, true) => SocketAddr::from(([127, 0, 0, 1], port)),
        (true, false) => SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
        (false, _) => to,
    };
    socket.connect(to).await
}

async fn next(listener: &mut Listener, admission: &Admission) -> AdmittedConnection {
    let admit = |client| admission.admit(client, Standing::Stranger, Moment::EPOCH);
    match timeout(SOON, listener.accept(admit)).await.unwrap() {
        Arrival::Client(accepted) => accepted,
        other => panic!("{other:?}"),
    }
}

/// Whether the kernel accepts filters from us. If not, that must be the documented fault, returned once.
fn taken(filter: &Filter) -> bool {
    match filter.refresh(|_| Standing::Banned) {
        Ok(dropped) => {
            assert!(dropped > 0);
            true
        }
        Err(fault) => {
            assert!(matches!(fault, FilterFault::NotPermitted), "{fault}");
            assert!(matches!(filter.refresh(|_| Standing::Banned), Ok(0)));
            false
        }
    }
}

/// The banned client gets no answer until the ban ends, while another connects.
async fn check(address: &str, banned: &str, banned_key: &str, good: &str) {
    let (mut listener, filter) = filtered_listener(address, &[banned_key]);
    let admission = admission();
    let to = listener.local_addr();
    let taken = taken(&filter);

    let mut connecting = pin!(connect_from(banned, to));
    // The first poll sends the SYN; on loopback it is dropped or accepted at once.
    assert!(timeout(Duration::ZERO, &mut connecting).await.is_err() || !taken);
    let _good = connect_from(good, to).await.unwrap();
    if taken {
        let accepted = next(&mut listener, &admission).await;
        assert_eq!(
            accepted.client.ip(),
            good.parse::<SocketAddr>().unwrap().ip()
        );
        // The next SYN of the banned client, a second later, is not filtered.
        assert!(matches!(filter.refresh(|_| Standing::Stranger), Ok(0)));
        timeout(SOON, connecting).await.unwrap().unwrap();
        let accepted = next(&mut listener, &admission).await;
        assert_eq!(
            accepted.client.ip(),
            banned.parse::<SocketAddr>().unwrap().ip()
        );
    }
}

#[tokio::test]
async fn a_client_is_dropped_only_while_it_is_banned() {
    check("127.0.0.1:0", "127.77.0.1:0", "127.77.0.1", "127.77.0.2:0").await;
}

#[tokio::test]
async fn a_dual_stack_listener_drops_ipv4_clients() {
    check("[::]:0", "127.77.0.1:0", "127.77.0.1", "[::1]:0").await;
}

#[tokio::test]
async fn a_dual_stack_listener_drops_ipv6_clients() {
    check("[::]:0", "[::1]:0", "::1", "127.77.0.2:0").await;
}

#[tokio::test]
async fn a_session_outlives_a_later_ban_of_its_client() {
    let (mut listener, filter) = filtered_listener("127.0.0.1:0", &["127.77.0.1"]);
    let admission = admission();
    let taken = taken(&filter);
    let mut client = connect_from("127.77.0.2:0", listener.local_addr())
        .await
        .unwrap();
    let mut accepted = next(&mut listener, &admission).await;
    if taken {
        let inherited = SockRef::from(&accepted.stream).detach_filter().unwrap_err();
        assert_eq!(Errno::from_io_error(&inherited), Some(Errno::NOENT));
    }
    filter.reset("127.77.0.2".parse().unwrap(), RefusedFor::Ban);
    assert_eq!(
        filter.refresh(|_| Standing::Banned).unwrap(),
        if taken { 2 } else { 0 }
    );
    client.write_all(b"still here").await.unwrap();
    let mut received = [0; 10];
    let read = timeout(SOON, accepted.stream.read_exact(&mut received)).await;
    assert_eq!((read.unwrap().unwrap(), &received), (10, b"still here"));
}

#[tokio::test]
async fn a_full_filter_drops_the_busiest() {
    let (mut listener, filter) = filtered_listener("[::]:0", &["127.77.0.1"; 3]);
    let admission = admission();
    for number in 0..5_000 {
        filter.reset(ClientKey::V4(0x0b00_0000 + number * 3), RefusedFor::Ban);
        if number < 1_000 {
            // Each in a /32 of its own, which takes the most instructions.
            let client = ClientKey::V6(0x2001_0db8_0000_0000 + (u64::from(number) << 32));
            filter.reset(client, RefusedFor::Ban);
            filter.reset(client, RefusedFor::Ban);
        }
    }
    if !taken(&filter) {
        return;
    }
    let dropped = filter.refresh(|_| Standing::Banned).unwrap();
    // The program of all 3,000 would be too long, and the kernel's budget may hold fewer still.
    assert!((100..=MAX_CLIENTS / 2).contains(&dropped), "{dropped}");
    assert!(matches!(filter.refresh(|_| Standing::Banned), Ok(again) if again == dropped));
    let to = listener.local_addr();
    let mut connecting = pin!(connect_from("127.77.0.1:0", to));
    assert!(timeout(Duration::ZERO, &mut connecting).await.is_err());
    let _good = connect_from("127.77.0.2:0", to).await.unwrap();
    let accepted = next(&mut listener, &admission).await;
    assert_eq!(accepted.client.ip().to_string(), "127.77.0.2");
    filter.clear().unwrap();
    timeout(SOON, connecting).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_listener_that_is_gone_is_not_kept_open_by_its_filter() {
    let (listener, filter) = filtered_listener("127.0.0.1:0", &["127.77.0.1"]);
    let to = listener.local_addr();
    taken(&filter);
    drop(listener);
    let refused = connect_from("127.77.0.2:0", to).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    assert!(filter.refresh(|_| Standing::Stranger).is_ok());
}

#[test]
fn a_missing_capability_has_a_fault_of_its_own() {
    let filter = Filter::new(Vec::new());
    let mut state = lock(&filter.state);
    let fault = filter.give_up(&mut state, Errno::PERM.into());
    assert!(fault.to_string().contains("CAP_NET_ADMIN"), "{fault}");
    let fault = filter.give_up(&mut state, Errno::OPNOTSUPP.into());
    assert!(matches!(fault, FilterFault::Refused(_)), "{fault}");
    drop(state);
    filter.reset(ClientKey::V4(1), RefusedFor::Ban);
    assert_eq!(filter.refresh(|_| Standing::Banned).unwrap(), 0);
}
