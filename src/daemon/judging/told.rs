//! told - the part of an attempt's log line that its end decides
//!
//! Not here: the line itself (`report::events`), what ends an attempt (`attempt`).

use std::fmt::Display;
use std::time::Duration;

use crate::report::verdicts::AttemptVerdict;
use gatepost_core::gate::request::verdict::Reason;

/// The part of a log line that the end of the attempt decides.
pub(in crate::judging) struct Told<'a> {
    pub(in crate::judging) verdict: AttemptVerdict,
    pub(in crate::judging) reason: Option<Reason>,
    pub(in crate::judging) would_refuse: Option<Reason>,
    pub(in crate::judging) wait: Duration,
    pub(in crate::judging) reply: &'a dyn Display,
}

impl Told<'_> {
    /// This, and nothing else.
    pub(in crate::judging) fn of(verdict: AttemptVerdict) -> Self {
        Self {
            verdict,
            reason: None,
            would_refuse: None,
            wait: Duration::ZERO,
            reply: &"none",
        }
    }
}
