//! syslog - the head of a log line: time, program, process
//!
//! Reads classic syslog (`Nov 24 04:03:44 host program[pid]: message`, RFC 3164 section 4.1.2), the
//! same with an RFC 3339 timestamp (rsyslog's default, journalctl's short-iso), and what Dovecot
//! writes into a file of its own (`Nov 24 04:03:44 imap-login: Info: message`).
//! Not here: journalctl's JSON (`journald`), what the message says.
//!
//! Classic timestamps have no year. [`Dates`] takes it from the time of the file's last line and goes
//! on to the next year where December is followed by January. Local times are those of the zone that
//! it is given; an hour that summer time repeats is taken as the first of the two.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use super::scan::Scan;
use crate::moment::Moment;

/// A timestamp as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    year: Option<i16>,
    month: i8,
    day: i8,
    hour: i8,
    minute: i8,
    second: i8,
    nanos: u32,
    /// Seconds east of Greenwich.
    offset: Option<i32>,
}

impl Stamp {
    /// Whether the year is left out.
    pub const fn lacks_year(self) -> bool {
        self.year.is_none()
    }

    /// A stamp of that day with the time that stands next, `04:03:44`, with or without a fraction of the
    /// second, and without a zone.
    fn at_time(scan: &mut Scan<'_>, year: Option<i16>, month: i8, day: i8) -> Option<Self> {
        let hour = small(scan.digits(2)?)?;
        scan.literal(b":")?;
        let minute = small(scan.digits(2)?)?;
        scan.literal(b":")?;
        let second = small(scan.digits(2)?)?;
        let mut nanos = 0;
        if scan.skip(b".") {
            let digits = scan.run(|byte| byte.is_ascii_digit())?;
            for place in 0..9 {
                nanos = nanos * 10 + digits.get(place).map_or(0, |digit| u32::from(digit - b'0'));
            }
        }
        Some(Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
            nanos,
            offset: None,
        })
    }

    /// The day's rough place in the year, to compare two days.
    fn day_of_year(self) -> i32 {
        i32::from(self.month) * 31 + i32::from(self.day)
    }
}

/// The head of a line, and the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// When.
    pub stamp: Stamp,
    /// `postfix/smtpd`, `dovecot`, `auth`.
    pub program: &'a [u8],
    /// The process, where the line has it.
    pub pid: Option<u32>,
    /// The rest of the line.
    pub message: &'a [u8],
}

/// Reads the head of `line`. `None`: there is no timestamp that we know, or nothing behind it.
pub fn header(line: &[u8]) -> Option<Header<'_>> {
    let mut scan = Scan::new(line);
    let stamp = match line.first()? {
        b'0'..=b'9' => iso(&mut scan)?,
        _ => classic(&mut scan)?,
    };
    scan.literal(b" ")?;
    let own = scan;
    let host = scan.until(b' ')?;
    if host.ends_with(b":") || host.starts_with(b"auth(") || host.starts_with(b"auth-worker(") {
        return Some(Header {
            stamp,
            program: b"dovecot",
            pid: None,
            message: own.rest(),
        });
    }
    if host.is_empty() || !host.iter().all(|&byte| is_host(byte)) {
        return None;
    }
    let program = scan.run(|byte| !matches!(byte, b'[' | b':' | b' '))?;
    let mut pid = None;
    if scan.skip(b"[") {
        pid = scan.number();
        scan.literal(b"]")?;
    }
    scan.literal(b":")?;
    scan.skip(b" ");
    Some(Header {
        stamp,
        program,
        pid,
        message: scan.rest(),
    })
}

fn is_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':')
}

/// `Nov 24 04:03:44`, `Nov  4 04:03:44`, with or without a fraction of the second.
fn classic(scan: &mut Scan<'_>) -> Option<Stamp> {
    let month = match scan.until(b' ')? {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    };
    scan.skip(b" ");
    let day = small(scan.number()?)?;
    scan.literal(b" ")?;
    Stamp::at_time(scan, None, month, day)
}

/// `2026-11-24T04:03:44.123456+01:00`; a space for the `T`, and no zone, are read too.
fn iso(scan: &mut Scan<'_>) -> Option<Stamp> {
    let year = i16::try_from(scan.digits(4)?).ok()?;
    scan.literal(b"-")?;
    let month = small(scan.digits(2)?)?;
    scan.literal(b"-")?;
    let day = small(scan.digits(2)?)?;
    if !scan.skip(b"T") {
        scan.literal(b" ")?;
    }
    let stamp = Stamp::at_time(scan, Some(year), month, day)?;
    let offset = zone(scan)?;
    Some(Stamp { offset, ..stamp })
}

/// The zone, `Some(None)` where there is none.
fn zone(scan: &mut Scan<'_>) -> Option<Option<i32>> {
    if scan.skip(b"Z") {
        return Some(Some(0));
    }
    let sign = match scan.rest().first() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return Some(None),
    };
    scan.run(|byte| matches!(byte, b'+' | b'-'))?;
    let hours = i32::try_from(scan.digits(2)?).ok()?;
    scan.skip(b":");
    let minutes = i32::try_from(scan.digits(2)?).ok()?;
    Some(Some(sign * (hours * 3600 + minutes * 60)))
}

fn small(value: u32) -> Option<i8> {
    i8::try_from(value).ok()
}

/// Timestamps of one file to moments.
#[derive(Debug)]
pub struct Dates {
    zone: TimeZone,
    /// Where the file's last line must be, at the latest.
    newest: DateTime,
    year: Option<i16>,
    last_day: i32,
    /// The hour last looked up, and its beginning in seconds since the epoch.
    hour: Option<((DateTime, Option<i32>), i64)>,
}

/// Lines may be somewhat out of order, and clocks somewhat wrong.
const SLACK_DAYS: i32 = 2;
/// Going back by more than this means that a year ended.
const HALF_A_YEAR_DAYS: i32 = 186;
/// Going forward by more than this means a late line of the year before.
const NEARLY_A_YEAR_DAYS: i32 = 365;

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
            hour: None,
        }
    }

    /// Takes note of the stamp's day, in the order of the file: so the year is followed.
    pub fn follow(&mut self, stamp: Stamp) {
        if !stamp.lacks_year() {
            return;
        }
        let day = stamp.day_of_year();
        let newest = i32::from(self.newest.month()) * 31 + i32::from(self.newest.day());
        let year = match self.year {
            None if day > newest + SLACK_DAYS => self.newest.year().saturating_sub(1),
            None => self.newest.year(),
            Some(year) if day < self.last_day - HALF_A_YEAR_DAYS => year.saturating_add(1),
            Some(year) if day > self.last_day + NEARLY_A_YEAR_DAYS => year.saturating_sub(1),
            Some(year) => year,
        };
        self.year = Some(year);
        self.last_day = day;
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
