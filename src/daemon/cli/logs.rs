//! logs - opens the logs that a command is given: files, packed files, or standard input; or those of the machine
//!
//! A log that is damaged is named, and the others are read.
//! Not here: parsing the lines (`logs` in the core), the bar (`progress`), where the machine has them (`machine`). Local times are in the machine's time zone, or in `TZ`.
//! syslog omits the year. It is taken from the time of the file's last change, for standard input
//! from the clock.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::UNIX_EPOCH;

use jiff::tz::TimeZone;

use crate::clock::Clock;
use crate::files;
use gatepost_core::logs::LoginHistory;
use gatepost_core::logs::collector::LogCollector;
use gatepost_core::logs::parser::ParseStats;
use gatepost_core::moment::Moment;

pub(super) use progress::Progress;

pub(super) mod machine;
mod progress;

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

/// What was read of several logs.
pub(super) struct ReadLogs {
    /// Their logins.
    pub(super) history: LoginHistory,
    /// Logs that could not be read to their end: what stood before the damage was read.
    pub(super) damaged: Vec<LogFault>,
}

/// Reads all logs into `collector`, and merges their logins. Without a path: those of this machine, files of syslog or else the journal.
///
/// # Errors
///
/// When one of them cannot be opened.
pub(super) fn read(paths: &[PathBuf], collector: LogCollector) -> Result<ReadLogs, LogFault> {
    if !paths.is_empty() {
        return read_files(paths, collector);
    }
    match machine::files(&machine::PLACES).as_slice() {
        [] => read_journal(collector),
        found => read_files(found, collector),
    }
}

fn read_journal(mut collector: LogCollector) -> Result<ReadLogs, LogFault> {
    let [program, arguments @ ..] = machine::JOURNAL;
    let fault = |source| LogFault {
        path: format!("/var/log/mail.log, which is not there, nor the journal by {program}"),
        source,
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = command.spawn().map_err(fault)?;
    let progress = Progress::of(None);
    let read = child.stdout.take().map(|said| {
        let mut show = |lines| progress.show(lines);
        collector.read(progress.counted(said), Clock::wall(), &mut show)
    });
    let ended = child.wait().map_err(fault)?;
    read.unwrap_or(Ok(())).map_err(fault)?;
    if !ended.success() {
        return Err(fault(io::Error::other(ended.to_string())));
    }
    let history = collector.into_history();
    Ok(ReadLogs {
        history,
        damaged: Vec::new(),
    })
}

fn read_files(paths: &[PathBuf], mut collector: LogCollector) -> Result<ReadLogs, LogFault> {
    let mut octets = Some(0);
    for path in paths {
        let more = size(path).map_err(LogFault::of(path))?;
        octets = octets.zip(more).map(|(octets, more)| octets + more);
    }
    let progress = Progress::of(octets);
    let mut damaged = Vec::new();
    for path in paths {
        let read = read_one(&mut collector, path, &progress).map_err(LogFault::of(path))?;
        damaged.extend(read.map_err(LogFault::of(path)).err());
    }
    drop(progress);
    let merging = Progress::stage("merging the lines about one attempt".to_owned());
    let history = collector.into_history();
    drop(merging);
    Ok(ReadLogs { history, damaged })
}

/// The octets of a log. `None`: nobody knows, as of a pipe.
fn size(path: &Path) -> io::Result<Option<u64>> {
    if path == Path::new(STDIN) {
        return Ok(None);
    }
    let metadata = std::fs::metadata(path)?;
    Ok(metadata.is_file().then_some(metadata.len()))
}

/// The outer error: it cannot be opened; the inner one: it cannot be read on.
fn read_one(
    collector: &mut LogCollector,
    path: &Path,
    progress: &Progress,
) -> io::Result<io::Result<()>> {
    let mut show = |lines| progress.show(lines);
    if path == Path::new(STDIN) {
        let log = progress.counted(io::stdin().lock());
        return Ok(collector.read(log, Clock::wall(), &mut show));
    }
    let file = open(path)?;
    let newest = changed(&file)?;
    Ok(collector.read(progress.counted(file), newest, &mut show))
}

/// Names the logs that could not be read to their end, on standard error.
pub(super) fn show_damaged(damaged: &[LogFault]) {
    for fault in damaged {
        // Without standard error the message is lost.
        let _ = writeln!(
            io::stderr(),
            "gatepost: {fault}; only what stands before the damage was read"
        );
    }
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

/// How many lines were read, and which of them were not.
pub(super) struct LineCounts<'a> {
    /// All lines.
    pub(super) lines: u64,
    /// Those that could not be parsed.
    pub(super) unreadable: u64,
    /// Those of them that look like a login.
    pub(super) not_understood: u64,
    /// Some of them.
    pub(super) sample: &'a [String],
}

impl<'a> LineCounts<'a> {
    /// Those of `stats`.
    pub(super) fn of(stats: &'a ParseStats) -> Self {
        Self {
            lines: stats.lines,
            unreadable: stats.unreadable,
            not_understood: stats.not_understood,
            sample: &stats.sample,
        }
    }

    /// Shows them.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written.
    pub(super) fn show(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self {
            lines, unreadable, ..
        } = self;
        if *unreadable == 0 {
            return writeln!(out, "{lines} lines read");
        }
        write!(
            out,
            "{lines} lines read, {unreadable} of them could not be parsed"
        )?;
        if self.not_understood > 0 {
            write!(out, ", {} of which look like logins", self.not_understood)?;
        }
        if self.sample.is_empty() {
            return writeln!(out);
        }
        writeln!(out, ", such as:")?;
        self.sample
            .iter()
            .try_for_each(|line| writeln!(out, "    {line}"))
    }
}

/// `2026-11-24T04:03:44Z`.
pub(super) fn timestamp(at: Moment) -> String {
    crate::report::events::timestamp(at)
}
