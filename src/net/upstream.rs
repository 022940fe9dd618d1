//! upstream - the Postfix behind us

use std::net::SocketAddr;
use std::path::PathBuf;

/// Where Postfix is, and how it learns who the client is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Tried in this order.
    pub addresses: Vec<Address>,
    /// How the client's address is announced.
    pub announce: Announce,
    /// Our name in EHLO when we probe.
    pub hostname: String,
}

/// Where Postfix listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A TCP socket.
    Tcp(SocketAddr),
    /// A UNIX socket.
    Unix(PathBuf),
}

/// How the client's address is announced to Postfix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announce {
    /// PROXY protocol, version 2.
    ProxyV2,
    /// PROXY protocol, version 1.
    ProxyV1,
    /// Postfix's XCLIENT.
    Xclient,
    /// Not at all.
    Nothing,
}
