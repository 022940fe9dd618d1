//! names - the user names in the messages of a mechanism
//!
//! Also the GS2 header and the escapes that SCRAM and OAUTHBEARER share. Not here: passwords and tokens
//! (`credentials`); SCRAM and CRAM-MD5 prove a password without showing it.
//! RFC 5801, RFC 5802, RFC 2195.

use crate::smtp::sasl::{SaslFault, UserName};

/// Separates the fields of the OAuth mechanisms.
pub(super) const SOH: u8 = 1;

/// The user in the first message of LOGIN.
///
/// # Errors
/// [`SaslFault::NoUser`], [`SaslFault::Malformed`] if it holds a NUL or 0x01.
pub fn login_user(message: &[u8]) -> Result<UserName, SaslFault> {
    user_name(message)
}

/// The user in SCRAM's client-first-message. RFC 5802 section 7.
///
/// # Errors
/// [`SaslFault::ChannelBinding`] for `p=`; [`SaslFault::Malformed`], also for mandatory extensions;
/// [`SaslFault::NoUser`].
pub fn scram_user(message: &[u8]) -> Result<UserName, SaslFault> {
    let (authzid, bare) = gs2_header(message)?;
    let mut attributes = bare.split(|&octet| octet == b',');
    let (Some(name), Some(nonce)) = (attributes.next(), attributes.next()) else {
        return Err(SaslFault::Malformed);
    };
    let name = name.strip_prefix(b"n=").ok_or(SaslFault::Malformed)?;
    if !nonce.starts_with(b"r=") || message.contains(&0) {
        return Err(SaslFault::Malformed);
    }
    unescape(authzid)?;
    user_name(&unescape(name)?)
}

/// The user in CRAM-MD5's response: everything before the last space. RFC 2195 section 2.
///
/// # Errors
/// [`SaslFault::Malformed`] unless 32 hexadecimal digits follow, [`SaslFault::NoUser`].
pub fn cram_user(response: &[u8]) -> Result<UserName, SaslFault> {
    let space = response.iter().rposition(|&octet| octet == b' ');
    let (name, digest) = space
        .and_then(|space| response.split_at_checked(space))
        .ok_or(SaslFault::Malformed)?;
    let digits = digest.iter().skip(1);
    if digits.len() != 32 || !digits.clone().all(u8::is_ascii_hexdigit) {
        return Err(SaslFault::Malformed);
    }
    user_name(name)
}

/// An unambiguous name: C strings end at a NUL, and 0x01 separates OAuth's fields.
pub(super) fn user_name(octets: &[u8]) -> Result<UserName, SaslFault> {
    if octets.is_empty() {
        return Err(SaslFault::NoUser);
    }
    if octets.contains(&0) || octets.contains(&SOH) {
        return Err(SaslFault::Malformed);
    }
    Ok(UserName::new(octets))
}

/// The escaped authzid (empty if there is none) of a GS2 header, and what follows its second
/// comma. RFC 5801 section 4.
pub(super) fn gs2_header(message: &[u8]) -> Result<(&[u8], &[u8]), SaslFault> {
    let mut parts = message.splitn(3, |&octet| octet == b',');
    let (Some(flag), Some(authzid), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(SaslFault::Malformed);
    };
    match flag {
        b"n" | b"y" => {}
        [b'p', b'=', ..] => return Err(SaslFault::ChannelBinding),
        _ => return Err(SaslFault::Malformed),
    }
    match authzid {
        [] => Ok((authzid, rest)),
        [b'a', b'=', name @ ..] if !name.is_empty() => Ok((name, rest)),
        _ => Err(SaslFault::Malformed),
    }
}

/// A saslname without its escapes: `=2C` is a comma, `=3D` an equals sign, any other `=` a fault.
pub(super) fn unescape(name: &[u8]) -> Result<Vec<u8>, SaslFault> {
    let mut octets = Vec::with_capacity(name.len());
    let mut rest = name;
    loop {
        rest = match rest {
            [] => return Ok(octets),
            [b'=', b'2', b'C', rest @ ..] => {
                octets.push(b',');
                rest
            }
            [b'=', b'3', b'D', rest @ ..] => {
                octets.push(b'=');
                rest
            }
            [b'=', ..] => return Err(SaslFault::Malformed),
            [octet, rest @ ..] => {
                octets.push(*octet);
                rest
            }
        };
    }
}

/// The name as a saslname.
pub(super) fn escape(name: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(name.len());
    for &octet in name {
        match octet {
            b',' => escaped.extend_from_slice(b"=2C"),
            b'=' => escaped.extend_from_slice(b"=3D"),
            _ => escaped.push(octet),
        }
    }
    escaped
}
