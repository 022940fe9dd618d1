//! merge - one attempt from the several lines about it
//!
//! One failed attempt at Postfix is logged by the password database, by a second one if there are two, by
//! PAM, and seconds later by Postfix. A source logs an attempt once: so a line joins the earliest attempt of
//! its client that could be the same and that its source has not logged yet, or else is a new attempt.
//! Not here: the order of time, copies of a line in another file (`collector`).
//!
//! What could be the same: client, service and user do not contradict each other (a user may be missing,
//! or lack the domain), and it is not too long ago. Where nothing names the user the attempt still counts.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::names::Names;
use super::row::LogRow;
use super::{LogSource, LoggedAttempt};
use crate::gate::request::attempt::AuthOutcome;
use crate::gate::request::client::ClientKey;
use crate::moment::Moment;

/// Dovecot's failure delay, its penalty and a slow database lie between the first line and the last.
const SAME_ATTEMPT: Duration = Duration::from_secs(20);
/// A first password database that does not know the user, just before a second one accepts the password.
const FALL_THROUGH: Duration = Duration::from_secs(2);
/// A login process logs the failures of a connection when it ends.
const LONGEST_CONNECTION: Duration = Duration::from_secs(600);
/// Attempts of one client that further lines may join.
const OPEN: usize = 512;

/// The attempts that `rows`, in the order of time, report; and how many reports were about an attempt that
/// another line had reported.
pub(super) fn merge(rows: &[LogRow], names: &Names) -> (Vec<LoggedAttempt>, u64) {
    let mut merger = Merger {
        names,
        attempts: Vec::with_capacity(rows.len()),
        sources: Vec::with_capacity(rows.len()),
        open: HashMap::new(),
        merged: 0,
    };
    for row in rows {
        match row.outcome() {
            AuthOutcome::Accept => merger.success(row),
            _ if row.source() == LogSource::LoginProcess => merger.connection(row),
            _ => {
                for _ in 0..row.attempts() {
                    merger.failure(row);
                }
            }
        }
    }
    (merger.attempts, merger.merged)
}

struct Merger<'a> {
    names: &'a Names,
    attempts: Vec<LoggedAttempt>,
    /// By attempt: which sources have logged it, a bit each.
    sources: Vec<u16>,
    open: HashMap<ClientKey, VecDeque<usize>>,
    merged: u64,
}

impl Merger<'_> {
    fn failure(&mut self, row: &LogRow) {
        match self.find(row, SAME_ATTEMPT, |merger, at| merger.is_same(at, row)) {
            Some(at) => self.join(at, row),
            None => self.open(row, row.at),
        }
    }

    /// A success is logged once, but where several databases are asked, the first has logged a failure.
    fn success(&mut self, row: &LogRow) {
        let databases = !(bit(LogSource::Postfix) | bit(LogSource::LoginProcess));
        let fell_through = self.find(row, FALL_THROUGH, |merger, at| {
            let logged = merger.sources.get(at).copied().unwrap_or_default();
            logged & databases == logged && row.user().is_some() && merger.is_same(at, row)
        });
        match fell_through {
            Some(at) => {
                self.join(at, row);
                if let Some(attempt) = self.attempts.get_mut(at) {
                    attempt.outcome = AuthOutcome::Accept;
                }
            }
            None => self.open(row, row.at),
        }
    }

    /// `row` reports how many attempts failed on a connection that ended.
    fn connection(&mut self, row: &LogRow) {
        let span = row.within().min(LONGEST_CONNECTION) + SAME_ATTEMPT;
        for _ in 0..row.attempts() {
            // The line names the last user only.
            match self.find(row, span, |merger, at| merger.lacks_source(at, row)) {
                Some(at) => self.join_as(at, row, None),
                None => self.open(row, row.at),
            }
        }
    }

    /// The earliest open attempt of the row's client, not older than `span`, that `fits`.
    fn find(
        &mut self,
        row: &LogRow,
        span: Duration,
        fits: impl Fn(&Self, usize) -> bool,
    ) -> Option<usize> {
        let oldest = row.at - span;
        let open = self.open.get(&row.client)?;
        let begin =
            open.partition_point(|&at| self.attempts.get(at).is_some_and(|l| l.at < oldest));
        open.range(begin..).copied().find(|&at| fits(self, at))
    }

    /// Whether the attempt `at` may be that of `row`, all but the user.
    fn lacks_source(&self, at: usize, row: &LogRow) -> bool {
        let (Some(attempt), Some(sources)) = (self.attempts.get(at), self.sources.get(at)) else {
            return false;
        };
        sources & bit(row.source()) == 0
            && attempt.outcome == AuthOutcome::Reject
            && row.outcome() != AuthOutcome::Defer
            && attempt.service.joined(row.service()).is_some()
    }

    fn is_same(&self, at: usize, row: &LogRow) -> bool {
        let user = self.attempts.get(at).and_then(|attempt| attempt.user);
        let same_user = match (user, row.user()) {
            (Some(one), Some(two)) => self.names.may_be_one(one, two),
            _ => true,
        };
        same_user && self.lacks_source(at, row)
    }

    fn join(&mut self, at: usize, row: &LogRow) {
        self.join_as(at, row, row.user());
    }

    fn join_as(&mut self, at: usize, row: &LogRow, user: Option<super::names::NameId>) {
        self.merged += 1;
        if let Some(sources) = self.sources.get_mut(at) {
            *sources |= bit(row.source());
        }
        if let Some(attempt) = self.attempts.get_mut(at) {
            attempt.user = attempt.user.or(user);
            attempt.service = attempt
                .service
                .joined(row.service())
                .unwrap_or(attempt.service);
        }
    }

    fn open(&mut self, row: &LogRow, at: Moment) {
        let open = self.open.entry(row.client).or_default();
        if open.len() >= OPEN {
            open.pop_front();
        }
        open.push_back(self.attempts.len());
        self.attempts.push(LoggedAttempt {
            at,
            client: row.client,
            user: row.user(),
            service: row.service(),
            outcome: row.outcome(),
        });
        self.sources.push(bit(row.source()));
    }
}

const fn bit(source: LogSource) -> u16 {
    1 << source as u16
}

#[cfg(test)]
mod tests;
