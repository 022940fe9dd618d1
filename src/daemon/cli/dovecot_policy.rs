//! dovecot_policy - what Dovecot's config must say so that it asks Gatepost, for 2.3 and for 2.4
//!
//! `setup` writes it, `doctor` compares it. The attributes of both versions are one table. What is secret stands in a
//! file of its own, which only root reads: other programs read Dovecot's config too, as other users.
//! Not here: what is done with the answers (`auth_policy`).
//! Dovecot's auth_policy_* settings; 2.4 has a block of attributes and other names for variables.

use std::fmt::Write;
use std::io::{self, Read, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use crate::auth_policy::{AuthPolicySettings, SECRET_HEADER};

/// Which language Dovecot's config is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum DovecotVersion {
    /// 2.3 and before.
    Two3,
    /// 2.4 and later.
    Two4,
}

impl DovecotVersion {
    /// Of what `dovecot --version` says.
    pub(in crate::cli) fn of(said: &str) -> Self {
        let mut numbers = said.split(['.', ' ']).map(|number| number.parse::<u32>());
        match (numbers.next(), numbers.next()) {
            (Some(Ok(2)), Some(Ok(minor))) if minor < 4 => Self::Two3,
            _ => Self::Two4,
        }
    }
}

/// What Dovecot tells of an attempt: our name, 2.3's variable, 2.4's. Empty: it has none.
const ATTRIBUTES: [(&str, &str, &str); 9] = [
    ("login", "%{requested_username}", "%{requested_username}"),
    ("orig", "%{orig_user}", "%{original_user}"),
    ("pwhash", "%{hashed_password}", "%{hashed_password}"),
    ("remote", "%{rip}", "%{remote_ip}"),
    ("device_id", "%{client_id}", "%{client_id}"),
    ("protocol", "%s", "%{protocol}"),
    ("session_id", "%{session}", "%{session}"),
    ("mech", "%m", "%{mechanism}"),
    ("fail_type", "", "%{fail_type}"),
];

/// The settings that everybody may read, and the line that includes the others from `secrets`.
pub(in crate::cli) fn settings(
    policy: &AuthPolicySettings,
    version: DovecotVersion,
    secrets: &Path,
) -> String {
    let url = url(policy);
    let attributes = attributes(version);
    format!(
        "# Dovecot asks Gatepost before it checks a password: [auth-policy] in gatepost.toml.\n\
         auth_policy_server_url = {url}\n\
         auth_policy_hash_truncate = 0\n\
         # Once a login: should Gatepost be away, it waits for one answer only.\n\
         auth_policy_check_after_auth = no\n\
         {attributes}\n\
         # What Dovecot proves itself with is for root only.\n\
         !include_try {}\n",
        secrets.display()
    )
}

/// The settings that nobody else may read.
pub(in crate::cli) fn secrets(policy: &AuthPolicySettings) -> String {
    let (secret, nonce) = (policy.secret.expose(), policy.nonce.expose());
    format!(
        "# Written by `gatepost setup`: secret and nonce of [auth-policy] in gatepost.toml.\n\
         auth_policy_server_api_header = {SECRET_HEADER}: {secret}\n\
         auth_policy_hash_nonce = {nonce}\n"
    )
}

fn url(policy: &AuthPolicySettings) -> String {
    format!("http://{}/", policy.listen)
}

fn attributes(version: DovecotVersion) -> String {
    let mut text = String::from("auth_policy_request_attributes =");
    for (name, old, new) in ATTRIBUTES {
        // Writing to a text cannot fail.
        let _ = match version {
            DovecotVersion::Two3 if old.is_empty() => Ok(()),
            DovecotVersion::Two3 => write!(text, " {name}={old}"),
            DovecotVersion::Two4 => write!(text, "\n  {name} = {new}"),
        };
    }
    match version {
        DovecotVersion::Two3 => text,
        DovecotVersion::Two4 => text.replacen('=', "{", 1) + "\n}",
    }
}

/// A setting in the block that doveconf of 2.4 prints; of a block within it all lines. None: it has its default.
pub(in crate::cli) fn in_block(block: &str, name: &str) -> Option<String> {
    let name = name.strip_prefix("auth_policy_")?;
    let after = |line: &str| Some(line.trim().strip_prefix(name)?.trim().to_owned());
    let mut lines = block.lines().skip_while(|line| {
        let rest = after(line);
        !rest.is_some_and(|rest| rest.starts_with('=') || rest.starts_with('{'))
    });
    let rest = after(lines.next()?)?;
    if let Some(value) = rest.strip_prefix('=') {
        return Some(value.trim().to_owned());
    }
    let inner = lines.map(str::trim).take_while(|line| *line != "}");
    Some(inner.collect::<Vec<_>>().join(" "))
}

/// What is wrong with the settings that doveconf tells, which `setting` reads; none: they are as `setup` writes them.
pub(in crate::cli) fn fault(
    policy: &AuthPolicySettings,
    setting: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    let says = |name: &str| setting(name).unwrap_or_default();
    let asked = says("auth_policy_server_url");
    if !asked.starts_with(url(policy).trim_end_matches('/')) {
        let where_to = if asked.is_empty() { "nobody" } else { &asked };
        return Some(format!(
            "it asks {where_to}, not Gatepost at {}",
            url(policy)
        ));
    }
    if says("auth_policy_hash_nonce") != policy.nonce.expose() {
        return Some("its auth_policy_hash_nonce is not the nonce of [auth-policy]".to_owned());
    }
    if says("auth_policy_hash_truncate") != "0" {
        let message =
            "it cuts the hash of a password off: no password is known again at another door";
        return Some(message.to_owned());
    }
    for (on, what) in [
        (
            "auth_policy_check_before_auth",
            "before it checks a password",
        ),
        ("auth_policy_report_after_auth", "and tells what came of it"),
    ] {
        if says(on) == "no" {
            return Some(format!("{on} is off: it must ask {what}"));
        }
    }
    if says("auth_policy_log_only") == "yes" {
        return Some(
            "auth_policy_log_only is on: it checks passwords whatever Gatepost says".to_owned(),
        );
    }
    let told = says("auth_policy_request_attributes");
    let is_missing = |name: &&str| !told.contains(name);
    let missing = ["orig", "pwhash", "remote", "protocol", "session"]
        .into_iter()
        .find(is_missing);
    missing.map(|name| format!("auth_policy_request_attributes has no {name}"))
}

/// Asks the door as Dovecot would, with the header from its settings: the status of the answer. It is a report about
/// nothing, so that nothing is judged.
///
/// # Errors
///
/// Nobody answers there, or not in HTTP.
pub(in crate::cli) fn ask(policy: &AuthPolicySettings, header: &str) -> io::Result<u16> {
    const PATIENCE: Duration = Duration::from_secs(2);
    let mut stream = TcpStream::connect_timeout(&policy.listen, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let header = header.replace(['\r', '\n'], "");
    let request = format!(
        "POST /?command=report HTTP/1.1\r\nHost: {}\r\n{header}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]",
        policy.listen
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    let status = text
        .strip_prefix("HTTP/1.1 ")
        .and_then(|status| status.parse().ok());
    status.ok_or_else(|| io::Error::other("the answer is no HTTP"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth_policy::PolicySecret;
    use gatepost_core::gate::request::doors::PolicyNonce;

    fn policy() -> AuthPolicySettings {
        AuthPolicySettings {
            listen: "127.0.0.1:4001".parse().unwrap(),
            secret: PolicySecret::new("0123456789abcdef"),
            nonce: PolicyNonce::new("fedcba9876543210"),
        }
    }

    #[test]
    fn both_versions_are_told_apart() {
        assert_eq!(
            DovecotVersion::of("2.3.19.1 (9b53102964)"),
            DovecotVersion::Two3
        );
        assert_eq!(
            DovecotVersion::of("2.4.1-4 (7d8c0e5759)"),
            DovecotVersion::Two4
        );
        assert_eq!(DovecotVersion::of("3.0.0"), DovecotVersion::Two4);
    }

    #[test]
    fn each_version_has_its_own_words_and_no_secret_where_all_may_read() {
        let path = Path::new("/etc/dovecot/gatepost-policy.conf.ext");
        let old = settings(&policy(), DovecotVersion::Two3, path);
        assert!(old.contains(
            "auth_policy_request_attributes = login=%{requested_username} orig=%{orig_user} pwhash=%{hashed_password} \
             remote=%{rip} device_id=%{client_id} protocol=%s session_id=%{session} mech=%m\n"
        ), "{old}");
        let new = settings(&policy(), DovecotVersion::Two4, path);
        assert!(
            new.contains("auth_policy_request_attributes {\n  login = %{requested_username}\n"),
            "{new}"
        );
        assert!(new.contains("  fail_type = %{fail_type}\n}\n"), "{new}");
        for text in [old, new] {
            assert!(
                !text.contains("0123456789") && !text.contains("fedcba"),
                "{text}"
            );
            assert!(text.contains("auth_policy_server_url = http://127.0.0.1:4001/\n"));
        }
    }

    /// As doveconf 2.4.1 prints it.
    const BLOCK: &str = "auth_policy {
  check_after_auth = no
  hash_nonce = fedcba9876543210
  hash_truncate = 0
  request_attributes {
    login = %{requested_username}
    orig = %{original_user}
    protocol = %{protocol}
    pwhash = %{hashed_password}
    remote = %{remote_ip}
    session_id = %{session}
  }
  server_api_header = x-api-key: 0123456789abcdef
  server_url = http://127.0.0.1:4001/
  http_client_max_idle_time = 10s
}
";

    #[test]
    fn the_settings_of_2_4_are_read_out_of_its_block() {
        let told =
            |block: &'static str| move |name: &str| Some(in_block(block, name).unwrap_or_default());
        assert_eq!(fault(&policy(), told(BLOCK)), None);
        let header = in_block(BLOCK, "auth_policy_server_api_header");
        assert_eq!(header.as_deref(), Some("x-api-key: 0123456789abcdef"));
        assert_eq!(in_block(BLOCK, "auth_policy_check_before_auth"), None);
        let nothing = "auth_policy {\n  request_attributes =\n}\n";
        assert!(
            fault(&policy(), told(nothing))
                .unwrap()
                .contains("asks nobody")
        );
    }

    #[test]
    fn each_setting_that_is_missing_or_wrong_is_named() {
        let right = |name: &str| match name {
            "auth_policy_server_url" => "http://127.0.0.1:4001/".to_owned(),
            "auth_policy_hash_nonce" => "fedcba9876543210".to_owned(),
            "auth_policy_hash_truncate" => "0".to_owned(),
            "auth_policy_request_attributes" => attributes(DovecotVersion::Two3),
            "auth_policy_log_only" => "no".to_owned(),
            _ => "yes".to_owned(),
        };
        assert_eq!(fault(&policy(), |name| Some(right(name))), None);
        for (name, value, told) in [
            ("auth_policy_server_url", "", "asks nobody"),
            ("auth_policy_server_url", "http://127.0.0.1:8084/", "8084"),
            ("auth_policy_hash_nonce", "other", "nonce"),
            ("auth_policy_hash_truncate", "12", "cuts"),
            ("auth_policy_check_before_auth", "no", "check_before"),
            ("auth_policy_report_after_auth", "no", "report_after"),
            ("auth_policy_log_only", "yes", "log_only"),
            ("auth_policy_request_attributes", "login=%u", "orig"),
        ] {
            let said = |asked: &str| {
                Some(if asked == name {
                    value.to_owned()
                } else {
                    right(asked)
                })
            };
            let found = fault(&policy(), said).unwrap();
            assert!(found.contains(told), "{found}");
        }
    }
}
