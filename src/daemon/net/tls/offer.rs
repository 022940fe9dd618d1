//! offer - what a ClientHello offers, and what it lacks to agree with us, in plain words
//!
//! Read only for the log and for the alert: whether a handshake comes about is rustls's decision. A handful of yes and no,
//! so that it can be kept for as long as a handshake lasts.
//! Not here: reading the octets of the ClientHello (`hello`), taking them apart (`unread`), counting (`fault`).
//! RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2 and appendix E.2, RFC 8701 (GREASE).

#[cfg(test)]
mod tests;

use std::fmt;

use rustls::{PeerIncompatible, SignatureAlgorithm};

use super::unread::{Unread, numbers};

/// What a ClientHello offers, as far as it matters to us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ClientOffer {
    version: OfferedVersion,
    /// TLS 1.2 suites with ECDHE, AEAD and an ECDSA key, then those with an RSA key, then any of TLS 1.3.
    ecdsa_suites: bool,
    rsa_suites: bool,
    tls13_suites: bool,
    ecdsa_signatures: bool,
    rsa_signatures: bool,
}

/// The highest version that a client offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum OfferedVersion {
    /// Nothing that has a number of TLS or SSL.
    #[default]
    Unknown,
    /// 3.0, or the form of SSL 2.0.
    Ssl3,
    /// 3.1.
    Tls10,
    /// 3.2.
    Tls11,
    /// 3.3.
    Tls12,
    /// 3.4 or later.
    Tls13,
}

impl OfferedVersion {
    const fn of(number: u16) -> Self {
        match number {
            0x0002 | 0x0200 | 0x0300 => Self::Ssl3,
            0x0301 => Self::Tls10,
            0x0302 => Self::Tls11,
            0x0303 => Self::Tls12,
            0x0304 => Self::Tls13,
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for OfferedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no version of TLS",
            Self::Ssl3 => "SSL 3.0",
            Self::Tls10 => "TLS 1.0",
            Self::Tls11 => "TLS 1.1",
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        })
    }
}

/// What a client and we do not have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// Its highest version is too old.
    Version(OfferedVersion),
    /// No cipher suite.
    Suite(OfferedVersion, Cure),
    /// No group for the key exchange.
    Group(OfferedVersion),
    /// No signature algorithm for our keys.
    Signature(OfferedVersion, Cure),
    /// Something else that rustls wants and it does not have.
    Other(OfferedVersion),
}

/// What would make up for a lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cure {
    /// A certificate with an ECDSA key.
    EcCertificate,
    /// A certificate with an RSA key.
    RsaCertificate,
    /// Nothing that we could have.
    NewerProgram,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => {
                write!(f, "offers {version} at most; TLS 1.2 and 1.3 are served")
            }
            Self::Suite(version, cure) => {
                write!(f, "offers {version}, and no cipher suite in common; {cure}")
            }
            Self::Group(version) => write!(
                f,
                "offers {version}, and no group in common; X25519, P-256 and P-384 are served"
            ),
            Self::Signature(version, cure) => write!(
                f,
                "offers {version}, and no signature algorithm in common; {cure}"
            ),
            Self::Other(version) => {
                write!(f, "offers {version}, without an extension that it needs")
            }
        }
    }
}

impl fmt::Display for Cure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EcCertificate => "an EC certificate beside the RSA one would help",
            Self::RsaCertificate => "an RSA certificate beside the other one would help",
            Self::NewerProgram => {
                "the suites that are served have ECDHE and AES-GCM or ChaCha20, and no certificate would change that"
            }
        })
    }
}

/// The kinds of keys that may answer a ClientHello.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct KeyKinds {
    /// RSA.
    rsa: bool,
    /// ECDSA.
    ecdsa: bool,
}

impl KeyKinds {
    /// The kinds of these keys.
    pub(super) fn of(keys: impl IntoIterator<Item = SignatureAlgorithm>) -> Self {
        let mut kinds = Self::default();
        for key in keys {
            match key {
                SignatureAlgorithm::RSA => kinds.rsa = true,
                SignatureAlgorithm::ECDSA => kinds.ecdsa = true,
                _ => {}
            }
        }
        kinds
    }
}

impl ClientOffer {
    /// What the message of a ClientHello offers, if it is one, and whole.
    pub(super) fn read(message: &[u8]) -> Option<Self> {
        let mut rest = Unread(message);
        let (1, body) = (rest.number(1)?, rest.counted(3)?) else {
            return None;
        };
        let mut hello = Unread(body);
        let legacy = u16::try_from(hello.number(2)?).ok()?;
        hello.take(32)?;
        hello.counted(1)?;
        let suites = hello.counted(2)?;
        hello.counted(1)?;
        let mut offer = Self {
            // A client that offers TLS 1.3 says so in an extension.
            version: OfferedVersion::of(legacy.min(0x0303)),
            ..Self::default()
        };
        numbers(suites).for_each(|suite| offer.add_suite(suite));
        // Clients of TLS 1.1 and before may have no extensions.
        let mut extensions = Unread(hello.counted(2).unwrap_or_default());
        while let (Some(kind), Some(content)) = (extensions.number(2), extensions.counted(2)) {
            match kind {
                SIGNATURE_ALGORITHMS => {
                    let schemes = Unread(content).counted(2)?;
                    numbers(schemes).for_each(|scheme| offer.add_scheme(scheme));
                }
                SUPPORTED_VERSIONS => {
                    let versions = numbers(Unread(content).counted(1)?);
                    // Unknown ones, and those that only test whether servers pass them over, are the least.
                    offer.version = versions.map(OfferedVersion::of).max()?;
                }
                _ => {}
            }
        }
        Some(offer)
    }

    /// The highest version in a ClientHello in the form of SSL 2.0.
    pub(super) fn ssl2(octets: &[u8]) -> OfferedVersion {
        match octets {
            [_, _, 1, major, minor, ..] => {
                OfferedVersion::of(u16::from_be_bytes([*major, *minor]).min(0x0302))
            }
            _ => OfferedVersion::Ssl3,
        }
    }

    /// The highest version.
    pub(super) const fn version(&self) -> OfferedVersion {
        self.version
    }

    /// Whether it is served TLS 1.3: a client that offers it gets it.
    pub(super) fn has_tls13(&self) -> bool {
        self.version == OfferedVersion::Tls13
    }

    /// Whether it knows no version that is served.
    pub(super) fn is_too_old(&self) -> bool {
        self.version < OfferedVersion::Tls12 && self.version != OfferedVersion::Unknown
    }

    /// What it lacks, when rustls says `why`, to agree with a server that has `keys`.
    pub(super) fn lack(&self, why: &PeerIncompatible, keys: KeyKinds) -> Lack {
        let version = self.version;
        match why {
            PeerIncompatible::NoCipherSuitesInCommon => Lack::Suite(version, self.cure(keys)),
            PeerIncompatible::NoSignatureSchemesInCommon
            | PeerIncompatible::SignatureAlgorithmsExtensionRequired => {
                Lack::Signature(version, self.cure(keys))
            }
            PeerIncompatible::NoKxGroupsInCommon
            | PeerIncompatible::NamedGroupsExtensionRequired
            | PeerIncompatible::NoEcPointFormatsInCommon
            | PeerIncompatible::UncompressedEcPointsRequired => Lack::Group(version),
            PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::ServerDoesNotSupportTls12Or13 => Lack::Version(version),
            _ => Lack::Other(version),
        }
    }

    fn cure(&self, keys: KeyKinds) -> Cure {
        let modern = self.version >= OfferedVersion::Tls13 && self.tls13_suites;
        if !keys.ecdsa && self.ecdsa_signatures && (self.ecdsa_suites || modern) {
            return Cure::EcCertificate;
        }
        match !keys.rsa && self.rsa_signatures && (self.rsa_suites || modern) {
            true => Cure::RsaCertificate,
            false => Cure::NewerProgram,
        }
    }

    fn add_suite(&mut self, suite: u16) {
        match suite {
            0xc02b | 0xc02c | 0xcca9 => self.ecdsa_suites = true,
            0xc02f | 0xc030 | 0xcca8 => self.rsa_suites = true,
            0x1301..=0x1303 => self.tls13_suites = true,
            _ => {}
        }
    }

    fn add_scheme(&mut self, scheme: u16) {
        match scheme {
            0x0403 | 0x0503 | 0x0603 => self.ecdsa_signatures = true,
            0x0401 | 0x0501 | 0x0601 | 0x0804..=0x0806 => self.rsa_signatures = true,
            _ => {}
        }
    }
}

const SIGNATURE_ALGORITHMS: usize = 13;
const SUPPORTED_VERSIONS: usize = 43;
