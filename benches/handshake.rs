//! handshake - what does TLS cost, both ends together, without sockets?
//!
//! `cargo bench --bench handshake`. Worrying: a full one over 400 µs (the client's half, with its check of the
//! signature, is the larger), a resumed one over 250, or more than 16 KB that stay.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::TlsConnector;

use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::verdict::Standing;
use gatepost_daemon::clock::Clock;
use gatepost_daemon::net::tls::{CertificateFiles, HandshakeClient, Tls, TlsSettings};
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

/// A handshake and an octet back, so that the client has its ticket.
async fn meet(tls: &Tls, client: &Arc<ClientConfig>) -> HandshakeResult<()> {
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
        let mut stream = tls.accept(near, STRANGER, DEADLINE).await?.stream;
        stream.write_all(b"x").await?;
        stream.flush().await?;
        HandshakeResult::Ok(())
    };
    let (ours, theirs) = tokio::join!(ours, theirs);
    ours.and(theirs)
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
    }
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
