//! tickets - which mail programs have a TLS ticket, and so are a device that comes back
//!
//! A program has one from its first connection on, whatever becomes of its login.
//! Not here: when programs are started (`routine`).

use std::collections::HashSet;

use gatepost_core::gate::request::device::{Device, DeviceTicket};

/// The programs that were connected.
#[derive(Debug, Default)]
pub(super) struct ProgramTickets(HashSet<u64>);

impl ProgramTickets {
    /// A connection of the program with this number.
    pub(super) fn connect(&mut self, program: u64) -> Device {
        let ticket = match self.0.insert(program) {
            true => DeviceTicket::New,
            false => DeviceTicket::Returned,
        };
        Device::new(u128::from(program).to_le_bytes(), ticket)
    }
}
