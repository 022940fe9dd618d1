//! tests - tickets: which are taken, for how long, and what they bring

use super::*;

const NOW: Moment = Moment::from_seconds(1_800_000_000);
const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

fn ticket(keys: &TicketKeys, now: Moment) -> Vec<u8> {
    keys.seal(b"session", now).unwrap()
}

fn is_taken(keys: &TicketKeys, ticket: &[u8], now: Moment) -> bool {
    keys.open(ticket, now)
        .is_some_and(|plain| plain == b"session")
}

#[test]
fn a_ticket_is_taken_for_seven_days_over_rotations_and_no_longer() {
    let keys = TicketKeys::new(NOW);
    let first = ticket(&keys, NOW);
    // Under the same key, a day later.
    let last = ticket(&keys, NOW + DAY - SECOND);
    for day in 1..=9 {
        let now = NOW + DAY * day;
        assert_eq!(keys.rotate(now - SECOND), Rotation::None);
        assert_eq!(is_taken(&keys, &first, now - SECOND), day <= 7, "day {day}");
        assert_eq!(
            is_taken(&keys, &last, now - SECOND * 2),
            day <= 8,
            "day {day}"
        );
        assert_eq!(keys.rotate(now), Rotation::Changed, "day {day}");
        assert!(keys.0.load().len() <= MOST_KEYS);
    }
}

#[test]
fn a_ticket_is_too_old_to_the_second_though_its_key_is_there() {
    let keys = TicketKeys::new(NOW);
    let last = ticket(&keys, NOW + DAY - SECOND);
    assert!(is_taken(&keys, &last, NOW + DAY * 8 - SECOND * 2));
    assert!(!is_taken(&keys, &last, NOW + DAY * 8 - SECOND));
}

#[test]
fn each_day_has_a_key_of_its_own() {
    let keys = TicketKeys::new(NOW);
    let name = |ticket: Vec<u8>| ticket.get(..NAME).unwrap().to_vec();
    let first = name(ticket(&keys, NOW));
    assert_eq!(name(ticket(&keys, NOW + SECOND)), first);
    let _ = keys.rotate(NOW + DAY);
    assert_ne!(name(ticket(&keys, NOW + DAY)), first);
}

#[test]
fn what_is_damaged_cut_or_foreign_is_no_ticket() {
    let keys = TicketKeys::new(NOW);
    let good = ticket(&keys, NOW);
    assert!(is_taken(&keys, &good, NOW));
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert_eq!(keys.open(&bad, NOW), None, "octet {at}");
        assert_eq!(keys.open(&good[..at], NOW), None, "cut at {at}");
    }
    let foreign = ticket(&TicketKeys::new(NOW), NOW);
    assert_eq!(keys.open(&foreign, NOW), None);
}

#[test]
fn another_process_takes_the_keys_over_and_refuses_those_of_a_week_ago() {
    let keys = TicketKeys::new(NOW);
    let old = ticket(&keys, NOW);
    let _ = keys.rotate(NOW + DAY);
    let young = ticket(&keys, NOW + DAY);
    let next = TicketKeys::new(NOW + DAY * 2);
    next.take_over(&keys.octets());
    for ticket in [&old, &young] {
        assert!(is_taken(&next, ticket, NOW + DAY * 2));
    }
    let _ = next.rotate(NOW + DAY * 8);
    assert!(!is_taken(&next, &old, NOW + DAY * 8) && !is_taken(&next, &young, NOW + DAY * 8));
    // Nothing of use leaves what there was.
    let own = ticket(&next, NOW + DAY * 8);
    for octets in [&b""[..], b"short"] {
        next.take_over(octets);
        assert!(is_taken(&next, &own, NOW + DAY * 8));
    }
}

#[test]
fn a_clock_that_is_set_makes_no_more_keys_than_a_week_has() {
    let keys = TicketKeys::new(NOW);
    for n in 0..100_u32 {
        let _ = keys.rotate(NOW - DAY * n);
    }
    assert!(keys.0.load().len() <= MOST_KEYS);
    let ahead = NOW + DAY * 5_000;
    assert_eq!(keys.rotate(ahead), Rotation::Changed);
    assert_eq!(keys.0.load().len(), 2, "one more");
    assert!(is_taken(&keys, &ticket(&keys, ahead), ahead));
    for n in 0..100_u32 {
        assert_eq!(keys.rotate(ahead + DAY * (n + 1)), Rotation::Changed);
    }
    assert_eq!(keys.0.load().len(), MOST_KEYS);
}

#[test]
fn after_a_boot_with_a_clock_weeks_ahead_the_tickets_of_the_last_days_are_taken() {
    let keys = TicketKeys::new(NOW);
    for day in 1..=7 {
        let _ = keys.rotate(NOW + DAY * day);
    }
    let now = NOW + DAY * 7;
    let sealed = ticket(&keys, now);
    let ahead = now + DAY * 40;
    let booted = TicketKeys::new(ahead);
    booted.take_over(&keys.octets());
    assert_eq!(booted.rotate(ahead), Rotation::Changed, "a key of that day");
    assert!(!is_taken(&booted, &sealed, ahead), "it is too old");
    // The clock is put right: the key of that time seals for one day, as every key, over restarts too.
    assert_eq!(booted.rotate(now), Rotation::Changed);
    let name = |keys: &TicketKeys| ticket(keys, now)[..NAME].to_vec();
    let seals = name(&booted);
    let mut octets = booted.octets();
    for _ in 0..20 {
        let next = TicketKeys::new(now);
        next.take_over(&octets);
        assert_eq!(next.rotate(now + DAY - SECOND), Rotation::None);
        assert!(is_taken(&next, &sealed, now + DAY - SECOND));
        assert_eq!(name(&next), seals);
        octets = next.octets();
    }
    assert_eq!(booted.rotate(now + DAY), Rotation::Changed);
    assert_ne!(name(&booted), seals);
}

#[test]
fn a_machine_that_boots_in_1970_makes_no_key_for_each_boot() {
    let keys = TicketKeys::new(NOW);
    let booted = TicketKeys::new(Moment::EPOCH + SECOND);
    booted.take_over(&keys.octets());
    assert_eq!(booted.rotate(Moment::EPOCH + SECOND), Rotation::None);
    assert_eq!(booted.rotate(NOW + SECOND), Rotation::None);
    assert_eq!(booted.rotate(NOW + DAY), Rotation::Changed);
}
