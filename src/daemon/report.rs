//! report - what is told: log events, counters, limits, and how the log is set up and written
//!
//! Events, their fields and their values are public API: defined here, once, listed in the changelog.
//! Not here: the operator's questions (`admin`), the gate's own counters (`gate`).

pub mod busiest;
pub mod counter;
pub mod counters;
pub mod durations;
pub mod events;
pub mod ja4;
pub mod last_faults;
pub mod lately;
pub mod limits;
pub mod occurrence;
pub mod places;
pub mod quiet;
pub mod record;
pub mod seen_names;
pub mod setup;
mod user_lines;
pub mod verdicts;
pub mod writer;

/// How the log is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportSettings {
    /// Text or JSON.
    pub format: Format,
    /// The least severe level that is written: `error`, `warn`, `info`, `debug` or `trace`.
    pub level: Level,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One line of `key=value` pairs.
    Text,
    /// One JSON object a line.
    Json,
}

/// The least severe level that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Our own faults.
    Error,
    /// And the upstream's.
    Warn,
    /// And one line an attempt and a session.
    Info,
    /// And clients' faults, and every refusal.
    Debug,
    /// Everything.
    Trace,
}
