//! state - what is kept over a restart, as octets: snapshot and journal records
//!
//! Not here: files (the daemon's `store`).

pub mod image;

pub(in crate::gate) mod journal;
pub(in crate::gate) mod wire;

mod restore;
