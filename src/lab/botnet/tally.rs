//! tally - counts of what the simulated clients saw
//!
//! Every attempt ends in exactly one [`LoginOutcome`]; with those under way they add up to the attempts made.
//! Not here: what reached the server behind (`backend::Counters`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::outcome::{LoginAnswer, LoginOutcome};
use crate::load::{Latencies, Percentiles};

/// Counts; shared by all clients of one kind.
#[derive(Debug, Default)]
pub struct AttemptTally {
    outcomes: [AtomicU64; 9],
    tries: AtomicU64,
    sessions: AtomicU64,
    latencies: Mutex<Latencies>,
    first_other: Mutex<Option<String>>,
}

/// The content of an [`AttemptTally`] at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AttemptFigures {
    /// Connections tried.
    pub sessions: u64,
    /// Login attempts, those under way included.
    pub tries: u64,
    /// Of these, not answered yet, or cut off when the drain began.
    pub under_way: u64,
    /// 235: logged in.
    pub accepted: u64,
    /// 535: wrong password.
    pub rejected: u64,
    /// 454, or another 4xx: not now.
    pub try_later: u64,
    /// 421 or 554: the service is not available to this client.
    pub unavailable: u64,
    /// Connection reset: what a banned client gets.
    pub reset: u64,
    /// Connection closed without a reply.
    pub closed: u64,
    /// Nothing listens there.
    pub connection_refused: u64,
    /// No answer in time.
    pub timed_out: u64,
    /// Anything else.
    pub other: u64,
    /// The text of the first of these.
    pub first_other: Option<String>,
    /// From when an attempt was due to its answer.
    pub latency: Percentiles,
}

impl AttemptTally {
    /// What it holds now. Counts that belong together may be one apart while clients run.
    pub fn figures(&self) -> AttemptFigures {
        let of = |outcome: LoginOutcome| {
            let count = self.outcomes.get(outcome as usize);
            count.map_or(0, |count| count.load(Ordering::Relaxed))
        };
        let count_end: u64 = self
            .outcomes
            .iter()
            .map(|o| o.load(Ordering::Relaxed))
            .sum();
        let tries = self.tries.load(Ordering::Relaxed);
        AttemptFigures {
            sessions: self.sessions.load(Ordering::Relaxed),
            tries,
            under_way: tries.saturating_sub(count_end),
            accepted: of(LoginOutcome::Accept),
            rejected: of(LoginOutcome::Reject),
            try_later: of(LoginOutcome::TryLater),
            unavailable: of(LoginOutcome::Unavailable),
            reset: of(LoginOutcome::Reset),
            closed: of(LoginOutcome::Close),
            connection_refused: of(LoginOutcome::ConnectionRefused),
            timed_out: of(LoginOutcome::Timeout),
            other: of(LoginOutcome::Other),
            first_other: lock(&self.first_other).clone(),
            latency: lock(&self.latencies).percentiles(),
        }
    }

    pub(super) fn count_session(&self) {
        self.sessions.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_try(&self) {
        self.tries.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_end(&self, answer: &LoginAnswer) {
        if let Some(count) = self.outcomes.get(answer.outcome as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if answer.outcome == LoginOutcome::Other {
            lock(&self.first_other).get_or_insert_with(|| answer.said.clone());
        }
    }

    pub(super) fn record_latency(&self, latency: Duration) {
        lock(&self.latencies).record(latency);
    }
}

/// The lock's content; figures stay usable when a client panicked.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
