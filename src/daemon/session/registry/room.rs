//! room - how many sessions may be logged in, and which one gives way where there is no room
//!
//! Fair by user: a newcomer takes from users that hold more, the most first. A session gives way when it
//! does not work: it is silent, it has been slow for minutes, or its user holds two more than the newcomer and
//! it has lasted a minute. What a session sends in its first minute is never cut off.
//!
//! Names with one local part count together once they hold more sessions than one user may: where Dovecot ignores the
//! domain, one account has as many names as its holder likes. In this sum no name counts for more than the name that is
//! weighed: so a user who holds twenty takes nothing from the owner of a like name who holds one.
//! Not here: the lock, and ending the session (`registry`).
//! Postfix does the same under stress: it gives clients 10 s in place of 300 (`smtpd_timeout`), and may ask
//! for 500 octets a second (`smtpd_min_data_rate`).

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::elsewhere::{ElsewhereKey, GivesWay, LeftOverSessions};
use super::work::{FEW, SILENT, SILENT_BOTH, SessionWork};
use super::{Newcomer, NoRoom, RegistrySettings};
use crate::net::splice::SpliceControl;
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::keys::UserId;
use gatepost_core::moment::Moment;

/// How many sessions may be logged in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rooms {
    per_user: usize,
    /// Of users that hold [`FEW`] or more; none: as many as there are.
    common: Option<usize>,
    /// Of all.
    all: Option<usize>,
}

/// What there is no room in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FullRoom {
    /// In what one user may hold.
    OwnLimit,
    /// In what is there for users that hold several, for one that holds this many.
    Common(usize),
    /// In all, for a user that holds this many.
    All(usize),
}

impl FullRoom {
    pub(super) const fn reason(self) -> NoRoom {
        match self {
            Self::OwnLimit => NoRoom::PerUser,
            Self::Common(_) | Self::All(_) => NoRoom::Processes,
        }
    }
}

impl Rooms {
    pub(super) fn new(settings: RegistrySettings) -> Self {
        let processes = settings.processes.limit;
        // Without a process for it no password is checked, and nobody can take anybody's place. One more is the probe's.
        let all = processes.map(|all| all.saturating_sub((all / 8).max(2)).max(1));
        let common = processes.map(|all| all - all / 4);
        Self {
            per_user: settings.per_user,
            common: common.zip(all).map(|(common, all)| common.min(all)),
            all,
        }
    }

    pub(super) const fn per_user(&self) -> usize {
        self.per_user
    }

    /// Whether a user that holds `own` of `held` sessions, and may hold `limit` if that is set, finds no room for one more.
    pub(super) fn short_of(
        &self,
        (own, limit): (usize, Option<usize>),
        held: usize,
    ) -> Option<FullRoom> {
        let is_full = |room: Option<usize>| room.is_some_and(|room| held >= room);
        if own >= limit.unwrap_or(self.per_user) {
            Some(FullRoom::OwnLimit)
        } else if own >= FEW && is_full(self.common) {
            Some(FullRoom::Common(own))
        } else if is_full(self.all) {
            Some(FullRoom::All(own))
        } else {
            None
        }
    }
}

/// A session that has logged in.
#[derive(Debug)]
pub(super) struct HeldSession {
    control: Arc<SpliceControl>,
    name: UserName,
    client: ClientKey,
    since: Moment,
    /// When it was first seen that its last octet had moved.
    moved: Moment,
    /// Octets at the last look and at the last sample, and between the last two samples.
    seen: u32,
    sampled: u32,
    lately: u32,
}

impl HeldSession {
    pub(super) fn new(newcomer: Newcomer<'_>, control: Arc<SpliceControl>, now: Moment) -> Self {
        Self {
            control,
            name: newcomer.name.clone(),
            client: newcomer.client,
            since: now,
            moved: now,
            seen: 0,
            sampled: 0,
            lately: 0,
        }
    }

    pub(super) fn control(&self) -> &SpliceControl {
        &self.control
    }

    pub(super) const fn name(&self) -> &UserName {
        &self.name
    }

    pub(super) const fn client(&self) -> ClientKey {
        self.client
    }

    /// Notes whether octets have moved.
    pub(super) fn look(&mut self, now: Moment) {
        let octets = low(self.control.progress().octets);
        if octets != self.seen {
            self.seen = octets;
            self.moved = now;
        }
    }

    /// Notes how many octets have moved since the last sample.
    pub(super) fn sample(&mut self, now: Moment) {
        self.look(now);
        self.lately = self.seen.wrapping_sub(self.sampled);
        self.sampled = self.seen;
    }

    /// How it works, as it was last looked at.
    pub(super) fn work(&self, now: Moment) -> SessionWork {
        SessionWork {
            since: self.since,
            moved: self.moved,
            seen: now,
            lately: self.lately,
            clients_turn: self.control.progress().clients_turn,
        }
    }
}

/// Octets, counted round: only differences matter.
const fn low(octets: u64) -> u32 {
    (octets & 0xffff_ffff) as u32
}

/// A session, in whichever process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum HeldKey {
    Elsewhere(ElsewhereKey),
    Here((UserId, u64)),
}

impl HeldKey {
    /// None: nobody tells.
    const fn user(self) -> Option<UserId> {
        match self {
            Self::Here((user, _)) => Some(user),
            Self::Elsewhere(key) => key.user,
        }
    }
}

/// All sessions that count.
type Everybody = [(HeldKey, SessionWork, GivesWay)];

/// All sessions that count.
pub(super) fn everybody(
    held: &BTreeMap<(UserId, u64), HeldSession>,
    elsewhere: &LeftOverSessions,
    now: Moment,
) -> Vec<(HeldKey, SessionWork, GivesWay)> {
    let here = held.iter();
    let here = here.map(|(key, held)| (HeldKey::Here(*key), held.work(now), GivesWay::May));
    let elsewhere = elsewhere.counted();
    let elsewhere = elsewhere.map(|(key, work, may)| (HeldKey::Elsewhere(key), work, may));
    here.chain(elsewhere).collect()
}

/// The session that gives way to a login of `user`, if there is one.
pub(super) fn gives_way(
    everybody: &Everybody,
    short: FullRoom,
    user: UserId,
    per_user: usize,
) -> Option<HeldKey> {
    match short {
        FullRoom::OwnLimit => own_silent(everybody, user, SILENT_BOTH),
        FullRoom::All(own) => least_missed(everybody, own, per_user),
        FullRoom::Common(own) => {
            let other = least_missed(everybody, own, per_user);
            other.or_else(|| own_silent(everybody, user, SILENT))
        }
    }
}

/// Of the sessions of users that hold more than `own`, the one that works least. Where its name counts together with
/// others of one local part, the name among them that holds the most gives way.
fn least_missed(everybody: &Everybody, own: usize, per_user: usize) -> Option<HeldKey> {
    let weights = weights(everybody, per_user);
    let candidates = || {
        let able = everybody.iter().filter(|one| one.2 == GivesWay::May);
        able.filter_map(|(key, work, _)| {
            let user = key.user()?;
            let name = weights.get(&user).copied().unwrap_or_default();
            let why = work.yields(name.weight, own)?;
            let idle = (Reverse(work.lately), Reverse(work.moved));
            Some(((why, name.weight, idle), (user, *key)))
        })
    };
    let (_, (least, key)) = candidates().max()?;
    let together = |user: UserId| {
        let name = weights.get(&user).copied().unwrap_or_default();
        let is_one = user.local_part() == least.local_part() && name.is_merged();
        is_one.then_some(name.own)
    };
    if together(least).is_none() {
        return Some(key);
    }
    let of_group =
        candidates().filter_map(|(rank, (user, key))| Some((together(user)?, rank, key)));
    of_group.max().map(|(_, _, key)| key)
}

/// Of a user's own sessions, the one that has been silent the longest, and for so long at least.
fn own_silent(everybody: &Everybody, user: UserId, least: Duration) -> Option<HeldKey> {
    let own = everybody
        .iter()
        .filter(|(key, _, may)| key.user() == Some(user) && *may == GivesWay::May);
    let silent = own.filter(|(_, work, _)| work.is_silent() && work.still() >= least);
    let longest = silent.min_by_key(|(_, work, _)| work.moved);
    longest.map(|(key, ..)| *key)
}

/// What a name holds, and what it is held to hold.
#[derive(Clone, Copy, Debug, Default)]
struct NameWeight {
    own: usize,
    weight: usize,
}

impl NameWeight {
    /// Whether it counts together with others of its local part.
    const fn is_merged(self) -> bool {
        self.weight > self.own
    }
}

/// How many sessions each user holds; with names of one local part: all theirs, if these are more than `per_user`. There
/// each name counts for as many as the one that is weighed, at most.
fn weights(everybody: &Everybody, per_user: usize) -> BTreeMap<UserId, NameWeight> {
    let mut weights = BTreeMap::<UserId, NameWeight>::new();
    for user in everybody.iter().filter_map(|(key, ..)| key.user()) {
        weights.entry(user).or_default().own += 1;
    }
    // By local part: how many names hold so many.
    let mut names = BTreeMap::<_, BTreeMap<usize, usize>>::new();
    for (user, name) in &weights {
        let alike = names.entry(user.local_part()).or_default();
        *alike.entry(name.own).or_default() += 1;
    }
    for (user, name) in &mut weights {
        let alike = names.get(&user.local_part()).into_iter().flatten();
        let together: usize = alike.map(|(holds, many)| name.own.min(*holds) * many).sum();
        name.weight = match together > per_user {
            true => together,
            false => name.own,
        };
    }
    weights
}
