//! chain - what a mail program says of a certificate chain, before one is there to say it
//!
//! A server starts with nearly any chain; it is the client that refuses it. So this plays the client: order, links, dates, usage,
//! names, algorithms, and the way to a root that this machine knows. Nothing of it keeps a server from starting, for the client
//! may know more roots than we do.
//! Not here: whether the files can be used at all (`certificate`), the leaf's dates (there too), the words (`problem`).
//! RFC 5280 section 6, RFC 6125, RFC 7633.

mod problem;
mod roots;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, RootCertStore};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
use x509_parser::public_key::PublicKey;

pub use self::problem::ChainProblem;
pub use self::roots::system_roots;
use super::certificate::{DateProblem, moment};
use gatepost_core::moment::Moment;

/// What Apple's programs take at most, of any authority.
const LONGEST: u64 = 825;

/// What browsers, and Apple's programs too, take at most of a public authority.
const LONGEST_PUBLIC: u64 = 398;

/// What all chains of one config look like to clients: the problems of each, in the order of `chains`.
///
/// `hostname` is what users enter as their server; `roots` are what a client may know.
pub fn review(
    chains: &[Vec<CertificateDer<'static>>],
    hostname: &str,
    roots: &RootCertStore,
    now: Moment,
) -> Vec<Vec<ChainProblem>> {
    let mut leaves = Vec::new();
    for chain in chains {
        leaves.push(chain.first().and_then(|leaf| parse(leaf)));
    }
    let mut reviewed: Vec<Vec<_>> = chains
        .iter()
        .zip(&leaves)
        .map(|(chain, leaf)| match leaf {
            Some(leaf) => of_chain(chain, leaf, roots, now),
            None => Vec::new(),
        })
        .collect();
    let leaves: Vec<_> = leaves.iter().flatten().collect();
    if leaves.iter().all(|leaf| is_self_signed(leaf)) {
        return reviewed;
    }
    // What one certificate lacks, another may have.
    if let (Some(first), Some(leaf)) = (reviewed.first_mut(), leaves.first()) {
        if !leaves.iter().any(|leaf| has_name(leaf, hostname)) {
            first.push(match names(leaf).is_empty() {
                true => ChainProblem::NoNames,
                false => ChainProblem::OtherName {
                    hostname: hostname.to_owned(),
                    names: names(leaf).join(", "),
                },
            });
        }
        first.extend(left_out(leaves.iter().map(|leaf| key(leaf))));
    }
    reviewed
}

/// Who is left out by the kinds of keys that there are.
fn left_out(keys: impl Iterator<Item = CertificateKey>) -> Option<ChainProblem> {
    let keys: Vec<_> = keys.collect();
    if keys.iter().all(|key| *key == CertificateKey::Ed25519) {
        return Some(ChainProblem::Ed25519Alone);
    }
    let is_rsa = |key: &CertificateKey| matches!(key, CertificateKey::Rsa(_));
    keys.iter().all(is_rsa).then_some(ChainProblem::RsaAlone)
}

fn of_chain(
    chain: &[CertificateDer<'static>],
    leaf: &X509Certificate<'_>,
    roots: &RootCertStore,
    now: Moment,
) -> Vec<ChainProblem> {
    let mut problems = of_leaf(leaf);
    if is_self_signed(leaf) {
        // The operator who made it knows the rest.
        return vec![ChainProblem::SelfSigned];
    }
    let parsed: Vec<_> = chain.iter().filter_map(|der| parse(der)).collect();
    let trusted = verify(chain, leaf, roots, now);
    let walk = walk(&parsed);
    problems.extend(of_order(&parsed, &walk));
    problems.extend(of_links(&parsed, &walk, now, trusted.is_ok()));
    match trusted {
        // Without a name nobody verifies it, and that is told.
        _ if names(leaf).is_empty() => {}
        Ok(()) if problems.iter().any(ChainProblem::is_of_length) => {}
        Ok(()) => problems.extend(of_length(leaf, LONGEST_PUBLIC, ChainProblem::LongForPublic)),
        Err(error) => {
            let unknown = of_end(chain, leaf, &parsed, &walk, &error, now);
            // What a client says first may be told already, in better words.
            if problems.iter().all(ChainProblem::is_hint) || is_about_the_end(&unknown) {
                problems.extend(unknown);
            }
        }
    }
    problems
}

fn is_about_the_end(problem: &Option<ChainProblem>) -> bool {
    matches!(
        problem,
        Some(ChainProblem::NoIntermediate { .. } | ChainProblem::UnknownEnd { .. })
    )
}

/// What is wrong with the leaf alone.
fn of_leaf(leaf: &X509Certificate<'_>) -> Vec<ChainProblem> {
    let mut problems = Vec::new();
    if leaf.is_ca() {
        problems.push(ChainProblem::CaAsLeaf);
    }
    if let Ok(Some(usage)) = leaf.extended_key_usage()
        && !(usage.value.server_auth || usage.value.any)
    {
        problems.push(ChainProblem::NotForServers);
    }
    if leaf
        .iter_extensions()
        .any(|one| one.oid.to_id_string() == MUST_STAPLE)
    {
        problems.push(ChainProblem::MustStaple);
    }
    problems.extend(of_length(leaf, LONGEST, ChainProblem::LongForApple));
    problems
}

/// `id-pe-tlsfeature`. RFC 7633.
const MUST_STAPLE: &str = "1.3.6.1.5.5.7.1.24";

fn of_length(
    leaf: &X509Certificate<'_>,
    longest: u64,
    problem: fn(u64) -> ChainProblem,
) -> Option<ChainProblem> {
    let (begins, expires) = span(leaf);
    let days = expires.since(begins).as_secs().div_ceil(86_400);
    (days > longest).then(|| problem(days))
}

/// The positions of the leaf and those who signed, one after the other, as far as the file has them.
fn walk(parsed: &[X509Certificate<'_>]) -> Vec<usize> {
    let mut walk = vec![0];
    while let Some(last) = walk.last().and_then(|at| parsed.get(*at)) {
        if is_self_signed(last) {
            break;
        }
        let is_next = |at: &usize| {
            !walk.contains(at)
                && parsed
                    .get(*at)
                    .is_some_and(|one| one.subject().as_raw() == last.issuer().as_raw())
        };
        match (0..parsed.len()).find(is_next) {
            Some(next) => walk.push(next),
            None => break,
        }
    }
    walk
}

/// What stands where it does not belong.
fn of_order(parsed: &[X509Certificate<'_>], walk: &[usize]) -> Option<ChainProblem> {
    let subject = |at: usize| parsed.get(at).map(|one| one.subject().to_string());
    // Of two certificates for one authority, clients take what they need.
    let may_sign = |one: &X509Certificate<'_>| {
        let mut signed = walk.iter().filter_map(|at| parsed.get(*at));
        signed.any(|signed| signed.issuer().as_raw() == one.subject().as_raw())
    };
    let foreign =
        (0..parsed.len()).find(|at| !walk.contains(at) && !parsed.get(*at).is_some_and(may_sign));
    if let Some(at) = foreign {
        return Some(ChainProblem::Foreign {
            place: at + 1,
            subject: subject(at)?,
        });
    }
    let misplaced = walk
        .iter()
        .enumerate()
        .find(|(expected, at)| expected != *at);
    let (expected, at) = misplaced?;
    Some(ChainProblem::WrongOrder {
        place: expected + 1,
        subject: subject(*at)?,
    })
}

/// What is wrong with each certificate of the walk: algorithms, keys, and the dates of intermediates. A chain that is trusted may
/// end in an old cross-signature.
fn of_links(
    parsed: &[X509Certificate<'_>],
    walk: &[usize],
    now: Moment,
    is_trusted: bool,
) -> Vec<ChainProblem> {
    let mut problems = Vec::new();
    let links = walk.iter().filter_map(|at| Some((*at, parsed.get(*at)?)));
    for (at, link) in links.filter(|(_, link)| !is_self_signed(link)) {
        let place = at + 1;
        if let Some(algorithm) = weak(&link.signature_algorithm.algorithm.to_id_string()) {
            problems.push(ChainProblem::WeakSignature { place, algorithm });
        }
        if let CertificateKey::Rsa(bits) = key(link)
            && bits < 2048
        {
            problems.push(ChainProblem::ShortRsa { place, bits });
        }
        let (begins, expires) = span(link);
        if let Some(problem) =
            DateProblem::of(begins, expires, now).filter(|_| at > 0 && !is_trusted)
        {
            let subject = link.subject().to_string();
            problems.push(ChainProblem::Dates {
                place,
                subject,
                problem,
            });
        }
    }
    problems
}

/// What a chain lacks that leads to no root of this machine.
fn of_end(
    chain: &[CertificateDer<'static>],
    leaf: &X509Certificate<'_>,
    parsed: &[X509Certificate<'_>],
    walk: &[usize],
    error: &rustls::Error,
    now: Moment,
) -> Option<ChainProblem> {
    if !matches!(
        error,
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)
    ) {
        return ChainProblem::of_client(error);
    }
    let end = walk.last().and_then(|at| Some((*at, parsed.get(*at)?)));
    let (at, end) = end?;
    let issuer = end.issuer().to_string();
    if at == 0 {
        return Some(ChainProblem::NoIntermediate { issuer });
    }
    // Whatever is at the end: do those before it belong to it?
    let mut own = RootCertStore::empty();
    own.add(chain.get(at)?.clone()).ok()?;
    match verify(chain, leaf, &own, now) {
        Ok(()) if is_self_signed(end) => None,
        Ok(()) => Some(ChainProblem::UnknownEnd { issuer }),
        Err(error) => ChainProblem::of_client(&error),
    }
}

/// Verifies the chain as a client does that knows `roots`, at a moment at which the leaf is valid: its dates are told elsewhere.
fn verify(
    chain: &[CertificateDer<'static>],
    leaf: &X509Certificate<'_>,
    roots: &RootCertStore,
    now: Moment,
) -> Result<(), rustls::Error> {
    let unknown = || rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
    let provider: Arc<CryptoProvider> = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots.clone()), provider)
        .build()
        .map_err(|_| unknown())?;
    let (begins, expires) = span(leaf);
    let at = now.max(begins).min(expires);
    let at = UnixTime::since_unix_epoch(Duration::from_secs(at.as_seconds()));
    let Some((first, others)) = chain.split_first() else {
        return Err(unknown());
    };
    // Any name of its own: whether it is the right one is another question.
    let own = names(leaf).first().map(|name| name.replace('*', "any"));
    let name = own.and_then(|name| ServerName::try_from(name).ok());
    let Some(name) = name else {
        return Err(unknown());
    };
    let verified = verifier.verify_server_cert(first, others, &name, &[], at);
    verified.map(|_| ())
}

/// The kind of a certificate's key, with the bits that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CertificateKey {
    Rsa(usize),
    Ed25519,
    Other,
}

fn key(of: &X509Certificate<'_>) -> CertificateKey {
    let key = of.public_key();
    if key.algorithm.algorithm.to_id_string() == "1.3.101.112" {
        return CertificateKey::Ed25519;
    }
    match key.parsed() {
        Ok(PublicKey::RSA(key)) => CertificateKey::Rsa(key.key_size()),
        _ => CertificateKey::Other,
    }
}

/// The name of a signature algorithm that clients no longer take.
fn weak(algorithm: &str) -> Option<&'static str> {
    match algorithm {
        "1.2.840.113549.1.1.5" | "1.2.840.10045.4.1" | "1.3.14.3.2.29" => Some("SHA-1"),
        "1.2.840.113549.1.1.4" => Some("MD5"),
        "1.2.840.113549.1.1.2" => Some("MD2"),
        _ => None,
    }
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    Some(parsed)
}

/// Its first and last moment.
fn span(of: &X509Certificate<'_>) -> (Moment, Moment) {
    let validity = of.validity();
    (moment(validity.not_before), moment(validity.not_after))
}

/// As far as it says itself: whose key signed it is a question of a client that would trust it.
fn is_self_signed(of: &X509Certificate<'_>) -> bool {
    of.subject().as_raw() == of.issuer().as_raw()
}

fn names(of: &X509Certificate<'_>) -> Vec<String> {
    let names = of.subject_alternative_name().ok().flatten();
    let names = names.into_iter().flat_map(|one| &one.value.general_names);
    names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        })
        .collect()
}

/// Whether a client that was told to go to `hostname` takes it. RFC 6125 section 6.4.
fn has_name(of: &X509Certificate<'_>, hostname: &str) -> bool {
    let hostname = hostname.to_ascii_lowercase();
    let parent = hostname.split_once('.').map(|(_, parent)| parent);
    names(of).iter().any(|name| match name.strip_prefix("*.") {
        Some(covered) => parent == Some(covered),
        None => *name == hostname,
    })
}
