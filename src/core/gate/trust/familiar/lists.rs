//! lists - all users, some of them, and one user's networks: for snapshots and for operators
//!
//! Not here: what is asked at every attempt (`familiar`).

use super::{Familiar, Known};
use crate::gate::request::client::NetworkKey;
use crate::gate::request::keys::UserId;

impl Familiar {
    /// The networks where this user is familiar.
    pub(in crate::gate) fn networks(&self, user: UserId) -> Vec<NetworkKey> {
        let book = self.read();
        let pairs = book.users.get(&user).map(|known| known.pairs.as_slice());
        pairs
            .unwrap_or_default()
            .iter()
            .filter_map(|pair| NetworkKey::of_code(pair.network))
            .collect()
    }

    /// All users but those who are merely listed.
    pub(in crate::gate) fn ids(&self) -> Vec<UserId> {
        self.read().users.keys().copied().collect()
    }

    /// The users that are merely listed.
    pub(in crate::gate) fn only_listed(&self) -> Vec<UserId> {
        let book = self.read();
        let listed = book.listed.iter();
        let only = listed.filter(|user| !book.users.contains_key(user));
        only.copied().collect()
    }

    /// What is known of some users: a few at a time, so that a snapshot delays no login.
    pub(in crate::gate) fn batch(&self, users: &[UserId]) -> Vec<(UserId, Known)> {
        let book = self.read();
        let known = |user: &UserId| Some((*user, book.users.get(user)?.clone()));
        users.iter().filter_map(known).collect()
    }
}
