//! durations - how long handshakes, logins and checks of passwords took, as histograms
//!
//! The buckets go from a millisecond to half a minute, which is longer than any of them may take but for a queue.
//! Not here: how they are encoded (`server`).

use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;

/// The upper ends of the buckets, in seconds.
const BUCKETS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// How often something took how long.
#[derive(Debug)]
pub struct DurationHistogram(Histogram);

impl Default for DurationHistogram {
    fn default() -> Self {
        Self(Histogram::new(BUCKETS))
    }
}

impl DurationHistogram {
    /// One more.
    pub fn observe(&self, took: Duration) {
        self.0.observe(took.as_secs_f64());
    }

    /// What was counted, for who encodes it.
    pub const fn histogram(&self) -> &Histogram {
        &self.0
    }
}

/// What is measured.
#[derive(Debug, Default)]
pub struct Durations {
    /// TLS handshakes that succeeded, from the client's first octet.
    pub handshake: DurationHistogram,
    /// Logins that Postfix accepted, from the last octet of the credentials to the answer: with the queue.
    pub login: DurationHistogram,
    /// Answers of Postfix to a password, right or wrong, from when it was sent.
    pub check: DurationHistogram,
}
