//! tests - real sockets on loopback: what an admitted and a refused client sees

mod balancers;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use rustix::io::Errno;

use super::socket::KEEPALIVE_IDLE;
use super::*;
use crate::net::admission::{self, Admission};
use crate::net::proxy_header::{self, Version};
use gatepost_core::gate::request::verdict::Standing;
use gatepost_core::moment::Moment;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(10);

fn settings(address: &str) -> ListenerSettings {
    ListenerSettings {
        address: address.parse().unwrap(),
        tls: TlsStart::Implicit,
        proxy_from: Vec::new(),
    }
}

fn listener(address: &str) -> Listener {
    Listener::bind(&settings(address), &Arc::default()).unwrap()
}

fn admission() -> Admission {
    let settings = admission::AdmissionSettings {
        sessions: 100,
        per_client: 50,
        per_network: 50,
        connects: gatepost_core::gate::buckets::quota::Quota {
            burst: 60,
            every: Duration::from_secs(1),
        },
        familiar_connects: gatepost_core::gate::buckets::quota::Quota {
            burst: 60,
            every: Duration::from_secs(1),
        },
        handshakes: 1,
        filter: crate::net::filter::FilterMode::Off,
    };
    Admission::new(&settings, &[7; 16])
}

/// Admits all clients but the banned one.
fn all_but<'a>(
    admission: &'a Admission,
    banned: &'a str,
) -> impl Fn(ClientKey) -> Result<Slot, TurnedAway> + 'a {
    let banned: ClientKey = banned.parse().unwrap();
    move |client| {
        let standing = match client == banned {
            true => Standing::Banned,
            false => Standing::Stranger,
        };
        admission.admit(client, standing, Moment::from_seconds(1))
    }
}

async fn connect_from(source: &str, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(source.parse().unwrap(), 0))?;
    socket.connect(to).await
}

async fn next_client(
    listener: &mut Listener,
    admit: impl Fn(ClientKey) -> Result<Slot, TurnedAway>,
) -> AdmittedConnection {
    match timeout(SOON, listener.accept(admit)).await.unwrap() {
        Arrival::Client(accepted) => accepted,
        other => panic!("{other:?}"),
    }
}

async fn assert_reset(stream: &mut TcpStream) {
    let read = timeout(SOON, stream.read_u8()).await.unwrap();
    assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_refused_client_is_reset_and_the_next_one_served() {
    let mut listener = listener("127.0.0.1:0");
    let to = listener.local_addr();
    let admission = admission();
    let mut banned = connect_from("127.0.9.1", to).await.unwrap();
    let good = connect_from("127.0.9.2", to).await.unwrap();

    let accepted = next_client(&mut listener, all_but(&admission, "127.0.9.1")).await;

    assert_eq!(accepted.client, good.local_addr().unwrap());
    assert_eq!(accepted.listener, to);
    tokio::select! {
        arrival = listener.accept(all_but(&admission, "127.0.9.1")) => panic!("{arrival:?}"),
        () = assert_reset(&mut banned) => {}
    }
    assert_eq!(admission.counts().held, 1);
    drop(accepted);
    assert_eq!(admission.counts().held, 0);
}

#[tokio::test]
async fn an_admitted_connection_closes_without_rst_and_sends_without_delay() {
    let mut listener = listener("127.0.0.1:0");
    let admission = admission();
    let mut client = connect_from("127.0.0.1", listener.local_addr())
        .await
        .unwrap();

    let mut accepted = next_client(&mut listener, all_but(&admission, "127.0.9.1")).await;

    let options = SockRef::from(&accepted.stream);
    assert!(accepted.stream.nodelay().unwrap());
    assert!(options.keepalive().unwrap());
    assert_eq!(options.tcp_keepalive_time().unwrap(), KEEPALIVE_IDLE);
    assert_eq!(options.linger().unwrap(), None);
    accepted.stream.write_all(b"bye").await.unwrap();
    drop(accepted);
    let mut received = Vec::new();
    client.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, b"bye");
}

#[tokio::test]
async fn one_dual_stack_listener_sees_ipv4_clients_as_ipv4() {
    let mut listener = listener("[::]:0");
    let port = listener.local_addr().port();
    let admission = admission();
    let over_v4 = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .unwrap();
    let accepted = next_client(&mut listener, all_but(&admission, "127.0.9.1")).await;
    assert_eq!(accepted.client, over_v4.local_addr().unwrap());
    assert_eq!(accepted.listener, over_v4.peer_addr().unwrap());

    let over_v6 = TcpStream::connect((Ipv6Addr::LOCALHOST, port))
        .await
        .unwrap();
    let accepted = next_client(&mut listener, all_but(&admission, "127.0.9.1")).await;
    assert_eq!(accepted.client, over_v6.local_addr().unwrap());
    assert_eq!(accepted.listener.ip(), Ipv6Addr::LOCALHOST);
}

#[tokio::test]
async fn more_connections_than_a_batch_are_all_accepted() {
    let mut listener = listener("127.0.0.1:0");
    let to = listener.local_addr();
    let admission = admission();
    let mut clients = Vec::new();
    for _ in 0..3 * BATCH {
        clients.push(connect_from("127.0.9.1", to).await.unwrap());
        clients.push(connect_from("127.0.9.2", to).await.unwrap());
    }
    for turn in 0..3 * BATCH {
        // Only the first fifty fit at once.
        let accepted = next_client(&mut listener, all_but(&admission, "127.0.9.1")).await;
        assert_eq!(accepted.client.ip().to_string(), "127.0.9.2", "{turn}");
        if turn == 50 {
            break;
        }
    }
}

#[tokio::test]
async fn an_address_in_use_is_named_with_a_hint() {
    let first = listener("127.0.0.1:0");
    let fault =
        Listener::bind(&settings(&first.local_addr().to_string()), &Arc::default()).unwrap_err();
    assert_eq!(fault.address, first.local_addr());
    let reported = fault.to_string();
    assert!(
        reported.contains("another program listens there"),
        "{reported}"
    );
    let fault = Listener::bind(&settings("192.0.2.1:0"), &Arc::default()).unwrap_err();
    assert!(fault.to_string().contains("no interface"), "{fault}");
}

#[test]
fn only_errors_of_a_single_connection_are_skipped() {
    for error in [Errno::CONNABORTED, Errno::PROTO, Errno::NETDOWN] {
        assert!(is_of_one_connection(error), "{error}");
    }
    for error in [
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOBUFS,
        Errno::NOMEM,
        Errno::BADF,
    ] {
        assert!(!is_of_one_connection(error), "{error}");
    }
}

#[test]
fn without_descriptors_it_reports_once_backs_off_and_recovers() {
    const ALONE: &str = "GATEPOST_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        return runtime.block_on(out_of_descriptors());
    }
    // In a process of its own, because the limit on open files is the same for all tests of this one.
    let this = "net::listener::tests::without_descriptors_it_reports_once_backs_off_and_recovers";
    let run = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", this])
        .env(ALONE, "")
        .output()
        .unwrap();
    let reported = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success() && reported.contains("1 passed"),
        "{reported}"
    );
}

/// Lowers this process's limit on open files, and fills it.
async fn out_of_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let mut listener = listener("127.0.0.1:0");
    let to = listener.local_addr();
    let admission = admission();
    let admit = all_but(&admission, "127.0.9.1");
    let _first = connect_from("127.0.9.2", to).await.unwrap();
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = Some(256);
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
    let mut fill = Vec::new();
    while let Ok(descriptor) = listener.socket.get_ref().try_clone() {
        fill.push(descriptor);
    }

    match listener.accept(&admit).await {
        Arrival::AcceptFailed(error) => {
            assert_eq!(Errno::from_io_error(&error), Some(Errno::MFILE))
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(listener.limits.get(ResourceLimit::Accepts), 1);
    // Waits without a second report.
    let time_limit = BACK_OFF * 20;
    assert!(timeout(time_limit, listener.accept(&admit)).await.is_err());
    fill.clear();
    let accepted = next_client(&mut listener, &admit).await;
    assert_eq!(accepted.client.ip().to_string(), "127.0.9.2");

    // Within the same episode it does not report again.
    let _second = connect_from("127.0.9.2", to).await.unwrap();
    while let Ok(descriptor) = listener.socket.get_ref().try_clone() {
        fill.push(descriptor);
    }
    assert!(timeout(time_limit, listener.accept(&admit)).await.is_err());
}

#[tokio::test]
async fn a_socket_of_another_process_is_taken_over_without_what_that_one_has_left_on_it() {
    let socket = Socket::from(std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    // Drops every packet.
    let nothing = socket2::SockFilter::new(0x06, 0, 0, 0);
    socket.attach_filter(&[nothing]).unwrap();
    let settings = settings("127.0.0.1:0");
    let mut listener = Listener::adopt(&settings, socket, &Arc::default()).unwrap();
    let client = TcpStream::connect(listener.local_addr());
    let admission = admission();
    let accepted = timeout(SOON, async {
        tokio::join!(client, listener.accept(all_but(&admission, "203.0.113.7")))
    });
    let (_client, arrival) = accepted.await.expect("its packets arrive");
    let Arrival::Client(connection) = arrival else {
        panic!("{arrival:?}");
    };
    let stream = SockRef::from(&connection.stream);
    assert!(stream.tcp_nodelay().unwrap());
    assert_eq!(stream.tcp_keepalive_time().unwrap(), KEEPALIVE_IDLE);
}
