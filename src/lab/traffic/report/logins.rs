//! logins - how honest logins fared, in numbers
//!
//! Not here: which logins are counted together (`report`).

use std::time::Duration;

use serde::Serialize;

use crate::traffic::ledger::Locality;
use crate::traffic::policy::ClientAnswer;
use gatepost_core::moment::Moment;

/// The results of honest logins.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LoginStats {
    /// Logins that were wanted.
    pub all: u64,
    /// Those that were refused at least once, counting the mistyped password before.
    pub refused: u64,
    /// Those that were given up after a day.
    pub never: u64,
    /// Those whose right password was answered 535.
    pub wrongly_rejected: u64,
    /// Refused ones: from the first refusal to the login, in seconds, on average.
    pub mean_wait: f64,
    /// The same, the longest.
    pub longest_wait: u64,
    #[serde(skip)]
    waited: Duration,
    #[serde(skip)]
    came_in_late: u64,
}

/// What an honest login has gone through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoginProgress {
    pub(crate) locality: Locality,
    pub(crate) occasion: Occasion,
    /// When it first met a refusal.
    pub(crate) refused: Option<Moment>,
    /// Whether the right password was answered 535.
    pub(crate) wrongly_rejected: bool,
}

/// Whether a user writes from a place for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// The first login that they want from a place that is not near one of theirs.
    First,
    /// Any other.
    Later,
}

impl LoginStats {
    pub(super) fn count(&mut self, past: &LoginProgress, answer: ClientAnswer, now: Moment) {
        self.all += 1;
        self.wrongly_rejected += u64::from(past.wrongly_rejected);
        if answer != ClientAnswer::LoggedIn {
            self.never += 1;
        }
        let Some(refused) = past.refused else { return };
        self.refused += 1;
        if answer == ClientAnswer::LoggedIn {
            let wait = now.since(refused);
            self.waited += wait;
            self.came_in_late += 1;
            self.longest_wait = self.longest_wait.max(wait.as_secs());
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.all += other.all;
        self.refused += other.refused;
        self.never += other.never;
        self.wrongly_rejected += other.wrongly_rejected;
        self.longest_wait = self.longest_wait.max(other.longest_wait);
        self.waited += other.waited;
        self.came_in_late += other.came_in_late;
        self.conclude();
    }

    pub(super) fn conclude(&mut self) {
        let late = self.came_in_late.max(1) as f64;
        self.mean_wait = (self.waited.as_secs_f64() / late).round();
    }

    /// Of a hundred, how many met a refusal. None if there were none at all.
    pub fn refused_percent(&self) -> Option<f64> {
        (self.all > 0).then(|| 100.0 * self.refused as f64 / self.all as f64)
    }

    /// Of a hundred, how many met no refusal. None if there were none at all.
    pub fn first_try_percent(&self) -> Option<f64> {
        (self.all > 0).then(|| 100.0 * (self.all - self.refused) as f64 / self.all as f64)
    }
}
