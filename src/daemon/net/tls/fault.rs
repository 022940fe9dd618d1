//! fault - why there is no TLS session, by cause: counted, and told in plain words
//!
//! A handshake that fails is a scanner's, nearly always. But a client that offers too little, or that refuses our certificate, may
//! be a user's, and nobody else can tell the operator. So each cause has a name, a count and words of its own.
//! Not here: what a ClientHello lacks (`offer`), the log (`report`).
//! RFC 8446 section 6.2.

use std::fmt;
use std::io;

use rustls::AlertDescription;

use super::offer::{ClientOffer, KeyKinds, Lack};
use crate::report::counter::Counter;

/// Why there is no TLS session. Nearly always the client's fault.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeFault {
    /// Nothing arrived within the deadline.
    #[error(
        "sent nothing; a program that is set to STARTTLS or to no encryption waits like this where TLS comes first"
    )]
    Silent,
    /// Not complete within the deadline.
    #[error("the handshake did not complete in time")]
    Deadline,
    /// Others were computed until the deadline.
    #[error("other handshakes were computed until the deadline; see [admission] handshakes")]
    Busy,
    /// The client closed or reset the connection before its first octet.
    #[error("the client closed and had sent nothing")]
    NothingSent,
    /// The client closed or reset the connection during it.
    #[error("the client closed during the handshake")]
    Closed,
    /// The ClientHello exceeds the limit, in octets.
    #[error("the ClientHello is longer than {0} octets")]
    HelloTooLong(usize),
    /// The client offers a protocol that mail programs do not speak.
    #[error("the client offers the protocol {0}")]
    ForeignProtocol(&'static str),
    /// What arrived is not TLS.
    #[error("{0}")]
    NotTls(ForeignOctets),
    /// The client and we have nothing in common.
    #[error("{0}")]
    NothingInCommon(Lack),
    /// The client refused to go on.
    #[error("{}", ClientAlert(*.0))]
    Alert(AlertDescription),
    /// What arrived breaks the rules of TLS.
    #[error("{0}")]
    Tls(rustls::Error),
    /// The socket failed.
    #[error("{0}")]
    Socket(io::Error),
}

impl HandshakeFault {
    /// As the fault of a client that offered `offer` to a server with `keys`.
    pub(super) fn with_offer(self, offer: &ClientOffer, keys: KeyKinds) -> Self {
        match self {
            Self::Tls(rustls::Error::PeerIncompatible(why)) => {
                Self::NothingInCommon(offer.lack(&why, keys))
            }
            other => other,
        }
    }

    /// Its cause, for the counters and the log.
    pub fn cause(&self) -> HandshakeCause {
        match self {
            Self::Silent => HandshakeCause::Silent,
            Self::Deadline => HandshakeCause::Deadline,
            Self::Busy => HandshakeCause::Busy,
            Self::NothingSent => HandshakeCause::NothingSent,
            Self::Closed => HandshakeCause::Closed,
            Self::ForeignProtocol(_) => HandshakeCause::Protocol,
            Self::NotTls(ForeignOctets::Http | ForeignOctets::Smtp | ForeignOctets::Text) => {
                HandshakeCause::PlainText
            }
            Self::NotTls(_) => HandshakeCause::NotTls,
            Self::NothingInCommon(lack) => match lack {
                Lack::Version(_) => HandshakeCause::Version,
                Lack::Suite(..) => HandshakeCause::CipherSuite,
                Lack::Group(_) => HandshakeCause::Group,
                Lack::Signature(..) => HandshakeCause::Signature,
                Lack::Other(_) => HandshakeCause::Other,
            },
            Self::Alert(alert) => HandshakeCause::of_alert(*alert),
            Self::HelloTooLong(_) | Self::Tls(_) | Self::Socket(_) => HandshakeCause::Other,
        }
    }
}

impl From<io::Error> for HandshakeFault {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        if matches!(
            error.kind(),
            UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe
        ) {
            return Self::Closed;
        }
        match error.downcast::<rustls::Error>() {
            Ok(rustls::Error::AlertReceived(alert)) => Self::Alert(alert),
            Ok(fault) => Self::Tls(fault),
            Err(error) => Self::Socket(error),
        }
    }
}

/// What arrived in place of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignOctets {
    /// A request of a web client.
    Http,
    /// An SMTP command.
    Smtp,
    /// Other text.
    Text,
    /// A ClientHello in the form of SSL 2.0.
    Ssl2,
    /// Something else.
    Octets,
}

impl ForeignOctets {
    pub(super) fn of(octets: &[u8]) -> Self {
        const WEB: [&[u8]; 5] = [b"GET ", b"POST ", b"HEAD ", b"CONNECT ", b"OPTIONS "];
        const MAIL: [&[u8]; 7] = [
            b"EHLO",
            b"HELO",
            b"AUTH",
            b"MAIL",
            b"NOOP",
            b"QUIT",
            b"STARTTLS",
        ];
        let begins = |word: &&[u8]| {
            let start = octets.get(..word.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(word))
        };
        let is_text = |octet: &u8| matches!(octet, b' '..=b'~' | b'\t' | b'\r' | b'\n');
        match octets {
            [first, _, 1, 0 | 3, ..] if first & 0x80 != 0 => Self::Ssl2,
            _ if WEB.iter().any(begins) => Self::Http,
            _ if MAIL.iter().any(begins) => Self::Smtp,
            _ if octets.iter().all(is_text) => Self::Text,
            _ => Self::Octets,
        }
    }
}

impl fmt::Display for ForeignOctets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "a web request in place of TLS",
            Self::Smtp => {
                "SMTP in plain text in place of TLS; set the program to SSL/TLS for this port"
            }
            Self::Text => "plain text in place of TLS",
            Self::Ssl2 => "a ClientHello of SSL 2.0",
            Self::Octets => "something else in place of TLS",
        })
    }
}

/// An alert of the client, in plain words.
struct ClientAlert(AlertDescription);

impl fmt::Display for ClientAlert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, name) = (u8::from(self.0), self.0.as_str().unwrap_or("unknown alert"));
        match HandshakeCause::of_alert(self.0) {
            HandshakeCause::UnknownCa => write!(
                f,
                "the client does not know who signed our certificate ({name}); is an intermediate missing? see `gatepost check`"
            ),
            HandshakeCause::CertificateExpired => write!(
                f,
                "to the client our certificate has expired ({name}); renew it, or the client's clock is wrong"
            ),
            HandshakeCause::BadCertificate
            | HandshakeCause::CertificateUnknown
            | HandshakeCause::CertificateOther => write!(
                f,
                "the client refuses our certificate ({name}); perhaps for its name: see `gatepost check`"
            ),
            _ => write!(
                f,
                "the client ended the handshake with alert {number} ({name})"
            ),
        }
    }
}

/// Why handshakes fail, as they are counted. The log values are public API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeCause {
    /// Plain text in place of TLS.
    PlainText,
    /// Other octets in place of TLS.
    NotTls,
    /// TLS 1.1 at most.
    Version,
    /// No cipher suite in common.
    CipherSuite,
    /// No group in common.
    Group,
    /// No signature algorithm in common.
    Signature,
    /// A protocol that is not mail's.
    Protocol,
    /// The client's alert: it does not know who signed our certificate.
    UnknownCa,
    /// The client's alert: our certificate has expired.
    CertificateExpired,
    /// The client's alert: our certificate is bad, or has another name.
    BadCertificate,
    /// The client's alert: something about our certificate.
    CertificateUnknown,
    /// Another alert of the client about our certificate: revoked, of a wrong kind, for another name.
    CertificateOther,
    /// Another alert of the client.
    Alert,
    /// Nothing arrived until the deadline.
    Silent,
    /// The deadline, within the handshake.
    Deadline,
    /// The deadline, while others computed.
    Busy,
    /// Closed or reset before the first octet.
    NothingSent,
    /// Closed or reset within the handshake.
    Closed,
    /// Anything else.
    Other,
}

impl HandshakeCause {
    /// All of them, in the order of their counts.
    pub const ALL: [Self; 19] = [
        Self::PlainText,
        Self::NotTls,
        Self::Version,
        Self::CipherSuite,
        Self::Group,
        Self::Signature,
        Self::Protocol,
        Self::UnknownCa,
        Self::CertificateExpired,
        Self::BadCertificate,
        Self::CertificateUnknown,
        Self::CertificateOther,
        Self::Alert,
        Self::Silent,
        Self::Deadline,
        Self::Busy,
        Self::NothingSent,
        Self::Closed,
        Self::Other,
    ];

    /// The log value, and the key in `status`.
    pub const fn as_str(self) -> &'static str {
        self.as_fault().split_at("handshake-".len()).1
    }

    /// As a fault of a session among others.
    pub const fn as_fault(self) -> &'static str {
        match self {
            Self::PlainText => "handshake-plain-text",
            Self::NotTls => "handshake-not-tls",
            Self::Version => "handshake-version",
            Self::CipherSuite => "handshake-cipher-suite",
            Self::Group => "handshake-group",
            Self::Signature => "handshake-signature",
            Self::Protocol => "handshake-protocol",
            Self::UnknownCa => "handshake-unknown-ca",
            Self::CertificateExpired => "handshake-certificate-expired",
            Self::BadCertificate => "handshake-bad-certificate",
            Self::CertificateUnknown => "handshake-certificate-unknown",
            Self::CertificateOther => "handshake-certificate-other",
            Self::Alert => "handshake-alert",
            Self::Silent => "handshake-silent",
            Self::Deadline => "handshake-deadline",
            Self::Busy => "handshake-busy",
            Self::NothingSent => "handshake-nothing-sent",
            Self::Closed => "handshake-closed",
            Self::Other => "handshake-other",
        }
    }

    fn of_alert(alert: AlertDescription) -> Self {
        match alert {
            AlertDescription::UnknownCA => Self::UnknownCa,
            AlertDescription::CertificateExpired => Self::CertificateExpired,
            AlertDescription::BadCertificate => Self::BadCertificate,
            AlertDescription::CertificateUnknown => Self::CertificateUnknown,
            AlertDescription::CertificateRevoked
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateUnobtainable
            | AlertDescription::BadCertificateStatusResponse
            | AlertDescription::BadCertificateHashValue
            | AlertDescription::UnrecognisedName => Self::CertificateOther,
            _ => Self::Alert,
        }
    }

    /// Whether it is a matter of how the client or we are set up, so that it will fail again. A connection that broke is not.
    pub const fn is_lasting(self) -> bool {
        match self {
            Self::PlainText
            | Self::Version
            | Self::CipherSuite
            | Self::Group
            | Self::Signature
            | Self::UnknownCa
            | Self::CertificateExpired
            | Self::BadCertificate
            | Self::CertificateUnknown
            | Self::CertificateOther => true,
            Self::NotTls
            | Self::Protocol
            | Self::Alert
            | Self::Silent
            | Self::Deadline
            | Self::Busy
            | Self::NothingSent
            | Self::Closed
            | Self::Other => false,
        }
    }
}

/// How many handshakes failed, by cause.
#[derive(Debug, Default)]
pub struct HandshakeFailures([Counter; HandshakeCause::ALL.len()]);

impl HandshakeFailures {
    /// One more.
    pub fn count(&self, cause: HandshakeCause) {
        if let Some(counter) = self.0.get(cause as usize) {
            counter.count();
        }
    }

    /// How many, by cause.
    pub fn by_cause(&self) -> impl Iterator<Item = (HandshakeCause, u64)> {
        let counts = self.0.iter().map(Counter::get);
        HandshakeCause::ALL.into_iter().zip(counts)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_cause_has_its_own_count_and_name() {
        let failures = HandshakeFailures::default();
        for (index, cause) in HandshakeCause::ALL.into_iter().enumerate() {
            assert_eq!(cause as usize, index, "{}", cause.as_str());
            (0..=index).for_each(|_| failures.count(cause));
        }
        for (index, (cause, count)) in failures.by_cause().enumerate() {
            assert_eq!(count, index as u64 + 1, "{}", cause.as_str());
        }
        let names: BTreeSet<_> = HandshakeCause::ALL.map(HandshakeCause::as_str).into();
        assert_eq!(names.len(), HandshakeCause::ALL.len());
    }

    #[test]
    fn what_is_no_tls_is_named() {
        let of = |octets: &[u8]| ForeignOctets::of(octets);
        assert_eq!(of(b"GET / HTTP/1.1\r\n"), ForeignOctets::Http);
        assert_eq!(of(b"ehlo laptop\r\n"), ForeignOctets::Smtp);
        assert_eq!(of(b"hello\r\n"), ForeignOctets::Text);
        assert_eq!(of(&[0x80, 0x2e, 1, 3, 1, 0, 0x15]), ForeignOctets::Ssl2);
        assert_eq!(of(&[0xff; 20]), ForeignOctets::Octets);
    }
}
