//! book - the users' new places, how many are too many, and what makes room
//!
//! Not here: the lock, and what is told of a change (`new_places`).

use std::collections::{HashMap, HashSet};

use super::NEW;
use crate::gate::request::client::RegionKey;
use crate::gate::request::keys::{Guess, UserId};
use crate::gate::request::suspicion::{HeldPlace, NewPlaceLimits, SuspicionCause};

/// Places that a user keeps.
const PLACES: usize = 24;
/// Passwords that were right at home since a suspicion began.
const VOUCHED: usize = 2;
/// When full, this part makes room at once.
const ROOM: usize = 64;

/// A place, and the password with which the first login came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) struct WatchedPlace {
    pub(in crate::gate) place: HeldPlace,
    /// None: the mechanism hides it, or it was before a restart.
    pub(in crate::gate) guess: Option<Guess>,
}

/// What is held of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::gate) struct UserPlaces {
    pub(in crate::gate) places: Vec<WatchedPlace>,
    /// Why, and since when, in seconds since the epoch.
    pub(in crate::gate) suspected: Option<(SuspicionCause, u32)>,
    /// The passwords that the owner has used at home since.
    pub(super) vouched: [Option<Guess>; VOUCHED],
}

#[derive(Default)]
pub(super) struct PlaceBook {
    pub(super) users: HashMap<UserId, UserPlaces>,
    /// How many places and users there are.
    rows: usize,
}

impl UserPlaces {
    pub(super) fn has(&self, region: RegionKey) -> bool {
        self.places.iter().any(|held| held.place.region == region)
    }

    /// Whether a suspicion has begun for a cause that may hold logins.
    pub(super) fn may_be_held(&self) -> bool {
        self.suspected.is_some_and(|(cause, _)| cause.may_hold())
    }

    pub(super) fn suspect(&mut self, cause: SuspicionCause, since: u32) {
        self.suspected = Some((cause, since));
        self.vouched = [None; VOUCHED];
    }

    /// Takes a password for the owner's, if each new place is known to have used another one.
    pub(super) fn vouch(&mut self, guess: Guess) {
        let mut used = self.places.iter().map(|held| held.guess);
        let is_others = used.any(|used| used.is_none_or(|used| used == guess));
        if self.suspected.is_some() && !is_others && !self.vouched.contains(&Some(guess)) {
            self.vouched.rotate_right(1);
            if let Some(first) = self.vouched.first_mut() {
                *first = Some(guess);
            }
        }
    }

    /// Which limit the places of the last day reach.
    pub(super) fn too_many(&self, limits: &NewPlaceLimits, now: u32) -> Option<SuspicionCause> {
        let places = self.places.iter().map(|held| &held.place);
        let places = places.filter(|place| now.saturating_sub(place.at) < NEW);
        let (mut systems, mut countries, mut networks) = (HashSet::new(), HashSet::new(), 0);
        for place in places {
            // A carrier, or a program that runs at a cloud host, has networks everywhere.
            if place.system.is_some_and(|system| !systems.insert(system)) {
                continue;
            }
            networks += 1;
            countries.extend(place.country);
        }
        let reaches = |count: usize, limit: usize| limit > 0 && count >= limit;
        if reaches(countries.len(), limits.countries) {
            return Some(SuspicionCause::Countries);
        }
        if reaches(systems.len(), limits.systems) {
            return Some(SuspicionCause::Systems);
        }
        reaches(networks, limits.networks).then_some(SuspicionCause::Networks)
    }

    /// The last new place, or the suspicion.
    fn last(&self) -> u32 {
        let since = self.suspected.map_or(0, |(_, since)| since);
        let places = self.places.iter().map(|held| held.place.at);
        places.max().unwrap_or_default().max(since)
    }
}

impl PlaceBook {
    /// Adds a place; of several logins from one the first counts.
    pub(super) fn add(&mut self, user: UserId, new: WatchedPlace, capacity: usize) {
        let held = self.of(user);
        let mut places = held.places.iter_mut();
        if let Some(same) = places.find(|held| held.place.region == new.place.region) {
            same.place.at = same.place.at.min(new.place.at);
            return;
        }
        held.places.push(new);
        if held.places.len() > PLACES {
            let ages = held.places.iter().enumerate();
            let oldest = ages.min_by_key(|(_, held)| held.place.at);
            if let Some((at, _)) = oldest {
                held.places.swap_remove(at);
            }
        } else {
            self.rows += 1;
        }
        self.make_room(capacity);
    }

    /// A suspicion of before: of several the last one, and of one second the one that may hold.
    pub(super) fn suspect(
        &mut self,
        user: UserId,
        cause: SuspicionCause,
        since: u32,
        capacity: usize,
    ) {
        let held = self.of(user);
        let rank = |cause: SuspicionCause, since: u32| (since, cause.may_hold());
        let new = rank(cause, since);
        if held
            .suspected
            .is_none_or(|(cause, since)| rank(cause, since) <= new)
        {
            held.suspect(cause, since);
        }
        self.make_room(capacity);
    }

    pub(super) fn remove(&mut self, user: UserId) -> Option<UserPlaces> {
        let held = self.users.remove(&user)?;
        self.rows -= 1 + held.places.len();
        Some(held)
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(&mut UserPlaces) -> bool) {
        self.users.retain(|_, held| keep(held));
        let rows = self.users.values().map(|held| 1 + held.places.len());
        self.rows = rows.sum();
    }

    fn of(&mut self, user: UserId) -> &mut UserPlaces {
        let rows = &mut self.rows;
        self.users.entry(user).or_insert_with(|| {
            *rows += 1;
            UserPlaces::default()
        })
    }

    /// Users who are not suspected go first, and of them those whose last new place is longest ago.
    fn make_room(&mut self, capacity: usize) {
        if self.rows <= capacity {
            return;
        }
        let users = self.users.iter();
        let mut ages: Vec<_> = users
            .map(|(user, held)| (held.suspected.is_some(), held.last(), *user))
            .collect();
        ages.sort_unstable();
        for (.., user) in ages {
            if self.rows <= capacity - capacity / ROOM {
                return;
            }
            self.remove(user);
        }
    }
}
