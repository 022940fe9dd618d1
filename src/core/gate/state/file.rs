//! file - what a state file is, how sound it was, and what all of them say together
//!
//! Not here: reading (`read`, `version1`), writing (`image`, `journal`), names and places of files (the
//! daemon's `store`).

use crate::gate::buckets::bucket::BucketRow;
use crate::gate::buckets::credit::{ClientCredit, Earning};
use crate::gate::buckets::key::Key;
use crate::gate::request::change::{Change, PasswordChange, Revocation, SharedLevel, Subject};
use crate::gate::request::client::NetworkKey;
use crate::gate::request::device::DeviceId;
use crate::gate::request::keys::UserId;
use crate::gate::request::suspicion::{StolenSuspicion, UserPlace};
use crate::gate::state::record::Head;
use crate::gate::trust::ban::HeldBan;
use crate::gate::trust::devices::UserDevice;
use crate::moment::Moment;

/// The first line of a snapshot. The number changes only when an older reader would go wrong; then it also stands
/// in every frame (`frame`), so that one damaged octet here makes no other version's file of ours.
pub const SNAPSHOT_LINE: &str = "gatepost state 2\n";

/// The first line of a journal. Its number changes as that of a snapshot does.
pub const JOURNAL_LINE: &str = "gatepost changes 2\n";

/// What a file is, according to its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A snapshot: `known` or `debts`.
    Snapshot,
    /// A journal.
    Journal,
    /// The one snapshot of the first format, which had everything.
    FirstSnapshot,
    /// A journal of the first format.
    FirstJournal,
}

/// A file that an earlier process left.
#[derive(Clone, Debug)]
pub struct StateFile {
    /// What its name says it is.
    pub form: Form,
    /// All of it.
    pub octets: Vec<u8>,
}

/// How sound a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Soundness {
    /// All of it could be read. The last record of a journal may be half there: its writer was killed.
    Whole,
    /// So many places could not be read; everything else was taken.
    Damaged(u64),
    /// Another version wrote it. Nothing was taken.
    Version(u32),
    /// It is no file of Gatepost's, or its very beginning is damaged. Nothing was taken.
    Foreign,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileReport {
    /// How sound it was.
    pub soundness: Soundness,
    /// Records that were passed over, because this version does not know what they say.
    pub skipped: u64,
    /// Octets that could not be read, in all damaged places together.
    pub passed_over: u64,
}

/// Everything that was read, of all files. Moments are by the clocks of those who wrote them.
#[derive(Debug, Default)]
pub(in crate::gate) struct StateRead {
    pub(in crate::gate) snapshots: Vec<Snapshot>,
    pub(in crate::gate) changes: Vec<Change>,
}

/// One snapshot.
#[derive(Debug, Default)]
pub(in crate::gate) struct Snapshot {
    /// None: it was damaged. Then there is nothing to count its times from.
    pub(in crate::gate) head: Option<Head>,
    /// Users, and pairs of user and network, by their last logins.
    pub(in crate::gate) logins: Vec<(UserId, Option<NetworkKey>, u32)>,
    /// Since when a user's networks must have had a login.
    pub(in crate::gate) passwords: Vec<PasswordChange>,
    pub(in crate::gate) bans: Vec<(Subject, HeldBan)>,
    /// Bans that were lifted, and when.
    pub(in crate::gate) lifted: Vec<(Subject, Moment)>,
    pub(in crate::gate) buckets: Vec<(Key, BucketRow)>,
    pub(in crate::gate) shared: Vec<(Moment, SharedLevel)>,
    /// What the users of clients have earned, and for which each user has.
    pub(in crate::gate) credit: Vec<(Key, ClientCredit)>,
    pub(in crate::gate) earnings: Vec<(u64, Earning)>,
    /// Whose familiarity was taken back, and when.
    pub(in crate::gate) revoked: Vec<(Revocation, Moment)>,
    /// Who was forgotten, and when.
    pub(in crate::gate) forgotten: Vec<(UserId, Moment)>,
    pub(in crate::gate) devices: Vec<(UserId, UserDevice)>,
    /// Those that are none, by their last logins.
    pub(in crate::gate) shared_devices: Vec<(DeviceId, u32)>,
    /// Where users have logged in that was new to them, and whose password seems to be stolen.
    pub(in crate::gate) places: Vec<UserPlace>,
    pub(in crate::gate) suspicions: Vec<StolenSuspicion>,
}

/// What is said of a file that does not begin as it should.
pub(in crate::gate) fn unreadable(octets: &[u8], title: &str) -> FileReport {
    let line = octets.split(|octet| *octet == b'\n').next();
    let number = line.and_then(|line| line.strip_prefix(title.as_bytes()));
    let number = number.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    FileReport {
        soundness: number.map_or(Soundness::Foreign, Soundness::Version),
        skipped: 0,
        passed_over: octets.len() as u64,
    }
}
