//! state - what is kept over a restart, as octets: snapshots and journals, and a gate made from them
//!
//! `file` says what a state file is; `image` writes the snapshots and `journal` the changes since; `restore` builds a
//! gate from what `read` and, for files of the first format, `version1` make of them, and `renamed` from users
//! whose names are folded otherwise now; `record` has each record's octets and the rule by which versions
//! understand one another, `devices` the devices of users, `places` where they have logged in that was new, `away` the distance between their clocks, `decisive` which change of a ban holds, `frame` what finds records again behind damage.
//! Not here: files (the daemon's `store`).

mod away;
mod bans;
mod decisive;
mod devices;
pub mod file;
pub mod frame;
pub mod image;
pub mod journal;
mod places;
pub mod restore;
mod revocations;

mod read;
pub(in crate::gate) mod record;
mod renamed;
mod version1;

#[cfg(test)]
mod tests;
