//! inspect - checks the files that the config names
//!
//! Not here: how certificates are used (`net::tls`).

use std::collections::HashSet;
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::Group;

use super::finding::{Findings, Remark};
use super::source::Source;
use super::{Config, raw, rules, sections};
use crate::files;
use crate::net::tls::{self, Certificate, CertificateFiles, FileRole, Tls, TlsFault};
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::names::NameFolding;
use gatepost_core::moment::Moment;

/// The longest config file that is read, in octets.
const LONGEST_CONFIG: u64 = 1 << 20;

/// The longest `users` file, in octets: two million names of 32 octets.
const LONGEST_USERS: u64 = 64 << 20;

/// The text of the config file.
pub(super) fn text(path: &Path) -> Result<String, Remark> {
    read(path, LONGEST_CONFIG)
        .map_err(|why| Remark::of_file(format!("cannot read the config file: {why}")))
}

/// The names in the `users` file, in lower case, for the gate. One a line; empty lines are skipped, and
/// everything after `#` at the start of a line or after a blank.
pub(super) fn users(
    file: &raw::RawFile,
    config: &mut Config,
    folder: &Path,
    findings: &mut Findings,
) {
    let Some(given) = file
        .users
        .as_ref()
        .filter(|given| !given.get_ref().is_empty())
    else {
        return;
    };
    let path = sections::path(folder, given.get_ref());
    let text = match read(&path, LONGEST_USERS) {
        Ok(text) => text,
        Err(why) => {
            findings.refuse(
                Remark::at(
                    given.span(),
                    format!("cannot read {}: {why}", path.display()),
                )
                .help("write the path of a file with one user a line, or users = \"\""),
            );
            return;
        }
    };
    let source = Source::of_names(&path, text);
    let mut start = 0;
    for line in source.text().split_inclusive('\n') {
        match user(line) {
            Ok(None) => {}
            Ok(Some(name)) => config.gate.users.push(name.to_ascii_lowercase()),
            Err(why) => {
                let end = start + line.trim_end().len();
                findings.refuse_in(
                    &source,
                    Remark::at(start..end, format!("this line is not a user name: {why}"))
                        .help("write one user a line, as in AUTH, and nothing else"),
                );
            }
        }
        start += line.len();
    }
    warn_user_is_trap(file, config, findings);
}

/// Checks every certificate alone, so that each fault is reported; the first one from where it is `brought`, if it is.
pub(super) fn certificates(
    file: &raw::RawFile,
    folder: &Path,
    now: Moment,
    mut brought: Option<&CertificateFiles>,
    findings: &mut Findings,
) {
    for entry in &file.tls.certificate {
        let table = entry.get_ref();
        let (Some(chain), Some(key)) = (&table.chain, &table.key) else {
            continue;
        };
        let named = || CertificateFiles {
            chain: sections::path(folder, chain.get_ref()),
            key: sections::path(folder, key.get_ref()),
        };
        let files = brought.take().cloned().unwrap_or_else(named);
        warn_readable_key(&files.key, key.span(), findings);
        let settings = tls::TlsSettings {
            certificates: vec![files],
        };
        match Tls::load(&settings) {
            Ok(tls) => warn_dates(&tls.certificates(), chain.span(), now, findings),
            Err(TlsFault::File {
                role,
                path,
                problem,
                ..
            }) => {
                let (blamed, other, label) = match role {
                    FileRole::Chain => (chain, key, "its key"),
                    FileRole::Key => (key, chain, "its certificate"),
                };
                let problem = problem.to_string();
                let (what, right) = problem.split_once("; ").unwrap_or((&problem, ""));
                let remark = Remark::at(blamed.span(), format!("{} {what}", path.display()));
                findings.refuse(remark.beside(other.span(), label).help(right));
            }
            Err(fault) => findings.refuse(Remark::at(chain.span(), fault.to_string())),
        }
    }
}

/// Warns of a certificate that clients refuse for its dates, or soon will. The clock that is wrong may be ours.
fn warn_dates(
    certificates: &[Certificate],
    span: Range<usize>,
    now: Moment,
    findings: &mut Findings,
) {
    for certificate in certificates {
        let names = certificate.names.join(", ");
        if let Some(problem) = certificate.date_problem(now) {
            let what = format!("the certificate for {names} {problem}: clients refuse it");
            findings.warn(Remark::at(span.clone(), what).help(
                "if the machine's clock is right, renew it, then `systemctl reload gatepost`; it is served as it is",
            ));
            continue;
        }
        let days = certificate.days_left(now);
        if certificate.is_due(now) {
            findings.warn(
                Remark::at(
                    span.clone(),
                    format!("the certificate for {names} expires in {days} days"),
                )
                .help("renew it, then `systemctl reload gatepost`"),
            );
        }
    }
}

/// Warns of a private key that every user of the machine can read.
fn warn_readable_key(path: &Path, span: Range<usize>, findings: &mut Findings) {
    const READ_BY_OTHERS: u32 = 0o004;
    let mode = path.metadata().map(|metadata| metadata.mode());
    if mode.is_ok_and(|mode| mode & READ_BY_OTHERS != 0) {
        findings.warn(
            Remark::at(
                span,
                format!(
                    "{} can be read by every user of this machine",
                    path.display()
                ),
            )
            .help(format!("chmod o-rwx {}", path.display())),
        );
    }
}

/// Refuses what is no directory, and warns of one that others can write: they could change who is known and banned.
pub(super) fn state(file: &raw::RawFile, config: &Config, findings: &mut Findings) {
    const WRITTEN_BY_OTHERS: u32 = 0o002;
    let directory = &config.store.directory;
    let Ok(metadata) = directory.metadata() else {
        return;
    };
    let remark = |what| match &file.state.directory {
        Some(given) => Remark::at(given.span(), what),
        None => Remark::of_file(what),
    };
    if !metadata.is_dir() {
        let what = format!("{} is no directory", directory.display());
        findings
            .refuse(remark(what).help("write the path of a directory that is Gatepost's alone"));
    } else if metadata.mode() & WRITTEN_BY_OTHERS != 0 {
        let what = format!(
            "every user of this machine can write into {}",
            directory.display()
        );
        findings.warn(remark(what).help(format!(
            "only Gatepost may write there: chmod 0700 {}",
            directory.display()
        )));
    }
}

/// Warns of a group for a socket that this machine does not have: Gatepost would not start.
pub(super) fn groups(file: &raw::RawFile, findings: &mut Findings) {
    for given in [&file.admin.group, &file.http.group].into_iter().flatten() {
        let name = given.get_ref();
        // What the name service does not answer is no finding.
        if !name.is_empty() && matches!(Group::from_name(name), Ok(None)) {
            let remark = Remark::at(
                given.span(),
                format!("this machine has no group {name}: gatepost does not start with it"),
            );
            findings.warn(remark.help(format!("groupadd {name}, or another name")));
        }
    }
}

/// The user name in a line of the `users` file, if there is one.
fn user(line: &str) -> Result<Option<&str>, &'static str> {
    let line = line.trim();
    let name = match line.find(" #").or_else(|| line.find("\t#")) {
        Some(comment) => line.get(..comment).unwrap_or_default().trim_end(),
        None => line,
    };
    if name.is_empty() || name.starts_with('#') {
        return Ok(None);
    }
    if name.contains(':') {
        return Err("a colon looks like a password file");
    }
    rules::check_name(name).map(|()| Some(name))
}

/// Warns of a name that is both a user and a trap.
fn warn_user_is_trap(file: &raw::RawFile, config: &Config, findings: &mut Findings) {
    let folding = NameFolding::new(&config.gate.names);
    let folded = |name: &str| folding.fold(&UserName::new(name.as_bytes())).to_name();
    let users: HashSet<UserName> = config.gate.users.iter().map(|name| folded(name)).collect();
    for trap in file.traps.users.iter().flat_map(|given| given.get_ref()) {
        if users.contains(&folded(trap.get_ref())) {
            findings.warn(
                Remark::at(
                    trap.span(),
                    "this name is a trap, and also a user in the `users` file",
                )
                .help(
                    "a client that tries a trap is banned at once: remove the name from one of the two",
                ),
            );
        }
    }
}

/// Reads a text file of at most `longest` octets, or returns why it cannot.
pub(super) fn read(path: &Path, longest: u64) -> Result<String, String> {
    match files::read(path, longest) {
        Err(error) => Err(match error.kind() {
            ErrorKind::NotFound => "there is no such file".to_owned(),
            ErrorKind::PermissionDenied => "permission denied".to_owned(),
            ErrorKind::IsADirectory => "it is a directory".to_owned(),
            ErrorKind::FileTooLarge => format!("it is longer than {} MiB", longest >> 20),
            _ => error.to_string(),
        }),
        Ok(octets) => String::from_utf8(octets).map_err(|error| {
            let good = error.utf8_error().valid_up_to();
            let line = error
                .as_bytes()
                .iter()
                .take(good)
                .filter(|b| **b == b'\n')
                .count()
                + 1;
            format!("line {line} is not UTF-8")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_a_user_or_a_comment() {
        assert_eq!(user("Ann@example.org\r\n"), Ok(Some("Ann@example.org")));
        assert_eq!(user("  bob \t# the boss\n"), Ok(Some("bob")));
        assert_eq!(user("c#sharp\n"), Ok(Some("c#sharp")));
        for no_name in ["", "\n", "  \n", "# ann\n", " \t# ann\n"] {
            assert_eq!(user(no_name), Ok(None), "{no_name:?}");
        }
    }

    #[test]
    fn a_line_that_is_not_a_name_is_refused() {
        for line in ["ann bob\n", "ann:{CRYPT}x:1000\n", "an\x1bn\n", "ann,\tbob"] {
            assert!(user(line).is_err(), "{line:?}");
        }
        let longest = "x".repeat(rules::LONGEST_NAME);
        assert_eq!(user(&longest), Ok(Some(longest.as_str())));
        assert!(user(&format!("{longest}x")).is_err());
    }
}
