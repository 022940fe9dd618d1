//! logs - the old logs that a command is given: files, gzipped files, or standard input
//!
//! Not here: what the lines mean (`gatepost_core::logs`). Local times are the machine's, or those of `TZ`.
//! The year that syslog leaves out comes from the time of the file's last change, of standard input
//! from the clock.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use jiff::tz::TimeZone;

use crate::clock::Clock;
use gatepost_core::logs::LoginHistory;
use gatepost_core::logs::collector::LogCollector;
use gatepost_core::moment::Moment;

/// Means standard input.
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

/// The zone of local times in logs.
pub(super) fn zone() -> TimeZone {
    TimeZone::system()
}

/// Reads all logs, and merges what they tell.
///
/// # Errors
///
/// When one of them cannot be read to its end.
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
        return collector.read(io::stdin().lock(), Clock::start().now(), progress);
    }
    let file = File::open(path)?;
    let newest = changed(&file)?;
    collector.read(file, newest, progress)
}

/// When a file was last written.
pub(super) fn changed(file: &File) -> io::Result<Moment> {
    let time = file.metadata()?.modified()?;
    Ok(Moment::EPOCH + time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// How far reading is, on a terminal's standard error.
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
            // A terminal that is gone has nobody to tell.
            let _ = write!(io::stderr(), "\r{lines} lines read");
        }
    }

    fn clear(&mut self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// Tells how many lines were read, and shows some of those that could not be.
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
        (_, []) => writeln!(out, "{lines} lines read, {unreadable} of them not readable"),
        (_, sample) => {
            writeln!(
                out,
                "{lines} lines read, {unreadable} of them not readable, as:"
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
