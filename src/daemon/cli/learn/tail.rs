//! tail - the lines that a growing log has got, over rotation and truncation
//!
//! Never waits: [`Tail::poll`] takes what is there. The last line is held back until its end is written.
//! Not here: when to look again (`follow`).
//!
//! A file of another inode under the same name: the old one is read to its end, then the new one from its
//! beginning. A file that has become shorter was truncated (logrotate's `copytruncate`) and is read anew.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::logs;
use gatepost_core::logs::collector::{LONGEST_LINE_OCTETS, RawLine};
use gatepost_core::moment::Moment;

/// What a tail hears.
pub(super) enum Heard<'a> {
    /// Another file begins; when it was last written.
    Begins(Moment),
    /// A line.
    Cut(RawLine<'a>),
}

/// A log that is being read as it grows.
#[derive(Debug)]
pub(super) struct Tail {
    path: PathBuf,
    open: Option<Open>,
    cutter: Cutter,
}

#[derive(Debug)]
struct Open {
    file: File,
    inode: (u64, u64),
    position: u64,
}

impl Tail {
    /// Of the log `path`, from its beginning.
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            open: None,
            cutter: Cutter::default(),
        }
    }

    /// The log's name.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes all lines that are there. A log that is not there has none: it may be between two rotations.
    ///
    /// # Errors
    ///
    /// When the log is there and cannot be read.
    pub(super) fn poll(&mut self, hear: &mut dyn FnMut(Heard<'_>)) -> io::Result<()> {
        self.read_on(hear)?;
        let there = match std::fs::metadata(&self.path) {
            Ok(metadata) => (metadata.dev(), metadata.ino()),
            Err(fault) if fault.kind() == ErrorKind::NotFound => return Ok(()),
            Err(fault) => return Err(fault),
        };
        if self.open.as_ref().is_some_and(|open| open.inode == there) {
            return Ok(());
        }
        // What was written between the last look and the rotation.
        self.read_on(hear)?;
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(fault) if fault.kind() == ErrorKind::NotFound => return Ok(()),
            Err(fault) => return Err(fault),
        };
        let metadata = file.metadata()?;
        hear(Heard::Begins(logs::changed(&file)?));
        self.cutter = Cutter::default();
        self.open = Some(Open {
            inode: (metadata.dev(), metadata.ino()),
            file,
            position: 0,
        });
        self.read_on(hear)
    }

    fn read_on(&mut self, hear: &mut dyn FnMut(Heard<'_>)) -> io::Result<()> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        if open.file.metadata()?.len() < open.position {
            open.file.seek(SeekFrom::Start(0))?;
            open.position = 0;
            self.cutter = Cutter::default();
            hear(Heard::Begins(logs::changed(&open.file)?));
        }
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = open.file.read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            open.position += read as u64;
            let octets = buffer.get(..read).unwrap_or_default();
            self.cutter.cut(octets, &mut |line| hear(Heard::Cut(line)));
        }
    }
}

/// Cuts octets into lines; what has no end yet is kept, within bounds.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    partial: Vec<u8>,
    /// The rest of the line is of no use.
    skipping: bool,
}

impl Cutter {
    /// Takes the next octets, and gives every line that ends in them, without its end.
    pub(super) fn cut(&mut self, octets: &[u8], hear: &mut dyn FnMut(RawLine<'_>)) {
        let mut pieces = octets.split(|&octet| octet == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            let ends = pieces.peek().is_some();
            if !self.skipping {
                self.partial.extend_from_slice(piece);
                if self.partial.len() > LONGEST_LINE_OCTETS {
                    hear(RawLine::TooLong(&self.partial));
                    self.skipping = true;
                } else if ends {
                    hear(RawLine::Whole(&self.partial));
                }
            }
            if ends || self.skipping {
                self.partial.clear();
            }
            self.skipping &= !ends;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{OpenOptions, rename, write};
    use std::io::Write;

    use super::*;

    /// Every line that a look finds, `+` for a file that begins.
    fn look(tail: &mut Tail) -> String {
        let mut heard = String::new();
        tail.poll(&mut |said| match said {
            Heard::Begins(_) => heard.push('+'),
            Heard::Cut(RawLine::Whole(line)) => heard += &(String::from_utf8_lossy(line) + ";"),
            Heard::Cut(RawLine::TooLong(_)) => heard.push('!'),
        })
        .unwrap();
        heard
    }

    fn append(path: &Path, text: &str) {
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn a_line_is_held_back_until_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("mail.log");
        let mut tail = Tail::new(&log);
        assert_eq!(look(&mut tail), "", "no log yet");
        append(&log, "a\nb");
        assert_eq!(look(&mut tail), "+a;");
        append(&log, "c");
        assert_eq!(look(&mut tail), "");
        append(&log, "\n\nd\n");
        assert_eq!(look(&mut tail), "bc;;d;");
    }

    #[test]
    fn rotation_loses_no_line_and_repeats_none() {
        let folder = tempfile::tempdir().unwrap();
        let [log, old] = ["mail.log", "mail.log.1"].map(|name| folder.path().join(name));
        let mut tail = Tail::new(&log);
        append(&log, "a\n");
        assert_eq!(look(&mut tail), "+a;");
        rename(&log, &old).unwrap();
        append(&old, "b\n");
        assert_eq!(look(&mut tail), "b;", "the new file is not there yet");
        append(&old, "c\n");
        append(&log, "d\n");
        assert_eq!(look(&mut tail), "c;+d;");
        append(&log, "e\n");
        assert_eq!(look(&mut tail), "e;");
    }

    #[test]
    fn a_truncated_log_is_read_from_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("mail.log");
        let mut tail = Tail::new(&log);
        append(&log, "aaaa\nbb");
        assert_eq!(look(&mut tail), "+aaaa;");
        write(&log, "c\n").unwrap();
        assert_eq!(look(&mut tail), "+c;");
    }

    #[test]
    fn a_line_over_the_limit_is_told_once_and_the_next_one_is_heard() {
        let folder = tempfile::tempdir().unwrap();
        for (octets, expected) in [
            (LONGEST_LINE_OCTETS - 1, "+;z;"),
            (LONGEST_LINE_OCTETS, "+;z;"),
            (LONGEST_LINE_OCTETS + 1, "+!z;"),
            (LONGEST_LINE_OCTETS * 4, "+!z;"),
        ] {
            let log = folder.path().join(octets.to_string());
            append(&log, &"x".repeat(octets));
            append(&log, "\nz\n");
            let heard = look(&mut Tail::new(&log)).replace('x', "");
            assert_eq!(heard, expected, "{octets}");
        }
    }
}
