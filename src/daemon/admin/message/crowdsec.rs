//! crowdsec - what `status` shows of CrowdSec
//!
//! Not here: the whole of it (`message`).

use serde::{Deserialize, Serialize};

/// CrowdSec's local API, and how Gatepost fares with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrowdsecMessage {
    /// Where it is: host and port.
    pub address: String,
    /// Whether it tells its decisions; none: it is not asked, for there is no `key-file`.
    pub decisions: Option<LapiMessage>,
    /// Decisions in force.
    pub in_force: u64,
    /// Decisions that are left out: too wide, too many, or not readable.
    pub left_out: u64,
    /// Whether it takes our bans; none: it is told none, for there is no `machine-file`.
    pub bans: Option<LapiMessage>,
    /// Bans that it has taken since the start.
    pub told: u64,
    /// Bans that it would not have.
    pub not_taken: u64,
}

/// Whether CrowdSec's local API does what it is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LapiMessage {
    /// `answers`, `fails`, or `not-asked` before the first answer.
    pub state: String,
    /// Since when, RFC 3339.
    pub since: Option<String>,
    /// Why it fails.
    pub reason: Option<String>,
}
