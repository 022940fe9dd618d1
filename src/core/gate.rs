//! gate - the judge: who may try a password now, and why
//!
//! One attempt climbs the steps deny, operator's ban, the user's own rule, allow, countries, stolen, trap, ban, repeat, buckets
//! (`ladder`, `judge`); its outcome gives tokens back and makes a pair familiar (`settle`). Pure: no socket, no log, and time is an argument, so
//! the same code runs live, replays an old log, and simulates a botnet's month in seconds.
//!
//! Memory is fixed: every table has its capacity from the settings, and what a client sends makes
//! nothing grow. Concurrency is simple: every method takes `&self`, **no lock is ever held while
//! another is taken**, and none across more than one look at one structure. Tokens are taken before
//! Postfix is asked, so parallel attempts cannot overshoot; one that is refused halfway gives back.
//!
//! `sequence` puts both stages, the `queue` between them and the settlement in their order, for everybody that asks.
//! Not here: files (`store`), replies (`smtp::dialogue`).
//!
//! The rules, each with its reason, are in `gate/POLICY.md`:
//!
#![doc = include_str!("gate/POLICY.md")]

pub mod buckets;
pub mod explain;
pub mod operator;
pub mod permit;
pub mod processes;
pub mod queue;
pub mod request;
pub mod sequence;
pub mod spent;
pub mod state;
pub mod tell;

mod accept;
mod acquaintance;
mod case;
mod in_credit;
mod judge;
mod ladder;
mod lent;
mod merge;
mod orders;
mod replies;
mod rules;
mod settle;
mod settling;
mod settling_together;
mod trust;
mod turns_had;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use arc_swap::ArcSwap;

use crate::gate::buckets::bucket::Buckets;
use crate::gate::buckets::counters::DecisionCounters;
use crate::gate::buckets::held::HeldAttempts;
use crate::gate::buckets::rate::ClientRate;
use crate::gate::buckets::recent::Recent;
use crate::gate::buckets::repeats::RepeatLimit;
use crate::gate::buckets::tries::Tries;
use crate::gate::buckets::unsettled::Unsettled;
use crate::gate::buckets::words::{HashedWords, Seen};
use crate::gate::ladder::Question;
use crate::gate::merge::ForgivenElsewhere;
pub use crate::gate::merge::MOST_AHEAD;
use crate::gate::request::attempt::UserName;
use crate::gate::request::change::Change;
use crate::gate::request::client::{ClientKey, NetworkKey};
use crate::gate::request::device::Device;
use crate::gate::request::keys::UserId;
use crate::gate::request::names::NameFolding;
use crate::gate::request::place::SystemLookup;
use crate::gate::request::settings::{GateSettings, Mode};
use crate::gate::request::verdict::{Reason, Refusal, Standing};
use crate::gate::rules::Rules;
use crate::gate::trust::ban::Bans;
use crate::gate::trust::devices::Devices;
use crate::gate::trust::doubts::Doubts;
use crate::gate::trust::familiar::{Context, Familiar, NetworkTrust};
use crate::gate::trust::first_days::FirstDays;
use crate::gate::trust::new_places::NewPlaces;
use crate::gate::trust::outage::OutageDetector;
use crate::gate::trust::passwords::RightPasswords;
use crate::gate::trust::strikes::Offender;
use crate::gate::trust::systems::Systems;
use crate::gate::trust::typing_errors::TypingErrors;
use crate::gate::turns_had::TurnsHad;
use crate::moment::Moment;

pub use acquaintance::{Acquaintance, ConnectedClient};
pub use request::keys::Keys;
pub use state::restore::Restored;

/// What changed: pass it on in its order.
pub type Changes = Vec<Change>;

const HOUR: u64 = 3600;

/// The judge. Shared by all sessions; every method takes the present moment.
pub struct Gate {
    keys: Keys,
    names: NameFolding,
    /// What was known of users when names had another key. A user is moved here from there when the name is seen.
    before: Option<Box<Self>>,
    rules: ArcSwap<Rules>,
    buckets: Buckets,
    familiar: Familiar,
    systems: Systems,
    devices: Devices,
    new_places: NewPlaces,
    tries: Tries,
    seen: Seen,
    hashed_words: HashedWords,
    bans: Bans,
    repeats: RepeatLimit,
    held: HeldAttempts,
    unsettled: Unsettled,
    refused_at_accept: ClientRate,
    outage: OutageDetector,
    passwords: RightPasswords,
    doubts: Doubts,
    typing_errors: TypingErrors,
    forgiven: ForgivenElsewhere,
    counters: DecisionCounters,
    recent: Recent,
    /// Since when this state settles in, in nanoseconds since the epoch; 0: it does not.
    settling: AtomicU64,
    /// Whether nothing is forgiven yet, because other machines may have settled in long ago.
    waits_to_settle: AtomicBool,
    first_days: FirstDays,
    turns_had: TurnsHad,
    /// How much of the state of an earlier process could not be taken over.
    restored: Restored,
    /// How far the clock on the wall is ahead of the gate's moments, in nanoseconds: for the next process, which
    /// begins by that clock.
    wall: AtomicI64,
    /// When the backend last accepted or rejected anybody, in nanoseconds since the epoch.
    answered: AtomicU64,
    /// The hour of the last sweep.
    swept: AtomicU64,
}

impl Gate {
    /// A gate that knows nobody: it settles in from `now` on.
    pub fn new(settings: GateSettings, keys: Keys, now: Moment) -> Self {
        let clients = settings.capacity.clients;
        let few = |rows: usize| rows.max(512);
        let names = NameFolding::new(&settings.names);
        let gate = Self {
            rules: ArcSwap::from_pointee(Rules::new(&settings, &names, &keys)),
            buckets: Buckets::new(clients, &keys.table),
            familiar: Familiar::new(settings.capacity.pairs),
            systems: Systems::default(),
            // Beside the 24 octets of a bucket these add 7 for every address.
            devices: Devices::new(few(settings.capacity.pairs / 2)),
            new_places: NewPlaces::new(few(settings.capacity.pairs / 4)),
            tries: Tries::new(few(clients / 24), few(clients / 64), &keys.table),
            seen: Seen::new(few(clients / 16), &keys.table),
            hashed_words: HashedWords::default(),
            bans: Bans::new((clients / 8).max(1024)),
            repeats: RepeatLimit::default(),
            held: HeldAttempts::default(),
            unsettled: Unsettled::default(),
            refused_at_accept: ClientRate::new(
                accept::REFUSED_AT_ACCEPT,
                accept::ROWS,
                &keys.table,
            ),
            outage: OutageDetector::default(),
            passwords: RightPasswords::new(
                few(settings.capacity.pairs / 4),
                settings.capacity.pairs,
                &keys.table,
            ),
            doubts: Doubts::default(),
            typing_errors: TypingErrors::default(),
            forgiven: ForgivenElsewhere::new(now),
            counters: DecisionCounters::default(),
            recent: Recent::default(),
            settling: AtomicU64::new(now.as_nanos().max(1)),
            waits_to_settle: AtomicBool::new(false),
            first_days: FirstDays::default(),
            turns_had: TurnsHad::new(&keys.table),
            restored: Restored::default(),
            wall: AtomicI64::new(0),
            answered: AtomicU64::new(0),
            swept: AtomicU64::new(now.as_seconds() / HOUR),
            keys,
            names,
            before: None,
        };
        gate.list_users(&settings);
        gate
    }

    /// Tells the gate what the clock on the wall shows at `now`. It judges by moments alone; a snapshot says both,
    /// so that the next process knows how much time has gone by, also where that clock was set meanwhile.
    pub fn set_wall(&self, now: Moment, wall: Moment) {
        let ahead = wall.as_nanos().wrapping_sub(now.as_nanos());
        self.wall.store(ahead.cast_signed(), Ordering::Relaxed);
    }

    /// From now on `lookup` is asked which autonomous system announces a network.
    pub fn ask_systems(&self, lookup: Arc<dyn SystemLookup>) {
        self.systems.ask(lookup);
    }

    /// How a client stands when it connects.
    pub fn standing(&self, client: ClientKey, now: Moment) -> Standing {
        let rules = self.rules.load();
        if rules.denies(client) {
            return Standing::Deny;
        }
        if self.bans.by_hand(client, now).is_some() {
            return Standing::Banned;
        }
        if rules.allows(client) {
            return Standing::Allow;
        }
        match self.familiar.network_trust(client.network()) {
            NetworkTrust::Familiar => Standing::Familiar,
            // The ban holds, but not for those of its users who are near: which user it is becomes known at AUTH.
            NetworkTrust::Near => Standing::Stranger,
            NetworkTrust::Unknown => match self.bans.of(client, now) {
                Some(ban) if ban.holds(rules.mode) => Standing::Banned,
                _ => Standing::Stranger,
            },
        }
    }

    /// Whether any rule is about countries.
    pub fn asks_countries(&self) -> bool {
        self.rules.load().asks_countries
    }

    /// Whether the operator wants nothing of this client: it is on the deny list, or banned by hand. Then its
    /// open sessions end too.
    pub fn bars(&self, client: ClientKey, now: Moment) -> bool {
        self.rules.load().denies(client) || self.bans.by_hand(client, now).is_some()
    }

    /// Checks the HELO or EHLO name against the traps: one bans the client, or costs three tokens where
    /// somebody is familiar. The refusal, if the client is to be refused.
    pub fn helo(
        &self,
        client: ClientKey,
        name: &[u8],
        now: Moment,
        changes: &mut Changes,
    ) -> Option<Refusal> {
        let rules = self.rules.load();
        if !rules.is_trap_helo(name) || rules.allows(client) {
            return None;
        }
        let network = self.familiar.network_trust(client.network());
        let offender = Offender { client, network };
        let wait = self.touch_trap(&rules, offender, now, changes);
        let reason = Reason::Trap;
        if rules.mode == Mode::DryRun {
            self.counters.would_refuse(reason);
            return None;
        }
        self.counters.refuse(reason);
        Some(Refusal { reason, wait })
    }

    /// Whether a client that has not named its user yet (CRAM-MD5) would be refused whatever name
    /// comes. Takes nothing.
    pub fn peek(&self, visitor: impl Into<ConnectedClient>, now: Moment) -> Option<Refusal> {
        let ConnectedClient { client, device } = visitor.into();
        if self.may_be_familiar(device) {
            return None;
        }
        self.ask_unnamed(client, now, |question| question.certain())
    }

    /// Whether somebody has logged in from this device: then whatever is known of its address is not all.
    fn may_be_familiar(&self, device: Option<Device>) -> bool {
        device.is_some_and(|device| self.devices.is_known(self.keys.device(device)))
    }

    /// What is known of a client that has not named its user.
    fn ask_unnamed<T>(
        &self,
        client: ClientKey,
        now: Moment,
        ask: impl FnOnce(&Question<'_>) -> T,
    ) -> T {
        let rules = self.rules.load();
        let ban = self.bans.of(client, now);
        ask(&Question {
            gate: self,
            rules: &rules,
            client,
            attempt: None,
            network: self.familiar.network_trust(client.network()),
            ban: ban.as_ref(),
            settling: self.is_settling(&rules, now),
            now,
        })
    }

    /// Once a second: ends the bans whose time is over, and forgets what is too old.
    pub fn tick(&self, now: Moment, changes: &mut Changes) {
        self.bans.expire(now, changes);
        self.outage.tick(now, changes);
        self.doubts.tick(now);
        let hour = now.as_seconds() / HOUR;
        if self.swept.swap(hour, Ordering::Relaxed) != hour {
            if let Some(before) = &self.before {
                before.familiar.sweep(now);
                before.passwords.sweep(now);
            }
            self.familiar.sweep(now);
            self.devices.sweep(now);
            let far_logins = self.rules.load().stolen.far_logins;
            self.new_places.sweep(far_logins, now);
            self.passwords.sweep(now);
            if !self.is_settling(&self.rules.load(), now) {
                self.typing_errors.clear();
            }
        }
    }

    /// Takes over new settings; capacities and the folding of names stay. What a dry run did is cleared when it ends.
    pub fn reconfigure(&self, settings: GateSettings, now: Moment, changes: &mut Changes) {
        self.list_users(&settings);
        let new = Arc::new(Rules::new(&settings, &self.names, &self.keys));
        let old = self.rules.swap(new.clone());
        if old.nonce != new.nonce {
            self.hashed_words.clear();
        }
        let known = self.familiar.users();
        self.buckets
            .cut_keyed(|bucket| new.longest_debt(bucket, known), now);
        self.buckets
            .cut_shared(|bucket| new.limit(bucket, known), now, changes);
        if old.mode == Mode::DryRun && settings.mode == Mode::Enforce {
            self.buckets.clear(now, changes);
            self.bans.clear(now, changes);
            self.tries.clear();
            self.doubts.clear();
            self.seen.clear();
        }
    }

    /// The user of a name.
    fn user(&self, name: &UserName) -> UserId {
        let name = self.names.fold(name);
        let user = self.keys.user(&name);
        if let Some(before) = &self.before {
            self.take_from(before, before.keys.user(&name), user);
        }
        user
    }

    /// The user who pays for an attempt: the user of this name, or if there is none here, all unknown users with such
    /// names together.
    fn payer(&self, name: &UserName, user: UserId, who: &Context) -> UserId {
        match who.known {
            true => user,
            false => self.payer_if_unknown(name, user),
        }
    }

    fn payer_if_unknown(&self, name: &UserName, user: UserId) -> UserId {
        user.unknown(self.names.fold(name).characters())
    }

    fn list_users(&self, settings: &GateSettings) {
        let listed = rules::users(&settings.users, &self.names, &self.keys);
        self.familiar.list(listed);
    }

    /// Whether what most buckets refuse is forgiven, because nobody was familiar at first.
    fn is_settling(&self, rules: &Rules, now: Moment) -> bool {
        !self.waits_to_settle.load(Ordering::Relaxed) && self.is_new(rules, now)
    }

    /// Makes `user` known, and familiar in `network`, after a login.
    fn login(
        &self,
        user: UserId,
        network: Option<NetworkKey>,
        when: Moment,
        now: Moment,
        changes: &mut Changes,
    ) {
        changes.extend(self.familiar.login(user, network, when, now));
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gate(..)")
    }
}

#[cfg(test)]
mod tests;
