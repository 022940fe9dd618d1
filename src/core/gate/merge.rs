//! merge - what other machines of a cluster tell, taken into this gate
//!
//! Facts come twice, late and in any order; what is no news changes nothing, and is not told on. A fact of a moment that is later
//! than a clock can be ahead is taken as one of now, with all its moments, so that no machine decides for the future.
//! What a fact does here is what it did there: a ban holds, a forgotten user is unknown, a familiar pair is familiar.
//! Not here: how facts travel (the daemon's `cluster`), as octets (`tell`), those of before a restart (`state::restore`).

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::gate::buckets::key::Key;
use crate::gate::buckets::table::seconds;
use crate::gate::request::change::{
    BanEnd, BanEnding, BanStart, Change, Fact, Forgiven, ForgivenUser, ForgottenUser, Origin,
    Revocation, Subject,
};
use crate::gate::request::settings::Mode;
use crate::gate::trust::ban::{Ban, HeldBan};
use crate::gate::{Changes, Gate};
use crate::moment::Moment;

/// How far another machine's clock may be ahead.
pub const MOST_AHEAD: Duration = Duration::from_secs(10);
const NANOS: u128 = 1_000_000_000;
/// What was forgiven is remembered in so many cases, and not forgiven once more: otherwise somebody who repeats records would
/// empty buckets with it.
const FORGIVEN_KEPT: usize = 1024;
/// What was forgiven so long before a process without a state began is old.
const FORGIVEN_BEFORE: Duration = Duration::from_secs(3600);

impl Gate {
    /// Takes in a fact of another machine; what that changed here.
    pub fn merge(&self, told: &Change, now: Moment, changes: &mut Changes) {
        let told = not_ahead(told, now);
        let at = told.at;
        match told.fact {
            Fact::BanBegan(ban) => self.merge_ban(ban, at, now, changes),
            Fact::BanEnded(BanEnd {
                subject,
                why: BanEnding::Lifted,
            }) => {
                let ended = self.bans.merge_lifted(subject, at, now);
                if let (Subject::Client(client), Some(_)) = (subject, &ended) {
                    self.buckets.forget_strikes(Key::client(client), now);
                }
                changes.extend(ended);
            }
            Fact::UserKnown(login) => {
                changes.extend(self.familiar.merge_login(login.user, None, login.last, now));
            }
            Fact::PairFamiliar(login) => {
                let network = Some(login.network);
                let merged = self
                    .familiar
                    .merge_login(login.user, network, login.last, now);
                changes.extend(merged);
            }
            Fact::PasswordChanged(password) => {
                let since = password.since.min(seconds(now));
                if self.passwords.proven_since(password.user) < since {
                    self.passwords.merge(password.user, since);
                    changes.push(elsewhere(now, now, told.fact));
                }
            }
            Fact::Forgiven(who) => self.merge_forgiven(who, at, now, changes),
            Fact::TrustRevoked(what) => self.merge_revoked(what, at, now, changes),
            Fact::UserForgotten(ForgottenUser(user)) => {
                changes.extend(self.familiar.merge_forgotten(user, at, now));
                self.devices.take_back(user, at);
            }
            // Nothing that a gate knows of, or that machines share.
            Fact::Expelled(_)
            | Fact::BanEnded(_)
            | Fact::SharedBucket(_)
            | Fact::DeviceFamiliar(_)
            | Fact::DeviceDropped(_)
            | Fact::DeviceShared(_)
            | Fact::PlaceNew(_)
            | Fact::StolenSuspected(_)
            | Fact::StolenCleared(_)
            | Fact::SettlingEnded
            | Fact::BackendFailing
            | Fact::BackendRecovered => {}
        }
    }

    fn merge_ban(&self, began: BanStart, at: Moment, now: Moment, changes: &mut Changes) {
        let ban = Ban {
            until: began.until,
            cause: began.cause,
            mode: began.mode,
        };
        if ban.mode == Mode::DryRun {
            return;
        }
        let held = HeldBan { ban, changed: at };
        if let Some(noted) = self.bans.merge(began.subject, held, now, changes) {
            changes.push(elsewhere(at, noted, Fact::BanBegan(began)));
        }
    }

    fn merge_revoked(&self, what: Revocation, at: Moment, now: Moment, changes: &mut Changes) {
        let Some(change) = self.familiar.merge_revoked(what, at, now) else {
            return;
        };
        self.devices.take_back(what.user, at);
        if what.network.is_none() && self.familiar.networks(what.user).is_empty() {
            // No network is left to be unproven, nor one that others could be far from.
            self.passwords.forget(what.user);
            changes.extend(self.new_places.clear(what.user, now));
        }
        changes.push(change);
    }

    /// The bans and strikes that go with it were told as bans.
    fn merge_forgiven(&self, who: Forgiven, at: Moment, now: Moment, changes: &mut Changes) {
        if !self.forgiven.is_news(who, at) {
            return;
        }
        match who {
            Forgiven::Client(client) => {
                self.fill_buckets_of_client(client);
                self.tries.forget_client(client);
            }
            Forgiven::User(ForgivenUser(user)) => {
                self.fill_buckets_of(user);
                self.tries.forget_user(user);
                changes.extend(self.new_places.clear(user, now));
            }
        }
        changes.push(elsewhere(at, now, Fact::Forgiven(who)));
    }
}

/// A fact by a clock that was wrong, as one of now. A ban lasts as long as it did there.
fn not_ahead(told: &Change, now: Moment) -> Change {
    let excess = told.at.since(now + MOST_AHEAD).as_nanos();
    let seconds = i64::try_from(excess.div_ceil(NANOS)).unwrap_or(i64::MAX);
    told.by_clock(-seconds)
}

fn elsewhere(at: Moment, noted: Moment, fact: Fact) -> Change {
    let origin = Origin::ELSEWHERE;
    Change {
        at,
        noted,
        origin,
        fact,
    }
}

/// What was forgiven on other machines: whose buckets, and when.
pub(in crate::gate) struct ForgivenElsewhere(Mutex<ForgivenBook>);

struct ForgivenBook {
    latest: HashMap<Forgiven, Moment>,
    by_age: BTreeSet<(Moment, Forgiven)>,
    /// Up to here nothing is news.
    floor: Moment,
}

impl ForgivenElsewhere {
    /// Of a process that begins now.
    pub(in crate::gate) fn new(now: Moment) -> Self {
        Self(Mutex::new(ForgivenBook {
            latest: HashMap::new(),
            by_age: BTreeSet::new(),
            floor: now - FORGIVEN_BEFORE,
        }))
    }

    /// What was forgiven up to then is in the state that was restored, as what was spent up to then: what came later is told
    /// once more, both in their order.
    pub(in crate::gate) fn taken_up_to(&self, as_of: Moment) {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        book.floor = as_of;
    }

    /// Whether this was not known; it is from now on.
    fn is_news(&self, who: Forgiven, at: Moment) -> bool {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = book.latest.get(&who).copied();
        if at <= known.map_or(book.floor, |known| known.max(book.floor)) {
            return false;
        }
        if let Some(known) = book.latest.insert(who, at) {
            book.by_age.remove(&(known, who));
        }
        book.by_age.insert((at, who));
        if book.latest.len() > FORGIVEN_KEPT
            && let Some((oldest, who)) = book.by_age.pop_first()
        {
            book.latest.remove(&who);
            book.floor = oldest;
        }
        true
    }
}

#[cfg(test)]
mod tests;
