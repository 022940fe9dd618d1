//! operator - what the operator may do by hand, and what old logs teach
//!
//! Not here: what the operator may ask (`explain`), and through which socket (`admin`).

use std::sync::atomic::Ordering;

use crate::gate::buckets::key::{BucketKey, Key};
use crate::gate::buckets::spec::BUCKETS;
use crate::gate::request::attempt::UserName;
use crate::gate::request::change::{BanCause, Change, Fact, Forgiven, ForgivenUser, Subject};
use crate::gate::request::client::{ClientKey, NetworkKey};
use crate::gate::request::keys::UserId;
use crate::gate::request::settings::Mode;
use crate::gate::trust::ban::Ban;
use crate::gate::{Changes, Gate};
use crate::moment::Moment;

/// One ban, as it is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BanEntry {
    /// The client or network.
    pub subject: Subject,
    /// When it ends.
    pub until: Moment,
    /// What it is for.
    pub cause: BanCause,
    /// Whether it is meant; one that began in a dry run is only told.
    pub mode: Mode,
}

impl BanEntry {
    pub(in crate::gate) fn new(subject: Subject, ban: Ban) -> Self {
        Self {
            subject,
            until: ban.until,
            cause: ban.cause,
            mode: ban.mode,
        }
    }
}

impl Gate {
    /// Bans by hand until `until`, in a dry run too. Familiar pairs are not refused by it either.
    pub fn ban(&self, subject: Subject, until: Moment, now: Moment, changes: &mut Changes) {
        let ban = Ban {
            until,
            cause: BanCause::Operator,
            mode: Mode::Enforce,
        };
        let strikes = match subject {
            Subject::Client(client) => self.buckets.row(Key::client(client)).strikes_at(now),
            Subject::Network(_) => 0,
        };
        self.bans.begin(subject, ban, strikes, now, changes);
    }

    /// Lifts a ban, and a client's strikes with it; whether there was one.
    pub fn unban(&self, subject: Subject, now: Moment, changes: &mut Changes) -> bool {
        if let Subject::Client(client) = subject {
            self.buckets.forget_strikes(Key::client(client), now);
        }
        self.bans.lift(subject, now, changes)
    }

    /// All bans, the one that ends first at the front.
    pub fn bans(&self, now: Moment) -> Vec<BanEntry> {
        let bans = self.bans.all(now).into_iter();
        bans.map(|(subject, ban)| BanEntry::new(subject, ban))
            .collect()
    }

    /// Fills the buckets that a client pays from whatever the user, its network's among them, and lifts
    /// their bans and strikes.
    pub fn forgive_client(&self, client: ClientKey, now: Moment, changes: &mut Changes) {
        let network = client.network();
        for spec in &BUCKETS {
            let key = BucketKey::of(spec.bucket, client, None, &self.keys);
            if let Some(BucketKey::Keyed(_, key)) = key {
                self.buckets.forget(key);
            }
        }
        self.tries.forget_client(client);
        self.bans.lift(Subject::Client(client), now, changes);
        self.bans.lift(Subject::Network(network), now, changes);
        changes.push(Change::here(now, Fact::Forgiven(Forgiven::Client(client))));
    }

    /// Fills the buckets of a user: near, far, and in each network where that user is familiar.
    pub fn forgive_user(&self, user: &UserName, now: Moment, changes: &mut Changes) {
        let user = self.keys.user(user);
        self.fill_buckets_of(user);
        self.tries.forget_user(user);
        let user = ForgivenUser(user);
        changes.push(Change::here(now, Fact::Forgiven(Forgiven::User(user))));
    }

    /// Fills the buckets of a user.
    pub(in crate::gate) fn fill_buckets_of(&self, user: UserId) {
        self.buckets.forget(Key::near(user));
        self.buckets.forget(Key::far(user));
        for network in self.familiar.networks(user) {
            let pair = self.keys.pair(user, network);
            self.buckets.forget(Key::pair(pair));
            self.buckets.forget(Key::unproven(pair));
        }
    }

    /// Makes a user known, and familiar in `network` if one is given, as by a login now.
    pub fn introduce(
        &self,
        user: &UserName,
        network: Option<NetworkKey>,
        now: Moment,
        changes: &mut Changes,
    ) {
        self.login(self.keys.user(user), network, now, now, changes);
    }

    /// Takes over a login of the past: the user is known, and for 90 days from `when` familiar in
    /// the client's network. Only ever adds.
    pub fn learn(
        &self,
        user: &UserName,
        client: ClientKey,
        when: Moment,
        now: Moment,
        changes: &mut Changes,
    ) {
        let network = Some(client.network());
        self.login(self.keys.user(user), network, when, now, changes);
    }

    /// Ends settling in: all users who should be familiar were learnt.
    pub fn finish_settling(&self) {
        self.settling.store(0, Ordering::Relaxed);
    }
}
