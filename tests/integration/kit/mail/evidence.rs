//! evidence - what Postfix and Dovecot have written down and hold
//!
//! Logs, queue and processes of the instance of one test. Read anew each time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{MARKER, Mail};
use crate::kit::{program, wait};

/// One answer of Dovecot to Postfix: a password was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PasswordCheck {
    /// Whose password.
    pub(crate) user: String,
    /// Whether it was right.
    pub(crate) right: bool,
}

/// The start of Dovecot's line about the end of an exchange, at `auth_debug`.
const ANSWER: &str = "auth: Debug: client passdb out: ";

impl Mail {
    /// Postfix's log so far.
    pub(crate) fn postfix_log(&self) -> String {
        text_of(&self.postfix_log_file())
    }

    /// Where Postfix logs.
    pub(crate) fn postfix_log_file(&self) -> PathBuf {
        self.folder.path().join("postfix.log")
    }

    /// Dovecot's log so far.
    pub(crate) fn dovecot_log(&self) -> String {
        text_of(&self.folder.path().join("dovecot.log"))
    }

    /// Waits for a line in Postfix's log that holds all of `parts`; gives the line.
    #[track_caller]
    pub(crate) fn logged(&self, parts: &[&str]) -> String {
        wait::find(&format!("Postfix logs {parts:?}"), || {
            let log = self.postfix_log();
            let mut lines = log.lines();
            let line = lines.find(|line| parts.iter().all(|part| line.contains(part)));
            line.map(ToOwned::to_owned)
        })
    }

    /// Every password that Dovecot has checked for Postfix, oldest first.
    ///
    /// An exchange that Dovecot ended before it had a password to check (a broken message of SCRAM,
    /// say) is an answer too, with an empty name if Dovecot never learnt one.
    #[track_caller]
    pub(crate) fn password_checks(&self) -> Vec<PasswordCheck> {
        self.write_off();
        self.password_checks_so_far()
    }

    /// As [`Mail::password_checks`], without those that Dovecot has answered but not logged yet.
    pub(crate) fn password_checks_so_far(&self) -> Vec<PasswordCheck> {
        let mut checks = self.answers();
        checks.retain(|check| !is_marker(check));
        checks
    }

    /// Returns when Dovecot's log, which comes a little after its answers, holds all of them: we let it
    /// check one more password, and wait for that in the log. Without a Dovecot the log is whole.
    #[track_caller]
    fn write_off(&self) {
        if self.dovecot.is_none() {
            return;
        }
        let marks = || {
            let marked = self.answers().into_iter();
            marked.filter(is_marker).count()
        };
        let before = marks();
        self.dovecot_says(MARKER);
        wait::until("Dovecot logs what it did", || marks() > before);
    }

    fn answers(&self) -> Vec<PasswordCheck> {
        self.dovecot_log()
            .lines()
            .filter_map(|line| line.split_once(ANSWER))
            .filter_map(|(_, answer)| checked(answer))
            .collect()
    }

    /// How many smtpd processes this Postfix has at the moment.
    pub(crate) fn smtpd_processes(&self) -> usize {
        let Some(master) = &self.postfix else {
            return 0;
        };
        children(master.id(), "smtpd").len()
    }

    /// The names of the mails in the queue.
    pub(crate) fn queue(&self) -> Vec<String> {
        let held = fs::read_dir(self.folder.path().join("queue/hold")).expect("the hold queue");
        held.filter_map(Result::ok)
            .map(|mail| mail.file_name().to_string_lossy().into_owned())
            .collect()
    }

    /// The only mail in the queue as its client sent it: header and body with LF for CRLF, without
    /// the Received field that Postfix put in front.
    ///
    /// # Panics
    /// When there is not exactly one.
    #[track_caller]
    pub(crate) fn only_mail(&self) -> Vec<u8> {
        let queue = self.queue();
        assert_eq!(queue.len(), 1, "one mail in the queue: {queue:?}");
        self.mail(&queue[0])
    }

    /// A mail of the [`Mail::queue`], as [`Mail::only_mail`] gives it.
    #[track_caller]
    pub(crate) fn mail(&self, name: &str) -> Vec<u8> {
        let mut command = Command::new("postcat");
        command.arg("-c").arg(self.folder.path().join("etc"));
        let text = program::output(command.args(["-q", "-b", "-h", name]));
        assert!(text.starts_with(b"Received: "), "Postfix's own field");
        let mut rest = text.as_slice();
        loop {
            let end = rest.iter().position(|octet| *octet == b'\n');
            rest = &rest[end.expect("the field ends") + 1..];
            if !rest.starts_with(b"\t") {
                return rest.to_vec();
            }
        }
    }

    /// The Received field that Postfix put in front of the only mail.
    #[track_caller]
    pub(crate) fn received(&self) -> String {
        let queue = self.queue();
        assert_eq!(queue.len(), 1, "one mail in the queue: {queue:?}");
        let mut command = Command::new("postcat");
        command.arg("-c").arg(self.folder.path().join("etc"));
        let text = program::run(command.args(["-q", "-h", &queue[0]]));
        let end = text.find(";").expect("a Received field ends with a date");
        text[..end].to_owned()
    }
}

/// The processes with this name that `parent` has started.
pub(super) fn children(parent: u32, name: &str) -> Vec<i32> {
    let (parent, name) = (format!("PPid:\t{parent}"), format!("Name:\t{name}"));
    let processes = fs::read_dir("/proc").expect("/proc");
    processes
        .filter_map(Result::ok)
        .filter(|process| {
            let status = text_of(&process.path().join("status"));
            let mut lines = status.lines();
            lines.next() == Some(name.as_str()) && lines.any(|line| line == parent)
        })
        .filter_map(|process| process.file_name().to_str()?.parse().ok())
        .collect()
}

/// Dovecot may be set to change a name's domain.
fn is_marker(check: &PasswordCheck) -> bool {
    let local = |name: &str| name.split('@').next().map(ToOwned::to_owned);
    local(&check.user) == local(MARKER.0)
}

fn checked(answer: &str) -> Option<PasswordCheck> {
    let mut fields = answer.split('\t');
    let right = match fields.next()? {
        "OK" => true,
        "FAIL" => false,
        _ => return None, // CONT: a round of a longer exchange.
    };
    let user = fields.find_map(|field| field.strip_prefix("user="));
    Some(PasswordCheck {
        user: user.unwrap_or_default().to_owned(),
        right,
    })
}

/// A file that is not there yet, or no more, has no text.
fn text_of(path: &Path) -> String {
    fs::read(path)
        .map(|octets| String::from_utf8_lossy(&octets).into_owned())
        .unwrap_or_default()
}
