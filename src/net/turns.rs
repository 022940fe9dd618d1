//! turns - at most a few strangers at Postfix at once

use std::time::Duration;

/// How many at once, and how long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Attempts that are not familiar, at Postfix at once.
    pub at_once: usize,
    /// How long an attempt waits for its turn.
    pub deadline: Duration,
}
