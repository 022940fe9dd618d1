//! negotiated - what a completed handshake has agreed on, for the log
//!
//! Not here: the handshake (`tls`), what the client offered (`offer`).
//! RFC 8446 section 4.1.3.

use tokio_rustls::server::TlsStream;

/// The parameters of a completed handshake, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// `TLSv1.3` or `TLSv1.2`.
    pub version: &'static str,
    /// The cipher suite's name in the IANA registry, such as `TLS13_AES_256_GCM_SHA384`.
    pub cipher: &'static str,
    /// The host name that the client sent (SNI): a DNS name, of letters, digits, `-`, `_` and `.`.
    pub server_name: Option<Box<str>>,
    /// Full, or resumed by a ticket.
    pub handshake: HandshakeKind,
}

/// Whether the handshake was full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeKind {
    /// With a signature.
    Full,
    /// Resumed by a ticket of an earlier session.
    Resumed,
}

impl Negotiated {
    /// The parameters of the handshake of `stream`.
    pub fn of<S>(stream: &TlsStream<S>) -> Self {
        let (_, connection) = stream.get_ref();
        Self {
            version: match connection.protocol_version() {
                Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
                Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
                _ => "unknown",
            },
            cipher: connection
                .negotiated_cipher_suite()
                .and_then(|suite| suite.suite().as_str())
                .unwrap_or("unknown"),
            server_name: connection.server_name().map(Box::from),
            handshake: match connection.handshake_kind() {
                Some(rustls::HandshakeKind::Resumed) => HandshakeKind::Resumed,
                _ => HandshakeKind::Full,
            },
        }
    }
}
