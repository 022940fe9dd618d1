//! journal - the records that must not wait for the next snapshot
//!
//! A ban, and every change of a shared bucket, is one small record: written at once, and replayed
//! over the last snapshot after a crash. A record says what *is*, not what was added, and carries a
//! number that the snapshot knows too, so that replaying it twice, or over a snapshot that is newer
//! than the record, changes nothing.
//!
//! All numbers are little-endian; moments are nanoseconds since the epoch by the clock of the
//! process that wrote them. Not here: files, frames, checksums (`store`), the snapshot (`image`).

use crate::gate::buckets::bucket::BucketLevel;
use crate::gate::buckets::spec::Bucket;
use crate::gate::request::client::{ClientKey, NetworkKey};
use crate::gate::request::settings::Mode;
use crate::gate::request::verdict::{BanCause, Event, Subject};
use crate::gate::state::wire::{Reader, Writer};
use crate::gate::trust::ban::Ban;
use crate::moment::Moment;

const SHARE: u8 = 1;
const BAN: u8 = 2;

/// One record, as it is read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) enum Record {
    Share(ShareRecord),
    Ban(BanRecord),
}

/// How a shared bucket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) struct ShareRecord {
    pub(in crate::gate) at: Moment,
    pub(in crate::gate) bucket: Bucket,
    /// Nanoseconds until it is full, at `at`.
    pub(in crate::gate) debt: u64,
    /// Nanoseconds a token then.
    pub(in crate::gate) every: u64,
    /// The number of the change.
    pub(in crate::gate) sequence: u64,
}

impl ShareRecord {
    /// How a bucket stands now.
    pub(in crate::gate) fn new(bucket: Bucket, level: BucketLevel, now: Moment) -> Self {
        Self {
            at: now,
            bucket,
            debt: level.arrival.saturating_sub(now.as_nanos()),
            every: level.every,
            sequence: level.sequence,
        }
    }

    /// Writes all but the moment.
    pub(in crate::gate) fn write(&self, out: &mut Writer) {
        out.u8(self.bucket.shared_number().unwrap_or(u8::MAX));
        out.u64(self.debt);
        out.u64(self.every);
        out.u64(self.sequence);
    }

    /// Reads what [`Self::write`] wrote.
    pub(in crate::gate) fn read(from: &mut Reader<'_>, at: Moment) -> Option<Self> {
        Some(Self {
            at,
            bucket: Bucket::of_shared_number(from.u8()?)?,
            debt: from.u64()?,
            every: from.u64()?,
            sequence: from.u64()?,
        })
    }
}

/// How a ban stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) struct BanRecord {
    pub(in crate::gate) at: Moment,
    pub(in crate::gate) sequence: u64,
    pub(in crate::gate) subject: Subject,
    /// None: it ended.
    pub(in crate::gate) ban: Option<Ban>,
    /// The strikes of a client then.
    pub(in crate::gate) strikes: u8,
}

/// The record of a shared bucket that changed.
pub(in crate::gate) fn share(bucket: Bucket, level: BucketLevel, now: Moment) -> Event {
    let mut out = Writer::with_capacity(34);
    out.u8(SHARE);
    out.u64(now.as_nanos());
    ShareRecord::new(bucket, level, now).write(&mut out);
    Event::Journal(out.into_bytes().into())
}

/// The record of a ban that began, was extended, or was lifted.
pub(in crate::gate) fn ban(record: &BanRecord) -> Event {
    let mut out = Writer::with_capacity(38);
    out.u8(BAN);
    out.u64(record.at.as_nanos());
    out.u64(record.sequence);
    subject(&mut out, record.subject);
    let (until, cause, mode) = match record.ban {
        Some(ban) => (ban.until, ban.cause, ban.mode),
        None => (Moment::EPOCH, BanCause::Operator, Mode::Enforce),
    };
    out.u64(until.as_nanos());
    out.u8(cause as u8);
    out.u8(mode as u8);
    out.u8(record.strikes);
    Event::Journal(out.into_bytes().into())
}

/// Reads a record back; none if it is not one of ours.
pub(in crate::gate) fn read(bytes: &[u8]) -> Option<Record> {
    let mut from = Reader::new(bytes);
    let record = match from.u8()? {
        SHARE => {
            let at = from.moment()?;
            Record::Share(ShareRecord::read(&mut from, at)?)
        }
        BAN => Record::Ban(BanRecord {
            at: from.moment()?,
            sequence: from.u64()?,
            subject: read_subject(&mut from)?,
            ban: read_ban(&mut from)?,
            strikes: from.u8()?,
        }),
        _ => return None,
    };
    from.is_empty().then_some(record)
}

fn read_ban(from: &mut Reader<'_>) -> Option<Option<Ban>> {
    let until = from.moment()?;
    let cause = cause_of(from.u8()?)?;
    let mode = mode_of(from.u8()?)?;
    Some((until != Moment::EPOCH).then_some(Ban { until, cause, mode }))
}

pub(in crate::gate) fn subject(out: &mut Writer, subject: Subject) {
    let (kind, key) = match subject {
        Subject::Client(ClientKey::V4(bits)) => (0, u64::from(bits)),
        Subject::Client(ClientKey::V6(upper)) => (1, upper),
        Subject::Network(network) => (2, network.code()),
    };
    out.u8(kind);
    out.u64(key);
}

pub(in crate::gate) fn read_subject(from: &mut Reader<'_>) -> Option<Subject> {
    Some(match (from.u8()?, from.u64()?) {
        (0, bits) => Subject::Client(ClientKey::V4(u32::try_from(bits).ok()?)),
        (1, upper) => Subject::Client(ClientKey::V6(upper)),
        (2, code) => Subject::Network(NetworkKey::of_code(code)?),
        _ => return None,
    })
}

pub(in crate::gate) fn cause_of(number: u8) -> Option<BanCause> {
    [
        BanCause::Strikes,
        BanCause::Trap,
        BanCause::Neighbours,
        BanCause::Operator,
    ]
    .into_iter()
    .find(|cause| *cause as u8 == number)
}

pub(in crate::gate) fn mode_of(number: u8) -> Option<Mode> {
    [Mode::Enforce, Mode::DryRun]
        .into_iter()
        .find(|mode| *mode as u8 == number)
}
