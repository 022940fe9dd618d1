//! smtpd_sessions - the sessions of Postfix's smtpd processes: when each began, and the login that it has logged
//!
//! Postfix logs a login with each message that it takes, and the first may come hours after the login. Only the line
//! `connect from` of the same process says when the login was at the earliest. In a log that was filtered, so that it shows the
//! beginning of no session, each is taken to have lasted as long as one may.
//! Not here: reading the lines (`postfix`), what is made of their times (`parser`).
//!
//! A process serves one client after the other. Behind a balancer, and behind Gatepost, the address in `connect from` is not
//! the client's, so the process alone is looked at.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::time::Duration;

use super::super::LoginReport;
use crate::gate::request::client::ClientKey;
use crate::moment::Moment;

/// A process that was not seen to begin a session is taken to be in the same one for so long.
const SESSION: Duration = Duration::from_secs(600);
/// Of a session that began longer ago the beginning is not believed: its end was not logged.
const LONGEST: Duration = Duration::from_secs(18 * 3600);
/// Processes remembered before those that logged nothing for long are forgotten.
const SESSIONS: usize = 65_536;

/// A process of one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SmtpdProcess(u64);

impl SmtpdProcess {
    pub(super) fn new(host: &[u8], pid: u32) -> Self {
        Self(BuildHasherDefault::<DefaultHasher>::new().hash_one((host, pid)))
    }
}

/// Those of one file.
#[derive(Debug, Default)]
pub(super) struct SmtpdSessions {
    began: HashMap<SmtpdProcess, Moment>,
    /// The last login that each process logged.
    logins: HashMap<SmtpdProcess, LoggedLogin>,
    /// Whether any session was seen to begin, in this file or in one before it.
    shows_beginnings: bool,
}

impl SmtpdSessions {
    /// Another file begins.
    pub(super) fn clear(&mut self) {
        self.began.clear();
        self.logins.clear();
    }

    /// A session begins; none: nobody knows when.
    pub(super) fn begin(&mut self, process: SmtpdProcess, at: Option<Moment>) {
        self.end(process);
        self.shows_beginnings = true;
        let Some(at) = at else { return };
        if self.began.len() >= SESSIONS {
            self.began.retain(|_, began| at.since(*began) < LONGEST);
        }
        // Still full: of these the beginning is not known.
        if self.began.len() < SESSIONS {
            self.began.insert(process, at);
        }
    }

    /// The session has ended.
    pub(super) fn end(&mut self, process: SmtpdProcess) {
        self.began.remove(&process);
        self.logins.remove(&process);
    }

    /// How long the session has lasted at most; none: its beginning should be in the log, and is not.
    pub(super) fn age(&self, process: SmtpdProcess, at: Moment) -> Option<Duration> {
        let age = match self.began.get(&process) {
            Some(began) => at.since(*began),
            None if self.shows_beginnings => return None,
            None => LONGEST,
        };
        (age <= LONGEST).then_some(age)
    }

    /// Whether the process has logged this login already. Remembers it.
    pub(super) fn is_known(
        &mut self,
        process: SmtpdProcess,
        report: &LoginReport<'_>,
        at: Moment,
    ) -> bool {
        if self.logins.len() >= SESSIONS {
            self.logins
                .retain(|_, login| at.since(login.last) < SESSION);
        }
        let user = report
            .user
            .map(|name| BuildHasherDefault::<DefaultHasher>::new().hash_one(name));
        let login = LoggedLogin {
            client: report.client,
            user,
            last: at,
        };
        match self.logins.insert(process, login) {
            Some(earlier) => earlier.may_go_on_as(&login),
            None => false,
        }
    }
}

/// The last login that an smtpd process logged.
#[derive(Clone, Copy, Debug)]
struct LoggedLogin {
    client: ClientKey,
    /// The name's hash; none where the line does not show it for certain.
    user: Option<u64>,
    last: Moment,
}

impl LoggedLogin {
    fn may_go_on_as(&self, next: &Self) -> bool {
        let same_user = self.user.is_none() || next.user.is_none() || self.user == next.user;
        same_user && self.client == next.client && next.last.since(self.last) < SESSION
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginnings_that_are_remembered_are_bounded_and_not_believed_for_ever() {
        let at = |seconds: u64| Moment::from_seconds(1_800_000_000 + seconds);
        let mut sessions = SmtpdSessions::default();
        let process = |number: usize| SmtpdProcess::new(b"mx", u32::try_from(number).unwrap());
        let filtered = sessions.age(process(7), at(0));
        assert_eq!(filtered, Some(LONGEST), "no session begins there");
        for number in 0..=SESSIONS {
            sessions.begin(process(number), Some(at(0)));
        }
        assert_eq!(sessions.began.len(), SESSIONS);
        assert_eq!(sessions.age(process(SESSIONS), at(1)), None, "no room");
        let longest = LONGEST.as_secs();
        for (seconds, believed) in [
            (0, true),
            (longest - 1, true),
            (longest, true),
            (longest + 1, false),
        ] {
            let age = sessions.age(process(7), at(seconds));
            assert_eq!(age, believed.then(|| Duration::from_secs(seconds)));
        }
        sessions.begin(process(SESSIONS), Some(at(longest)));
        assert_eq!(sessions.began.len(), 1, "the old ones have ended");
    }
}
