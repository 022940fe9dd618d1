//! tests - the book of bans: order, room, crowds

use std::time::Duration;

use super::*;

const NOW: Moment = Moment::from_seconds(1_800_000_000);

fn client(n: u32) -> Subject {
    Subject::Client(ClientKey::V4(n))
}

fn until(seconds: u64) -> Ban {
    Ban {
        until: NOW + Duration::from_secs(seconds),
        cause: BanCause::Strikes,
        mode: Mode::Enforce,
    }
}

fn ended(changes: &[Change]) -> Vec<Subject> {
    let ended = changes.iter().filter_map(|change| match change.fact {
        Fact::BanEnded(end) => Some(end.subject),
        _ => None,
    });
    ended.collect()
}

#[test]
fn bans_end_in_their_order_and_each_end_is_told_once() {
    let bans = Bans::new(100);
    let mut changes = Vec::new();
    for (n, seconds) in [(1, 30), (2, 10), (3, 20)] {
        bans.begin(client(n), until(seconds), 3, NOW, &mut changes);
    }
    bans.begin(client(2), until(40), 4, NOW, &mut changes);
    changes.clear();
    let at = |seconds| NOW + Duration::from_secs(seconds);
    bans.expire(at(19), &mut changes);
    assert!(changes.is_empty());
    bans.expire(at(30), &mut changes);
    assert_eq!(ended(&changes), [client(3), client(1)]);
    assert_eq!(bans.all(at(30)), [(client(2), until(40))]);
    // Nobody had to tick for a ban to be over.
    assert_eq!(bans.exactly(client(2), at(40)), None);
}

#[test]
fn a_full_book_lets_the_ban_that_ends_first_go() {
    let bans = Bans::new(10);
    let mut changes = Vec::new();
    for n in 0..1000 {
        bans.begin(client(n), until(u64::from(n) + 1), 3, NOW, &mut changes);
        assert!(bans.counts().0 <= 10);
    }
    assert_eq!(bans.counts(), (10, 990));
    assert_eq!(ended(&changes).len(), 990);
    assert!(bans.exactly(client(999), NOW).is_some());
}

#[test]
fn no_crowd_of_bans_pushes_one_by_hand_out() {
    let bans = Bans::new(10);
    let mut changes = Vec::new();
    let by_hand = Ban {
        cause: BanCause::Operator,
        ..until(1)
    };
    bans.begin(client(5000), by_hand, 0, NOW, &mut changes);
    for n in 0..1000 {
        bans.begin(client(n), until(u64::from(n) + 10), 3, NOW, &mut changes);
    }
    assert_eq!(bans.exactly(client(5000), NOW), Some(by_hand));
    assert_eq!(bans.counts(), (10, 991));
    assert_eq!(bans.all(NOW).first(), Some(&(client(5000), by_hand)));

    let kept: Vec<_> = bans.batch(None, 100);
    let smaller = Bans::new(3);
    smaller.restore(kept, NOW);
    assert_eq!(smaller.counts(), (3, 7));
    assert_eq!(smaller.exactly(client(5000), NOW), Some(by_hand));
    let one = ClientKey::V4(5000);
    assert_eq!(smaller.by_hand(one, NOW), Some(by_hand));
    changes.clear();
    smaller.expire(NOW + Duration::from_secs(1), &mut changes);
    assert_eq!(ended(&changes), [client(5000)]);
    assert_eq!(smaller.by_hand(one, NOW), None);
}

#[test]
fn banned_neighbours_are_counted_by_network() {
    let bans = Bans::new(100);
    let mut changes = Vec::new();
    for n in [0x0a00_0001, 0x0a00_0002, 0x0a00_0003, 0x0a00_0101] {
        bans.begin(client(n), until(10), 3, NOW, &mut changes);
        bans.begin(client(n), until(20), 4, NOW, &mut changes);
    }
    let network = ClientKey::V4(0x0a00_0001).network();
    assert_eq!(bans.neighbours(network, 9), 3);
    assert_eq!(bans.neighbours(network, 2), 2);
    bans.lift(client(0x0a00_0002), NOW, &mut changes);
    assert_eq!(bans.neighbours(network, 9), 2);
    bans.expire(NOW + Duration::from_secs(20), &mut changes);
    assert_eq!(bans.neighbours(network, 9), 0);
}

#[test]
fn a_client_is_banned_with_its_network() {
    let bans = Bans::new(100);
    let one = ClientKey::V4(0x0a00_0001);
    assert_eq!(bans.of(one, NOW), None);
    bans.begin(
        Subject::Network(one.network()),
        until(10),
        0,
        NOW,
        &mut Vec::new(),
    );
    assert_eq!(bans.of(one, NOW), Some(until(10)));
    assert_eq!(bans.of(ClientKey::V4(0x0a00_0101), NOW), None);
}

/// What the book counts is what it holds.
#[track_caller]
fn counts_are_right(bans: &Bans) {
    let held = bans.batch(None, usize::MAX);
    let of = |cause| {
        held.iter()
            .filter(|(_, held)| held.ban.cause == cause)
            .count()
    };
    assert_eq!(bans.by_cause(), BanCause::ALL.map(of));
}

#[test]
fn the_counts_by_cause_are_right_after_every_change() {
    let bans = Bans::new(20);
    let mut changes = Vec::new();
    for n in 0..200_u32 {
        let cause = BanCause::ALL[usize::try_from(n).unwrap() % BanCause::ALL.len()];
        let ban = Ban {
            cause,
            ..until(u64::from(n) + 1)
        };
        bans.begin(client(n % 37), ban, 3, NOW, &mut changes);
        counts_are_right(&bans);
        bans.lift(client(n % 11), NOW, &mut changes);
        counts_are_right(&bans);
        let held = HeldBan {
            ban,
            changed: NOW + Duration::from_secs(u64::from(n)),
        };
        bans.merge(client(n % 29), held, NOW, &mut changes);
        counts_are_right(&bans);
        bans.expire(NOW + Duration::from_secs(u64::from(n) / 2), &mut changes);
        counts_are_right(&bans);
    }
    let again = Bans::new(20);
    again.restore(bans.batch(None, usize::MAX), NOW);
    counts_are_right(&again);
    assert_eq!(again.by_cause(), bans.by_cause());
    again.clear(NOW, &mut changes);
    counts_are_right(&again);
}

#[test]
fn the_first_bans_are_those_that_end_first_by_hand_or_not() {
    let bans = Bans::new(100);
    let mut changes = Vec::new();
    for n in 1..=50 {
        let cause = match n % 3 {
            0 => BanCause::Operator,
            _ => BanCause::Strikes,
        };
        let ban = Ban {
            cause,
            ..until(u64::from(100 - n))
        };
        bans.begin(client(n), ban, 3, NOW, &mut changes);
    }
    let all = bans.all(NOW);
    assert_eq!(all.len(), 50);
    assert!(all.is_sorted_by_key(|(_, ban)| ban.until));
    assert_eq!(bans.first(7, NOW)[..], all[..7]);
    // Nobody had to tick for a ban to be over.
    let later = NOW + Duration::from_secs(60);
    assert_eq!(bans.first(7, later)[..], all[11..18]);
}
