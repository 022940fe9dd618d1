//! tail - reads the lines added to a growing log, over rotation and truncation
//!
//! Never waits: [`LogTail::poll`] takes what is available. The last line is held back until its end is written.
//! Not here: when to poll again (`follow`).
//!
//! When the name gets another inode, the old file is read to its end, then the new one from its
//! beginning. A file that has become shorter was truncated (logrotate's `copytruncate`) and is read again.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::logs;
use crate::files;
use gatepost_core::logs::collector::{LONGEST_LINE_OCTETS, RawLine};
use gatepost_core::moment::Moment;

/// What a poll finds.
pub(super) enum TailEvent<'a> {
    /// Another file begins; holds the time of its last change.
    NewFile(Moment),
    /// A line.
    Line(RawLine<'a>),
}

/// A log that is read as it grows.
#[derive(Debug)]
pub(super) struct LogTail {
    path: PathBuf,
    open: Option<OpenFile>,
    splitter: LineSplitter,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    inode: (u64, u64),
    position: u64,
}

impl LogTail {
    /// The log `path`, from its beginning.
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            open: None,
            splitter: LineSplitter::default(),
        }
    }

    /// The log's name.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads all available lines. A missing log has none: it may be between two rotations.
    ///
    /// # Errors
    ///
    /// When the log exists and cannot be read.
    pub(super) fn poll(&mut self, on_event: &mut dyn FnMut(TailEvent<'_>)) -> io::Result<()> {
        self.read_on(on_event)?;
        let there = match std::fs::metadata(&self.path) {
            Ok(metadata) => (metadata.dev(), metadata.ino()),
            Err(fault) if fault.kind() == ErrorKind::NotFound => return Ok(()),
            Err(fault) => return Err(fault),
        };
        if self.open.as_ref().is_some_and(|open| open.inode == there) {
            return Ok(());
        }
        // What was written between the last poll and the rotation.
        self.read_on(on_event)?;
        let file = match files::open_regular(&self.path) {
            Ok(file) => file,
            Err(fault) if fault.kind() == ErrorKind::NotFound => return Ok(()),
            Err(fault) => return Err(fault),
        };
        let metadata = file.metadata()?;
        on_event(TailEvent::NewFile(logs::changed(&file)?));
        self.splitter = LineSplitter::default();
        self.open = Some(OpenFile {
            inode: (metadata.dev(), metadata.ino()),
            file,
            position: 0,
        });
        self.read_on(on_event)
    }

    fn read_on(&mut self, on_event: &mut dyn FnMut(TailEvent<'_>)) -> io::Result<()> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        if open.file.metadata()?.len() < open.position {
            open.file.seek(SeekFrom::Start(0))?;
            open.position = 0;
            self.splitter = LineSplitter::default();
            on_event(TailEvent::NewFile(logs::changed(&open.file)?));
        }
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = open.file.read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            open.position += read as u64;
            let octets = buffer.get(..read).unwrap_or_default();
            self.splitter
                .split(octets, &mut |line| on_event(TailEvent::Line(line)));
        }
    }
}

/// Splits octets into lines; an incomplete line is kept, within bounds.
#[derive(Debug, Default)]
pub(super) struct LineSplitter {
    partial: Vec<u8>,
    /// The rest of the line is skipped.
    skipping: bool,
}

impl LineSplitter {
    /// Takes the next octets, and passes on every line that ends in them, without its end.
    pub(super) fn split(&mut self, octets: &[u8], on_event: &mut dyn FnMut(RawLine<'_>)) {
        let mut pieces = octets.split(|&octet| octet == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            let ends = pieces.peek().is_some();
            if !self.skipping {
                self.partial.extend_from_slice(piece);
                if self.partial.len() > LONGEST_LINE_OCTETS {
                    on_event(RawLine::TooLong(&self.partial));
                    self.skipping = true;
                } else if ends {
                    on_event(RawLine::Whole(&self.partial));
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

    /// Every line that a poll finds, `+` for a file that begins.
    fn poll(tail: &mut LogTail) -> String {
        let mut event = String::new();
        tail.poll(&mut |said| match said {
            TailEvent::NewFile(_) => event.push('+'),
            TailEvent::Line(RawLine::Whole(line)) => {
                event += &(String::from_utf8_lossy(line) + ";")
            }
            TailEvent::Line(RawLine::TooLong(_)) => event.push('!'),
        })
        .unwrap();
        event
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
        let mut tail = LogTail::new(&log);
        assert_eq!(poll(&mut tail), "", "no log yet");
        append(&log, "a\nb");
        assert_eq!(poll(&mut tail), "+a;");
        append(&log, "c");
        assert_eq!(poll(&mut tail), "");
        append(&log, "\n\nd\n");
        assert_eq!(poll(&mut tail), "bc;;d;");
    }

    #[test]
    fn rotation_loses_no_line_and_repeats_none() {
        let folder = tempfile::tempdir().unwrap();
        let [log, old] = ["mail.log", "mail.log.1"].map(|name| folder.path().join(name));
        let mut tail = LogTail::new(&log);
        append(&log, "a\n");
        assert_eq!(poll(&mut tail), "+a;");
        rename(&log, &old).unwrap();
        append(&old, "b\n");
        assert_eq!(poll(&mut tail), "b;", "the new file is not there yet");
        append(&old, "c\n");
        append(&log, "d\n");
        assert_eq!(poll(&mut tail), "c;+d;");
        append(&log, "e\n");
        assert_eq!(poll(&mut tail), "e;");
    }

    #[test]
    fn a_truncated_log_is_read_from_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("mail.log");
        let mut tail = LogTail::new(&log);
        append(&log, "aaaa\nbb");
        assert_eq!(poll(&mut tail), "+aaaa;");
        write(&log, "c\n").unwrap();
        assert_eq!(poll(&mut tail), "+c;");
    }

    #[test]
    fn a_line_over_the_limit_is_reported_once_and_the_next_one_is_read() {
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
            let event = poll(&mut LogTail::new(&log)).replace('x', "");
            assert_eq!(event, expected, "{octets}");
        }
    }
}
