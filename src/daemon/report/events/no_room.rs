//! no_room - the line about a right password for which there was no session
//!
//! Not here: why there was none (`session::registry`), the other lines (`events`).

use tracing::{debug, info, warn};

use super::{Reporter, Session};
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::moment::Moment;

/// A login that Postfix accepted, and that found no room.
pub struct LoginWithoutRoom<'a> {
    /// Its session.
    pub session: Session<'a>,
    /// The user.
    pub user: &'a UserName,
    /// Why: a log value of `session::registry::NoRoom`.
    pub reason: &'static str,
    /// Sessions that this user holds.
    pub held: usize,
    /// Sessions that are logged in.
    pub logged_in: usize,
}

impl Reporter {
    /// `no room`: a login with the right password was answered 454. One line a user in ten minutes.
    pub fn no_room(&self, login: &LoginWithoutRoom<'_>, now: Moment) {
        let key = (login.user, login.reason);
        let (level, suppressed) = match self.level(&self.attempts, &key, login.reason, now) {
            (tracing::Level::INFO, suppressed) => (tracing::Level::WARN, suppressed),
            other => other,
        };
        at!(level,
            session = %login.session.id,
            client = %login.session.client,
            user = %login.user,
            reason = login.reason,
            held = login.held,
            logged_in = login.logged_in,
            suppressed = (suppressed > 0).then_some(suppressed),
            "no room");
    }
}
