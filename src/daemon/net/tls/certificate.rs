//! certificate - checks certificates and their keys
//!
//! Every fault names the file, and what would be right. Only the leaf's dates are
//! looked at: a public chain may legitimately end in an expired cross-signature. A wrong date is no fault: it is the
//! client that judges it, by a clock that may be better than ours, and a server that does not start helps nobody.
//! Not here: reading the files (`pem`), whether clients trust the chain (`chain`), the carets (`config`).
//! RFC 5280 section 4.

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Version};
use x509_parser::public_key::PublicKey;

use super::CertificateFiles;
use super::pem::{FileProblem, read_chain, read_key};
use gatepost_core::moment::Moment;

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

/// What an authority's robot leaves a certificate at least, when it works: it renews after two thirds of its life.
const LAST_DAYS: Duration = Duration::from_secs(14 * 86_400);

/// Bits of the shortest RSA key that can be used.
const SHORTEST_RSA: usize = 2048;

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

    /// Whether it should have been renewed by now: on its last 14 days, or in the last third of a shorter life.
    pub fn is_due(&self, now: Moment) -> bool {
        let life = self.expires.since(self.begins);
        self.expires.since(now) < LAST_DAYS.min(life / 3)
    }

    /// What is wrong with its dates, when the wall clock shows `now`.
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
    let key = read_key(&files.key).map_err(of_key)?;
    let certificate = describe(&files.chain, &chain).map_err(of_chain)?;
    let key = provider
        .key_provider
        .load_private_key(key)
        .map_err(|error| of_key(FileProblem::UnusableKey(unusable(&chain, &error))))?;
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

/// Why a key cannot be used: the certificate that goes with it says what kind it is.
fn unusable(chain: &[CertificateDer<'_>], error: &rustls::Error) -> String {
    let leaf = chain
        .first()
        .and_then(|leaf| Some(X509Certificate::from_der(leaf).ok()?.1));
    match leaf.as_ref().map(|leaf| leaf.public_key().parsed()) {
        Some(Ok(PublicKey::RSA(key))) if key.key_size() < SHORTEST_RSA => {
            format!("RSA of {} bits", key.key_size())
        }
        Some(Ok(PublicKey::EC(_))) if !leaf.as_ref().is_some_and(has_known_curve) => {
            "ECDSA with a curve that mail programs do not know".to_owned()
        }
        Some(Ok(PublicKey::DSA(_))) => "DSA".to_owned(),
        _ => error.to_string(),
    }
}

/// Whether the curve of its key is P-256, P-384 or P-521.
fn has_known_curve(leaf: &X509Certificate<'_>) -> bool {
    let curve = leaf.public_key().algorithm.parameters.as_ref();
    let curve = curve.and_then(|curve| curve.as_oid().ok());
    curve.is_some_and(|curve| {
        let curves = ["1.2.840.10045.3.1.7", "1.3.132.0.34", "1.3.132.0.35"];
        curves.contains(&curve.to_id_string().as_str())
    })
}

fn describe(path: &Path, chain: &[CertificateDer<'_>]) -> Result<Certificate, FileProblem> {
    let leaf = chain.first().ok_or(FileProblem::NoCertificate)?;
    let malformed = |error: &dyn fmt::Display| FileProblem::Malformed(error.to_string());
    let (_, leaf) = X509Certificate::from_der(leaf).map_err(|error| malformed(&error))?;
    if leaf.version() != X509Version::V3 {
        return Err(FileProblem::OldVersion(leaf.version().0 + 1));
    }
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
