//! machine - what the config asks the machine: its name, its addresses, its limits
//!
//! Not here: the files that the config names (`inspect`).

use std::net::{IpAddr, UdpSocket};

use rustix::process::{Resource, getrlimit};
use rustix::system::uname;

/// What the machine says of itself.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    /// Its name, as it stands, fit or not.
    pub(super) hostname: String,
    /// Files that a process may hold open at most; none: no limit.
    pub(super) open_files: Option<u64>,
}

impl Machine {
    /// Asks.
    pub(super) fn ask() -> Self {
        Self {
            hostname: uname().nodename().to_string_lossy().into_owned(),
            open_files: getrlimit(Resource::Nofile).maximum,
        }
    }

    /// Whether packets to `address` stay on this machine: only its own address can be bound. A
    /// datagram socket, so that nothing is sent and nobody can connect.
    pub(super) fn owns(&self, address: IpAddr) -> bool {
        address.is_loopback() || UdpSocket::bind((address, 0)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_here_and_a_documentation_address_is_not() {
        let machine = Machine::ask();
        assert!(machine.owns([127, 0, 0, 1].into()));
        assert!(!machine.owns([192, 0, 2, 1].into()));
        assert!(!machine.hostname.is_empty());
    }
}
