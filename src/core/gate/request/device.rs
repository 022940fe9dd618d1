//! device - the mail program at the other end of a connection, as the ticket of its TLS session names it
//!
//! A random number that we have put into the ticket. Only a client that has the secret of that session can bring it back;
//! it cannot choose it. It is kept nowhere: the tables know a keyed hash.
//! Not here: tickets (the daemon's `net::tls`), which devices have logged in, and as which user (`trust::devices`).

use std::fmt;

/// One device.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Device {
    octets: [u8; 16],
    ticket: DeviceTicket,
}

/// Where a connection has its device from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceTicket {
    /// It is new: nobody has been this device before.
    New,
    /// The client has brought it back.
    Returned,
}

impl Device {
    /// The device with this number.
    pub const fn new(octets: [u8; 16], ticket: DeviceTicket) -> Self {
        Self { octets, ticket }
    }

    /// The number, for the one who must hash it or put it into a ticket.
    pub const fn expose(&self) -> &[u8; 16] {
        &self.octets
    }

    /// Where the connection has it from.
    pub const fn ticket(&self) -> DeviceTicket {
        self.ticket
    }
}

/// Tells nothing: who knew it could not use it, and the log needs it not.
impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Device({:?})", self.ticket)
    }
}

/// A device as a connection has it, under the number that the tables know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) struct HashedDevice {
    pub(in crate::gate) id: DeviceId,
    pub(in crate::gate) ticket: DeviceTicket,
}

/// A device, as the tables know one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(pub(in crate::gate) u64);

/// Where a device has logged in as a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) enum DeviceMet {
    /// Only at places that were new to the user that day.
    Elsewhere,
    /// Where the user was at home, or near it.
    AtHome,
}

/// Whether this is a device of the user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) enum DeviceTrust {
    Familiar,
    Unknown,
}
