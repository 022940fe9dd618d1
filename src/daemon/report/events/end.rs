//! end - the line about the end of a session, and its level
//!
//! Not here: the other lines (`events`).

use std::fmt::Display;
use std::time::Duration;

use tracing::{debug, info, warn};

use super::{Reporter, Session, millis};
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::keys::UserId;
use gatepost_core::moment::Moment;

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
    /// Its account, however it was named.
    pub account: Option<UserId>,
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
    /// The client's: the same.
    Client,
    /// Postfix's: warn.
    Upstream,
}

impl Reporter {
    /// One event a session: `session`.
    pub fn end(&self, end: &End<'_>, now: Moment) {
        let (level, suppressed) = match (end.blame, &end.wrong) {
            (Blame::Upstream, _) => {
                self.of_account(end.account, tracing::Level::WARN, end.ending, now)
            }
            (Blame::Nobody | Blame::Client, _) if end.user.is_some() => {
                self.of_account(end.account, tracing::Level::INFO, end.ending, now)
            }
            (_, Some(wrong)) => self.level(&self.sessions, &end.session.key, wrong.fault, now),
            (Blame::Nobody | Blame::Client, None) => (tracing::Level::DEBUG, 0),
        };
        let wrong = end.wrong.as_ref();
        let fault = match wrong {
            Some(wrong) => Some(wrong.fault.to_owned()),
            None => end.fault.map(ToString::to_string),
        };
        at!(level,
            session = %end.session.id,
            client = %end.session.client,
            listener = %end.session.listener,
            tls = end.session.tls,
            user = end.user.map(tracing::field::display),
            ending = end.ending,
            fault,
            reply = wrong.map(|wrong| wrong.reply.to_string()),
            faults = wrong.map(|wrong| wrong.count),
            octets_in = end.octets_in,
            octets_out = end.octets_out,
            ms = millis(end.duration),
            suppressed = (suppressed > 0).then_some(suppressed),
            "session");
    }
}
