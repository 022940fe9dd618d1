//! own - what `setup` changes in Gatepost's own files: name and port 587 in the config, the ports of the socket unit
//!
//! In the config only what stands there as the package ships it, so that nothing of an administrator's is changed.
//! Not here: Postfix, Dovecot, certbot (`plan`). systemd.socket(5).

use std::fs;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::cli::postfix_files::PostfixFiles;
use crate::config::Config;
use crate::config::neighbours::{Neighbours, output_of};

const UNNAMED: &str = "\nhostname = \"\"\n";
const NO_SECOND_LISTENER: &str =
    "#   [[listen]]\n#   address = \"[::]:587\"\n#   tls = \"starttls\"\n";
const SECOND_LISTENER: &str = "[[listen]]\naddress = \"[::]:587\"\ntls = \"starttls\"\n";
const SUBMISSION: u16 = 587;

/// More ports than the socket unit has by itself.
const SOCKET: &str = "/etc/systemd/system/gatepost.socket.d/gatepost-setup.conf";
const SOCKET_HEAD: &str = "# Written by `gatepost setup`.\n[Socket]\n";

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
        neighbours: &Neighbours,
    ) -> Self {
        let listeners = config.listeners.iter();
        let mut own = Self {
            hostname: config.dialogue.hostname.clone(),
            addresses: listeners.map(|one| one.address).collect(),
            config: None,
            socket: None,
        };
        own.complete(path, files);
        if !neighbours.is_elsewhere() {
            // Dovecot's questions wait there for the next Gatepost, and nobody else is shown the secret.
            let policy = config.auth_policy.as_ref().map(|policy| policy.listen);
            own.socket = own.missing_ports(policy);
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

    fn missing_ports(&self, policy: Option<SocketAddr>) -> Option<OwnFile> {
        let said = output_of("systemctl", &["show", "gatepost.socket", "-P", "Listen"])?;
        if said.trim().is_empty() {
            return None;
        }
        let wanted = self.addresses.iter().copied().chain(policy);
        let lines = missing(&said, wanted);
        (!lines.is_empty()).then(|| OwnFile {
            path: SOCKET.into(),
            // What an earlier setup wrote is among what systemd told, and stays.
            text: fs::read_to_string(SOCKET).unwrap_or_else(|_| SOCKET_HEAD.to_owned()) + &lines,
            added: format!("[Socket]\n{lines}"),
        })
    }
}

/// The lines for the addresses whose ports systemd, by what it tells of the unit, does not listen at.
fn missing(said: &str, wanted: impl Iterator<Item = SocketAddr>) -> String {
    let has = |address: &SocketAddr| {
        let port = address.port().to_string();
        let mut listening = said.split_ascii_whitespace();
        listening.any(|one| one.rsplit(':').next() == Some(&port))
    };
    let line = |address| format!("ListenStream={address}\n");
    wanted.filter(|address| !has(address)).map(line).collect()
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
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gatepost.toml");
        fs::write(&path, SHIPPED).unwrap();
        let files = PostfixFiles::parse(entries, options, "myhostname = mx.example.org\n");
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
    fn the_socket_unit_gets_each_port_that_it_has_not() {
        let said = "[::]:465 (Stream)\n[::]:587 (Stream)\n";
        let wanted = ["[::]:465", "0.0.0.0:587", "127.0.0.1:4001", "[::]:58"];
        let lines = missing(said, wanted.iter().map(|one| one.parse().unwrap()));
        assert_eq!(lines, "ListenStream=127.0.0.1:4001\nListenStream=[::]:58\n");
        assert_eq!(
            missing(said, std::iter::once("[::]:465".parse().unwrap())),
            ""
        );
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
}
