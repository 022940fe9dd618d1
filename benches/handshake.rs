//! handshake - what does TLS cost, both ends together and our half of it, without sockets? And the label of the client's program?
//!
//! `cargo bench --bench handshake`. Worrying: a full one over 400 µs (the client's half, with its check of the
//! signature, is the larger), a resumed one over 250, more than 16 KB that stay, or a label over a fiftieth of our half.

use std::future::poll_fn;
use std::hint::black_box;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::TlsConnector;

use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::verdict::Standing;
use gatepost_daemon::clock::Clock;
use gatepost_daemon::net::tls::{CertificateFiles, HandshakeClient, Tls, TlsSettings, ja4};
use gatepost_lab::certificate::Authority;

const DEADLINE: Duration = Duration::from_secs(10);

const STRANGER: HandshakeClient = HandshakeClient {
    key: ClientKey::V4(0x7f00_0001),
    standing: Standing::Stranger,
};

type HandshakeResult<T> = Result<T, Box<dyn std::error::Error>>;

/// A server's TLS with a new certificate, and a client that trusts it.
fn both(folder: &Path) -> HandshakeResult<(Tls, ClientConfig)> {
    let now = Clock::start().now();
    let authority = Authority::new(now)?;
    let files = authority.issue(&["localhost"])?.write(&authority, folder)?;
    let certificate = CertificateFiles {
        chain: files.chain,
        key: files.key,
    };
    let settings = TlsSettings {
        certificates: vec![certificate],
    };
    let mut roots = RootCertStore::empty();
    roots.add(authority.der())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok((Tls::load(&settings)?, client))
}

/// A handshake and an octet back, so that the client has its ticket. The time that our half of it took.
async fn meet(tls: &Tls, client: &Arc<ClientConfig>) -> HandshakeResult<Duration> {
    let (near, far) = duplex(16 * 1024);
    let connector = TlsConnector::from(Arc::clone(client));
    let theirs = async {
        let mut stream = connector
            .connect(ServerName::try_from("localhost")?, far)
            .await?;
        stream.read_exact(&mut [0; 1]).await?;
        HandshakeResult::Ok(())
    };
    let ours = async {
        let (arrived, took) = timed(tls.accept(near, STRANGER, DEADLINE)).await;
        let mut stream = arrived?.stream;
        stream.write_all(b"x").await?;
        stream.flush().await?;
        HandshakeResult::Ok(took)
    };
    let (ours, theirs) = tokio::join!(ours, theirs);
    theirs.and(ours)
}

/// What comes of a future, and the time that its steps took, without the waits between them.
async fn timed<F: Future>(future: F) -> (F::Output, Duration) {
    let (mut future, mut took) = (pin!(future), Duration::ZERO);
    let outcome = poll_fn(|context| {
        let began = now();
        let step = future.as_mut().poll(context);
        took += now() - began;
        step
    })
    .await;
    (outcome, took)
}

#[expect(clippy::disallowed_methods, reason = "it measures")]
fn now() -> Instant {
    Instant::now()
}

/// The message of a client's ClientHello.
fn client_hello(client: &Arc<ClientConfig>) -> HandshakeResult<Vec<u8>> {
    let name = ServerName::try_from("localhost")?;
    let mut octets = Vec::new();
    ClientConnection::new(Arc::clone(client), name)?.write_tls(&mut octets)?;
    Ok(octets.split_off(5))
}

fn handshakes(bench: &mut Criterion) {
    if let Err(fault) = measure(bench) {
        panic!("no handshake: {fault}");
    }
}

fn measure(bench: &mut Criterion) -> HandshakeResult<()> {
    let folder = tempfile::tempdir()?;
    let (tls, config) = both(folder.path())?;
    let runtime: Runtime = Builder::new_current_thread().enable_time().build()?;
    for (name, resumption) in [
        ("full", Resumption::disabled()),
        ("resumed", Resumption::in_memory_sessions(8)),
    ] {
        let mut config = config.clone();
        config.resumption = resumption;
        let client = Arc::new(config);
        runtime.block_on(meet(&tls, &client))?;
        bench.bench_function(&format!("handshake/{name}"), |bench| {
            bench.iter(|| runtime.block_on(meet(&tls, &client)).is_ok());
        });
        bench.bench_function(&format!("handshake/{name}, our half"), |bench| {
            bench.iter_custom(|rounds| {
                let half = |_| runtime.block_on(meet(&tls, &client)).unwrap_or(DEADLINE);
                (0..rounds).map(half).sum()
            });
        });
    }
    let hello = client_hello(&Arc::new(config))?;
    if ja4::label(&hello).is_none() {
        return Err("no label".into());
    }
    bench.bench_function("handshake/label", |bench| {
        bench.iter(|| ja4::label(black_box(&hello)));
    });
    Ok(())
}

fn quick() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1500))
}

criterion_group! { name = all; config = quick(); targets = handshakes }
criterion_main!(all);
