//! operator - what the operator may do by hand, and what old logs teach
//!
//! Not here: what the operator may ask (`explain`), and through which socket (`admin`).

use std::sync::atomic::Ordering;

use ipnet::IpNet;

use crate::gate::buckets::key::{BucketKey, Key};
use crate::gate::buckets::spec::BUCKETS;
use crate::gate::buckets::strike_count::Strikes;
use crate::gate::request::attempt::{Trust, UserName};
use crate::gate::request::change::{BanCause, Change, Fact, Forgiven, ForgivenUser, Subject};
use crate::gate::request::client::{ClientKey, NetworkKey};
use crate::gate::request::keys::UserId;
use crate::gate::request::lists::{ListEntry, ListRefusal, ListingCounts, ListingNews};
use crate::gate::request::names::Characters;
use crate::gate::request::settings::Mode;
use crate::gate::request::verdict::Standing;
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
    /// Bans by hand until `until`, in a dry run too: everybody there, familiar users and the allow list too.
    /// Open sessions are not ended here; [`Gate::bars`] says which ought to.
    pub fn ban(&self, subject: Subject, until: Moment, now: Moment, changes: &mut Changes) {
        let ban = Ban {
            until,
            cause: BanCause::Operator,
            mode: Mode::Enforce,
        };
        let strikes = match subject {
            Subject::Client(client) => self.buckets.row(Key::client(client)).strikes_at(now),
            Subject::Network(_) => Strikes::NONE,
        };
        self.bans
            .begin(subject, ban, strikes.in_file(), now, changes);
    }

    /// Lifts a ban, and a client's strikes with it; whether there was one.
    pub fn unban(&self, subject: Subject, now: Moment, changes: &mut Changes) -> bool {
        if let Subject::Client(client) = subject {
            self.buckets.forget_strikes(Key::client(client), now);
        }
        self.bans.lift(subject, now, changes)
    }

    /// Takes over a published list of networks in place of its source's old one, whole or not at all. Until it ends its
    /// clients stand as if they had an automatic ban.
    ///
    /// # Errors
    ///
    /// Why it is not taken; then the old one stays.
    pub fn import_list(
        &self,
        source: &str,
        networks: &[IpNet],
        until: Moment,
    ) -> Result<(), ListRefusal> {
        self.bans.lists.replace(source, networks, until)
    }

    /// Removes a source's list; whether there was one.
    pub fn remove_list(&self, source: &str) -> bool {
        self.bans.lists.remove(source)
    }

    /// The published lists.
    pub fn lists(&self) -> Vec<ListEntry> {
        self.bans.lists.all()
    }

    /// The networks of a source's list, for who keeps it; none: it has no list.
    pub fn networks_of_list(&self, source: &str) -> Option<Vec<IpNet>> {
        self.bans.lists.networks(source)
    }

    /// Takes over what a program beside Gatepost decides about networks: until the end of each entry its clients stand as if
    /// they had an automatic ban.
    pub fn take_listings(&self, news: &ListingNews) -> ListingCounts {
        self.bans.feed.take(news)
    }

    /// How many such entries are in force, and the last of their ends; none: there are none.
    pub fn listings(&self, now: Moment) -> Option<(usize, Moment)> {
        self.bans.feed.count(now)
    }

    /// All bans, the one that ends first at the front.
    pub fn bans(&self, now: Moment) -> Vec<BanEntry> {
        let bans = self.bans.all(now).into_iter();
        bans.map(|(subject, ban)| BanEntry::new(subject, ban))
            .collect()
    }

    /// The `most` bans that end first.
    pub fn first_bans(&self, most: usize, now: Moment) -> Vec<BanEntry> {
        let bans = self.bans.first(most, now).into_iter();
        bans.map(|(subject, ban)| BanEntry::new(subject, ban))
            .collect()
    }

    /// Whether exactly this subject is banned.
    pub fn is_banned(&self, subject: Subject, now: Moment) -> bool {
        self.bans.exactly(subject, now).is_some()
    }

    /// Fills the buckets that a client pays from whatever the user, its network's among them, and lifts
    /// their bans and strikes; of its network no ban by hand, which is about others too.
    pub fn forgive_client(&self, client: ClientKey, now: Moment, changes: &mut Changes) {
        let network = client.network();
        self.fill_buckets_of_client(client);
        self.tries.forget_client(client);
        self.bans.lift(Subject::Client(client), now, changes);
        let network = Subject::Network(network);
        if self
            .bans
            .exactly(network, now)
            .is_some_and(|ban| !ban.is_by_hand())
        {
            self.bans.lift(network, now, changes);
        }
        changes.push(Change::here(now, Fact::Forgiven(Forgiven::Client(client))));
    }

    /// Fills the buckets that a client pays from whatever the user.
    pub(in crate::gate) fn fill_buckets_of_client(&self, client: ClientKey) {
        for spec in &BUCKETS {
            let key = BucketKey::of(spec.bucket, client, None, &self.keys);
            if let Some(BucketKey::Keyed(_, key)) = key {
                self.buckets.forget(key);
            }
        }
    }

    /// Fills the buckets of a user: near, far, at each device, and in each network where that user is familiar.
    pub fn forgive_user(&self, user: &UserName, now: Moment, changes: &mut Changes) {
        let user = self.user(user);
        self.fill_buckets_of(user);
        self.tries.forget_user(user);
        changes.extend(self.new_places.clear(user, now));
        let user = ForgivenUser(user);
        changes.push(Change::here(now, Fact::Forgiven(Forgiven::User(user))));
    }

    /// Fills the buckets of a user: of one that is not known, those that all with such a name pay from.
    pub(in crate::gate) fn fill_buckets_of(&self, user: UserId) {
        self.buckets.forget(Key::near(user));
        self.buckets.forget(Key::far(user));
        self.buckets.forget(Key::user_credit(user));
        if !self.familiar.is_known(user) {
            for characters in [Characters::Plain, Characters::Unusual] {
                self.buckets.forget(Key::far(user.unknown(characters)));
            }
        }
        for network in self.familiar.networks(user) {
            let pair = self.keys.pair(user, network);
            self.buckets.forget(Key::pair(pair));
            self.buckets.forget(Key::unproven(pair));
        }
        for device in self.devices.of_user(user) {
            let pair = self.keys.at_device(user, device.id);
            self.buckets.forget(Key::device(pair));
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
        let user = self.user(user);
        let trust = network.map(|network| self.context(user, network, now).trust);
        match trust {
            // However short ago the last login was: it proves nothing.
            Some(Trust::Unproven) => {
                changes.extend(self.familiar.note_login(user, network, now, now));
            }
            _ => self.login(user, network, now, now, changes),
        }
    }

    /// Takes back that a user is familiar in `network`, or everywhere; in how many networks that was so. All devices of the
    /// user are taken back with either.
    ///
    /// Logins that were judged before, and those that old logs show, do not count for it any more. The user
    /// stays known.
    pub fn revoke(
        &self,
        user: &UserName,
        network: Option<NetworkKey>,
        now: Moment,
        changes: &mut Changes,
    ) -> usize {
        let user = self.user(user);
        let (taken, change) = self.familiar.revoke(user, network, now);
        // Nobody knows whose they are: a thief may have logged in here with one, and be elsewhere now.
        self.devices.take_back(user, now);
        if network.is_none() {
            // No network is left to be unproven, nor one that others could be far from.
            self.passwords.forget(user);
            changes.extend(self.new_places.clear(user, now));
        }
        changes.push(change);
        taken.len()
    }

    /// Makes a user unknown, and so familiar nowhere; in how many networks the user was familiar. One who stands in the
    /// `users` file stays known.
    ///
    /// What is counted against the name stays: nobody gets a new attempt by it. Logins that were judged before, and those
    /// that old logs show, make nobody known again.
    pub fn forget(&self, user: &UserName, now: Moment, changes: &mut Changes) -> usize {
        let networks = self.revoke(user, None, now, changes);
        changes.push(self.familiar.forget(self.user(user), now));
        networks
    }

    /// The user of this name, as the tables know one.
    pub fn user_id(&self, user: &UserName) -> UserId {
        self.user(user)
    }

    /// Takes over a login of the past: the user is known, and for 90 days from `when` familiar in
    /// the client's network, unless that was taken back since. Only ever adds, and nothing of a decoy.
    pub fn learn(
        &self,
        user: &UserName,
        client: ClientKey,
        when: Moment,
        now: Moment,
        changes: &mut Changes,
    ) {
        let network = Some(client.network());
        self.learn_of(user, network, (when, now), changes);
    }

    /// Takes over a login that nobody has judged, and of which was told `now`; `when` it was at the earliest.
    pub fn learn_unjudged(
        &self,
        user: &UserName,
        client: ClientKey,
        (when, now): (Moment, Moment),
        changes: &mut Changes,
    ) {
        let network = match self.standing(client, now) {
            Standing::Deny | Standing::Banned => return,
            // The network says nothing of a user.
            Standing::Allow => None,
            Standing::Familiar | Standing::Stranger => Some(client.network()),
        };
        self.learn_of(user, network, (when, now), changes);
    }

    /// Who logs in to a mailbox that nobody has is a thief.
    fn learn_of(
        &self,
        user: &UserName,
        network: Option<NetworkKey>,
        (when, now): (Moment, Moment),
        changes: &mut Changes,
    ) {
        let user = self.user(user);
        if !self.rules.load().is_decoy(user) {
            self.login(user, network, when, now, changes);
        }
    }

    /// Ends settling in: all users who should be familiar were learnt. The change, if it had not been ended before.
    pub fn end_settling(&self, now: Moment) -> Option<Change> {
        let since = self.settling.swap(0, Ordering::Relaxed);
        (since != 0).then(|| Change::here(now, Fact::SettlingEnded))
    }

    /// The same where no journal has to say it, for what ended it does so again at the next start.
    pub fn finish_settling(&self) {
        self.settling.store(0, Ordering::Relaxed);
    }
}
