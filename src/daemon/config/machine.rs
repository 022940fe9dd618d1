//! machine - what the config needs of the machine: host name, addresses
//!
//! Not here: the files that the config names (`inspect`).

use std::net::{IpAddr, UdpSocket};

use rustix::system::uname;

/// Properties of the machine.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    /// The host name, unchecked.
    pub(super) hostname: String,
}

impl Machine {
    /// Reads them.
    pub(super) fn read() -> Self {
        Self {
            hostname: uname().nodename().to_string_lossy().into_owned(),
        }
    }

    /// Whether packets to `address` stay on this machine: only its own address can be bound. A
    /// datagram socket, so that nothing is sent and no client can connect.
    pub(super) fn is_local(&self, address: IpAddr) -> bool {
        address.is_loopback() || UdpSocket::bind((address, 0)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_local_and_a_documentation_address_is_not() {
        let machine = Machine::read();
        assert!(machine.is_local([127, 0, 0, 1].into()));
        assert!(!machine.is_local([192, 0, 2, 1].into()));
        assert!(!machine.hostname.is_empty());
    }
}
