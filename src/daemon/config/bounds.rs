//! bounds - checks numbers, times and buckets against their bounds
//!
//! A value out of bounds is refused by name and replaced by its default, so that the rest of the
//! file is still checked.
//! Not here: the defaults and the bounds themselves (`sections`, `rules`, `limits`).

use std::ops::RangeInclusive;
use std::time::Duration;

use super::buckets::{RawBucket, RawGrowingBucket};
use super::finding::{Findings, Remark};
use super::value::{Given, Number, Quoted};
use gatepost_core::gate::buckets::quota::{BucketQuota, CLIENTS_A_DAY, Quota};

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(3_600);
pub(super) const DAY: Duration = Duration::from_secs(86_400);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// A bucket that takes longer to fill is a mistake.
const LONGEST_FILL: Duration = YEAR;

/// The same for a bucket that grows with the users. It keeps `burst x every` six times below
/// 2^64 ns, the limit of a rate limiter's arithmetic in nanoseconds.
const LONGEST_GROWN_FILL: Duration = Duration::from_secs(100 * 365 * 86_400);

/// A growing bucket gets one token of burst for this many known users.
const USERS_A_TOKEN: usize = 10;

impl Findings {
    /// The number of `key`; `default` where it is not set or out of `bounds`.
    pub(super) fn number<N: TryFrom<i64>>(
        &mut self,
        key: &str,
        given: &Given<Number>,
        default: N,
        bounds: RangeInclusive<i64>,
    ) -> N {
        let Some(given) = given else { return default };
        let value = given.get_ref().0;
        if let Ok(value) = i64::try_from(value)
            && bounds.contains(&value)
            && let Ok(number) = N::try_from(value)
        {
            return number;
        }
        let (least, most) = bounds.into_inner();
        self.refuse(
            Remark::at(given.span(), format!("{key} is {value}"))
                .help(format!("write a number from {least} to {most}")),
        );
        default
    }

    /// The time of `key`; `default` where it is not set or out of `bounds`.
    pub(super) fn time(
        &mut self,
        key: &str,
        given: &Given<Quoted<Duration>>,
        default: Duration,
        bounds: RangeInclusive<Duration>,
    ) -> Duration {
        let Some(given) = given else { return default };
        let value = given.get_ref().0;
        if bounds.contains(&value) {
            return value;
        }
        let (least, most) = bounds.into_inner();
        self.refuse(
            Remark::at(given.span(), format!("{key} is {}", shown(value))).help(format!(
                "write a time from \"{}\" to \"{}\"",
                shown(least),
                shown(most)
            )),
        );
        default
    }

    /// The bucket of `key`; it must fill within [`LONGEST_FILL`].
    pub(super) fn quota(&mut self, key: &str, given: &RawBucket, default: Quota) -> Quota {
        self.filled(key, &given.burst, &given.every, default)
    }

    fn filled(
        &mut self,
        key: &str,
        burst: &Given<Number>,
        every: &Given<Quoted<Duration>>,
        default: Quota,
    ) -> Quota {
        let quota = self.burst_and_every(key, burst, every, default);
        let fill = quota.every.saturating_mul(quota.burst);
        if fill > LONGEST_FILL
            && let Some(span) = place(burst, every)
        {
            self.refuse(
                Remark::at(span, format!("{key} would take {} to fill", years(fill)))
                    .help("burst times every may be one year at most"),
            );
        }
        quota
    }

    /// The gate's bucket of `key`, on a server with at most `users` known users. A growing one must
    /// fill within [`LONGEST_GROWN_FILL`], any other within [`LONGEST_FILL`].
    pub(super) fn bucket(
        &mut self,
        key: &str,
        given: &RawGrowingBucket,
        default: BucketQuota,
        users: usize,
    ) -> BucketQuota {
        let Some(daily) = default.daily_per_user else {
            return BucketQuota {
                base: self.filled(key, &given.burst, &given.every, default.base),
                daily_per_user: None,
            };
        };
        let base = self.burst_and_every(key, &given.burst, &given.every, default.base);
        let daily_per_user = self.number(
            &format!("{key}.daily-per-user"),
            &given.daily_per_user,
            daily,
            0..=10_000,
        );
        let grown = u32::try_from(users / USERS_A_TOKEN).unwrap_or(u32::MAX);
        let fill = base.every.saturating_mul(base.burst.saturating_add(grown));
        if fill > LONGEST_GROWN_FILL
            && let Some(span) = place(&given.burst, &given.every)
        {
            self.refuse(
                Remark::at(span, format!("{key} would take {} to fill", years(fill))).help(
                    "burst, and a tenth of capacity.pairs more, times every may be 100 years at most",
                ),
            );
        }
        BucketQuota {
            base,
            daily_per_user: Some(daily_per_user),
        }
    }

    /// The bucket of `key`, whose tokens are earned by logins.
    pub(super) fn earned(
        &mut self,
        key: &str,
        given: &RawGrowingBucket,
        default: BucketQuota,
    ) -> BucketQuota {
        let most = i64::try_from(CLIENTS_A_DAY).unwrap_or(i64::MAX);
        let daily = default.daily_per_user.unwrap_or(0);
        let per_user = format!("{key}.daily-per-user");
        let burst = format!("{key}.burst");
        BucketQuota {
            base: Quota {
                burst: self.number(&burst, &given.burst, default.base.burst, 1..=255),
                ..default.base
            },
            daily_per_user: Some(self.number(&per_user, &given.daily_per_user, daily, 0..=most)),
        }
    }

    fn burst_and_every(
        &mut self,
        key: &str,
        burst: &Given<Number>,
        every: &Given<Quoted<Duration>>,
        default: Quota,
    ) -> Quota {
        const SHORTEST: Duration = Duration::from_millis(1);
        Quota {
            burst: self.number(&format!("{key}.burst"), burst, default.burst, 1..=1_000_000),
            every: self.time(
                &format!("{key}.every"),
                every,
                default.every,
                SHORTEST..=DAY * 30,
            ),
        }
    }
}

fn place(burst: &Given<Number>, every: &Given<Quoted<Duration>>) -> Option<std::ops::Range<usize>> {
    every
        .as_ref()
        .map(toml::Spanned::span)
        .or_else(|| burst.as_ref().map(toml::Spanned::span))
}

/// A time as it is written in the file: `1h 30m`. (The library's own form has months of 30.44 days.)
pub(super) fn shown(time: Duration) -> String {
    let mut rest = time.as_millis();
    let mut shown = Vec::new();
    for (unit, millis) in [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
        ("ms", 1),
    ] {
        if rest >= millis {
            shown.push(format!("{}{unit}", rest / millis));
            rest %= millis;
        }
    }
    match shown.is_empty() {
        true => "0s".to_owned(),
        false => shown.join(" "),
    }
}

fn years(time: Duration) -> String {
    format!("{} years", time.as_secs() / YEAR.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{findings, given};
    use crate::config::value::Given;

    fn number(value: i64) -> Given<Number> {
        given(Number(value.into()))
    }

    fn time(value: Duration) -> Given<Quoted<Duration>> {
        given(Quoted(value))
    }

    #[test]
    fn a_number_is_taken_at_its_bounds_and_refused_one_beyond() {
        for (value, taken) in [(0, false), (1, true), (10, true), (11, false)] {
            let mut findings = findings();
            let number: u32 = findings.number("key", &number(value), 5, 1..=10);
            assert_eq!(findings.conclude().is_ok(), taken, "{value}");
            assert_eq!(i64::from(number) == value, taken, "{value}");
        }
    }

    #[test]
    fn a_time_is_taken_at_its_bounds_and_refused_one_beyond() {
        let tick = Duration::from_nanos(1);
        for (value, taken) in [
            (SECOND - tick, false),
            (SECOND, true),
            (MINUTE, true),
            (MINUTE + tick, false),
        ] {
            let mut findings = findings();
            findings.time("key", &time(value), SECOND, SECOND..=MINUTE);
            assert_eq!(findings.conclude().is_ok(), taken, "{value:?}");
        }
    }

    #[test]
    fn a_time_is_shown_as_it_is_written() {
        for text in ["0s", "100ms", "1s 500ms", "1h 30m", "365d", "1d 1s"] {
            let time = humantime::parse_duration(text).unwrap();
            assert_eq!(shown(time), text);
        }
    }

    #[test]
    fn a_bucket_that_fills_in_a_year_is_taken_and_a_slower_one_refused() {
        let default = Quota {
            burst: 1,
            every: SECOND,
        };
        for (burst, taken) in [(365, true), (366, false)] {
            let mut findings = findings();
            let bucket = RawBucket {
                burst: number(burst),
                every: time(DAY),
            };
            findings.quota("limits.client", &bucket, default);
            assert_eq!(findings.conclude().is_ok(), taken, "{burst}");
        }
    }

    #[test]
    fn no_bucket_that_is_taken_overflows_a_limiter() {
        let default = BucketQuota {
            base: Quota {
                burst: 100,
                every: MINUTE * 2,
            },
            daily_per_user: Some(3),
        };
        for (burst, every) in [(1_000_000, DAY * 30), (1_000_000, HOUR), (1, DAY * 30)] {
            for users in [0, 200_000, 100_000_000] {
                let mut findings = findings();
                let bucket = RawGrowingBucket {
                    burst: number(burst),
                    every: time(every),
                    daily_per_user: None,
                };
                let growing = findings.bucket("limits.near", &bucket, default, users);
                let grown = u128::from(growing.base.burst) + (users / 10) as u128;
                let fits = grown * growing.base.every.as_nanos() < u128::from(u64::MAX);
                assert!(
                    fits || findings.conclude().is_err(),
                    "{burst} {every:?} {users}"
                );
            }
        }
    }
}
