//! version1 - reads what the first format left: one snapshot with everything, and journals beside it
//!
//! Its snapshot is a line and one frame: a version, the mode, the moment, since when it settles in,
//! the number of the last ban change, then sections (number, octets of a record, records) in one
//! order. Its times are distances from the moment of the snapshot. Its journal records say how a ban
//! or a shared bucket stands, and are ordered by numbers; here they become changes with moments.
//! Nothing writes this format any more.
//! Not here: what the values become (`restore`).

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Buf;

use crate::gate::buckets::bucket::BucketRow;
use crate::gate::buckets::key::Key;
use crate::gate::buckets::spec::{Bucket, Kind};
use crate::gate::buckets::strike_count::Strikes;
use crate::gate::buckets::table::seconds;
use crate::gate::request::change::{
    BanCause, BanEnd, BanEnding, BanStart, Change, Fact, Origin, SharedLevel, Subject,
};
use crate::gate::request::client::NetworkKey;
use crate::gate::request::keys::UserId;
use crate::gate::request::settings::Mode;
use crate::gate::state::file::{FileReport, Snapshot, Soundness, StateRead, unreadable};
use crate::gate::state::record::{Head, read_moment, read_subject};
use crate::gate::trust::ban::{Ban, HeldBan};
use crate::moment::Moment;

const LINE: &[u8] = b"gatepost snapshot 1\n";

/// The version of the snapshot behind the line.
const VERSION: u8 = 1;

/// The sections: number, octets of a record.
const BUCKETS: (u8, u32) = (1, 22);
const SHARED: (u8, u32) = (2, 25);
const BANS: (u8, u32) = (3, 19);
const USERS: (u8, u32) = (4, 12);
const PAIRS: (u8, u32) = (5, 20);

const SHARED_RECORD: u8 = 1;
const BAN_RECORD: u8 = 2;

/// What the files of the first format say, until all of them are read.
#[derive(Default)]
pub(in crate::gate) struct FirstFormat {
    snapshot: Option<Snapshot>,
    /// The number of the last change of a ban that the snapshot knows of.
    bans_known: u64,
    /// The last change of each shared bucket, with its number.
    shared: BTreeMap<u8, (u64, Change)>,
    /// The last change of each ban, with its number.
    bans: BTreeMap<Subject, (u64, Change)>,
}

impl FirstFormat {
    pub(in crate::gate) fn read_snapshot(&mut self, octets: &[u8]) -> FileReport {
        let length = octets.len() as u64;
        let Some(mut octets) = octets.strip_prefix(LINE) else {
            return unreadable(octets, "gatepost snapshot ");
        };
        let whole = first_frame(&mut octets).filter(|_| octets.is_empty());
        let soundness = match whole {
            Some([VERSION, image @ ..]) => match self.read_image(image) {
                Some(()) => Soundness::Whole,
                None => Soundness::Damaged(1),
            },
            Some([other, ..]) => Soundness::Version(u32::from(*other)),
            // One checksum for all of it: where it is wrong, nothing can be trusted.
            Some([]) | None => Soundness::Damaged(1),
        };
        FileReport {
            soundness,
            skipped: 0,
            passed_over: match soundness {
                Soundness::Whole => 0,
                _ => length,
            },
        }
    }

    pub(in crate::gate) fn read_journal(&mut self, mut octets: &[u8]) -> FileReport {
        let mut skipped = 0;
        let mut read = 0;
        while let Some(record) = first_frame(&mut octets) {
            read += 1;
            skipped += u64::from(self.read_record(record).is_none());
        }
        // What stands last may be half there: its writer was killed.
        let soundness = match octets.len() {
            64.. if read == 0 => Soundness::Foreign,
            _ => Soundness::Whole,
        };
        FileReport {
            soundness,
            skipped,
            passed_over: octets.len() as u64,
        }
    }

    /// Adds all that was read to `left`.
    pub(in crate::gate) fn finish(self, left: &mut StateRead) {
        let Self {
            snapshot,
            bans_known,
            shared,
            bans,
        } = self;
        left.snapshots.extend(snapshot);
        left.changes
            .extend(shared.into_values().map(|(_, change)| change));
        let new = bans
            .into_values()
            .filter(|(number, _)| *number > bans_known);
        left.changes.extend(new.map(|(_, change)| change));
    }

    fn read_image(&mut self, mut from: &[u8]) -> Option<()> {
        let mode = mode_of(from.try_get_u8().ok()?)?;
        let at = read_moment(&mut from)?;
        let settling = from.try_get_u64_le().ok()?;
        let bans_known = from.try_get_u64_le().ok()?;
        let mut snapshot = Snapshot {
            head: Some(Head {
                at,
                wall: at,
                origin: Origin::HERE,
                mode,
                settling: match settling {
                    0 => 0,
                    age => at.as_nanos().saturating_sub(age - 1).max(1),
                },
                // These bans have no moments: every change with one is later.
                bans: Moment::EPOCH,
                names: None,
            }),
            ..Snapshot::default()
        };
        snapshot.buckets = section(&mut from, BUCKETS, |from| read_bucket(from, at))?;
        let shared = section(&mut from, SHARED, |from| read_shared(from, at))?;
        snapshot.bans = section(&mut from, BANS, |from| read_ban(from, at))?;
        snapshot.logins = section(&mut from, USERS, |from| {
            let user = UserId(from.try_get_u64_le().ok()?);
            Some((user, None, login(from, at)?))
        })?;
        snapshot.logins.extend(section(&mut from, PAIRS, |from| {
            let user = UserId(from.try_get_u64_le().ok()?);
            let network = NetworkKey::of_code(from.try_get_u64_le().ok()?)?;
            Some((user, Some(network), login(from, at)?))
        })?);
        self.snapshot = Some(snapshot);
        self.bans_known = bans_known;
        for (number, change) in shared {
            self.note_shared(number, change);
        }
        Some(())
    }

    fn read_record(&mut self, mut from: &[u8]) -> Option<()> {
        match from.try_get_u8().ok()? {
            SHARED_RECORD => {
                let at = read_moment(&mut from)?;
                let (number, change) = read_shared(&mut from, at)?;
                self.note_shared(number, change);
            }
            BAN_RECORD => {
                let at = read_moment(&mut from)?;
                let number = from.try_get_u64_le().ok()?;
                let (subject, change) = read_ban_record(&mut from, at)?;
                let held = self.bans.entry(subject).or_insert((number, change));
                if number > held.0 {
                    *held = (number, change);
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn note_shared(&mut self, number: u64, change: Change) {
        let Fact::SharedBucket(level) = change.fact else {
            return;
        };
        let held = self.shared.entry(level.bucket);
        let held = held.or_insert((number, change));
        if number > held.0 {
            *held = (number, change);
        }
    }
}

/// The payload of the frame at the beginning, if it is sound: length, CRC-32, payload.
pub(in crate::gate) fn first_frame<'a>(octets: &mut &'a [u8]) -> Option<&'a [u8]> {
    let mut from = *octets;
    let length = from.try_get_u32_le().ok()? as usize;
    let checksum = from.try_get_u32_le().ok()?;
    let (payload, rest) = from.split_at_checked(length)?;
    if crc32fast::hash(payload) != checksum {
        return None;
    }
    *octets = rest;
    Some(payload)
}

fn section<T>(
    from: &mut &[u8],
    (number, size): (u8, u32),
    read: impl Fn(&mut &[u8]) -> Option<T>,
) -> Option<Vec<T>> {
    let head = (from.try_get_u8().ok()?, from.try_get_u32_le().ok()?);
    let count = usize::try_from(from.try_get_u64_le().ok()?).ok()?;
    let octets = count.checked_mul(size as usize)?;
    let (records, rest) = from.split_at_checked(octets)?;
    *from = rest;
    if head != (number, size) {
        return None;
    }
    let records = records.chunks_exact(size as usize);
    records.map(|mut record| read(&mut record)).collect()
}

fn read_bucket(from: &mut &[u8], at: Moment) -> Option<(Key, BucketRow)> {
    let kind = Kind::new(from.try_get_u8().ok()?)?;
    Bucket::of_kind(kind)?;
    let id = from.try_get_u64_le().ok()?;
    let debt = from.try_get_u64_le().ok()?;
    let row = BucketRow {
        arrival: at.as_nanos().saturating_add(debt),
        strikes: Strikes::from_file(from.try_get_u8().ok()?),
        counted: seconds(at).saturating_sub(from.try_get_u32_le().ok()?),
    };
    Some((Key { kind, id }, row))
}

/// A shared bucket, and the number of its last change.
fn read_shared(from: &mut &[u8], at: Moment) -> Option<(u64, Change)> {
    let bucket = Bucket::of_shared_number(from.try_get_u8().ok()?)?;
    let debt = from.try_get_u64_le().ok()?;
    let level = SharedLevel {
        bucket: bucket.shared_number()?,
        arrival: at.as_nanos().saturating_add(debt),
        every: from.try_get_u64_le().ok()?,
    };
    let number = from.try_get_u64_le().ok()?;
    Some((number, Change::here(at, Fact::SharedBucket(level))))
}

fn read_ban(from: &mut &[u8], at: Moment) -> Option<(Subject, HeldBan)> {
    let subject = read_subject(from)?;
    let left = Duration::from_nanos(from.try_get_u64_le().ok()?);
    let ban = Ban {
        until: at + left,
        cause: cause_of(from.try_get_u8().ok()?)?,
        mode: mode_of(from.try_get_u8().ok()?)?,
    };
    let changed = Moment::EPOCH;
    Some((subject, HeldBan { ban, changed }))
}

fn read_ban_record(from: &mut &[u8], at: Moment) -> Option<(Subject, Change)> {
    let subject = read_subject(from)?;
    let until = read_moment(from)?;
    let cause = cause_of(from.try_get_u8().ok()?)?;
    let mode = mode_of(from.try_get_u8().ok()?)?;
    let strikes = from.try_get_u8().ok()?;
    let fact = match until {
        Moment::EPOCH => Fact::BanEnded(BanEnd {
            subject,
            why: BanEnding::Lifted,
        }),
        until => Fact::BanBegan(BanStart {
            subject,
            until,
            cause,
            mode,
            strikes,
        }),
    };
    Some((subject, Change::here(at, fact)))
}

/// A login, by its distance from the snapshot.
fn login(from: &mut &[u8], at: Moment) -> Option<u32> {
    let age = from.try_get_u32_le().ok()?;
    Some(seconds(at).saturating_sub(age))
}

fn cause_of(number: u8) -> Option<BanCause> {
    Some(match number {
        0 => BanCause::Strikes,
        1 => BanCause::Trap,
        2 => BanCause::Neighbours,
        3 => BanCause::Operator,
        _ => return None,
    })
}

fn mode_of(number: u8) -> Option<Mode> {
    match number {
        0 => Some(Mode::Enforce),
        1 => Some(Mode::DryRun),
        _ => None,
    }
}
