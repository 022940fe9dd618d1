//! bucket - all token buckets of the gate: keyed ones in one bounded table, shared ones as fields
//!
//! A keyed row holds the arrival time and, for clients, the strikes. The four shared buckets are
//! never evicted; their speed grows with the known users, and a debt is carried over in tokens, not
//! in seconds, when it does. Every change of a shared bucket is told, with a moment later than the
//! one before, so that of two changes it is known which holds.
//!
//! Each method holds one mutex at a time. Tokens are taken one bucket after another: who is refused
//! by the third gives the first two back.
//! Not here: the arithmetic (`limit`), which buckets a try pays (`judge`), bans (`ban`).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::gate::buckets::limit::{Limit, give_back};
use crate::gate::buckets::table::{Key, Kind, Table};
use crate::gate::request::change::{Change, Fact, SharedLevel};
use crate::moment::Moment;

const DAY: u64 = 86_400;
const NANOS: u64 = 1_000_000_000;

/// One of the buckets that many pay together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub(in crate::gate) enum Share {
    Near = 0,
    Words = 1,
    Unknown = 2,
    Strangers = 3,
}

impl Share {
    pub(in crate::gate) const ALL: [Self; 4] =
        [Self::Near, Self::Words, Self::Unknown, Self::Strangers];

    /// Its number in snapshot and journal.
    pub(in crate::gate) const fn number(self) -> u8 {
        self as u8
    }

    /// The bucket with this number; none if this version knows none.
    pub(in crate::gate) fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|share| share.number() == number)
    }
}

/// Which bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) enum Place {
    Keyed(Key),
    Shared(Share),
}

/// One token that was taken, with all that giving it back needs.
#[derive(Clone, Copy, Debug)]
pub(in crate::gate) struct Token {
    place: Place,
    every: u64,
    after: u64,
}

/// What is kept of a shared bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::gate) struct Level {
    /// The arrival time, in nanoseconds since the epoch.
    pub(in crate::gate) arrival: u64,
    /// Nanoseconds a token when the arrival time was written; 0: never.
    pub(in crate::gate) every: u64,
    /// The moment of the last change, in nanoseconds since the epoch.
    pub(in crate::gate) changed: u64,
}

/// What is kept of a keyed bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::gate) struct Row {
    /// The arrival time, in nanoseconds since the epoch.
    pub(in crate::gate) arrival: u64,
    /// Strikes when they were last counted.
    pub(in crate::gate) strikes: u8,
    /// When that was, in seconds since the epoch.
    pub(in crate::gate) counted: u32,
}

impl Row {
    pub(in crate::gate) fn unpack(row: &[u64; 3]) -> Self {
        let [_, arrival, meta] = *row;
        let [_, strikes, ..] = meta.to_le_bytes();
        Self {
            arrival,
            strikes,
            counted: (meta >> 32) as u32,
        }
    }

    fn pack(self) -> [u64; 3] {
        let meta = u64::from(self.strikes) << 8 | u64::from(self.counted) << 32;
        [0, self.arrival, meta]
    }

    /// Strikes that have not faded: one a day goes.
    pub(in crate::gate) fn strikes_at(self, now: Moment) -> u8 {
        let days = now.as_seconds().saturating_sub(u64::from(self.counted)) / DAY;
        self.strikes
            .saturating_sub(u8::try_from(days).unwrap_or(u8::MAX))
    }

    /// When neither debt nor strike is left, in nanoseconds since the epoch.
    pub(in crate::gate) fn innocent(self) -> u64 {
        let faded = match self.strikes {
            0 => 0,
            strikes => (u64::from(self.counted) + u64::from(strikes) * DAY) * NANOS,
        };
        self.arrival.max(faded)
    }
}

pub(in crate::gate) struct Buckets {
    table: Table<3>,
    shared: [Mutex<Level>; 4],
}

impl Buckets {
    pub(in crate::gate) fn new(rows: usize, secret: &[u8; 16]) -> Self {
        Self {
            table: Table::new(rows, secret, |row| Row::unpack(row).innocent()),
            shared: Default::default(),
        }
    }

    /// Takes one token, or says how long until there is one.
    pub(in crate::gate) fn take(
        &self,
        place: Place,
        limit: Limit,
        now: Moment,
        events: &mut Vec<Change>,
    ) -> Result<Token, Duration> {
        let after = match place {
            Place::Keyed(key) => self.table.with(key, now, |row| {
                let row = row.map(Row::unpack).unwrap_or_default();
                match limit.take(row.arrival, now) {
                    Ok(arrival) => (Ok(arrival), Some(Row { arrival, ..row }.pack())),
                    Err(wait) => (Err(wait), None),
                }
            })?,
            Place::Shared(share) => {
                let mut level = self.level(share);
                level.carry_over(limit.every(), now);
                level.arrival = limit.take(level.arrival, now)?;
                events.push(level.change(share, now));
                level.arrival
            }
        };
        Ok(Token {
            place,
            every: limit.every(),
            after,
        })
    }

    /// How long until there is a token beside those `kept`; takes nothing.
    pub(in crate::gate) fn peek(
        &self,
        place: Place,
        limit: Limit,
        kept: u32,
        now: Moment,
    ) -> Result<(), Duration> {
        limit.peek(self.arrival(place, limit, now), kept, now)
    }

    /// Whole tokens in a bucket.
    pub(in crate::gate) fn left(&self, place: Place, limit: Limit, now: Moment) -> u32 {
        limit.left(self.arrival(place, limit, now), now)
    }

    /// Gives one token back; one whose row was evicted meanwhile is gone.
    pub(in crate::gate) fn refund(&self, token: Token, now: Moment, events: &mut Vec<Change>) {
        match token.place {
            Place::Keyed(key) => self.table.with(key, now, |row| {
                let row = row.map(Row::unpack);
                let less = row.map(|row| Row {
                    arrival: give_back(row.arrival, token.every, token.after, now),
                    ..row
                });
                ((), less.map(Row::pack))
            }),
            Place::Shared(share) => {
                let mut level = self.level(share);
                // The token as it would be had it been taken at today's speed.
                let mut then = Level {
                    arrival: token.after,
                    every: token.every,
                    changed: 0,
                };
                then.carry_over(level.every, now);
                level.arrival = give_back(level.arrival, level.every, then.arrival, now);
                events.push(level.change(share, now));
            }
        }
    }

    /// Takes tokens by force, as far as there are any; whether there was one.
    pub(in crate::gate) fn drain(&self, key: Key, tokens: u32, limit: Limit, now: Moment) -> bool {
        self.table.with(key, now, |row| {
            let row = row.map(Row::unpack).unwrap_or_default();
            let arrival = limit.drain(row.arrival, tokens, now);
            (
                limit.peek(row.arrival, 0, now).is_ok(),
                Some(Row { arrival, ..row }.pack()),
            )
        })
    }

    /// One strike more against a client, at least `least` and at most `most` in all; how many there
    /// are then.
    pub(in crate::gate) fn strike(&self, key: Key, least: u8, most: u8, now: Moment) -> u8 {
        self.table.with(key, now, |row| {
            let row = row.map(Row::unpack).unwrap_or_default();
            let strikes = row.strikes_at(now).saturating_add(1).max(least);
            let struck = Row {
                strikes: strikes.min(most),
                counted: seconds(now),
                ..row
            };
            (struck.strikes, Some(struck.pack()))
        })
    }

    /// Forgets a client's strikes.
    pub(in crate::gate) fn forget_strikes(&self, key: Key, now: Moment) {
        self.table.with(key, now, |row| {
            let less = row.map(Row::unpack).map(|row| Row { strikes: 0, ..row });
            ((), less.map(Row::pack))
        });
    }

    /// What is kept under a key.
    pub(in crate::gate) fn row(&self, key: Key) -> Row {
        self.table
            .read(key)
            .map(|row| Row::unpack(&row))
            .unwrap_or_default()
    }

    /// Puts a row back as it was kept.
    pub(in crate::gate) fn put(&self, key: Key, row: Row, now: Moment) {
        self.table.with(key, now, |_| ((), Some(row.pack())));
    }

    /// Forgets what is kept under a key.
    pub(in crate::gate) fn forget(&self, key: Key) {
        self.table.remove(key);
    }

    /// Forgets every debt and strike.
    pub(in crate::gate) fn clear(&self, now: Moment, events: &mut Vec<Change>) {
        self.table.clear();
        for share in Share::ALL {
            let mut level = self.level(share);
            level.arrival = 0;
            events.push(level.change(share, now));
        }
    }

    /// Cuts every keyed debt to one burst of what is the limit now.
    pub(in crate::gate) fn cut_keyed(&self, limit: impl Fn(Place) -> Limit, now: Moment) {
        self.table.change(|kind, row| {
            let [id, ..] = *row;
            let kept = Row::unpack(row);
            let limit = limit(Place::Keyed(Key { kind, id }));
            let arrival = limit.bounded(kept.arrival, now);
            (arrival != kept.arrival).then(|| Row { arrival, ..kept }.pack())
        });
    }

    /// Cuts every shared debt to one burst of what is the limit now.
    pub(in crate::gate) fn cut_shared(
        &self,
        limit: impl Fn(Place) -> Limit,
        now: Moment,
        events: &mut Vec<Change>,
    ) {
        for share in Share::ALL {
            let limit = limit(Place::Shared(share));
            let mut level = self.level(share);
            if level.every == 0 {
                continue;
            }
            let before = *level;
            level.carry_over(limit.every(), now);
            level.arrival = limit.bounded(level.arrival, now);
            if *level != before {
                events.push(level.change(share, now));
            }
        }
    }

    /// The parts of the table: what is shown of one by [`Self::part`] is shown at one moment.
    pub(in crate::gate) fn parts(&self) -> usize {
        self.table.shards()
    }

    /// The keyed buckets in one part of the table.
    pub(in crate::gate) fn part(&self, part: usize) -> Vec<(Kind, u64, Row)> {
        let mut rows = Vec::new();
        self.table.for_each_in(part, |kind, row| {
            let [id, ..] = *row;
            rows.push((kind, id, Row::unpack(row)));
        });
        rows
    }

    /// Shows every keyed bucket.
    pub(in crate::gate) fn for_each(&self, mut see: impl FnMut(Kind, u64, Row)) {
        self.table.for_each(|kind, row| {
            let [id, ..] = *row;
            see(kind, id, Row::unpack(row));
        });
    }

    /// A shared bucket, locked.
    pub(in crate::gate) fn level(&self, share: Share) -> MutexGuard<'_, Level> {
        let [near, words, unknown, strangers] = &self.shared;
        let level = match share {
            Share::Near => near,
            Share::Words => words,
            Share::Unknown => unknown,
            Share::Strangers => strangers,
        };
        level.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what an earlier process left of a keyed bucket; where there is something already, the
    /// larger debt and the more strikes hold.
    pub(in crate::gate) fn merge(&self, key: Key, row: Row, now: Moment) {
        self.table.with(key, now, |held| {
            let held = held.map(Row::unpack).unwrap_or_default();
            let strikes = match held.strikes_at(now) > row.strikes_at(now) {
                true => held,
                false => row,
            };
            let arrival = held.arrival.max(row.arrival);
            ((), Some(Row { arrival, ..strikes }.pack()))
        });
    }

    /// Takes over a shared bucket as an earlier process left it.
    pub(in crate::gate) fn restore_shared(&self, share: Share, level: Level) {
        *self.level(share) = level;
    }

    /// All rows of the table, and how many of them gave way before they were innocent.
    pub(in crate::gate) fn table(&self) -> (usize, u64) {
        (self.table.rows(), self.table.evictions())
    }

    fn arrival(&self, place: Place, limit: Limit, now: Moment) -> u64 {
        match place {
            Place::Keyed(key) => self.row(key).arrival,
            Place::Shared(share) => {
                let mut level = *self.level(share);
                level.carry_over(limit.every(), now);
                level.arrival
            }
        }
    }
}

impl Level {
    /// Tells that this level has changed now: later than it did last, whatever the clock says.
    fn change(&mut self, share: Share, now: Moment) -> Change {
        self.changed = now.as_nanos().max(self.changed.saturating_add(1));
        let level = SharedLevel {
            bucket: share.number(),
            arrival: self.arrival,
            every: self.every,
        };
        Change::here(Moment::from_nanos(self.changed), Fact::SharedBucket(level))
    }

    /// Carries the debt over to a speed of one token in `new` nanoseconds: as many tokens as before,
    /// rounded up.
    fn carry_over(&mut self, new: u64, now: Moment) {
        let old = self.every;
        if old != new && old != 0 {
            let debt = u128::from(self.arrival.saturating_sub(now.as_nanos()));
            let debt = (debt * u128::from(new)).div_ceil(u128::from(old));
            let debt = u64::try_from(debt).unwrap_or(u64::MAX);
            self.arrival = now.as_nanos().saturating_add(debt);
        }
        self.every = new;
    }
}

/// A moment as rows keep it.
pub(in crate::gate) fn seconds(now: Moment) -> u32 {
    u32::try_from(now.as_seconds()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
