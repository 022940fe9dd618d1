//! dovecot - Dovecot's delays, which would hold Postfix's processes, and what is left of them
//!
//! Not here: names (`config`). Dovecot 2.3: auth_failure_delay; auth-penalty, by its anvil service.

use std::fs;
use std::io;
use std::path::Path;

use super::diagnosis::Diagnosis;
use crate::admin::client;
use crate::config::mail_servers::MailServers;

const TOPIC: &str = "dovecot";

pub(super) fn look(servers: &MailServers) -> Vec<Diagnosis> {
    let setting = |name: &str| {
        let said = servers.doveconf(&["-h", name])?;
        Some(said.lines().next_back()?.trim().to_owned())
    };
    let Some(delay) = setting("auth_failure_delay") else {
        let message = "doveconf does not tell its settings";
        return vec![Diagnosis::note(TOPIC, message)];
    };
    let written = servers.dovecot_file();
    let mut found = vec![failure_delay(&delay, &written)];
    let mode = setting("service/anvil/unix_listener/anvil-auth-penalty/mode");
    match mode.as_deref().map(|mode| mode.trim_start_matches('0').is_empty()) {
        Some(true) => {
            let folder = setting("base_dir").unwrap_or_default();
            found.push(stale_socket(&Path::new(&folder).join("anvil-auth-penalty")));
        }
        Some(false) => found.push(Diagnosis::wrong(
            TOPIC,
            "its penalty delays every login from an address that failed, by up to 15 s, and Postfix waits only 10 s",
            off(&written, "service anvil { unix_listener anvil-auth-penalty { mode = 0 } }"),
        )),
        None => {}
    }
    found
}

fn failure_delay(delay: &str, written: &Path) -> Diagnosis {
    if delay.starts_with('0') {
        return Diagnosis::good(TOPIC, "it does not delay failures");
    }
    Diagnosis::wrong(
        TOPIC,
        format!(
            "auth_failure_delay is {delay}: each failure occupies a process of Postfix for that time"
        ),
        off(
            written,
            "auth_failure_delay = 0 (Gatepost delays the reply by itself)",
        ),
    )
}

/// How Dovecot gets a setting that is in the file which `setup` writes.
fn off(written: &Path, setting: &str) -> String {
    let file = written.display();
    match fs::read_to_string(written).is_ok_and(|text| text.contains("auth_failure_delay = 0")) {
        false => format!("`gatepost setup --apply` writes it into {file}: {setting}"),
        true => format!(
            "{file} has {setting}, and does not count: Dovecot must read it last, by `!include conf.d/*.conf` at the end of \
             dovecot.conf; then systemctl restart dovecot"
        ),
    }
}

/// Dovecot does not remove the socket of a listener that was switched off, and waits 5 s for it at each start.
fn stale_socket(path: &Path) -> Diagnosis {
    let nobody_listens =
        client::connect(path).is_err_and(|fault| fault.kind() != io::ErrorKind::WouldBlock);
    match path.exists() && nobody_listens {
        false => Diagnosis::good(TOPIC, "its penalty is off"),
        true => Diagnosis::wrong(
            TOPIC,
            format!(
                "{} is left of its penalty: each start of Dovecot takes 5 s without logins",
                path.display()
            ),
            format!(
                "systemctl stop dovecot; rm -f {}; systemctl start dovecot",
                path.display()
            ),
        ),
    }
}
