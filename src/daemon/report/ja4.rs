//! ja4 - the label of a client's TLS program, as log and history have it
//!
//! The same program shows the same label from every address. Nothing is decided by it.
//! Not here: how it is made of a ClientHello (`net::tls::ja4`).
//! FoxIO, "JA4: TLS Client Fingerprinting".

use std::fmt;
use std::str;

/// A label of 36 octets: `t13d1516h2_8daaf6152771_e5627efa2ab1`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ja4([u8; Self::OCTETS]);

impl Ja4 {
    /// Octets of each label.
    pub const OCTETS: usize = 36;

    /// The label of these octets; none if they are no letters, digits and underscores.
    pub fn new(octets: [u8; Self::OCTETS]) -> Option<Self> {
        let is_plain = |octet: &u8| octet.is_ascii_alphanumeric() || *octet == b'_';
        octets.iter().all(is_plain).then_some(Self(octets))
    }

    /// It as text.
    pub fn as_str(&self) -> &str {
        // It is ASCII.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Ja4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Ja4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ja4({self})")
    }
}
