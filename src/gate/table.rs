//! table - a set-associative table of fixed-size rows: bounded memory, whatever comes in
//!
//! A row is `N` words of 64 bits: word 0 is the key's id, the lowest octet of the last word its
//! kind (0: the row is empty), the rest is the owner's. A key belongs to one set of eight rows,
//! chosen by a keyed hash, so that nobody can aim at a set. In a full set the row that is nearest
//! to innocence gives way; what that means the owner says when he makes the table.
//!
//! The sets are spread over shards with a mutex each, held for one look at one set. The rows are
//! one zeroed allocation a shard, so pages that were never written cost no memory.
//! Not here: what the words mean (`bucket`, `tries`, `words`).

use std::hash::Hasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use siphasher::sip::SipHasher13;

use crate::clock::Moment;
use crate::gate::client::{ClientKey, NetworkKey};
use crate::gate::keys::UserId;

/// Rows in a set.
const WAYS: usize = 8;
/// Octets of a shard. An allocation this large comes fresh from the system, zeroed and unwritten.
const SHARD: usize = 1 << 20;
/// Shards, and so mutexes, of a table at most.
const SHARDS: usize = 64;

/// What a key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(in crate::gate) enum Kind {
    ClientV4 = 1,
    ClientV6 = 2,
    Network = 3,
    UserNear = 4,
    UserFar = 5,
    Pair = 6,
    Word = 7,
}

impl Kind {
    /// The kind with this number.
    pub(in crate::gate) const fn of(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::ClientV4,
            2 => Self::ClientV6,
            3 => Self::Network,
            4 => Self::UserNear,
            5 => Self::UserFar,
            6 => Self::Pair,
            7 => Self::Word,
            _ => return None,
        })
    }
}

/// Whose row it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::gate) struct Key {
    pub(in crate::gate) kind: Kind,
    pub(in crate::gate) id: u64,
}

impl Key {
    pub(in crate::gate) fn client(client: ClientKey) -> Self {
        match client {
            ClientKey::V4(bits) => Self {
                kind: Kind::ClientV4,
                id: u64::from(bits),
            },
            ClientKey::V6(upper) => Self {
                kind: Kind::ClientV6,
                id: upper,
            },
        }
    }

    pub(in crate::gate) fn network(network: NetworkKey) -> Self {
        Self {
            kind: Kind::Network,
            id: network.code(),
        }
    }

    pub(in crate::gate) fn near(user: UserId) -> Self {
        Self {
            kind: Kind::UserNear,
            id: user.0,
        }
    }

    pub(in crate::gate) fn far(user: UserId) -> Self {
        Self {
            kind: Kind::UserFar,
            id: user.0,
        }
    }
}

/// The kind of a row; none if it is empty.
pub(in crate::gate) fn kind_of<const N: usize>(row: &[u64; N]) -> Option<Kind> {
    let [number, ..] = row.last()?.to_le_bytes();
    Kind::of(number)
}

/// A row with its id and kind in their places.
fn labelled<const N: usize>(mut row: [u64; N], id: u64, kind: Kind) -> [u64; N] {
    if let [first, .., last] = row.as_mut_slice() {
        *first = id;
        *last = (*last & !0xff) | u64::from(kind as u8);
    }
    row
}

/// When a row is innocent, in nanoseconds since the epoch: the earliest gives way first.
pub(in crate::gate) type Innocence<const N: usize> = fn(&[u64; N]) -> u64;

pub(in crate::gate) struct Table<const N: usize> {
    hasher: SipHasher13,
    shards: Box<[Mutex<Vec<[u64; N]>>]>,
    sets: u64,
    innocence: Innocence<N>,
    evictions: AtomicU64,
}

impl<const N: usize> Table<N> {
    /// A table of at least `rows` rows, and at least one set.
    pub(in crate::gate) fn new(rows: usize, secret: &[u8; 16], innocence: Innocence<N>) -> Self {
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
            innocence,
            evictions: AtomicU64::new(0),
        }
    }

    /// Shows `change` the row of `key`, and writes what it gives back, if anything.
    ///
    /// A new row takes an empty place of its set, or that of the row nearest to innocence.
    pub(in crate::gate) fn with<T>(
        &self,
        key: Key,
        now: Moment,
        change: impl FnOnce(Option<&[u64; N]>) -> (T, Option<[u64; N]>),
    ) -> T {
        let (shard, first) = self.place(key);
        let mut rows = self.lock(shard);
        let Some(set) = rows
            .as_mut()
            .and_then(|rows| rows.get_mut(first..first + WAYS))
        else {
            return change(None).0;
        };
        let held = set
            .iter()
            .position(|row| row.first() == Some(&key.id) && kind_of(row) == Some(key.kind));
        let (answer, new) = change(held.and_then(|at| set.get(at)));
        if let Some(new) = new {
            let at = held.unwrap_or_else(|| self.victim(set, now));
            if let Some(place) = set.get_mut(at) {
                *place = labelled(new, key.id, key.kind);
            }
        }
        answer
    }

    /// The row of `key`, if there is one. A look takes nothing and moves nothing.
    pub(in crate::gate) fn read(&self, key: Key) -> Option<[u64; N]> {
        self.with(key, Moment::EPOCH, |row| (row.copied(), None))
    }

    /// Empties the row of `key`.
    pub(in crate::gate) fn remove(&self, key: Key) {
        let (shard, first) = self.place(key);
        let mut rows = self.lock(shard);
        let set = rows
            .as_mut()
            .and_then(|rows| rows.get_mut(first..first + WAYS));
        for row in set.into_iter().flatten() {
            if row.first() == Some(&key.id) && kind_of(row) == Some(key.kind) {
                *row = [0; N];
            }
        }
    }

    /// Shows every row that is not empty, one shard's mutex at a time.
    pub(in crate::gate) fn for_each(&self, mut see: impl FnMut(Kind, &[u64; N])) {
        for shard in &self.shards {
            for row in shard.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                if let Some(kind) = kind_of(row) {
                    see(kind, row);
                }
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
    pub(in crate::gate) fn rows(&self) -> usize {
        self.shards.len() * self.sets as usize * WAYS
    }

    /// How many rows gave way before they were innocent.
    pub(in crate::gate) fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Relaxed)
    }

    fn place(&self, key: Key) -> (usize, usize) {
        let mut hasher = self.hasher;
        hasher.write_u64(key.id);
        hasher.write_u8(key.kind as u8);
        let hash = hasher.finish();
        let shard = ((hash & 0xffff_ffff) * self.shards.len() as u64) >> 32;
        let set = ((hash >> 32) * self.sets) >> 32;
        (shard as usize, set as usize * WAYS)
    }

    fn lock(&self, shard: usize) -> Option<MutexGuard<'_, Vec<[u64; N]>>> {
        let shard = self.shards.get(shard)?;
        Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn victim(&self, set: &[[u64; N]], now: Moment) -> usize {
        let innocence = |row: &[u64; N]| match kind_of(row) {
            Some(_) => (self.innocence)(row),
            None => 0,
        };
        let nearest = set
            .iter()
            .map(innocence)
            .enumerate()
            .min_by_key(|(_, at)| *at);
        let (at, innocent) = nearest.unwrap_or_default();
        if innocent > now.as_nanos() {
            self.evictions.fetch_add(1, Ordering::Relaxed);
        }
        at
    }
}

#[cfg(test)]
mod tests;
