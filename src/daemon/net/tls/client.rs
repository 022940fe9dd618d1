//! client - TLS where Gatepost is the client: of a webhook, of CrowdSec
//!
//! Not here: Postfix, which is spoken to in clear on this machine (`upstream`); what a mail program says of our chain (`chain`).

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};

use super::chain::system_roots;
use super::pem::read_chain;

/// Verifies a server by the authorities in this PEM file, or else by those that this machine trusts. Reads files.
///
/// # Errors
///
/// What is wrong with the file.
pub fn config(authorities: Option<&Path>) -> Result<Arc<ClientConfig>, String> {
    let roots = match authorities {
        None => system_roots(),
        Some(path) => roots(path).map_err(|why| format!("{}: {why}", path.display()))?,
    };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn roots(path: &Path) -> Result<RootCertStore, String> {
    let certificates = read_chain(path).map_err(|problem| problem.to_string())?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    Ok(roots)
}
