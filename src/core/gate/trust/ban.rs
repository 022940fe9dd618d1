//! ban - who is banned, until when and why
//!
//! Bans are kept by address, so that the operator can list them. Bounded: when there is no room for a new one, the automatic ban
//! that ends first is evicted, and that is a change like any other; one by hand goes only where there is no other. Of a client's ban and its network's, the one by hand decides.
//! A client of a familiar network can be banned too; what that means is decided on the ladder.
//! Every change has a later moment than the one before, also where a clock stands still or was set back, so that of two changes of one ban it is
//! known which holds.
//! Not here: what earns a ban (`judge`), strikes (`bucket`), dropping packets (`net::filter`), bans of other machines (`merged`), lists of them for people (`listing`).

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use crate::gate::request::change::{
    BanCause, BanEnd, BanEnding, BanStart, Change, Fact, Origin, Subject,
};
use crate::gate::request::client::{ClientKey, NetworkKey};
use crate::gate::request::settings::Mode;
use crate::gate::trust::feed::ListingFeed;
use crate::gate::trust::lists::ImportedLists;
use crate::gate::trust::taken_back::TakenBack;
use crate::moment::Moment;

mod kept;
mod listing;
mod merged;

use kept::KeptBans;

/// How long it is kept that a ban was lifted: ten years. A ban that was to last for longer comes back then, if another
/// machine tells it again.
const LIFTED_KEPT: Duration = Duration::from_secs(3650 * 86_400);

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
        mode == Mode::Enforce || self.is_by_hand()
    }

    /// Whether the operator said so: then it refuses everybody.
    pub(in crate::gate) fn is_by_hand(self) -> bool {
        self.cause == BanCause::Operator
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
    /// What others publish.
    pub(in crate::gate) lists: ImportedLists,
    /// What a program beside us decides.
    pub(in crate::gate) feed: ListingFeed,
    /// How many are by hand. Where there are none, an attempt that no other ban may refuse needs no look-up.
    by_hand: AtomicUsize,
    /// Whether other machines are told.
    is_told: AtomicBool,
}

#[derive(Default)]
struct BanBook {
    bans: KeptBans,
    /// The automatic ones of them, by their end.
    ends: BTreeSet<(Moment, Subject)>,
    /// Those by hand, by their end.
    ends_by_hand: BTreeSet<(Moment, Subject)>,
    /// What was lifted, and when: an earlier ban that another machine tells of does not come back.
    lifted: TakenBack<Subject>,
    /// The moment of the last change.
    changed: Moment,
    evicted: u64,
}

impl Bans {
    pub(in crate::gate) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            book: RwLock::default(),
            lists: ImportedLists::default(),
            feed: ListingFeed::default(),
            by_hand: AtomicUsize::new(0),
            is_told: AtomicBool::new(false),
        }
    }

    /// The ban of a client, or else of its network; the one by hand before the other. Or else a published list has it.
    pub(in crate::gate) fn of(&self, client: ClientKey, now: Moment) -> Option<Ban> {
        self.kept(client, now).or_else(|| self.listed(client, now))
    }

    /// How a client on a published list stands: as one with an automatic ban.
    pub(in crate::gate) fn listed(&self, client: ClientKey, now: Moment) -> Option<Ban> {
        let until = self
            .lists
            .until(client, now)
            .max(self.feed.until(client, now));
        Some(Ban {
            until: until?,
            cause: BanCause::List,
            mode: Mode::Enforce,
        })
    }

    fn kept(&self, client: ClientKey, now: Moment) -> Option<Ban> {
        let book = self.read();
        if book.bans.is_empty() {
            return None;
        }
        let own = book.get(Subject::Client(client), now);
        if own.is_some_and(|ban| ban.is_by_hand() || book.ends_by_hand.is_empty()) {
            return own;
        }
        let around = book.get(Subject::Network(client.network()), now);
        around.filter(|ban| ban.is_by_hand()).or(own).or(around)
    }

    /// The ban by hand of a client or its network: the one that refuses the familiar too.
    pub(in crate::gate) fn by_hand(&self, client: ClientKey, now: Moment) -> Option<Ban> {
        if self.by_hand.load(Ordering::Acquire) == 0 {
            return None;
        }
        self.kept(client, now).filter(|ban| ban.is_by_hand())
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
        let (evicted, changed) = self.write(|book| {
            let evicted = book.make_room(subject, self.capacity, now);
            let changed = book.change_of(subject, now);
            book.set(subject, HeldBan { ban, changed }, self.capacity);
            (evicted, changed)
        });
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

    /// Lifts a ban; whether there was one. Where others are told, one that is not known here is lifted too: it may be on its way.
    pub(in crate::gate) fn lift(
        &self,
        subject: Subject,
        now: Moment,
        changes: &mut Vec<Change>,
    ) -> bool {
        let is_told = self.is_told.load(Ordering::Relaxed);
        let (was_there, at) = self.write(|book| {
            let at = book.change_of(subject, now);
            let was_there = book.clear(subject).is_some();
            if was_there || is_told {
                book.lifted.add(subject, at, self.capacity);
            }
            (was_there, at)
        });
        if was_there || is_told {
            changes.push(ended(subject, BanEnding::Lifted, at));
        }
        was_there
    }

    /// From now on other machines are told.
    pub(in crate::gate) fn begin_telling(&self) {
        self.is_told.store(true, Ordering::Relaxed);
    }

    /// Ends the bans whose time is over.
    pub(in crate::gate) fn expire(&self, now: Moment, changes: &mut Vec<Change>) {
        self.lists.expire(now);
        self.feed.expire(now);
        if self.read().next_end().is_none_or(|end| end > now) {
            return;
        }
        let over = self.write(|book| {
            book.lifted.drop_while(|at| now.since(at) >= LIFTED_KEPT);
            book.take_over(now)
        });
        let over = over.into_iter();
        changes.extend(over.map(|subject| ended(subject, BanEnding::Expired, now)));
    }

    /// Forgets every ban but the operator's. That concerns no other machine.
    pub(in crate::gate) fn clear(&self, now: Moment, changes: &mut Vec<Change>) {
        let mut lifted = Vec::new();
        for (subject, ban) in self.all(now) {
            if !ban.is_by_hand() {
                self.lift(subject, now, &mut lifted);
            }
        }
        let origin = Origin::ALONE;
        changes.extend(lifted.into_iter().map(|change| Change { origin, ..change }));
    }

    /// How many bans there are, and how many were evicted. One that ends counts until that is told.
    pub(in crate::gate) fn counts(&self) -> (usize, u64) {
        let book = self.read();
        (book.bans.len(), book.evicted)
    }

    /// How many there are of each cause, in the order of [`BanCause::ALL`].
    pub(in crate::gate) fn by_cause(&self) -> [usize; BanCause::ALL.len()] {
        self.read().bans.by_cause()
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
            bans.select_nth_unstable_by_key(surplus - 1, |(_, held)| {
                (held.ban.is_by_hand(), held.ban.until)
            });
            bans.drain(..surplus);
        }
        self.write(|book| {
            book.restore(bans, changed);
            book.evicted += surplus as u64;
        });
    }

    fn read(&self) -> RwLockReadGuard<'_, BanBook> {
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the book, and notes how many bans are by hand since.
    fn write<T>(&self, work: impl FnOnce(&mut BanBook) -> T) -> T {
        let mut book: RwLockWriteGuard<'_, BanBook> =
            self.book.write().unwrap_or_else(PoisonError::into_inner);
        let done = work(&mut book);
        self.by_hand
            .store(book.ends_by_hand.len(), Ordering::Release);
        done
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

    /// When the next ban is over.
    fn next_end(&self) -> Option<Moment> {
        let ends = [self.ends.first(), self.ends_by_hand.first()];
        ends.into_iter().flatten().map(|(end, _)| *end).min()
    }

    /// Removes the bans whose time is over.
    fn take_over(&mut self, now: Moment) -> Vec<Subject> {
        let mut over = Vec::new();
        for ends in [&mut self.ends, &mut self.ends_by_hand] {
            while let Some((_, subject)) = ends.first().filter(|(end, _)| *end <= now).copied() {
                ends.pop_first();
                self.bans.remove(&subject);
                over.push(subject);
            }
        }
        over
    }

    /// Evicts the automatic ban that ends first, or else the one by hand, if a new one for `subject` has no room.
    fn make_room(&mut self, subject: Subject, capacity: usize, now: Moment) -> Option<Change> {
        if self.bans.len() < capacity || self.bans.contains_key(&subject) {
            return None;
        }
        let evicted = self.end_first()?;
        self.evicted += 1;
        let at = self.change(now);
        Some(ended(evicted, BanEnding::Evicted, at))
    }

    /// The moment of a change of this subject's ban, which another machine may have changed by a clock that is a little ahead.
    fn change_of(&mut self, subject: Subject, now: Moment) -> Moment {
        let held = self.bans.get(&subject).map(|held| held.changed);
        let told = held.max(self.lifted.at(subject)).unwrap_or_default();
        self.change(now.max(told + Duration::from_nanos(1)))
    }

    fn set(&mut self, subject: Subject, held: HeldBan, capacity: usize) {
        if let Some(old) = self.bans.insert(subject, held) {
            self.ends_of(old.ban).remove(&(old.ban.until, subject));
            if old.ban.until > held.ban.until {
                // When the shorter one is over, the longer one does not come back from elsewhere.
                self.lifted.add(subject, old.changed, capacity);
            }
        }
        self.ends_of(held.ban).insert((held.ban.until, subject));
    }

    fn ends_of(&mut self, ban: Ban) -> &mut BTreeSet<(Moment, Subject)> {
        match ban.is_by_hand() {
            true => &mut self.ends_by_hand,
            false => &mut self.ends,
        }
    }

    fn clear(&mut self, subject: Subject) -> Option<HeldBan> {
        let held = self.bans.remove(&subject)?;
        self.ends_of(held.ban).remove(&(held.ban.until, subject));
        Some(held)
    }

    fn end_first(&mut self) -> Option<Subject> {
        let first = self.ends.pop_first();
        let (_, subject) = first.or_else(|| self.ends_by_hand.pop_first())?;
        self.bans.remove(&subject);
        Some(subject)
    }

    /// Fills an empty book in one go: a hundred thousand bans must not delay the first accept.
    fn restore(&mut self, bans: Vec<(Subject, HeldBan)>, changed: Moment) {
        self.bans = bans.into_iter().collect();
        let ends = |by_hand: bool| {
            let bans = self.bans.iter();
            bans.filter(move |(_, held)| held.ban.is_by_hand() == by_hand)
                .map(|(subject, held)| (held.ban.until, *subject))
                .collect()
        };
        (self.ends, self.ends_by_hand) = (ends(false), ends(true));
        self.changed = changed;
    }
}

fn ended(subject: Subject, why: BanEnding, at: Moment) -> Change {
    Change::here(at, Fact::BanEnded(BanEnd { subject, why }))
}

#[cfg(test)]
mod tests;
