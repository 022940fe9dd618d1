//! auth_policy - the section `[auth-policy]`: where Dovecot asks, and by which secrets
//!
//! Not here: what is answered (`crate::auth_policy`), what Dovecot's own config must say (`cli::setup`).

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use toml::Spanned;

use super::claims::{ClaimedPlace, Claims};
use super::finding::{Findings, Remark};
use super::raw;
use super::value::Given;
use crate::auth_policy::{AuthPolicySettings, PolicySecret};
use crate::net::upstream::Announce;
use gatepost_core::gate::request::doors::PolicyNonce;

/// Fewer characters can be tried out.
const SHORTEST: usize = 16;

const MAKE_ONE: &str = "make one with: openssl rand -hex 16";

/// The door; none where it is not wanted, or refused.
pub(super) fn read(
    file: &raw::RawFile,
    claims: &mut Claims,
    findings: &mut Findings,
) -> Option<AuthPolicySettings> {
    let given = &file.auth_policy;
    let listen = given
        .listen
        .as_ref()
        .filter(|listen| !listen.get_ref().is_empty())?;
    let Ok(address) = listen.get_ref().parse::<SocketAddr>() else {
        let remark = Remark::at(listen.span(), "expected an address and port in quotes");
        findings.refuse(remark.help("for example \"127.0.0.1:4001\""));
        return None;
    };
    let place = ClaimedPlace::Listen(address);
    claims.enter("auth-policy.listen", place, Some(listen.span()));
    if !address.ip().is_loopback() {
        let remark = Remark::at(
            listen.span(),
            "Dovecot's questions come in clear, with hashes of passwords",
        );
        findings
            .warn(remark.help("listen on 127.0.0.1, or in a network that nobody else can read"));
    }
    warn_of_announce(file, listen, findings);
    let secret = secret("secret", &given.secret, listen, findings);
    let nonce = self::secret("nonce", &given.nonce, listen, findings);
    Some(AuthPolicySettings {
        listen: address,
        secret: PolicySecret::new(secret?),
        nonce: PolicyNonce::new(nonce?),
    })
}

/// A text of printable characters without blanks: it stands in a header, and in Dovecot's config.
fn secret(
    name: &str,
    given: &Given<String>,
    listen: &Spanned<String>,
    findings: &mut Findings,
) -> Option<String> {
    let help = format!("{name} = \"...\" with at least {SHORTEST} letters and digits; {MAKE_ONE}");
    let Some(given) = given.as_ref().filter(|given| !given.get_ref().is_empty()) else {
        findings.missing_at(listen.span(), &format!("auth-policy needs a {name}"), &help);
        return None;
    };
    let text = given.get_ref();
    let is_fine = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet);
    if text.len() >= SHORTEST && text.bytes().all(is_fine) {
        return Some(text.clone());
    }
    findings.refuse(
        Remark::at(
            given.span(),
            format!("{name} is too short, or has other characters"),
        )
        .help(help),
    );
    None
}

/// Without an announced client Dovecot takes all who come through us for this machine.
fn warn_of_announce(file: &raw::RawFile, listen: &Spanned<String>, findings: &mut Findings) {
    let announce = file.upstream.announce.as_ref();
    if announce.is_some_and(|given| given.get_ref().0 == Announce::Nothing) {
        let message = "with upstream.announce = \"none\" Dovecot learns no client of what comes through Postfix";
        findings.warn(Remark::at(listen.span(), message).help("announce clients: \"proxy-v2\""));
    }
}

/// Warns of a config file that holds the secrets and that everybody may read.
pub(super) fn warn_readable(file: &raw::RawFile, path: &Path, findings: &mut Findings) {
    let given = file
        .auth_policy
        .secret
        .as_ref()
        .filter(|given| !given.get_ref().is_empty());
    let (Some(given), Ok(about)) = (given, fs::metadata(path)) else {
        return;
    };
    if about.mode() & 0o004 != 0 {
        let message = format!(
            "{} holds this secret, and every user may read it",
            path.display()
        );
        let help = format!("chmod 640 {0} and chgrp gatepost {0}", path.display());
        findings.warn(Remark::at(given.span(), message).help(help));
    }
}
