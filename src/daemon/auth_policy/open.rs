//! open - the permits that wait for Dovecot's report
//!
//! In the order in which they were given, and no more than a fixed number: beyond it the oldest is lost, and stays
//! paid. A question is known again by a keyed hash of all that identifies it; the password's hash is kept nowhere.
//! Not here: how a permit is settled (`auth_policy`).

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::DoorVisit;
use super::wire::{PolicyQuestion, ShownHash};
use crate::judging::Granted;
use gatepost_core::moment::Moment;

/// Permits that wait: about a KiB each.
const MOST: usize = 8_192;

/// What a question is known again by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AskKey(pub(super) u128);

/// Makes the keys, by secrets of this process.
#[derive(Debug, Default)]
pub(super) struct AskKeys([RandomState; 2]);

impl AskKeys {
    pub(super) fn of(&self, ask: &PolicyQuestion) -> AskKey {
        let halves = self
            .0
            .each_ref()
            .map(|state| u128::from(state.hash_one(ask.identity())));
        let [upper, lower] = halves;
        AskKey(upper << 64 | lower)
    }
}

impl Hash for ShownHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Whole(hash) => hash.hash(state),
            Self::Cut => state.write_u8(0),
        }
    }
}

/// A permit, and who asked.
#[derive(Debug)]
pub(super) struct OpenPermit {
    key: AskKey,
    at: Moment,
    pub(super) visit: DoorVisit,
    pub(super) granted: Granted,
}

impl OpenPermit {
    pub(super) const fn new(key: AskKey, at: Moment, visit: DoorVisit, granted: Granted) -> Self {
        Self {
            key,
            at,
            visit,
            granted,
        }
    }
}

/// How many of the permits with one key a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReportedPermits {
    One,
    All,
}

/// All of them, the oldest first.
#[derive(Debug, Default)]
pub(super) struct OpenPermits(Mutex<VecDeque<OpenPermit>>);

impl OpenPermits {
    /// Keeps one more; the oldest, if there is no room.
    pub(super) fn keep(&self, permit: OpenPermit) -> Option<OpenPermit> {
        let mut open = self.lock();
        let evicted = match open.len() >= MOST {
            true => open.pop_front(),
            false => None,
        };
        open.push_back(permit);
        evicted
    }

    /// Whether this question, which shows a whole hash of the password, is another one about a permit: the same hash is the
    /// same password, however often it is asked about. What shows none may be about another password each time.
    pub(super) fn is_asked_again(&self, key: AskKey) -> bool {
        self.lock().iter().rev().any(|permit| permit.key == key)
    }

    /// Takes the permits that a report is about, the latest first.
    pub(super) fn take(&self, key: AskKey, wanted: ReportedPermits) -> Vec<OpenPermit> {
        let mut open = self.lock();
        let mut found = Vec::new();
        while let Some(at) = open.iter().rposition(|permit| permit.key == key) {
            found.extend(open.remove(at));
            if wanted == ReportedPermits::One {
                break;
            }
        }
        found
    }

    /// Takes those that were given before `then`.
    pub(super) fn older_than(&self, then: Moment) -> Vec<OpenPermit> {
        let mut open = self.lock();
        let young = open.iter().position(|permit| permit.at > then);
        let end = young.unwrap_or(open.len());
        open.drain(..end).collect()
    }

    /// Frees the turns of those that were given before `then`.
    pub(super) fn give_up_turns(&self, then: Moment) {
        let mut open = self.lock();
        let old = open.iter_mut().take_while(|permit| permit.at <= then);
        old.for_each(|permit| permit.granted.give_up_turn());
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<OpenPermit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
