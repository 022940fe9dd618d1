//! authority - a certificate authority for one test, and what it signs
//!
//! Made afresh each time, in memory; keys are written only to the test's own folder.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

/// Signs certificates that [`Authority::roots`] and [`Authority::write_root`] make others trust.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
    root_pem: String,
}

/// A signed certificate with its key.
pub(crate) struct Signed {
    /// The certificate, PEM.
    pub(crate) chain: String,
    /// Its key, PEM.
    pub(crate) key: String,
    /// The certificate as a client sees it.
    pub(crate) der: CertificateDer<'static>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().expect("a key for the authority");
        let mut params = params(&[], "the authority of a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).expect("the root certificate");
        Self {
            root: root.der().clone(),
            root_pem: root.pem(),
            issuer: Issuer::new(params, key),
        }
    }

    /// A new key and certificate for `names` (DNS names and IP addresses).
    pub(crate) fn sign(&self, names: &[&str]) -> Signed {
        self.sign_params(&params(names, "a server in a test"))
    }

    /// As [`Authority::sign`], for a certificate that was good until 2001.
    pub(crate) fn sign_expired(&self, names: &[&str]) -> Signed {
        let mut params = params(names, "a server in a test");
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        self.sign_params(&params)
    }

    /// As [`Authority::sign`], for a certificate that is good from 2099 on.
    pub(crate) fn sign_future(&self, names: &[&str]) -> Signed {
        let mut params = params(names, "a server in a test");
        params.not_before = rcgen::date_time_ymd(2099, 1, 1);
        params.not_after = rcgen::date_time_ymd(2100, 1, 1);
        self.sign_params(&params)
    }

    fn sign_params(&self, params: &CertificateParams) -> Signed {
        let key = KeyPair::generate().expect("a key");
        let signed = params.signed_by(&key, &self.issuer).expect("a signature");
        Signed {
            chain: signed.pem(),
            key: key.serialize_pem(),
            der: signed.der().clone(),
        }
    }

    /// For a rustls client that trusts us.
    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots
            .add(self.root.clone())
            .expect("our root is well-formed");
        roots
    }

    /// Writes the root for another program to trust; says where.
    pub(crate) fn write_root(&self, folder: &Path) -> PathBuf {
        let path = folder.join("root.pem");
        fs::write(&path, &self.root_pem).expect("write the root certificate");
        path
    }
}

/// Without a name of its own, OpenSSL takes a certificate for signed by itself.
fn params(names: &[&str], common_name: &str) -> CertificateParams {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).expect("names of a certificate");
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params
}
