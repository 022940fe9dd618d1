//! listener - bind, accept, judge, then register

use std::net::SocketAddr;

use ipnet::IpNet;

/// One listening address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where to listen; `[::]` takes IPv4 too.
    pub address: SocketAddr,
    /// How TLS begins.
    pub tls: TlsStart,
    /// Load balancers that may speak for a client with the PROXY protocol.
    pub proxy_from: Vec<IpNet>,
}

/// How TLS begins on a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsStart {
    /// With the first octet (RFC 8314), port 465.
    Implicit,
    /// After STARTTLS (RFC 3207), port 587.
    StartTls,
}
