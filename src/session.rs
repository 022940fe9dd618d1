//! session - one client, from handshake to ending

use std::time::Duration;

/// The deadlines of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the TLS handshake, and a PROXY header before it.
    pub handshake: Duration,
    /// For one line of the client.
    pub line: Duration,
    /// From accept to login.
    pub login: Duration,
    /// How long a 535 is held back, after Postfix was let go.
    pub failure_delay: Duration,
    /// Without an octet either way, after login.
    pub idle: Duration,
}
