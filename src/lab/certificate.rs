//! certificate - development certificates: an authority and the leaves that it signs
//!
//! Made anew for each use (the demo, the tests, `certs/make.rs`), valid for 90 days, ECDSA
//! P-256. Not here: the certificates of a real server, which come from certbot or lego, and
//! reading them (`net::tls`). The authority's own key is never written: what it signed is all that
//! it will ever sign. RFC 5280.

use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use rustls::pki_types::CertificateDer;
#[cfg(test)]
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use gatepost_core::moment::Moment;

/// How long a certificate is valid.
const VALID: Duration = Duration::from_secs(90 * 86_400);
/// How far its beginning lies in the past, for clients whose clock is a little slow.
const BACKDATED: Duration = Duration::from_secs(86_400);

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateFault {
    /// The certificate could not be made: a name that cannot stand in one, or no random numbers.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// A file or its folder could not be written.
    #[error("cannot write {}: {cause}", path.display())]
    Write {
        /// What should have been written.
        path: PathBuf,
        /// Why it was not.
        cause: io::Error,
    },
}

/// A certificate authority that lives as long as this value.
pub struct Authority {
    certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
    now: Moment,
}

/// A server's certificate, signed by an [`Authority`], and its key.
pub struct Leaf {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

/// The files of [`Leaf::write`]; all PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The authority's certificate: what a client must trust.
    pub authority: PathBuf,
    /// The server's chain.
    pub chain: PathBuf,
    /// The server's key, mode 0600.
    pub key: PathBuf,
}

impl Authority {
    /// Makes an authority whose certificates are valid from a day before `now` to 90 days after it.
    pub fn new(now: Moment) -> Result<Self, CertificateFault> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = dated(Vec::new(), now)?;
        params
            .distinguished_name
            .push(DnType::CommonName, "Gatepost development authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            certificate,
            issuer: Issuer::new(params, key),
            now,
        })
    }

    /// Signs a server certificate for `names`: DNS names and addresses, the first is the common name.
    ///
    /// # Errors
    /// [`CertificateFault::Make`] for a name that is not ASCII.
    pub fn issue(&self, names: &[&str]) -> Result<Leaf, CertificateFault> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = dated(names.iter().map(ToString::to_string).collect(), self.now)?;
        params
            .distinguished_name
            .push(DnType::CommonName, names.first().copied().unwrap_or("leaf"));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Leaf { certificate, key })
    }

    /// The authority's certificate, as a client's root of trust.
    pub fn der(&self) -> CertificateDer<'static> {
        self.certificate.der().clone()
    }
}

impl Leaf {
    /// The chain, leaf first, without the authority.
    #[cfg(test)]
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate.der().clone()]
    }

    /// The private key.
    #[cfg(test)]
    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }

    /// Writes `authority.pem`, `chain.pem` and `key.pem` (0600) into `directory`, which is made
    /// (0700) where it is missing. What stood there under these names is replaced.
    ///
    /// # Errors
    /// [`CertificateFault::Write`], naming the file or folder.
    pub fn write(
        &self,
        authority: &Authority,
        directory: &Path,
    ) -> Result<Files, CertificateFault> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder
            .create(directory)
            .map_err(|cause| write_fault(directory, cause))?;
        let files = Files {
            authority: directory.join("authority.pem"),
            chain: directory.join("chain.pem"),
            key: directory.join("key.pem"),
        };
        let key = Zeroizing::new(self.key.serialize_pem());
        replace(&files.key, &key, 0o600)?;
        replace(&files.chain, &self.certificate.pem(), 0o644)?;
        replace(&files.authority, &authority.certificate.pem(), 0o644)?;
        Ok(files)
    }
}

/// Parameters for `names` with the validity that every certificate here has.
fn dated(names: Vec<String>, now: Moment) -> Result<CertificateParams, CertificateFault> {
    let mut params = CertificateParams::new(names)?;
    let midnight = |(year, month, day)| rcgen::date_time_ymd(year, month, day);
    params.not_before = midnight(day_of(now - BACKDATED));
    params.not_after = midnight(day_of(now + VALID));
    Ok(params)
}

/// Year, month and day of `moment` in UTC.
fn day_of(moment: Moment) -> (i32, u8, u8) {
    let seconds = i64::try_from(moment.as_seconds()).unwrap_or(0);
    let day = jiff::Timestamp::from_second(seconds)
        .unwrap_or_default()
        .to_zoned_datetime(jiff::tz::TimeZone::UTC)
        .date();
    let (month, of_month) = (day.month().unsigned_abs(), day.day().unsigned_abs());
    (i32::from(day.year()), month, of_month)
}

/// Writes `text` beside `path` with `mode` from its first octet on, then renames it into place.
fn replace(path: &Path, text: &str, mode: u32) -> Result<(), CertificateFault> {
    let temporary = path.with_extension("new");
    let written = || {
        match std::fs::remove_file(&temporary) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
            _ => {}
        }
        std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&temporary)?
            .write_all(text.as_bytes())?;
        std::fs::rename(&temporary, path)
    };
    written().map_err(|cause| write_fault(path, cause))
}

fn write_fault(path: &Path, cause: io::Error) -> CertificateFault {
    CertificateFault::Write {
        path: path.to_owned(),
        cause,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;

    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier as _;
    use rustls::pki_types::{ServerName, UnixTime};

    use super::*;

    const NOW: Moment = Moment::from_seconds(1_800_000_000);

    fn verify(authority: &Authority, leaf: &Leaf, name: &str, at: Moment) -> bool {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(authority.der()).unwrap();
        WebPkiServerVerifier::builder_with_provider(
            Arc::new(roots),
            Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
        )
        .build()
        .unwrap()
        .verify_server_cert(
            &leaf.chain()[0],
            &[],
            &ServerName::try_from(name).unwrap(),
            &[],
            UnixTime::since_unix_epoch(Duration::from_secs(at.as_seconds())),
        )
        .is_ok()
    }

    #[test]
    fn a_leaf_is_valid_for_its_names_and_its_90_days_and_nothing_else() {
        let authority = Authority::new(NOW).unwrap();
        let leaf = authority.issue(&["mx.example.org", "127.0.0.1"]).unwrap();
        assert!(verify(&authority, &leaf, "mx.example.org", NOW));
        assert!(verify(&authority, &leaf, "127.0.0.1", NOW));
        assert!(!verify(&authority, &leaf, "mx.example.com", NOW));
        assert!(verify(&authority, &leaf, "127.0.0.1", NOW + VALID / 2));
        assert!(!verify(&authority, &leaf, "127.0.0.1", NOW + VALID * 2));
        let stranger = Authority::new(NOW).unwrap();
        assert!(!verify(&stranger, &leaf, "127.0.0.1", NOW));
    }

    #[test]
    fn the_key_is_its_owners_alone_also_when_it_replaces_a_readable_file() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("new/folder");
        let authority = Authority::new(NOW).unwrap();
        let leaf = authority.issue(&["localhost"]).unwrap();
        let files = leaf.write(&authority, &directory).unwrap();
        std::fs::set_permissions(&files.key, PermissionsExt::from_mode(0o644)).unwrap();
        leaf.write(&authority, &directory).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&files.key), 0o600);
        assert_eq!(mode(&directory), 0o700);
        let pem = std::fs::read_to_string(&files.key).unwrap();
        assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----"));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let authority = Authority::new(NOW).unwrap();
        let leaf = authority.issue(&["localhost"]).unwrap();
        let fault = leaf.write(&authority, &file.join("in")).unwrap_err();
        assert!(fault.to_string().contains("file/in"), "{fault}");
    }
}
