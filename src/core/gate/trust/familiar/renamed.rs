//! renamed - users whose names have another key since
//!
//! Hashes cannot be hashed anew, so a user gets the new one when the name is seen: with all networks, what was taken back, and
//! whether the user was forgotten.
//! Not here: which hash is whose (`state::renamed`).

use super::{Familiar, Known, PairBook};
use crate::gate::buckets::table::seconds;
use crate::gate::request::change::Revocation;
use crate::gate::request::client::NetworkKey;
use crate::gate::request::keys::UserId;
use crate::moment::Moment;

/// All that was known of a user.
pub(in crate::gate) struct LeftUser {
    known: Option<Known>,
    forgotten: Option<Moment>,
    revoked: Vec<(Option<NetworkKey>, Moment)>,
}

impl Familiar {
    /// Takes a user out; none: nothing is known of one.
    pub(in crate::gate) fn take_user(&self, user: UserId) -> Option<LeftUser> {
        if !self.read().has(user) {
            return None;
        }
        let mut book = self.write();
        let known = book.users.get(&user).cloned();
        book.remove(user);
        // Most of these networks are none of the user's any more.
        let revoked = book.revoked.take_from((user, None), |(of, _)| of == user);
        let revoked = revoked.into_iter().map(|((_, place), at)| (place, at));
        let revoked = revoked.collect();
        let forgotten = book.forgotten.take(user);
        Some(LeftUser {
            known,
            forgotten,
            revoked,
        })
    }

    /// Puts a user in, beside what is known of the same one already.
    pub(in crate::gate) fn take_over_user(&self, user: UserId, left: LeftUser) {
        let mut book = self.write();
        if let Some(at) = left.forgotten {
            book.forgotten.add(user, at, self.capacity);
        }
        for (network, at) in left.revoked {
            book.revoked.add((user, network), at, self.capacity);
            book.take_older_pairs(Revocation { user, network }, seconds(at));
        }
        let Some(known) = left.known else { return };
        if book.is_forgotten(user, known.last) {
            return;
        }
        book.add(user, None, known.last, self.capacity);
        for pair in known.pairs {
            let network = NetworkKey::of_code(pair.network);
            let revoked = network.and_then(|network| book.revoked.until(user, network));
            let is_old = revoked.is_some_and(|at| pair.last <= seconds(at));
            if !is_old && !book.is_forgotten(user, pair.last) {
                book.add(user, Some(pair), pair.last, self.capacity);
            }
        }
    }

    /// Forgets everybody, but for the `users` file.
    pub(in crate::gate) fn forget_all(&self) {
        let mut book = self.write();
        let listed = std::mem::take(&mut book.listed);
        *book = PairBook {
            listed,
            ..PairBook::default()
        };
        book.count_listed();
    }
}

impl PairBook {
    fn has(&self, user: UserId) -> bool {
        self.users.contains_key(&user) || self.forgotten.at(user).is_some()
    }
}
