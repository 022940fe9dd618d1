//! merge - several tellings of one attempt to one login
//!
//! One failed try at Postfix is told by the password database, by a second one if there are two, by PAM,
//! and seconds later by Postfix. A teller tells an attempt once: so a telling joins the earliest attempt
//! of its client that could be the same and that its teller has not told yet, or else is a new attempt.
//! Not here: the order of time, copies of a line in another file (`record`).
//!
//! What could be the same: client, service and user do not contradict each other (a user may be missing,
//! or lack the domain), and it is not too long ago. Where nothing names the user the attempt still counts.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::names::Names;
use super::row::Record;
use super::{Login, Teller};
use crate::gate::request::attempt::AuthOutcome;
use crate::gate::request::client::ClientKey;
use crate::moment::Moment;

/// Dovecot's failure delay, its penalty and a slow database lie between the first teller and the last.
const SAME_ATTEMPT: Duration = Duration::from_secs(20);
/// A first password database that does not know the user, just before a second one accepts him.
const FALL_THROUGH: Duration = Duration::from_secs(2);
/// A login process tells the failures of a connection when it ends.
const LONGEST_CONNECTION: Duration = Duration::from_secs(600);
/// Attempts of one client that may still be told more of.
const OPEN: usize = 512;

/// The attempts that `records`, in the order of time, tell of; and how many tellings were one more of
/// an attempt already told.
pub(super) fn merge(records: &[Record], names: &Names) -> (Vec<Login>, u64) {
    let mut merger = Merger {
        names,
        logins: Vec::with_capacity(records.len()),
        tellers: Vec::with_capacity(records.len()),
        open: HashMap::new(),
        merged: 0,
    };
    for record in records {
        match record.outcome() {
            AuthOutcome::Accept => merger.success(record),
            _ if record.teller() == Teller::LoginProcess => merger.connection(record),
            _ => {
                for _ in 0..record.attempts() {
                    merger.failure(record);
                }
            }
        }
    }
    (merger.logins, merger.merged)
}

struct Merger<'a> {
    names: &'a Names,
    logins: Vec<Login>,
    /// By login: who has told it, a bit each.
    tellers: Vec<u16>,
    open: HashMap<ClientKey, VecDeque<usize>>,
    merged: u64,
}

impl Merger<'_> {
    fn failure(&mut self, record: &Record) {
        match self.find(record, SAME_ATTEMPT, |merger, at| {
            merger.is_same(at, record)
        }) {
            Some(at) => self.join(at, record),
            None => self.open(record, record.at),
        }
    }

    /// A success is told once, but where several databases are asked, the first has told a failure.
    fn success(&mut self, record: &Record) {
        let databases = !(bit(Teller::Postfix) | bit(Teller::LoginProcess));
        let fell_through = self.find(record, FALL_THROUGH, |merger, at| {
            let told = merger.tellers.get(at).copied().unwrap_or_default();
            told & databases == told && record.user().is_some() && merger.is_same(at, record)
        });
        match fell_through {
            Some(at) => {
                self.join(at, record);
                if let Some(login) = self.logins.get_mut(at) {
                    login.outcome = AuthOutcome::Accept;
                }
            }
            None => self.open(record, record.at),
        }
    }

    /// `record` tells how many attempts failed on a connection that ended.
    fn connection(&mut self, record: &Record) {
        let span = record.within().min(LONGEST_CONNECTION) + SAME_ATTEMPT;
        for _ in 0..record.attempts() {
            // The line names the last user only.
            match self.find(record, span, |merger, at| merger.is_untold(at, record)) {
                Some(at) => self.join_as(at, record, None),
                None => self.open(record, record.at),
            }
        }
    }

    /// The earliest open attempt of the record's client, not older than `span`, that `fits`.
    fn find(
        &mut self,
        record: &Record,
        span: Duration,
        fits: impl Fn(&Self, usize) -> bool,
    ) -> Option<usize> {
        let oldest = record.at - span;
        let open = self.open.get(&record.client)?;
        let begin = open.partition_point(|&at| self.logins.get(at).is_some_and(|l| l.at < oldest));
        open.range(begin..).copied().find(|&at| fits(self, at))
    }

    /// Whether the attempt `at` may be that of `record`, all but the user.
    fn is_untold(&self, at: usize, record: &Record) -> bool {
        let (Some(login), Some(tellers)) = (self.logins.get(at), self.tellers.get(at)) else {
            return false;
        };
        tellers & bit(record.teller()) == 0
            && login.outcome == AuthOutcome::Reject
            && record.outcome() != AuthOutcome::Defer
            && login.service.joined(record.service()).is_some()
    }

    fn is_same(&self, at: usize, record: &Record) -> bool {
        let user = self.logins.get(at).and_then(|login| login.user);
        let same_user = match (user, record.user()) {
            (Some(one), Some(two)) => self.names.may_be_one(one, two),
            _ => true,
        };
        same_user && self.is_untold(at, record)
    }

    fn join(&mut self, at: usize, record: &Record) {
        self.join_as(at, record, record.user());
    }

    fn join_as(&mut self, at: usize, record: &Record, user: Option<super::names::NameId>) {
        self.merged += 1;
        if let Some(tellers) = self.tellers.get_mut(at) {
            *tellers |= bit(record.teller());
        }
        if let Some(login) = self.logins.get_mut(at) {
            login.user = login.user.or(user);
            login.service = login
                .service
                .joined(record.service())
                .unwrap_or(login.service);
        }
    }

    fn open(&mut self, record: &Record, at: Moment) {
        let open = self.open.entry(record.client).or_default();
        if open.len() >= OPEN {
            open.pop_front();
        }
        open.push_back(self.logins.len());
        self.logins.push(Login {
            at,
            client: record.client,
            user: record.user(),
            service: record.service(),
            outcome: record.outcome(),
        });
        self.tellers.push(bit(record.teller()));
    }
}

const fn bit(teller: Teller) -> u16 {
    1 << teller as u16
}

#[cfg(test)]
mod tests;
