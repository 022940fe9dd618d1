//! duration - spans of time as Go writes them: "59m59.454441783s", "-9.8ms"
//!
//! Go's `time.ParseDuration`.

use std::time::Duration;

/// Longer ones are as good as this: the whole list is read anew every hour.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// The span; one of less than nothing is none: it is over. `None`: it is no span.
pub(super) fn read(text: &str) -> Option<Duration> {
    let (is_over, mut rest) = match (text.strip_prefix('-'), text.strip_prefix('+')) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => (false, text),
    };
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut span = Duration::ZERO;
    while !rest.is_empty() {
        let (part, behind) = part(rest)?;
        span = span.saturating_add(part);
        rest = behind;
    }
    Some(match is_over {
        true => Duration::ZERO,
        false => span.min(LONGEST),
    })
}

/// A number with its unit, and what stands behind it.
fn part(text: &str) -> Option<(Duration, &str)> {
    let digits = |text: &str| {
        text.find(|letter: char| !letter.is_ascii_digit())
            .unwrap_or(text.len())
    };
    let (whole, rest) = text.split_at_checked(digits(text))?;
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at_checked(digits(rest))?,
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let end = rest
        .find(|letter: char| letter.is_ascii_digit() || letter == '.')
        .unwrap_or(rest.len());
    let (unit, behind) = rest.split_at_checked(end)?;
    let unit: u128 = match unit {
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60 * 1_000_000_000,
        "h" => 3_600 * 1_000_000_000,
        _ => return None,
    };
    // More digits than these are more than anybody lives, or less than a nanosecond.
    let whole: u128 = match whole.trim_start_matches('0') {
        "" => 0,
        digits if digits.len() > 18 => return Some((Duration::MAX, behind)),
        digits => digits.parse().ok()?,
    };
    let fraction = fraction.get(..fraction.len().min(18))?;
    let shown: u128 = match fraction {
        "" => 0,
        digits => digits.parse().ok()?,
    };
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let nanos = whole * unit + shown * unit / scale;
    let span = u64::try_from(nanos).map_or(Duration::MAX, Duration::from_nanos);
    Some((span, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_go_writes_them() {
        let nanos = |text: &str| read(text).map(|span| span.as_nanos());
        assert_eq!(nanos("59m59.454441783s"), Some(3_599_454_441_783));
        assert_eq!(nanos("1h0m0.5s"), Some(3_600_500_000_000));
        assert_eq!(nanos("9.8ms"), Some(9_800_000));
        assert_eq!(nanos("100µs"), Some(100_000));
        assert_eq!(nanos("100μs"), Some(100_000));
        assert_eq!(nanos("1ns"), Some(1));
        assert_eq!(nanos("0"), Some(0));
        assert_eq!(nanos("0s"), Some(0));
        assert_eq!(nanos(".5s"), Some(500_000_000));
        assert_eq!(nanos("1.s"), Some(1_000_000_000));
        assert_eq!(nanos("+1s"), Some(1_000_000_000));
    }

    #[test]
    fn one_of_less_than_nothing_is_over_and_a_long_one_has_an_end() {
        for over in ["-9.8ms", "-1h", "-36m59.876421933s", "-0"] {
            assert_eq!(read(over), Some(Duration::ZERO), "{over}");
        }
        let nines = "9".repeat(400);
        for long in ["876000h", "99999999999999999999999h", &format!("{nines}s")] {
            assert_eq!(read(long), Some(LONGEST), "{long}");
        }
        let long = format!("0.{nines}s");
        assert_eq!(read(&long), Some(Duration::from_nanos(999_999_999)));
        assert_eq!(
            read(&format!("{}1s", "0".repeat(400))),
            Some(Duration::from_secs(1))
        );
    }

    #[test]
    fn what_is_none_is_none() {
        for text in [
            "", "-", "+", "s", "1", "1.5", "1x", "1h2", ".s", "1 s", "--1s", "1s ", "1d", "1hs",
            "\u{663}s", "1e3s", "NaNs", "1..2s",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }
}
