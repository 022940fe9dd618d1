//! renamed - users of before under the names of now, where the folding of names or their key has changed since
//!
//! Only hashes of names are kept, so a name cannot be folded anew. But one half of a hash is that of the local
//! part: where domains are dropped, all who were known are known. After any other change some are
//! not, and the daemon tells that.
//! Not here: folding (`request::names`), taking over the rest (`restore`).

use crate::gate::Gate;
use crate::gate::buckets::key::Key;
use crate::gate::buckets::spec::Kind;
use crate::gate::request::attempt::UserName;
use crate::gate::request::change::Revocation;
use crate::gate::request::keys::UserId;
use crate::gate::request::names::{Domain, NamesSince};
use crate::gate::state::file::StateRead;

impl Gate {
    /// What of the known is known under the names of now. The newest snapshot that has a head decides; a
    /// journal alone says nothing.
    pub(in crate::gate) fn names_since(&self, left: &StateRead) -> NamesSince {
        let heads = left.snapshots.iter().filter_map(|snapshot| snapshot.head);
        let newest = heads.max_by_key(|head| head.at);
        newest.map_or(NamesSince::Same, |head| self.names.since(head.names))
    }

    /// Forgets all users: names have another key from now on, and `before` has who was known under the old one.
    pub fn forget_names(&self) {
        self.familiar.forget_all();
        self.passwords.forget_all();
        self.new_places.forget_all();
    }

    /// A user that `before` knows under the key that names had then is known here as soon as the name is seen.
    pub fn rename_from(&mut self, before: Self) {
        self.before = Some(Box::new(before));
    }

    /// The gate that has those whose names were not seen since.
    pub fn before(&self) -> Option<&Self> {
        self.before.as_deref()
    }

    /// Whose hash was `old` is `user`: what makes familiar comes along, and what is owed does not.
    pub(in crate::gate) fn take_from(&self, before: &Self, old: UserId, user: UserId) {
        let Some(left) = before.familiar.take_user(old) else {
            return;
        };
        self.familiar.take_over_user(user, left);
        if let Some(left) = before.new_places.take(old) {
            self.new_places.take_over(user, left);
        }
        let since = before.passwords.proven_since(old);
        if since > 0 {
            self.passwords.merge(user, since);
            before.passwords.forget(old);
        }
    }

    /// The hash that this name had when names had another key: the history knows users by it.
    pub fn user_id_before(&self, name: &UserName) -> Option<UserId> {
        let before = self.before.as_ref()?;
        Some(before.keys.user(&self.names.fold(name)))
    }

    /// The user of now behind one of before: without domains, users that had one are found by what is left.
    pub(in crate::gate) fn user_since(&self, user: UserId) -> UserId {
        match self.names.domain() {
            Domain::Keep => user,
            Domain::Strip => user.without_domain(),
        }
    }

    /// What was taken back from the user of before.
    pub(in crate::gate) fn revocation_since(&self, what: Revocation) -> Revocation {
        let user = self.user_since(what.user);
        Revocation { user, ..what }
    }

    /// The row of now behind one of before. What unknown users owe together has no user.
    pub(in crate::gate) fn key_since(&self, key: Key) -> Key {
        let id = match key.kind {
            Kind::USER_NEAR | Kind::USER_FAR if key.id as u32 != 0 => {
                self.user_since(UserId(key.id)).0
            }
            _ => key.id,
        };
        Key { id, ..key }
    }
}
