//! tls - the TLS handshake and its certificates
//!
//! [`Tls`] holds the rustls config of new handshakes; a reload replaces it as a whole or not at all.
//! The keys of the session tickets are kept over a reload, so that a renewed certificate causes no
//! full handshakes (`tickets`; those of TLS 1.2 die with the process).
//! Not here: reading certificate files (`pem`, `certificate`), what clients will say of them (`chain`), where we are the client (`client`), choosing one by name (`resolver`), reading the
//! ClientHello (`hello`, `offer`), its label (`ja4`), why none comes about (`fault`), whose handshake is computed next (`computing`), when a handshake begins (`session`), closing without close_notify (`splice`).
//! rustls's defaults are kept on purpose: no early data (AUTH must not be replayed), no client
//! certificates. The cipher suites are the crypto provider's, passed in here and never a process default.
//! RFC 8446, RFC 5246, RFC 7301 section 3.2.

mod certificate;
pub mod chain;
pub mod client;
mod computing;
mod fault;
pub mod hello;
pub mod ja4;
mod negotiated;
mod offer;
mod pem;
mod resolver;
mod step;
pub mod tickets;
mod unread;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::crypto::hash::HashAlgorithm;
use rustls::server::{ClientHello, NoServerSessionStorage, ProducesTickets, ServerConfig};
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::StartHandshake;
use tokio_rustls::server::TlsStream;

pub use self::certificate::{Certificate, DateProblem, FileRole, TlsFault};
use self::computing::Computing;
pub use self::fault::{HandshakeCause, HandshakeFailures, HandshakeFault};
use self::hello::{Alert, ReadHello};
pub use self::negotiated::{HandshakeKind, Negotiated};
use self::offer::{ClientOffer, KeyKinds};
pub use self::pem::{FileProblem, read_chain};
use self::tickets::TicketKeys;
use crate::clock::Clock;
use crate::report::ja4::Ja4;
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::device::Device;
use gatepost_core::gate::request::verdict::Standing;

/// The certificate files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// The first is the default; the others are selected by SNI.
    pub certificates: Vec<CertificateFiles>,
}

/// One certificate chain and its key, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain, leaf first.
    pub chain: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Protocols that no mail program offers. A browser that was redirected here by a cross-protocol
/// attack (ALPACA, CVE-2021-3618) always offers one.
const FOREIGN_PROTOCOLS: [&[u8]; 5] = [b"h2", b"http/1.1", b"http/1.0", b"http/0.9", b"h3"];

/// The TLS state of all listeners. Shared by reference; all methods take `&self`.
pub struct Tls {
    loaded: ArcSwap<Loaded>,
    tickets: Ticketers,
    computing: Computing,
    /// How many handshakes failed since the start.
    pub failures: HandshakeFailures,
}

/// What makes the tickets of each version.
struct Ticketers {
    tls13: Arc<TicketKeys>,
    tls12: Arc<dyn ProducesTickets>,
}

/// Certificates that are read and not in use yet.
pub struct NextCertificates(Arc<Loaded>);

struct Loaded {
    /// For clients that offer TLS 1.3, which they get: no ticket of TLS 1.2 is ever made under its keys.
    tls13: Arc<ServerConfig>,
    /// For all others.
    others: Arc<ServerConfig>,
    resolver: Arc<resolver::ByName>,
    certificates: Vec<Certificate>,
}

impl Tls {
    /// Reads and checks all certificates. Their dates are no fault: [`Certificate::date_problem`].
    ///
    /// # Errors
    /// The first fault found, with its file.
    pub fn load(settings: &TlsSettings) -> Result<Self, TlsFault> {
        let tickets = Ticketers {
            tls13: Arc::new(TicketKeys::new(Clock::wall())),
            tls12: rustls::crypto::aws_lc_rs::Ticketer::new().map_err(TlsFault::Library)?,
        };
        Ok(Self {
            loaded: ArcSwap::from_pointee(Loaded::new(settings, &tickets)?),
            tickets,
            // limit: handshakes
            computing: Computing::new(usize::MAX, cores()),
            failures: HandshakeFailures::default(),
        })
    }

    /// Reads certificates anew, and goes on with those in use.
    ///
    /// # Errors
    /// As [`Tls::load`].
    pub fn read(&self, settings: &TlsSettings) -> Result<NextCertificates, TlsFault> {
        let loaded = Loaded::new(settings, &self.tickets)?;
        Ok(NextCertificates(Arc::new(loaded)))
    }

    /// Takes over what was read. Handshakes that begin from now on use it; tickets issued before stay valid.
    pub fn take_over(&self, next: NextCertificates) {
        self.loaded.store(next.0);
    }

    /// The keys of the tickets of TLS 1.3, which can be kept over a restart.
    pub fn ticket_keys(&self) -> &TicketKeys {
        &self.tickets.tls13
    }

    /// Limits handshakes that compute at the same time to `at_once` (at least one), and to the processor's
    /// cores; those of strangers to one core less. Steps in progress go on.
    pub fn cap_handshakes(&self, at_once: usize) {
        // limit: handshakes
        self.computing.limit(at_once, cores());
    }

    /// The certificates in use, in the order of the settings: for the log and for warnings before expiry.
    pub fn certificates(&self) -> Vec<Certificate> {
        self.loaded.load().certificates.clone()
    }

    /// Completes the handshake within `deadline`. The stream is boxed: its 1.2 KB would
    /// otherwise be part of every future that passes it on.
    ///
    /// Each step waits until it may compute; while the client is waited for, nothing is held.
    ///
    /// # Errors
    /// Mostly the client's fault. An alert was sent where TLS has one; the stream is dropped.
    pub async fn accept<S>(
        &self,
        stream: S,
        client: HandshakeClient,
        deadline: Duration,
    ) -> Result<Arrived<S>, HandshakeFault>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let waits = AtomicBool::new(false);
        // Boxed, because the handshake's state is larger than everything that a session keeps later.
        match timeout(deadline, Box::pin(self.handshake(stream, client, &waits))).await {
            Ok(outcome) => outcome,
            Err(_) if waits.load(Ordering::Relaxed) => Err(HandshakeFault::Busy),
            Err(_) => Err(HandshakeFault::Deadline),
        }
    }

    /// `waits` is true while the handshake waits until it may compute.
    async fn handshake<S>(
        &self,
        stream: S,
        client: HandshakeClient,
        waits: &AtomicBool,
    ) -> Result<Arrived<S>, HandshakeFault>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut stream = stream;
        let ReadHello {
            accepted: hello,
            offer,
            label,
        } = match begin(&mut stream).await {
            Ok(begun) => begun,
            Err(fault) => {
                hello::take_rest(&mut stream).await;
                return Err(fault);
            }
        };
        let mut slot = self.may_compute(client, waits).await;
        let (config, keys) = self.loaded.load().for_client(&hello.client_hello(), &offer);
        let mut device = None;
        let start = StartHandshake::from_parts(hello, stream);
        let mut rest = start.into_stream_with(config, |connection| {
            device = offer.has_tls13().then(|| tickets::device(connection));
        });
        loop {
            let (step, woken) = step::take(&mut rest).await;
            drop(slot);
            if let Poll::Ready(outcome) = step {
                let fault = |error| HandshakeFault::from(error).with_offer(&offer, keys);
                let stream = outcome.map(Box::new).map_err(fault)?;
                return Ok(Arrived {
                    stream,
                    device,
                    label,
                });
            }
            woken.await;
            slot = self.may_compute(client, waits).await;
        }
    }

    async fn may_compute(
        &self,
        client: HandshakeClient,
        waits: &AtomicBool,
    ) -> computing::ComputingSlot<'_> {
        waits.store(true, Ordering::Relaxed);
        let slot = self.computing.slot(client.key, client.standing).await;
        waits.store(false, Ordering::Relaxed);
        slot
    }
}

/// The client's ClientHello. A client that is refused for it has its alert.
async fn begin<S>(stream: &mut S) -> Result<ReadHello, HandshakeFault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let hello = hello::read(stream).await?;
    match foreign_protocol(&hello.accepted.client_hello()) {
        None => Ok(hello),
        Some(protocol) => {
            // RFC 7301 section 3.2.
            hello::refuse(stream, Alert::NoApplicationProtocol, 3).await;
            Err(HandshakeFault::ForeignProtocol(protocol))
        }
    }
}

/// Whose handshake it is, as far as its order among others depends on that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandshakeClient {
    /// The client.
    pub key: ClientKey,
    /// How it stood when its connection was admitted.
    pub standing: Standing,
}

/// A client that has shaken hands.
#[derive(Debug)]
pub struct Arrived<S> {
    /// Its connection.
    pub stream: Box<TlsStream<S>>,
    /// The device that its ticket names; none in TLS 1.2.
    pub device: Option<Device>,
    /// The label of its program, by its ClientHello.
    pub label: Option<Ja4>,
}

/// The processor cores that this process may use.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls")
            .field("certificates", &self.loaded.load().certificates)
            .finish_non_exhaustive()
    }
}

impl Loaded {
    /// What a handshake goes on with, and the kinds of the keys that may sign it.
    fn for_client(
        &self,
        hello: &ClientHello<'_>,
        offer: &ClientOffer,
    ) -> (Arc<ServerConfig>, KeyKinds) {
        let keys = self.resolver.key_kinds(hello.server_name());
        let config = match offer.has_tls13() {
            true => &self.tls13,
            false => &self.others,
        };
        (Arc::clone(config), keys)
    }

    fn new(settings: &TlsSettings, tickets: &Ticketers) -> Result<Self, TlsFault> {
        let provider = Arc::new(provider());
        let (keys, certificates): (Vec<_>, Vec<_>) =
            certificate::load(&settings.certificates, &provider)?
                .into_iter()
                .unzip();
        let resolver = Arc::new(resolver::ByName::new(keys, &certificates));
        let config = |versions, ticketer| config(&provider, versions, &resolver, ticketer);
        let (tls13, tls12) = (&rustls::version::TLS13, &rustls::version::TLS12);
        Ok(Self {
            tls13: config(&[tls13], Arc::clone(&tickets.tls13) as _)?,
            others: config(&[tls13, tls12], Arc::clone(&tickets.tls12))?,
            resolver,
            certificates,
        })
    }
}

fn config(
    provider: &Arc<CryptoProvider>,
    versions: &[&'static SupportedProtocolVersion],
    resolver: &Arc<resolver::ByName>,
    ticketer: Arc<dyn ProducesTickets>,
) -> Result<Arc<ServerConfig>, TlsFault> {
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(versions)
        .map_err(TlsFault::Library)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(resolver) as _);
    config.ignore_client_order = true;
    config.ticketer = ticketer;
    // A mail program opens few connections, and each ticket costs a write.
    config.send_tls13_tickets = 1;
    // Ticketers only: a cache on our side is memory that strangers could fill.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}

/// The crypto provider's cipher suites, those with SHA-256 first.
///
/// Processors have instructions for SHA-256 and none for SHA-384, which would take a sixth of a handshake's
/// time; most clients list it first and accept either.
fn provider() -> CryptoProvider {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    let has_sha384 = |suite: &SupportedCipherSuite| {
        let hash = match suite {
            SupportedCipherSuite::Tls13(suite) => suite.common.hash_provider,
            SupportedCipherSuite::Tls12(suite) => suite.common.hash_provider,
        };
        hash.algorithm() == HashAlgorithm::SHA384
    };
    // Stable: the order among equals is kept.
    provider.cipher_suites.sort_by_key(has_sha384);
    provider
}

fn foreign_protocol(hello: &ClientHello<'_>) -> Option<&'static str> {
    let mut offered = hello.alpn()?;
    let foreign = offered.find_map(|protocol| {
        FOREIGN_PROTOCOLS
            .into_iter()
            .find(|foreign| *foreign == protocol)
    })?;
    std::str::from_utf8(foreign).ok()
}
