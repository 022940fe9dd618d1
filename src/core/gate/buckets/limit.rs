//! limit - one quota on one arrival time: take, look, give back
//!
//! governor's GCRA decides. What is stored of a bucket is one number, its arrival time: the moment
//! when the bucket is full again, in nanoseconds since the epoch. An arrival time in the past is a
//! full bucket. governor's origin is pinned to the epoch, so that every limit, a reload and a
//! restored snapshot agree on what the number means.
//!
//! What governor lacks stands here: a look that takes nothing, giving back, and a ceiling, so that
//! no debt is longer than one burst.
//! Not here: where arrival times are kept (`bucket`).

use std::cell::Cell;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{Quota as GovernorQuota, RateLimiter};

use crate::gate::request::settings::{Growing, Quota};
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
}

impl Limit {
    /// The limit of a quota; what it may not hold (a time of zero, decades) is cut to the bounds.
    pub(in crate::gate) fn new(quota: Quota) -> Self {
        let every = u64::try_from(quota.every.as_nanos()).unwrap_or(LONGEST);
        Self::of(every, quota.burst)
    }

    /// The limit of a shared bucket on a server with this many known users.
    pub(in crate::gate) fn growing(growing: Growing, known: usize) -> Self {
        let every = growing.base.every.as_nanos().clamp(1, u128::from(LONGEST));
        let daily = u128::from(growing.daily_per_user) * known as u128;
        let every = (DAY * every).div_ceil(DAY + daily.saturating_mul(every).min(u128::MAX >> 1));
        let more = u32::try_from(known / 10).unwrap_or(u32::MAX);
        Self::of(
            u64::try_from(every).unwrap_or(LONGEST),
            growing.base.burst.saturating_add(more),
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
        }
    }

    /// Tokens in a full bucket.
    pub(in crate::gate) fn burst(&self) -> u32 {
        self.quota.burst_size().get()
    }

    /// Nanoseconds in which one token comes back.
    pub(in crate::gate) fn every(&self) -> u64 {
        self.every
    }

    /// The longest debt, in nanoseconds: all of one burst.
    pub(in crate::gate) fn full(&self) -> u64 {
        self.full
    }

    /// Takes one token: the new arrival time, or how long until there is a token.
    pub(in crate::gate) fn take(&self, arrival: u64, now: Moment) -> Result<u64, Duration> {
        let arrival = self.bounded(arrival, now);
        let now = nanos(now);
        let limiter: Limiter = RateLimiter::new(
            self.quota,
            Arrival(Cell::new(arrival)),
            Pinned(Cell::new(0)),
        );
        limiter.clock().0.set(now);
        match limiter.check() {
            Ok(()) => Ok(limiter.into_state_store().0.get()),
            Err(not_until) => Err(not_until.wait_time_from(Nanos::new(now))),
        }
    }

    /// What [`Self::take`] would say if `kept` tokens, fewer than all, were not there; takes nothing.
    pub(in crate::gate) fn peek(
        &self,
        arrival: u64,
        kept: u32,
        now: Moment,
    ) -> Result<(), Duration> {
        let arrival = self.bounded(arrival, now);
        let kept = self.every.saturating_mul(u64::from(kept));
        let earliest = arrival.saturating_sub((self.full - self.every).saturating_sub(kept));
        match earliest.saturating_sub(nanos(now)) {
            0 => Ok(()),
            wait => Err(Duration::from_nanos(wait)),
        }
    }

    /// The arrival time after `tokens` are taken by force, as far as there are any.
    pub(in crate::gate) fn drain(&self, arrival: u64, tokens: u32, now: Moment) -> u64 {
        let more = self.every.saturating_mul(u64::from(tokens));
        self.bounded(arrival.max(nanos(now)).saturating_add(more), now)
    }

    /// Whole tokens in the bucket now.
    pub(in crate::gate) fn left(&self, arrival: u64, now: Moment) -> u32 {
        let debt = self.bounded(arrival, now).saturating_sub(nanos(now));
        u32::try_from((self.full - debt.min(self.full)) / self.every).unwrap_or(u32::MAX)
    }

    /// The arrival time with a debt of at most one burst of this limit.
    ///
    /// To be stored when a limit changes: a debt that is only looked at this way never shrinks.
    pub(in crate::gate) fn bounded(&self, arrival: u64, now: Moment) -> u64 {
        arrival.min(nanos(now).saturating_add(self.full))
    }
}

/// The arrival time once one token that was taken at `every` nanoseconds, and left the arrival time
/// at `after`, is given back.
///
/// What has already flowed back by itself is not given a second time, so a token given back late
/// never pays for another try.
pub(in crate::gate) fn give_back(arrival: u64, every: u64, after: u64, now: Moment) -> u64 {
    arrival.saturating_sub(every.min(after.saturating_sub(nanos(now))))
}

fn nanos(now: Moment) -> u64 {
    now.as_nanos().min(u64::MAX / 2)
}

type Limiter = RateLimiter<NotKeyed, Arrival, Pinned, NoOpMiddleware<Nanos>>;

/// governor's state for one bucket that we hold in our hands.
struct Arrival(Cell<u64>);

impl StateStore for Arrival {
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
