//! certificate - reads and checks certificate files
//!
//! Every fault names the file, and what would be right. Only the leaf's dates are
//! looked at: a public chain may legitimately end in an expired cross-signature. A wrong date is no fault: it is the
//! client that judges it, by a clock that may be better than ours, and a server that does not start helps nobody.
//! Not here: whether clients trust the chain (they decide), the carets (`config`).
//! Only `read_pem` uses the PEM crate. RFC 7468, RFC 5280 section 4.

#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls_pemfile::Item;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::CertificateFiles;
use crate::files;
use gatepost_core::moment::Moment;

/// The longest PEM file that is read, in octets.
const LONGEST_FILE: u64 = 1 << 20;

/// A certificate in use, as it is logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The file of the chain.
    pub chain: PathBuf,
    /// Its DNS names, in lower case; a wildcard as `*.example.org`.
    pub names: Vec<Box<str>>,
    /// When it begins to be valid.
    pub begins: Moment,
    /// When it expires.
    pub expires: Moment,
}

/// Why clients whose clock agrees with ours refuse a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DateProblem {
    /// After its last day.
    #[error("expired {} ago", days(*.0))]
    Expired(Duration),
    /// Before its first day.
    #[error("is not valid yet, for another {}", days(*.0))]
    NotYetValid(Duration),
}

impl Certificate {
    /// Whole days until it expires; 0 on the last one and after.
    pub fn days_left(&self, now: Moment) -> u64 {
        self.expires.since(now).as_secs() / 86_400
    }

    /// What is wrong with its dates, when the wall's clock shows `now`.
    pub fn date_problem(&self, now: Moment) -> Option<DateProblem> {
        DateProblem::of(self.begins, self.expires, now)
    }
}

impl DateProblem {
    /// What is wrong with a certificate that is valid from `begins` to `expires`.
    pub(super) fn of(begins: Moment, expires: Moment, now: Moment) -> Option<Self> {
        match (now < begins, now > expires) {
            (true, _) => Some(Self::NotYetValid(begins.since(now))),
            (_, true) => Some(Self::Expired(now.since(expires))),
            _ => None,
        }
    }
}

/// A moment in a certificate. Before 1970 counts as 1970.
pub(super) fn moment(time: x509_parser::time::ASN1Time) -> Moment {
    Moment::from_seconds(u64::try_from(time.timestamp()).unwrap_or(0))
}

/// The certificates in a file, in their order.
///
/// # Errors
/// What is wrong with the file.
pub fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, FileProblem> {
    chain_of(read_pem(path)?)
}

/// Why the certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    /// No certificate is configured.
    #[error("no certificate is configured: add at least one chain and its key")]
    NoCertificate,
    /// A file is wrong.
    #[error("{}: {problem}", path.display())]
    File {
        /// The index of the certificate in the settings.
        certificate: usize,
        /// Which of its two files.
        role: FileRole,
        /// That file's path.
        path: PathBuf,
        /// What is wrong with it, and what would be right.
        problem: FileProblem,
    },
    /// The TLS library failed to start, mostly without randomness.
    #[error("the TLS library: {0}")]
    Library(rustls::Error),
}

/// Which of a certificate's two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileRole {
    /// The certificate chain.
    Chain,
    /// The private key.
    Key,
}

/// What is wrong with a file, and what would be right.
#[derive(Debug, thiserror::Error)]
pub enum FileProblem {
    /// It cannot be opened or read.
    #[error("cannot be read ({0}); it must be readable for the user that gatepost starts as")]
    Unreadable(io::Error),
    /// Too long for a PEM file.
    #[error("is longer than {LONGEST_FILE} octets; use a PEM file with a chain or a key")]
    TooLong,
    /// PEM, but damaged.
    #[error("is not a complete PEM file ({0}); it may be truncated, or still being written")]
    BadPem(String),
    /// No certificate in the chain file.
    #[error("holds no certificate; use a PEM file with the leaf first, often fullchain.pem")]
    NoCertificate,
    /// The chain file holds a key instead.
    #[error("holds a private key and no certificate; are chain and key exchanged?")]
    KeyAsChain,
    /// No private key in the key file.
    #[error("holds no private key; use a PEM file with PRIVATE KEY in it, often privkey.pem")]
    NoKey,
    /// The key file holds certificates instead.
    #[error("holds a certificate and no private key; are chain and key exchanged?")]
    ChainAsKey,
    /// The key is encrypted with a passphrase.
    #[error("is encrypted with a passphrase; store it without one, readable only by root")]
    EncryptedKey,
    /// A type of key that we cannot sign with.
    #[error("holds a key that cannot be used ({0}); use ECDSA P-256 or P-384, Ed25519 or RSA")]
    UnusableKey(rustls::Error),
    /// An invalid certificate.
    #[error("holds an invalid certificate ({0}); copy or issue it again")]
    Malformed(String),
    /// The key fits no certificate of the chain.
    #[error("does not belong to the first certificate of {}; renew both together", .0.display())]
    KeyMismatch(PathBuf),
    /// The key fits a certificate that is not the first.
    #[error("has the certificate of the key at position {place}; the leaf must be first")]
    LeafNotFirst {
        /// Counted from 1.
        place: usize,
    },
}

/// Reads and checks every certificate of the settings, in their order.
///
/// # Errors
/// The first fault found.
pub(super) fn load(
    files: &[CertificateFiles],
    provider: &CryptoProvider,
) -> Result<Vec<(Arc<CertifiedKey>, Certificate)>, TlsFault> {
    if files.is_empty() {
        return Err(TlsFault::NoCertificate);
    }
    let load = |(certificate, files): (usize, &CertificateFiles)| {
        load_one(files, provider).map_err(|(role, problem)| TlsFault::File {
            certificate,
            role,
            path: match role {
                FileRole::Chain => files.chain.clone(),
                FileRole::Key => files.key.clone(),
            },
            problem,
        })
    };
    files.iter().enumerate().map(load).collect()
}

fn load_one(
    files: &CertificateFiles,
    provider: &CryptoProvider,
) -> Result<(Arc<CertifiedKey>, Certificate), (FileRole, FileProblem)> {
    let of_chain = |problem| (FileRole::Chain, problem);
    let of_key = |problem| (FileRole::Key, problem);
    let chain = read_chain(&files.chain).map_err(of_chain)?;
    let key = key_of(read_pem(&files.key).map_err(of_key)?).map_err(of_key)?;
    let certificate = describe(&files.chain, &chain).map_err(of_chain)?;
    let key = provider
        .key_provider
        .load_private_key(key)
        .map_err(|error| of_key(FileProblem::UnusableKey(error)))?;
    let pair = CertifiedKey::new(chain, key);
    match pair.keys_match() {
        // A key whose public half cannot be computed is assumed to match.
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
            Ok((Arc::new(pair), certificate))
        }
        Err(rustls::Error::InconsistentKeys(_)) => Err(match place_of_key(&pair) {
            Some(place) => of_chain(FileProblem::LeafNotFirst { place }),
            None => of_key(FileProblem::KeyMismatch(files.chain.clone())),
        }),
        Err(error) => Err(of_chain(FileProblem::Malformed(error.to_string()))),
    }
}

/// The parts of a PEM file that are used.
struct Pem {
    certificates: Vec<CertificateDer<'static>>,
    key: Option<PrivateKeyDer<'static>>,
    encrypted: Encrypted,
}

/// Whether a PEM file holds a key with a passphrase.
#[derive(PartialEq, Eq)]
enum Encrypted {
    Yes,
    No,
}

fn read_pem(path: &Path) -> Result<Pem, FileProblem> {
    let text = files::read(path, LONGEST_FILE).map_err(|error| match error.kind() {
        ErrorKind::FileTooLarge => FileProblem::TooLong,
        _ => FileProblem::Unreadable(error),
    })?;
    let text = zeroize::Zeroizing::new(text);
    let has_passphrase = |mark: &[u8]| text.windows(mark.len()).any(|part| part == mark);
    let mut pem = Pem {
        certificates: Vec::new(),
        key: None,
        encrypted: match has_passphrase(b"ENCRYPTED") {
            true => Encrypted::Yes,
            false => Encrypted::No,
        },
    };
    for item in rustls_pemfile::read_all(&mut text.as_slice()) {
        let bad = |error: io::Error| FileProblem::BadPem(error.to_string());
        let key = match item.map_err(bad)? {
            Item::X509Certificate(certificate) => {
                pem.certificates.push(certificate);
                continue;
            }
            Item::Pkcs8Key(key) => key.into(),
            Item::Pkcs1Key(key) => key.into(),
            Item::Sec1Key(key) => key.into(),
            _ => continue,
        };
        pem.key.get_or_insert(key);
    }
    Ok(pem)
}

fn chain_of(pem: Pem) -> Result<Vec<CertificateDer<'static>>, FileProblem> {
    match (pem.certificates.is_empty(), pem.key) {
        (false, _) => Ok(pem.certificates),
        (true, Some(_)) => Err(FileProblem::KeyAsChain),
        (true, None) => Err(FileProblem::NoCertificate),
    }
}

fn key_of(pem: Pem) -> Result<PrivateKeyDer<'static>, FileProblem> {
    match pem.key {
        // An encrypted PKCS#1 or SEC 1 key has the label of an unencrypted one; its header says that it is encrypted.
        Some(_) if pem.encrypted == Encrypted::Yes => Err(FileProblem::EncryptedKey),
        Some(key) => Ok(key),
        None if pem.encrypted == Encrypted::Yes => Err(FileProblem::EncryptedKey),
        None if !pem.certificates.is_empty() => Err(FileProblem::ChainAsKey),
        None => Err(FileProblem::NoKey),
    }
}

fn describe(path: &Path, chain: &[CertificateDer<'_>]) -> Result<Certificate, FileProblem> {
    let leaf = chain.first().ok_or(FileProblem::NoCertificate)?;
    let malformed = |error: &dyn fmt::Display| FileProblem::Malformed(error.to_string());
    let (_, leaf) = X509Certificate::from_der(leaf).map_err(|error| malformed(&error))?;
    let names = leaf
        .subject_alternative_name()
        .map_err(|error| malformed(&error))?
        .into_iter()
        .flat_map(|extension| &extension.value.general_names)
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase().into()),
            _ => None,
        })
        .collect();
    Ok(Certificate {
        chain: path.to_owned(),
        names,
        begins: moment(leaf.validity().not_before),
        expires: moment(leaf.validity().not_after),
    })
}

/// The position in the chain, from 1, of the certificate that the key fits.
fn place_of_key(pair: &CertifiedKey) -> Option<usize> {
    let fits = |certificate: &CertificateDer<'static>| {
        CertifiedKey::new(vec![certificate.clone()], Arc::clone(&pair.key))
            .keys_match()
            .is_ok()
    };
    Some(pair.cert.iter().position(fits)? + 1)
}

fn days(span: Duration) -> String {
    match span.as_secs() / 86_400 {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}
