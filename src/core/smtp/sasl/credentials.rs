//! credentials - parses and renders the mechanisms that show user and password or token
//!
//! Not here: SCRAM and CRAM-MD5, which show a user name only (`names`).
//! An authzid is relayed and never counted: a client that acts as another user still proves the
//! password of the authcid.
//! RFC 4616, RFC 7628, draft-murchison-sasl-login; XOAUTH2 as Google documents it.

use std::fmt;

use crate::smtp::sasl::names::{SOH, escape, gs2_header, unescape, user_name};
use crate::smtp::sasl::{Mechanism, Password, SaslFault, Secret, UserName};

/// The client's answer to a challenge that only explains why an OAuth token failed, decoded. RFC 7628
/// section 3.2.3.
pub const OAUTH_DISMISSAL: &[u8] = b"\x01";

/// What says that an OAuth token is wrong where Postfix is not asked again, decoded. RFC 7628 section 3.2.2, in
/// Dovecot's words.
pub const OAUTH_WRONG: &[u8] = br#"{"status":"401","schemes":"bearer","scope":"mail"}"#;

/// The content of a mechanism that shows the password: enough to run the same mechanism with Postfix.
#[derive(Clone)]
pub struct Credentials {
    /// The mechanism that the client used; Postfix gets the same.
    pub mechanism: Mechanism,
    /// The user to act as; empty for the authcid itself. PLAIN only.
    pub authzid: Box<[u8]>,
    /// The authcid; never empty, without NUL and 0x01.
    pub user: UserName,
    /// The password, or the token without `Bearer`.
    pub secret: Secret,
}

impl Credentials {
    /// From the one message of PLAIN. RFC 4616.
    ///
    /// # Errors
    /// [`SaslFault::Malformed`] unless it holds exactly two NULs, [`SaslFault::NoUser`].
    pub fn from_plain(message: &[u8]) -> Result<Self, SaslFault> {
        let mut parts = message.split(|&octet| octet == 0);
        let (Some(authzid), Some(user), Some(password), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(SaslFault::Malformed);
        };
        Ok(Self {
            mechanism: Mechanism::Plain,
            authzid: authzid.into(),
            user: user_name(user)?,
            secret: Secret::new(password.to_vec()),
        })
    }

    /// From the second message of LOGIN; the first gave `user` ([`super::login_user`]).
    ///
    /// # Errors
    /// [`SaslFault::Malformed`] if the password holds a NUL.
    pub fn from_login(user: UserName, password: Secret) -> Result<Self, SaslFault> {
        if password.expose().contains(&0) {
            return Err(SaslFault::Malformed);
        }
        Ok(Self {
            mechanism: Mechanism::Login,
            authzid: Box::default(),
            user,
            secret: password,
        })
    }

    /// From the first message of XOAUTH2: `user=NAME ^A auth=Bearer TOKEN ^A ^A`, without the spaces. The fields
    /// may stand in any order, and others among them; what is behind the last one may be missing.
    ///
    /// # Errors
    /// [`SaslFault::Malformed`] unless there is one of each, [`SaslFault::NoUser`].
    pub fn from_xoauth2(message: &[u8]) -> Result<Self, SaslFault> {
        Ok(Self {
            mechanism: Mechanism::XOAuth2,
            authzid: Box::default(),
            user: user_name(the_field(message, b"user=")?)?,
            secret: bearer(the_field(message, b"auth=")?).ok_or(SaslFault::Malformed)?,
        })
    }

    /// From the first message of OAUTHBEARER. The name in the GS2 header is the user; `host`, `port`
    /// and the like are accepted and not relayed. RFC 7628 section 3.1.
    ///
    /// # Errors
    /// [`SaslFault::ChannelBinding`], [`SaslFault::NoUser`], [`SaslFault::Malformed`].
    pub fn from_oauthbearer(message: &[u8]) -> Result<Self, SaslFault> {
        let (authzid, rest) = gs2_header(message)?;
        let user = user_name(&unescape(authzid)?)?;
        let fields = rest.strip_prefix(&[SOH]).ok_or(SaslFault::Malformed)?;
        let token = the_field(fields, b"auth=")?;
        Ok(Self {
            mechanism: Mechanism::OAuthBearer,
            authzid: Box::default(),
            user,
            secret: bearer(token).ok_or(SaslFault::Malformed)?,
        })
    }

    /// The messages that log in with these at Postfix, decoded, in order: two for LOGIN, else one.
    ///
    /// The OAuth mechanisms may answer with a challenge that explains a failure; the client
    /// answers that with [`OAUTH_DISMISSAL`].
    pub fn client_messages(&self) -> Vec<Secret> {
        let user = self.user.as_bytes();
        let secret = self.secret.expose();
        let message = |parts: &[&[u8]]| Secret::new(parts.concat());
        match self.mechanism {
            Mechanism::Login => vec![message(&[user]), message(&[secret])],
            Mechanism::XOAuth2 => {
                let parts = [b"user=", user, b"\x01auth=Bearer ", secret, b"\x01\x01"];
                vec![message(&parts)]
            }
            Mechanism::OAuthBearer => {
                let user = escape(user);
                let parts = [
                    b"n,a=",
                    user.as_slice(),
                    b",\x01auth=Bearer ",
                    secret,
                    b"\x01\x01",
                ];
                vec![message(&parts)]
            }
            _ => vec![message(&[&self.authzid, b"\0", user, b"\0", secret])],
        }
    }

    /// The password, in the form in which the gate compares attempts.
    pub const fn password(&self) -> Password<'_> {
        match self.mechanism {
            Mechanism::XOAuth2 | Mechanism::OAuthBearer => Password::Token(&self.secret),
            _ => Password::Shown(&self.secret),
        }
    }
}

/// Shows mechanism and user only.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({} {})", self.mechanism, self.user)
    }
}

/// The value of the one field with this name.
fn the_field<'a>(message: &'a [u8], name: &[u8]) -> Result<&'a [u8], SaslFault> {
    let fields = message.split(|&octet| octet == SOH);
    let mut values = fields.filter_map(|field| field.strip_prefix(name));
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value),
        _ => Err(SaslFault::Malformed),
    }
}

/// The token after `Bearer `, without the spaces around it.
fn bearer(field: &[u8]) -> Option<Secret> {
    const SCHEME: &[u8] = b"Bearer ";
    let (scheme, token) = field.split_at_checked(SCHEME.len())?;
    let token = token.trim_ascii();
    let valid = scheme.eq_ignore_ascii_case(SCHEME)
        && !token.is_empty()
        && token.iter().all(u8::is_ascii_graphic);
    valid.then(|| Secret::new(token.to_vec()))
}
