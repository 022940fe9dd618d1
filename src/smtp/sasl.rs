//! sasl - mechanisms and what they carry

/// A SASL mechanism that Gatepost can pass on.
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
