//! stamp - the time at the front of a log line, in every form that mail logs have
//!
//! Classic (`Nov 24 04:03:44`, with a year before or behind the time, or a fraction), RFC 3339 and its relatives
//! (`2026/11/24 04:03:44,003`), journalctl's short-full (`Tue 2026-11-24 04:03:44 UTC`) and short-unix (`1795493024.5`),
//! and TAI64N (`@4000000...`).
//! Not here: the year that is left out, the zone (`syslog`); what follows the time (`syslog`).

use super::scan::Scan;
use crate::moment::Moment;

/// A timestamp as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// By calendar and clock.
    Civil(CivilStamp),
    /// Counted from the epoch.
    Counted(Moment),
}

/// A date and a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CivilStamp {
    pub(super) year: Option<i16>,
    pub(super) month: i8,
    pub(super) day: i8,
    pub(super) hour: i8,
    pub(super) minute: i8,
    pub(super) second: i8,
    pub(super) nanos: u32,
    /// Seconds east of Greenwich.
    pub(super) offset: Option<i32>,
}

/// Seconds that TAI is ahead in TAI64 labels as log programs write them.
const TAI64_AHEAD: u64 = (1 << 62) + 10;

impl Stamp {
    /// Whether the year is left out.
    pub const fn lacks_year(self) -> bool {
        matches!(self, Self::Civil(CivilStamp { year: None, .. }))
    }

    /// Reads the time at the front. `None`: there is none that we know.
    pub(super) fn read(scan: &mut Scan<'_>) -> Option<Self> {
        match scan.rest().first()? {
            b'0'..=b'9' => iso(scan).map(Self::Civil).or_else(|| unix(scan)),
            b'@' => tai64n(scan),
            _ => classic(scan)
                .or_else(|| with_weekday(scan))
                .map(Self::Civil),
        }
    }
}

/// `Nov 24 04:03:44`, `Nov  4 04:03:44`, with or without a fraction of the second, a year, a zone.
fn classic(scan: &mut Scan<'_>) -> Option<CivilStamp> {
    let mut ahead = *scan;
    let month = month(ahead.until(b' ')?)?;
    ahead.skip(b" ");
    let day = small(ahead.number()?)?;
    ahead.literal(b" ")?;
    let mut year = year_and_blank(&mut ahead);
    let mut stamp = at_time(&mut ahead, None, month, day)?;
    stamp.offset = zone(&mut ahead)?;
    if year.is_none() {
        let mut behind = ahead;
        behind.skip(b" ");
        if let Some(found) = year_and_blank(&mut behind) {
            // The blank behind the year belongs to what follows.
            let read = ahead.rest().len() - behind.rest().len() - 1;
            ahead = Scan::new(ahead.rest().get(read..)?);
            year = Some(found);
        }
    }
    stamp.year = year;
    *scan = ahead;
    Some(stamp)
}

fn month(name: &[u8]) -> Option<i8> {
    Some(match name {
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
    })
}

fn year_and_blank(scan: &mut Scan<'_>) -> Option<i16> {
    let mut ahead = *scan;
    let year = i16::try_from(ahead.digits(4)?).ok()?;
    ahead.literal(b" ")?;
    *scan = ahead;
    (1970..=9999).contains(&year).then_some(year)
}

/// `2026-11-24T04:03:44.123456+01:00`; slashes, a space for the `T`, and no zone, are read too.
fn iso(scan: &mut Scan<'_>) -> Option<CivilStamp> {
    let mut ahead = *scan;
    let year = i16::try_from(ahead.digits(4)?).ok()?;
    let between: &[u8] = if ahead.skip(b"/") { b"/" } else { b"-" };
    if between == b"-" {
        ahead.literal(b"-")?;
    }
    let month = small(ahead.digits(2)?)?;
    ahead.literal(between)?;
    let day = small(ahead.digits(2)?)?;
    if !ahead.skip(b"T") && !ahead.skip(b"t") {
        ahead.literal(b" ")?;
    }
    let mut stamp = at_time(&mut ahead, Some(year), month, day)?;
    stamp.offset = zone(&mut ahead)?;
    *scan = ahead;
    Some(stamp)
}

/// `Tue 2026-11-24 04:03:44 UTC`, `Tue Nov 24 04:03:44 UTC 2026`. A zone's name other than UTC says no more than local.
fn with_weekday(scan: &mut Scan<'_>) -> Option<CivilStamp> {
    let mut ahead = *scan;
    let day = ahead.until(b' ')?;
    let days: [&[u8]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
    if !days.contains(&day) {
        return None;
    }
    let mut stamp = iso(&mut ahead).or_else(|| classic(&mut ahead))?;
    let mut zone = ahead;
    zone.literal(b" ")?;
    let name = zone.run(|byte| byte.is_ascii_uppercase());
    if name.is_some_and(|name| name.len() >= 3) && zone.rest().first() == Some(&b' ') {
        if stamp.offset.is_none() && matches!(name, Some(b"UTC" | b"GMT")) {
            stamp.offset = Some(0);
        }
        ahead = zone;
    }
    *scan = ahead;
    Some(stamp)
}

/// `1795493024.123456`.
fn unix(scan: &mut Scan<'_>) -> Option<Stamp> {
    let mut ahead = *scan;
    let digits = ahead.run(|byte| byte.is_ascii_digit())?;
    if digits.len() != 10 {
        return None;
    }
    let seconds: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let nanos = fraction(&mut ahead)?;
    *scan = ahead;
    let whole = Moment::from_seconds(seconds);
    Some(Stamp::Counted(
        whole + std::time::Duration::from_nanos(nanos.into()),
    ))
}

/// `@400000006b0414203a1b2c3d`.
fn tai64n(scan: &mut Scan<'_>) -> Option<Stamp> {
    let mut ahead = *scan;
    ahead.literal(b"@")?;
    let label = ahead.run(|byte| byte.is_ascii_hexdigit())?;
    let (seconds, nanos) = label.split_at_checked(16)?;
    let number = |digits: &[u8]| u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
    let seconds = number(seconds)?.checked_sub(TAI64_AHEAD)?;
    // Beyond the year 9999 it is no time of a log.
    if nanos.len() != 8 || seconds > 253_402_300_799 {
        return None;
    }
    let nanos = number(nanos)?;
    *scan = ahead;
    let whole = Moment::from_seconds(seconds);
    Some(Stamp::Counted(
        whole + std::time::Duration::from_nanos(nanos),
    ))
}

/// The time that stands next, `04:03:44`, with or without a fraction of the second, on that day.
fn at_time(scan: &mut Scan<'_>, year: Option<i16>, month: i8, day: i8) -> Option<CivilStamp> {
    let hour = small(scan.digits(2)?)?;
    scan.literal(b":")?;
    let minute = small(scan.digits(2)?)?;
    scan.literal(b":")?;
    let second = small(scan.digits(2)?)?;
    let nanos = match scan.rest().first() {
        Some(b'.' | b',') => fraction(scan)?,
        _ => 0,
    };
    Some(CivilStamp {
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

/// `.5` or `,5`, in billionths.
fn fraction(scan: &mut Scan<'_>) -> Option<u32> {
    if !scan.skip(b".") {
        scan.literal(b",")?;
    }
    let digits = scan.run(|byte| byte.is_ascii_digit())?;
    Some((0..9).fold(0, |nanos, place| {
        nanos * 10 + digits.get(place).map_or(0, |digit| u32::from(digit - b'0'))
    }))
}

/// The zone, `Some(None)` where there is none.
fn zone(scan: &mut Scan<'_>) -> Option<Option<i32>> {
    if scan.skip(b"Z") || scan.skip(b"z") {
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
