//! health - whether the store lends, and which machines were seen there
//!
//! Not here: asking (`server::lending`), showing it (`server::operator`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::cluster::store::{ClusterPresence, LenderFault};
use gatepost_core::moment::Moment;

/// How this machine fares with the store. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct LendingHealth(Arc<Mutex<Lending>>);

/// How it fares.
#[derive(Clone, Debug, Default)]
pub struct Lending {
    /// Whether it lends.
    pub state: LendingState,
    /// Who was there, and when that was told.
    pub presence: Option<(ClusterPresence, Moment)>,
}

/// Whether the store lends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LendingState {
    /// It has not been asked yet.
    #[default]
    NotAsked,
    /// It lends.
    Lends {
        /// Since when.
        since: Moment,
    },
    /// It does not.
    CutOff {
        /// Since when.
        since: Moment,
        /// Why, as it was found last.
        why: LenderFault,
    },
}

impl LendingHealth {
    /// How it fares.
    pub fn get(&self) -> Lending {
        self.locked().clone()
    }

    /// It lends; whether that is new.
    pub fn lends(&self, now: Moment) -> bool {
        let mut lending = self.locked();
        let is_new = !matches!(lending.state, LendingState::Lends { .. });
        if is_new {
            lending.state = LendingState::Lends { since: now };
        }
        is_new
    }

    /// It does not lend; whether that is new.
    pub fn cut_off(&self, why: LenderFault, now: Moment) -> bool {
        let mut lending = self.locked();
        let before = match lending.state {
            LendingState::CutOff { since, .. } => Some(since),
            LendingState::NotAsked | LendingState::Lends { .. } => None,
        };
        let since = before.unwrap_or(now);
        lending.state = LendingState::CutOff { since, why };
        before.is_none()
    }

    /// Who is there; what was known before.
    pub fn saw(&self, presence: ClusterPresence, now: Moment) -> Option<ClusterPresence> {
        let before = self.locked().presence.replace((presence, now));
        before.map(|(presence, _)| presence)
    }

    fn locked(&self) -> MutexGuard<'_, Lending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
