//! tally - what is told, put together before it is written
//!
//! Decisions that are alike within ten minutes are one row with a count. How many rows there may be follows a budget for
//! each kind, and one for each known user, so that a flood of one kind, or at one account, hides nobody else; what is
//! beyond is counted. Beside the rows there are counts by user and by network for the hour. All of it is bounded.
//! Spans go by moments that nobody sets (`now`); what is written is dated by the wall clock (`wall`).
//! Pure. Not here: what one row has (`row`), writing (`database`), what is told (`report::record`).

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use super::row::{Alike, Interest, RowShare, TallyRow, kind, shown};
use crate::report::quiet::{LineBudget, LineRate};
use crate::report::record::{AttemptRecord, NamedUser};
use crate::report::verdicts::AttemptVerdict;
use gatepost_core::gate::request::client::{ClientKey, NetworkKey};
use gatepost_core::moment::Moment;

/// What is alike within this time is one row.
const SPAN: Duration = Duration::from_secs(600);

/// Rows of each kind that may still change, the number of the kind first. When there are as many, those that are written are
/// closed, and what is alike later is a new row. Each has its own: where the disk takes nothing, they all wait.
const OPEN: [usize; 3] = [1024, 512, 256];

/// Rows of one known user in an hour, of each share.
const PER_USER: u32 = 60;

/// Users, and networks, that are counted in one hour.
const COUNTED: usize = 1024;

const HOUR: u64 = 3600;

/// What rows of each kind may come at once, and how fast more.
const RATES: [LineRate; 3] = [rate(2_000, 500), rate(1_000, 1_000), rate(200, 5_000)];

const fn rate(burst: u32, millis: u64) -> LineRate {
    LineRate {
        burst,
        every: Duration::from_millis(millis),
    }
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
    rows: [u32; 3],
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
    /// How many there are of each kind.
    open_of: [usize; 3],
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
    pub(super) fn beginning(wall: Moment) -> Self {
        Self {
            open: HashMap::new(),
            open_of: [0; 3],
            budgets: RATES.map(LineBudget::new),
            users: HashMap::new(),
            networks: HashMap::new(),
            hour: hour_of(wall),
            only_counted: 0,
        }
    }

    /// Takes one attempt that ended `now`, when the wall clock showed `wall`.
    pub(super) fn take(&mut self, attempt: &AttemptRecord, now: Moment, wall: Moment) {
        self.count(attempt);
        let Some(kind) = kind(attempt) else { return };
        let alike = Alike::new(attempt);
        if let Some(row) = self.open.get_mut(&alike)
            && now.since(row.opened) < SPAN
        {
            row.count += 1;
            row.last = wall;
            row.wait = attempt.wait;
            row.session = attempt.session;
            row.ja4 = attempt.ja4;
            row.is_dirty = true;
        } else if self.has_room(kind, attempt, now) {
            // Of the same, ten minutes ago, the count is lost if it was not written: within a second it is.
            let row = TallyRow::new(kind, attempt, now, wall);
            self.open.insert(alike, row);
        } else {
            self.only_counted += 1;
        }
    }

    /// Whether one more row may be made.
    fn has_room(&mut self, kind: Interest, attempt: &AttemptRecord, now: Moment) -> bool {
        if self.is_full(kind) {
            return false;
        }
        let user = attempt.user.as_ref();
        let of_user = user.and_then(|user| self.users.get_mut(&user.id.code()));
        let share = RowShare::of(kind, attempt.verdict) as usize;
        if let Some(rows) = of_user.and_then(|of_user| of_user.rows.get_mut(share)) {
            if *rows >= PER_USER {
                return false;
            }
            *rows += 1;
        }
        let budget = self.budgets.get_mut(kind as usize);
        let has_room = budget.is_some_and(|budget| budget.take_line(now));
        if has_room && let Some(open) = self.open_of.get_mut(kind as usize) {
            *open += 1;
        }
        has_room
    }

    fn is_full(&self, kind: Interest) -> bool {
        self.open_of.get(kind as usize) >= OPEN.get(kind as usize)
    }

    /// After rows were closed.
    fn recount(&mut self) {
        self.open_of = [0; 3];
        for row in self.open.values() {
            if let Some(open) = self.open_of.get_mut(row.kind as usize) {
                *open += 1;
            }
        }
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
    pub(super) fn turn(&mut self, now: Moment, wall: Moment) -> bool {
        let is_full = [Interest::AtHome, Interest::Elsewhere, Interest::Unknown];
        let is_full = is_full.map(|kind| self.is_full(kind));
        self.open.retain(|_, row| {
            let is_full = is_full.get(row.kind as usize) == Some(&true);
            row.is_dirty || !is_full && now.since(row.opened) < SPAN
        });
        self.recount();
        let has_ended = self.is_over(wall);
        if has_ended {
            self.hour = hour_of(wall);
            self.users.clear();
            self.networks.clear();
        }
        has_ended
    }

    /// Whether the hour is another one: what it has is written before the next `turn`.
    pub(super) const fn is_over(&self, wall: Moment) -> bool {
        self.hour != hour_of(wall)
    }

    /// The hour of what changed, in seconds since the epoch.
    pub(super) const fn hour(&self) -> u64 {
        self.hour
    }

    /// Forgets a user, as far as `is_meant` says of clients; wholly where `whole`.
    pub(super) fn forget(&mut self, user: u64, is_meant: impl Fn(ClientKey) -> bool, whole: bool) {
        self.open
            .retain(|alike, _| alike.user != Some(user) || !is_meant(alike.client));
        self.recount();
        if whole {
            self.users.remove(&user);
        }
    }
}

const fn hour_of(wall: Moment) -> u64 {
    wall.as_seconds() / HOUR * HOUR
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
