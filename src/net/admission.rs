//! admission - who may hold a connection at all

use crate::gate::settings::Quota;

/// The caps on connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Sessions at once.
    pub sessions: usize,
    /// Sessions at once of one client.
    pub per_client: u32,
    /// Sessions at once of one network.
    pub per_network: u32,
    /// New connections of one client.
    pub connects: Quota,
    /// TLS handshakes under way at once.
    pub handshakes: usize,
}
