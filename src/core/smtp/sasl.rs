//! sasl - mechanisms, strict base64, and the user that an AUTH exchange names
//!
//! What is sent to Postfix is rendered from what was parsed, so the gate counts the name that Dovecot checks. A
//! message with two readings is refused all the same: what Dovecot refuses cannot be let in, and what it takes has one.
//! Here: mechanisms and base64; in `credentials`, the mechanisms that show the password; in `names`, the
//! user names of the others. Not here: the order of prompts and answers (`dialogue`), checking a
//! password (Postfix and Dovecot).
//! -PLUS and EXTERNAL are left out on purpose: a proxy that terminates TLS cannot bind to the channel.
//! RFC 4422, RFC 4648, RFC 4954 section 4.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, PAD, STANDARD};
use zeroize::Zeroizing;

pub use crate::gate::request::attempt::{Password, Secret, UserName};
pub use credentials::{Credentials, OAUTH_DISMISSAL, OAUTH_WRONG};
pub use names::{cram_user, login_user, scram_user};

mod credentials;
mod names;

/// A SASL mechanism that Gatepost can relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// draft-murchison-sasl-login.
    Login,
    /// Google's and Microsoft's XOAUTH2.
    XOAuth2,
    /// RFC 7628.
    OAuthBearer,
    /// RFC 5802.
    ScramSha1,
    /// RFC 7677.
    ScramSha256,
    /// RFC 2195.
    CramMd5,
}

/// The initial response of an AUTH command, undecoded: base64, or `=` for an empty one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InitialResponse<'a>(pub &'a [u8]);

/// Why a client's message cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SaslFault {
    /// Not base64, or not padded.
    #[error("cannot decode base64")]
    Base64,
    /// Not in the form that the mechanism requires, or ambiguous.
    #[error("malformed authentication message")]
    Malformed,
    /// Without a user name.
    #[error("no user name given")]
    NoUser,
    /// It asks for a binding to the TLS channel, which ends here.
    #[error("channel binding is not possible here")]
    ChannelBinding,
}

/// Not a mechanism that Gatepost can relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown mechanism: one of PLAIN, LOGIN, XOAUTH2, OAUTHBEARER, SCRAM-SHA-1, SCRAM-SHA-256, CRAM-MD5"
)]
pub struct UnknownMechanism;

impl Mechanism {
    /// Every mechanism.
    pub const ALL: [Self; 7] = [
        Self::Plain,
        Self::Login,
        Self::XOAuth2,
        Self::OAuthBearer,
        Self::ScramSha1,
        Self::ScramSha256,
        Self::CramMd5,
    ];

    /// The registered name. IANA, SASL mechanisms.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::XOAuth2 => "XOAUTH2",
            Self::OAuthBearer => "OAUTHBEARER",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::CramMd5 => "CRAM-MD5",
        }
    }

    /// Whether the client sends a token in place of a password.
    pub const fn shows_token(self) -> bool {
        matches!(self, Self::XOAuth2 | Self::OAuthBearer)
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Parses a registered name, in either case.
impl FromStr for Mechanism {
    type Err = UnknownMechanism;

    fn from_str(name: &str) -> Result<Self, UnknownMechanism> {
        Self::ALL
            .into_iter()
            .find(|mechanism| mechanism.as_str().eq_ignore_ascii_case(name))
            .ok_or(UnknownMechanism)
    }
}

impl InitialResponse<'_> {
    /// The decoded octets. RFC 4954 section 4.
    ///
    /// # Errors
    /// [`SaslFault::Base64`].
    pub fn decode(self) -> Result<Secret, SaslFault> {
        match self.0 {
            b"=" => Ok(Secret::new(Vec::new())),
            text => decode(text),
        }
    }
}

impl fmt::Debug for InitialResponse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InitialResponse(..)")
    }
}

/// The base64 text of `octets`.
pub fn encode(octets: &[u8]) -> Secret {
    let mut text = Zeroizing::new(vec![0; octets.len().div_ceil(3) * 4]);
    let length = STANDARD.encode_slice(octets, &mut text).unwrap_or(0);
    text.truncate(length);
    Secret::new(std::mem::take(&mut *text))
}

/// Spare bits behind the last octet are passed over, as Dovecot does.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    PAD.with_decode_allow_trailing_bits(true),
);

/// The octets of a base64 text: padded, no other characters. The empty text gives no octets.
///
/// # Errors
/// [`SaslFault::Base64`].
pub fn decode(text: &[u8]) -> Result<Secret, SaslFault> {
    let mut octets = Zeroizing::new(vec![0; text.len().div_ceil(4) * 3]);
    let length = LENIENT
        .decode_slice(text, &mut octets)
        .map_err(|_| SaslFault::Base64)?;
    octets.truncate(length);
    Ok(Secret::new(std::mem::take(&mut *octets)))
}

#[cfg(test)]
mod tests;
