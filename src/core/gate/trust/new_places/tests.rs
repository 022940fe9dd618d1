//! tests - how many places are kept, of which users, and who makes room

use super::*;
use crate::gate::request::client::RegionKey;

const NOW: Moment = Moment::from_seconds(1_800_000_000);

fn person(n: u64) -> UserId {
    UserId(n << 32)
}

fn place(n: u32, at: u32) -> HeldPlace {
    HeldPlace {
        region: RegionKey::V4(n << 16),
        system: None,
        country: None,
        at,
    }
}

fn second() -> u32 {
    seconds(NOW)
}

fn is_suspected(places: &NewPlaces, n: u64) -> bool {
    let held = places.of(person(n));
    held.is_some_and(|held| held.suspected.is_some())
}

#[test]
fn a_user_keeps_24_places_and_the_oldest_goes() {
    let places = NewPlaces::new(1000);
    for n in 0..40 {
        places.restore_place(person(1), place(n, second() + n));
    }
    let held = places.of(person(1)).unwrap();
    assert_eq!(held.places.len(), 24);
    assert!(!held.has(RegionKey::V4(0)) && held.has(RegionKey::V4(39 << 16)));
}

#[test]
fn the_capacity_is_never_exceeded_and_who_is_suspected_stays_longest() {
    let places = NewPlaces::new(1000);
    places.restore_place(person(1), place(1, second()));
    places.restore_suspicion(person(1), SuspicionCause::Networks, second());
    for n in 2..5000u32 {
        places.restore_place(person(u64::from(n)), place(n, second() + n));
        assert!(places.users().len() * 2 <= 1000);
    }
    assert!(is_suspected(&places, 1));
    assert!(places.of(person(4999)).is_some() && places.of(person(2)).is_none());
    assert_eq!(places.suspected(), 1);
}

#[test]
fn places_are_new_for_a_day_and_a_suspicion_lasts_a_week_unless_logins_are_held() {
    let places = NewPlaces::new(1000);
    let day = |n: u32| Moment::from_seconds(u64::from(second() + n * NEW));
    places.restore_place(person(1), place(1, second()));
    places.restore_place(person(2), place(2, second()));
    places.restore_suspicion(person(2), SuspicionCause::Systems, second());
    places.sweep(FarLogins::Hold, day(1));
    assert!(places.of(person(1)).is_none() && places.of(person(2)).is_some());
    places.sweep(FarLogins::Hold, day(99));
    assert!(is_suspected(&places, 2));
    let just_before = day(7) - std::time::Duration::from_secs(1);
    places.sweep(FarLogins::Tell, just_before);
    assert!(is_suspected(&places, 2));
    places.sweep(FarLogins::Tell, day(7));
    assert!(places.of(person(2)).is_none() && places.suspected() == 0);
    // For guesses nothing is held, so they are over in any case.
    places.restore_suspicion(person(3), SuspicionCause::Guesses, second());
    places.sweep(FarLogins::Hold, just_before);
    assert!(is_suspected(&places, 3));
    places.sweep(FarLogins::Hold, day(7));
    assert!(places.of(person(3)).is_none() && places.suspected() == 0);
}

#[test]
fn of_several_suspicions_the_last_stays_and_of_one_second_the_one_that_may_hold() {
    use SuspicionCause::{Guesses, Networks};
    for (records, stays) in [
        ([(Guesses, 1), (Networks, 2)], Networks),
        ([(Networks, 2), (Guesses, 1)], Networks),
        ([(Networks, 1), (Guesses, 1)], Networks),
        ([(Guesses, 1), (Networks, 1)], Networks),
        ([(Networks, 1), (Guesses, 2)], Guesses),
    ] {
        let places = NewPlaces::new(1000);
        for (cause, since) in records {
            places.restore_suspicion(person(1), cause, since);
        }
        let held = places.of(person(1)).unwrap();
        assert_eq!(held.suspected.map(|(cause, _)| cause), Some(stays));
    }
}

#[test]
fn a_place_counts_for_a_day_whether_or_not_it_is_swept() {
    let mut book = PlaceBook::default();
    let limits = NewPlaceLimits::default();
    let last = limits.networks as u32;
    for n in 1..=last {
        let (place, guess) = (place(n, second() + n), None);
        book.add(person(1), WatchedPlace { place, guess }, 1000);
    }
    let held = book.users.get(&person(1)).unwrap();
    let first_ends = second() + 1 + NEW;
    let found = held.too_many(&limits, first_ends - 1);
    assert_eq!(found, Some(SuspicionCause::Networks));
    assert_eq!(held.too_many(&limits, first_ends), None);
}
