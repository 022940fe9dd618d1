//! spent - what was spent of the buckets of one user, client or network, told to other machines and taken from them
//!
//! A machine decides by what it knows, and adds what others tell that they have spent. So all of them together let through what
//! one would, and beside that what fits into the time until they know of each other: the longest debt is as many bursts
//! as there are machines, and nothing of it is remitted.
//! What was spent is a sum, so the one who tells it numbers what it tells, and none is taken twice (the daemon's
//! `server::sharing`). A machine that has missed something is told how long each user's debts are, and the longer one holds.
//! Not here: buckets that all clients share (`buckets::division`), what waits to be told (`buckets::spending`).

use std::time::Duration;

use crate::gate::Gate;
use crate::gate::buckets::key::Key;
use crate::gate::buckets::spec::{Bucket, Kind};
use crate::moment::Moment;

/// Octets of one record: the kind, the id, and nanoseconds.
pub const SPENT_RECORD: usize = 17;
/// Records that are no older than this count as told at once: the clock that machines have in common shows whole seconds.
const LATE: Duration = Duration::from_secs(10);
/// Debts that a machine tells at most when another one has missed something.
const DEBTS: usize = 262_144;

/// What was spent of one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpentTime {
    key: Key,
    /// Less than none: given back.
    nanos: i64,
}

/// How long the debt of one bucket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserDebt {
    key: Key,
    /// When it is paid back.
    until: Moment,
}

/// What is told in records of one length.
pub trait SpentRecord: Copy {
    /// Its octets, by a clock that is so many seconds ahead of this machine's.
    fn octets(self, ahead: i64) -> [u8; SPENT_RECORD];
    /// From octets. None: of no bucket that this version knows.
    fn read(octets: &[u8], ahead: i64) -> Option<Self>;
}

/// The records in `octets`; what is of no bucket that is known, or is no whole record, is passed over.
pub fn read<R: SpentRecord>(octets: &[u8], ahead: i64) -> Vec<R> {
    let records = octets.chunks_exact(SPENT_RECORD);
    records
        .filter_map(|record| R::read(record, ahead))
        .collect()
}

impl SpentRecord for SpentTime {
    fn octets(self, _: i64) -> [u8; SPENT_RECORD] {
        record(self.key, self.nanos.cast_unsigned())
    }

    fn read(octets: &[u8], _: i64) -> Option<Self> {
        let (key, number) = parsed(octets)?;
        let nanos = number.cast_signed();
        Some(Self { key, nanos })
    }
}

impl SpentRecord for UserDebt {
    fn octets(self, ahead: i64) -> [u8; SPENT_RECORD] {
        record(self.key, self.until.shifted(ahead).as_nanos())
    }

    fn read(octets: &[u8], ahead: i64) -> Option<Self> {
        let (key, number) = parsed(octets)?;
        let until = Moment::from_nanos(number).shifted(ahead.saturating_neg());
        Some(Self { key, until })
    }
}

fn record(key: Key, number: u64) -> [u8; SPENT_RECORD] {
    let mut octets = [key.kind.number(); SPENT_RECORD];
    let numbers = [key.id.to_le_bytes(), number.to_le_bytes()];
    let places = octets.iter_mut().skip(1);
    for (place, octet) in places.zip(numbers.as_flattened()) {
        *place = *octet;
    }
    octets
}

fn parsed(octets: &[u8]) -> Option<(Key, u64)> {
    let (&[kind], rest) = octets.split_first_chunk()?;
    let (id, rest) = rest.split_first_chunk()?;
    let kind = Kind::new(kind)?;
    Bucket::of_kind(kind)?;
    let id = u64::from_le_bytes(*id);
    Some((Key { kind, id }, u64::from_le_bytes(*rest.first_chunk()?)))
}

impl Gate {
    /// From now on notes what is spent, and what the operator lifts that is not known here, for other machines.
    pub fn begin_telling_spent(&self) {
        self.buckets.spending().begin();
        self.bans.begin_telling();
    }

    /// What was spent up to then, here or at other machines, is in the state that this gate began with.
    pub const fn spent_as_of(&self) -> Moment {
        self.restored.as_of
    }

    /// What was spent and is not told yet, of up to this many buckets: those of users first. What has flowed back meanwhile
    /// is not told any more.
    pub fn take_spent(&self, most: usize, now: Moment) -> Vec<SpentTime> {
        let owed = |key| self.buckets.row(key).arrival.saturating_sub(now.as_nanos());
        let taken = self.buckets.spending().take(most).into_iter();
        let left = taken.map(|(key, nanos)| SpentTime {
            key,
            nanos: nanos.min(owed(key).cast_signed()),
        });
        left.filter(|spent| spent.nanos != 0).collect()
    }

    /// Takes over what was spent at another machine and told at the moment `at`. Of what comes late a part has flowed back
    /// at the other machine.
    pub fn merge_spent(&self, spent: &[SpentTime], at: Moment, now: Moment) {
        let (rules, known) = (self.rules.load(), self.familiar.users());
        let late = Some(now.since(at)).filter(|age| *age > LATE);
        let flowed_back = late.map_or(0, |age| u64::try_from(age.as_nanos()).unwrap_or(u64::MAX));
        for SpentTime { key, nanos } in spent {
            let Some(bucket) = Bucket::of_kind(key.kind) else {
                continue;
            };
            let left = nanos.unsigned_abs().saturating_sub(flowed_back);
            let longest = rules.longest_debt(bucket, known);
            match *nanos < 0 {
                true => self.buckets.given_back_elsewhere(*key, left, now),
                false => self.buckets.spent_elsewhere(*key, left, longest, now),
            }
        }
    }

    /// How long the debts of users are.
    pub fn user_debts(&self, now: Moment) -> Vec<UserDebt> {
        let mut debts = Vec::new();
        self.buckets.for_each(|kind, id, row| {
            let key = Key { kind, id };
            if key.is_of_user() && row.arrival > now.as_nanos() && debts.len() < DEBTS {
                let until = Moment::from_nanos(row.arrival);
                debts.push(UserDebt { key, until });
            }
        });
        debts
    }

    /// Takes over how long debts are at another machine, where they are shorter here.
    pub fn merge_debts(&self, debts: &[UserDebt], now: Moment) {
        let (rules, known) = (self.rules.load(), self.familiar.users());
        for UserDebt { key, until } in debts {
            if let Some(bucket) = Bucket::of_kind(key.kind).filter(|_| key.is_of_user()) {
                let longest = rules.longest_debt(bucket, known);
                let until = (*until).min(now + Duration::from_nanos(longest));
                self.buckets.owed_elsewhere(*key, until.as_nanos(), now);
            }
        }
    }
}
