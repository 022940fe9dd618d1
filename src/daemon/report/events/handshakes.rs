//! handshakes - what is told of TLS handshakes that failed, and of certificates that make them fail
//!
//! Anybody can make a handshake fail, and nearly all that fail are scanners'. So the lines are few, and a failure in a network
//! that users log in from is told apart: there it is a mail program that cannot send, or a certificate that it does not accept.
//! Not here: the causes, their words and their counts (`net::tls`).

use std::fmt::Display;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use tracing::{debug, info, warn};

use super::{Reporter, Session};
use crate::report::quiet::{LineBudget, LineRate, Summary, list};
use gatepost_core::moment::Moment;

/// Lines about handshakes that failed, over all clients: scanners make many, and one in ten seconds is enough to see that.
pub(in crate::report) const HANDSHAKES: LineRate = LineRate {
    burst: 50,
    every: Duration::from_secs(10),
};

/// A TLS handshake that failed.
pub struct FailedHandshake<'a> {
    /// The session.
    pub session: Session<'a>,
    /// Why: a log value of `net::tls::HandshakeCause`.
    pub cause: &'static str,
    /// What the client offered or sent, in plain words.
    pub fault: &'a dyn Display,
    /// Who is concerned.
    pub news: HandshakeNews,
}

/// Who is concerned by a handshake that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeNews {
    /// Nobody: debug.
    Detail,
    /// The client: info, one line in ten minutes.
    OfClient,
    /// Our users, as it came from a familiar network and will fail again: the client's line, and the hourly warning.
    OfOwnUsers,
}

/// The failures in familiar networks since the last warning.
#[derive(Debug)]
pub(in crate::report) struct OwnUsers {
    warnings: LineBudget,
    /// The last one: the client, and why.
    last: String,
}

/// One warning an hour.
const WARNINGS: LineRate = LineRate {
    burst: 1,
    every: Duration::from_secs(3600),
};

impl OwnUsers {
    pub(in crate::report) fn new() -> Self {
        Self {
            warnings: LineBudget::new(WARNINGS),
            last: String::new(),
        }
    }

    fn note(&mut self, cause: &'static str, last: String) {
        self.warnings.count(cause);
        self.last = last;
    }

    /// What to warn of now, if anything.
    fn due(&mut self, now: Moment) -> Option<OwnUsersWarning> {
        if self.last.is_empty() || !self.warnings.take_line(now) {
            return None;
        }
        Some(OwnUsersWarning {
            counts: self.warnings.take_summary(),
            last: std::mem::take(&mut self.last),
        })
    }
}

/// What a warning tells.
struct OwnUsersWarning {
    counts: Summary,
    last: String,
}

impl Reporter {
    /// `handshake failed`: no TLS came about. One line a client in ten minutes.
    pub fn handshake(&self, failed: &FailedHandshake<'_>, now: Moment) {
        let (level, suppressed) = match failed.news {
            HandshakeNews::Detail => (tracing::Level::DEBUG, 0),
            _ => self.level(&self.handshakes, &failed.session.key, failed.cause, now),
        };
        if failed.news == HandshakeNews::OfOwnUsers {
            let last = format!("{}: {}", failed.session.key, failed.fault);
            self.own_users().note(failed.cause, last);
        }
        at!(level,
            session = %failed.session.id,
            client = %failed.session.client,
            listener = %failed.session.listener,
            cause = failed.cause,
            fault = %failed.fault,
            suppressed = (suppressed > 0).then_some(suppressed),
            "handshake failed");
    }

    /// `own users without tls`: how many handshakes of familiar networks failed since the last such line, by cause. At most
    /// once an hour. For once a minute, so that the first warning counts more than the first failure.
    pub(in crate::report) fn warn_of_own_users(&self, now: Moment) {
        let Some(due) = self.own_users().due(now) else {
            return;
        };
        warn!(
            handshakes = due.counts.values().sum::<u64>(),
            causes = list(&due.counts),
            last = due.last,
            "own users without tls"
        );
    }

    fn own_users(&self) -> MutexGuard<'_, OwnUsers> {
        self.own_users
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// `certificate`: one in use should have been renewed. Once a day for each.
pub fn certificate(names: &str, chain: &dyn Display, problem: &str) {
    warn!(names, chain = %chain, problem, "certificate: renew it, then `systemctl reload gatepost`");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_users_are_warned_of_once_an_hour_with_all_that_came_since() {
        let start = Moment::from_seconds(1_000_000);
        let after = |minutes: u64| start + Duration::from_secs(60 * minutes);
        let mut users = OwnUsers::new();
        assert!(users.due(start).is_none(), "nothing to tell");
        users.note("version", "a".to_owned());
        users.note("version", "b".to_owned());
        let due = users.due(after(1)).unwrap();
        assert_eq!(
            (list(&due.counts), due.last),
            ("version=2".to_owned(), "b".to_owned())
        );
        users.note("unknown-ca", "c".to_owned());
        for minute in 2..61 {
            assert!(users.due(after(minute)).is_none(), "{minute}");
        }
        users.note("version", "d".to_owned());
        let due = users.due(after(61)).unwrap();
        assert_eq!(list(&due.counts), "unknown-ca=1 version=1");
        assert!(users.due(after(122)).is_none(), "it is told once");
    }
}
