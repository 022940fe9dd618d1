//! fail2ban - a jail that would ban users at the firewall for what Gatepost lets pass
//!
//! Postfix logs failed logins behind Gatepost as it always did, with the client's address. A forgotten phone, which Gatepost lets alone,
//! would shut out its office there.
//! Not here: jails for other services, such as IMAP. fail2ban-client(1) -d prints what is configured.

use std::collections::BTreeSet;
use std::path::Path;

use super::diagnosis::Diagnosis;
use crate::config::mail_servers::output_of;

const TOPIC: &str = "fail2ban";

pub(super) fn look(folder: Option<&Path>) -> Diagnosis {
    let folder = folder.unwrap_or(Path::new("/etc/fail2ban"));
    let shown = folder.display().to_string();
    match output_of("fail2ban-client", &["-c", &shown, "-d"]) {
        Some(said) => judge(&jails_of_sasl(&said), folder),
        None if folder.join("fail2ban.conf").exists() => {
            Diagnosis::note(TOPIC, "fail2ban-client does not tell its jails").with_cure(format!(
                "look for one that matches Postfix's failed logins: fail2ban-client -c {shown} -d"
            ))
        }
        None => Diagnosis::good(TOPIC, "there is none on this machine"),
    }
}

fn judge(jails: &BTreeSet<&str>, folder: &Path) -> Diagnosis {
    if jails.is_empty() {
        return Diagnosis::good(TOPIC, "no jail matches failed logins of Postfix");
    }
    let names: Vec<&str> = jails.iter().copied().collect();
    let names = names.join(", ");
    let off: Vec<String> = jails
        .iter()
        .map(|jail| format!("[{jail}]\\nenabled = false\\n"))
        .collect();
    // The last of the files counts.
    let file = folder.join("jail.d/zz-gatepost.local");
    Diagnosis::wrong(
        TOPIC,
        format!(
            "the jail {names} matches Postfix's failed logins: a forgotten phone would shut out its whole office at \
             the firewall"
        ),
        format!(
            "printf '{}' >{}; fail2ban-client reload",
            off.concat(),
            file.display()
        ),
    )
}

/// The jails that have a rule for Postfix's `SASL … authentication failed`.
fn jails_of_sasl(said: &str) -> BTreeSet<&str> {
    let rule = |line: &str| line.contains("failregex") && line.contains("SASL");
    let rules = said.lines().filter(|line| rule(line));
    rules.filter_map(|line| line.split('\'').nth(3)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jail_is_known_by_its_rule() {
        let said = "\
['set', 'syslogsocket', 'auto']
['add', 'sshd', 'auto']
['set', 'sshd', 'addfailregex', '^Failed password for .* from <HOST>']
['multi-set', 'postfix-sasl', 'addfailregex', ['^[^[]*\\\\[<HOST>\\\\]: SASL ((?i)LOGIN) authentication failed:']]
['set', 'mine', 'addfailregex', 'x SASL y']
['set', 'other', 'addignoreregex', 'SASL']";
        let found = jails_of_sasl(said);
        assert!(
            found.contains("postfix-sasl") && found.contains("mine"),
            "{found:?}"
        );
        assert!(!found.contains("sshd"), "{found:?}");
    }
}
