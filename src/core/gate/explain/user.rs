//! user - what is known of one user, and of all: where familiar, what the buckets hold, what was decided last
//!
//! No name is kept: a user is found by the keyed hash of the name that the operator gives, and all of them are
//! hashes. Not here: what a client may do (`explain`).

use super::{Holding, Outlook, SHOWN};
use crate::gate::Gate;
use crate::gate::buckets::key::{BucketKey, Key};
use crate::gate::buckets::recent::Decision;
use crate::gate::buckets::spec::Bucket;
use crate::gate::buckets::tries::History;
use crate::gate::request::attempt::{Trust, UserName};
use crate::gate::request::client::{ClientKey, NetworkKey};
use crate::gate::request::device::DeviceTrust;
use crate::gate::request::device::{DeviceTicket, HashedDevice};
use crate::gate::request::keys::UserId;
use crate::gate::request::place::Located;
use crate::gate::request::settings::Mode;
use crate::gate::request::suspicion::{FarLogins, NewPlace, Suspicion, SuspicionCause};
use crate::gate::request::user_rule::UserRule;
use crate::gate::rules::Rules;
use crate::gate::trust::familiar::Known;
use crate::moment::Moment;

/// All that there is to say about a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserExplanation {
    /// Whether this user has ever logged in, was learnt, introduced or listed.
    pub known: bool,
    /// Whether the name is a trap for as long as it is not known.
    pub is_trap: bool,
    /// What the owner has set for this user.
    pub rule: Option<UserRule>,
    /// The last login, learnt ones and the introduction too; none if only listed.
    pub last: Option<Moment>,
    /// Where the user is familiar, the latest first.
    pub networks: Vec<UserNetwork>,
    /// Whether the password seems to be stolen.
    pub suspicion: Option<Suspicion>,
    /// The devices that have logged in as the user, the latest first.
    pub devices: Vec<UserDeviceStanding>,
    /// The buckets of the user, whatever the client.
    pub buckets: Vec<Holding>,
    /// The last decisions about the user, latest first.
    pub decisions: Vec<Decision>,
    /// Until when what most buckets refuse is forgiven.
    pub settling_until: Option<Moment>,
    /// Whether refusals are meant.
    pub mode: Mode,
}

/// A user whose password seems to be stolen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuspectedUser {
    /// The user.
    pub user: UserId,
    /// Why.
    pub cause: SuspicionCause,
    /// Since when.
    pub since: Moment,
}

/// A network where a user has logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserNetwork {
    /// The network.
    pub network: NetworkKey,
    /// The first login there that this process knows of: after a restart, the last one before it.
    pub since: Moment,
    /// The last login there.
    pub last: Moment,
    /// How far the user is trusted there.
    pub trust: Trust,
    /// What a new password that is no word would be answered, from a client there that is not banned itself.
    pub outlook: Outlook,
}

/// A device that has logged in as a user. It has no name: what a ticket holds is a random number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserDeviceStanding {
    /// The last login from it.
    pub last: Moment,
    /// Whether it has come back with its ticket; else its program may keep none.
    pub ticket: DeviceTicket,
    /// Whether it is familiar: not if the password was changed since.
    pub is_familiar: bool,
    /// Wrong passwords since its last login.
    pub failures: u8,
}

/// One of the known users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownUser {
    /// The keyed hash of the name.
    pub id: UserId,
    /// The last login; none if only listed.
    pub last: Option<Moment>,
    /// Where the user is familiar and when the last login there was, the latest first.
    pub networks: Vec<(NetworkKey, Moment)>,
    /// How many devices have logged in as this user.
    pub devices: usize,
}

impl Gate {
    /// What is known of a user, whose networks are where `country_of` says. Takes nothing.
    pub fn explain_user(
        &self,
        user: &UserName,
        country_of: impl Fn(ClientKey) -> Located,
        now: Moment,
    ) -> UserExplanation {
        let rules = self.rules.load();
        let id = self.user(user);
        let known = self.familiar.batch(&[id]).pop().map(|(_, known)| known);
        let pairs = known.as_ref().map(Known::latest_first).unwrap_or_default();
        let networks = pairs.iter().filter_map(|pair| {
            let network = NetworkKey::of_code(pair.network)?;
            let client = ClientKey::new(network.address());
            let standing = self.user_standing(&rules, (client, country_of(client)), user, now);
            Some(UserNetwork {
                network,
                since: Moment::from_seconds(u64::from(pair.since)),
                last: Moment::from_seconds(u64::from(pair.last)),
                trust: standing.trust,
                outlook: standing.outlook,
            })
        });
        UserExplanation {
            known: self.familiar.is_known(id),
            is_trap: rules.is_trap(id),
            rule: rules.of_user(id).map(|rule| rule.written.clone()),
            last: known.as_ref().map(|known| moment(known.last)),
            networks: networks.collect(),
            suspicion: self.suspicion(id),
            devices: self.devices_of(id, now),
            buckets: self.buckets_of_user(&rules, user, id, now),
            decisions: self.recent.find(SHOWN, |decision| decision.user == id),
            settling_until: self.settling_until(&rules, now),
            mode: rules.mode,
        }
    }

    /// Whether the password of this user seems to be stolen, and why.
    pub(in crate::gate) fn suspicion(&self, user: UserId) -> Option<Suspicion> {
        let held = self.new_places.of(user)?;
        let (cause, since) = held.suspected?;
        let mut places: Vec<NewPlace> = held.places.iter().map(|held| held.place.shown()).collect();
        places.sort_by_key(|place| place.at);
        Some(Suspicion {
            since: moment(since),
            cause,
            far_logins: match cause.may_hold() {
                true => self.rules.load().stolen.far_logins,
                false => FarLogins::Tell,
            },
            places,
        })
    }

    /// All users whose password seems to be stolen, the latest first.
    pub fn suspected_users(&self) -> Vec<SuspectedUser> {
        let held = self.new_places.all_suspected().into_iter();
        let suspected = held.map(|(user, cause, since)| SuspectedUser {
            user,
            cause,
            since: moment(since),
        });
        let mut suspected: Vec<_> = suspected.collect();
        suspected.sort_by_key(|one| (std::cmp::Reverse(one.since), one.user));
        suspected
    }

    /// How many sessions at once the owner has set for this user.
    pub fn sessions_of(&self, user: UserId) -> Option<usize> {
        let rules = self.rules.load();
        rules.of_user(user)?.written.sessions
    }

    /// Whether a name is a trap for as long as it is not known.
    pub fn is_trap(&self, user: &UserName) -> bool {
        self.rules.load().is_trap(self.user(user))
    }

    /// All known users, the last to log in first.
    pub fn users(&self) -> Vec<KnownUser> {
        let logged_in = self.familiar.batch(&self.familiar.ids());
        let mut users: Vec<_> = logged_in
            .into_iter()
            .map(|(id, known)| KnownUser {
                devices: self.devices.of_user(id).len(),
                ..known_user((id, known))
            })
            .collect();
        let listed = self.familiar.only_listed().into_iter();
        users.extend(listed.map(|id| KnownUser {
            id,
            last: None,
            networks: Vec::new(),
            devices: 0,
        }));
        users.sort_by_key(|user| (std::cmp::Reverse(user.last), user.id));
        users
    }

    fn devices_of(&self, user: UserId, now: Moment) -> Vec<UserDeviceStanding> {
        let since = self.passwords.proven_since(user);
        let devices = self.devices.of_user(user).into_iter();
        devices
            .map(|held| {
                let back = HashedDevice {
                    id: held.id,
                    ticket: DeviceTicket::Returned,
                };
                let trust = self.devices.trust(user, back, since, now);
                UserDeviceStanding {
                    last: moment(held.last),
                    ticket: held.ticket,
                    is_familiar: trust == DeviceTrust::Familiar,
                    failures: held.failures,
                }
            })
            .collect()
    }

    fn buckets_of_user(
        &self,
        rules: &Rules,
        user: &UserName,
        id: UserId,
        now: Moment,
    ) -> Vec<Holding> {
        // Who pays depends on whether the user is known, which no network changes.
        let anywhere = ClientKey::new(std::net::Ipv4Addr::UNSPECIFIED.into());
        let who = self.context(id, anywhere.network(), now);
        let payer = self.payer(user, id, &who);
        let mut keys = vec![
            BucketKey::Keyed(Bucket::UserNear, Key::near(payer)),
            BucketKey::Keyed(Bucket::UserFar, Key::far(payer)),
        ];
        if self.is_settling(rules, now) {
            keys.push(BucketKey::Keyed(Bucket::SettlingUser, Key::settling(payer)));
        }
        let holding = |key| self.holding(rules, History::First, key, who.users, now);
        keys.into_iter().map(holding).collect()
    }
}

fn known_user((id, known): (UserId, Known)) -> KnownUser {
    let network = |pair: &crate::gate::trust::familiar::Pair| {
        Some((NetworkKey::of_code(pair.network)?, moment(pair.last)))
    };
    KnownUser {
        id,
        last: Some(moment(known.last)),
        networks: known.latest_first().iter().filter_map(network).collect(),
        devices: 0,
    }
}

fn moment(seconds: u32) -> Moment {
    Moment::from_seconds(u64::from(seconds))
}
