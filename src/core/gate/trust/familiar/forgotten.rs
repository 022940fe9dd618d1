//! forgotten - users that are unknown again, and since when
//!
//! A user does not become unknown with time: somebody who was a user once is no guesser. So it is kept, as long as there
//! is room, that a user was forgotten. A login from before, in an old log or an older file of the state, then makes
//! nobody known again. A login after it counts as any other.
//! Not here: networks that are not familiar any more (`revoked`), the `users` file, which is stronger (`familiar`).

use super::{Familiar, PairBook, count_down};
use crate::gate::buckets::table::seconds;
use crate::gate::request::change::{Change, Fact, ForgottenUser};
use crate::gate::request::keys::UserId;
use crate::moment::Moment;

impl Familiar {
    /// Makes `user` unknown, and so familiar nowhere.
    pub(in crate::gate) fn forget(&self, user: UserId, now: Moment) -> Change {
        let mut book = self.write();
        book.forgotten.add(user, now, self.capacity);
        book.remove(user);
        Change::here(now, Fact::UserForgotten(ForgottenUser(user)))
    }

    /// Takes over the users that an earlier process had forgotten, after the logins since.
    pub(in crate::gate) fn restore_forgotten(
        &self,
        forgotten: impl Iterator<Item = (UserId, Moment)>,
    ) {
        let mut book = self.write();
        for (user, at) in forgotten {
            book.forgotten.add(user, at, self.capacity);
            book.keep_login_after(user, seconds(at));
        }
    }

    /// All that were forgotten, for a snapshot.
    pub(in crate::gate) fn forgotten(&self) -> Vec<(UserId, Moment)> {
        self.read().forgotten.all()
    }
}

impl PairBook {
    pub(super) fn remove(&mut self, user: UserId) {
        let Some(known) = self.users.remove(&user) else {
            return;
        };
        for pair in known.pairs {
            self.let_go(pair.network);
        }
        match self.listed.contains(&user) {
            true => self.only_listed += 1,
            false => {
                count_down(&mut self.local_parts, &user.local_part());
            }
        }
    }

    /// The distances that a restart lays anew are whole seconds, and cut: a login after the user was forgotten stays after
    /// it.
    fn keep_login_after(&mut self, user: UserId, second: u32) {
        if let Some(known) = self.users.get_mut(&user) {
            let after = second.saturating_add(1);
            known.last = known.last.max(after);
            for pair in &mut known.pairs {
                pair.last = pair.last.max(after);
            }
        }
    }
}
