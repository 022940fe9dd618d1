//! since - a point in time, as it is written on the command line
//!
//! Not here: dates in logs (`logs::syslog` in the core).

use std::str::FromStr;
use std::time::Duration;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use gatepost_core::moment::Moment;

/// A local day or time, a moment with a time zone, or a time span before the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// `2026-11-20T06:00:00Z`
    Moment(Moment),
    /// `2026-11-20`, `2026-11-20T06:00:00`
    Local(DateTime),
    /// `7d`
    BeforeEnd(Duration),
}

/// Why a text is not a point in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write 2026-11-20, 2026-11-20T06:00:00, 2026-11-20T06:00:00Z, or 7d")]
pub struct SinceFault;

impl FromStr for Since {
    type Err = SinceFault;

    fn from_str(text: &str) -> Result<Self, SinceFault> {
        if let Ok(stamp) = text.parse() {
            return moment(stamp).map(Self::Moment).ok_or(SinceFault);
        }
        if let Ok(civil) = text.parse::<DateTime>() {
            return Ok(Self::Local(civil));
        }
        if let Ok(date) = text.parse::<Date>() {
            return Ok(Self::Local(date.at(0, 0, 0, 0)));
        }
        humantime::parse_duration(text)
            .map(Self::BeforeEnd)
            .map_err(|_| SinceFault)
    }
}

impl Since {
    /// The moment, for logs that end at `end` and local times in `zone`.
    pub fn moment(self, end: Moment, zone: &TimeZone) -> Moment {
        match self {
            Self::Moment(moment) => moment,
            Self::BeforeEnd(span) => end - span,
            Self::Local(civil) => {
                let stamp = zone.to_ambiguous_timestamp(civil).compatible();
                stamp.ok().and_then(moment).unwrap_or(Moment::EPOCH)
            }
        }
    }
}

/// `None` before 1970.
fn moment(stamp: jiff::Timestamp) -> Option<Moment> {
    u64::try_from(stamp.as_second())
        .ok()
        .map(Moment::from_seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_times_moments_and_spans_are_parsed() {
        let zone = TimeZone::posix("CET-1").unwrap();
        let end = Moment::from_seconds(1_795_521_600); // 2026-11-24T12:00:00Z
        for (text, seconds) in [
            ("2026-11-24", 1_795_474_800),
            ("2026-11-24T13:00:00", 1_795_521_600),
            ("2026-11-24T13:00:00Z", 1_795_525_200),
            ("12h", 1_795_478_400),
        ] {
            let since: Since = text.parse().unwrap();
            assert_eq!(since.moment(end, &zone).as_seconds(), seconds, "{text}");
        }
        for text in ["", "yesterday", "2026-13-01", "1960-01-01T00:00:00Z"] {
            assert_eq!(text.parse::<Since>(), Err(SinceFault), "{text}");
        }
    }
}
