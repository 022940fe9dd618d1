//! counters - how many sessions went which way
//!
//! Read by `gatepost status` and by `/metrics`. Not here: verdicts by reason (`verdicts`; the gate counts its own),
//! refused connections by reason (admission counts its own), bounds that acted (`limits`).

use std::sync::Arc;

use super::counter::Counter;
use super::durations::Durations;
use super::limits::LimitCounters;
use super::verdicts::AttemptVerdict;
use gatepost_core::gate::request::doors::Door;

/// What the sessions of this process came to.
#[derive(Debug, Default)]
pub struct Counters {
    /// Admitted connections.
    pub sessions: Counter,
    /// TLS handshakes that failed or took too long.
    pub handshakes_failed: Counter,
    /// Attempts judged.
    pub attempts: Counter,
    /// Attempts that Postfix accepted.
    pub accepted: Counter,
    /// Attempts that Postfix rejected: the guesses that reached it.
    pub rejected: Counter,
    /// Attempts refused by the gate.
    pub refused: Counter,
    /// AUTH commands refused without judging: those behind a refusal in the same session. They are no attempts.
    pub unjudged: Counter,
    /// Attempts that would have been refused, were it not for dry run or settling in.
    pub would_refuse: Counter,
    /// Attempts answered 454 for a fault of Postfix or ours.
    pub deferred: Counter,
    /// Repetitions answered 535 by ourselves.
    pub repeated: Counter,
    /// Passwords of strangers that the backend was asked about and did not accept: what the bound is about.
    pub guesses: Counter,
    /// Attempts at Dovecot's doors whose password had to wait.
    pub delayed: Counter,
    /// What came of the attempts at each door.
    pub by_door: [DoorCounters; Door::ALL.len()],
    /// Right passwords for mailboxes that nobody has.
    pub decoys_opened: Counter,
    /// Passwords that seem to be stolen.
    pub stolen_suspected: Counter,
    /// Octets from clients to Postfix after login.
    pub octets_in: Counter,
    /// Octets from Postfix to clients after login.
    pub octets_out: Counter,
    /// How often each bound acted.
    pub limits: Arc<LimitCounters>,
    /// How long handshakes, logins and checks took.
    pub durations: Durations,
}

/// What came of the attempts at one door.
#[derive(Debug, Default)]
pub struct DoorCounters {
    /// Logged in.
    pub accepted: Counter,
    /// The password was wrong.
    pub rejected: Counter,
    /// Refused by the gate.
    pub refused: Counter,
}

impl DoorCounters {
    /// An attempt was settled so.
    pub fn settled(&self, verdict: AttemptVerdict) {
        match verdict {
            AttemptVerdict::Accept => self.accepted.count(),
            AttemptVerdict::Reject => self.rejected.count(),
            _ => {}
        }
    }
}

impl Counters {
    /// Those of a door.
    pub fn of_door(&self, door: Door) -> &DoorCounters {
        let [own, ..] = &self.by_door;
        self.by_door.get(door as usize).unwrap_or(own)
    }
}
