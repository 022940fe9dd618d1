//! syslog - the head of a log line: time, program, process
//!
//! Reads classic syslog (`Nov 24 04:03:44 host program[pid]: message`, RFC 3164 section 4.1.2), with a time of any form
//! that `stamp` knows, without a host, with the facility and level or the level alone behind or in place of the host,
//! RFC 5424, and what Dovecot writes into a file of its own (`Nov 24 04:03:44 imap-login: Info: message`).
//! Not here: what stands in front of such a head (`envelope`), JSON (`journald`), what the message says.
//!
//! Classic timestamps have no year. [`Dates`] takes it from the time of the file's last line and goes
//! on to the next year where December is followed by January. Local times are those of the zone that
//! it is given; an hour that summer time repeats is taken as the first of the two.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use super::dovecot;
use super::scan::Scan;
use super::stamp::{CivilStamp, Stamp};
use crate::moment::Moment;

/// The head of a line, and the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// When.
    pub stamp: Stamp,
    /// The machine; empty where the line has none.
    pub host: &'a [u8],
    /// `postfix/smtpd`, `dovecot`, `auth`.
    pub program: &'a [u8],
    /// The process, where the line has it.
    pub pid: Option<u32>,
    /// The rest of the line.
    pub message: &'a [u8],
}

/// The head that nearly all lines have: time, host, program, each behind one blank.
pub(super) fn common(line: &[u8]) -> Option<Header<'_>> {
    let mut scan = Scan::new(line);
    let stamp = Stamp::read(&mut scan)?;
    scan.literal(b" ")?;
    let host = scan.until(b' ')?;
    if host.is_empty() || host.ends_with(b":") || !host.iter().all(|&byte| is_plain_host(byte)) {
        return None;
    }
    tag(&mut scan).map(|tag| tag.header(stamp, host))
}

const fn is_plain_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':')
}

/// `program[pid]: message`.
#[derive(Clone, Copy)]
struct Tag<'a> {
    program: &'a [u8],
    pid: Option<u32>,
    message: &'a [u8],
}

impl<'a> Tag<'a> {
    const fn header(self, stamp: Stamp, host: &'a [u8]) -> Header<'a> {
        Header {
            stamp,
            host,
            program: self.program,
            pid: self.pid,
            message: self.message,
        }
    }
}

fn tag<'a>(scan: &mut Scan<'a>) -> Option<Tag<'a>> {
    let program = scan.run(|byte| !matches!(byte, b'[' | b':' | b' '))?;
    let mut pid = None;
    if scan.skip(b"[") {
        pid = scan.number();
        scan.literal(b"]")?;
    }
    scan.literal(b":")?;
    if !scan.rest().is_empty() {
        scan.literal(b" ")?;
    }
    if matches!(scan.rest().first(), Some(b' ' | b'[')) {
        without_message_id(scan);
    }
    Some(Tag {
        program,
        pid,
        message: scan.rest(),
    })
}

/// Solaris writes `[ID 197553 mail.info] ` in front of the message, others more blanks.
fn without_message_id(scan: &mut Scan<'_>) {
    let _ = scan.run(|byte| byte == b' ');
    let mut ahead = *scan;
    if ahead.skip(b"[ID ")
        && ahead.number().is_some()
        && ahead.skip(b" ")
        && ahead.until(b']').is_some()
    {
        ahead.skip(b" ");
        *scan = ahead;
    }
}

/// The words that may stand between the time and the program.
const MOST_WORDS: usize = 3;

/// Reads what follows the time: the head without it, in all its forms.
pub(super) fn behind_time(stamp: Stamp, text: &[u8]) -> Option<Header<'_>> {
    if let Some(header) = structured(stamp, text) {
        return Some(header);
    }
    let mut scan = Scan::new(text);
    let mut host: &[u8] = b"";
    for word in 0..=MOST_WORDS {
        let _ = scan.run(|byte| byte == b' ');
        if scan.rest().starts_with(b"last message repeated ") {
            return Some(Header {
                stamp,
                host,
                program: b"syslogd",
                pid: None,
                message: scan.rest(),
            });
        }
        if word == 0 && is_dovecots_own(scan.rest()) {
            return Some(Header {
                stamp,
                host,
                program: b"dovecot",
                pid: None,
                message: scan.rest(),
            });
        }
        let mut ahead = scan;
        if let Some(tag) = tag(&mut ahead) {
            return Some(tag.header(stamp, host));
        }
        let next = scan.until(b' ')?;
        let fits = if word == 0 { is_host } else { is_level };
        if !fits(next) {
            return None;
        }
        if word == 0 {
            host = next;
        }
    }
    None
}

/// A line of a file that only Dovecot writes: it begins with a service of Dovecot's.
fn is_dovecots_own(text: &[u8]) -> bool {
    let end = text
        .iter()
        .position(|byte| matches!(byte, b':' | b'(' | b' ' | b'['));
    let Some((name, rest)) = end.and_then(|end| text.split_at_checked(end)) else {
        return false;
    };
    (rest.starts_with(b": ") || rest.starts_with(b"(")) && dovecot::is_service(name)
}

/// `mx`, `192.0.2.1`, `[192.0.2.1]`, `src@mx`, `mx/relay`, `INFO`, `<mail.info>`.
fn is_host(word: &[u8]) -> bool {
    let inner =
        |byte: &u8| is_plain_host(*byte) || matches!(byte, b'@' | b'/' | b'[' | b']' | b'<' | b'>');
    !word.is_empty() && word.iter().all(inner)
}

/// `mx`, `mail.info`, `INFO`, `[info]`: a name, and no tag.
fn is_level(word: &[u8]) -> bool {
    !word.ends_with(b":") && is_host(word)
}

/// RFC 5424 section 6: `host program pid message-id data message`, all of them words.
fn structured(stamp: Stamp, text: &[u8]) -> Option<Header<'_>> {
    let mut scan = Scan::new(text);
    let host = scan.until(b' ')?;
    let program = scan.until(b' ')?;
    if !is_host(host) || program.is_empty() || program.ends_with(b":") {
        return None;
    }
    let pid = match scan.until(b' ')? {
        b"-" => None,
        digits => Some(
            Scan::new(digits)
                .number()
                .filter(|_| digits.iter().all(u8::is_ascii_digit))?,
        ),
    };
    let id = scan.until(b' ')?;
    if id.is_empty() || id.ends_with(b":") {
        return None;
    }
    if !scan.skip(b"-") {
        data(&mut scan)?;
    }
    if !scan.rest().is_empty() {
        scan.literal(b" ")?;
    }
    scan.skip(b"\xef\xbb\xbf");
    let _ = scan.run(|byte| byte == b' ');
    Some(Header {
        stamp,
        host,
        program,
        pid,
        message: scan.rest(),
    })
}

/// `[id name="value"][...]`: a quote and a bracket in a value stand behind a backslash.
fn data(scan: &mut Scan<'_>) -> Option<()> {
    scan.literal(b"[")?;
    loop {
        scan.run(|byte| !matches!(byte, b'"' | b']'))?;
        if scan.skip(b"]") {
            if !scan.skip(b"[") {
                return Some(());
            }
            continue;
        }
        scan.literal(b"\"")?;
        loop {
            let _ = scan.run(|byte| !matches!(byte, b'"' | b'\\'));
            if scan.skip(b"\"") {
                break;
            }
            scan.literal(b"\\")?;
            scan.run_one()?;
        }
        // The bracket may follow the value at once.
        if scan.skip(b"]") && !scan.skip(b"[") {
            return Some(());
        }
    }
}

/// Timestamps of one file to moments.
#[derive(Debug)]
pub struct Dates {
    zone: TimeZone,
    /// Where the file's last line must be, at the latest.
    newest: DateTime,
    year: Option<i16>,
    last_day: i32,
    /// Where a year was added: the day before, and the day after.
    added: Option<(i32, i32)>,
    /// The hour last looked up, and its beginning in seconds since the epoch.
    hour: Option<((DateTime, Option<i32>), i64)>,
}

/// Lines may be somewhat out of order, and clocks somewhat wrong.
const SLACK_DAYS: i32 = 2;
/// Going back by more than this means that a year ended.
const HALF_A_YEAR_DAYS: i32 = 186;
/// Going forward by more than this means a late line of the year before.
const NEARLY_A_YEAR_DAYS: i32 = 365;
/// Going forward to a day at most so long after the one before a year ended means that none ended: the clock was wrong.
const AWAY_DAYS: i32 = 14;

impl Dates {
    /// For a file whose last line was written at `newest`, with local times of `zone`.
    pub fn new(zone: TimeZone, newest: Moment) -> Self {
        let seconds = i64::try_from(newest.as_seconds()).unwrap_or(i64::MAX);
        let newest = jiff::Timestamp::from_second(seconds)
            .map_or(DateTime::MAX, |stamp| zone.to_datetime(stamp));
        Self {
            zone,
            newest,
            year: None,
            last_day: 0,
            added: None,
            hour: None,
        }
    }

    /// Takes note of the stamp's day, in the order of the file: so the year is followed.
    pub fn follow(&mut self, stamp: Stamp) {
        let Stamp::Civil(stamp @ CivilStamp { year: None, .. }) = stamp else {
            return;
        };
        // The day's rough place in the year, to compare two days.
        let day = i32::from(stamp.month) * 31 + i32::from(stamp.day);
        let newest = i32::from(self.newest.month()) * 31 + i32::from(self.newest.day());
        let ends = day < self.last_day - HALF_A_YEAR_DAYS;
        let year = match self.year {
            None if day > newest + SLACK_DAYS => self.newest.year().saturating_sub(1),
            None => self.newest.year(),
            Some(year) if ends => year.saturating_add(1),
            Some(year) if day > self.last_day + NEARLY_A_YEAR_DAYS => year.saturating_sub(1),
            Some(year) if self.is_back(day) => year.saturating_sub(1),
            Some(year) => year,
        };
        self.added = match ends && self.year.is_some() {
            true => Some((self.last_day, day)),
            false => self.added.filter(|_| year == self.year.unwrap_or(year)),
        };
        self.year = Some(year);
        self.last_day = day;
    }

    /// Whether the log is back where it was before a year was added, a day or two after that: no year had ended, the
    /// machine had booted in 1970, or its clock was ahead.
    fn is_back(&self, day: i32) -> bool {
        self.added.is_some_and(|(before, after)| {
            let is_at_once = self.last_day <= after + SLACK_DAYS;
            let is_later = day > self.last_day + HALF_A_YEAR_DAYS;
            let is_there = (before - SLACK_DAYS..=before + AWAY_DAYS).contains(&day);
            is_at_once && is_later && is_there
        })
    }

    /// By how many years the dates have run ahead of the file's own time: the log spans more years than
    /// its first line shows.
    pub fn years_ahead(&self) -> i16 {
        let newest = i32::from(self.newest.month()) * 31 + i32::from(self.newest.day());
        let Some(year) = self.year else { return 0 };
        let late = i16::from(self.last_day > newest + SLACK_DAYS);
        (year.saturating_add(late))
            .saturating_sub(self.newest.year())
            .max(0)
    }

    /// The moment of `stamp`, which was the last to be followed. `None`: there is no such day or time.
    pub fn moment(&mut self, stamp: Stamp) -> Option<Moment> {
        let stamp = match stamp {
            Stamp::Civil(stamp) => stamp,
            Stamp::Counted(moment) => return Some(moment),
        };
        let year = stamp.year.or(self.year)?;
        let minutes = u64::try_from(stamp.minute).ok().filter(|&m| m < 60)?;
        // A leap second is the next second.
        let seconds = u64::try_from(stamp.second).ok().filter(|&s| s <= 60)?;
        let hour = DateTime::new(year, stamp.month, stamp.day, stamp.hour, 0, 0, 0).ok()?;
        let begin = match self.hour {
            Some((known, begin)) if known == (hour, stamp.offset) => begin,
            _ => {
                let begin = self.look_up(hour, stamp.offset)?;
                self.hour = Some(((hour, stamp.offset), begin));
                begin
            }
        };
        let begin = u64::try_from(begin).ok()?;
        let whole = Moment::from_seconds(begin + minutes * 60 + seconds);
        Some(whole + std::time::Duration::from_nanos(u64::from(stamp.nanos)))
    }

    /// `moment` as many years earlier, for lines that were dated [`Self::years_ahead`].
    pub fn years_earlier(&self, moment: Moment, years: i16) -> Option<Moment> {
        let seconds = i64::try_from(moment.as_seconds()).ok()?;
        let civil = self
            .zone
            .to_datetime(jiff::Timestamp::from_second(seconds).ok()?);
        let earlier = civil.checked_sub(jiff::Span::new().years(years)).ok()?;
        let seconds = self.look_up(earlier, None)?;
        let nanos = moment.as_nanos() % 1_000_000_000;
        let whole = Moment::from_seconds(u64::try_from(seconds).ok()?);
        Some(whole + std::time::Duration::from_nanos(nanos))
    }

    fn look_up(&self, civil: DateTime, offset: Option<i32>) -> Option<i64> {
        let stamp = match offset {
            Some(seconds) => Offset::from_seconds(seconds)
                .ok()?
                .to_timestamp(civil)
                .ok()?,
            None => self.zone.to_ambiguous_timestamp(civil).compatible().ok()?,
        };
        Some(stamp.as_second())
    }
}

#[cfg(test)]
mod tests;
