//! image - the gate's state as octets, and back
//!
//! A version, the moment, then sections of fixed-size records: each opens with its tag, the size of
//! a record and their number, so a reader knows how much is to come. Numbers are little-endian.
//! Times are distances from the moment of the snapshot: the time away is counted as 0 to 7 days
//! whatever the two clocks say, debts are cut to one burst, and a clock that starts in 1970 or 2040
//! ruins nothing. Octets that are damaged or hostile are a fault, never a panic, and never a
//! reservation of more memory than they have octets.
//!
//! Kept: keyed and shared buckets, strikes, bans, known users and familiar pairs, settling in. Not
//! kept: what hangs on the key for passwords, counters, the last decisions.
//! Not here: files, frames and checksums (`store`), single records (`journal`).

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::gate::Gate;
use crate::gate::buckets::bucket::seconds;
use crate::gate::buckets::key::{Key, Kind};
use crate::gate::buckets::spec::Bucket;
use crate::gate::request::client::NetworkKey;
use crate::gate::request::keys::UserId;
use crate::gate::request::settings::Mode;
use crate::gate::request::verdict::Subject;
use crate::gate::state::journal::{self, ShareRecord};
use crate::gate::state::wire::{Reader, Writer};
use crate::gate::trust::ban::Ban;
use crate::moment::Moment;

const VERSION: u8 = 1;

/// The sections, in their order: tag, name, octets of a record.
const BUCKETS: Section = Section(1, "buckets", 22);
const SHARED: Section = Section(2, "shared buckets", 25);
const BANS: Section = Section(3, "bans", 19);
const USERS: Section = Section(4, "users", 12);
const PAIRS: Section = Section(5, "pairs", 20);

#[derive(Clone, Copy)]
struct Section(u8, &'static str, usize);

/// Why an image is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageFault {
    /// Another program wrote it, or a later version of this one.
    #[error("it has version {0}, this program reads version {VERSION}")]
    Version(u8),
    /// It ends early, goes on too long, or holds what no gate writes.
    #[error("its {0} are damaged")]
    Damaged(&'static str),
}

impl Gate {
    /// The state as octets: the payload of a snapshot. Holds no lock for longer than it takes to
    /// copy a 64th of the table, or all pairs.
    pub fn image(&self, now: Moment) -> Vec<u8> {
        let mut out = Writer::with_capacity(1 << 16);
        out.u8(VERSION);
        out.u8(self.rules.load().mode as u8);
        out.u64(now.as_nanos());
        let settling = self.settling.load(Ordering::Relaxed);
        out.u64(match settling {
            0 => 0,
            since => now.as_nanos().saturating_sub(since).saturating_add(1),
        });
        // Before the bans themselves: a ban that begins in between is in both, which does no harm.
        out.u64(self.bans.sequence());
        section(&mut out, BUCKETS, |out| self.write_buckets(out, now));
        section(&mut out, SHARED, |out| self.write_shared(out, now));
        section(&mut out, BANS, |out| self.write_bans(out, now));
        let mut pairs = Writer::with_capacity(0);
        section(&mut out, USERS, |out| {
            self.write_users(out, &mut pairs, now)
        });
        section(&mut out, PAIRS, |out| out.bytes(&pairs.into_bytes()));
        out.into_bytes()
    }

    fn write_buckets(&self, out: &mut Writer, now: Moment) {
        self.buckets.for_each(|kind, id, row| {
            let debt = row.arrival.saturating_sub(now.as_nanos());
            let strikes = row.strikes_at(now);
            if debt == 0 && strikes == 0 {
                return;
            }
            out.u8(kind.number());
            out.u64(id);
            out.u64(debt);
            out.u8(row.strikes);
            out.u32(seconds(now).saturating_sub(row.counted));
        });
    }

    fn write_shared(&self, out: &mut Writer, now: Moment) {
        for bucket in Bucket::all_shared() {
            let level = *self.buckets.level(bucket);
            ShareRecord::new(bucket, level, now).write(out);
        }
    }

    fn write_bans(&self, out: &mut Writer, now: Moment) {
        for (subject, ban) in self.bans.all(now) {
            journal::subject(out, subject);
            out.u64(ban.until.as_nanos().saturating_sub(now.as_nanos()));
            out.u8(ban.cause as u8);
            out.u8(ban.mode as u8);
        }
    }

    fn write_users(&self, users: &mut Writer, pairs: &mut Writer, now: Moment) {
        let age = |last| seconds(now).saturating_sub(last);
        self.familiar.for_each(|user, known| {
            users.u64(user.0);
            users.u32(age(known.last));
            for pair in &known.pairs {
                pairs.u64(user.0);
                pairs.u64(pair.network);
                pairs.u32(age(pair.last));
            }
        });
    }
}

/// An image that was read whole and found sound. Its times are distances from `at`.
pub(in crate::gate) struct Image {
    pub(in crate::gate) mode: Mode,
    pub(in crate::gate) at: Moment,
    /// Nanoseconds since settling in began, plus one; 0: the state does not settle in.
    pub(in crate::gate) settling: u64,
    /// Of the last change of the bans.
    pub(in crate::gate) sequence: u64,
    pub(in crate::gate) buckets: Vec<Debt>,
    pub(in crate::gate) shared: Vec<ShareRecord>,
    /// In the order of their ends; what is left of them is the distance of `until` from the epoch.
    pub(in crate::gate) bans: Vec<(Subject, Ban)>,
    /// Users, then pairs: user, network if any, seconds since the last login.
    pub(in crate::gate) known: Vec<(UserId, Option<u64>, u32)>,
}

/// A keyed bucket in an image.
#[derive(Clone, Copy, Debug)]
pub(in crate::gate) struct Debt {
    pub(in crate::gate) key: Key,
    /// Nanoseconds until the bucket is full.
    pub(in crate::gate) debt: u64,
    pub(in crate::gate) strikes: u8,
    /// Seconds since the strikes were counted.
    pub(in crate::gate) counted: u32,
}

impl Image {
    /// Reads an image.
    pub(in crate::gate) fn read(bytes: &[u8]) -> Result<Self, ImageFault> {
        const HEADER: ImageFault = ImageFault::Damaged("first octets");
        let mut from = Reader::new(bytes);
        match from.u8().ok_or(HEADER)? {
            VERSION => {}
            other => return Err(ImageFault::Version(other)),
        }
        let mode = from.u8().and_then(journal::mode_of).ok_or(HEADER)?;
        let at = from.moment().ok_or(HEADER)?;
        let settling = from.u64().ok_or(HEADER)?;
        let sequence = from.u64().ok_or(HEADER)?;
        let buckets = records(&mut from, BUCKETS, read_bucket)?;
        let shared = records(&mut from, SHARED, |from| ShareRecord::read(from, at))?;
        let bans = records(&mut from, BANS, read_ban)?;
        let mut known = records(&mut from, USERS, read_user)?;
        known.append(&mut records(&mut from, PAIRS, read_pair)?);
        if !from.is_empty() {
            return Err(ImageFault::Damaged("last octets"));
        }
        Ok(Self {
            mode,
            at,
            settling,
            sequence,
            buckets,
            shared,
            bans,
            known,
        })
    }
}

fn read_bucket(from: &mut Reader<'_>) -> Option<Debt> {
    let kind = Kind::new(from.u8()?)?;
    Bucket::of_kind(kind)?;
    let id = from.u64()?;
    Some(Debt {
        key: Key { kind, id },
        debt: from.u64()?,
        strikes: from.u8()?,
        counted: from.u32()?,
    })
}

fn read_ban(from: &mut Reader<'_>) -> Option<(Subject, Ban)> {
    let subject = journal::read_subject(from)?;
    let ban = Ban {
        until: Moment::EPOCH + Duration::from_nanos(from.u64()?),
        cause: journal::cause_of(from.u8()?)?,
        mode: journal::mode_of(from.u8()?)?,
    };
    Some((subject, ban))
}

fn read_user(from: &mut Reader<'_>) -> Option<(UserId, Option<u64>, u32)> {
    Some((UserId(from.u64()?), None, from.u32()?))
}

fn read_pair(from: &mut Reader<'_>) -> Option<(UserId, Option<u64>, u32)> {
    let user = UserId(from.u64()?);
    let network = NetworkKey::of_code(from.u64()?)?;
    Some((user, Some(network.code()), from.u32()?))
}

fn section(out: &mut Writer, section: Section, write: impl FnOnce(&mut Writer)) {
    let Section(tag, _, size) = section;
    let mut records = Writer::with_capacity(0);
    write(&mut records);
    out.u8(tag);
    out.u32(size as u32);
    out.u64((records.len() / size) as u64);
    out.bytes(&records.into_bytes());
}

fn records<T>(
    from: &mut Reader<'_>,
    section: Section,
    read: impl Fn(&mut Reader<'_>) -> Option<T>,
) -> Result<Vec<T>, ImageFault> {
    let Section(tag, name, size) = section;
    let fault = ImageFault::Damaged(name);
    let head = (from.u8(), from.u32().map(|size| size as usize));
    let count = from.u64().and_then(|count| usize::try_from(count).ok());
    let octets = count.and_then(|count| count.checked_mul(size));
    let (Some(octets), true) = (octets, head == (Some(tag), Some(size))) else {
        return Err(fault);
    };
    let bytes = from.bytes(octets).ok_or(fault)?;
    let records = bytes.chunks_exact(size);
    records
        .map(|record| read(&mut Reader::new(record)))
        .collect::<Option<Vec<T>>>()
        .ok_or(fault)
}

#[cfg(test)]
mod tests;
