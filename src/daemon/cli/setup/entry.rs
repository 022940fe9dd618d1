//! entry - the entry for Gatepost in Postfix's master.cf: its options, and what the entry that it replaces had of its own
//!
//! The options are those of config/master.cf. Whatever else the old entry set stays (Dovecot's socket, restrictions on senders,
//! milters); what it restricted in another way than Gatepost's entry must is said. Not here: the other changes (`plan`). master(5).

use std::collections::BTreeMap;

use crate::cli::postfix_files::{MasterEntry, PostfixFiles};
use crate::net::upstream::{Announce, UpstreamAddress};

/// The entry, with its options and their reasons.
const ENTRY: &str = include_str!("../../../../config/master.cf");

/// Options of [`ENTRY`] that are as Postfix had them for submission, in its entry or in main.cf.
const AS_BEFORE: [&str; 3] = [
    "smtpd_sasl_type",
    "smtpd_sasl_path",
    "smtpd_sender_restrictions",
];
/// What tells milters which mail is outgoing: as the old entry had it, if it did.
const MILTERS: &str = "milter_macro_daemon_name";
/// The beginnings of options that have no sense behind Gatepost: TLS ends there, and it announces the client itself.
const NOT_BEHIND: [&str; 2] = ["smtpd_tls_", "smtpd_upstream_proxy_"];
/// What every entry for submission says, in one way or another.
const USUAL: [&str; 4] = [
    "permit_mynetworks",
    "permit_sasl_authenticated",
    "permit",
    "reject",
];

/// The entry to be made.
pub(super) struct NewEntry<'a> {
    /// As `postconf -M` and `-P` name it.
    name: String,
    /// The first line.
    line: String,
    options: BTreeMap<&'a str, &'a str>,
    /// The restrictions of the old entry that are not in this one, and which entry that is.
    dropped: Vec<(&'a MasterEntry, &'a str, &'a str)>,
}

impl<'a> NewEntry<'a> {
    /// At `address`; `old` is the entry that Gatepost replaces.
    pub(super) fn new(
        address: &UpstreamAddress,
        announce: Announce,
        files: &'a PostfixFiles,
        old: Option<&'a MasterEntry>,
    ) -> Self {
        let (service, kind, private) = match address {
            // As master(5) writes an address.
            UpstreamAddress::Tcp(socket) => (socket.to_string(), "inet", "n"),
            UpstreamAddress::Unix(path) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                (name.into_owned(), "unix", "n")
            }
        };
        // As the machine's own entries have it: without a chroot Postfix finds Dovecot's socket by another path.
        let smtp = old.or_else(|| files.entries.iter().find(|entry| entry.program == "smtpd"));
        let chroot = smtp.map_or("y", |entry| entry.chroot.as_str());
        let name = format!("{service}/{kind}");
        let mut made = Self {
            line: format!("{name}={service} {kind} {private} - {chroot} - - smtpd"),
            name,
            options: shipped(announce).collect(),
            dropped: Vec::new(),
        };
        if let Some(old) = old {
            made.keep(files, old);
        }
        made
    }

    /// Takes over what the old entry has of its own.
    fn keep(&mut self, files: &'a PostfixFiles, old: &'a MasterEntry) {
        for key in AS_BEFORE {
            let before = files.of(old, key);
            if !before.is_empty() {
                self.options.insert(key, before);
            }
        }
        for (key, value) in &old.options {
            let (key, value) = (key.as_str(), value.as_str());
            let has_sense = !NOT_BEHIND.iter().any(|start| key.starts_with(start));
            if has_sense && (key == MILTERS || !self.options.contains_key(key)) {
                self.options.insert(key, value);
            } else if self.options.get(key) != Some(&value) && restricts(key, value) {
                self.dropped.push((old, key, value));
            }
        }
        self.dropped.sort_by_key(|(_, key, _)| *key);
    }

    /// Arguments of postconf, a call each.
    pub(super) fn calls(&self) -> [Vec<String>; 2] {
        let name = &self.name;
        let options = self.options.iter();
        let options = options.map(|(key, value)| format!("{name}/{key}={value}"));
        [
            vec!["-M".to_owned(), self.line.clone()],
            std::iter::once("-P".to_owned()).chain(options).collect(),
        ]
    }

    /// What an administrator may miss.
    pub(super) fn remarks(&self) -> impl Iterator<Item = String> {
        self.dropped.iter().map(|(old, key, value)| {
            let (old, own) = (old.name(), self.options.get(key).unwrap_or(&""));
            format!(
                "{old} had {key}={value}, and Gatepost's entry has {key}={own}: if more than a login is asked for there, \
                 a policy service for example, say so in smtpd_sender_restrictions of {}",
                self.name
            )
        })
    }
}

/// The options of config/master.cf.
fn shipped(announce: Announce) -> impl Iterator<Item = (&'static str, &'static str)> {
    let options = ENTRY.lines().filter_map(|line| line.strip_prefix("  -o "));
    let pairs = options.filter_map(|option| option.split_once('='));
    pairs.filter_map(move |(key, value)| match (announce, key) {
        (Announce::Xclient | Announce::Nothing, "smtpd_upstream_proxy_protocol") => None,
        (Announce::Xclient, "smtpd_authorized_xclient_hosts") => Some((key, "127.0.0.1")),
        _ => Some((key, value)),
    })
}

/// Whether an option asks for more than a login.
fn restricts(key: &str, value: &str) -> bool {
    let mut words = value
        .split([',', ' ', '\t'])
        .filter(|word| !word.is_empty());
    key.ends_with("_restrictions") && words.any(|word| !USUAL.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRIES: &str = "submissions inet n - n - - smtpd";
    const OPTIONS: &str = "\
submissions/inet/syslog_name = postfix/submissions
submissions/inet/smtpd_tls_wrappermode = yes
submissions/inet/smtpd_tls_cert_file = /etc/ssl/mail.pem
submissions/inet/smtpd_sasl_path = private/other
submissions/inet/smtpd_sender_restrictions = reject_sender_login_mismatch
submissions/inet/smtpd_sender_login_maps = hash:/etc/postfix/senders
submissions/inet/smtpd_milters = inet:127.0.0.1:8891
submissions/inet/milter_macro_daemon_name = OUT
submissions/inet/smtpd_recipient_restrictions = check_policy_service unix:private/limit, permit_sasl_authenticated, reject
submissions/inet/smtpd_client_restrictions = permit_sasl_authenticated,reject
submissions/inet/smtpd_helo_restrictions =
";

    #[test]
    fn what_the_old_entry_had_of_its_own_stays_or_is_said() {
        let files = PostfixFiles::parse(ENTRIES, OPTIONS, "");
        let address = UpstreamAddress::Tcp("127.0.0.1:10465".parse().unwrap());
        let old = files.entries.first();
        let entry = NewEntry::new(&address, Announce::ProxyV2, &files, old);
        let [line, options] = entry.calls();
        assert_eq!(
            line,
            [
                "-M",
                "127.0.0.1:10465/inet=127.0.0.1:10465 inet n - n - - smtpd"
            ]
        );
        for kept in [
            "smtpd_sasl_path=private/other",
            "smtpd_sender_restrictions=reject_sender_login_mismatch",
            "smtpd_sender_login_maps=hash:/etc/postfix/senders",
            "smtpd_milters=inet:127.0.0.1:8891",
            "milter_macro_daemon_name=OUT",
            "smtpd_tls_wrappermode=no",
            "syslog_name=postfix/submission",
            "smtpd_recipient_restrictions=permit_sasl_authenticated,reject",
        ] {
            let kept = format!("127.0.0.1:10465/inet/{kept}");
            assert!(options.contains(&kept), "{kept}: {options:?}");
        }
        assert!(!options.iter().any(|option| option.contains("cert_file")));
        let remarks: Vec<String> = entry.remarks().collect();
        let [remark] = remarks.as_slice() else {
            panic!("{remarks:?}");
        };
        let had = "submissions/inet had smtpd_recipient_restrictions=check_policy_service unix:private/limit";
        assert!(remark.starts_with(had), "{remark}");
    }
}
