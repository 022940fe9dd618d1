//! record - the tellings of many logs, kept small, in the order of time
//!
//! Reads plain or gzipped logs (told apart by their first octets) line by line, in bounded memory a
//! line; keeps 40 octets a telling; sorts and merges at the end, so that logs may be given in any order.
//! Not here: opening files (`cli::logs`), reading a line (`listen`).
//!
//! syslog writes one line into several files (`mail.log`, `mail.warn`, `syslog`), and an administrator
//! gives them all: a telling that stands in another file already, as often as here, is a copy.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufRead, BufReader, Read};
use std::time::Duration;

use flate2::bufread::MultiGzDecoder;
use jiff::tz::TimeZone;

use super::listen::{Listener, Overheard};
use super::merge::merge;
use super::names::{NameId, Names};
use super::{History, Service, Teller};
use crate::gate::request::attempt::AuthOutcome;
use crate::gate::request::client::ClientKey;
use crate::moment::Moment;

/// A longer line is no log line.
pub const LONGEST_LINE_OCTETS: usize = 64 * 1024;

/// One telling, kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) at: Moment,
    pub(super) client: ClientKey,
    user: Option<NameId>,
    attempts: u16,
    within_seconds: u16,
    service: Service,
    outcome: AuthOutcome,
    teller: Teller,
    lacks_year: bool,
}

impl Record {
    fn new(overheard: &Overheard<'_>, user: Option<NameId>) -> Self {
        let told = overheard.telling.told;
        Self {
            at: overheard.telling.at,
            client: told.client,
            user,
            attempts: u16::try_from(told.attempts).unwrap_or(u16::MAX),
            within_seconds: u16::try_from(told.within.as_secs()).unwrap_or(u16::MAX),
            service: told.service,
            outcome: told.outcome,
            teller: told.teller,
            lacks_year: overheard.lacks_year,
        }
    }

    pub(super) fn user(&self) -> Option<NameId> {
        self.user
    }

    pub(super) fn attempts(&self) -> u16 {
        self.attempts
    }

    pub(super) fn within(&self) -> Duration {
        Duration::from_secs(self.within_seconds.into())
    }

    pub(super) fn service(&self) -> Service {
        self.service
    }

    pub(super) fn outcome(&self) -> AuthOutcome {
        self.outcome
    }

    pub(super) fn teller(&self) -> Teller {
        self.teller
    }
}

/// Gathers what logs tell.
#[derive(Debug)]
pub struct Recorder {
    listener: Listener,
    names: Names,
    records: Vec<Record>,
    copies: Copies,
}

impl Recorder {
    /// Local times in the logs are those of `zone`.
    pub fn new(zone: TimeZone) -> Self {
        Self {
            listener: Listener::new(zone),
            names: Names::default(),
            records: Vec::new(),
            copies: Copies::default(),
        }
    }

    /// Reads one log to its end. `newest` is when its last line was written. `progress` is told the number
    /// of lines read so far, every few thousand.
    ///
    /// # Errors
    /// When `log` cannot be read on: what was read until then stays.
    pub fn read(
        &mut self,
        log: impl Read,
        newest: Moment,
        progress: &mut dyn FnMut(u64),
    ) -> io::Result<()> {
        self.listener.begin(newest);
        let first = self.records.len();
        let Self {
            listener,
            names,
            records,
            copies,
        } = self;
        let read = each_line(log, |line| {
            match line {
                Line::Whole(line) => listener.hear(line, |overheard| {
                    let user = overheard.telling.told.user.map(|name| names.intern(name));
                    let record = Record::new(&overheard, user);
                    if copies.is_new(&record) {
                        records.push(record);
                    }
                }),
                Line::TooLong(beginning) => listener.too_long(beginning),
            }
            if listener.tally().lines.is_multiple_of(8192) {
                progress(listener.tally().lines);
            }
        });
        self.copies.next_file();
        self.correct_years(first);
        read
    }

    /// A log of several years is dated from its first line on, and must end at the file's time.
    fn correct_years(&mut self, first: usize) {
        let dates = self.listener.dates();
        let years = dates.years_ahead();
        if years == 0 {
            return;
        }
        let records = self.records.get_mut(first..).unwrap_or_default();
        for record in records.iter_mut().filter(|record| record.lacks_year) {
            record.at = dates.years_earlier(record.at, years).unwrap_or(record.at);
        }
    }

    /// The attempts, merged, in the order of time.
    pub fn into_history(mut self) -> History {
        self.records.sort_by_key(|record| record.at);
        let (logins, merged) = merge(&self.records, &self.names);
        History {
            logins,
            merged,
            copies: self.copies.found,
            names: self.names,
            tally: self.listener.into_tally(),
        }
    }
}

/// Tells lines that stood in an earlier file. What stands twice in one file happened twice.
#[derive(Debug, Default)]
struct Copies {
    earlier: HashMap<u64, u32>,
    this: HashMap<u64, u32>,
    found: u64,
}

impl Copies {
    fn is_new(&mut self, record: &Record) -> bool {
        let mut hasher = DefaultHasher::new();
        (
            record.at,
            record.client,
            record.user,
            record.attempts,
            record.teller as u8,
        )
            .hash(&mut hasher);
        (record.outcome == AuthOutcome::Accept, record.service).hash(&mut hasher);
        let hash = hasher.finish();
        let times = self.this.entry(hash).or_default();
        *times += 1;
        let new = self
            .earlier
            .get(&hash)
            .is_none_or(|&earlier| *times > earlier);
        self.found += u64::from(!new);
        new
    }

    fn next_file(&mut self) {
        for (hash, times) in self.this.drain() {
            let earlier = self.earlier.entry(hash).or_default();
            *earlier = times.max(*earlier);
        }
    }
}

/// A line without its end.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// The beginning of one that is longer than [`LONGEST_LINE_OCTETS`].
    TooLong(&'a [u8]),
}

/// Gives every line of `log` to `hear`; unpacks it if it is gzipped, all members of it.
///
/// # Errors
/// When `log` cannot be read on, or is damaged.
pub fn each_line(log: impl Read, hear: impl FnMut(Line<'_>)) -> io::Result<()> {
    let mut log = BufReader::with_capacity(128 * 1024, log);
    if log.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        let log = BufReader::with_capacity(128 * 1024, MultiGzDecoder::new(log));
        return lines(log, hear);
    }
    lines(log, hear)
}

fn lines(mut log: impl BufRead, mut hear: impl FnMut(Line<'_>)) -> io::Result<()> {
    let most = LONGEST_LINE_OCTETS as u64 + 1;
    let mut line = Vec::new();
    loop {
        line.clear();
        if log.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if let Some(whole) = line.strip_suffix(b"\n") {
            hear(Line::Whole(whole));
        } else if line.len() <= LONGEST_LINE_OCTETS {
            hear(Line::Whole(&line));
        } else {
            hear(Line::TooLong(&line));
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
