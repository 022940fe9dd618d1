//! auth_policy - whether Dovecot asks Gatepost, as the config says, and is answered
//!
//! Not here: Dovecot's delays (`dovecot`), what its settings must be (`dovecot_policy`).

use super::diagnosis::Diagnosis;
use crate::cli::dovecot_policy;
use crate::config::Config;
use crate::config::mail_servers::MailServers;

const TOPIC: &str = "auth-policy";
const CURE: &str = "`gatepost setup --apply` writes what Dovecot needs, and restarts it";

/// Nothing where the config has no such door.
pub(super) fn look(config: &Config, servers: &MailServers) -> Vec<Diagnosis> {
    let Some(policy) = &config.auth_policy else {
        return Vec::new();
    };
    let block = block(servers);
    let setting = |name: &str| setting(servers, block.as_deref(), name);
    if setting("auth_policy_server_url").is_none() {
        return vec![Diagnosis::note(
            TOPIC,
            "doveconf does not tell its settings",
        )];
    }
    let mut found = vec![match dovecot_policy::fault(policy, setting) {
        None => Diagnosis::good(TOPIC, "Dovecot asks Gatepost"),
        Some(fault) => Diagnosis::wrong(TOPIC, format!("Dovecot: {fault}"), CURE),
    }];
    let header = setting("auth_policy_server_api_header").unwrap_or_default();
    // As Dovecot sends it.
    let header = match header.contains(':') {
        true => header,
        false => format!("X-API-Key: {header}"),
    };
    found.push(match dovecot_policy::ask(policy, &header) {
        Ok(200) => Diagnosis::good(
            TOPIC,
            format!("{} answers, and Dovecot has the secret", policy.listen),
        ),
        Ok(401) => Diagnosis::wrong(TOPIC, "Dovecot has another secret than gatepost.toml", CURE),
        Ok(status) => {
            let message = format!(
                "{} answers with {status}: it is another program",
                policy.listen
            );
            Diagnosis::wrong(TOPIC, message, "give [auth-policy] a port of its own")
        }
        Err(error) => {
            let message = format!(
                "nobody answers at {}: {error}; Dovecot judges nobody then",
                policy.listen
            );
            Diagnosis::wrong(
                TOPIC,
                message,
                "start gatepost; a new [auth-policy] takes a restart",
            )
        }
    });
    found
}

/// 2.4 tells its settings as one block, and each alone as if it had never been set.
fn block(servers: &MailServers) -> Option<String> {
    let block = servers.doveconf(&["-P", "auth_policy"]);
    block.filter(|text| text.starts_with("auth_policy {"))
}

/// A setting as doveconf tells it. None: it does not.
fn setting(servers: &MailServers, block: Option<&str>, name: &str) -> Option<String> {
    match block {
        Some(block) => Some(dovecot_policy::in_block(block, name).unwrap_or_default()),
        None => {
            let said = servers.doveconf(&["-P", "-h", name])?;
            Some(said.trim().to_owned())
        }
    }
}
