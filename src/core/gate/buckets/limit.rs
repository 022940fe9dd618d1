//! limit - one quota on one arrival time: take, look, count, give back; how long to wait for a token
//!
//! Every decision about a bucket is made here, and governor makes it: its GCRA is the arithmetic of
//! taking and looking, fuzzed and used by many, and one definition of a token bucket serves the table,
//! the shared buckets and the listener's rate. What is stored of a bucket is one number, its arrival
//! time: the moment when the bucket is full again, in nanoseconds since the epoch. An arrival time in
//! the past is a full bucket. governor's own stores keep such times relative to their start and hide
//! them, so it is given a store of one number and a clock that is told the time: every limit, a reload
//! and a restored snapshot agree on what the number means.
//!
//! Ours is what governor's interface lacks: giving a token back, taking by force, a debt carried over to
//! another speed, and a ceiling, so that no debt is longer than one burst when a limit changes.
//! Not here: where arrival times are kept (`bucket`).

use std::cell::Cell;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::{NoOpMiddleware, RateLimitingMiddleware, StateInformationMiddleware};
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{NotUntil, Quota as GovernorQuota, RateLimiter};

use crate::gate::buckets::quota::{BucketQuota, KeptPart, Quota};
use crate::moment::Moment;

/// No bucket takes longer to fill: sums of arrival times never overflow.
const LONGEST: u64 = 10 * 366 * 86_400 * 1_000_000_000;
const DAY: u128 = 86_400 * 1_000_000_000;

/// A quota, ready to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) struct Limit {
    quota: GovernorQuota,
    every: u64,
    full: u64,
    rounding: Rounding,
}

/// What becomes of the rest where a part of the tokens is kept for some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rounding {
    /// Of a whole bucket.
    Down,
    /// Of one machine's part of a bucket: rounded down, the parts of all would keep less than the whole does.
    Up,
}

/// A token that was taken, with all that giving it back needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) struct Taken {
    /// Nanoseconds a token, of the limit that it was taken under.
    every: u64,
    /// The arrival time that taking it left.
    after: u64,
}

impl Limit {
    /// The limit of a quota; what it may not hold (a time of zero, decades) is cut to the bounds.
    pub(in crate::gate) fn new(quota: Quota) -> Self {
        let every = u64::try_from(quota.every.as_nanos()).unwrap_or(LONGEST);
        Self::of(every, quota.burst)
    }

    /// The limit of a bucket that grows, on a server with this many known users: by one token of burst
    /// for every ten of them, and by `daily_per_user` tokens a day for each.
    pub(in crate::gate) fn growing(quota: BucketQuota, known: usize) -> Self {
        let Some(daily_per_user) = quota.daily_per_user else {
            return Self::new(quota.base);
        };
        let every = quota.base.every.as_nanos().clamp(1, u128::from(LONGEST));
        let daily = u128::from(daily_per_user) * known as u128;
        let every = (DAY * every).div_ceil(DAY + daily.saturating_mul(every).min(u128::MAX >> 1));
        let more = u32::try_from(known / 10).unwrap_or(u32::MAX);
        Self::of(
            u64::try_from(every).unwrap_or(LONGEST),
            quota.base.burst.saturating_add(more),
        )
    }

    fn of(every: u64, burst: u32) -> Self {
        let every = every.clamp(1, LONGEST);
        let most = u32::try_from(LONGEST / every).unwrap_or(u32::MAX);
        let burst = NonZeroU32::new(burst.min(most)).unwrap_or(NonZeroU32::MIN);
        let one = GovernorQuota::with_period(Duration::from_nanos(every));
        Self {
            quota: one
                .unwrap_or(GovernorQuota::per_second(NonZeroU32::MIN))
                .allow_burst(burst),
            every,
            full: every * u64::from(burst.get()),
            rounding: Rounding::Down,
        }
    }

    /// One machine's part of this limit: `burst` tokens, which may be none, one back in `times` the time.
    pub(in crate::gate) fn part(&self, burst: u32, times: u32) -> Self {
        let part = Self::of(self.every.saturating_mul(u64::from(times)), burst);
        Self {
            full: if burst == 0 { 0 } else { part.full },
            rounding: Rounding::Up,
            ..part
        }
    }

    /// Whether it never has a token: no limit but a part has none.
    pub(in crate::gate) fn is_nothing(&self) -> bool {
        self.full == 0
    }

    /// Tokens in a full bucket.
    pub(in crate::gate) fn burst(&self) -> u32 {
        match self.is_nothing() {
            true => 0,
            false => self.quota.burst_size().get(),
        }
    }

    /// Tokens that are kept for some, if this much of a full bucket is. Never all of them.
    #[inline(always)]
    pub(in crate::gate) fn kept(&self, kept: KeptPart) -> u32 {
        let Some(divisor) = kept.divisor() else {
            return 0;
        };
        match self.rounding {
            Rounding::Down => self.burst() / divisor,
            Rounding::Up => self
                .burst()
                .div_ceil(divisor)
                .min(self.burst().saturating_sub(1)),
        }
    }

    /// Nanoseconds in which one token comes back.
    pub(in crate::gate) fn every(&self) -> u64 {
        self.every
    }

    /// The longest debt that so many machines may have together, in nanoseconds.
    pub(in crate::gate) fn owed_by(&self, machines: u32) -> u64 {
        self.full.saturating_mul(u64::from(machines)).min(LONGEST)
    }

    /// Takes one token: the new arrival time, or how long until there is a token.
    ///
    /// # Errors
    /// The time until there is a token.
    pub(in crate::gate) fn take(&self, arrival: u64, now: Moment) -> Result<u64, Duration> {
        let limiter = self.limiter::<NoOpMiddleware<Nanos>>(self.bounded(arrival, now), now);
        match limiter.check() {
            Ok(()) => Ok(limiter.into_state_store().0.get()),
            Err(until) => Err(wait(&until, now)),
        }
    }

    /// What [`Self::take`] would say if `kept` tokens, fewer than all, were not there; takes nothing.
    ///
    /// # Errors
    /// The time until there is a token beside those kept.
    pub(in crate::gate) fn peek(
        &self,
        arrival: u64,
        kept: u32,
        now: Moment,
    ) -> Result<(), Duration> {
        // As if they had been taken a moment ago: a look for one token, which costs governor no division.
        let kept = self.every.saturating_mul(u64::from(kept));
        let arrival = self.bounded(arrival, now).max(nanos(now));
        let limiter = self.limiter::<NoOpMiddleware<Nanos>>(arrival.saturating_add(kept), now);
        limiter.check().map_err(|until| wait(&until, now))
    }

    /// Whole tokens in the bucket now.
    pub(in crate::gate) fn left(&self, arrival: u64, now: Moment) -> u32 {
        // governor tells what is left beside the token that a look asks for.
        match self
            .limiter::<StateInformationMiddleware>(self.bounded(arrival, now), now)
            .check()
        {
            Ok(left) => left.remaining_burst_capacity().saturating_add(1),
            Err(_) => 0,
        }
    }

    /// What was taken, if taking it left this arrival time.
    pub(in crate::gate) fn taken(&self, after: u64) -> Taken {
        Taken {
            every: self.every,
            after,
        }
    }

    /// The arrival time after `tokens` are taken by force, as far as there are any.
    pub(in crate::gate) fn drain(&self, arrival: u64, tokens: u32, now: Moment) -> u64 {
        let more = self.every.saturating_mul(u64::from(tokens));
        self.bounded(arrival.max(nanos(now)).saturating_add(more), now)
    }

    /// The arrival time with a debt of at most one burst of this limit.
    ///
    /// To be stored when a limit changes: a debt that is only looked at this way never shrinks.
    pub(in crate::gate) fn bounded(&self, arrival: u64, now: Moment) -> u64 {
        arrival.min(nanos(now).saturating_add(self.full))
    }

    /// governor, about one bucket at one moment.
    fn limiter<M: RateLimitingMiddleware<Nanos>>(&self, arrival: u64, now: Moment) -> Limiter<M> {
        let arrival = HeldArrival(Cell::new(arrival));
        let limiter: Limiter<M> = RateLimiter::new(self.quota, arrival, Pinned(Cell::new(0)));
        limiter.clock().0.set(nanos(now));
        limiter
    }
}

impl Taken {
    /// The arrival time once this token is given back.
    ///
    /// What has already flowed back by itself is not given a second time, so a token given back late
    /// never pays for another try.
    pub(in crate::gate) fn refund(self, arrival: u64, now: Moment) -> u64 {
        arrival.saturating_sub(self.every.min(self.after.saturating_sub(nanos(now))))
    }

    /// The token as it would be, had it been taken at a speed of one token in `every` nanoseconds.
    pub(in crate::gate) fn at_speed(self, every: u64, now: Moment) -> Self {
        Self {
            every,
            after: carry_over(self.after, self.every, every, now),
        }
    }
}

/// The arrival time of a debt at one token in `new` nanoseconds, that was made at one in `old`: as many
/// tokens as before, rounded up. `old` is 0 where there was no debt yet.
pub(in crate::gate) fn carry_over(arrival: u64, old: u64, new: u64, now: Moment) -> u64 {
    if old == new || old == 0 {
        return arrival;
    }
    let debt = u128::from(arrival.saturating_sub(now.as_nanos()));
    let debt = (debt * u128::from(new)).div_ceil(u128::from(old));
    let debt = u64::try_from(debt).unwrap_or(u64::MAX);
    now.as_nanos().saturating_add(debt)
}

fn wait(until: &NotUntil<Nanos>, now: Moment) -> Duration {
    until.wait_time_from(Nanos::new(nanos(now)))
}

fn nanos(now: Moment) -> u64 {
    now.as_nanos().min(u64::MAX / 2)
}

type Limiter<M> = RateLimiter<NotKeyed, HeldArrival, Pinned, M>;

/// governor's state for one bucket that we hold in our hands.
struct HeldArrival(Cell<u64>);

impl StateStore for HeldArrival {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _key: &NotKeyed, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let (answer, arrival) = measure(Some(Nanos::new(self.0.get())))?;
        self.0.set(arrival.as_u64());
        Ok(answer)
    }
}

/// governor's clock: the epoch while a limiter is built, then the moment we were given.
struct Pinned(Cell<u64>);

impl Clock for Pinned {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(self.0.get())
    }
}

#[cfg(test)]
mod tests;
