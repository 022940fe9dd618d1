//! bucket - all token buckets of the gate: keyed ones in one bounded table, shared ones as fields
//!
//! A keyed row holds the arrival time and, for clients, the strikes. The four shared buckets are
//! never evicted; their speed grows with the known users, and a debt is carried over in tokens, not
//! in seconds, when it does. Every change of a shared bucket is a journal record.
//!
//! Each method holds one mutex at a time. Tokens are taken one bucket after another: who is refused
//! by the third gives the first two back.
//! Not here: the arithmetic (`limit`), which buckets a try pays (`judge`), bans (`ban`).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::gate::buckets::limit::{Limit, give_back};
use crate::gate::buckets::table::{Key, Kind, Table};
use crate::gate::request::verdict::Event;
use crate::gate::state::journal::{self, ShareRecord};
use crate::moment::Moment;

const DAY: u64 = 86_400;
const NANOS: u64 = 1_000_000_000;

/// One of the buckets that many pay together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::gate) enum Share {
    Near,
    Words,
    Unknown,
    Strangers,
}

impl Share {
    pub(in crate::gate) const ALL: [Self; 4] =
        [Self::Near, Self::Words, Self::Unknown, Self::Strangers];
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
    /// Counts the changes, for the journal.
    pub(in crate::gate) sequence: u64,
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
        events: &mut Vec<Event>,
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
                level.sequence += 1;
                events.push(journal::share(share, *level, now));
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
    pub(in crate::gate) fn refund(&self, token: Token, now: Moment, events: &mut Vec<Event>) {
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
                    sequence: 0,
                };
                then.carry_over(level.every, now);
                level.arrival = give_back(level.arrival, level.every, then.arrival, now);
                level.sequence += 1;
                events.push(journal::share(share, *level, now));
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
    pub(in crate::gate) fn clear(&self, now: Moment, events: &mut Vec<Event>) {
        self.table.clear();
        for share in Share::ALL {
            let mut level = self.level(share);
            level.arrival = 0;
            level.sequence += 1;
            events.push(journal::share(share, *level, now));
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
    pub(in crate::gate) fn cut_shared(&self, limit: impl Fn(Place) -> Limit, now: Moment) {
        for share in Share::ALL {
            let limit = limit(Place::Shared(share));
            let mut level = self.level(share);
            if level.every != 0 {
                level.carry_over(limit.every(), now);
                level.arrival = limit.bounded(level.arrival, now);
            }
        }
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

    /// Takes over what is written of a shared bucket, as it stands `gone` later, unless the bucket
    /// knows of a later change.
    pub(in crate::gate) fn replay(&self, record: &ShareRecord, gone: Duration, now: Moment) {
        let mut level = self.level(record.share);
        if record.sequence > level.sequence {
            let gone = u64::try_from(gone.as_nanos()).unwrap_or(u64::MAX);
            *level = Level {
                arrival: now
                    .as_nanos()
                    .saturating_add(record.debt.saturating_sub(gone)),
                every: record.every,
                sequence: record.sequence,
            };
        }
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
