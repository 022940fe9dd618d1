//! record - each record of snapshot and journal as octets, and back
//!
//! Numbers are little-endian; moments are nanoseconds since the epoch, logins seconds, by the clock of
//! the process that wrote them. **The rule**: a number that stands here is never used for anything
//! else; a later version adds kinds of records, and adds to the end of a record, but takes nothing
//! away. So a reader takes the part of a longer record that it knows, and passes over (and counts) a
//! record of a kind, or about a bucket or a cause, that it does not know.
//! Not here: frames (`frame`), what becomes of a record (`restore`).

use bytes::{Buf, BufMut};

use crate::gate::buckets::bucket::BucketRow;
use crate::gate::buckets::key::Key;
use crate::gate::buckets::spec::{Bucket, Kind};
use crate::gate::buckets::strike_count::Strikes;
use crate::gate::request::change::{
    BanCause, BanEnd, BanEnding, BanStart, Change, Fact, ForgottenUser, Origin, PairLogin,
    PasswordChange, SharedLevel, Subject, UserLogin,
};
use crate::gate::request::client::{ClientKey, NetworkKey};
use crate::gate::request::keys::UserId;
use crate::gate::request::settings::Mode;
use crate::gate::state::frame::Section;
use crate::gate::trust::ban::{Ban, HeldBan};
use crate::moment::Moment;

mod credit;
mod devices;
mod head;
mod orders;
mod places;

pub(in crate::gate) use credit::{read_credit, read_earning, write_credit, write_earning};
pub(in crate::gate) use devices::{
    DEVICES, DEVICES_NUMBER, SHARED_DEVICES, SHARED_DEVICES_NUMBER, read_device,
    read_shared_device, write_device, write_shared_device,
};
pub(in crate::gate) use head::Head;
pub(in crate::gate) use orders::{read_forgotten, read_revoked, write_forgotten, write_revoked};
pub(in crate::gate) use places::{
    PLACES, PLACES_NUMBER, SUSPICIONS, SUSPICIONS_NUMBER, read_place_new, read_suspicion,
    write_place, write_suspicion,
};

use orders::{read_expulsion, read_forgiven, read_revocation};

/// The numbers of the sections of snapshots.
pub(in crate::gate) const HEAD_NUMBER: u8 = 1;
pub(in crate::gate) const USERS_NUMBER: u8 = 2;
pub(in crate::gate) const PAIRS_NUMBER: u8 = 3;
pub(in crate::gate) const BANS_NUMBER: u8 = 4;
pub(in crate::gate) const BUCKETS_NUMBER: u8 = 5;
pub(in crate::gate) const SHARED_NUMBER: u8 = 6;
pub(in crate::gate) const REVOKED_NUMBER: u8 = 7;
pub(in crate::gate) const PASSWORDS_NUMBER: u8 = 8;
pub(in crate::gate) const CREDIT_NUMBER: u8 = 9;
pub(in crate::gate) const EARNINGS_NUMBER: u8 = 10;
pub(in crate::gate) const FORGOTTEN_NUMBER: u8 = 11;
pub(in crate::gate) const LIFTED_NUMBER: u8 = 12;

/// The sections of snapshots, with the octets of a record as this version writes it.
pub(in crate::gate) const HEAD: Section = section(HEAD_NUMBER, 43);
pub(in crate::gate) const USERS: Section = section(USERS_NUMBER, 12);
pub(in crate::gate) const PAIRS: Section = section(PAIRS_NUMBER, 20);
pub(in crate::gate) const BANS: Section = section(BANS_NUMBER, 29);
pub(in crate::gate) const BUCKETS: Section = section(BUCKETS_NUMBER, 22);
pub(in crate::gate) const SHARED: Section = section(SHARED_NUMBER, 27);
pub(in crate::gate) const REVOKED: Section = section(REVOKED_NUMBER, 25);
pub(in crate::gate) const PASSWORDS: Section = section(PASSWORDS_NUMBER, 12);
pub(in crate::gate) const CREDIT: Section = section(CREDIT_NUMBER, 22);
pub(in crate::gate) const EARNINGS: Section = section(EARNINGS_NUMBER, 16);
pub(in crate::gate) const FORGOTTEN: Section = section(FORGOTTEN_NUMBER, 16);
pub(in crate::gate) const LIFTED: Section = section(LIFTED_NUMBER, 17);

/// The kinds of journal records. None has the number of a section.
const BAN_BEGAN: u8 = 16;
const BAN_ENDED: u8 = 17;
const SHARED_BUCKET: u8 = 18;
const USER_KNOWN: u8 = 19;
const PAIR_FAMILIAR: u8 = 20;
const FORGIVEN: u8 = 21;
const TRUST_REVOKED: u8 = 22;
const PASSWORD_CHANGED: u8 = 23;
const USER_FORGOTTEN: u8 = 24;
/// Told to other machines only.
const EXPELLED: u8 = 25;
const SETTLING_ENDED: u8 = 26;

/// Who a record is about.
const CLIENT_V4: u8 = 0;
const CLIENT_V6: u8 = 1;
const NETWORK: u8 = 2;

const fn section(number: u8, size: u16) -> Section {
    Section { number, size }
}

pub(in crate::gate) fn write_user(out: &mut Vec<u8>, user: UserId, last: u32) {
    out.put_u64_le(user.0);
    out.put_u32_le(last);
}

pub(in crate::gate) fn read_user(from: &mut &[u8]) -> Option<UserLogin> {
    let user = UserId(from.try_get_u64_le().ok()?);
    let last = from.try_get_u32_le().ok()?;
    Some(UserLogin { user, last })
}

pub(in crate::gate) fn write_pair(out: &mut Vec<u8>, user: UserId, network: u64, last: u32) {
    out.put_u64_le(user.0);
    out.put_u64_le(network);
    out.put_u32_le(last);
}

pub(in crate::gate) fn read_pair(from: &mut &[u8]) -> Option<PairLogin> {
    Some(PairLogin {
        user: UserId(from.try_get_u64_le().ok()?),
        network: NetworkKey::of_code(from.try_get_u64_le().ok()?)?,
        last: from.try_get_u32_le().ok()?,
    })
}

pub(in crate::gate) fn write_password_change(out: &mut Vec<u8>, change: PasswordChange) {
    out.put_u64_le(change.user.0);
    out.put_u32_le(change.since);
}

pub(in crate::gate) fn read_password_change(from: &mut &[u8]) -> Option<PasswordChange> {
    let user = UserId(from.try_get_u64_le().ok()?);
    let since = from.try_get_u32_le().ok()?;
    Some(PasswordChange { user, since })
}

pub(in crate::gate) fn write_ban(out: &mut Vec<u8>, subject: Subject, held: HeldBan) {
    place(out, held.changed, Origin::HERE);
    write_subject(out, subject);
    out.put_u64_le(held.ban.until.as_nanos());
    out.put_u8(held.ban.cause as u8);
    out.put_u8(mode_number(held.ban.mode));
}

pub(in crate::gate) fn read_ban(mut from: &[u8]) -> Option<(Subject, HeldBan)> {
    let (changed, origin) = read_place(&mut from)?;
    let subject = read_subject(&mut from)?;
    let ban = Ban {
        until: read_moment(&mut from)?,
        cause: read_cause(&mut from)?,
        mode: read_mode(&mut from)?,
    };
    (origin == Origin::HERE).then_some((subject, HeldBan { ban, changed }))
}

/// A ban that was lifted, in a snapshot.
pub(in crate::gate) fn write_lifted(out: &mut Vec<u8>, subject: Subject, at: Moment) {
    write_subject(out, subject);
    out.put_u64_le(at.as_nanos());
}

pub(in crate::gate) fn read_lifted(mut from: &[u8]) -> Option<(Subject, Moment)> {
    let subject = read_subject(&mut from)?;
    Some((subject, read_moment(&mut from)?))
}

pub(in crate::gate) fn write_bucket(out: &mut Vec<u8>, kind: Kind, id: u64, row: BucketRow) {
    out.put_u8(kind.number());
    out.put_u64_le(id);
    out.put_u64_le(row.arrival);
    out.put_u8(row.strikes.in_file());
    out.put_u32_le(row.counted);
}

pub(in crate::gate) fn read_bucket(mut from: &[u8]) -> Option<(Key, BucketRow)> {
    let kind = Kind::new(from.try_get_u8().ok()?)?;
    Bucket::of_kind(kind)?;
    let id = from.try_get_u64_le().ok()?;
    let row = BucketRow {
        arrival: from.try_get_u64_le().ok()?,
        strikes: Strikes::from_file(from.try_get_u8().ok()?),
        counted: from.try_get_u32_le().ok()?,
    };
    Some((Key { kind, id }, row))
}

/// A shared bucket: the same in snapshot and journal.
pub(in crate::gate) fn write_shared(out: &mut Vec<u8>, changed: Moment, level: SharedLevel) {
    place(out, changed, Origin::HERE);
    write_level(out, level);
}

fn write_level(out: &mut Vec<u8>, level: SharedLevel) {
    out.put_u8(level.bucket);
    out.put_u64_le(level.arrival);
    out.put_u64_le(level.every);
}

pub(in crate::gate) fn read_shared(mut from: &[u8]) -> Option<Change> {
    let (at, origin) = read_place(&mut from)?;
    let level = SharedLevel {
        bucket: from.try_get_u8().ok()?,
        arrival: from.try_get_u64_le().ok()?,
        every: from.try_get_u64_le().ok()?,
    };
    let known = origin == Origin::HERE && Bucket::of_shared_number(level.bucket).is_some();
    known.then_some(Change::here(at, Fact::SharedBucket(level)))
}

/// A change as a journal record: its number, and its octets into `out`. None: it needs no record.
pub(in crate::gate) fn write_change(out: &mut Vec<u8>, change: &Change) -> Option<u8> {
    // Wherever it happened, it is known here.
    write_told(out, change, Origin::HERE)
}

/// The same, and at which machine it happened.
pub(in crate::gate) fn write_told(
    out: &mut Vec<u8>,
    change: &Change,
    origin: Origin,
) -> Option<u8> {
    place(out, change.at, origin);
    let number = write_fact(out, change.fact)?;
    if change.noted != change.at {
        out.put_u64_le(change.noted.as_nanos());
    }
    Some(number)
}

fn write_fact(out: &mut Vec<u8>, fact: Fact) -> Option<u8> {
    Some(match fact {
        Fact::SharedBucket(level) => {
            write_level(out, level);
            SHARED_BUCKET
        }
        Fact::BanBegan(ban) => {
            write_subject(out, ban.subject);
            out.put_u64_le(ban.until.as_nanos());
            out.put_slice(&[ban.cause as u8, mode_number(ban.mode), ban.strikes]);
            BAN_BEGAN
        }
        // Time itself ends it again.
        Fact::BanEnded(end) if end.why == BanEnding::Expired => return None,
        Fact::BanEnded(end) => {
            write_subject(out, end.subject);
            out.put_u8(end.why as u8);
            BAN_ENDED
        }
        Fact::UserKnown(login) => {
            write_user(out, login.user, login.last);
            USER_KNOWN
        }
        Fact::PairFamiliar(login) => {
            write_pair(out, login.user, login.network.code(), login.last);
            PAIR_FAMILIAR
        }
        Fact::PasswordChanged(change) => {
            write_password_change(out, change);
            PASSWORD_CHANGED
        }
        Fact::Forgiven(_) | Fact::TrustRevoked(_) | Fact::UserForgotten(_) | Fact::Expelled(_) => {
            return orders::write_order(out, fact);
        }
        Fact::DeviceFamiliar(login) => devices::write_login(out, login),
        Fact::DeviceDropped(dropped) => devices::write_drop(out, dropped),
        Fact::DeviceShared(device) => devices::write_shared(out, device),
        Fact::PlaceNew(_) | Fact::StolenSuspected(_) | Fact::StolenCleared(_) => {
            return places::write_change(out, fact);
        }
        // That it ended is all that there is to say.
        Fact::SettlingEnded => SETTLING_ENDED,
        Fact::BackendFailing | Fact::BackendRecovered => return None,
    })
}

/// A journal record; none if this version does not know what it says.
pub(in crate::gate) fn read_change(number: u8, from: &[u8]) -> Option<Change> {
    read_told(number, from).filter(|change| change.origin == Origin::HERE)
}

/// What another machine tells: its place is the machine where it happened, if that is known.
pub(in crate::gate) fn read_told(number: u8, mut from: &[u8]) -> Option<Change> {
    if number == SHARED_BUCKET {
        return read_shared(from);
    }
    let (at, origin) = read_place(&mut from)?;
    let fact = read_fact(number, &mut from)?;
    let noted = from.try_get_u64_le().map_or(at, Moment::from_nanos);
    let is_known = origin == Origin::HERE || origin.is_machine();
    is_known.then_some(Change {
        at,
        noted,
        origin,
        fact,
    })
}

fn read_fact(number: u8, from: &mut &[u8]) -> Option<Fact> {
    Some(match number {
        BAN_BEGAN => Fact::BanBegan(BanStart {
            subject: read_subject(from)?,
            until: read_moment(from)?,
            cause: read_cause(from)?,
            mode: read_mode(from)?,
            strikes: from.try_get_u8().ok()?,
        }),
        BAN_ENDED => Fact::BanEnded(BanEnd {
            subject: read_subject(from)?,
            why: read_ending(from)?,
        }),
        USER_KNOWN => Fact::UserKnown(read_user(from)?),
        PAIR_FAMILIAR => Fact::PairFamiliar(read_pair(from)?),
        PASSWORD_CHANGED => Fact::PasswordChanged(read_password_change(from)?),
        FORGIVEN => Fact::Forgiven(read_forgiven(from)?),
        TRUST_REVOKED => Fact::TrustRevoked(read_revocation(from)?),
        USER_FORGOTTEN => Fact::UserForgotten(ForgottenUser(UserId(from.try_get_u64_le().ok()?))),
        EXPELLED => Fact::Expelled(read_expulsion(from)?),
        SETTLING_ENDED => Fact::SettlingEnded,
        number => {
            devices::read_change(number, from).or_else(|| places::read_change(number, from))?
        }
    })
}

fn place(out: &mut Vec<u8>, at: Moment, origin: Origin) {
    out.put_u64_le(at.as_nanos());
    out.put_u16_le(origin.0);
}

fn read_place(from: &mut &[u8]) -> Option<(Moment, Origin)> {
    let at = read_moment(from)?;
    Some((at, Origin(from.try_get_u16_le().ok()?)))
}

pub(in crate::gate) fn read_moment(from: &mut &[u8]) -> Option<Moment> {
    from.try_get_u64_le().ok().map(Moment::from_nanos)
}

fn write_subject(out: &mut Vec<u8>, subject: Subject) {
    let (kind, key) = match subject {
        Subject::Client(ClientKey::V4(bits)) => (CLIENT_V4, u64::from(bits)),
        Subject::Client(ClientKey::V6(upper)) => (CLIENT_V6, upper),
        Subject::Network(network) => (NETWORK, network.code()),
    };
    out.put_u8(kind);
    out.put_u64_le(key);
}

pub(in crate::gate) fn read_subject(from: &mut &[u8]) -> Option<Subject> {
    let kind = from.try_get_u8().ok()?;
    let key = from.try_get_u64_le().ok()?;
    Some(match kind {
        CLIENT_V4 => Subject::Client(ClientKey::V4(u32::try_from(key).ok()?)),
        CLIENT_V6 => Subject::Client(ClientKey::V6(key)),
        NETWORK => Subject::Network(NetworkKey::of_code(key)?),
        _ => return None,
    })
}

fn read_cause(from: &mut &[u8]) -> Option<BanCause> {
    let number = from.try_get_u8().ok()?;
    BanCause::ALL
        .into_iter()
        .find(|cause| *cause as u8 == number)
}

fn read_ending(from: &mut &[u8]) -> Option<BanEnding> {
    let number = from.try_get_u8().ok()?;
    [BanEnding::Expired, BanEnding::Lifted, BanEnding::Evicted]
        .into_iter()
        .find(|why| *why as u8 == number)
}

const fn mode_number(mode: Mode) -> u8 {
    match mode {
        Mode::Enforce => 1,
        Mode::DryRun => 2,
    }
}

fn read_mode(from: &mut &[u8]) -> Option<Mode> {
    match from.try_get_u8().ok()? {
        1 => Some(Mode::Enforce),
        2 => Some(Mode::DryRun),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
