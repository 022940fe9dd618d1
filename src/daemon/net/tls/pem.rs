//! pem - reads PEM files of certificates and keys, and names what is wrong with them, with the cure
//!
//! What comes out of other people's tools: a byte order mark, two blocks without a line break between them, a key with a
//! passphrase, DER or PKCS#12 under the name of PEM. What can be read is read; everything else is named, with what turns it
//! into what is wanted.
//! Not here: what the certificates say, and whether the key fits (`certificate`).
//! Only `read_pem` uses the PEM crate. RFC 7468, RFC 1421 section 4.6 (`Proc-Type`), RFC 7292.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls_pemfile::Item;
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

use crate::files;

/// The longest PEM file that is read, in octets.
const LONGEST_FILE: u64 = 1 << 20;

/// What is wrong with a file, and behind the first semicolon what would be right.
#[derive(Debug, thiserror::Error)]
pub enum FileProblem {
    /// There is none.
    #[error(
        "does not exist; write the path of the file, such as /etc/gatepost/tls/fullchain.pem and privkey.pem (`gatepost setup` copies the ones of certbot or Postfix there)"
    )]
    Missing,
    /// The user may not read it.
    #[error(
        "cannot be read ({0}); it and the folders above it must be readable for the user that gatepost starts as"
    )]
    Forbidden(io::Error),
    /// A directory, a FIFO, a device.
    #[error("cannot be read ({0}); write the path of a PEM file")]
    NotAFile(io::Error),
    /// The disk or something else failed.
    #[error("cannot be read ({0}); look at the disk or the mount that it is on")]
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
    #[error("is encrypted with a passphrase; store it without one, readable only by root: openssl pkey -in {} -out NEW", .0.display())]
    EncryptedKey(PathBuf),
    /// Not PEM, or PEM of something else.
    #[error("{}", .0.told(.1))]
    OtherForm(FileForm, PathBuf),
    /// A type of key that we cannot sign with.
    #[error(
        "holds a key that cannot be used ({0}); use ECDSA P-256 or P-384, Ed25519, or RSA of 2048 bits or more"
    )]
    UnusableKey(String),
    /// A certificate of version 1, or 2.
    #[error(
        "holds a certificate of X.509 version {0}, which programs refuse and which names no server; have it issued as version 3, with your hostname in subjectAltName"
    )]
    OldVersion(u32),
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

impl From<io::Error> for FileProblem {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::FileTooLarge => Self::TooLong,
            ErrorKind::NotFound => Self::Missing,
            ErrorKind::PermissionDenied => Self::Forbidden(error),
            ErrorKind::InvalidInput | ErrorKind::IsADirectory | ErrorKind::NotADirectory => {
                Self::NotAFile(error)
            }
            // A socket cannot be opened.
            _ if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
                Self::NotAFile(error)
            }
            _ => Self::Unreadable(error),
        }
    }
}

/// A form in which certificates and keys are kept, and not the one that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileForm {
    /// One certificate in DER.
    DerCertificate,
    /// One key in DER.
    DerKey,
    /// PKCS#12: `.p12`, `.pfx`.
    Pkcs12,
    /// PKCS#7: `.p7b`.
    Pkcs7,
    /// A request for a certificate.
    Request,
    /// A public key.
    PublicKey,
    /// OpenSSL's own, with its trust in it.
    Trusted,
    /// Text in UTF-16.
    Utf16,
}

impl FileForm {
    /// The form of a file without a PEM block that is wanted.
    fn of(octets: &[u8]) -> Option<Self> {
        let has = |mark: &str| contains(octets, mark.as_bytes());
        match octets {
            [0xff, 0xfe, ..]
            | [0xfe, 0xff, ..]
            | [b'-', 0, b'-', 0, ..]
            | [0, b'-', 0, b'-', ..] => Some(Self::Utf16),
            // SEQUENCE, then the version: 3 in PKCS#12, 0 or 1 in keys.
            [0x30, 0x82, _, _, 2, 1, 3, ..] => Some(Self::Pkcs12),
            [0x30, 0x82, _, _, 2, 1, 0 | 1, ..]
            | [0x30, 0x81, _, 2, 1, 0 | 1, ..]
            | [0x30, _, 2, 1, 0 | 1, ..] => Some(Self::DerKey),
            [0x30, ..] if X509Certificate::from_der(octets).is_ok() => Some(Self::DerCertificate),
            // SEQUENCE, then the object identifier of PKCS#7.
            [0x30, 0x82, _, _, 6, 9, ..] => Some(Self::Pkcs7),
            _ if has("BEGIN PKCS7") || has("BEGIN CMS") => Some(Self::Pkcs7),
            _ if has("CERTIFICATE REQUEST-----") => Some(Self::Request),
            _ if has("BEGIN TRUSTED CERTIFICATE") => Some(Self::Trusted),
            _ if has("PUBLIC KEY-----") => Some(Self::PublicKey),
            // Without a mark, or behind another one, and with something else before the first block.
            _ if has("\0B\0E\0G\0I\0N") => Some(Self::Utf16),
            _ => None,
        }
    }

    fn told(self, path: &Path) -> String {
        let path = path.display();
        match self {
            Self::DerCertificate => format!(
                "is a certificate in DER, not PEM; convert it: openssl x509 -inform der -in {path} -out chain.pem, and add the intermediate"
            ),
            Self::DerKey => format!(
                "is a key in DER, not PEM; convert it: openssl pkey -inform der -in {path} -out key.pem"
            ),
            Self::Pkcs12 => format!(
                "is PKCS#12, not PEM; convert it: openssl pkcs12 -in {path} -nokeys -out chain.pem, and -nocerts -noenc -out key.pem"
            ),
            Self::Pkcs7 => format!(
                "is PKCS#7, not PEM with certificates; convert it: openssl pkcs7 -print_certs -in {path} -out chain.pem (with -inform der if it is binary)"
            ),
            Self::Request => {
                "is a request for a certificate (CSR); use what the authority issued for it"
                    .to_owned()
            }
            Self::PublicKey => {
                "holds a public key and no private key; use the private one, often privkey.pem"
                    .to_owned()
            }
            Self::Trusted => format!(
                "holds OpenSSL's TRUSTED CERTIFICATE; convert it: openssl x509 -in {path} -out chain.pem"
            ),
            Self::Utf16 => "is text in UTF-16, by its byte order mark or its letters; save it in UTF-8 or ASCII".to_owned(),
        }
    }
}

/// The parts of a PEM file that are used.
struct Pem {
    certificates: Vec<CertificateDer<'static>>,
    key: Option<PrivateKeyDer<'static>>,
    /// A key with a passphrase is in it.
    encrypted: bool,
    /// What it is if nothing that is wanted is in it.
    form: Option<FileForm>,
}

/// The certificates in a file, in their order.
///
/// # Errors
/// What is wrong with the file.
pub fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, FileProblem> {
    let pem = read_pem(path)?;
    match (pem.certificates.is_empty(), pem.key, pem.form) {
        (false, ..) => Ok(pem.certificates),
        (true, Some(_), _) => Err(FileProblem::KeyAsChain),
        (true, None, Some(form)) if form != FileForm::DerKey => {
            Err(FileProblem::OtherForm(form, path.to_owned()))
        }
        (true, None, Some(_)) => Err(FileProblem::KeyAsChain),
        (true, None, None) if pem.encrypted => Err(FileProblem::KeyAsChain),
        (true, None, None) => Err(FileProblem::NoCertificate),
    }
}

/// The first private key in a file.
///
/// # Errors
/// What is wrong with the file.
pub(super) fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, FileProblem> {
    let pem = read_pem(path)?;
    // An encrypted PKCS#1 or SEC 1 key has the label of an unencrypted one; its header says that it is encrypted.
    if pem.encrypted {
        return Err(FileProblem::EncryptedKey(path.to_owned()));
    }
    match (pem.key, pem.form) {
        (Some(key), _) => Ok(key),
        (None, _) if !pem.certificates.is_empty() => Err(FileProblem::ChainAsKey),
        (None, Some(FileForm::DerCertificate)) => Err(FileProblem::ChainAsKey),
        (None, Some(form)) => Err(FileProblem::OtherForm(form, path.to_owned())),
        (None, None) => Err(FileProblem::NoKey),
    }
}

fn read_pem(path: &Path) -> Result<Pem, FileProblem> {
    let text = Zeroizing::new(files::read(path, LONGEST_FILE)?);
    let mut pem = Pem {
        certificates: Vec::new(),
        key: None,
        encrypted: contains(&text, b"ENCRYPTED"),
        form: FileForm::of(&text),
    };
    let blocks = with_line_breaks(&text);
    for item in rustls_pemfile::read_all(&mut blocks.as_slice()) {
        let key = match item {
            Ok(Item::X509Certificate(certificate)) => {
                pem.certificates.push(certificate);
                continue;
            }
            Ok(Item::Pkcs8Key(key)) => key.into(),
            Ok(Item::Pkcs1Key(key)) => key.into(),
            Ok(Item::Sec1Key(key)) => key.into(),
            // The header of an encrypted key is no base64.
            Err(_) if pem.encrypted => continue,
            Err(error) => return Err(FileProblem::BadPem(error.to_string())),
            Ok(_) => continue,
        };
        pem.key.get_or_insert(key);
    }
    Ok(pem)
}

/// The text with each block on lines of its own: files that were put together may have a byte order mark or the end of the block
/// before in front of a block, and the block would be passed over.
fn with_line_breaks(text: &[u8]) -> Zeroizing<Vec<u8>> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    // Never grown: what is left behind would not be wiped.
    let mut broken = Zeroizing::new(Vec::with_capacity(text.len() * 2));
    let mut rest = text;
    while let Some(at) = rest.windows(BEGIN.len()).position(|part| part == BEGIN) {
        let (before, block) = rest.split_at(at);
        let before = without_marks(before);
        broken.extend_from_slice(before);
        if before.ends_with(b"-----") {
            broken.push(b'\n');
        }
        let (begin, behind) = block.split_at(BEGIN.len());
        broken.extend_from_slice(begin);
        rest = behind;
    }
    broken.extend_from_slice(rest);
    broken
}

/// What stands before a block, without byte order marks (of UTF-8, and of UTF-16 before text that is not) and blanks at its end.
fn without_marks(mut before: &[u8]) -> &[u8] {
    const MARKS: [&[u8]; 5] = [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b" ", b"\t"];
    while let Some(rest) = MARKS.iter().find_map(|mark| before.strip_suffix(*mark)) {
        before = rest;
    }
    before
}

fn contains(octets: &[u8], mark: &[u8]) -> bool {
    octets.windows(mark.len()).any(|part| part == mark)
}
