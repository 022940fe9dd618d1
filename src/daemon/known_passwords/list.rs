//! list - reads a list of passwords, or of their SHA-1 hashes
//!
//! The first line says which: 40 hexadecimal digits, with a colon and a count behind them or not, are a hash, as
//! Have I Been Pwned writes them (`HASH:COUNT`), and then all lines are. Else each line is a password, with all its
//! blanks. Empty lines are left out. The file is read twice, once to count its lines, and the hashes of all lines
//! stand in memory until the filter is built: 8 octets a line.
//! Not here: the filter (`filter`).

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek};
use std::path::Path;

use data_encoding::HEXLOWER_PERMISSIVE;
use zeroize::Zeroizing;

use super::filter::{PasswordFilter, PasswordKey};
use crate::files;

/// Lines of a list: 160 MB while it is read, 46 MB after.
const MOST: usize = 20_000_000;
/// Octets of a line.
const LONGEST: usize = 1024;
/// Octets that are read at once.
const BUFFER: usize = 1 << 16;

/// Why a list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ListFault {
    /// The file system.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// There is nothing in it.
    #[error("there is no password in it")]
    Empty,
    /// It is longer than a list may be.
    #[error("it has more than {MOST} lines: take the most frequent ones")]
    TooMany,
    /// It is an archive or something else that is no text.
    #[error("line {0} holds a NUL: this is no list, or it is compressed. Unpack it first")]
    Binary(usize),
    /// A line that is no password.
    #[error("line {0} is longer than {LONGEST} octets")]
    Long(usize),
    /// A line that is no hash, in a list of hashes.
    #[error("line {0} is no SHA-1 hash (40 hexadecimal digits), and the first line is one")]
    NoHash(usize),
    /// Hashes of another kind.
    #[error(
        "it begins with an NTLM hash (32 hexadecimal digits): lists of SHA-1 hashes are read, and of passwords"
    )]
    Ntlm,
    /// No filter came about.
    #[error("no filter could be built of it: {0}")]
    Filter(&'static str),
}

/// What the lines of a list are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineKind {
    Password,
    Hash,
}

/// Reads the list, and builds the filter of it: seconds for millions of lines, so not where others wait.
///
/// # Errors
///
/// What is wrong with the file.
pub fn read(path: &Path) -> Result<PasswordFilter, ListFault> {
    let mut file = files::open_regular(path)?;
    let lines = count(&mut file)?;
    file.rewind()?;
    let mut keys = Vec::with_capacity(lines);
    let mut kind = None;
    each_line(&mut file, |number, line| {
        let kind = match kind {
            Some(kind) => kind,
            None => *kind.insert(kind_of(line)?),
        };
        // It may have grown since it was counted.
        if keys.len() == MOST {
            return Err(ListFault::TooMany);
        }
        keys.push(match kind {
            LineKind::Password => PasswordKey::of(line).0,
            LineKind::Hash => hash(line).ok_or(ListFault::NoHash(number))?,
        });
        Ok(())
    })?;
    if keys.is_empty() {
        return Err(ListFault::Empty);
    }
    keys.sort_unstable();
    keys.dedup();
    PasswordFilter::new(&keys).map_err(ListFault::Filter)
}

/// How many lines there are, if they are not too many.
fn count(file: &mut File) -> Result<usize, ListFault> {
    let mut reader = BufReader::with_capacity(BUFFER, file);
    let mut lines = 1;
    loop {
        let octets = reader.fill_buf()?;
        let length = octets.len();
        if length == 0 {
            return Ok(lines);
        }
        lines += octets.iter().filter(|octet| **octet == b'\n').count();
        if lines > MOST + 1 {
            return Err(ListFault::TooMany);
        }
        reader.consume(length);
    }
}

/// Shows `take` each line that is not empty, with its number.
fn each_line(
    file: &mut File,
    mut take: impl FnMut(usize, &[u8]) -> Result<(), ListFault>,
) -> Result<(), ListFault> {
    let mut reader = BufReader::with_capacity(BUFFER, file);
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST + 2));
    for number in 1.. {
        line.clear();
        let mut part = io::Read::take(&mut reader, LONGEST as u64 + 2);
        if part.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let ended = line.strip_suffix(b"\n");
        let bare = ended.map_or(&line[..], |line| line.strip_suffix(b"\r").unwrap_or(line));
        if bare.contains(&0) {
            return Err(ListFault::Binary(number));
        }
        if bare.len() > LONGEST || (ended.is_none() && line.len() > LONGEST) {
            return Err(ListFault::Long(number));
        }
        if !bare.is_empty() {
            take(number, bare)?;
        }
    }
    Ok(())
}

fn kind_of(first: &[u8]) -> Result<LineKind, ListFault> {
    const NTLM: usize = 32;
    let digits = digits(first);
    match hash(first) {
        Some(_) => Ok(LineKind::Hash),
        None if digits.len() == NTLM && digits.iter().all(u8::is_ascii_hexdigit) => {
            Err(ListFault::Ntlm)
        }
        None => Ok(LineKind::Password),
    }
}

/// What stands before the colon and a count.
fn digits(line: &[u8]) -> &[u8] {
    let colon = line.iter().position(|octet| *octet == b':');
    let Some((digits, count)) = colon.and_then(|at| line.split_at_checked(at)) else {
        return line;
    };
    match count.iter().skip(1).all(u8::is_ascii_digit) {
        true => digits,
        false => line,
    }
}

/// The first octets of the hash in this line.
fn hash(line: &[u8]) -> Option<u64> {
    let octets: [u8; 20] = HEXLOWER_PERMISSIVE
        .decode(digits(line))
        .ok()?
        .try_into()
        .ok()?;
    let (first, _) = octets.split_first_chunk()?;
    Some(u64::from_be_bytes(*first))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn list(content: impl AsRef<[u8]>) -> Result<PasswordFilter, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        fs::write(&path, content).unwrap();
        read(&path).map_err(|fault| fault.to_string())
    }

    #[test]
    fn passwords_are_read_with_their_blanks_from_either_kind_of_line() {
        let list = list("hunter2\r\n\n with blanks \n#hash\nStra\u{df}e\nlast").unwrap();
        assert_eq!(list.count(), 5);
        for password in ["hunter2", " with blanks ", "#hash", "Stra\u{df}e", "last"] {
            assert!(list.has(password.as_bytes()), "{password}");
        }
        for other in ["hunter2\r", "with blanks", "", "hunter"] {
            assert!(!list.has(other.as_bytes()), "{other}");
        }
    }

    /// "password" and "abc", as Have I Been Pwned has them, and as sha1sum does.
    #[test]
    fn sha_1_hashes_are_read_with_counts_or_without_in_letters_of_any_size() {
        for text in [
            "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:9545824\r\nA9993E364706816ABA3E25717850C26C9CD0D89D:12\r\n",
            "5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8\na9993e364706816aba3e25717850c26c9cd0d89d",
        ] {
            let list = list(text).unwrap();
            assert_eq!(list.count(), 2);
            assert!(list.has(b"password") && list.has(b"abc") && !list.has(b"abd"));
        }
    }

    #[test]
    fn what_is_no_list_is_refused_with_its_line() {
        let fault = |content: &[u8]| list(content).unwrap_err();
        assert!(fault(b"").contains("no password in it"));
        assert!(fault(b"\n\r\n").contains("no password in it"));
        assert!(fault(b"\x1f\x8b\x08\0\0\0").contains("line 1 holds a NUL"));
        assert!(fault(b"one\ntwo\0").contains("line 2 holds a NUL"));
        let hash = "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:3\n";
        let damaged = [hash, hash, "5BAA61E4C9B93F3F06\n"].concat();
        assert!(fault(damaged.as_bytes()).contains("line 3 is no SHA-1 hash"));
        assert!(fault(b"8846F7EAEE8FB117AD06BDD830B7586C:3\n").contains("NTLM"));
        assert!(fault(&[b'x'; LONGEST + 1]).contains("line 1 is longer"));
        assert!(fault(&[b'x'; 1 << 20]).contains("line 1 is longer"));
        let longest = [vec![b'x'; LONGEST], b"\r\n".to_vec()].concat();
        assert_eq!(list(&longest).unwrap().count(), 1);
        assert_eq!(list([b'x'; LONGEST]).unwrap().count(), 1);
    }

    #[test]
    fn a_list_that_is_absent_no_file_or_too_long_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let fault = |path: &Path| read(path).unwrap_err().to_string();
        assert!(fault(&folder.path().join("none")).contains("No such file"));
        assert!(fault(folder.path()).contains("directory"));
        assert!(fault(Path::new("/dev/zero")).contains("a device"));
        let path = folder.path().join("long");
        fs::write(&path, vec![b'\n'; MOST + 1]).unwrap();
        assert!(fault(&path).contains("more than 20000000 lines"));
        fs::write(&path, vec![b'\n'; MOST]).unwrap();
        assert!(fault(&path).contains("no password in it"));
    }
}
