//! tls - certificates, the rustls config, the handshake

use std::path::PathBuf;

/// Where the certificates are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The first is the default, the others are chosen by SNI.
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
