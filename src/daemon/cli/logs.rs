//! logs - opens the logs that a command is given: files, gzipped files, or standard input
//!
//! Not here: parsing the lines (`logs` in the core). Local times are in the machine's time zone, or in `TZ`.
//! syslog omits the year. It is taken from the time of the file's last change, for standard input
//! from the clock.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use jiff::tz::TimeZone;

use crate::clock::Clock;
use crate::files;
use gatepost_core::logs::LoginHistory;
use gatepost_core::logs::collector::LogCollector;
use gatepost_core::moment::Moment;

/// The name for standard input.
pub(super) const STDIN: &str = "-";

/// A log that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}: {source}")]
pub(super) struct LogFault {
    path: String,
    source: io::Error,
}

impl LogFault {
    pub(super) fn of(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self { path, source }
    }
}

/// The time zone of local times in logs.
pub(super) fn zone() -> TimeZone {
    TimeZone::system()
}

/// Reads all logs, and merges their logins.
///
/// # Errors
///
/// When one of them cannot be read completely.
pub(super) fn read(paths: &[PathBuf]) -> Result<LoginHistory, LogFault> {
    let mut collector = LogCollector::new(zone());
    let mut progress = Progress::new();
    for path in paths {
        read_one(&mut collector, path, &mut |lines| progress.show(lines))
            .map_err(LogFault::of(path))?;
    }
    progress.clear();
    Ok(collector.into_history())
}

fn read_one(
    collector: &mut LogCollector,
    path: &Path,
    progress: &mut dyn FnMut(u64),
) -> io::Result<()> {
    if path == Path::new(STDIN) {
        return collector.read(io::stdin().lock(), Clock::wall(), progress);
    }
    let file = open(path)?;
    let newest = changed(&file)?;
    collector.read(file, newest, progress)
}

/// Opens a log: a regular file, or a pipe that the shell made for this command, as `<(zcat ...)` does. Any other
/// pipe or device may have no end, and any user who can write into a folder of logs can put one there.
///
/// # Errors
///
/// When it cannot be opened, or is something else.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let ours = ["/dev/fd", "/dev/stdin", "/proc/self/fd"];
    match ours.iter().any(|ours| path.starts_with(ours)) {
        true => File::open(path),
        false => files::open_regular(path),
    }
}

/// When the file was last written.
pub(super) fn changed(file: &File) -> io::Result<Moment> {
    let time = file.metadata()?.modified()?;
    Ok(Moment::EPOCH + time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// The progress of reading, shown on standard error if that is a terminal.
struct Progress {
    terminal: bool,
    shown: bool,
}

impl Progress {
    fn new() -> Self {
        Self {
            terminal: io::stderr().is_terminal(),
            shown: false,
        }
    }

    fn show(&mut self, lines: u64) {
        const EVERY: u64 = 8192 * 8;
        if self.terminal && lines.is_multiple_of(EVERY) {
            self.shown = true;
            // Without the terminal there is nothing to show.
            let _ = write!(io::stderr(), "\r{lines} lines read");
        }
    }

    fn clear(&mut self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// Shows how many lines were read, and a sample of those that could not be parsed.
///
/// # Errors
///
/// When `out` cannot be written.
pub(super) fn show_lines(
    lines: u64,
    unreadable: u64,
    sample: &[String],
    out: &mut dyn Write,
) -> io::Result<()> {
    match (unreadable, sample) {
        (0, _) => writeln!(out, "{lines} lines read"),
        (_, []) => writeln!(
            out,
            "{lines} lines read, {unreadable} of them could not be parsed"
        ),
        (_, sample) => {
            writeln!(
                out,
                "{lines} lines read, {unreadable} of them could not be parsed, such as:"
            )?;
            sample
                .iter()
                .try_for_each(|line| writeln!(out, "    {line}"))
        }
    }
}

/// `2026-11-24T04:03:44Z`.
pub(super) fn timestamp(at: Moment) -> String {
    crate::report::events::timestamp(at)
}
