//! read - the files that an earlier process left, as values
//!
//! Nothing that stands in a file stops the reading: what is damaged, unknown or of another version is
//! passed over and counted, and everything else is taken. Octets that are hostile are damage, never a
//! panic, and never a reservation of more memory than they have octets.
//! Not here: what the values become (`restore`), finding and keeping files (the daemon's `store`).

use crate::gate::request::change::Fact;
use crate::gate::state::file::{
    FileReport, Form, JOURNAL_LINE, SNAPSHOT_LINE, Snapshot, Soundness, StateFile, StateRead,
    unreadable,
};
use crate::gate::state::frame::{self, Frame, Frames, Item};
use crate::gate::state::record::{self, Head};
use crate::gate::state::version1;

/// Reads all files; one report for each, in their order.
pub(in crate::gate) fn read(files: &[StateFile]) -> (StateRead, Vec<FileReport>) {
    let mut left = StateRead::default();
    let mut first = version1::FirstFormat::default();
    let reports = files.iter().map(|file| {
        let octets = file.octets.as_slice();
        match file.form {
            Form::Snapshot => read_snapshot(octets, &mut left),
            Form::Journal => read_journal(octets, &mut left),
            Form::FirstSnapshot => first.read_snapshot(octets),
            Form::FirstJournal => first.read_journal(octets),
        }
    });
    let reports = reports.collect();
    first.finish(&mut left);
    (left, reports)
}

fn read_snapshot(octets: &[u8], left: &mut StateRead) -> FileReport {
    let Some((octets, mut reading)) = Reading::begin(octets, SNAPSHOT_LINE) else {
        return unreadable(octets, "gatepost state ");
    };
    let mut snapshot = Snapshot::default();
    for item in Frames(octets) {
        match item {
            Item::Frame(frame) => {
                reading.records += frame.len() as u64;
                reading.skipped += snapshot.take(frame);
            }
            Item::Damage(octets) => reading.pass_over(octets),
            Item::Torn => reading.damaged += 1,
            Item::End(records) => reading.promised = Some(records),
        }
    }
    // A section that is missing altogether leaves no trace but this.
    if reading.damaged == 0 && reading.promised != Some(reading.records) {
        reading.damaged = 1;
    }
    left.snapshots.push(snapshot);
    reading.report()
}

fn read_journal(octets: &[u8], left: &mut StateRead) -> FileReport {
    if JOURNAL_LINE.as_bytes().starts_with(octets) {
        // Its writer was killed before the first record.
        return Reading::default().report();
    }
    let Some((octets, mut reading)) = Reading::begin(octets, JOURNAL_LINE) else {
        return unreadable(octets, "gatepost changes ");
    };
    for item in Frames(octets) {
        match item {
            Item::Frame(frame) => {
                for octets in frame.records() {
                    let change = record::read_change(frame.section.number, octets);
                    reading.skipped += u64::from(change.is_none());
                    left.changes.extend(change);
                }
            }
            Item::Damage(octets) => reading.pass_over(octets),
            Item::Torn | Item::End(_) => {}
        }
    }
    reading.report()
}

/// What is counted while a file is read.
#[derive(Default)]
struct Reading {
    records: u64,
    promised: Option<u64>,
    skipped: u64,
    damaged: u64,
    passed_over: u64,
}

impl Reading {
    /// The frames of a file that begins with `line`, or should: damage to the line costs the line. None: it is
    /// no file of this version.
    fn begin<'a>(octets: &'a [u8], line: &str) -> Option<(&'a [u8], Self)> {
        let mut reading = Self::default();
        if let Some(frames) = octets.strip_prefix(line.as_bytes()) {
            return Some((frames, reading));
        }
        let frames = frame::behind_damage(octets)?;
        reading.pass_over(octets.len() - frames.len());
        Some((frames, reading))
    }

    fn pass_over(&mut self, octets: usize) {
        self.damaged += 1;
        self.passed_over += octets as u64;
    }

    fn report(&self) -> FileReport {
        FileReport {
            soundness: match self.damaged {
                0 => Soundness::Whole,
                places => Soundness::Damaged(places),
            },
            skipped: self.skipped,
            passed_over: self.passed_over,
        }
    }
}

impl Snapshot {
    /// Takes the records of a frame over; how many it had to pass over.
    fn take(&mut self, frame: Frame<'_>) -> u64 {
        let taken = match frame.section.number {
            record::HEAD_NUMBER => {
                let heads = frame.records().filter_map(Head::read);
                heads.fold(0, |taken, head| {
                    self.head = Some(head);
                    taken + 1
                })
            }
            record::USERS_NUMBER => take(frame, &mut self.logins, |mut octets| {
                let login = record::read_user(&mut octets)?;
                Some((login.user, None, login.last))
            }),
            record::PAIRS_NUMBER => take(frame, &mut self.logins, |mut octets| {
                let login = record::read_pair(&mut octets)?;
                Some((login.user, Some(login.network), login.last))
            }),
            record::PASSWORDS_NUMBER => take(frame, &mut self.passwords, |mut octets| {
                record::read_password_change(&mut octets)
            }),
            record::REVOKED_NUMBER => take(frame, &mut self.revoked, record::read_revoked),
            record::FORGOTTEN_NUMBER => take(frame, &mut self.forgotten, record::read_forgotten),
            record::DEVICES_NUMBER => take(frame, &mut self.devices, record::read_device),
            record::SHARED_DEVICES_NUMBER => {
                take(frame, &mut self.shared_devices, record::read_shared_device)
            }
            record::PLACES_NUMBER => take(frame, &mut self.places, |mut octets| {
                record::read_place_new(&mut octets)
            }),
            record::SUSPICIONS_NUMBER => take(frame, &mut self.suspicions, |mut octets| {
                record::read_suspicion(&mut octets)
            }),
            record::LIFTED_NUMBER => take(frame, &mut self.lifted, record::read_lifted),
            record::BANS_NUMBER => take(frame, &mut self.bans, record::read_ban),
            record::BUCKETS_NUMBER => take(frame, &mut self.buckets, record::read_bucket),
            record::CREDIT_NUMBER => take(frame, &mut self.credit, record::read_credit),
            record::EARNINGS_NUMBER => take(frame, &mut self.earnings, record::read_earning),
            record::SHARED_NUMBER => take(frame, &mut self.shared, |octets| {
                let change = record::read_shared(octets)?;
                match change.fact {
                    Fact::SharedBucket(level) => Some((change.at, level)),
                    _ => None,
                }
            }),
            _ => 0,
        };
        (frame.len() - taken.min(frame.len())) as u64
    }
}

fn take<T>(frame: Frame<'_>, to: &mut Vec<T>, read: impl Fn(&[u8]) -> Option<T>) -> usize {
    let before = to.len();
    to.extend(frame.records().filter_map(read));
    to.len() - before
}
