//! load - the open loop: what is due when, how long it took, and how many sockets that needs
//!
//! Work is due at even times whether or not the work before it was answered, and its latency counts
//! from the time it was due: a server that stalls pays for all that it kept waiting
//! (otherwise a slow server would slow the load down and look fast).
//! Not here: what is done (`botnet`).

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use gatepost_core::moment::Moment;
use gatepost_daemon::clock::Clock;
use gatepost_daemon::drain::Drain;

/// Even times, `rate` of them a second, from a start on.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    clock: Clock,
    start: Moment,
    rate: f64,
}

impl Schedule {
    /// Starts now. A `rate` (a second) that is not above zero counts as one in 1,000 seconds.
    pub fn start(clock: Clock, rate: f64) -> Self {
        Self {
            clock,
            start: clock.now(),
            rate: if rate > 0.001 { rate } else { 0.001 },
        }
    }

    /// When the work with this number, counted from 0, is due.
    pub fn due(&self, number: u64) -> Moment {
        // Exact up to 2^53 pieces of work, which no run reaches.
        self.start + Duration::try_from_secs_f64(number as f64 / self.rate).unwrap_or(Duration::MAX)
    }

    /// Waits until the work is due and gives that time; returns at once if it is late.
    pub async fn wait_for(&self, number: u64) -> Moment {
        let due = self.due(number);
        let wait = due.since(self.clock.now());
        // A sleep of nothing lasts until tokio's next millisecond, and who is late would never catch up.
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        due
    }
}

/// What bounds an open loop.
#[derive(Clone, Copy, Debug)]
pub struct LoadExtent {
    /// Jobs in all.
    pub jobs: u64,
    /// Jobs a second.
    pub rate: f64,
    /// The longest that it lasts.
    pub lasting: Duration,
    /// Jobs at once, at least 1. One for which there is no room is late.
    pub at_once: usize,
}

/// Begins jobs at even times until their number, the time or the drain ends it, and waits for those that
/// were begun; the drain cuts them off. Gives how many were begun.
///
/// `begin` is called with a job's number and when it was due, as soon as there is room for it.
pub async fn run_open_loop<F, W>(
    extent: LoadExtent,
    clock: Clock,
    mut drain: Drain,
    mut begin: F,
) -> u64
where
    F: FnMut(u64, Moment) -> W,
    W: Future<Output = ()> + Send + 'static,
{
    let schedule = Schedule::start(clock, extent.rate);
    let end = schedule.due(0) + extent.lasting;
    let at_once = Arc::new(Semaphore::new(extent.at_once.max(1)));
    let jobs = TaskTracker::new();
    let mut begun = 0;
    while begun < extent.jobs && schedule.due(begun) < end {
        let next = async {
            let due = schedule.wait_for(begun).await;
            (due, Arc::clone(&at_once).acquire_owned().await)
        };
        let (due, room) = tokio::select! {
            // The drain first: the room that it makes is for no further job.
            biased;
            () = drain.begun() => break,
            next = next => next,
        };
        let (job, mut drain) = (begin(begun, due), drain.clone());
        jobs.spawn(async move {
            tokio::select! {
                () = drain.begun() => {}
                () = job => {}
            }
            drop(room);
        });
        begun += 1;
    }
    jobs.close();
    jobs.wait().await;
    begun
}

/// Latencies, in microseconds up to five minutes, with three significant digits.
#[derive(Debug)]
pub struct Latencies(Histogram<u64>);

/// The figures of [`Latencies`], in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// How many were measured.
    pub count: u64,
    /// Half of them took no longer.
    pub p50_us: u64,
    /// Nine in ten.
    pub p90_us: u64,
    /// 99 in 100.
    pub p99_us: u64,
    /// All of them.
    pub max_us: u64,
}

impl Latencies {
    const HIGHEST_US: u64 = 300_000_000;

    /// Takes one more measurement; over five minutes counts as five minutes.
    pub fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record(micros.clamp(1, Self::HIGHEST_US));
    }

    /// The figures so far.
    pub fn percentiles(&self) -> Percentiles {
        let at = |quantile| self.0.value_at_quantile(quantile);
        Percentiles {
            count: self.0.len(),
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            max_us: self.0.max(),
        }
    }
}

impl Default for Latencies {
    fn default() -> Self {
        // The bounds are constants that hdrhistogram takes; its fault would be ours.
        #[expect(clippy::expect_used, reason = "constant arguments")]
        Self(Histogram::new_with_bounds(1, Self::HIGHEST_US, 3).expect("valid bounds"))
    }
}

/// Raises the soft limit on open files to the hard one, and gives what it is then.
///
/// A simulated client holds one descriptor, and what it talks to in the same process another.
pub fn raise_descriptor_limit() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    let now = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(_) => current,
    };
    now.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_due_at_even_times_and_a_rate_of_nothing_is_slow_not_endless() {
        let clock = Clock::start();
        let schedule = Schedule::start(clock, 40.0);
        let gap = schedule.due(81).since(schedule.due(80));
        assert!(gap.abs_diff(Duration::from_millis(25)) < Duration::from_micros(1));
        for odd in [0.0, -1.0, f64::NAN, f64::MIN_POSITIVE] {
            let schedule = Schedule::start(clock, odd);
            let gap = schedule.due(1).since(schedule.due(0));
            assert_eq!(gap, Duration::from_secs(1000), "{odd}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn late_work_is_done_at_once_and_keeps_the_time_it_was_due() {
        let clock = Clock::start();
        let schedule = Schedule::start(clock, 1_000_000_000.0);
        while clock.now() < schedule.due(5) {}
        let due = tokio::select! {
            biased;
            due = schedule.wait_for(5) => due,
            () = std::future::ready(()) => panic!("it sleeps"),
        };
        assert_eq!(due, schedule.due(5));
    }

    #[test]
    fn percentiles_come_in_order_and_extremes_are_clamped() {
        let mut latencies = Latencies::default();
        for millis in 1..=100 {
            latencies.record(Duration::from_millis(millis));
        }
        latencies.record(Duration::ZERO);
        latencies.record(Duration::from_secs(3600));
        let told = latencies.percentiles();
        assert_eq!(told.count, 102);
        assert!(told.p50_us.abs_diff(50_000) < 1_000, "{told:?}");
        assert!(told.p90_us.abs_diff(91_000) < 2_000, "{told:?}");
        assert!(told.p99_us >= told.p90_us && told.max_us >= 290_000_000);
    }
}
