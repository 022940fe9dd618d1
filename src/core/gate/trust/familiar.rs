//! familiar - who has logged in from where: pairs of user and network, and the users we know
//!
//! A pair is familiar for 90 days after its last login; a user keeps at most 32 networks, the
//! oldest go. Near is not familiar, but in the /16 (or /32) of one of the same user's networks.
//! Bounded by `capacity.pairs`: beyond it the pairs and users whose last login is longest ago go.
//! Only a login, the operator or the `users` file adds: attempts that fail never make this grow.
//!
//! One lock over all of it: each look takes well under a microsecond, and logins are rare.
//! Not here: what being familiar is worth (`judge`), the pair's bucket (`bucket`).

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use crate::gate::buckets::table::seconds;
use crate::gate::request::attempt::Trust;
use crate::gate::request::change::{Change, Fact, PairLogin, UserLogin};
use crate::gate::request::client::{NetworkKey, RegionKey};
use crate::gate::request::device::DeviceTrust;
use crate::gate::request::keys::UserId;
use crate::gate::trust::taken_back::TakenBack;
use crate::moment::Moment;

mod forgotten;
mod lists;
mod merged;
mod pair;
mod renamed;
mod revoked;
mod room;

pub(in crate::gate::trust) use pair::KEPT;
pub(in crate::gate) use pair::{Known, Pair, PairAge};
use revoked::Revoked;

/// A login whose moment lies further ahead was dated by a clock that differs from ours.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);
/// Networks that one user keeps.
const NETWORKS: usize = 32;
/// A login this soon after the last one, in seconds, changes nothing worth a lock.
const FRESH: u32 = 600;
/// When full, this part of everything makes room at once. Names of one local part have no more.
const ROOM: usize = 64;
/// But this many of them always.
const LEAST_NAMES: usize = 64;

/// Whether anybody is familiar in a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) enum NetworkTrust {
    Familiar,
    /// Nobody, but somebody is in the same /16 (or /32).
    Near,
    Unknown,
}

/// All that a judgement needs to know of a user in a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) struct Context {
    /// How far the user is trusted there, or with that device.
    pub(in crate::gate) trust: Trust,
    /// How far without it.
    pub(in crate::gate) in_network: Trust,
    /// Whether the user is near by the autonomous system alone, and not by the /16 (or /32).
    pub(in crate::gate) by_system: bool,
    pub(in crate::gate) device: DeviceTrust,
    pub(in crate::gate) age: PairAge,
    /// Whether this user has ever logged in, was learnt, introduced or listed.
    pub(in crate::gate) known: bool,
    pub(in crate::gate) network: NetworkTrust,
    /// How many users we know, for the buckets that grow with them.
    pub(in crate::gate) users: usize,
}

pub(in crate::gate) struct Familiar {
    capacity: usize,
    book: RwLock<PairBook>,
}

#[derive(Default)]
struct PairBook {
    users: HashMap<UserId, Known>,
    /// How many users are familiar in a network.
    networks: HashMap<u64, u32>,
    /// How many of these networks there are in a /16 (or /32).
    regions: HashMap<RegionKey, u32>,
    pairs: usize,
    /// The `users` file.
    listed: HashSet<UserId>,
    /// How many of the listed are not in `users`.
    only_listed: usize,
    /// How many names, known or listed, there are of each local part.
    local_parts: HashMap<u32, u32>,
    /// What was taken back.
    revoked: Revoked,
    /// Users who are unknown again, but for logins since.
    forgotten: TakenBack<UserId>,
    evicted: u64,
}

impl Familiar {
    /// Room for `capacity` pairs, and as many users.
    pub(in crate::gate) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            book: RwLock::default(),
        }
    }

    /// How far `user` is trusted in `network`, where a login since `proven_since` proves a network.
    pub(in crate::gate) fn context(
        &self,
        user: UserId,
        network: NetworkKey,
        proven_since: u32,
        now: Moment,
    ) -> Context {
        let book = self.read();
        let known = book.users.get(&user);
        let trust = known.map_or(Trust::Far, |known| known.trust(network, proven_since, now));
        Context {
            trust,
            in_network: trust,
            by_system: false,
            device: DeviceTrust::Unknown,
            age: known.map_or(PairAge::Young, |known| known.age(network, now)),
            known: known.is_some() || book.listed.contains(&user),
            network: book.network_trust(network),
            users: book.local_parts.len(),
        }
    }

    /// Whether this user has ever logged in, was learnt, introduced or listed.
    pub(in crate::gate) fn is_known(&self, user: UserId) -> bool {
        let book = self.read();
        book.users.contains_key(&user) || book.listed.contains(&user)
    }

    /// Whether anybody is familiar in this network.
    pub(in crate::gate) fn network_trust(&self, network: NetworkKey) -> NetworkTrust {
        self.read().network_trust(network)
    }

    /// How many users we know, and how many pairs are familiar.
    pub(in crate::gate) fn counts(&self) -> (usize, usize) {
        let book = self.read();
        (book.known(), book.pairs)
    }

    /// How many users we know, for the buckets that grow with them.
    ///
    /// Names with one local part count once: where Dovecot ignores the domain, one account has as many
    /// names as its owner likes, and each that logs in would make room for more guesses.
    pub(in crate::gate) fn users(&self) -> usize {
        self.read().local_parts.len()
    }

    /// Makes `user` known, and familiar in `network` as of a login at `when`; what that changed. Of a login that
    /// was judged before the user's familiarity was taken back, the user is only known; one of before the user was
    /// forgotten changes nothing.
    pub(in crate::gate) fn login(
        &self,
        user: UserId,
        network: Option<NetworkKey>,
        when: Moment,
        now: Moment,
    ) -> Option<Change> {
        match self.is_fresh(user, network, seconds(when.min(now))) {
            true => None,
            false => self.note_login(user, network, when, now),
        }
    }

    /// As [`Self::login`], also where the last login was a moment ago.
    pub(in crate::gate) fn note_login(
        &self,
        user: UserId,
        network: Option<NetworkKey>,
        when: Moment,
        now: Moment,
    ) -> Option<Change> {
        // One that lies ahead was dated by another clock, and may have been before whatever was taken back.
        let when_known = (when <= now + CLOCKS_DIFFER).then_some(when);
        let (at, last, now) = (now, seconds(when.min(now)), seconds(now));
        let network = network.filter(|_| now - last < KEPT);
        let (network, last) = self.add(user, network, when_known, last)?;
        let fact = match network {
            Some(network) => Fact::PairFamiliar(PairLogin {
                user,
                network,
                last,
            }),
            None => Fact::UserKnown(UserLogin { user, last }),
        };
        Some(Change::here(at, fact))
    }

    /// Takes over logins: the latest one of a user, and of a pair, holds.
    pub(in crate::gate) fn merge(
        &self,
        logins: impl Iterator<Item = (UserId, Option<NetworkKey>, u32)>,
    ) {
        let mut book = self.write();
        for (user, network, last) in logins {
            book.add_login(user, network, last, self.capacity);
        }
    }

    /// The users of the `users` file, in place of those listed before.
    pub(in crate::gate) fn list(&self, listed: HashSet<UserId>) {
        let mut book = self.write();
        book.listed = listed;
        book.count_listed();
    }

    /// Forgets the pairs whose last login is 90 days ago. Users stay known.
    pub(in crate::gate) fn sweep(&self, now: Moment) {
        let now = seconds(now);
        let mut book = self.write();
        book.retain(|pair| now.saturating_sub(pair.last) < KEPT);
        book.revoked.sweep(now);
    }

    /// Adds a login as far as it counts, and gives that; none: it was before the user was forgotten.
    fn add(
        &self,
        user: UserId,
        network: Option<NetworkKey>,
        when: Option<Moment>,
        last: u32,
    ) -> Option<(Option<NetworkKey>, u32)> {
        let mut book = self.write();
        let is_before = |taken_back: Moment| when.is_none_or(|when| when <= taken_back);
        let last = match book.forgotten.at(user) {
            None => last,
            Some(forgotten) if is_before(forgotten) => return None,
            // In the same second, and yet after it: seconds are all that is kept of a login.
            Some(forgotten) => last.max(seconds(forgotten).saturating_add(1)),
        };
        let until = network.and_then(|network| book.revoked.until(user, network));
        let (network, last) = match until {
            None => (network, last),
            Some(until) if is_before(until) => (None, last),
            // In the second of the revocation, and yet after it: seconds are all that is kept of a pair.
            Some(until) => (network, last.max(seconds(until).saturating_add(1))),
        };
        book.add_login(user, network, last, self.capacity);
        Some((network, last))
    }

    fn is_fresh(&self, user: UserId, network: Option<NetworkKey>, when: u32) -> bool {
        let book = self.read();
        book.users.get(&user).is_some_and(|known| {
            network.is_none_or(|network| {
                let pair = known.pair(network.code());
                pair.is_some_and(|pair| when < pair.last.saturating_add(FRESH))
            })
        })
    }

    fn read(&self) -> RwLockReadGuard<'_, PairBook> {
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, PairBook> {
        self.book.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PairBook {
    fn network_trust(&self, network: NetworkKey) -> NetworkTrust {
        if self.networks.contains_key(&network.code()) {
            return NetworkTrust::Familiar;
        }
        match self.regions.contains_key(&network.region()) {
            true => NetworkTrust::Near,
            false => NetworkTrust::Unknown,
        }
    }

    fn known(&self) -> usize {
        self.users.len() + self.only_listed
    }

    fn count_listed(&mut self) {
        let users = &self.users;
        let only = self.listed.iter().filter(|user| !users.contains_key(user));
        self.only_listed = only.clone().count();
        self.local_parts.clear();
        for user in only.chain(users.keys()) {
            *self.local_parts.entry(user.local_part()).or_default() += 1;
        }
    }

    fn add_login(&mut self, user: UserId, network: Option<NetworkKey>, last: u32, capacity: usize) {
        let network = network.map(NetworkKey::code);
        let pair = network.map(|network| Pair::new(network, last));
        self.add(user, pair, last, capacity);
    }

    fn add(&mut self, user: UserId, pair: Option<Pair>, when: u32, capacity: usize) {
        if !self.users.contains_key(&user) {
            if self.is_crowded(user, capacity) {
                return;
            }
            self.make_room_for_user(capacity);
            if self.listed.contains(&user) {
                self.only_listed -= 1;
            } else {
                *self.local_parts.entry(user.local_part()).or_default() += 1;
            }
        }
        let known = self.users.entry(user).or_default();
        known.last = known.last.max(when);
        let Some(pair) = pair else { return };
        if let Some(held) = known.pairs.iter_mut().find(|p| p.network == pair.network) {
            held.last = held.last.max(pair.last);
            held.since = held.since.min(pair.since);
            return;
        }
        known.pairs.push(pair);
        self.take_in(pair.network);
        self.drop_oldest_of(user);
        if self.pairs > capacity {
            self.make_room_for_pairs(capacity);
        }
    }

    /// Whether names with this local part fill their share already, and this is one more. Else the one
    /// account of [`Familiar::users`] could push everybody else out.
    fn is_crowded(&self, user: UserId, capacity: usize) -> bool {
        let names = self.local_parts.get(&user.local_part());
        let share = (capacity / ROOM).max(LEAST_NAMES);
        names.is_some_and(|names| *names as usize >= share) && !self.listed.contains(&user)
    }

    fn drop_oldest_of(&mut self, user: UserId) {
        let Some(known) = self.users.get_mut(&user) else {
            return;
        };
        if known.pairs.len() <= NETWORKS {
            return;
        }
        let pairs = known.pairs.iter().enumerate();
        let Some((at, _)) = pairs.min_by_key(|(_, p)| p.last) else {
            return;
        };
        let gone = known.pairs.swap_remove(at);
        self.let_go(gone.network);
    }

    fn take_in(&mut self, network: u64) {
        self.pairs += 1;
        let users = self.networks.entry(network).or_default();
        *users += 1;
        if *users == 1
            && let Some(network) = NetworkKey::of_code(network)
        {
            *self.regions.entry(network.region()).or_default() += 1;
        }
    }

    fn let_go(&mut self, network: u64) {
        self.pairs -= 1;
        if count_down(&mut self.networks, &network)
            && let Some(network) = NetworkKey::of_code(network)
        {
            count_down(&mut self.regions, &network.region());
        }
    }

    fn retain(&mut self, keep: impl Fn(&Pair) -> bool) {
        let mut gone = Vec::new();
        for known in self.users.values_mut() {
            let old = known.pairs.extract_if(.., |pair| !keep(pair));
            gone.extend(old.map(|pair| pair.network));
        }
        for network in gone {
            self.let_go(network);
        }
    }
}

/// One less under this key; whether none is left.
fn count_down<K: Eq + Hash>(counts: &mut HashMap<K, u32>, key: &K) -> bool {
    let Some(count) = counts.get_mut(key) else {
        return false;
    };
    *count -= 1;
    let is_last = *count == 0;
    if is_last {
        counts.remove(key);
    }
    is_last
}

#[cfg(test)]
mod tests;
