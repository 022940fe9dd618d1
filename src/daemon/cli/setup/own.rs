//! own - what `setup` changes in Gatepost's own files: name and port 587 in the config, the ports of the socket unit
//!
//! In the config only what stands there as the package ships it, so that nothing of an administrator's is changed.
//! Not here: Postfix, Dovecot, certbot (`plan`). systemd.socket(5).

use std::fs;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::cli::postfix_files::PostfixFiles;
use crate::config::Config;
use crate::config::mail_servers::{MailServers, output_of};

const UNNAMED: &str = "\nhostname = \"\"\n";
const NO_SECOND_LISTENER: &str =
    "#   [[listen]]\n#   address = \"[::]:587\"\n#   tls = \"starttls\"\n";
const SECOND_LISTENER: &str = "[[listen]]\naddress = \"[::]:587\"\ntls = \"starttls\"\n";
const SUBMISSION: u16 = 587;

/// More ports than the socket unit has by itself.
const SOCKET: &str = "/etc/systemd/system/gatepost.socket.d/gatepost-setup.conf";

/// A file of Gatepost's, and what stands in it then.
pub(super) struct OwnFile {
    pub(super) path: PathBuf,
    pub(super) text: String,
    /// What is new in it, for a person.
    pub(super) added: String,
}

/// What is changed, and what follows from it.
pub(super) struct OwnChanges {
    /// The name that clients are greeted with.
    pub(super) hostname: String,
    addresses: Vec<SocketAddr>,
    /// None: the file is as it must be.
    pub(super) config: Option<OwnFile>,
    /// None: the unit has all ports, or there is no systemd.
    pub(super) socket: Option<OwnFile>,
}

impl OwnChanges {
    /// For the config at `path`.
    pub(super) fn new(
        path: &Path,
        config: &Config,
        files: &PostfixFiles,
        servers: &MailServers,
    ) -> Self {
        let listeners = config.listeners.iter();
        let mut own = Self {
            hostname: config.dialogue.hostname.clone(),
            addresses: listeners.map(|one| one.address).collect(),
            config: None,
            socket: None,
        };
        own.complete(path, files);
        if !servers.is_elsewhere() {
            own.socket = own.missing_ports(config.auth_policy.as_ref().map(|door| door.listen));
        }
        own
    }

    /// Whether Gatepost will listen at a port.
    pub(super) fn listens_at(&self, port: u16) -> bool {
        self.addresses.iter().any(|one| one.port() == port)
    }

    /// The name that Postfix has, where the machine's is no full one, and port 587, where Postfix offers login there.
    fn complete(&mut self, path: &Path, files: &PostfixFiles) {
        let Ok(shipped) = fs::read_to_string(path) else {
            return;
        };
        let (mut text, mut added) = (shipped.clone(), String::new());
        let name = files.setting("myhostname");
        if !self.hostname.contains('.') && is_full_name(name) && text.contains(UNNAMED) {
            let line = format!("hostname = \"{name}\"\n");
            text = text.replacen(UNNAMED, &format!("\n{line}"), 1);
            added += &line;
            self.hostname = name.to_owned();
        }
        let has = !self.listens_at(SUBMISSION) && text.contains(NO_SECOND_LISTENER);
        if has && files.offers_auth_at(SUBMISSION) {
            text = text.replacen(NO_SECOND_LISTENER, SECOND_LISTENER, 1);
            added += SECOND_LISTENER;
            self.addresses
                .push((Ipv6Addr::UNSPECIFIED, SUBMISSION).into());
        }
        if text != shipped {
            let path = path.to_owned();
            self.config = Some(OwnFile { path, text, added });
        }
    }

    /// The ports of listeners, and the one for Dovecot's questions, so that nobody else listens there while Gatepost is away.
    fn missing_ports(&self, questions: Option<SocketAddr>) -> Option<OwnFile> {
        let said = output_of("systemctl", &["show", "gatepost.socket", "-P", "Listen"])?;
        let before = fs::read_to_string(SOCKET).unwrap_or_default();
        let wanted = self.addresses.iter().copied().chain(questions);
        let lines = lines_beyond(&ports_but_for(&said, &before), wanted);
        let text = format!("# Written by `gatepost setup`.\n[Socket]\n{lines}");
        let is_new = match before.is_empty() {
            true => !said.trim().is_empty() && !lines.is_empty(),
            false => text != before,
        };
        is_new.then(|| OwnFile {
            path: SOCKET.into(),
            text,
            added: format!("[Socket]\n{lines}"),
        })
    }
}

/// The ports that systemd says it has, `[::]:465 (Stream)` one a line, without those that a file of `setup`'s adds.
fn ports_but_for(said: &str, before: &str) -> Vec<String> {
    let port = |one: &str| one.rsplit(':').next().unwrap_or(one).to_owned();
    let of_setup: Vec<_> = before
        .lines()
        .filter_map(|line| line.strip_prefix("ListenStream="))
        .map(port)
        .collect();
    let addresses = said.split_ascii_whitespace().map(port);
    addresses.filter(|one| !of_setup.contains(one)).collect()
}

/// A line for each address whose port is not among these.
fn lines_beyond(ports: &[String], addresses: impl Iterator<Item = SocketAddr>) -> String {
    addresses
        .filter(|address| !ports.contains(&address.port().to_string()))
        .map(|address| format!("ListenStream={address}\n"))
        .collect()
}

fn is_full_name(name: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-.".contains(letter);
    name.contains('.') && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../../../../config/gatepost.toml");
    const ENTRIES: &str = "submission inet n - y - - smtpd -o smtpd_sasl_auth_enable=yes";
    const OPTIONS: &str = "submission/inet/smtpd_sasl_auth_enable = yes\n";

    fn made_of(entries: &str, options: &str) -> OwnChanges {
        named("mx.example.org", entries, options)
    }

    fn named(postfix: &str, entries: &str, options: &str) -> OwnChanges {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gatepost.toml");
        fs::write(&path, SHIPPED).unwrap();
        let files = PostfixFiles::parse(entries, options, &format!("myhostname = {postfix}\n"));
        let mut own = OwnChanges {
            hostname: "mx".to_owned(),
            addresses: vec![(Ipv6Addr::UNSPECIFIED, 465).into()],
            config: None,
            socket: None,
        };
        own.complete(&path, &files);
        own
    }

    #[test]
    fn the_shipped_config_gets_postfixs_name_and_port_587_where_users_log_in_there() {
        let own = made_of(ENTRIES, OPTIONS);
        let text = own.config.as_ref().unwrap().text.as_str();
        let (config, _) = Config::parse(Path::new("gatepost.toml"), text).unwrap();
        assert_eq!(config.dialogue.hostname, "mx.example.org");
        let ports: Vec<_> = config
            .listeners
            .iter()
            .map(|one| one.address.port())
            .collect();
        assert_eq!(ports, [465, 587]);
        assert!(own.listens_at(587) && own.listens_at(465));
    }

    #[test]
    fn systemd_gets_the_ports_that_it_has_not_with_the_one_for_dovecots_questions() {
        let addresses = ["[::]:465", "[::]:587", "127.0.0.1:4001"].map(|one| one.parse().unwrap());
        let lines = |said, before, count| {
            lines_beyond(
                &ports_but_for(said, before),
                addresses.into_iter().take(count),
            )
        };
        let own = "ListenStream=[::]:587\nListenStream=127.0.0.1:4001\n";
        assert_eq!(lines("[::]:465 (Stream)\n", "", 3), own);
        let all = "[::]:465 (Stream)\n[::]:587 (Stream)\n127.0.0.1:4001 (Stream)\n";
        assert_eq!(lines(all, "", 3), "", "of the unit itself");
        assert_eq!(lines(all, own, 3), own, "written before");
        assert_eq!(
            lines(all, own, 2),
            "ListenStream=[::]:587\n",
            "no longer wanted"
        );
        assert_eq!(lines(all, own, 1), "");
    }

    #[test]
    fn without_users_on_587_there_is_only_the_name_and_once_made_nothing_is_left_to_do() {
        let own = made_of("submission inet n - y - - smtpd", "");
        assert!(!own.listens_at(587));
        assert_eq!(own.config.unwrap().added, "hostname = \"mx.example.org\"\n");
        let own = made_of(ENTRIES, OPTIONS);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gatepost.toml");
        fs::write(&path, own.config.unwrap().text).unwrap();
        let files = PostfixFiles::parse(ENTRIES, OPTIONS, "myhostname = mx.example.org\n");
        let mut again = OwnChanges {
            hostname: "mx.example.org".to_owned(),
            addresses: vec![(Ipv6Addr::UNSPECIFIED, 587).into()],
            config: None,
            socket: None,
        };
        again.complete(&path, &files);
        assert!(again.config.is_none());
    }

    #[test]
    fn a_name_that_is_no_full_one_stays_out_of_the_config() {
        for name in ["mx", "mx\".example.org"] {
            let own = named(name, "", "");
            assert!(own.config.is_none(), "{name}");
            assert_eq!(own.hostname, "mx");
        }
    }
}
