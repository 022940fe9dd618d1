//! end - what the line about the end of a session tells
//!
//! Not here: writing it, and at which level (`events`).

use std::fmt::Display;
use std::time::Duration;

use super::Session;
use gatepost_core::gate::request::attempt::UserName;

/// The end of one session.
pub struct End<'a> {
    /// The session.
    pub session: Session<'a>,
    /// How it ended: a log value of `session::Ending`.
    pub ending: &'static str,
    /// The fault, if one ended it.
    pub fault: Option<&'a dyn Display>,
    /// Whose fault that was.
    pub blame: Blame,
    /// What the client did wrong before a login that did not come.
    pub wrong: Option<FaultBeforeLogin<'a>>,
    /// The user that was logged in.
    pub user: Option<&'a UserName>,
    /// From accept to close.
    pub duration: Duration,
    /// Octets from the client to Postfix after login.
    pub octets_in: u64,
    /// Octets from Postfix to the client after login.
    pub octets_out: u64,
}

/// What a client did wrong before its login.
pub struct FaultBeforeLogin<'a> {
    /// The log value of the first fault.
    pub fault: &'static str,
    /// What it was answered.
    pub reply: &'a dyn Display,
    /// How many faults there were.
    pub count: u32,
}

/// Whose fault an ending was: what level it is told at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Nobody's: info for a session that had logged in, else debug.
    Nobody,
    /// The client's: debug.
    Client,
    /// Postfix's: warn.
    Upstream,
}
