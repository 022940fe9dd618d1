//! bucket - all token buckets of the gate: keyed ones in one bounded table, shared ones as fields
//!
//! A keyed row holds the arrival time and, for clients, the strikes. Shared buckets are never
//! evicted; the speed of some grows with the known users, and a debt is carried over in tokens, not
//! in seconds, when it does. Every change of a shared bucket is told, with a moment later than the
//! one before, so that of two changes it is known which holds.
//!
//! Each method holds one mutex at a time. Tokens are taken one bucket after another: an attempt that
//! the third refuses gives the first two back.
//! Not here: the arithmetic (`limit`), one shared bucket (`shared`), which buckets an attempt pays (`ladder`), bans (`ban`).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::gate::buckets::credit::{Credit, UNTIL_A_LOGIN};
use crate::gate::buckets::key::{BucketKey, Key};
use crate::gate::buckets::level::BucketLevel;
use crate::gate::buckets::limit::{Limit, Taken};
use crate::gate::buckets::quota::KeptPart;
use crate::gate::buckets::shared::SharedBucket;
use crate::gate::buckets::slice::SliceId;
use crate::gate::buckets::spec::{Bucket, Kind, PerBucket};
use crate::gate::buckets::spending::Spending;
use crate::gate::buckets::strike_count::{StrikeRule, Strikes};
use crate::gate::buckets::table::{Table, seconds};
use crate::gate::request::change::Change;
use crate::moment::Moment;

const NANOS: u64 = 1_000_000_000;

/// One token that was taken from a bucket.
#[derive(Clone, Copy, Debug)]
pub(in crate::gate) enum Token {
    Own(BucketKey, Taken),
    Lent(Bucket, SliceId),
}

/// What is kept of a keyed bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::gate) struct BucketRow {
    /// The arrival time, in nanoseconds since the epoch.
    pub(in crate::gate) arrival: u64,
    /// Strikes when they were last counted.
    pub(in crate::gate) strikes: Strikes,
    /// When that was, in seconds since the epoch.
    pub(in crate::gate) counted: u32,
}

impl BucketRow {
    pub(in crate::gate) fn unpack(row: &[u64; 3]) -> Self {
        let [_, arrival, meta] = *row;
        let [_, strikes, ..] = meta.to_le_bytes();
        Self {
            arrival,
            strikes: Strikes::from_octet(strikes),
            counted: (meta >> 32) as u32,
        }
    }

    fn pack(self) -> [u64; 3] {
        let meta = u64::from(self.strikes.octet()) << 8 | u64::from(self.counted) << 32;
        [0, self.arrival, meta]
    }

    /// What has not been forgiven.
    pub(in crate::gate) fn strikes_at(self, now: Moment) -> Strikes {
        let since = now.as_seconds().saturating_sub(u64::from(self.counted));
        self.strikes.after(since)
    }

    /// When neither debt nor strike is left, in nanoseconds since the epoch.
    pub(in crate::gate) fn clean_at(self) -> u64 {
        let forgiven = match self.strikes {
            Strikes::NONE => 0,
            strikes => (u64::from(self.counted) + strikes.forgiven_after()) * NANOS,
        };
        self.arrival.max(forgiven)
    }
}

pub(in crate::gate) struct Buckets {
    table: Table<3>,
    /// As the config has it. The table has some more, to fill its last sets.
    rows: usize,
    shared: PerBucket<Mutex<SharedBucket>>,
    credit: Credit,
    spending: Spending,
}

impl Buckets {
    pub(in crate::gate) fn new(rows: usize, secret: &[u8; 16]) -> Self {
        Self {
            table: Table::new(rows, secret, |row| BucketRow::unpack(row).clean_at()),
            rows,
            shared: PerBucket::default(),
            credit: Credit::new((rows / 64).max(512), secret),
            spending: Spending::default(),
        }
    }

    /// Takes one token, or says how long until there is one.
    pub(in crate::gate) fn take(
        &self,
        key: BucketKey,
        limit: Limit,
        now: Moment,
        changes: &mut Vec<Change>,
    ) -> Result<Token, Duration> {
        let after = match key {
            BucketKey::Keyed(_, key) => self.take_keyed(key, limit, now)?,
            BucketKey::Shared(bucket) => self.shared(bucket).take(bucket, &limit, now, changes)?,
            BucketKey::Lent(bucket) => {
                let slice = self.shared(bucket).slice.take(now);
                let lent = slice.map(|slice| Token::Lent(bucket, slice));
                return lent.ok_or(Duration::from_nanos(limit.every()));
            }
            BucketKey::Earned(client) => match self.credit.take(client, now) {
                true => 0,
                false => return Err(UNTIL_A_LOGIN),
            },
        };
        Ok(Token::Own(key, limit.taken(after)))
    }

    fn take_keyed(&self, key: Key, limit: Limit, now: Moment) -> Result<u64, Duration> {
        let after = self.table.with(key, now, |row| {
            let row = row.map(BucketRow::unpack).unwrap_or_default();
            match limit.take(row.arrival, now) {
                Ok(arrival) => (Ok(arrival), Some(BucketRow { arrival, ..row }.pack())),
                Err(wait) => (Err(wait), None),
            }
        })?;
        self.spending.note(key, limit.every().cast_signed(), now);
        Ok(after)
    }

    /// From where a token can be taken, if there is one beside those `kept`, or how long until there is one; takes nothing.
    pub(in crate::gate) fn peek(
        &self,
        key: BucketKey,
        limit: &Limit,
        kept: KeptPart,
        now: Moment,
    ) -> Result<BucketKey, Duration> {
        match key {
            BucketKey::Keyed(_, row) => {
                limit.peek(self.row(row).arrival, limit.kept(kept), now)?;
                Ok(key)
            }
            BucketKey::Shared(bucket) | BucketKey::Lent(bucket) => {
                self.shared(bucket).peek(bucket, limit, kept, now)
            }
            BucketKey::Earned(client) => {
                let has_token = self.credit.left(client, now) > limit.kept(kept);
                has_token.then_some(key).ok_or(UNTIL_A_LOGIN)
            }
        }
    }

    /// Whole tokens in a bucket.
    pub(in crate::gate) fn left(&self, key: BucketKey, limit: Limit, now: Moment) -> u32 {
        match key {
            BucketKey::Keyed(_, key) => limit.left(self.row(key).arrival, now),
            BucketKey::Shared(bucket) | BucketKey::Lent(bucket) => {
                let shared = self.shared(bucket);
                shared.owned(&limit, now) + shared.slice.tokens(now)
            }
            BucketKey::Earned(client) => self.credit.left(client, now),
        }
    }

    /// Gives one token back; one whose row was evicted meanwhile is gone.
    pub(in crate::gate) fn refund(&self, token: Token, now: Moment, changes: &mut Vec<Change>) {
        let (key, taken) = match token {
            Token::Own(key, taken) => (key, taken),
            Token::Lent(bucket, slice) => {
                return self.shared(bucket).slice.give_back(slice, now);
            }
        };
        match key {
            BucketKey::Keyed(_, key) => {
                let nanos = self.table.with(key, now, |row| {
                    let Some(row) = row.map(BucketRow::unpack) else {
                        return (0, None);
                    };
                    let arrival = taken.refund(row.arrival, now);
                    let less = arrival.cast_signed() - row.arrival.cast_signed();
                    (less, Some(BucketRow { arrival, ..row }.pack()))
                });
                self.spending.note(key, nanos, now);
            }
            BucketKey::Shared(bucket) | BucketKey::Lent(bucket) => {
                self.shared(bucket).refund(bucket, taken, now, changes);
            }
            BucketKey::Earned(client) => self.credit.give_back(client, now),
        }
    }

    /// What the users of clients have earned.
    pub(in crate::gate) const fn credit(&self) -> &Credit {
        &self.credit
    }

    /// Takes tokens by force, as far as there are any; whether there was one.
    pub(in crate::gate) fn drain(&self, key: Key, tokens: u32, limit: Limit, now: Moment) -> bool {
        let (had_one, nanos) = self.table.with(key, now, |row| {
            let row = row.map(BucketRow::unpack).unwrap_or_default();
            let arrival = limit.drain(row.arrival, tokens, now);
            let before = row.arrival.max(now.as_nanos());
            let had_one = limit.peek(row.arrival, 0, now).is_ok();
            let told = (had_one, arrival.saturating_sub(before));
            (told, Some(BucketRow { arrival, ..row }.pack()))
        });
        self.spending.note(key, nanos.cast_signed(), now);
        had_one
    }

    /// A strike against a client; where it stands then.
    pub(in crate::gate) fn strike(&self, key: Key, rule: StrikeRule, now: Moment) -> Strikes {
        self.table.with(key, now, |row| {
            let row = row.map(BucketRow::unpack).unwrap_or_default();
            let struck = BucketRow {
                strikes: row.strikes_at(now).and_one(rule),
                counted: seconds(now),
                ..row
            };
            (struck.strikes, Some(struck.pack()))
        })
    }

    /// Forgets a client's strikes.
    pub(in crate::gate) fn forget_strikes(&self, key: Key, now: Moment) {
        self.table.with(key, now, |row| {
            let less = row.map(BucketRow::unpack).map(|row| BucketRow {
                strikes: Strikes::NONE,
                ..row
            });
            ((), less.map(BucketRow::pack))
        });
    }

    /// What is kept under a key.
    pub(in crate::gate) fn row(&self, key: Key) -> BucketRow {
        self.table
            .read(key)
            .map(|row| BucketRow::unpack(&row))
            .unwrap_or_default()
    }

    /// Puts a row back as it was kept.
    pub(in crate::gate) fn put(&self, key: Key, row: BucketRow, now: Moment) {
        self.table.with(key, now, |_| ((), Some(row.pack())));
    }

    /// Forgets what is kept under a key.
    pub(in crate::gate) fn forget(&self, key: Key) {
        self.table.remove(key);
        self.spending.forget(key);
    }

    /// What is spent here, for other machines.
    pub(in crate::gate) const fn spending(&self) -> &Spending {
        &self.spending
    }

    /// Takes over so many nanoseconds that were spent at another machine. The debt may be longer than one burst, up to
    /// `longest`: several machines may each have spent the last token.
    pub(in crate::gate) fn spent_elsewhere(&self, key: Key, nanos: u64, longest: u64, now: Moment) {
        self.table.with(key, now, |row| {
            let held = row.map(BucketRow::unpack).unwrap_or_default();
            let most = held.arrival.max(now.as_nanos().saturating_add(longest));
            let arrival = held.arrival.max(now.as_nanos()).saturating_add(nanos);
            let arrival = arrival.min(most);
            (
                (),
                (nanos > 0).then(|| BucketRow { arrival, ..held }.pack()),
            )
        });
    }

    /// Takes over that so many nanoseconds were given back at another machine.
    pub(in crate::gate) fn given_back_elsewhere(&self, key: Key, nanos: u64, now: Moment) {
        self.table.with(key, now, |row| {
            let less = row.map(BucketRow::unpack).map(|row| BucketRow {
                arrival: row.arrival.saturating_sub(nanos),
                ..row
            });
            ((), less.map(BucketRow::pack))
        });
    }

    /// Takes over how long the debt of a bucket is at another machine, if it is longer than here.
    pub(in crate::gate) fn owed_elsewhere(&self, key: Key, arrival: u64, now: Moment) {
        if arrival <= now.as_nanos() {
            return;
        }
        self.table.with(key, now, |row| {
            let held = row.map(BucketRow::unpack).unwrap_or_default();
            let longer = BucketRow { arrival, ..held };
            ((), (arrival > held.arrival).then(|| longer.pack()))
        });
    }

    /// Forgets every debt and strike.
    pub(in crate::gate) fn clear(&self, now: Moment, changes: &mut Vec<Change>) {
        self.table.clear();
        for bucket in Bucket::all_shared() {
            let level = &mut self.shared(bucket).level;
            level.arrival = 0;
            changes.push(level.change(bucket, now));
        }
    }

    /// Cuts every keyed debt to so many nanoseconds.
    pub(in crate::gate) fn cut_keyed(&self, longest: impl Fn(Bucket) -> u64, now: Moment) {
        self.table.change(|kind, row| {
            let kept = BucketRow::unpack(row);
            let longest = longest(Bucket::of_kind(kind)?);
            let arrival = kept.arrival.min(now.as_nanos().saturating_add(longest));
            (arrival != kept.arrival).then(|| BucketRow { arrival, ..kept }.pack())
        });
    }

    /// Cuts every shared debt to one burst of what is the limit now.
    pub(in crate::gate) fn cut_shared(
        &self,
        limit: impl Fn(Bucket) -> Limit,
        now: Moment,
        changes: &mut Vec<Change>,
    ) {
        for bucket in Bucket::all_shared() {
            let limit = limit(bucket);
            let level = &mut self.shared(bucket).level;
            if level.every == 0 {
                continue;
            }
            let before = *level;
            level.carry_over(limit.every(), now);
            level.arrival = limit.bounded(level.arrival, now);
            if *level != before {
                changes.push(level.change(bucket, now));
            }
        }
    }

    /// The parts of the table: what is shown of one by [`Self::part`] is shown at one moment.
    pub(in crate::gate) fn parts(&self) -> usize {
        self.table.shards()
    }

    /// The keyed buckets in one part of the table.
    pub(in crate::gate) fn part(&self, part: usize) -> Vec<(Kind, u64, BucketRow)> {
        let mut rows = Vec::new();
        self.table.for_each_in(part, |kind, row| {
            let [id, ..] = *row;
            rows.push((kind, id, BucketRow::unpack(row)));
        });
        rows
    }

    /// Shows every keyed bucket.
    pub(in crate::gate) fn for_each(&self, mut see: impl FnMut(Kind, u64, BucketRow)) {
        self.table.for_each(|kind, row| {
            let [id, ..] = *row;
            see(kind, id, BucketRow::unpack(row));
        });
    }

    /// A shared bucket, locked.
    pub(in crate::gate) fn shared(&self, bucket: Bucket) -> MutexGuard<'_, SharedBucket> {
        let shared = self.shared.get(bucket);
        shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what an earlier process left of a keyed bucket; where there is something already, the
    /// larger debt and the more strikes hold.
    pub(in crate::gate) fn merge(&self, key: Key, row: BucketRow, now: Moment) {
        self.table.with(key, now, |held| {
            let held = held.map(BucketRow::unpack).unwrap_or_default();
            let strikes = match held.strikes_at(now) > row.strikes_at(now) {
                true => held,
                false => row,
            };
            let arrival = held.arrival.max(row.arrival);
            ((), Some(BucketRow { arrival, ..strikes }.pack()))
        });
    }

    /// Takes over a shared bucket as an earlier process left it.
    pub(in crate::gate) fn restore_shared(&self, bucket: Bucket, level: BucketLevel) {
        self.shared(bucket).level = level;
    }

    /// How many rows the table has by the config, and how many of them were evicted before they were clean.
    pub(in crate::gate) fn table(&self) -> (usize, u64) {
        (self.rows, self.table.evictions())
    }
}

#[cfg(test)]
mod tests;
