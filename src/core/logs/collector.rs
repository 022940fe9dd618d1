//! collector - the events of many logs, kept small, in the order of time
//!
//! Reads plain or packed logs (`packed`) line by line, in bounded memory a line; keeps 40 octets an event; sorts and merges
//! at the end, so that logs may be given in any order.
//! Not here: opening files (`cli::logs`), reading a line (`parser`).
//!
//! syslog writes one line into several files (`mail.log`, `mail.warn`, `syslog`), and an administrator
//! gives them all: an event that stands in another file already, as often as here, is a copy.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufRead, Read};

use jiff::tz::TimeZone;

use super::LoginHistory;
use super::merge::{Presence, Witnesses, merge};
use super::names::Names;
use super::packed;
use super::parser::LogParser;
use super::row::LogRow;
use crate::gate::request::attempt::AuthOutcome;
use crate::moment::Moment;

/// A longer line is no log line.
pub const LONGEST_LINE_OCTETS: usize = 64 * 1024;

/// Which events are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeptEvents {
    All,
    /// Successes only: memory does not grow with guesses, whose number and names an attacker chooses.
    Successes,
}

impl KeptEvents {
    fn keeps(self, outcome: AuthOutcome) -> bool {
        self == Self::All || outcome == AuthOutcome::Accept
    }
}

/// Collects the events of logs.
#[derive(Debug)]
pub struct LogCollector {
    kept: KeptEvents,
    parser: LogParser,
    names: Names,
    rows: Vec<LogRow>,
    copies: Copies,
}

impl LogCollector {
    /// Local times in the logs are those of `zone`.
    pub fn new(zone: TimeZone) -> Self {
        Self::keeping(KeptEvents::All, zone)
    }

    /// Collects successful logins only.
    pub fn of_successes(zone: TimeZone) -> Self {
        Self::keeping(KeptEvents::Successes, zone)
    }

    fn keeping(kept: KeptEvents, zone: TimeZone) -> Self {
        Self {
            kept,
            parser: LogParser::new(zone),
            names: Names::default(),
            rows: Vec::new(),
            copies: Copies::default(),
        }
    }

    /// Reads one log to its end. `newest` is when its last line was written. `progress` is called with
    /// the number of lines read so far, every few thousand.
    ///
    /// # Errors
    /// When `log` cannot be read on, or is damaged: what was read until then stays.
    pub fn read(
        &mut self,
        log: impl Read,
        newest: Moment,
        progress: &mut dyn FnMut(u64),
    ) -> io::Result<()> {
        self.parser.begin(newest);
        let first = self.rows.len();
        let Self {
            kept,
            parser,
            names,
            rows,
            copies,
        } = self;
        let read = each_line(log, |line| {
            match line {
                RawLine::Whole(line) => parser.parse_line(line, |event| {
                    if !kept.keeps(event.report.outcome) {
                        return;
                    }
                    let user = event.report.user.map(|name| names.intern(name));
                    let row = LogRow::new(&event, user);
                    if copies.is_new(&row) {
                        rows.push(row);
                    }
                }),
                RawLine::TooLong(beginning) => parser.too_long(beginning),
            }
            if parser.stats().lines.is_multiple_of(8192) {
                progress(parser.stats().lines);
            }
        });
        self.copies.next_file();
        self.correct_years(first);
        read
    }

    /// A log of several years is dated from its first line on, and must end at the file's time.
    fn correct_years(&mut self, first: usize) {
        let dates = self.parser.dates();
        let years = dates.years_ahead();
        if years == 0 {
            return;
        }
        let rows = self.rows.get_mut(first..).unwrap_or_default();
        for row in rows.iter_mut().filter(|row| row.lacks_year()) {
            row.at = dates.years_earlier(row.at, years).unwrap_or(row.at);
        }
    }

    /// The attempts, merged, in the order of time.
    pub fn into_history(mut self) -> LoginHistory {
        let stats = self.parser.into_stats();
        let witnesses = Witnesses {
            smtpd: Presence::of(stats.smtpd),
            login_processes: Presence::of(stats.login_processes),
        };
        let merged = merge(&mut self.rows, &self.names, witnesses);
        LoginHistory {
            attempts: merged.attempts,
            merged: merged.merged,
            dropped: merged.dropped,
            copies: self.copies.found,
            names: self.names,
            stats,
        }
    }
}

/// Finds lines that stood in an earlier file. What stands twice in one file happened twice.
#[derive(Debug, Default)]
struct Copies {
    earlier: HashMap<u64, u32>,
    this: HashMap<u64, u32>,
    found: u64,
}

impl Copies {
    /// One log may have whole seconds and another fractions of them: a line may stand in both.
    fn is_new(&mut self, row: &LogRow) -> bool {
        let second = Moment::from_seconds(row.at.as_seconds());
        let times = self.count(hash(row, row.at, Precision::AsWritten));
        let new = times > self.earlier(hash(row, row.at, Precision::AsWritten))
            && if row.at == second {
                times > self.earlier(hash(row, second, Precision::Fraction))
            } else {
                let whole = self.earlier(hash(row, second, Precision::AsWritten));
                self.count(hash(row, second, Precision::Fraction)) > whole
            };
        self.found += u64::from(!new);
        new
    }

    fn count(&mut self, hash: u64) -> u32 {
        let times = self.this.entry(hash).or_default();
        *times += 1;
        *times
    }

    fn earlier(&self, hash: u64) -> u32 {
        self.earlier.get(&hash).copied().unwrap_or_default()
    }

    fn next_file(&mut self) {
        for (hash, times) in self.this.drain() {
            let earlier = self.earlier.entry(hash).or_default();
            *earlier = times.max(*earlier);
        }
    }
}

/// What a hash of a row counts.
#[derive(Clone, Copy, Hash)]
enum Precision {
    /// Rows with that time.
    AsWritten,
    /// Rows with a fraction of that second.
    Fraction,
}

fn hash(row: &LogRow, at: Moment, precision: Precision) -> u64 {
    let mut hasher = DefaultHasher::new();
    let source = row.source() as u8;
    (
        at,
        precision,
        row.client,
        row.user(),
        row.attempts(),
        source,
    )
        .hash(&mut hasher);
    (row.outcome() == AuthOutcome::Accept, row.service()).hash(&mut hasher);
    hasher.finish()
}

/// A line without its end.
#[derive(Debug, PartialEq, Eq)]
pub enum RawLine<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// The beginning of one that is longer than [`LONGEST_LINE_OCTETS`].
    TooLong(&'a [u8]),
}

/// Calls `each` with every line of `log`, unpacked if it is packed.
///
/// # Errors
/// When `log` cannot be read on, or is damaged: what was read until then was passed on.
pub fn each_line(log: impl Read, each: impl FnMut(RawLine<'_>)) -> io::Result<()> {
    lines(packed::unpacked(log)?, each)
}

fn lines(mut log: impl BufRead, mut each: impl FnMut(RawLine<'_>)) -> io::Result<()> {
    let most = LONGEST_LINE_OCTETS as u64 + 1;
    let mut line = Vec::new();
    loop {
        line.clear();
        if log.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if let Some(whole) = line.strip_suffix(b"\n") {
            each(RawLine::Whole(whole));
        } else if line.len() <= LONGEST_LINE_OCTETS {
            each(RawLine::Whole(&line));
        } else {
            each(RawLine::TooLong(&line));
            skip_line(&mut log)?;
        }
    }
}

fn skip_line(log: &mut impl BufRead) -> io::Result<()> {
    loop {
        let ahead = log.fill_buf()?;
        match ahead.iter().position(|&byte| byte == b'\n') {
            Some(at) => {
                log.consume(at + 1);
                return Ok(());
            }
            None if ahead.is_empty() => return Ok(()),
            None => {
                let all = ahead.len();
                log.consume(all);
            }
        }
    }
}

#[cfg(test)]
mod tests;
