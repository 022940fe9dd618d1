//! ban - who is banned, until when and why
//!
//! Bans are kept by address, so that the operator can list them. Bounded: when there is no room for
//! a new one, the ban that ends first is evicted, and that is a change like any other. A client of a
//! familiar network can be banned too; what that means is decided on the
//! ladder.
//! Every change has a later moment than the one before, also where a clock stands still or was set
//! back, so that of two changes of one ban it is known which holds.
//! Not here: what earns a ban (`judge`), strikes (`bucket`), dropping packets (`net::filter`).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use crate::gate::request::change::{BanCause, BanEnd, BanEnding, BanStart, Change, Fact, Subject};
use crate::gate::request::client::{ClientKey, NetworkKey};
use crate::gate::request::settings::Mode;
use crate::moment::Moment;

/// One ban.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) struct Ban {
    pub(in crate::gate) until: Moment,
    pub(in crate::gate) cause: BanCause,
    /// Whether it began in a dry run.
    pub(in crate::gate) mode: Mode,
}

impl Ban {
    /// Whether it holds while the gate is in `mode`: a dry run holds only what the operator said.
    pub(in crate::gate) fn holds(self, mode: Mode) -> bool {
        mode == Mode::Enforce || self.cause == BanCause::Operator
    }
}

/// A ban, and when it last changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) struct HeldBan {
    pub(in crate::gate) ban: Ban,
    pub(in crate::gate) changed: Moment,
}

pub(in crate::gate) struct Bans {
    capacity: usize,
    book: RwLock<BanBook>,
}

#[derive(Default)]
struct BanBook {
    bans: BTreeMap<Subject, HeldBan>,
    /// The same bans, by their end.
    ends: BTreeSet<(Moment, Subject)>,
    /// The moment of the last change.
    changed: Moment,
    evicted: u64,
}

impl Bans {
    pub(in crate::gate) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            book: RwLock::default(),
        }
    }

    /// The ban of a client, or else of its network.
    pub(in crate::gate) fn of(&self, client: ClientKey, now: Moment) -> Option<Ban> {
        let book = self.read();
        if book.bans.is_empty() {
            return None;
        }
        book.get(Subject::Client(client), now)
            .or_else(|| book.get(Subject::Network(client.network()), now))
    }

    /// The ban of exactly this subject.
    pub(in crate::gate) fn exactly(&self, subject: Subject, now: Moment) -> Option<Ban> {
        self.read().get(subject, now)
    }

    /// How many clients of this network are banned; no more than `most` are counted.
    pub(in crate::gate) fn neighbours(&self, network: NetworkKey, most: usize) -> usize {
        let (first, last) = network.clients();
        let clients = Subject::Client(first)..=Subject::Client(last);
        self.read().bans.range(clients).take(most).count()
    }

    /// Begins a ban, or changes the one there is.
    pub(in crate::gate) fn begin(
        &self,
        subject: Subject,
        ban: Ban,
        strikes: u8,
        now: Moment,
        changes: &mut Vec<Change>,
    ) {
        let mut book = self.write();
        let evicted = book.make_room(subject, self.capacity, now);
        let changed = book.change(now);
        book.set(subject, HeldBan { ban, changed });
        drop(book);
        changes.extend(evicted);
        let began = BanStart {
            subject,
            until: ban.until,
            cause: ban.cause,
            mode: ban.mode,
            strikes,
        };
        changes.push(Change::here(changed, Fact::BanBegan(began)));
    }

    /// Lifts a ban; whether there was one.
    pub(in crate::gate) fn lift(
        &self,
        subject: Subject,
        now: Moment,
        changes: &mut Vec<Change>,
    ) -> bool {
        let mut book = self.write();
        if book.clear(subject).is_none() {
            return false;
        }
        let at = book.change(now);
        drop(book);
        changes.push(ended(subject, BanEnding::Lifted, at));
        true
    }

    /// Ends the bans whose time is over.
    pub(in crate::gate) fn expire(&self, now: Moment, changes: &mut Vec<Change>) {
        if self.read().ends.first().is_none_or(|(end, _)| *end > now) {
            return;
        }
        let mut book = self.write();
        while book.ends.first().is_some_and(|(end, _)| *end <= now) {
            let subject = book.end_first();
            changes.extend(subject.map(|subject| ended(subject, BanEnding::Expired, now)));
        }
    }

    /// Forgets every ban but the operator's.
    pub(in crate::gate) fn clear(&self, now: Moment, changes: &mut Vec<Change>) {
        for (subject, ban) in self.all(now) {
            if ban.cause != BanCause::Operator {
                self.lift(subject, now, changes);
            }
        }
    }

    /// All bans, the one that ends first at the front.
    pub(in crate::gate) fn all(&self, now: Moment) -> Vec<(Subject, Ban)> {
        let book = self.read();
        let subjects = book.ends.iter().map(|(_, subject)| *subject);
        subjects
            .filter_map(|subject| Some((subject, book.get(subject, now)?)))
            .collect()
    }

    /// The next `most` bans behind `after` in the order of their subjects, over ones too: so that a
    /// snapshot can be written without a lock on all of them.
    pub(in crate::gate) fn batch(
        &self,
        after: Option<Subject>,
        most: usize,
    ) -> Vec<(Subject, HeldBan)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let book = self.read();
        let bans = book.bans.range((from, Bound::Unbounded)).take(most);
        bans.map(|(subject, held)| (*subject, *held)).collect()
    }

    /// How many bans there are, and how many were evicted.
    pub(in crate::gate) fn counts(&self) -> (usize, u64) {
        let book = self.read();
        (book.bans.len(), book.evicted)
    }

    /// The moment of the last change: a snapshot begun now has all changes up to it.
    pub(in crate::gate) fn changed(&self) -> Moment {
        self.read().changed
    }

    /// Takes over the bans that an earlier process left; in any order.
    ///
    /// Where there are too many, those that end first are evicted.
    pub(in crate::gate) fn restore(&self, mut bans: Vec<(Subject, HeldBan)>, changed: Moment) {
        let surplus = bans.len().saturating_sub(self.capacity);
        if surplus > 0 {
            bans.select_nth_unstable_by_key(surplus - 1, |(_, held)| held.ban.until);
            bans.drain(..surplus);
        }
        let mut book = self.write();
        book.restore(bans, changed);
        book.evicted += surplus as u64;
    }

    fn read(&self) -> RwLockReadGuard<'_, BanBook> {
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BanBook> {
        self.book.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BanBook {
    fn get(&self, subject: Subject, now: Moment) -> Option<Ban> {
        let held = self.bans.get(&subject)?;
        Some(held.ban).filter(|ban| ban.until > now)
    }

    /// The moment of a change that happens now: later than the last one, whatever the clock says.
    fn change(&mut self, now: Moment) -> Moment {
        self.changed = now.max(self.changed + Duration::from_nanos(1));
        self.changed
    }

    /// Evicts the ban that ends first, if a new one for `subject` has no room.
    fn make_room(&mut self, subject: Subject, capacity: usize, now: Moment) -> Option<Change> {
        if self.bans.len() < capacity || self.bans.contains_key(&subject) {
            return None;
        }
        let evicted = self.end_first()?;
        self.evicted += 1;
        let at = self.change(now);
        Some(ended(evicted, BanEnding::Evicted, at))
    }

    fn set(&mut self, subject: Subject, held: HeldBan) {
        if let Some(old) = self.bans.insert(subject, held) {
            self.ends.remove(&(old.ban.until, subject));
        }
        self.ends.insert((held.ban.until, subject));
    }

    fn clear(&mut self, subject: Subject) -> Option<HeldBan> {
        let held = self.bans.remove(&subject)?;
        self.ends.remove(&(held.ban.until, subject));
        Some(held)
    }

    fn end_first(&mut self) -> Option<Subject> {
        let (_, subject) = self.ends.pop_first()?;
        self.bans.remove(&subject);
        Some(subject)
    }

    /// Fills an empty book in one go: a hundred thousand bans must not delay the first accept.
    fn restore(&mut self, bans: Vec<(Subject, HeldBan)>, changed: Moment) {
        self.bans = bans.into_iter().collect();
        let ends = self.bans.iter();
        self.ends = ends
            .map(|(subject, held)| (held.ban.until, *subject))
            .collect();
        self.changed = changed;
    }
}

fn ended(subject: Subject, why: BanEnding, at: Moment) -> Change {
    Change::here(at, Fact::BanEnded(BanEnd { subject, why }))
}

#[cfg(test)]
mod tests;
