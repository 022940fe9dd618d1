//! tally - what the simulated clients saw, counted
//!
//! Every try ends in exactly one [`Outcome`]; with those under way they add up to the tries made.
//! Not here: what reached the server behind (`backend::Counters`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::outcome::{Answer, Outcome};
use crate::load::{Latencies, Percentiles};

/// Counts; shared by all clients of one kind.
#[derive(Debug, Default)]
pub struct Tally {
    outcomes: [AtomicU64; 9],
    tries: AtomicU64,
    sessions: AtomicU64,
    latencies: Mutex<Latencies>,
    first_odd: Mutex<Option<String>>,
}

/// What a [`Tally`] holds at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Connections tried.
    pub sessions: u64,
    /// Tries to log in, those under way included.
    pub tries: u64,
    /// Of these, not answered yet, or cut off when the drain began.
    pub under_way: u64,
    /// 235: logged in.
    pub accepted: u64,
    /// 535: wrong password.
    pub rejected: u64,
    /// 454, or another 4xx: not now.
    pub try_later: u64,
    /// 421, or 554 to whom it will not talk: sent away.
    pub sent_away: u64,
    /// Connection reset: what a banned client gets.
    pub reset: u64,
    /// Connection closed without a word.
    pub hung_up: u64,
    /// Nobody listens there.
    pub nobody_there: u64,
    /// No answer in time.
    pub silence: u64,
    /// Anything else.
    pub odd: u64,
    /// The first of these, in words.
    pub first_odd: Option<String>,
    /// From when a try was due to its answer.
    pub latency: Percentiles,
}

impl Tally {
    /// What it holds now. Counts that belong together may be one apart while clients run.
    pub fn figures(&self) -> Figures {
        let of = |outcome: Outcome| {
            let count = self.outcomes.get(outcome as usize);
            count.map_or(0, |count| count.load(Ordering::Relaxed))
        };
        let ended: u64 = self
            .outcomes
            .iter()
            .map(|o| o.load(Ordering::Relaxed))
            .sum();
        let tries = self.tries.load(Ordering::Relaxed);
        Figures {
            sessions: self.sessions.load(Ordering::Relaxed),
            tries,
            under_way: tries.saturating_sub(ended),
            accepted: of(Outcome::Accept),
            rejected: of(Outcome::Reject),
            try_later: of(Outcome::TryLater),
            sent_away: of(Outcome::SendAway),
            reset: of(Outcome::Reset),
            hung_up: of(Outcome::HangUp),
            nobody_there: of(Outcome::NobodyThere),
            silence: of(Outcome::Silence),
            odd: of(Outcome::Odd),
            first_odd: lock(&self.first_odd).clone(),
            latency: lock(&self.latencies).percentiles(),
        }
    }

    pub(super) fn connecting(&self) {
        self.sessions.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn trying(&self) {
        self.tries.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn ended(&self, answer: &Answer) {
        if let Some(count) = self.outcomes.get(answer.outcome as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if answer.outcome == Outcome::Odd {
            lock(&self.first_odd).get_or_insert_with(|| answer.said.clone());
        }
    }

    pub(super) fn took(&self, latency: Duration) {
        lock(&self.latencies).record(latency);
    }
}

/// The lock's content; figures stay usable when a client panicked.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
