//! files - reads files that somebody else may have put there: regular ones only, without waiting, to a limit
//!
//! A FIFO has no end until somebody writes into it, a device may have none at all, and a process that reads one hangs.
//! So every file that a config, a command or the state directory names is opened without waiting, looked
//! at, and read no further than its kind may be long.
//! Not here: whose rights are used (`store::owner`).

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, fstat, open};

/// How a file is opened for reading: a FIFO or a device must not make us wait, nor become our terminal.
pub(crate) const READING: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// Opens a regular file for reading. Links are followed: the name is the operator's.
///
/// # Errors
///
/// When it cannot be opened, or is something else; the message then says what.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    regular(open(path, READING, Mode::empty())?)
}

/// The file, if it is a regular one.
///
/// # Errors
///
/// When it is something else; the message says what.
pub(crate) fn regular(file: OwnedFd) -> io::Result<File> {
    let kind = FileType::from_raw_mode(fstat(&file)?.st_mode);
    match kind {
        FileType::RegularFile => Ok(file.into()),
        FileType::Directory => Err(ErrorKind::IsADirectory.into()),
        kind => Err(io::Error::new(
            ErrorKind::InvalidInput,
            format!("it is {}, not a file", name(kind)),
        )),
    }
}

const fn name(kind: FileType) -> &'static str {
    match kind {
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Symlink => "a symbolic link",
        _ => "something else",
    }
}

/// Reads a regular file of at most `longest` octets.
///
/// # Errors
///
/// As [`open_regular`], and [`ErrorKind::FileTooLarge`] for a longer one.
pub(crate) fn read(path: &Path, longest: u64) -> io::Result<Vec<u8>> {
    read_all(open_regular(path)?, longest)
}

/// Reads the rest of a file, at most `longest` octets.
///
/// # Errors
///
/// As [`read`].
pub(crate) fn read_all(file: File, longest: u64) -> io::Result<Vec<u8>> {
    let too_long = || {
        let message = format!("it is longer than {longest} octets");
        io::Error::new(ErrorKind::FileTooLarge, message)
    };
    let length = file.metadata()?.len();
    if length > longest {
        return Err(too_long());
    }
    let mut octets = Vec::new();
    let expected = usize::try_from(length).map_err(|_| too_long())?;
    octets.try_reserve_exact(expected)?;
    // It may have grown since.
    let read = file
        .take(longest.saturating_add(1))
        .read_to_end(&mut octets)?;
    match read as u64 > longest {
        true => Err(too_long()),
        false => Ok(octets),
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, mknodat};

    use super::*;

    #[test]
    fn what_is_no_regular_file_is_named_and_makes_nobody_wait() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR, 0).unwrap();
        let refused = |path: &Path| read(path, 10).unwrap_err().to_string();
        assert!(refused(&fifo).contains("it is a FIFO"));
        assert!(refused(Path::new("/dev/zero")).contains("it is a device"));
        assert!(refused(folder.path()).contains("directory"));
    }

    #[test]
    fn a_file_is_read_to_its_limit_and_no_further() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for (length, taken) in [(9, true), (10, true), (11, false)] {
            std::fs::write(&path, vec![b'x'; length]).unwrap();
            assert_eq!(read(&path, 10).is_ok(), taken, "{length}");
        }
        let file = File::create(&path).unwrap();
        file.set_len(1 << 40).unwrap();
        assert_eq!(read(&path, 10).unwrap_err().kind(), ErrorKind::FileTooLarge);
    }
}
