//! target - the server that the simulated clients connect to: on loopback, or not at all
//!
//! Not here: what is sent to it (`connection`).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::any_certificate::AnyCertificate;

/// How TLS begins at the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetTls {
    /// With the first octet (RFC 8314), port 465.
    Implicit,
    /// After STARTTLS (RFC 3207), port 587.
    StartTls,
}

/// Which certificates are accepted.
#[derive(Clone, Debug)]
pub enum TrustedCertificates {
    /// Those that this authority signed for the target's address.
    Authority(CertificateDer<'static>),
    /// Any. An attacker does not care, and the target is on this machine.
    Any,
}

/// Why there is no such target.
#[derive(Debug, thiserror::Error)]
pub enum TargetFault {
    /// Only this machine may be attacked.
    #[error("{0} is not a loopback address: attacks stay on this machine (127.0.0.0/8 or ::1)")]
    NotLoopback(IpAddr),
    /// TLS cannot be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// A server on loopback.
#[derive(Clone, Debug)]
pub struct Target {
    address: SocketAddr,
    begins: TargetTls,
    tls: Arc<ClientConfig>,
}

impl Target {
    /// The server at `address`. Clients of this target never resume a TLS session, as bots do.
    ///
    /// # Errors
    /// [`TargetFault::NotLoopback`] for any address that is not this machine's own.
    pub fn new(
        address: SocketAddr,
        begins: TargetTls,
        trust: &TrustedCertificates,
    ) -> Result<Self, TargetFault> {
        if !address.ip().to_canonical().is_loopback() {
            return Err(TargetFault::NotLoopback(address.ip()));
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = match trust {
            TrustedCertificates::Authority(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.clone())?;
                builder.with_root_certificates(roots)
            }
            TrustedCertificates::Any => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyCertificate::new(provider))),
        };
        let mut tls = builder.with_no_client_auth();
        tls.resumption = Resumption::disabled();
        Ok(Self {
            address,
            begins,
            tls: Arc::new(tls),
        })
    }

    /// The same server for one client that resumes TLS sessions, as mail programs do.
    #[must_use]
    pub fn for_one_that_resumes(&self) -> Self {
        let mut tls = ClientConfig::clone(&self.tls);
        tls.resumption = Resumption::in_memory_sessions(4);
        Self {
            tls: Arc::new(tls),
            ..self.clone()
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How TLS begins.
    pub fn begins(&self) -> TargetTls {
        self.begins
    }

    /// Connects from `source`, or from `::1` where the target is IPv6: it has no other loopback address.
    pub(super) async fn connect(&self, source: IpAddr) -> io::Result<TcpStream> {
        let socket = match self.address {
            SocketAddr::V4(_) => {
                let socket = TcpSocket::new_v4()?;
                socket.bind(SocketAddr::new(source, 0))?;
                socket
            }
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        let stream = socket.connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// The TLS handshake.
    pub(super) async fn secure(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::IpAddress(self.address.ip().into());
        TlsConnector::from(Arc::clone(&self.tls))
            .connect(name, stream)
            .await
    }
}
