//! resolver - selects the certificate for a ClientHello
//!
//! Candidates are the certificates with the requested name, or all if none has it or no name was
//! requested. The first whose key the client can verify is selected. So two certificates for one name, RSA
//! and ECDSA, serve old and new clients, and a client without SNI gets the default.
//! Not here: the names of a certificate (`certificate`).
//! RFC 6066 section 3, RFC 6125 section 6.4.3.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::certificate::Certificate;
use super::offer::KeyKinds;

/// Certificates by name.
#[derive(Debug)]
pub(super) struct ByName {
    all: Vec<Arc<CertifiedKey>>,
    exact: HashMap<Box<str>, Vec<Arc<CertifiedKey>>>,
    /// Keyed by what follows `*.`.
    wildcard: HashMap<Box<str>, Vec<Arc<CertifiedKey>>>,
}

impl ByName {
    /// `certificates` describe `keys`, in the same order; the first is the default.
    pub(super) fn new(keys: Vec<Arc<CertifiedKey>>, certificates: &[Certificate]) -> Self {
        let mut exact: HashMap<Box<str>, Vec<_>> = HashMap::new();
        let mut wildcard: HashMap<Box<str>, Vec<_>> = HashMap::new();
        for (key, certificate) in keys.iter().zip(certificates) {
            for name in &certificate.names {
                let (map, name) = match name.strip_prefix("*.") {
                    Some(parent) => (&mut wildcard, parent),
                    None => (&mut exact, &**name),
                };
                map.entry(name.into()).or_default().push(Arc::clone(key));
            }
        }
        Self {
            all: keys,
            exact,
            wildcard,
        }
    }

    /// The kinds of the keys that are candidates for a client that asks for `name`.
    pub(super) fn key_kinds(&self, name: Option<&str>) -> KeyKinds {
        let candidates = self.for_name(name).iter();
        KeyKinds::of(candidates.map(|candidate| candidate.key.algorithm()))
    }

    fn for_name(&self, name: Option<&str>) -> &[Arc<CertifiedKey>] {
        let named = name.and_then(|name| {
            let name = name.to_ascii_lowercase();
            let parent = name.split_once('.').map(|(_, parent)| parent);
            self.exact
                .get(name.as_str())
                .or_else(|| self.wildcard.get(parent?))
        });
        named.unwrap_or(&self.all)
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let candidates = self.for_name(hello.server_name());
        let schemes = hello.signature_schemes();
        candidates
            .iter()
            .find(|candidate| candidate.key.choose_scheme(schemes).is_some())
            .or(candidates.first())
            .cloned()
    }
}
