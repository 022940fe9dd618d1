//! config - the file, checked, as each room's settings

use std::time::Duration;

use crate::{admin, gate, net, report, session, smtp, store};

/// Everything that the config file says, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Banner, EHLO, mechanisms.
    pub dialogue: smtp::dialogue::Settings,
    /// At least one.
    pub listeners: Vec<net::listener::Settings>,
    /// Certificates.
    pub tls: net::tls::Settings,
    /// The Postfix behind us.
    pub upstream: net::upstream::Settings,
    /// Strangers at once, and how long to wait.
    pub turns: net::turns::Settings,
    /// The rules of the gate.
    pub gate: gate::settings::Settings,
    /// Caps on connections.
    pub admission: net::admission::Settings,
    /// Deadlines of a session.
    pub timeouts: session::Timeouts,
    /// How long open sessions may go on after SIGTERM.
    pub drain: Duration,
    /// The state directory.
    pub store: store::Settings,
    /// The operator's socket.
    pub admin: admin::Settings,
    /// The log.
    pub report: report::Settings,
}
