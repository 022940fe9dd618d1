//! sharing - how this machine fares with what the others tell
//!
//! Not here: reading and telling (`server::sharing`), showing it (`server::operator`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::secret::SealFault;
use gatepost_core::moment::Moment;

/// Machines of which it is kept that they were there: more than anybody has, and a bound for names that others write.
const MACHINES: usize = 1024;
/// A fault of a machine is told no more often.
const REPORTED: Duration = Duration::from_secs(3600);

/// How this machine fares. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct SharingHealth(Arc<Mutex<Sharing>>);

/// How it fares.
#[derive(Clone, Debug, Default)]
pub struct Sharing {
    /// Whether it is connected.
    pub state: SharingState,
    /// How many seconds the store's clock is ahead of this machine's.
    pub ahead: i64,
    /// Whether it has been told all that the others knew.
    pub is_whole: bool,
    /// Facts that were told.
    pub told: u64,
    /// Facts of others that were news.
    pub taken: u64,
    /// Records that were none.
    pub dropped: u64,
    /// Who told something.
    pub machines: BTreeMap<String, MachineTold>,
}

/// Whether it is connected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SharingState {
    /// It has not been tried yet.
    #[default]
    NotAsked,
    /// It is.
    Shares {
        /// Since when.
        since: Moment,
    },
    /// With some of the others.
    InPart {
        /// Since when.
        since: Moment,
        /// Why not with all, as it was found last.
        why: String,
    },
    /// It is not.
    CutOff {
        /// Since when.
        since: Moment,
        /// Why, as it was found last.
        why: String,
    },
}

/// What another machine told last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MachineTold {
    /// When.
    pub at: Moment,
    /// Why it could not be read, if it could not.
    pub fault: Option<SealFault>,
    /// When each of the faults was told to the operator.
    reported: [Option<Moment>; 3],
}

impl SharingHealth {
    /// How it fares.
    pub fn get(&self) -> Sharing {
        self.locked().clone()
    }

    /// It is connected, and the store's clock is so far ahead; whether that is new.
    pub fn shares(&self, ahead: i64, now: Moment) -> bool {
        let mut sharing = self.locked();
        sharing.ahead = ahead;
        let is_new = !matches!(sharing.state, SharingState::Shares { .. });
        if is_new {
            sharing.state = SharingState::Shares { since: now };
        }
        is_new
    }

    /// It is connected with some, and the common clock is so far ahead.
    pub fn shares_in_part(&self, ahead: i64, why: String, now: Moment) -> bool {
        let mut sharing = self.locked();
        sharing.ahead = ahead;
        let before = match sharing.state {
            SharingState::InPart { since, .. } => Some(since),
            _ => None,
        };
        let since = before.unwrap_or(now);
        sharing.state = SharingState::InPart { since, why };
        before.is_none()
    }

    /// It is not connected; whether that is new.
    pub fn cut_off(&self, why: String, now: Moment) -> bool {
        let mut sharing = self.locked();
        let before = match sharing.state {
            SharingState::CutOff { since, .. } => Some(since),
            _ => None,
        };
        let since = before.unwrap_or(now);
        sharing.state = SharingState::CutOff { since, why };
        before.is_none()
    }

    /// Whether all is known that the others knew.
    pub fn set_whole(&self, is_whole: bool) {
        self.locked().is_whole = is_whole;
    }

    /// So many facts were told.
    pub fn told(&self, facts: u64) {
        self.locked().told += facts;
    }

    /// So many facts of others were news.
    pub fn taken(&self, facts: u64) {
        self.locked().taken += facts;
    }

    /// A machine told something; whether its fault is to be told to the operator: once an hour, however often it comes and goes.
    pub fn noted(&self, machine: &str, fault: Option<SealFault>, now: Moment) -> bool {
        let mut sharing = self.locked();
        if fault.is_some() {
            sharing.dropped += 1;
        }
        if !sharing.machines.contains_key(machine) && sharing.machines.len() >= MACHINES {
            return false;
        }
        let told = sharing.machines.entry(machine.to_owned()).or_default();
        (told.at, told.fault) = (now, fault);
        let Some(fault) = fault else { return false };
        let reported = match fault {
            SealFault::OtherSecret => &mut told.reported[0],
            SealFault::Version => &mut told.reported[1],
            SealFault::Damaged => &mut told.reported[2],
        };
        let is_due = reported.is_none_or(|at| now.since(at) >= REPORTED);
        if is_due {
            *reported = Some(now);
        }
        is_due
    }

    /// A record that could be opened makes no sense.
    pub fn dropped(&self) {
        self.locked().dropped += 1;
    }

    /// Whether another machine told something since then that could be read.
    pub fn has_company(&self, since: Moment) -> bool {
        let sharing = self.locked();
        let mut machines = sharing.machines.values();
        machines.any(|told| told.fault.is_none() && told.at >= since)
    }

    fn locked(&self) -> MutexGuard<'_, Sharing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_that_comes_and_goes_is_told_once_an_hour_and_counted_always() {
        let health = SharingHealth::default();
        let start = Moment::from_seconds(1_800_000_000);
        let (damaged, other) = (Some(SealFault::Damaged), Some(SealFault::OtherSecret));
        assert!(!health.noted("mx1", None, start));
        assert!(health.noted("mx1", damaged, start));
        assert!(!health.noted("mx1", None, start));
        assert!(!health.noted("mx1", damaged, start + REPORTED - Duration::from_nanos(1)));
        assert!(health.noted("mx1", other, start));
        assert!(health.noted("mx2", damaged, start));
        assert!(health.noted("mx1", damaged, start + REPORTED));
        assert_eq!(health.get().dropped, 5);
    }

    #[test]
    fn names_that_others_write_fill_no_memory() {
        let health = SharingHealth::default();
        let now = Moment::from_seconds(1_800_000_000);
        for number in 0..MACHINES + 1 {
            health.noted(&number.to_string(), None, now);
        }
        assert_eq!(health.get().machines.len(), MACHINES);
        assert!(!health.noted("one more", Some(SealFault::Damaged), now));
    }

    #[test]
    fn a_machine_that_cannot_be_read_is_no_company() {
        let health = SharingHealth::default();
        let now = Moment::from_seconds(1_800_000_000);
        health.noted("mx1", Some(SealFault::OtherSecret), now);
        assert!(!health.has_company(now));
        health.noted("mx2", None, now);
        assert!(health.has_company(now));
        assert!(!health.has_company(now + Duration::from_nanos(1)));
    }
}
