//! tally - what is told, put together before it is written
//!
//! Decisions that are alike within ten minutes are one row with a count. How many rows there may be follows a budget for
//! each kind, and one for each known user, so that a flood of one kind, or at one account, hides nobody else; what is
//! beyond is counted. Beside the rows there are counts by user and by network for the hour. All of it is bounded.
//! Pure. Not here: writing (`database`), what is told (`report::record`).

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use crate::report::quiet::{LineBudget, LineRate};
use crate::report::record::{AttemptRecord, NamedUser};
use crate::report::verdicts::AttemptVerdict;
use gatepost_core::gate::request::client::{ClientKey, NetworkKey};
use gatepost_core::gate::request::verdict::Reason;
use gatepost_core::moment::Moment;

/// What is alike within this time is one row.
const SPAN: Duration = Duration::from_secs(600);

/// Rows that may still change. When there are as many, those that are written are closed, and what is alike later is a new row.
const OPEN: usize = 1024;

/// Rows of one known user in an hour.
const PER_USER: u32 = 60;

/// Users, and networks, that are counted in one hour.
const COUNTED: usize = 1024;

/// Characters of a name that are kept.
const NAME: usize = 64;

const HOUR: u64 = 3600;

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

/// What rows of each kind may come at once, and how fast more.
const RATES: [LineRate; 3] = [rate(2_000, 500), rate(1_000, 1_000), rate(200, 5_000)];

const fn rate(burst: u32, millis: u64) -> LineRate {
    LineRate {
        burst,
        every: Duration::from_millis(millis),
    }
}

/// What makes two decisions alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Alike {
    client: ClientKey,
    user: Option<u64>,
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
    is_dirty: bool,
    /// It is in a transaction that is not committed: the number that it got there, or has.
    writing: Option<i64>,
}

/// What came at one user, or from one network, in an hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct HourTally {
    /// Of a user.
    pub(super) name: String,
    /// Not written yet.
    pub(super) refused: u64,
    /// Not written yet.
    pub(super) rejected: u64,
    /// In the whole hour, as far as this process knows.
    tries: u64,
    rows: u32,
    is_writing: bool,
}

impl HourTally {
    fn count(&mut self, verdict: AttemptVerdict) {
        match verdict {
            AttemptVerdict::Refuse | AttemptVerdict::Repeat => self.refused += 1,
            AttemptVerdict::Reject => self.rejected += 1,
            AttemptVerdict::Accept | AttemptVerdict::Defer | AttemptVerdict::Cancel => return,
        }
        self.tries += 1;
    }

    const fn is_dirty(&self) -> bool {
        self.refused + self.rejected > 0
    }

    fn end_writing(&mut self, outcome: TransactionEnd) {
        if std::mem::take(&mut self.is_writing) && outcome == TransactionEnd::Committed {
            (self.refused, self.rejected) = (0, 0);
        }
    }
}

/// What was told and is not written yet, or may still change.
#[derive(Debug)]
pub(super) struct HistoryTally {
    open: HashMap<Alike, TallyRow>,
    budgets: [LineBudget; 3],
    users: HashMap<u64, HourTally>,
    networks: HashMap<NetworkKey, HourTally>,
    /// The hour of `users` and `networks`, in seconds since the epoch.
    hour: u64,
    /// Decisions that have no row.
    pub(super) only_counted: u64,
}

impl HistoryTally {
    /// An empty one.
    pub(super) fn beginning(now: Moment) -> Self {
        Self {
            open: HashMap::new(),
            budgets: RATES.map(LineBudget::new),
            users: HashMap::new(),
            networks: HashMap::new(),
            hour: hour_of(now),
            only_counted: 0,
        }
    }

    /// Takes one attempt that ended `now`.
    pub(super) fn take(&mut self, attempt: &AttemptRecord, now: Moment) {
        self.count(attempt);
        let Some(kind) = kind(attempt) else { return };
        let alike = Alike::new(attempt);
        if let Some(row) = self.open.get_mut(&alike)
            && now.since(row.at) < SPAN
        {
            row.count += 1;
            row.last = now;
            row.wait = attempt.wait;
            row.session = attempt.session;
            row.is_dirty = true;
        } else if self.has_room(kind, attempt.user.as_ref(), now) {
            // Of the same, ten minutes ago, the count is lost if it was not written: within a second it is.
            self.open.insert(alike, TallyRow::new(kind, attempt, now));
        } else {
            self.only_counted += 1;
        }
    }

    /// Whether one more row may be made.
    fn has_room(&mut self, kind: Interest, user: Option<&NamedUser>, now: Moment) -> bool {
        if self.open.len() >= OPEN {
            return false;
        }
        let of_user = user.and_then(|user| self.users.get_mut(&user.id.code()));
        if let Some(of_user) = of_user {
            if of_user.rows >= PER_USER {
                return false;
            }
            of_user.rows += 1;
        }
        let budget = self.budgets.get_mut(kind as usize);
        budget.is_some_and(|budget| budget.take_line(now))
    }

    fn count(&mut self, attempt: &AttemptRecord) {
        let is_at_home = |user: &NamedUser| user.trust.is_at_home();
        if let Some(user) = attempt.user.as_ref().filter(|user| user.known) {
            let id = user.id.code();
            if make_room(&mut self.users, &id) {
                let tally = self.users.entry(id).or_default();
                if tally.name.is_empty() {
                    tally.name = shown(user);
                }
                // What a user does at home is no attack.
                if !is_at_home(user) {
                    tally.count(attempt.verdict);
                }
            }
        }
        let network = attempt.client.network();
        if !attempt.user.as_ref().is_some_and(is_at_home) && make_room(&mut self.networks, &network)
        {
            let tally = self.networks.entry(network).or_default();
            tally.count(attempt.verdict);
        }
    }

    /// The rows that changed: new ones at once, and if `all`, those with a new count.
    pub(super) fn rows(&mut self, which: WhichRows) -> impl Iterator<Item = &mut TallyRow> {
        self.open
            .values_mut()
            .filter(move |row| row.is_dirty && (row.id.is_none() || which == WhichRows::All))
    }

    /// Whether anything came at users or from networks that is not written.
    pub(super) fn has_counts(&self) -> bool {
        let mut hours = self.users.values().chain(self.networks.values());
        hours.any(HourTally::is_dirty)
    }

    /// What came at users in this hour and is not written.
    pub(super) fn users(&mut self) -> Vec<(u64, &mut HourTally)> {
        busiest(&mut self.users)
    }

    /// What came from networks.
    pub(super) fn networks(&mut self) -> Vec<(NetworkKey, &mut HourTally)> {
        busiest(&mut self.networks)
    }

    /// The transaction is over that had rows and counts in it.
    pub(super) fn end_writing(&mut self, outcome: TransactionEnd) {
        for row in self.open.values_mut() {
            if let Some(id) = row
                .writing
                .take()
                .filter(|_| outcome == TransactionEnd::Committed)
            {
                row.id = Some(id);
                row.is_dirty = false;
            }
        }
        let hours = self.users.values_mut().chain(self.networks.values_mut());
        hours.for_each(|hour| hour.end_writing(outcome));
    }

    /// Closes the rows to which nothing is added any more, and begins a new hour. True: one has ended.
    pub(super) fn turn(&mut self, now: Moment) -> bool {
        let is_full = self.open.len() >= OPEN;
        self.open
            .retain(|_, row| row.is_dirty || !is_full && now.since(row.at) < SPAN);
        let hour = hour_of(now);
        let has_ended = self.hour != hour;
        if has_ended {
            self.hour = hour;
            self.users.clear();
            self.networks.clear();
        }
        has_ended
    }

    /// The hour of what changed, in seconds since the epoch.
    pub(super) const fn hour(&self) -> u64 {
        self.hour
    }

    /// Forgets a user, as far as `is_meant` says of clients; wholly where `whole`.
    pub(super) fn forget(&mut self, user: u64, is_meant: impl Fn(ClientKey) -> bool, whole: bool) {
        self.open
            .retain(|alike, _| alike.user != Some(user) || !is_meant(alike.client));
        if whole {
            self.users.remove(&user);
        }
    }
}

const fn hour_of(now: Moment) -> u64 {
    now.as_seconds() / HOUR * HOUR
}

/// Which rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WhichRows {
    /// Those that were not written yet.
    New,
    /// Those with a new count too.
    All,
}

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TransactionEnd {
    /// It is in the file.
    Committed,
    /// Nothing of it is.
    RolledBack,
}

/// Makes room for one more; false: there is none.
fn make_room<K: Copy + Eq + Hash>(counted: &mut HashMap<K, HourTally>, key: &K) -> bool {
    if counted.len() < COUNTED || counted.contains_key(key) {
        return true;
    }
    // Lossy counting: what came least goes, and comes back if it goes on.
    let least = counted.values().map(|tally| tally.tries).min();
    counted.retain(|_, tally| Some(tally.tries) > least);
    counted.len() < COUNTED
}

/// The most of an hour that are written at once.
const BUSIEST: usize = 200;

fn busiest<K: Copy>(counted: &mut HashMap<K, HourTally>) -> Vec<(K, &mut HourTally)> {
    let mut changed: Vec<(K, &mut HourTally)> = counted
        .iter_mut()
        .filter(|(_, tally)| tally.is_dirty())
        .map(|(key, tally)| (*key, tally))
        .collect();
    changed.sort_by_key(|(_, tally)| std::cmp::Reverse(tally.tries));
    changed.truncate(BUSIEST);
    for (_, tally) in &mut changed {
        tally.is_writing = true;
    }
    changed
}

/// Who would ask about this one; none: nobody.
fn kind(attempt: &AttemptRecord) -> Option<Interest> {
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
    fn new(attempt: &AttemptRecord) -> Self {
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
    fn new(kind: Interest, attempt: &AttemptRecord, now: Moment) -> Self {
        let user = attempt.user.as_ref();
        Self {
            id: None,
            kind,
            at: now,
            last: now,
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
            is_dirty: true,
            writing: None,
        }
    }

    /// It was written under this number, in a transaction that may still fail.
    pub(super) const fn write_as(&mut self, id: i64) {
        self.writing = Some(id);
    }
}

fn shown(user: &NamedUser) -> String {
    let mut name = user.name.to_string();
    // It is ASCII.
    name.truncate(NAME);
    name
}
