//! roots - the roots that this machine knows, as a stand-in for those of mail programs
//!
//! Not here: what they are used for (`chain`).

use std::path::PathBuf;

use rustls::RootCertStore;

use crate::net::tls::pem;

/// Where distributions keep them, in one file: Debian, Red Hat, SUSE, Alpine.
const FILES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The roots of this machine: of the file that `SSL_CERT_FILE` names, as for OpenSSL, or of the first that is there. None if
/// there is none.
pub fn system_roots() -> RootCertStore {
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let files = match named {
        Some(file) => vec![file],
        None => FILES.map(PathBuf::from).to_vec(),
    };
    let mut roots = RootCertStore::empty();
    for file in files {
        if let Ok(certificates) = pem::read_chain(&file) {
            // Some of them may be too old for the parser; a client passes over them, too.
            roots.add_parsable_certificates(certificates);
            break;
        }
    }
    roots
}
