//! merge - one attempt from the several lines about it
//!
//! Only who knows how an attempt ended reports it: Postfix, and Dovecot's login processes. Each of them logs an attempt once,
//! so their count is the truth. A password database and a PAM module do not know it, since the next one may accept the
//! password: what they log is a *remark*. It gives its user name and its time to the failure that its witness reports within
//! seconds; where none comes it is dropped and counted. Remarks are attempts only where no line of their witness is in the logs.
//! Not here: copies of a line in another file (`collector`).
//!
//! The lines of one moment are put into one order, whatever files they come from. A time without a fraction may be that of
//! the end of its second: then who knows the outcome comes after all remarks of that second.

use std::cmp::Ordering;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::names::{NameId, Names};
use super::row::LogRow;
use super::{LogSource, LoggedAttempt, Service};
use crate::gate::request::attempt::AuthOutcome;
use crate::gate::request::client::ClientKey;
use crate::moment::Moment;

/// Dovecot's failure delay, its penalty and a slow database lie between the first line and the last.
const SAME_ATTEMPT: Duration = Duration::from_secs(20);
/// A login process logs the failures of a connection when it ends.
const LONGEST_CONNECTION: Duration = Duration::from_secs(600);
/// Remarks about one client that an outcome may be for.
const OPEN: usize = 512;

/// Whose lines are in the logs: whether remarks need somebody else to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Witnesses {
    /// Postfix's smtpd.
    pub(super) smtpd: Presence,
    /// Dovecot's login processes.
    pub(super) login_processes: Presence,
}

/// Whether a program has lines in the logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It has some.
    Present,
    /// It has none.
    Absent,
}

impl Presence {
    /// By the number of its lines.
    pub(super) const fn of(lines: u64) -> Self {
        if lines > 0 {
            Self::Present
        } else {
            Self::Absent
        }
    }
}

/// What lines of many sources come to.
#[derive(Debug, Default)]
pub(super) struct Merged {
    /// The attempts, in the order of time.
    pub(super) attempts: Vec<LoggedAttempt>,
    /// How many lines were about an attempt that another line reports.
    pub(super) merged: u64,
    /// Remarks without an outcome.
    pub(super) dropped: u64,
}

/// The attempts that `rows` report.
pub(super) fn merge(rows: &mut [LogRow], names: &Names, witnesses: Witnesses) -> Merged {
    rows.sort_unstable_by(|one, two| order(one, two, names));
    let mut merger = Merger {
        names,
        witnesses,
        result: Merged::default(),
        remarks: Vec::new(),
        open: HashMap::new(),
    };
    for row in rows.iter() {
        match (row.source(), row.outcome()) {
            (source, _) if !source.knows_outcome() => {
                for _ in 0..row.attempts() {
                    merger.remark(row);
                }
            }
            (_, AuthOutcome::Accept) => merger.success(row),
            (LogSource::LoginProcess, _) => merger.connection(row),
            _ => merger.failures(row),
        }
    }
    merger.finish()
}

/// A total order, so that the order of the files does not matter.
fn order(one: &LogRow, two: &LogRow, names: &Names) -> Ordering {
    let name = |row: &LogRow| {
        row.user()
            .and_then(|id| names.get(id))
            .map(|user| user.as_bytes())
    };
    let rank = |row: &LogRow| {
        (
            row.source().knows_outcome(),
            row.outcome() == AuthOutcome::Accept,
        )
    };
    let rest = |row: &LogRow| {
        let outcome = row.outcome() as u8;
        (
            row.service() as u8,
            row.source() as u8,
            outcome,
            row.attempts(),
            row.within(),
        )
    };
    (placed(one).cmp(&placed(two)))
        .then_with(|| rank(one).cmp(&rank(two)))
        .then_with(|| one.client.cmp(&two.client))
        .then_with(|| name(one).cmp(&name(two)))
        .then_with(|| rest(one).cmp(&rest(two)))
}

/// The latest moment that the row's time may stand for, of one that knows the outcome.
fn placed(row: &LogRow) -> Moment {
    const SECOND: u64 = 1_000_000_000;
    if row.source().knows_outcome() && row.at.as_nanos().is_multiple_of(SECOND) {
        row.at + Duration::from_nanos(SECOND - 1)
    } else {
        row.at
    }
}

/// What databases have said of one attempt.
#[derive(Clone, Copy, Debug)]
struct DatabaseRemark {
    at: Moment,
    client: ClientKey,
    user: Option<NameId>,
    service: Service,
    outcome: AuthOutcome,
    /// Which of them, a bit each.
    sources: u16,
    lines: u32,
    used: Use,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Open,
    Taken,
}

impl DatabaseRemark {
    /// Whether PAM alone has reported it: then the service it was asked for is not known.
    const fn is_pam_alone(&self) -> bool {
        self.sources == bit(LogSource::Pam) && matches!(self.service, Service::Unknown)
    }

    /// Whether it may be about an attempt that `row` reports. Dovecot's login processes name their session, Postfix has none.
    fn may_be_of(&self, row: &LogRow) -> bool {
        match row.source() {
            LogSource::Postfix => self.service == Service::Unknown,
            _ => self.is_pam_alone() || self.service == Service::Dovecot,
        }
    }
}

struct Merger<'a> {
    names: &'a Names,
    witnesses: Witnesses,
    result: Merged,
    remarks: Vec<DatabaseRemark>,
    /// By client: the remarks that no outcome has taken, in the order of time.
    open: HashMap<ClientKey, VecDeque<usize>>,
}

impl Merger<'_> {
    fn remark(&mut self, row: &LogRow) {
        if let Some(at) = self.same_remark(row)
            && let Some(remark) = self.remarks.get_mut(at)
        {
            remark.sources |= bit(row.source());
            remark.lines += 1;
            remark.user = remark.user.or(row.user());
            remark.service = remark
                .service
                .joined(row.service())
                .unwrap_or(remark.service);
            return;
        }
        let open = self.open.entry(row.client).or_default();
        if open.len() >= OPEN {
            open.pop_front();
        }
        open.push_back(self.remarks.len());
        self.remarks.push(DatabaseRemark {
            at: row.at,
            client: row.client,
            user: row.user(),
            service: row.service(),
            outcome: row.outcome(),
            sources: bit(row.source()),
            lines: 1,
            used: Use::Open,
        });
    }

    /// The remark that `row` is about, too: the earliest that its source has not made. Where nobody else counts, what one
    /// source says twice in a second is one attempt, since it may stand for two databases.
    fn same_remark(&self, row: &LogRow) -> Option<usize> {
        let open = self.open.get(&row.client)?;
        let oldest = row.at - SAME_ATTEMPT;
        let fits = |remark: &DatabaseRemark| {
            let repeated = remark.sources & bit(row.source()) != 0;
            let same_second = remark.at.as_seconds() == row.at.as_seconds();
            remark.at >= oldest
                && self.same_user(remark.user, row.user())
                && remark.service.joined(row.service()).is_some()
                && (!repeated || same_second && self.stands_alone(remark))
        };
        let fitting = |at: &usize| self.remarks.get(*at).is_some_and(fits);
        open.iter().copied().find(fitting)
    }

    /// Whether no witness of the attempt that `remark` is about has lines in the logs.
    fn stands_alone(&self, remark: &DatabaseRemark) -> bool {
        let Witnesses {
            smtpd,
            login_processes,
        } = self.witnesses;
        let absent = |presence| presence == Presence::Absent;
        if remark.is_pam_alone() {
            absent(smtpd) && absent(login_processes)
        } else if remark.service == Service::Dovecot {
            absent(login_processes)
        } else {
            absent(smtpd)
        }
    }

    fn same_user(&self, one: Option<NameId>, two: Option<NameId>) -> bool {
        match (one, two) {
            (Some(one), Some(two)) => self.names.may_be_one(one, two),
            _ => true,
        }
    }

    /// `row` reports each failure once.
    fn failures(&mut self, row: &LogRow) {
        for _ in 0..row.attempts() {
            let remark = self.take(row, SAME_ATTEMPT, row.user());
            self.attempt(row, remark, row.user());
        }
    }

    /// The first of several databases may have made a remark before the last has accepted the password.
    fn success(&mut self, row: &LogRow) {
        if row.user().is_some() {
            self.take(row, SAME_ATTEMPT, row.user());
        }
        self.attempt(row, None, row.user());
    }

    /// `row` reports how many attempts failed on a connection that ended. It names the last user only.
    fn connection(&mut self, row: &LogRow) {
        let span = row.within().min(LONGEST_CONNECTION) + SAME_ATTEMPT;
        for _ in 0..row.attempts() {
            let remark = self.take(row, span, None);
            let user = if remark.is_some() { None } else { row.user() };
            self.attempt(row, remark, user);
        }
    }

    /// Takes the earliest open remark, not older than `span`, that may be about what `row` reports of `user`.
    fn take(
        &mut self,
        row: &LogRow,
        span: Duration,
        user: Option<NameId>,
    ) -> Option<DatabaseRemark> {
        let oldest = row.at - span;
        let open = self.open.get(&row.client)?;
        let fits = |remark: &DatabaseRemark| {
            remark.at >= oldest && remark.may_be_of(row) && self.same_user(remark.user, user)
        };
        let place = open
            .iter()
            .position(|at| self.remarks.get(*at).is_some_and(fits))?;
        let at = self.open.get_mut(&row.client)?.remove(place)?;
        let remark = self.remarks.get_mut(at)?;
        remark.used = Use::Taken;
        self.result.merged += u64::from(remark.lines);
        Some(*remark)
    }

    fn attempt(&mut self, row: &LogRow, remark: Option<DatabaseRemark>, user: Option<NameId>) {
        self.result.attempts.push(LoggedAttempt {
            at: remark.map_or(row.at, |remark| remark.at.min(row.at)),
            earliest: row.earliest(),
            client: row.client,
            // The database's name may have the domain that the client has left out.
            user: remark.and_then(|remark| remark.user).or(user),
            service: row.service(),
            outcome: row.outcome(),
        });
    }

    fn finish(mut self) -> Merged {
        for remark in std::mem::take(&mut self.remarks) {
            if remark.used == Use::Taken {
                continue;
            }
            if !self.stands_alone(&remark) {
                self.result.dropped += u64::from(remark.lines);
                continue;
            }
            self.result.merged += u64::from(remark.lines.saturating_sub(1));
            self.result.attempts.push(LoggedAttempt {
                at: remark.at,
                earliest: (remark.outcome == AuthOutcome::Accept).then_some(remark.at),
                client: remark.client,
                user: remark.user,
                service: remark.service,
                outcome: remark.outcome,
            });
        }
        self.result.attempts.sort_by_key(|attempt| attempt.at);
        self.result
    }
}

const fn bit(source: LogSource) -> u16 {
    1 << source as u16
}

#[cfg(test)]
mod tests;
