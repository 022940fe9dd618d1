//! row - one row of decisions that are alike, and who would ask about it
//!
//! Pure. Not here: how many rows there may be (`tally`), writing (`statements`).

use std::time::Duration;

use crate::report::ja4::Ja4;
use crate::report::record::{AttemptRecord, NamedUser};
use crate::report::verdicts::AttemptVerdict;
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::verdict::Reason;
use gatepost_core::moment::Moment;

/// Characters of a name that are kept.
const NAME: usize = 64;

/// Who is interested in a decision. The numbers are those of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(super) enum Interest {
    /// A user at home, or at home since.
    AtHome = 0,
    /// A known user, from elsewhere.
    Elsewhere = 1,
    /// Nobody who is known.
    Unknown = 2,
}

/// What one user's rows are shared by, so that guesses at the user hide neither a refusal at home nor the login from a
/// new place that they may lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowShare {
    /// Logins from new places.
    NewPlace,
    /// What was refused or rejected at home.
    AtHome,
    /// What came from elsewhere.
    Elsewhere,
}

impl RowShare {
    pub(super) const fn of(kind: Interest, verdict: AttemptVerdict) -> Self {
        match (kind, verdict) {
            (Interest::AtHome, AttemptVerdict::Accept) => Self::NewPlace,
            (Interest::AtHome, _) => Self::AtHome,
            (Interest::Elsewhere | Interest::Unknown, _) => Self::Elsewhere,
        }
    }
}

/// What makes two decisions alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Alike {
    pub(super) client: ClientKey,
    pub(super) user: Option<u64>,
    name: Option<String>,
    verdict: AttemptVerdict,
    reason: Option<Reason>,
    door: &'static str,
}

/// Decisions that were alike.
#[derive(Clone, Debug)]
pub(super) struct TallyRow {
    /// Its number in the table, once it was written.
    pub(super) id: Option<i64>,
    pub(super) kind: Interest,
    /// The first, by moments that nobody sets.
    pub(super) opened: Moment,
    /// The first and the last, by the wall clock.
    pub(super) at: Moment,
    pub(super) last: Moment,
    pub(super) count: u64,
    pub(super) door: &'static str,
    pub(super) session: u64,
    pub(super) client: ClientKey,
    /// None: no user was named.
    pub(super) user: Option<u64>,
    pub(super) name: Option<String>,
    pub(super) trust: Option<String>,
    pub(super) verdict: &'static str,
    pub(super) reason: Option<&'static str>,
    pub(super) wait: Duration,
    pub(super) is_new_place: bool,
    /// Of the last of them.
    pub(super) ja4: Option<Ja4>,
    pub(super) is_dirty: bool,
    /// It is in a transaction that is not committed: the number that it got there, or has.
    pub(super) writing: Option<i64>,
}

/// Who would ask about this one; none: nobody.
pub(super) fn kind(attempt: &AttemptRecord) -> Option<Interest> {
    let known = attempt.user.as_ref().filter(|user| user.known);
    let is_at_home = known.is_some_and(|user| user.trust.is_at_home());
    match (attempt.verdict, is_at_home) {
        // A webmail host: all its users come from there, and none is at home.
        (AttemptVerdict::Accept, _) if attempt.reason == Some(Reason::AllowList) => None,
        (AttemptVerdict::Accept, true) => None,
        (AttemptVerdict::Accept, false) | (_, true) => Some(Interest::AtHome),
        _ if known.is_some() => Some(Interest::Elsewhere),
        _ => Some(Interest::Unknown),
    }
}

impl Alike {
    pub(super) fn new(attempt: &AttemptRecord) -> Self {
        Self {
            client: attempt.client,
            user: attempt.user.as_ref().map(|user| user.id.code()),
            name: attempt.user.as_ref().map(shown),
            verdict: attempt.verdict,
            reason: attempt.reason,
            door: attempt.door,
        }
    }
}

impl TallyRow {
    pub(super) fn new(kind: Interest, attempt: &AttemptRecord, now: Moment, wall: Moment) -> Self {
        let user = attempt.user.as_ref();
        Self {
            id: None,
            kind,
            opened: now,
            at: wall,
            last: wall,
            count: 1,
            door: attempt.door,
            session: attempt.session,
            client: attempt.client,
            user: user.map(|user| user.id.code()),
            name: user.map(shown),
            trust: user.map(|user| user.trust.to_string()),
            verdict: attempt.verdict.as_str(),
            reason: attempt.reason.map(Reason::as_str),
            wait: attempt.wait,
            is_new_place: attempt.verdict == AttemptVerdict::Accept,
            ja4: attempt.ja4,
            is_dirty: true,
            writing: None,
        }
    }

    /// It was written under this number, in a transaction that may still fail.
    pub(super) const fn write_as(&mut self, id: i64) {
        self.writing = Some(id);
    }
}

pub(super) fn shown(user: &NamedUser) -> String {
    let mut name = user.name.to_string();
    // It is ASCII.
    name.truncate(NAME);
    name
}
