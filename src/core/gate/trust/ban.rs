//! ban - who is banned, until when and why
//!
//! Bans are kept by address, so that the operator can list them. Bounded: when there is no room for one
//! more, the ban that ends first ends now. A banned client of a familiar network is kept too; what that
//! means is decided on the ladder.
//! Not here: what earns a ban (`judge`), strikes (`bucket`), dropping packets (`net::filter`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::gate::request::client::{ClientKey, NetworkKey};
use crate::gate::request::settings::Mode;
use crate::gate::request::verdict::{BanCause, Event, Subject};
use crate::gate::state::journal::{self, BanRecord};
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

pub(in crate::gate) struct Bans {
    capacity: usize,
    book: RwLock<Book>,
}

#[derive(Default)]
struct Book {
    bans: BTreeMap<Subject, Ban>,
    /// The same bans, by their end.
    ends: BTreeSet<(Moment, Subject)>,
    /// Counts the changes, for the journal.
    sequence: u64,
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
        events: &mut Vec<Event>,
    ) {
        let mut book = self.write();
        book.sequence += 1;
        let record = BanRecord {
            at: now,
            sequence: book.sequence,
            subject,
            ban: Some(ban),
            strikes,
        };
        let full = book.bans.len() >= self.capacity && !book.bans.contains_key(&subject);
        let evicted = if full { book.end_first() } else { None };
        book.evicted += u64::from(evicted.is_some());
        book.set(subject, ban);
        drop(book);
        events.extend(evicted.map(|subject| Event::BanEnded { subject }));
        events.push(Event::BanBegan {
            subject,
            until: ban.until,
            cause: ban.cause,
            mode: ban.mode,
        });
        events.push(journal::ban(&record));
    }

    /// Lifts a ban; whether there was one.
    pub(in crate::gate) fn lift(
        &self,
        subject: Subject,
        now: Moment,
        events: &mut Vec<Event>,
    ) -> bool {
        let mut book = self.write();
        if book.clear(subject).is_none() {
            return false;
        }
        book.sequence += 1;
        let record = BanRecord {
            at: now,
            sequence: book.sequence,
            subject,
            ban: None,
            strikes: 0,
        };
        drop(book);
        events.push(Event::BanEnded { subject });
        events.push(journal::ban(&record));
        true
    }

    /// Ends the bans whose time is over.
    pub(in crate::gate) fn expire(&self, now: Moment, events: &mut Vec<Event>) {
        if self.read().ends.first().is_none_or(|(end, _)| *end > now) {
            return;
        }
        let mut book = self.write();
        while book.ends.first().is_some_and(|(end, _)| *end <= now) {
            let ended = book.end_first();
            events.extend(ended.map(|subject| Event::BanEnded { subject }));
        }
    }

    /// Forgets every ban but the operator's.
    pub(in crate::gate) fn clear(&self, now: Moment, events: &mut Vec<Event>) {
        for (subject, ban) in self.all(now) {
            if ban.cause != BanCause::Operator {
                self.lift(subject, now, events);
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

    /// How many bans there are, and how many ended early for want of room.
    pub(in crate::gate) fn counts(&self) -> (usize, u64) {
        let book = self.read();
        (book.bans.len(), book.evicted)
    }

    /// The number of the last change, for the snapshot.
    pub(in crate::gate) fn sequence(&self) -> u64 {
        self.read().sequence
    }

    /// Takes over the bans of a snapshot.
    ///
    /// They come in the order of their ends; where there are too many, those that end first are left out.
    pub(in crate::gate) fn restore(&self, mut bans: Vec<(Subject, Ban)>, sequence: u64) {
        bans.drain(..bans.len().saturating_sub(self.capacity));
        self.write().restore(bans, sequence);
    }

    /// Applies a journal record; false if the book knows it already.
    pub(in crate::gate) fn replay(&self, record: &BanRecord) -> bool {
        let mut book = self.write();
        if record.sequence <= book.sequence {
            return false;
        }
        book.sequence = record.sequence;
        match record.ban {
            Some(ban) => book.set(record.subject, ban),
            None => drop(book.clear(record.subject)),
        }
        true
    }

    fn read(&self) -> RwLockReadGuard<'_, Book> {
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Book> {
        self.book.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn get(&self, subject: Subject, now: Moment) -> Option<Ban> {
        let ban = self.bans.get(&subject).copied();
        ban.filter(|ban| ban.until > now)
    }

    fn set(&mut self, subject: Subject, ban: Ban) {
        if let Some(old) = self.bans.insert(subject, ban) {
            self.ends.remove(&(old.until, subject));
        }
        self.ends.insert((ban.until, subject));
    }

    fn clear(&mut self, subject: Subject) -> Option<Ban> {
        let ban = self.bans.remove(&subject)?;
        self.ends.remove(&(ban.until, subject));
        Some(ban)
    }

    fn end_first(&mut self) -> Option<Subject> {
        let (_, subject) = self.ends.pop_first()?;
        self.bans.remove(&subject);
        Some(subject)
    }

    /// Fills an empty book in one go: a hundred thousand bans must not delay the first accept.
    /// So nothing is copied that need not be: most of the time goes into pages touched for the first time.
    fn restore(&mut self, mut bans: Vec<(Subject, Ban)>, sequence: u64) {
        let count = bans.len();
        self.ends = ends(&bans);
        bans.sort_unstable_by_key(|(subject, _)| *subject);
        bans.dedup_by_key(|(subject, _)| *subject);
        if bans.len() < count {
            self.ends = ends(&bans);
        }
        self.bans = bans.into_iter().collect();
        self.sequence = sequence;
    }
}

/// The bans by their end.
fn ends(bans: &[(Subject, Ban)]) -> BTreeSet<(Moment, Subject)> {
    let end = |(subject, ban): &(Subject, Ban)| (ban.until, *subject);
    bans.iter().map(end).collect()
}

#[cfg(test)]
mod tests;
