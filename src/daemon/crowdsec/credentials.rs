//! credentials - a bouncer's key and a machine's name and password, out of their files
//!
//! The files are those that CrowdSec's own program writes: `cscli bouncers add NAME --output raw`, and
//! `cscli machines add NAME --auto --file FILE`, whose lines `login:` and `password:` are read. They are read at each use, so that
//! a new one needs no restart. Nothing here shows a secret.

use std::fmt;
use std::io;
use std::path::Path;

use hyper::header::HeaderValue;

use crate::files;

/// Octets of either file.
const LONGEST: u64 = 4096;

/// A machine, as CrowdSec knows it.
pub(super) struct LapiMachine {
    pub(super) name: String,
    pub(super) password: String,
}

impl fmt::Debug for LapiMachine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LapiMachine({})", self.name)
    }
}

/// A bouncer's key, as it is sent.
pub(super) fn key(path: &Path) -> io::Result<HeaderValue> {
    let text = text(path)?;
    let key = text.trim();
    if key.is_empty() || key.contains(char::is_whitespace) {
        return Err(invalid("it is not one key on one line"));
    }
    let value = HeaderValue::from_str(key);
    let mut value = value.map_err(|_| invalid("its key has letters that no key has"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A machine's name and password.
pub(super) fn machine(path: &Path) -> io::Result<LapiMachine> {
    let text = text(path)?;
    let value = |key: &str| {
        let mut lines = text.lines();
        let found = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        let found = found.map(|value| unquoted(value.trim()).to_owned());
        let why = || invalid(&format!("it has no line {key}: ..."));
        found.filter(|value| !value.is_empty()).ok_or_else(why)
    };
    Ok(LapiMachine {
        name: value("login")?,
        password: value("password")?,
    })
}

/// Whether a file has a bouncer's key.
///
/// # Errors
/// It cannot be read, or has none.
pub fn check_key(path: &Path) -> io::Result<()> {
    key(path).map(drop)
}

/// Whether a file has a machine's name and password.
///
/// # Errors
/// It cannot be read, or lacks one of them.
pub fn check_machine(path: &Path) -> io::Result<()> {
    machine(path).map(drop)
}

fn text(path: &Path) -> io::Result<String> {
    let octets = files::read(path, LONGEST)?;
    String::from_utf8(octets).map_err(|_| invalid("it is no text"))
}

/// A text as YAML may quote it, without what it would escape: neither names nor passwords of `cscli` have that.
fn unquoted(text: &str) -> &str {
    for quote in ['"', '\''] {
        let inner = text.strip_prefix(quote);
        if let Some(inner) = inner.and_then(|rest| rest.strip_suffix(quote)) {
            return inner;
        }
    }
    text
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(text: &str, read: impl Fn(&Path) -> io::Result<T>) -> Result<T, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, text).unwrap();
        read(&path).map_err(|fault| fault.to_string())
    }

    #[test]
    fn the_files_of_cscli_are_read_as_they_are() {
        let sent = with("cb89094acc919323eb3ed5ad9bf48627", key).unwrap();
        assert_eq!(sent, "cb89094acc919323eb3ed5ad9bf48627");
        assert!(sent.is_sensitive());
        assert_eq!(with("abc\n", key).unwrap(), "abc");
        let text = "url: http://127.0.0.1:8080\nlogin: mx1\npassword: 1WSaJ:UH\n";
        let one = with(text, machine).unwrap();
        assert_eq!(
            (one.name.as_str(), one.password.as_str()),
            ("mx1", "1WSaJ:UH")
        );
        assert!(!format!("{one:?}").contains("1WSaJ"));
        let one = with("login: 'a'\npassword: \"b c\"\n", machine).unwrap();
        assert_eq!((one.name.as_str(), one.password.as_str()), ("a", "b c"));
    }

    #[test]
    fn what_is_missing_is_said() {
        for text in ["", "\n", "a b", "a\nb", "a\u{7f}", "\u{e4}\n\u{e4}"] {
            assert!(with(text, check_key).is_err(), "{text:?}");
        }
        let why = with("login: a\n", check_machine).unwrap_err();
        assert_eq!(why, "it has no line password: ...");
        let why = with("password: a\nlogin:\n", check_machine).unwrap_err();
        assert_eq!(why, "it has no line login: ...");
        let long = "a".repeat(usize::try_from(LONGEST).unwrap() + 1);
        assert!(with(&long, check_key).is_err());
    }
}
