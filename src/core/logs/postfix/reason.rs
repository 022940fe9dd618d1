//! reason - why smtpd says that a login failed: a wrong password, an outage, or no password at all
//!
//! Not here: the line around it (`postfix`).
//!
//! smtpd copies the text of its SASL library, or what Dovecot answers. The tables hold every text of those
//! sources that is no wrong password; what they do not hold is one, since Dovecot's databases choose their own words.
//! src/xsasl/xsasl_dovecot_server.c and xsasl_cyrus_server.c of Postfix; lib/common.c (`sasl_errstring`) of Cyrus SASL;
//! src/auth/auth-request-handler.c of Dovecot.

use crate::gate::request::attempt::AuthOutcome;

/// The password service did not work: nobody knows whether the password was right.
const OUTAGES: [&[u8]; 17] = [
    b"Connection lost to authentication server",
    b"Can't connect to authentication server",
    b"Authentication backend error",
    b"Temporary authentication",
    b"Authentication request timed out",
    b"Internal authentication failure",
    b"Internal error occurred",
    b"generic failure",
    b"no memory available",
    b"transient failure",
    b"remote authentication server unavailable",
    b"overflowed buffer",
    b"SASL library is not initialized",
    b"error when parsing configuration file",
    b"version mismatch with plug-in",
    b"undefined error!",
    b"temporary failure",
];

/// The exchange ended before a password was tried.
const NO_PASSWORD: [&[u8]; 21] = [
    b"Invalid authentication mechanism",
    b"Invalid base64 data",
    b"Unsupported authentication mechanism",
    b"Authentication mechanism not supported",
    b"Unexpected continuation",
    b"Cleartext authentication disallowed",
    b"Plaintext authentication disallowed",
    b"Client didn't present valid SSL certificate",
    b"SSL certificate didn't contain username",
    b"Authentication aborted",
    b"no mechanism available",
    b"encryption needed to use mechanism",
    b"mechanism doesn't support requested feature",
    b"bad protocol / cancel",
    b"can't request information until later in exchange",
    b"invalid parameter supplied",
    b"another step is needed in authentication",
    b"One time use of a plaintext password will enable",
    b"channel binding failure",
    b"needs user interaction",
    b"server failed mutual authentication step",
];

/// What `reason` says of the password. `None`: none was tried.
pub(super) fn outcome(reason: &[u8]) -> Option<AuthOutcome> {
    let begins = |texts: &[&[u8]]| texts.iter().any(|text| reason.starts_with(text));
    if begins(&NO_PASSWORD) {
        None
    } else if begins(&OUTAGES) {
        Some(AuthOutcome::Defer)
    } else {
        Some(AuthOutcome::Reject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_passwords_outages_and_broken_exchanges_are_told_apart() {
        let (reject, defer) = (Some(AuthOutcome::Reject), Some(AuthOutcome::Defer));
        for (reason, expected) in [
            ("", reject),
            ("UGFzc3dvcmQ6", reject),
            ("(reason unavailable)", reject),
            ("authentication failure", reject),
            ("user not found", reject),
            ("account disabled", reject),
            ("passphrase expired, has to be reset", reject),
            ("user exists, but no verifier for user", reject),
            ("Connection lost to authentication server", defer),
            ("Can't connect to authentication server", defer),
            ("Authentication backend error", defer),
            ("Temporary authentication failure. [mx:2026-11-24]", defer),
            ("generic failure", defer),
            ("transient failure (e.g., weak key)", defer),
            ("remote authentication server unavailable", defer),
            ("Invalid authentication mechanism: 'X'", None),
            ("Invalid base64 data in continued response", None),
            ("encryption needed to use mechanism", None),
            ("no mechanism available", None),
            ("bad protocol / cancel", None),
        ] {
            assert_eq!(outcome(reason.as_bytes()), expected, "{reason}");
        }
    }
}
