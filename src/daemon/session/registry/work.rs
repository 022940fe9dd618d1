//! work - whether a session works, and so whether it may give way
//!
//! Not here: which of those that may gives way (`room`), where it is told (`registry`, `elsewhere`).

use std::time::Duration;

use super::SAMPLE;
use gatepost_core::moment::Moment;

/// A session whose client says nothing for so long is silent, if Postfix has answered.
pub(super) const SILENT: Duration = Duration::from_secs(10);
/// And so long, whichever side is to say something. To its own user's next login a session gives way only then.
pub(super) const SILENT_BOTH: Duration = Duration::from_secs(60);
/// A session that is no older is at work.
const AT_WORK: Duration = Duration::from_secs(60);
/// A session that is older must move this many octets in [`SAMPLE`].
const DAWDLING: Duration = Duration::from_secs(300);
const LEAST_OCTETS: u32 = 500 * SAMPLE.as_secs() as u32;

/// Users that hold fewer may use the reserve.
pub(super) const FEW: usize = 2;

/// How a session works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionWork {
    /// Its login.
    pub since: Moment,
    /// When its last octet had moved.
    pub moved: Moment,
    /// When that was seen. What has moved since is not known, and not held to be nothing.
    pub seen: Moment,
    /// Octets between the last two samples.
    pub lately: u32,
    /// Whether Postfix waits for its client.
    pub clients_turn: bool,
}

impl SessionWork {
    /// For how long nothing had moved.
    pub fn still(self) -> Duration {
        self.seen.since(self.moved)
    }

    /// Whether its client leaves Postfix waiting, or nothing has moved for a minute.
    pub(super) fn is_silent(self) -> bool {
        let least = match self.clients_turn {
            true => SILENT,
            false => SILENT_BOTH,
        };
        self.still() >= least
    }

    /// Why it could give way to a user that holds `own`, while its own user holds `weight`.
    pub(super) fn yields(self, weight: usize, own: usize) -> Option<Yields> {
        let age = self.seen.since(self.since);
        if weight <= own {
            None
        } else if self.is_silent() {
            Some(Yields::Silent)
        } else if age >= DAWDLING && self.lately < LEAST_OCTETS {
            Some(Yields::Dawdling)
        } else if age >= AT_WORK && weight >= own + FEW {
            Some(Yields::OfMany)
        } else {
            None
        }
    }
}

/// Why a session may give way; the first reason to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Yields {
    OfMany,
    Dawdling,
    Silent,
}
