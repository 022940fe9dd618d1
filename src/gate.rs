//! gate - the judge: who may try a password now, and why
//!
//! Pure: no socket, no clock, no log. Not here: waiting for a turn (`net::turns`), state files (`store`).

pub mod attempt;
pub mod client;
pub mod settings;
pub mod verdict;

/// Placeholder until the gate lands.
#[derive(Debug)]
pub(in crate::gate) struct Claim;
