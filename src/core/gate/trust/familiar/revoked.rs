//! revoked - familiarity that was taken back, and when
//!
//! A pair that is taken away would come back by itself: with a login that was judged before, by an old line of a log that
//! is learnt, by an older file of the state. So for as long as a pair would be kept, it is kept that earlier logins do
//! not count. A login after it counts as any other.
//! Bounded like the pairs: the oldest revocations go.
//! Not here: who revokes (`gate::operator`), files (`state`).

use super::{Familiar, KEPT, PairBook};
use crate::gate::buckets::table::seconds;
use crate::gate::request::change::{Change, Fact, Revocation};
use crate::gate::request::client::NetworkKey;
use crate::gate::request::keys::UserId;
use crate::gate::trust::taken_back::TakenBack;
use crate::moment::Moment;

/// Whose familiarity was taken back, where, and when. With no network: everywhere.
pub(super) type Revoked = TakenBack<(UserId, Option<NetworkKey>)>;

impl Revoked {
    /// Until when logins of this user from this network do not count.
    pub(super) fn until(&self, user: UserId, network: NetworkKey) -> Option<Moment> {
        if self.is_empty() {
            return None;
        }
        let everywhere = self.at((user, None));
        everywhere.max(self.at((user, Some(network))))
    }

    /// Drops what could not bring a pair back any more: the logins before it are too old.
    pub(super) fn sweep(&mut self, now: u32) {
        self.drop_while(|at| now.saturating_sub(seconds(at)) >= KEPT);
    }
}

impl Familiar {
    /// Takes back that `user` is familiar in `network`, or everywhere: the networks where that was so, and
    /// the change. The user stays known.
    pub(in crate::gate) fn revoke(
        &self,
        user: UserId,
        network: Option<NetworkKey>,
        now: Moment,
    ) -> (Vec<NetworkKey>, Change) {
        let what = Revocation { user, network };
        let mut book = self.write();
        book.revoked.add((user, network), now, self.capacity);
        let taken = book.take_pairs(user, network);
        (taken, Change::here(now, Fact::TrustRevoked(what)))
    }

    /// Takes over revocations that an earlier process left, after the logins that they left standing.
    pub(in crate::gate) fn restore_revoked(
        &self,
        revoked: impl Iterator<Item = (Revocation, Moment)>,
    ) {
        let mut book = self.write();
        for (what, at) in revoked {
            book.revoked
                .add((what.user, what.network), at, self.capacity);
            book.keep_pairs_after(what, seconds(at));
        }
    }

    /// All revocations, for a snapshot.
    pub(in crate::gate) fn revocations(&self) -> Vec<(Revocation, Moment)> {
        let all = self.read().revoked.all().into_iter();
        all.map(|((user, network), at)| (Revocation { user, network }, at))
            .collect()
    }
}

impl PairBook {
    fn take_pairs(&mut self, user: UserId, network: Option<NetworkKey>) -> Vec<NetworkKey> {
        let code = network.map(NetworkKey::code);
        let Some(known) = self.users.get_mut(&user) else {
            return Vec::new();
        };
        let mut taken = Vec::new();
        known.pairs.retain(|pair| {
            let stays = code.is_some_and(|code| code != pair.network);
            if !stays {
                taken.push(pair.network);
            }
            stays
        });
        for network in &taken {
            self.let_go(*network);
        }
        taken.into_iter().filter_map(NetworkKey::of_code).collect()
    }

    /// The distances that a restart lays anew are whole seconds, and cut: a login after a revocation stays
    /// after it.
    fn keep_pairs_after(&mut self, what: Revocation, second: u32) {
        let code = what.network.map(NetworkKey::code);
        let Some(known) = self.users.get_mut(&what.user) else {
            return;
        };
        for pair in &mut known.pairs {
            if code.is_none_or(|code| code == pair.network) {
                pair.last = pair.last.max(second.saturating_add(1));
            }
        }
    }
}
