//! postfix_files - the entries and settings of this machine's Postfix, as postconf(1) prints them
//!
//! For `doctor` and `setup`. Not here: what is right or wrong with them. master(5), postconf(1).

use std::collections::HashMap;
use std::net::IpAddr;

use crate::config::mail_servers::MailServers;
use crate::net::upstream::UpstreamAddress;

/// What Postfix's own files say.
#[derive(Debug, Default)]
pub(super) struct PostfixFiles {
    /// The entries of master.cf, in their order.
    pub(super) entries: Vec<MasterEntry>,
    /// All settings of main.cf, defaults too.
    settings: HashMap<String, String>,
}

/// An entry of master.cf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MasterEntry {
    /// `smtp`, `127.0.0.1:10465`.
    pub(super) service: String,
    /// `inet`, `unix`, `pass`.
    pub(super) kind: String,
    /// Whether it runs in Postfix's chroot: `y`, `n` or `-`.
    pub(super) chroot: String,
    /// `smtpd`.
    pub(super) program: String,
    /// Its `-o` options.
    pub(super) options: HashMap<String, String>,
}

impl PostfixFiles {
    /// None: there is no Postfix, or its files cannot be read.
    pub(super) fn read(servers: &MailServers) -> Option<Self> {
        let entries = servers.postconf(&["-M"])?;
        let options = servers.postconf(&["-Px"])?;
        let settings = servers.postconf(&["-x"])?;
        Some(Self::parse(&entries, &options, &settings))
    }

    pub(super) fn parse(entries: &str, options: &str, settings: &str) -> Self {
        let pairs = |text: &str| -> Vec<(String, String)> {
            let pair = |line: &str| {
                let (key, value) = line.split_once('=')?;
                Some((key.trim().to_owned(), value.trim().to_owned()))
            };
            text.lines().filter_map(pair).collect()
        };
        let options = pairs(options);
        let entry = |line: &str| {
            let fields: Vec<&str> = line.split_ascii_whitespace().take(8).collect();
            let [service, kind, _, _, chroot, _, _, program] = fields.as_slice() else {
                return None;
            };
            let place = format!("{service}/{kind}/");
            let own = |(key, value): &(String, String)| {
                Some((key.strip_prefix(&place)?.to_owned(), value.clone()))
            };
            Some(MasterEntry {
                service: (*service).to_owned(),
                kind: (*kind).to_owned(),
                chroot: (*chroot).to_owned(),
                program: (*program).to_owned(),
                options: options.iter().filter_map(own).collect(),
            })
        };
        Self {
            entries: entries.lines().filter_map(entry).collect(),
            settings: pairs(settings).into_iter().collect(),
        }
    }

    /// A setting of main.cf; empty: there is none.
    pub(super) fn setting(&self, name: &str) -> &str {
        self.settings.get(name).map_or("", String::as_str)
    }

    /// A setting as it counts for an entry.
    pub(super) fn of<'a>(&'a self, entry: &'a MasterEntry, name: &str) -> &'a str {
        let own = entry.options.get(name).map(String::as_str);
        own.unwrap_or_else(|| self.setting(name))
    }

    /// Whether an entry of Postfix's offers login to others at a port.
    pub(super) fn offers_auth_at(&self, port: u16) -> bool {
        let mut at_port = self.entries.iter().filter(|one| one.port() == Some(port));
        at_port.any(|entry| self.offers_auth(entry))
    }

    /// Whether an entry offers login to who is not on this machine.
    pub(super) fn offers_auth(&self, entry: &MasterEntry) -> bool {
        entry.program == "smtpd"
            && matches!(entry.kind.as_str(), "inet" | "pass")
            && !entry.is_loopback()
            && self.of(entry, "smtpd_sasl_auth_enable") == "yes"
    }

    /// The entry that listens at one of our upstream addresses.
    pub(super) fn entry_at(&self, address: &UpstreamAddress) -> Option<&MasterEntry> {
        self.entries.iter().find(|entry| entry.is_at(address))
    }
}

impl MasterEntry {
    /// As `postconf -M` and `-P` name it.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.service, self.kind)
    }

    /// Its port, for an entry on TCP.
    pub(super) fn port(&self) -> Option<u16> {
        if self.kind != "inet" {
            return None;
        }
        let port = self.service.rsplit(':').next()?;
        match port {
            "smtp" => Some(25),
            "submission" => Some(587),
            "smtps" | "submissions" => Some(465),
            number => number.parse().ok(),
        }
    }

    /// The address before its port, if there is one.
    fn host(&self) -> Option<IpAddr> {
        let (host, _) = self.service.rsplit_once(':')?;
        host.trim_matches(['[', ']']).parse().ok()
    }

    /// Whether it is written for this machine alone.
    pub(super) fn is_loopback(&self) -> bool {
        self.service.starts_with("localhost:") || self.host().is_some_and(|host| host.is_loopback())
    }

    fn is_at(&self, address: &UpstreamAddress) -> bool {
        match address {
            UpstreamAddress::Tcp(socket) => {
                let host = self
                    .host()
                    .is_none_or(|host| host.is_unspecified() || host == socket.ip().to_canonical());
                host && self.port() == Some(socket.port())
            }
            UpstreamAddress::Unix(path) => {
                self.kind == "unix"
                    && path.file_name().and_then(|name| name.to_str())
                        == self.service.rsplit('/').next()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_of_an_entry_counts_before_main_cf() {
        let entries = "\
smtp       inet  n       -       y       -       -       smtpd -o smtpd_sasl_auth_enable=no
127.0.0.1:10465 inet n   -       y       -       -       smtpd
[::1]:10466 inet n       -       y       -       -       smtpd
submission inet n        -       y       -       -       smtpd
0.0.0.0:10467 inet n     -       y       -       -       smtpd";
        let options = "smtp/inet/smtpd_sasl_auth_enable = no\n";
        let files = PostfixFiles::parse(entries, options, "smtpd_sasl_auth_enable = yes\n");
        let auth = |entry: &MasterEntry| files.of(entry, "smtpd_sasl_auth_enable").to_owned();
        let told: Vec<_> = files
            .entries
            .iter()
            .map(|one| (one.port(), auth(one)))
            .collect();
        let row = |port, auth: &str| (Some(port), auth.to_owned());
        let expected = [
            row(25, "no"),
            row(10465, "yes"),
            row(10466, "yes"),
            row(587, "yes"),
            row(10467, "yes"),
        ];
        assert_eq!(told, expected);
        let loopback: Vec<_> = files.entries.iter().map(MasterEntry::is_loopback).collect();
        assert_eq!(loopback, [false, true, true, false, false]);
        let at = |text: &str| files.entry_at(&UpstreamAddress::Tcp(text.parse().unwrap()));
        assert_eq!(
            at("127.0.0.1:10465").unwrap().name(),
            "127.0.0.1:10465/inet"
        );
        assert!(at("127.0.0.1:10466").is_none() && at("127.0.0.1:587").is_some());
        assert!(at("127.0.0.1:10467").is_some(), "at every address");
    }
}
