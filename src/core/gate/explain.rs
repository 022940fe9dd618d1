//! explain - why: what each bucket holds, who is banned, and what was decided last
//!
//! Plain values with `Display` where a text is called for; looking takes nothing.
//! Not here: how it is printed (`cli`) or sent (`admin`).

use std::time::Duration;

use crate::gate::buckets::counters::Tally;
use crate::gate::buckets::key::{BucketKey, Key};
use crate::gate::buckets::recent::Decision;
use crate::gate::buckets::spec::{BUCKETS, Bucket, Payers};
use crate::gate::buckets::strike_count::Strikes;
use crate::gate::buckets::tries::History;
use crate::gate::ladder::kept;
use crate::gate::operator::BanEntry;
use crate::gate::request::attempt::{Trust, UserName};
use crate::gate::request::client::ClientKey;
use crate::gate::request::keys::UserId;
use crate::gate::request::place::Located;
use crate::gate::request::settings::Mode;
use crate::gate::request::verdict::{BanCause, Reason, Standing, Subject};
use crate::gate::rules::Rules;
use crate::gate::{Gate, Restored};
use crate::moment::Moment;

mod outlook;
mod user;

pub use outlook::{Outlook, Unnamed, UserStanding};
pub use user::{KnownUser, SuspectedUser, UserDeviceStanding, UserExplanation, UserNetwork};

/// Decisions that an explanation shows.
const SHOWN: usize = 20;

/// What one bucket holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Which bucket, by the reason it refuses with.
    pub bucket: Reason,
    /// Whole tokens in it.
    pub tokens: u32,
    /// Tokens when it is full.
    pub burst: u32,
    /// The time in which one token comes back.
    pub every: Duration,
    /// The same for all machines together: they divide the buckets that all clients share.
    pub whole: Duration,
    /// How long until it has a token for this client; zero if it has one.
    pub wait: Duration,
    /// The same for anybody, for some buckets keep their last tokens for retries and newcomers.
    pub waits: Waits,
}

/// How long until a bucket has a token; zero if it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// For what was refused and comes again.
    pub retry: Duration,
    /// For a client that has tried nothing else.
    pub newcomer: Duration,
    /// For all others.
    pub others: Duration,
}

/// All that there is to say about a client, and a user from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The client.
    pub client: ClientKey,
    /// What admission says.
    pub standing: Standing,
    /// The ban of the client.
    pub ban: Option<BanEntry>,
    /// The ban of its network.
    pub network_ban: Option<BanEntry>,
    /// Strikes that are not forgiven.
    pub strikes: u8,
    /// The user, if one was asked about.
    pub user: Option<UserStanding>,
    /// What is answered whatever the user.
    pub unnamed: Unnamed,
    /// The buckets, in the order in which they may refuse.
    pub buckets: Vec<Holding>,
    /// The last decisions about the client, and the user if one was asked about; latest first.
    pub decisions: Vec<Decision>,
    /// Until when what most buckets refuse is forgiven.
    pub settling_until: Option<Moment>,
    /// Whether refusals are meant.
    pub mode: Mode,
}

/// How the whole gate stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whether refusals are meant.
    pub mode: Mode,
    /// Until when what most buckets refuse is forgiven.
    pub settling_until: Option<Moment>,
    /// Users that we know.
    pub known_users: usize,
    /// Familiar pairs.
    pub familiar_pairs: usize,
    /// Familiar pairs that there is room for.
    pub pairs: usize,
    /// Devices that have logged in, each of one user.
    pub devices: usize,
    /// Bans.
    pub bans: usize,
    /// The same by cause, in the order of [`BanCause::ALL`].
    pub bans_by_cause: [usize; BanCause::ALL.len()],
    /// Rows of the bucket table.
    pub rows: usize,
    /// Rows that hold a debt or strikes.
    pub rows_used: usize,
    /// Rows that were evicted before they were clean.
    pub rows_evicted: u64,
    /// Pairs and users that were evicted.
    pub pairs_evicted: u64,
    /// Devices that were evicted because there was no room.
    pub devices_evicted: u64,
    /// Bans that ended early for want of room.
    pub bans_evicted: u64,
    /// Attempts without an answer whose tokens stay spent for want of room.
    pub held_evicted: u64,
    /// Times that other machines are not told what was spent of a bucket, for want of room.
    pub untold: u64,
    /// Clients whose credit was evicted, and tokens that were not earned, for want of room.
    pub credit_evicted: u64,
    /// Users whose password seems to be stolen.
    pub suspected: usize,
    /// Whether the backend is taken to be failing.
    pub backend_outage: bool,
    /// The shared buckets.
    pub shared: Vec<Holding>,
    /// What became of the attempts, by reason.
    pub tallies: Vec<Tally>,
}

impl Gate {
    /// Why a client, and a user from there, is treated as it is, wherever that is in the world. Takes nothing.
    pub fn explain(&self, client: ClientKey, user: Option<&UserName>, now: Moment) -> Explanation {
        self.explain_at((client, Located::default()), user, now)
    }

    /// The same of a client whose country is known.
    pub fn explain_at(
        &self,
        (client, country): (ClientKey, Located),
        user: Option<&UserName>,
        now: Moment,
    ) -> Explanation {
        let rules = self.rules.load();
        let known_users = self.familiar.users();
        let subject = |subject| {
            let ban = self.bans.exactly(subject, now);
            ban.map(|ban| BanEntry::new(subject, ban))
        };
        let keys = self.keys_of(client, user, now);
        let user_id = user.map(|user| self.user(user));
        // Without a user any try counts as one at somebody else.
        let row = self.buckets.row(Key::client(client));
        let past = self
            .tries
            .past(client, user_id.unwrap_or(UserId(0)), None, now);
        let network_ban = subject(Subject::Network(client.network()));
        let listed = self.bans.listed(client, now);
        let listed = listed.filter(|_| network_ban.is_none());
        let listed = listed.map(|ban| BanEntry::new(Subject::Client(client), ban));
        Explanation {
            client,
            standing: self.standing(client, now),
            ban: subject(Subject::Client(client)).or(listed),
            network_ban,
            strikes: row.strikes_at(now).count(rules.strikes),
            user: user.map(|user| self.user_standing(&rules, (client, country), user, now)),
            unnamed: self.unnamed(&rules, (client, country), now),
            buckets: keys
                .into_iter()
                .map(|key| self.holding(&rules, past.history, key, known_users, now))
                .collect(),
            decisions: self.recent.find(SHOWN, |decision| {
                decision.client == client && user_id.is_none_or(|user| decision.user == user)
            }),
            settling_until: self.settling_until(&rules, now),
            mode: rules.mode,
        }
    }

    /// The decisions of one session, latest first.
    pub fn explain_session(&self, session: u64) -> Vec<Decision> {
        self.recent
            .find(SHOWN, |decision| decision.session == session)
    }

    /// How the whole gate stands. Looks at every row: for an operator, not for every attempt.
    pub fn status(&self, now: Moment) -> Status {
        let rules = self.rules.load();
        let (known_users, familiar_pairs) = self.familiar.counts();
        let (bans, bans_evicted) = self.bans.counts();
        let (rows, rows_evicted) = self.buckets.table();
        let mut rows_used = 0;
        self.buckets.for_each(|_, _, row| {
            rows_used +=
                usize::from(row.arrival > now.as_nanos() || row.strikes_at(now) > Strikes::NONE);
        });
        Status {
            mode: rules.mode,
            settling_until: self.settling_until(&rules, now),
            known_users,
            familiar_pairs,
            pairs: self.familiar.capacity(),
            devices: self.devices.count(),
            bans,
            bans_by_cause: self.bans.by_cause(),
            rows,
            // The table may have a few rows more.
            rows_used: rows_used.min(rows),
            rows_evicted,
            pairs_evicted: self.familiar.evictions(),
            devices_evicted: self.devices.evictions(),
            bans_evicted,
            held_evicted: self.held.evictions(),
            untold: self.buckets.spending().lost(),
            credit_evicted: self.buckets.credit().evictions(),
            suspected: self.new_places.suspected(),
            backend_outage: self.outage.is_suspected(),
            shared: self.shared(now),
            tallies: self.counters.tallies(),
        }
    }

    /// What the shared buckets hold.
    pub fn shared(&self, now: Moment) -> Vec<Holding> {
        let rules = self.rules.load();
        let known_users = self.familiar.users();
        Bucket::all_shared()
            .filter(|bucket| {
                bucket.spec().payers != Payers::Forgiven || self.is_settling(&rules, now)
            })
            .map(|bucket| {
                let key = BucketKey::Shared(bucket);
                self.holding(&rules, History::First, key, known_users, now)
            })
            .collect()
    }

    /// What became of the attempts, by reason, since the start.
    pub fn tallies(&self) -> Vec<Tally> {
        self.counters.tallies()
    }

    /// Until when this state settles in; none if it does not.
    pub fn settles_until(&self, now: Moment) -> Option<Moment> {
        self.settling_until(&self.rules.load(), now)
    }

    /// What of the state of an earlier process could not be taken over.
    pub fn restored(&self) -> Restored {
        self.restored
    }

    /// Users that we know, and familiar pairs.
    pub fn known(&self) -> (usize, usize) {
        self.familiar.counts()
    }

    fn settling_until(&self, rules: &Rules, now: Moment) -> Option<Moment> {
        let since = self.settling.load(std::sync::atomic::Ordering::Relaxed);
        self.is_settling(rules, now)
            .then(|| Moment::from_nanos(since) + rules.settling)
    }

    /// The buckets that a client, or this user there, pays from in any case that may come.
    fn keys_of(&self, client: ClientKey, user: Option<&UserName>, now: Moment) -> Vec<BucketKey> {
        let settling = self.is_settling(&self.rules.load(), now);
        let named = user.map(|name| {
            let user = self.user(name);
            let who = self.context(user, client.network(), now);
            (self.payer(name, user, &who), who.trust)
        });
        let credit = self.buckets.credit().left(Key::client(client), now);
        let has_credit = credit > 0 && self.rules.load().earning.is_some();
        let user = named.map(|(payer, _)| payer);
        let trust = named.map(|(_, trust)| trust);
        BUCKETS
            .iter()
            .filter(|spec| match spec.payers {
                Payers::Familiar => trust == Some(Trust::Familiar),
                Payers::Unproven => trust == Some(Trust::Unproven),
                Payers::Device => false,
                Payers::Forgiven => settling,
                Payers::InCredit => has_credit,
                _ => true,
            })
            .filter_map(|spec| BucketKey::of(spec.bucket, client, user, &self.keys))
            .collect()
    }

    fn holding(
        &self,
        rules: &Rules,
        history: History,
        key: BucketKey,
        known: usize,
        now: Moment,
    ) -> Holding {
        let bucket = key.bucket();
        let limit = rules.limit(bucket, known);
        let wait = |history| {
            let kept = kept(bucket.spec().reserve, history);
            let peeked = self.buckets.peek(key, &limit, kept, now);
            peeked.err().unwrap_or_default()
        };
        Holding {
            bucket: Reason::Bucket(bucket),
            tokens: self.buckets.left(key, limit, now),
            // Beside its own a machine has at most one slice.
            burst: limit.burst() + rules.lent(bucket, known).map_or(0, |lent| lent.slice),
            every: Duration::from_nanos(limit.every()),
            whole: Duration::from_nanos(rules.whole(bucket, known).every()),
            wait: wait(history),
            waits: Waits {
                retry: wait(History::Retry),
                newcomer: wait(History::First),
                others: wait(History::Repeat),
            },
        }
    }
}
