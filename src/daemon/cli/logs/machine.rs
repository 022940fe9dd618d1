//! machine - the mail logs of this machine, for a command that is given none
//!
//! Not here: reading them (`logs`).

use std::fs;
use std::path::{Path, PathBuf};

/// Where syslog puts them: Debian, then Red Hat.
pub(in super::super) const PLACES: [&str; 2] = ["/var/log/mail.log", "/var/log/maillog"];

/// Asks the journal for the lines of Postfix and Dovecot, as `journalctl -o json` writes them.
pub(in super::super) const JOURNAL: [&str; 10] = [
    "journalctl",
    "-q",
    "-o",
    "json",
    "-u",
    "postfix@*",
    "-u",
    "postfix",
    "-u",
    "dovecot",
];

/// The log in one of these places, and its older parts beside it. Empty: syslog writes no files here.
pub(super) fn files(places: &[&str]) -> Vec<PathBuf> {
    let place = places.iter().map(Path::new).find(|place| place.exists());
    let Some((folder, name)) = place.and_then(|place| place.parent().zip(place.file_name())) else {
        return Vec::new();
    };
    let name = name.to_string_lossy();
    let is_part = |path: &PathBuf| {
        let own = path.file_name().unwrap_or_default().to_string_lossy();
        let rest = own.strip_prefix(&*name);
        // Not mail.log.lock and the like: those of logrotate have a number or a date.
        path.is_file()
            && rest.is_some_and(|rest| {
                let rest = rest.trim_start_matches(['.', '-']);
                rest.is_empty() || rest.starts_with(|letter: char| letter.is_ascii_digit())
            })
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries.map(|entry| entry.path()).filter(is_part).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_found_with_its_older_parts_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in [
            "mail.log",
            "mail.log.1",
            "mail.log.2.gz",
            "mail.log-20261101.xz",
            "mail.log.lock",
            "mail.err",
        ] {
            fs::write(path(name), "").unwrap();
        }
        let place = path("mail.log").display().to_string();
        let names = [
            "mail.log",
            "mail.log-20261101.xz",
            "mail.log.1",
            "mail.log.2.gz",
        ];
        assert_eq!(files(&["/nonexistent/log", &place]), names.map(path));
        assert_eq!(files(&["/nonexistent/log"]), Vec::<PathBuf>::new());
    }
}
