//! new_places - where users have logged in within a day that was new to them, and whose password seems to be stolen
//!
//! A place is a /16 (or /32) from which the user has logged in for the first time, neither at home nor near it nor with a
//! device that is known from home; one autonomous system does not make it near. A user's places within a day are counted:
//! by networks, by autonomous systems and by countries. A system counts once however many networks it has, for a phone
//! moves within its carrier. Too many places, or one in a network that is guessing at other users, begin a suspicion. It
//! ends when the operator says so, or after a week where nothing is held. For guesses nothing ever is, since they need no
//! password; too many places are told and held after them as ever.
//!
//! Bounded: a user keeps 24 places, and all users together no more than the capacity. Where there are too many, users who
//! are not suspected go first, and of them those whose last new place is longest ago. Only right passwords add, so nobody
//! without one can fill it.
//! Not here: which logins are noted (`settle::watch`), what becomes of a suspected user's (`ladder`), files (`state`).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::gate::buckets::table::seconds;
use crate::gate::case::{Case, SecretKind};
use crate::gate::request::attempt::Trust;
use crate::gate::request::change::{Change, Fact};
use crate::gate::request::keys::UserId;
use crate::gate::request::suspicion::{
    ClearedUser, FarLogins, HeldPlace, NewPlace, NewPlaceLimits, StolenSuspicion, SuspicionCause,
    UserPlace,
};
use crate::moment::Moment;

mod book;

use book::PlaceBook;
pub(in crate::gate) use book::{UserPlaces, WatchedPlace};

/// How long a place is new, in seconds.
const NEW: u32 = 86_400;
/// How long a suspicion lasts where nothing is held, in seconds.
const SUSPECTED: u32 = 7 * 86_400;

pub(in crate::gate) struct NewPlaces {
    capacity: usize,
    book: RwLock<PlaceBook>,
    /// How many users are suspected: what every attempt asks, without the lock.
    suspected: AtomicUsize,
}

/// How a login stands to the places that its user knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) enum LoginPlace {
    /// At home or near it, or with a device that is known from there.
    Known,
    /// At a place that was new within the day, or since the suspicion.
    StillNew,
    /// Nobody expects it.
    New,
}

impl NewPlaces {
    /// Room for so many places and users.
    pub(in crate::gate) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            book: RwLock::default(),
            suspected: AtomicUsize::new(0),
        }
    }

    /// How the place of an attempt stands; `is_own_device`: it comes with a device that is known from home.
    pub(in crate::gate) fn stands(&self, case: &Case, is_own_device: bool) -> LoginPlace {
        let region = case.network.region();
        let book = self.read();
        let held = book.users.get(&case.user);
        let is_held = held.is_some_and(|held| held.has(region));
        match case.who.in_network {
            _ if is_own_device => LoginPlace::Known,
            _ if is_held => LoginPlace::StillNew,
            Trust::Far => LoginPlace::New,
            // A thief may be a customer of the same carrier.
            Trust::Near if case.who.by_system => LoginPlace::New,
            Trust::Familiar | Trust::Device | Trust::Unproven | Trust::Near => LoginPlace::Known,
        }
    }

    /// Notes a login from a new place; the cause of the suspicion that begins with it.
    pub(in crate::gate) fn note(
        &self,
        case: &Case,
        limits: &NewPlaceLimits,
        is_guessing: bool,
        now: Moment,
    ) -> (Vec<Change>, Option<SuspicionCause>) {
        let user = case.user;
        let place = HeldPlace {
            region: case.network.region(),
            system: case.system,
            country: case.country.country(),
            at: seconds(now),
        };
        let mut changes = vec![Change::here(now, Fact::PlaceNew(UserPlace { user, place }))];
        let guess = case.guess.filter(|_| case.secret == SecretKind::Password);
        let mut book = self.write();
        book.add(user, WatchedPlace { place, guess }, self.capacity);
        let Some(held) = book.users.get_mut(&user) else {
            return (changes, None);
        };
        if held.may_be_held() {
            return (changes, None);
        }
        let counted = held.too_many(limits, seconds(now));
        let is_first = held.suspected.is_none();
        let guessing = (is_guessing && is_first).then_some(SuspicionCause::Guesses);
        let cause = counted.or(guessing);
        if let Some(cause) = cause {
            let since = seconds(now);
            held.suspect(cause, since);
            let began = StolenSuspicion { user, cause, since };
            changes.push(Change::here(now, Fact::StolenSuspected(began)));
            self.count(&book);
        }
        (changes, cause)
    }

    /// Whether a suspected user's attempt must wait: it is neither at home nor near it, nor known by its device, nor has a password that
    /// was right at home, and is none of those that were right elsewhere.
    #[inline]
    pub(in crate::gate) fn holds(&self, case: &Case, is_own_device: impl FnOnce() -> bool) -> bool {
        if self.suspected.load(Ordering::Relaxed) == 0 || !self.may_be_held(case.user) {
            return false;
        }
        if self.stands(case, is_own_device()) == LoginPlace::Known {
            return false;
        }
        let guess = case.guess.filter(|_| case.secret == SecretKind::Password);
        let book = self.read();
        let held = book.users.get(&case.user);
        !held.is_some_and(|held| guess.is_some_and(|guess| held.vouched.contains(&Some(guess))))
    }

    /// A suspected user has logged in at home: then the password is the owner's, unless it was used at a new place too.
    pub(in crate::gate) fn vouch(&self, case: &Case) {
        if self.suspected.load(Ordering::Relaxed) == 0 || case.secret != SecretKind::Password {
            return;
        }
        let mut book = self.write();
        let held = book.users.get_mut(&case.user);
        if let (Some(held), Some(guess)) = (held, case.guess) {
            held.vouch(guess);
        }
    }

    /// Whether this user's password seems to be stolen, for a cause that may hold logins.
    fn may_be_held(&self, user: UserId) -> bool {
        let book = self.read();
        book.users.get(&user).is_some_and(UserPlaces::may_be_held)
    }

    /// Forgets all of a user; what that changed. Nothing if the user was not suspected and had no new place.
    pub(in crate::gate) fn clear(&self, user: UserId, now: Moment) -> Option<Change> {
        let mut book = self.write();
        book.remove(user)?;
        self.count(&book);
        Some(Change::here(now, Fact::StolenCleared(ClearedUser(user))))
    }

    /// Forgets what is too old: a suspicion only where nothing is held.
    pub(in crate::gate) fn sweep(&self, far_logins: FarLogins, now: Moment) {
        let mut book = self.write();
        let now = seconds(now);
        book.retain(|held| {
            if far_logins == FarLogins::Tell || !held.may_be_held() {
                let is_over = |since: u32| now.saturating_sub(since) >= SUSPECTED;
                held.suspected = held.suspected.filter(|(_, since)| !is_over(*since));
            }
            if held.suspected.is_none() {
                held.places
                    .retain(|held| now.saturating_sub(held.place.at) < NEW);
            }
            held.suspected.is_some() || !held.places.is_empty()
        });
        self.count(&book);
    }

    /// Forgets all.
    pub(in crate::gate) fn forget_all(&self) {
        let mut book = self.write();
        *book = PlaceBook::default();
        self.count(&book);
    }

    /// All that is held of a user.
    pub(in crate::gate) fn of(&self, user: UserId) -> Option<UserPlaces> {
        self.read().users.get(&user).cloned()
    }

    /// All users of which anything is held.
    pub(in crate::gate) fn users(&self) -> Vec<UserId> {
        self.read().users.keys().copied().collect()
    }

    /// How many users are suspected.
    pub(in crate::gate) fn suspected(&self) -> usize {
        self.suspected.load(Ordering::Relaxed)
    }

    /// All of them, with the cause and since when.
    pub(in crate::gate) fn all_suspected(&self) -> Vec<(UserId, SuspicionCause, u32)> {
        if self.suspected() == 0 {
            return Vec::new();
        }
        let book = self.read();
        let suspected = book.users.iter().filter_map(|(user, held)| {
            let (cause, since) = held.suspected?;
            Some((*user, cause, since))
        });
        suspected.collect()
    }

    /// Takes all of a user out, who has another name here.
    pub(in crate::gate) fn take(&self, user: UserId) -> Option<UserPlaces> {
        let mut book = self.write();
        let held = book.remove(user)?;
        self.count(&book);
        Some(held)
    }

    /// Takes over all that was held of a user under another name.
    pub(in crate::gate) fn take_over(&self, user: UserId, left: UserPlaces) {
        for held in left.places {
            self.restore_place(user, held.place);
        }
        if let Some((cause, since)) = left.suspected {
            self.restore_suspicion(user, cause, since);
        }
    }

    /// Takes over a place of before a restart. Which password was used there is not known any more.
    pub(in crate::gate) fn restore_place(&self, user: UserId, place: HeldPlace) {
        let guess = None;
        self.write()
            .add(user, WatchedPlace { place, guess }, self.capacity);
    }

    /// Takes over a suspicion of before a restart.
    pub(in crate::gate) fn restore_suspicion(
        &self,
        user: UserId,
        cause: SuspicionCause,
        since: u32,
    ) {
        let mut book = self.write();
        book.suspect(user, cause, since, self.capacity);
        self.count(&book);
    }

    fn count(&self, book: &PlaceBook) {
        let suspected = book.users.values().filter(|held| held.suspected.is_some());
        self.suspected.store(suspected.count(), Ordering::Relaxed);
    }

    fn read(&self) -> RwLockReadGuard<'_, PlaceBook> {
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, PlaceBook> {
        self.book.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HeldPlace {
    /// As it is shown.
    pub(in crate::gate) fn shown(&self) -> NewPlace {
        NewPlace {
            region: self.region,
            system: self.system,
            country: self.country,
            at: Moment::from_seconds(u64::from(self.at)),
        }
    }
}

#[cfg(test)]
mod tests;
