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

use crate::clock::Moment;
use crate::gate::Gate;
use crate::gate::ban::Ban;
use crate::gate::bucket::{Level, Row, Share, seconds};
use crate::gate::client::NetworkKey;
use crate::gate::journal::{self, BanRecord, Record, ShareRecord};
use crate::gate::keys::{Keys, UserId};
use crate::gate::settings::{Mode, Settings};
use crate::gate::table::{Key, Kind};
use crate::gate::verdict::{BanCause, Subject};
use crate::gate::wire::{Reader, Writer};

const VERSION: u8 = 1;
/// The time away counts for no more than this.
const LONGEST_AWAY: Duration = Duration::from_secs(7 * 86_400);

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

    /// A gate with the state of an image, and of the journal records written since.
    ///
    /// Without an image it is new, but for the journal. Records that are none are passed over.
    ///
    /// # Errors
    ///
    /// [`ImageFault`] if the image is damaged or foreign; the caller sets it aside and goes on
    /// without.
    pub fn restore<R: AsRef<[u8]>>(
        settings: Settings,
        keys: Keys,
        image: Option<&[u8]>,
        journal: impl IntoIterator<Item = R>,
        now: Moment,
    ) -> Result<Self, ImageFault> {
        let image = image.map(Image::read).transpose()?;
        let records = journal.into_iter();
        let records: Vec<Record> = records
            .filter_map(|record| journal::read(record.as_ref()))
            .collect();
        let gate = Self::new(settings, keys, now);
        let written = image.iter().map(|image| image.at);
        let newest = written.chain(records.iter().map(Record::at)).max();
        let away = Away {
            newest: newest.unwrap_or(now),
            now,
        };
        let cleared = image
            .as_ref()
            .is_some_and(|image| image.mode == Mode::DryRun)
            && gate.rules.load().mode == Mode::Enforce;
        let kept = if cleared { Kept::Known } else { Kept::All };
        if let Some(image) = image {
            gate.take_over(image, away, kept);
        }
        gate.replay(records, away, kept);
        Ok(gate)
    }

    fn write_buckets(&self, out: &mut Writer, now: Moment) {
        self.buckets.for_each(|kind, id, row| {
            let debt = row.arrival.saturating_sub(now.as_nanos());
            let strikes = row.strikes_at(now);
            if debt == 0 && strikes == 0 {
                return;
            }
            out.u8(kind as u8);
            out.u64(id);
            out.u64(debt);
            out.u8(row.strikes);
            out.u32(seconds(now).saturating_sub(row.counted));
        });
    }

    fn write_shared(&self, out: &mut Writer, now: Moment) {
        for share in Share::ALL {
            let level = *self.buckets.level(share);
            out.u8(share as u8);
            out.u64(level.arrival.saturating_sub(now.as_nanos()));
            out.u64(level.every);
            out.u64(level.sequence);
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

    fn take_over(&self, image: Image, away: Away, kept: Kept) {
        let gone = away.since(image.at);
        let now = away.now;
        let rules = self.rules.load();
        let settling = match image.settling {
            0 => 0,
            age => (now - gone).as_nanos().saturating_sub(age - 1).max(1),
        };
        self.settling.store(settling, Ordering::Relaxed);
        for (user, network, age) in image.known {
            let when = now - gone - Duration::from_secs(u64::from(age));
            self.familiar.restore(user, network, seconds(when));
        }
        for (key, debt, strikes, age) in image.buckets {
            if kept == Kept::Known {
                break;
            }
            let debt = debt.saturating_sub(nanos(gone));
            let debt = debt.min(rules.keyed(key.kind).full());
            let row = Row {
                arrival: now.as_nanos().saturating_add(debt),
                strikes,
                counted: seconds(now - gone).saturating_sub(age),
            };
            if debt > 0 || row.strikes_at(now) > 0 {
                self.buckets.put(key, row, now);
            }
        }
        for (share, level) in image.shared {
            let at = image.at;
            self.replay_share(ShareRecord { at, share, level }, away, kept);
        }
        let bans = image.bans.into_iter().filter_map(|(subject, left, ban)| {
            let left = left.checked_sub(nanos(gone)).filter(|left| *left > 0)?;
            let until = now + Duration::from_nanos(left);
            (kept == Kept::All || ban.cause == BanCause::Operator)
                .then_some((subject, Ban { until, ..ban }))
        });
        self.bans.restore(bans.collect(), image.sequence);
    }

    fn replay(&self, records: Vec<Record>, away: Away, kept: Kept) {
        let mut bans: Vec<BanRecord> = Vec::new();
        for record in records {
            match record {
                Record::Ban(record) => bans.push(record),
                Record::Share(record) => self.replay_share(
                    ShareRecord {
                        level: Level {
                            arrival: record.level.arrival.saturating_sub(record.at.as_nanos()),
                            ..record.level
                        },
                        ..record
                    },
                    away,
                    kept,
                ),
            }
        }
        // Sessions write their records side by side; the numbers tell the order.
        bans.sort_unstable_by_key(|record| record.sequence);
        for record in bans {
            self.replay_ban(record, away);
        }
    }

    /// `record.level.arrival` is the debt at `record.at` here.
    fn replay_share(&self, record: ShareRecord, away: Away, kept: Kept) {
        let debt = match kept {
            Kept::Known => 0,
            Kept::All => record
                .level
                .arrival
                .saturating_sub(nanos(away.since(record.at))),
        };
        let level = Level {
            arrival: away.now.as_nanos().saturating_add(debt),
            ..record.level
        };
        self.buckets.replay(ShareRecord { level, ..record });
    }

    fn replay_ban(&self, record: BanRecord, away: Away) {
        let mode = self.rules.load().mode;
        let gone = away.since(record.at);
        let ban = record.ban.and_then(|ban| {
            let left = ban.until.since(record.at).checked_sub(gone)?;
            let ban = Ban {
                until: away.now + left,
                ..ban
            };
            let told = ban.mode == Mode::DryRun && mode == Mode::Enforce;
            (!left.is_zero() && !told).then_some(ban)
        });
        if !self.bans.replay(&BanRecord { ban, ..record }) {
            return;
        }
        if let (Subject::Client(client), Some(_)) = (record.subject, ban) {
            let (key, now) = (Key::client(client), away.now);
            let counted = seconds(now - gone);
            let strikes = record.strikes;
            let row = self.buckets.row(key);
            self.buckets.put(
                key,
                Row {
                    strikes,
                    counted,
                    ..row
                },
                now,
            );
        }
    }
}

/// What of an image is taken over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    All,
    /// A dry run has ended: what it counted and banned is cleared.
    Known,
}

/// How far the present is from moments on the clock of the process that wrote them.
#[derive(Clone, Copy)]
struct Away {
    /// The last moment that was written: nothing later is known of that clock.
    newest: Moment,
    now: Moment,
}

impl Away {
    fn since(self, at: Moment) -> Duration {
        let before = self.newest.since(at).min(LONGEST_AWAY);
        let away = self.now.since(self.newest).min(LONGEST_AWAY);
        (before + away).min(LONGEST_AWAY)
    }
}

impl Record {
    fn at(&self) -> Moment {
        match self {
            Self::Share(record) => record.at,
            Self::Ban(record) => record.at,
        }
    }
}

/// An image that was read whole and found sound.
struct Image {
    mode: Mode,
    at: Moment,
    settling: u64,
    sequence: u64,
    buckets: Vec<(Key, u64, u8, u32)>,
    shared: Vec<(Share, Level)>,
    bans: Vec<(Subject, u64, Ban)>,
    /// Users, then pairs: user, network if any, seconds since the last login.
    known: Vec<(UserId, Option<u64>, u32)>,
}

impl Image {
    fn read(bytes: &[u8]) -> Result<Self, ImageFault> {
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
        let buckets = records(&mut from, BUCKETS, |from| {
            let kind = Kind::of(from.u8()?)?;
            let id = from.u64()?;
            Some((Key { kind, id }, from.u64()?, from.u8()?, from.u32()?))
        })?;
        let shared = records(&mut from, SHARED, |from| {
            let share = journal::share_of(from.u8()?)?;
            let (arrival, every) = (from.u64()?, from.u64()?);
            let sequence = from.u64()?;
            Some((
                share,
                Level {
                    arrival,
                    every,
                    sequence,
                },
            ))
        })?;
        let bans = records(&mut from, BANS, |from| {
            let subject = journal::read_subject(from)?;
            let left = from.u64()?;
            let (cause, mode) = (
                journal::cause_of(from.u8()?)?,
                journal::mode_of(from.u8()?)?,
            );
            let until = Moment::EPOCH;
            Some((subject, left, Ban { until, cause, mode }))
        })?;
        let mut known = records(&mut from, USERS, |from| {
            Some((UserId(from.u64()?), None, from.u32()?))
        })?;
        known.append(&mut records(&mut from, PAIRS, |from| {
            let user = UserId(from.u64()?);
            let network = NetworkKey::of_code(from.u64()?)?;
            Some((user, Some(network.code()), from.u32()?))
        })?);
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

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
