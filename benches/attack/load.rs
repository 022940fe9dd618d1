//! load - jobs in a crowd or at even times, and how long they took
//!
//! A crowd keeps so many jobs going at once until all are done: for costs. At even times (open
//! loop), a job's latency counts from the time it was due: for what users feel.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gatepost_core::moment::Moment;
use gatepost_daemon::clock::Clock;
use gatepost_lab::load::{Latencies, Percentiles, Schedule};
use tokio::task::JoinSet;

use crate::BenchResult;

/// The results of many jobs.
#[derive(Debug, Default)]
pub(crate) struct JobTally {
    latencies: Latencies,
    /// Jobs that failed.
    pub(crate) failed: usize,
    first_fault: Option<String>,
}

impl JobTally {
    fn add(&mut self, latency: Duration, done: Result<(), io::Error>) {
        match done {
            Ok(()) => self.latencies.record(latency),
            Err(fault) => {
                self.failed += 1;
                self.first_fault.get_or_insert(fault.to_string());
            }
        }
    }

    /// Jobs that failed count among the latencies as if they had taken so long.
    pub(crate) fn count_failures_as(&mut self, latency: Duration) {
        for _ in 0..self.failed {
            self.latencies.record(latency);
        }
    }

    /// Latencies of the jobs that were done.
    pub(crate) fn percentiles(&self) -> Percentiles {
        self.latencies.percentiles()
    }

    /// An error when a job has failed: a figure with failures in it is none.
    pub(crate) fn all_done(self) -> BenchResult<Self> {
        match &self.first_fault {
            None => Ok(self),
            Some(fault) => Err(format!("{} failed; the first: {fault}", self.failed).into()),
        }
    }
}

/// Does jobs 0 to `count`, `at_once` of them at a time.
pub(crate) async fn run_at_once<F, W>(
    clock: Clock,
    at_once: usize,
    count: usize,
    job: F,
) -> JobTally
where
    F: Fn(usize) -> W + Clone + Send + 'static,
    W: Future<Output = io::Result<()>> + Send + 'static,
{
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..at_once.min(count) {
        let (next, job) = (Arc::clone(&next), job.clone());
        workers.spawn(async move {
            let mut done = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return done;
                }
                let began = clock.now();
                let outcome = job(number).await;
                done.push((clock.now().since(began), outcome));
            }
        });
    }
    let mut tally = JobTally::default();
    while let Some(worker) = workers.join_next().await {
        for (latency, outcome) in worker.unwrap_or_default() {
            tally.add(latency, outcome);
        }
    }
    tally
}

/// Begins jobs from 0 on, `rate` a second, whatever the result of those before, while `more` says so of
/// their numbers.
pub(crate) async fn at_even_times<F, W>(
    clock: Clock,
    rate: f64,
    more: impl FnMut(usize) -> bool,
    job: F,
) -> JobTally
where
    F: Fn(usize) -> W,
    W: Future<Output = io::Result<()>> + Send + 'static,
{
    let mut tally = JobTally::default();
    for (_, latency, outcome) in outcomes_at_even_times(clock, rate, more, job).await {
        tally.add(latency, outcome);
    }
    tally
}

/// The same for several places, `count` jobs at each and `rate` a second at all together: a job is told its place and its number
/// there. The places take turns, job by job, and every one of them is as often the first of a turn. A tally for each.
pub(crate) async fn at_places_in_turn<F, W>(
    clock: Clock,
    rate: f64,
    (places, count): (usize, usize),
    job: F,
) -> Vec<JobTally>
where
    F: Fn(usize, usize) -> W,
    W: Future<Output = io::Result<()>> + Send + 'static,
{
    let place = |number| (number % places + number / places) % places;
    let more = |number| number < places * count;
    let job = |number| job(place(number), number / places);
    let mut tallies: Vec<_> = (0..places).map(|_| JobTally::default()).collect();
    for (number, latency, outcome) in outcomes_at_even_times(clock, rate, more, job).await {
        if let Some(tally) = tallies.get_mut(place(number)) {
            tally.add(latency, outcome);
        }
    }
    tallies
}

/// The number of each job, how long it took from when it was due, and its result.
async fn outcomes_at_even_times<F, W>(
    clock: Clock,
    rate: f64,
    mut more: impl FnMut(usize) -> bool,
    job: F,
) -> Vec<(usize, Duration, io::Result<()>)>
where
    F: Fn(usize) -> W,
    W: Future<Output = io::Result<()>> + Send + 'static,
{
    let schedule = Schedule::start(clock, rate);
    let mut jobs = JoinSet::new();
    for number in (0..).take_while(|number| more(*number)) {
        let due = schedule.due(number as u64);
        wait_for(clock, due).await;
        let job = job(number);
        jobs.spawn(async move {
            let outcome = job.await;
            (number, clock.now().since(due), outcome)
        });
    }
    let mut outcomes = Vec::new();
    while let Some(job) = jobs.join_next().await {
        outcomes.push(job.unwrap_or_else(|fault| {
            let fault = io::Error::other(fault);
            (0, Duration::ZERO, Err(fault))
        }));
    }
    outcomes
}

/// Waits until then, to a tenth of a millisecond: tokio's timers may be a whole one late, which is more than an answer takes.
async fn wait_for(clock: Clock, due: Moment) {
    const BEFORE: Duration = Duration::from_millis(3);
    let wait = due.since(clock.now());
    if wait > BEFORE {
        tokio::time::sleep(wait - BEFORE).await;
    }
    let rest = due.since(clock.now());
    if !rest.is_zero() {
        // Were the thread to panic, the job would only begin early.
        drop(tokio::task::spawn_blocking(move || std::thread::sleep(rest)).await);
    }
}
