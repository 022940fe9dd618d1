//! merged - logins on another machine, and what was taken back there
//!
//! A login counts if its second is later than that of what was taken back, as after a restart: seconds are all that is kept of
//! a login. So it matters neither in which order the machines are told, nor how often.
//! Not here: what else another machine tells (`gate::merge`).

use super::{Familiar, KEPT, Known, PairBook};
use crate::gate::buckets::table::seconds;
use crate::gate::request::change::{
    Change, Fact, ForgottenUser, Origin, PairLogin, Revocation, UserLogin,
};
use crate::gate::request::client::NetworkKey;
use crate::gate::request::keys::UserId;
use crate::moment::Moment;

impl Familiar {
    /// Takes in a login; the change, if it is news.
    pub(in crate::gate) fn merge_login(
        &self,
        user: UserId,
        network: Option<NetworkKey>,
        last: u32,
        now: Moment,
    ) -> Option<Change> {
        let last = last.min(seconds(now));
        let mut book = self.write();
        if book.is_forgotten(user, last) {
            return None;
        }
        let network = network.filter(|network| {
            let revoked = book.revoked.until(user, *network);
            revoked.is_none_or(|at| last > seconds(at)) && seconds(now) - last < KEPT
        });
        let is_news = book.users.get(&user).is_none_or(|known| match network {
            None => known.last < last,
            Some(network) => known.last_in(network) < Some(last),
        });
        if !is_news {
            return None;
        }
        book.add_login(user, network, last, self.capacity);
        let fact = match network {
            None => Fact::UserKnown(UserLogin { user, last }),
            Some(network) => Fact::PairFamiliar(PairLogin {
                user,
                network,
                last,
            }),
        };
        Some(elsewhere(now, now, fact))
    }

    /// Takes in that familiarity was taken back at `at`; the change, if it is news.
    pub(in crate::gate) fn merge_revoked(
        &self,
        what: Revocation,
        at: Moment,
        now: Moment,
    ) -> Option<Change> {
        let key = (what.user, what.network);
        let mut book = self.write();
        if book.revoked.at(key) >= Some(at) {
            return None;
        }
        book.revoked.add(key, at, self.capacity);
        book.take_older_pairs(what, seconds(at));
        Some(elsewhere(at, now, Fact::TrustRevoked(what)))
    }

    /// Takes in that a user was forgotten at `at`; the change, if it is news.
    pub(in crate::gate) fn merge_forgotten(
        &self,
        user: UserId,
        at: Moment,
        now: Moment,
    ) -> Option<Change> {
        let mut book = self.write();
        if book.forgotten.at(user) >= Some(at) {
            return None;
        }
        book.forgotten.add(user, at, self.capacity);
        let everywhere = Revocation {
            user,
            network: None,
        };
        book.take_older_pairs(everywhere, seconds(at));
        let last = book.users.get(&user).map(|known| known.last);
        if last.is_some_and(|last| last <= seconds(at)) {
            book.remove(user);
        }
        Some(elsewhere(at, now, Fact::UserForgotten(ForgottenUser(user))))
    }
}

impl PairBook {
    /// Whether a login in this second was before the user was forgotten.
    pub(super) fn is_forgotten(&self, user: UserId, last: u32) -> bool {
        let forgotten = self.forgotten.at(user);
        forgotten.is_some_and(|at| last <= seconds(at))
    }

    pub(super) fn take_older_pairs(&mut self, what: Revocation, second: u32) {
        let code = what.network.map(NetworkKey::code);
        let Some(known) = self.users.get_mut(&what.user) else {
            return;
        };
        let old = known.pairs.extract_if(.., |pair| {
            code.is_none_or(|code| code == pair.network) && pair.last <= second
        });
        let gone: Vec<u64> = old.map(|pair| pair.network).collect();
        for network in gone {
            self.let_go(network);
        }
    }
}

impl Known {
    fn last_in(&self, network: NetworkKey) -> Option<u32> {
        self.pair(network.code()).map(|pair| pair.last)
    }
}

fn elsewhere(at: Moment, now: Moment, fact: Fact) -> Change {
    Change {
        at,
        noted: now,
        origin: Origin::ELSEWHERE,
        fact,
    }
}
