//! problem - what is wrong with a chain to a client, in words, each with its cure behind the first semicolon
//!
//! Not here: finding it (`chain`).

use rustls::CertificateError;

use crate::net::tls::certificate::DateProblem;

/// Why clients refuse a chain, or some of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainProblem {
    /// The leaf is its own issuer.
    #[error(
        "is signed by itself, so mail programs warn their users or refuse it; for tests it will do, for users get one from an authority"
    )]
    SelfSigned,
    /// The leaf alone, of an issuer that this machine does not know.
    #[error(
        "holds only the server's own certificate, which most programs refuse, and was issued by {issuer}; use the file with the whole chain, often fullchain.pem. If that is a root of your own, install it on this machine too"
    )]
    NoIntermediate {
        /// Its issuer.
        issuer: String,
    },
    /// The chain ends at what this machine does not know.
    #[error(
        "ends at {issuer}, which is no root that this machine knows; add the missing intermediate. If that is a root of your own, install it on this machine too"
    )]
    UnknownEnd {
        /// The issuer of the last certificate.
        issuer: String,
    },
    /// A certificate that signed nothing in the file.
    #[error(
        "has at position {place} a certificate that signed none before it ({subject}); take it out, and put the intermediate there that did: fullchain.pem of your authority has it"
    )]
    Foreign {
        /// Counted from 1.
        place: usize,
        /// Whose it is.
        subject: String,
    },
    /// All there, in the wrong order.
    #[error(
        "has the wrong order, as {subject} belongs to position {place}; put the server's certificate first, then each one that signed the one before it"
    )]
    WrongOrder {
        /// Counted from 1.
        place: usize,
        /// Whose certificate belongs there.
        subject: String,
    },
    /// An intermediate out of its dates.
    #[error(
        "has at position {place} an intermediate that {problem} ({subject}); get the authority's new one, with fullchain.pem"
    )]
    Dates {
        /// Counted from 1.
        place: usize,
        /// Whose it is.
        subject: String,
        /// What is wrong.
        problem: DateProblem,
    },
    /// Extended key usage without server authentication.
    #[error(
        "is not meant for servers (its extended key usage), so every program refuses it; have one issued for server authentication (serverAuth)"
    )]
    NotForServers,
    /// A CA's certificate as leaf.
    #[error(
        "begins with the certificate of an authority (CA:TRUE), which most programs refuse for a server; have the authority issue one for the server"
    )]
    CaAsLeaf,
    /// An old signature algorithm.
    #[error(
        "has at position {place} a signature with {algorithm}, which programs refuse; have it issued again, with SHA-256"
    )]
    WeakSignature {
        /// Counted from 1.
        place: usize,
        /// Which.
        algorithm: &'static str,
    },
    /// No subjectAltName.
    #[error(
        "has no name that programs read (subjectAltName); have it issued again with your hostname in it"
    )]
    NoNames,
    /// The name that users enter is not there.
    #[error(
        "is for {names} and not for hostname, {hostname}, so programs that are set to {hostname} refuse it; have it issued for that name too, or set hostname to the name that users enter"
    )]
    OtherName {
        /// The config's `hostname`.
        hostname: String,
        /// The certificate's names.
        names: String,
    },
    /// It promises stapled OCSP, which we do not do.
    #[error(
        "demands a stapled OCSP response (must-staple), which Gatepost does not send, so Thunderbird refuses it; have it issued without must-staple"
    )]
    MustStaple,
    /// Longer than Apple takes of anybody.
    #[error(
        "is valid for {0} days, and Apple's programs refuse more than 825; have it issued for a shorter time"
    )]
    LongForApple(u64),
    /// Longer than is taken of a public authority.
    #[error(
        "is valid for {0} days, and some programs take no more than 398 of a public authority; have it issued for a shorter time"
    )]
    LongForPublic(u64),
    /// No other key.
    #[error(
        "has an Ed25519 key and there is no other certificate, so Outlook, Apple Mail and Thunderbird cannot connect; have one issued with an ECDSA P-256 key, or add it as a second [[tls.certificate]]"
    )]
    Ed25519Alone,
    /// No other key.
    #[error(
        "has an RSA key and there is no other certificate, so Windows 7 to 8.1 and Server 2012 R2 cannot connect; a second [[tls.certificate]] with an ECDSA P-256 key serves them too"
    )]
    RsaAlone,
    /// A short RSA key.
    #[error(
        "has at position {place} an RSA key of {bits} bits, which programs refuse; have it issued again with 2048 or more, or ECDSA P-256"
    )]
    ShortRsa {
        /// Counted from 1.
        place: usize,
        /// Its length.
        bits: usize,
    },
    /// The keys do not fit the names of issuers.
    #[error(
        "has an intermediate whose key did not sign the certificate before it; use the intermediate that did: fullchain.pem of your authority has it"
    )]
    WrongSignature,
    /// Anything else that a client says.
    #[error("is refused by a client that checks it ({0}); have it issued again")]
    Refused(String),
}

impl ChainProblem {
    /// What a client says that verified the chain.
    pub(super) fn of_client(error: &rustls::Error) -> Option<Self> {
        match error {
            rustls::Error::InvalidCertificate(CertificateError::BadSignature) => {
                Some(Self::WrongSignature)
            }
            other => Some(Self::Refused(other.to_string())),
        }
    }

    /// Whether it is about how long it is valid.
    pub(super) const fn is_of_length(&self) -> bool {
        matches!(self, Self::LongForApple(_) | Self::LongForPublic(_))
    }

    /// Whether only few clients are concerned.
    pub const fn is_hint(&self) -> bool {
        matches!(self, Self::RsaAlone | Self::LongForPublic(_))
    }
}
