//! health - how the LAPI answers a bouncer and a machine
//!
//! Not here: asking (`server::crowdsec`), showing it (`server::operator`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::decisions::Pull;
use super::lapi::LapiFault;
use gatepost_core::moment::Moment;

/// How Gatepost fares with CrowdSec. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct CrowdsecHealth(Arc<Mutex<CrowdsecState>>);

/// How it fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CrowdsecState {
    /// Whether it tells its decisions.
    pub decides: LapiState,
    /// What was left out of them for being wide or too many.
    pub left_out: u64,
    /// Whether it takes our bans.
    pub takes: LapiState,
    /// Bans that it has taken since the start.
    pub told: u64,
    /// Bans that it would not have.
    pub not_taken: u64,
}

/// Whether the LAPI does what it is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LapiState {
    /// It has not been asked yet.
    #[default]
    NotAsked,
    /// It does.
    Answers {
        /// Since when.
        since: Moment,
    },
    /// It does not.
    Fails {
        /// Since when.
        since: Moment,
        /// Why, as it was found last.
        why: LapiFault,
    },
}

impl LapiState {
    /// It answers; whether that is new.
    fn answers(&mut self, now: Moment) -> bool {
        let is_new = !matches!(self, Self::Answers { .. });
        if is_new {
            *self = Self::Answers { since: now };
        }
        is_new
    }

    /// It does not; whether that is new.
    fn fails(&mut self, why: LapiFault, now: Moment) -> bool {
        let before = match self {
            Self::Fails { since, .. } => Some(*since),
            Self::NotAsked | Self::Answers { .. } => None,
        };
        let since = before.unwrap_or(now);
        *self = Self::Fails { since, why };
        before.is_none()
    }
}

impl CrowdsecHealth {
    /// How it fares.
    pub fn get(&self) -> CrowdsecState {
        self.locked().clone()
    }

    /// It told its decisions, and so many of them were left out; whether either is new.
    pub fn decided(&self, pull: Pull, left_out: usize, now: Moment) -> (bool, bool) {
        let mut state = self.locked();
        let before = match pull {
            Pull::Whole => 0,
            Pull::Since => state.left_out,
        };
        let had = std::mem::replace(&mut state.left_out, before.saturating_add(left_out as u64));
        let is_new = had == 0 && state.left_out > 0;
        (state.decides.answers(now), is_new)
    }

    /// It does not tell them; whether that is new.
    pub fn does_not_decide(&self, why: LapiFault, now: Moment) -> bool {
        self.locked().decides.fails(why, now)
    }

    /// It took bans; whether that is new.
    pub fn took(&self, bans: usize, now: Moment) -> bool {
        let mut state = self.locked();
        state.told = state.told.saturating_add(bans as u64);
        state.takes.answers(now)
    }

    /// It took none; whether that is new.
    pub fn does_not_take(&self, why: LapiFault, now: Moment) -> bool {
        self.locked().takes.fails(why, now)
    }

    /// It is not told of these any more, for it would not have them.
    pub fn gave_up(&self, bans: usize) {
        let mut state = self.locked();
        state.not_taken = state.not_taken.saturating_add(bans as u64);
    }

    fn locked(&self) -> MutexGuard<'_, CrowdsecState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
