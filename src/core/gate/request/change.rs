//! change - what changed in the gate, as facts that can be merged
//!
//! The log, the journal and the other machines of a cluster learn what happened from these. Each fact says
//! when and where it happened and how things stand since, so that applying it twice, late or in
//! another order gives the same state: of two facts about one ban or one shared bucket the later
//! one holds, of two logins of one pair the later one.
//! Not here: facts as octets (`state::journal`), what is done about them (the daemon's `persist`), those of other
//! machines (`gate::merge`).

use std::fmt;

use crate::gate::request::client::{ClientKey, NetworkKey};
use crate::gate::request::device::{DeviceId, DeviceMet};
use crate::gate::request::keys::UserId;
use crate::gate::request::settings::Mode;
use crate::gate::request::suspicion::{ClearedUser, StolenSuspicion, UserPlace};
use crate::moment::Moment;

/// The machine on which something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(pub u16);

impl Origin {
    /// This machine; the others are told.
    pub const HERE: Self = Self(0);
    /// Another machine, which has told all of them.
    pub const ELSEWHERE: Self = Self(1);
    /// This machine, of what is no concern of the others.
    pub const ALONE: Self = Self(2);
    /// Numbers below it are no machine's.
    const FIRST: u16 = 16;

    /// One machine of several, as the others are told of it.
    pub const fn of_machine(number: u16) -> Self {
        match number < Self::FIRST {
            true => Self(number + Self::FIRST),
            false => Self(number),
        }
    }

    /// Whether it is one machine of several.
    pub const fn is_machine(self) -> bool {
        self.0 >= Self::FIRST
    }
}

/// A fact, with its time and place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// When, by the clock of the machine where it happened. Of one ban or one shared bucket no two
    /// changes have the same moment, and the later one is the later moment.
    pub at: Moment,
    /// When this machine noted it: the same, unless it happened on another one.
    pub noted: Moment,
    /// Where.
    pub origin: Origin,
    /// What.
    pub fact: Fact,
}

impl Change {
    /// A fact of this machine.
    pub const fn here(at: Moment, fact: Fact) -> Self {
        let origin = Origin::HERE;
        let noted = at;
        Self {
            at,
            noted,
            origin,
            fact,
        }
    }

    /// Whether the other machines of a cluster are to know.
    pub const fn concerns_others(&self) -> bool {
        let is_shared = match self.fact {
            Fact::BanBegan(ban) => matches!(ban.mode, Mode::Enforce),
            Fact::BanEnded(end) => matches!(end.why, BanEnding::Lifted),
            Fact::UserKnown(_)
            | Fact::PairFamiliar(_)
            | Fact::Forgiven(_)
            | Fact::PasswordChanged(_)
            | Fact::TrustRevoked(_)
            | Fact::UserForgotten(_)
            | Fact::Expelled(_) => true,
            // Each machine has its own part, and its own view of the backend.
            Fact::SharedBucket(_) | Fact::BackendFailing | Fact::BackendRecovered => false,
            // A ticket is worth something where it was made.
            Fact::DeviceFamiliar(_) | Fact::DeviceDropped(_) | Fact::DeviceShared(_) => false,
            // Each machine counts the logins that it has seen itself.
            Fact::PlaceNew(_) | Fact::StolenSuspected(_) | Fact::StolenCleared(_) => false,
            // Each machine says of itself whether it settles in.
            Fact::SettlingEnded => false,
        };
        is_shared && self.origin.0 == Origin::HERE.0
    }

    /// The login that it tells of: the user, the network where that made familiar, and the second.
    pub(in crate::gate) const fn login(&self) -> Option<(UserId, Option<NetworkKey>, u32)> {
        match self.fact {
            Fact::UserKnown(login) => Some((login.user, None, login.last)),
            Fact::PairFamiliar(login) => Some((login.user, Some(login.network), login.last)),
            _ => None,
        }
    }

    /// The same fact by a clock that is so many seconds ahead of this one.
    #[must_use]
    pub const fn by_clock(self, ahead: i64) -> Self {
        let at = self.at.shifted(ahead);
        let fact = match self.fact {
            Fact::BanBegan(ban) => Fact::BanBegan(BanStart {
                until: ban.until.shifted(ahead),
                ..ban
            }),
            Fact::UserKnown(login) => Fact::UserKnown(UserLogin {
                last: moved_second(login.last, ahead),
                ..login
            }),
            Fact::PairFamiliar(login) => Fact::PairFamiliar(PairLogin {
                last: moved_second(login.last, ahead),
                ..login
            }),
            Fact::PasswordChanged(password) => Fact::PasswordChanged(PasswordChange {
                since: moved_second(password.since, ahead),
                ..password
            }),
            other => other,
        };
        Self {
            at,
            noted: at,
            fact,
            ..self
        }
    }

    /// Whether the client's answer waits until the journal has it: so that a client that has seen
    /// its ban, or has spent a shared token, cannot undo that by a crash; nor can what an operator took back
    /// come back, nor settling in begin again.
    pub const fn is_awaited(&self) -> bool {
        matches!(
            self.fact,
            Fact::BanBegan(_)
                | Fact::BanEnded(BanEnd {
                    why: BanEnding::Lifted | BanEnding::Evicted,
                    ..
                })
                | Fact::SharedBucket(_)
                | Fact::TrustRevoked(_)
                | Fact::UserForgotten(_)
                | Fact::DeviceDropped(_)
                | Fact::StolenSuspected(_)
                | Fact::StolenCleared(_)
                | Fact::SettlingEnded
        )
    }
}

const fn moved_second(second: u32, ahead: i64) -> u32 {
    let moved = (second as u64).saturating_add_signed(ahead);
    match moved > u32::MAX as u64 {
        true => u32::MAX,
        false => moved as u32,
    }
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A ban began, or was extended.
    BanBegan(BanStart),
    /// A ban ended.
    BanEnded(BanEnd),
    /// A shared bucket was spent from, refunded, cleared, or cut to a lower limit.
    SharedBucket(SharedLevel),
    /// A user logged in, and is known since.
    UserKnown(UserLogin),
    /// A user logged in from a network, and is familiar there.
    PairFamiliar(PairLogin),
    /// The operator cleared what is counted against somebody.
    Forgiven(Forgiven),
    /// A user's password was changed: networks without a login since must earn trust anew.
    PasswordChanged(PasswordChange),
    /// What made a user familiar before does not count any more.
    TrustRevoked(Revocation),
    /// What made a user known before does not count any more.
    UserForgotten(ForgottenUser),
    /// A device came back and logged in as a user, and is familiar.
    DeviceFamiliar(DeviceLogin),
    /// A device has tried too many wrong passwords of a user, and is not familiar any more.
    DeviceDropped(DeviceDrop),
    /// Too many users have logged in with a device: it is none.
    DeviceShared(DeviceId),
    /// A user has logged in from a place that was new.
    PlaceNew(UserPlace),
    /// A user's password seems to be stolen.
    StolenSuspected(StolenSuspicion),
    /// It does not any more, and no place of before is new.
    StolenCleared(ClearedUser),
    /// The operator ended sessions.
    Expelled(Expulsion),
    /// Settling in ended before its time.
    SettlingEnded,
    /// Many familiar pairs are rejected at once: the backend is failing.
    BackendFailing,
    /// The failing backend accepted again, or nothing is known of it any more.
    BackendRecovered,
}

/// A ban that began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BanStart {
    /// The client or network.
    pub subject: Subject,
    /// When it ends.
    pub until: Moment,
    /// What it is for.
    pub cause: BanCause,
    /// Whether it is enforced; a ban of a dry run is only logged.
    pub mode: Mode,
    /// The strikes of a client then.
    pub strikes: u8,
}

/// A ban that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BanEnd {
    /// The client or network.
    pub subject: Subject,
    /// Why it ended.
    pub why: BanEnding,
}

/// Why a ban ended. The numbers are those of the journal: they never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum BanEnding {
    /// Its time was over. No journal record: the ban itself says when.
    Expired = 1,
    /// The operator lifted it, or a dry run ended.
    Lifted = 2,
    /// The table of bans was full, and it was the one that would have ended first.
    Evicted = 3,
}

/// How a shared bucket stands after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedLevel {
    /// The bucket's number in journal and snapshot.
    pub bucket: u8,
    /// When it will be full again, in nanoseconds since the epoch; in the past: it is full.
    pub arrival: u64,
    /// Nanoseconds a token.
    pub every: u64,
}

/// A login of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserLogin {
    pub(in crate::gate) user: UserId,
    /// In seconds since the epoch.
    pub(in crate::gate) last: u32,
}

/// A login of a user from a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairLogin {
    pub(in crate::gate) user: UserId,
    pub(in crate::gate) network: NetworkKey,
    /// In seconds since the epoch.
    pub(in crate::gate) last: u32,
}

/// A login of a user from a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceLogin {
    pub(in crate::gate) user: UserId,
    pub(in crate::gate) device: DeviceId,
    /// In seconds since the epoch.
    pub(in crate::gate) last: u32,
    pub(in crate::gate) met: DeviceMet,
}

/// A user's device that is familiar no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceDrop {
    pub(in crate::gate) user: UserId,
    pub(in crate::gate) device: DeviceId,
}

/// A change of a user's password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordChange {
    pub(in crate::gate) user: UserId,
    /// Logins from this second on prove a network, in seconds since the epoch.
    pub(in crate::gate) since: u32,
}

/// Whose familiarity was taken back, in one network or everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    pub(in crate::gate) user: UserId,
    /// None: everywhere.
    pub(in crate::gate) network: Option<NetworkKey>,
}

/// A user who is unknown again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForgottenUser(pub(in crate::gate) UserId);

impl ForgottenUser {
    /// Who that is.
    pub const fn user(self) -> UserId {
        self.0
    }
}

/// Whose sessions an operator ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expulsion {
    /// A user's, everywhere or from one network.
    User(UserId, Option<NetworkKey>),
    /// All of a client or a network.
    Place(Subject),
}

/// The client or user that was forgiven: the buckets are full and the strikes gone since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Forgiven {
    /// A client, and the bucket of its network.
    Client(ClientKey),
    /// A user.
    User(ForgivenUser),
}

/// A user who was forgiven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ForgivenUser(pub(in crate::gate) UserId);

/// A client or network that is banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// One client.
    Client(ClientKey),
    /// One network.
    Network(NetworkKey),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(client) => client.fmt(f),
            Self::Network(network) => network.fmt(f),
        }
    }
}

/// What a ban is for. The log values (`Display`) are public API; the numbers are those of journal
/// and snapshot, and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum BanCause {
    /// Refused by its own bucket too often.
    Strikes = 1,
    /// Asked for a trap.
    Trap = 2,
    /// Too many banned clients in one network.
    Neighbours = 3,
    /// The operator said so.
    Operator = 4,
    /// A published list has it. No ban of the state's: the list is kept, not what is on it.
    List = 5,
}

impl BanCause {
    /// Every cause of a ban that the state keeps.
    pub const ALL: [Self; 4] = [Self::Strikes, Self::Trap, Self::Neighbours, Self::Operator];
}

impl fmt::Display for BanCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Strikes => "strikes",
            Self::Trap => "trap",
            Self::Neighbours => "neighbours",
            Self::Operator => "operator",
            Self::List => "list",
        })
    }
}
