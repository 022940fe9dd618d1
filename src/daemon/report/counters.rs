//! counters - how many sessions went which way
//!
//! Read by `gatepost status` and by `/metrics`. Not here: verdicts by reason (`verdicts`; the gate counts its own),
//! refused connections by reason (admission counts its own), bounds that acted (`limits`).

use std::sync::Arc;

use super::counter::Counter;
use super::durations::Durations;
use super::limits::LimitCounters;

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
    /// Octets from clients to Postfix after login.
    pub octets_in: Counter,
    /// Octets from Postfix to clients after login.
    pub octets_out: Counter,
    /// How often each bound acted.
    pub limits: Arc<LimitCounters>,
    /// How long handshakes, logins and checks took.
    pub durations: Durations,
}
