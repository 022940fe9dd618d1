//! table - a set-associative table of fixed-size rows: bounded memory, whatever comes in
//!
//! A row is `N` words of 64 bits: word 0 is the key's id, the lowest octet of the last word its
//! kind (0: the row is empty), the rest is the owner's. A row is clean when nothing in it counts any more;
//! when that is, the owner says with a function. A key belongs to two sets of eight rows,
//! chosen by a keyed hash, so that nobody can aim at a set; a new row takes a place in the one with more
//! free or clean rows, so that sets fill evenly (offered as many keys as it has rows, a new table with
//! one set a key loses one in seven, with two one in twenty-five). In full sets the row that is clean
//! soonest is evicted. Far beyond its capacity a table is one pool in the order of that time: those that
//! are clean soonest go, wherever they are.
//!
//! The sets are spread over shards with a mutex each, held for one look at one key. The rows are
//! one zeroed allocation a shard, so pages that were never written cost no memory.
//! Not here: what the words mean (`bucket`, `tries`, `words`).

use std::cmp::Ordering;
use std::hash::Hasher;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use siphasher::sip::SipHasher13;

use crate::gate::buckets::key::Key;
use crate::gate::buckets::spec::Kind;
use crate::moment::Moment;

/// Rows in a set.
const WAYS: usize = 8;
/// Octets of a shard. An allocation this large comes fresh from the system, zeroed and unwritten.
const SHARD: usize = 1 << 20;
/// Shards, and so mutexes, of a table at most.
const SHARDS: usize = 64;

/// The kind of a row; none if it is empty.
pub(in crate::gate) fn kind_of<const N: usize>(row: &[u64; N]) -> Option<Kind> {
    let [number, ..] = row.last()?.to_le_bytes();
    Kind::new(number)
}

/// A row with its id and kind in their places.
fn labelled<const N: usize>(mut row: [u64; N], id: u64, kind: Kind) -> [u64; N] {
    if let [first, .., last] = row.as_mut_slice() {
        *first = id;
        *last = (*last & !0xff) | u64::from(kind.number());
    }
    row
}

/// When a row is clean, in nanoseconds since the epoch: the earliest is evicted first.
pub(in crate::gate) type CleanAt<const N: usize> = fn(&[u64; N]) -> u64;

pub(in crate::gate) struct Table<const N: usize> {
    hasher: SipHasher13,
    shards: Box<[Mutex<Vec<[u64; N]>>]>,
    sets: u64,
    clean_at: CleanAt<N>,
    evictions: AtomicU64,
}

impl<const N: usize> Table<N> {
    /// A table of at least `rows` rows, and at least one set.
    pub(in crate::gate) fn new(rows: usize, secret: &[u8; 16], clean_at: CleanAt<N>) -> Self {
        let sets = rows.div_ceil(WAYS).max(1);
        let octets = sets * WAYS * size_of::<[u64; N]>();
        let shards = (octets / SHARD).clamp(1, SHARDS);
        let sets = sets.div_ceil(shards);
        Self {
            hasher: SipHasher13::new_with_key(secret),
            shards: (0..shards)
                .map(|_| Mutex::new(vec![[0; N]; sets * WAYS]))
                .collect(),
            sets: sets as u64,
            clean_at,
            evictions: AtomicU64::new(0),
        }
    }

    /// Shows `change` the row of `key`, and writes what it gives back, if anything.
    ///
    /// A new row takes an empty place of its sets, or that of the row that is clean soonest.
    pub(in crate::gate) fn with<T>(
        &self,
        key: Key,
        now: Moment,
        change: impl FnOnce(Option<&[u64; N]>) -> (T, Option<[u64; N]>),
    ) -> T {
        let (shard, sets) = self.place(key);
        let Some(mut rows) = self.lock(shard) else {
            return change(None).0;
        };
        let held = find(&rows, sets, key);
        let (answer, new) = change(held.and_then(|at| rows.get(at)));
        if let Some(new) = new {
            let at = held.unwrap_or_else(|| self.victim(&rows, sets, now));
            if let Some(place) = rows.get_mut(at) {
                *place = labelled(new, key.id, key.kind);
            }
        }
        answer
    }

    /// As [`Self::with`], but a new row never takes the place of one that is not clean: None if there is no other.
    pub(in crate::gate) fn with_if_room<T>(
        &self,
        key: Key,
        now: Moment,
        change: impl FnOnce(Option<&[u64; N]>) -> (T, Option<[u64; N]>),
    ) -> Option<T> {
        let (shard, sets) = self.place(key);
        let mut rows = self.lock(shard)?;
        let held = find(&rows, sets, key);
        let clean = || {
            let places = sets.iter().flat_map(|set| *set..*set + WAYS);
            let mut places = places.filter_map(|at| Some((at, rows.get(at)?)));
            places.find(|(_, row)| kind_of(row).is_none() || (self.clean_at)(row) <= now.as_nanos())
        };
        let at = held.or_else(|| clean().map(|(at, _)| at))?;
        let (answer, new) = change(held.and_then(|at| rows.get(at)));
        if let (Some(new), Some(place)) = (new, rows.get_mut(at)) {
            *place = labelled(new, key.id, key.kind);
        }
        Some(answer)
    }

    /// The row of `key`, if there is one. A look takes nothing and moves nothing.
    pub(in crate::gate) fn read(&self, key: Key) -> Option<[u64; N]> {
        self.with(key, Moment::EPOCH, |row| (row.copied(), None))
    }

    /// Empties the row of `key`.
    pub(in crate::gate) fn remove(&self, key: Key) {
        let (shard, sets) = self.place(key);
        let Some(mut rows) = self.lock(shard) else {
            return;
        };
        if let Some(row) = find(&rows, sets, key).and_then(|at| rows.get_mut(at)) {
            *row = [0; N];
        }
    }

    /// Shows every row that is not empty, one shard's mutex at a time.
    pub(in crate::gate) fn for_each(&self, mut see: impl FnMut(Kind, &[u64; N])) {
        for shard in 0..self.shards() {
            self.for_each_in(shard, &mut see);
        }
    }

    /// How many shards there are.
    pub(in crate::gate) fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Shows every row of one shard that is not empty, under its mutex.
    pub(in crate::gate) fn for_each_in(&self, shard: usize, mut see: impl FnMut(Kind, &[u64; N])) {
        for row in self.lock(shard).iter().flat_map(|rows| rows.iter()) {
            if let Some(kind) = kind_of(row) {
                see(kind, row);
            }
        }
    }

    /// Shows every row that is not empty, and writes what comes back, if anything.
    pub(in crate::gate) fn change(&self, change: impl Fn(Kind, &[u64; N]) -> Option<[u64; N]>) {
        for shard in &self.shards {
            let mut rows = shard.lock().unwrap_or_else(PoisonError::into_inner);
            for row in rows.iter_mut() {
                let Some(kind) = kind_of(row) else { continue };
                let Some(new) = change(kind, row) else {
                    continue;
                };
                *row = labelled(new, row.first().copied().unwrap_or_default(), kind);
            }
        }
    }

    /// Empties every row.
    pub(in crate::gate) fn clear(&self) {
        for shard in &self.shards {
            shard
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .fill([0; N]);
        }
    }

    /// All rows, empty ones too.
    #[cfg(test)]
    pub(in crate::gate) fn rows(&self) -> usize {
        self.shards.len() * self.sets as usize * WAYS
    }

    /// How many rows were evicted before they were clean.
    pub(in crate::gate) fn evictions(&self) -> u64 {
        self.evictions.load(Relaxed)
    }

    /// The shard of a key, and its two sets by their first rows: different ones, if there are two.
    fn place(&self, key: Key) -> (usize, [usize; 2]) {
        let mut hasher = self.hasher;
        hasher.write_u64(key.id);
        hasher.write_u8(key.kind.number());
        let hash = hasher.finish();
        // 16 bits choose the shard, 24 each of the sets.
        let shard = ((hash & 0xffff) * self.shards.len() as u64) >> 16;
        let one = (((hash >> 16) & 0xff_ffff) * self.sets) >> 24;
        let other = ((hash >> 40) * self.sets.saturating_sub(1)) >> 24;
        let other = other + u64::from(other >= one && self.sets > 1);
        (shard as usize, [one, other].map(|set| set as usize * WAYS))
    }

    fn lock(&self, shard: usize) -> Option<MutexGuard<'_, Vec<[u64; N]>>> {
        let shard = self.shards.get(shard)?;
        Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Which row is evicted: of the set with more clean rows, or else more empty ones, the first of those that
    /// are clean soonest; where they do not differ, of both sets.
    fn victim(&self, rows: &[[u64; N]], sets: [usize; 2], now: Moment) -> usize {
        let clean_at = |at: usize| match rows.get(at) {
            Some(row) if kind_of(row).is_some() => (self.clean_at)(row),
            _ => 0,
        };
        let room = |set: usize| {
            let rows = rows.get(set..set + WAYS).unwrap_or_default();
            let clean = (set..set + WAYS).filter(|at| clean_at(*at) <= now.as_nanos());
            let empty = rows.iter().filter(|row| kind_of(row).is_none());
            (clean.count(), empty.count())
        };
        let [one, other] = sets.map(room);
        let eligible = match one.cmp(&other) {
            Ordering::Greater => &sets[..1],
            Ordering::Equal => &sets[..],
            Ordering::Less => &sets[1..],
        };
        let soonest = eligible
            .iter()
            .flat_map(|set| *set..*set + WAYS)
            .map(|at| (at, clean_at(at)))
            .min_by_key(|(_, clean_at)| *clean_at);
        let (at, clean_at) = soonest.unwrap_or_default();
        if clean_at > now.as_nanos() {
            self.evictions.fetch_add(1, Relaxed);
        }
        at
    }
}

/// Where the row of `key` is, if it is in one of its sets.
fn find<const N: usize>(rows: &[[u64; N]], sets: [usize; 2], key: Key) -> Option<usize> {
    let of_key = |row: &[u64; N]| row.first() == Some(&key.id) && kind_of(row) == Some(key.kind);
    sets.into_iter().find_map(|set| {
        let at = rows.get(set..set + WAYS)?.iter().position(of_key)?;
        Some(set + at)
    })
}

/// A moment as rows keep it.
pub(in crate::gate) fn seconds(now: Moment) -> u32 {
    u32::try_from(now.as_seconds()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
