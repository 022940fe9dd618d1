//! tests - snapshot, journal and damage: nothing is lost, nothing panics

use proptest::prelude::*;

use std::time::Duration;

use super::*;
use crate::gate::buckets::spec::Bucket;
use crate::gate::permit::Verdict;
use crate::gate::request::attempt::{AuthAttempt, AuthOutcome, Password, Secret, UserName};
use crate::gate::request::client::ClientKey;
use crate::gate::request::keys::Keys;
use crate::gate::request::settings::GateSettings;
use crate::gate::request::verdict::{Event, Reason, Standing};

const NOW: Moment = Moment::from_seconds(1_800_000_000);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
const FAR: &str = "198.51.100.7";
const HOME: &str = "203.0.113.7";

fn settings() -> GateSettings {
    let mut settings = GateSettings {
        settling: Duration::ZERO,
        ..GateSettings::default()
    };
    settings.capacity.clients = 10_000;
    settings.capacity.pairs = 1000;
    settings
}

fn keys(start: u8) -> Keys {
    Keys {
        users: [1; 16],
        passwords: [start; 16],
        table: [start; 16],
    }
}

fn client(text: &str) -> ClientKey {
    text.parse().unwrap()
}

fn user(name: &str) -> UserName {
    UserName::new(name.as_bytes())
}

fn guess(gate: &Gate, from: &str, name: &str, n: usize, now: Moment, events: &mut Vec<Event>) {
    let (user, secret) = (
        user(name),
        Secret::new(format!("Zwiebel{n}kuchen").into_bytes()),
    );
    let attempt = AuthAttempt {
        session: 1,
        client: client(from),
        user: &user,
        password: Password::Shown(&secret),
    };
    if let Verdict::Allow(permit) = gate.judge_in_turn(&attempt, now, events) {
        let _ = gate.settle(permit, AuthOutcome::Reject, now, events);
    }
}

/// Debts, strikes, bans of all kinds, familiar pairs in IPv4 and IPv6.
fn busy(events: &mut Vec<Event>) -> Gate {
    let gate = Gate::new(settings(), keys(2), NOW);
    for (name, from) in [
        ("anna", HOME),
        ("bert", "2001:db8:1:2::1"),
        ("anna", "10.0.0.1"),
    ] {
        gate.learn(&user(name), client(from), NOW - DAY, NOW);
    }
    gate.introduce(&user("carl"), None, NOW);
    for n in 0..30 {
        guess(&gate, FAR, "ghost", n, NOW, events);
        guess(&gate, HOME, "anna", n, NOW, events);
        guess(&gate, &format!("2001:db8:9:{n}::1"), "bert", n, NOW, events);
    }
    guess(&gate, "192.0.2.1", "root", 0, NOW, events);
    let network = Subject::Network(client("192.0.2.1").network());
    gate.ban(network, NOW + DAY * 400, NOW, events);
    gate
}

fn restore(image: &[u8], now: Moment) -> Gate {
    Gate::restore(settings(), keys(9), Some(image), NONE, now).unwrap()
}

const NONE: [&[u8]; 0] = [];

fn journal(events: &[Event]) -> Vec<Box<[u8]>> {
    let records = events.iter().filter_map(|event| match event {
        Event::Journal(record) => Some(record.clone()),
        _ => None,
    });
    records.collect()
}

/// The image with its records in an order that no hash map decides.
fn sorted(image: &[u8]) -> Vec<String> {
    let mut image = Image::read(image).unwrap();
    image
        .buckets
        .sort_by_key(|bucket| (bucket.key.kind.number(), bucket.key.id));
    image.known.sort();
    let text = |debug: &dyn std::fmt::Debug| format!("{debug:?}");
    vec![
        text(&(image.mode, image.at, image.settling, image.sequence)),
        text(&image.buckets),
        text(&image.shared),
        text(&image.bans),
        text(&image.known),
    ]
}

/// What an operator would see of a client.
fn holdings(gate: &Gate, from: &str, now: Moment) -> (Vec<u32>, u8, Option<u64>, Standing) {
    let seen = gate.explain(client(from), Some(&user("anna")), now);
    (
        seen.buckets.iter().map(|holding| holding.tokens).collect(),
        seen.strikes,
        seen.ban.map(|ban| ban.until.since(now).as_secs()),
        seen.standing,
    )
}

#[test]
fn an_image_restored_at_once_gives_the_same_image_under_other_table_keys() {
    let gate = busy(&mut Vec::new());
    let image = gate.image(NOW);
    let restored = restore(&image, NOW);
    assert_eq!(sorted(&restored.image(NOW)), sorted(&image));
    for from in [
        FAR,
        HOME,
        "192.0.2.1",
        "192.0.2.2",
        "2001:db8:9:3::1",
        "10.0.9.9",
    ] {
        assert_eq!(
            holdings(&restored, from, NOW),
            holdings(&gate, from, NOW),
            "{from}"
        );
    }
    assert_eq!(restored.status(NOW).known_users, 3);
    assert_eq!(restored.bans(NOW), gate.bans(NOW));
}

#[test]
fn the_time_away_counts_as_if_the_gate_had_gone_on() {
    let gate = busy(&mut Vec::new());
    let image = gate.image(NOW);
    for away in [MINUTE, MINUTE * 45, DAY, DAY * 7] {
        let then = NOW + away;
        let restored = restore(&image, then);
        for from in [FAR, HOME, "192.0.2.1"] {
            assert_eq!(
                holdings(&restored, from, then),
                holdings(&gate, from, then),
                "{from} {away:?}"
            );
        }
    }
}

#[test]
fn a_clock_that_starts_in_1970_forgives_nothing_and_one_in_2040_seven_days() {
    let gate = busy(&mut Vec::new());
    let image = gate.image(NOW);
    let early = Moment::from_seconds(40);
    let restored = restore(&image, early);
    assert_eq!(holdings(&restored, FAR, early), holdings(&gate, FAR, NOW));
    assert_eq!(holdings(&restored, HOME, early), holdings(&gate, HOME, NOW));
    // And from there the image of 1970 is as good as any.
    let image_of_1970 = restored.image(early);
    let back = restore(&image_of_1970, NOW);
    let week = NOW + DAY * 7;
    assert_eq!(holdings(&back, FAR, NOW), holdings(&gate, FAR, week));

    let late = Moment::from_seconds(2_208_988_800);
    let restored = restore(&image, late);
    assert_eq!(holdings(&restored, FAR, late), holdings(&gate, FAR, week));
    assert_eq!(restored.status(late).familiar_pairs, 3);
    let seen = restored.explain(client(HOME), Some(&user("anna")), late);
    assert_eq!(seen.standing, Standing::Familiar);
}

#[test]
fn debts_are_cut_to_one_burst_of_what_is_the_limit_now() {
    let gate = busy(&mut Vec::new());
    let image = gate.image(NOW);
    let mut quick = settings();
    quick
        .limits
        .change(Bucket::Client, |limit| limit.base.every = MINUTE);
    let restored = Gate::restore(quick, keys(9), Some(&image), NONE, NOW).unwrap();
    let later = NOW + MINUTE * 10;
    assert_eq!(holdings(&restored, FAR, later).0[0], 10);
}

#[test]
fn settling_in_goes_on_after_a_restart_and_is_not_begun_anew() {
    let mut settings = settings();
    settings.settling = DAY * 7;
    let gate = Gate::new(settings.clone(), keys(1), NOW);
    let restart = |gate: &Gate, at: Moment, then: Moment| {
        let image = gate.image(at);
        Gate::restore(settings.clone(), keys(1), Some(&image), NONE, then).unwrap()
    };
    let gate = restart(&gate, NOW + DAY, NOW + DAY * 2);
    assert_eq!(
        gate.status(NOW + DAY * 2).settling_until,
        Some(NOW + DAY * 7)
    );
    let gate = restart(&gate, NOW + DAY * 6, NOW + DAY * 8);
    assert_eq!(gate.status(NOW + DAY * 8).settling_until, None);
    gate.finish_settling();
    let gate = restart(&gate, NOW + DAY, NOW + DAY);
    assert_eq!(gate.status(NOW + DAY).settling_until, None);
}

#[test]
fn the_journal_alone_brings_every_ban_and_the_shared_buckets_back() {
    let mut events = Vec::new();
    let gate = busy(&mut events);
    let restored = Gate::restore(settings(), keys(9), None, journal(&events), NOW).unwrap();
    assert_eq!(restored.bans(NOW), gate.bans(NOW));
    let seen = restored.explain(client("192.0.2.1"), None, NOW);
    assert_eq!((seen.strikes, seen.standing), (3, Standing::Banned));
    let level = |gate: &Gate, share| *gate.buckets.level(share);
    for bucket in Bucket::all_shared() {
        assert_eq!(
            level(&restored, bucket).sequence,
            level(&gate, bucket).sequence,
            "{bucket:?}"
        );
        assert!(level(&restored, bucket).arrival >= level(&gate, bucket).arrival);
    }
}

#[test]
fn replaying_a_journal_over_an_older_or_a_newer_image_twice_or_shuffled_changes_nothing() {
    let mut events = Vec::new();
    let gate = busy(&mut events);
    let old = gate.image(NOW);
    let mut later = Vec::new();
    let then = NOW + MINUTE;
    guess(&gate, "192.0.2.200", "root", 0, then, &mut later);
    guess(&gate, "100.64.0.1", "ghost", 0, then, &mut later);
    gate.unban(Subject::Client(client("192.0.2.1")), then, &mut later);
    let new = gate.image(then);
    let seen = |gate: &Gate| {
        (
            gate.bans(then),
            Bucket::all_shared()
                .map(|bucket| *gate.buckets.level(bucket))
                .collect::<Vec<_>>(),
        )
    };
    let truth = seen(&restore(&new, then));
    assert_eq!(truth.0, gate.bans(then));
    let all = [journal(&events), journal(&later)].concat();
    let mut twice = [all.clone(), all.clone()].concat();
    for image in [&old, &new] {
        let over = |records: &[Box<[u8]>]| {
            seen(&Gate::restore(settings(), keys(9), Some(image), records, then).unwrap())
        };
        assert_eq!(over(&all), truth);
        assert_eq!(over(&twice), truth);
        twice.reverse();
        assert_eq!(over(&twice), truth);
    }
    // Records that are older than the image bring nothing back that has ended since.
    let over_new = Gate::restore(settings(), keys(9), Some(&new), journal(&events), then);
    assert_eq!(seen(&over_new.unwrap()), truth);
}

#[test]
fn a_ban_in_the_journal_is_as_much_shorter_as_the_time_away_was_long() {
    let mut events = Vec::new();
    let gate = Gate::new(settings(), keys(1), NOW);
    guess(&gate, FAR, "root", 0, NOW, &mut events);
    let restored = |then| {
        let gate = Gate::restore(settings(), keys(1), None, journal(&events), then).unwrap();
        gate.bans(then).first().map(|ban| ban.until.since(then))
    };
    assert_eq!(restored(NOW), Some(MINUTE * 10));
    assert_eq!(restored(NOW + MINUTE * 4), Some(MINUTE * 6));
    assert_eq!(restored(NOW + MINUTE * 10), None);
    assert_eq!(restored(NOW - DAY), Some(MINUTE * 10));
}

#[test]
fn what_a_dry_run_left_is_cleared_at_the_start_without_it() {
    let mut dry = settings();
    dry.mode = Mode::DryRun;
    let gate = Gate::new(dry.clone(), keys(1), NOW);
    let mut events = Vec::new();
    for n in 0..30 {
        guess(&gate, FAR, "ghost", n, NOW, &mut events);
    }
    gate.learn(&user("anna"), client(HOME), NOW, NOW);
    let subject = Subject::Client(client("10.9.9.9"));
    gate.ban(subject, NOW + DAY, NOW, &mut events);
    assert_eq!(gate.bans(NOW).len(), 2);
    let image = gate.image(NOW);
    let again = |settings: GateSettings, image: Option<&[u8]>| {
        Gate::restore(settings, keys(1), image, journal(&events), NOW).unwrap()
    };
    let meant = again(settings(), Some(&image));
    assert_eq!(meant.bans(NOW).len(), 1);
    assert_eq!(holdings(&meant, FAR, NOW).0[0], 10);
    let refused = meant
        .status(NOW)
        .shared
        .iter()
        .any(|held| held.tokens < held.burst);
    assert!(!refused);
    assert_eq!(meant.status(NOW).familiar_pairs, 1);
    assert_eq!(again(settings(), None).bans(NOW).len(), 1);
    assert_eq!(again(dry, Some(&image)).bans(NOW).len(), 2);
}

#[test]
fn what_is_no_image_is_a_fault_and_records_that_are_none_are_passed_over() {
    let gate = busy(&mut Vec::new());
    let image = gate.image(NOW);
    let fault = |bytes: &[u8]| Image::read(bytes).err();
    assert_eq!(fault(&[]), Some(ImageFault::Damaged("first octets")));
    assert_eq!(fault(&[77]), Some(ImageFault::Version(77)));
    for length in 0..image.len() {
        assert!(fault(&image[..length]).is_some(), "{length}");
    }
    let longer = [image.clone(), vec![0]].concat();
    assert_eq!(fault(&longer), Some(ImageFault::Damaged("last octets")));
    let records: [&[u8]; 4] = [&[], &[1], &[9; 40], &[2; 38]];
    let gate = Gate::restore(settings(), keys(1), None, records, NOW).unwrap();
    assert_eq!(gate.bans(NOW), []);
}

#[test]
fn a_count_that_promises_more_than_there_is_reserves_nothing() {
    let mut image = Gate::new(settings(), keys(1), NOW).image(NOW);
    // The count of the first section stands behind 26 octets of head, a tag and a size.
    image[31..39].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_eq!(
        Image::read(&image).err(),
        Some(ImageFault::Damaged("buckets"))
    );
    image[31..39].copy_from_slice(&(u64::MAX / 22 + 1).to_le_bytes());
    assert_eq!(
        Image::read(&image).err(),
        Some(ImageFault::Damaged("buckets"))
    );
}

#[test]
fn a_restored_image_judges_as_the_gate_that_wrote_it() {
    let gate = busy(&mut Vec::new());
    let restored = restore(&gate.image(NOW), NOW);
    let spent = |gate: &Gate| {
        let seen = gate.explain(client("10.0.0.1"), Some(&user("anna")), NOW);
        (seen.user.unwrap().trust, seen.user.unwrap().outlook)
    };
    assert_eq!(spent(&restored), spent(&gate));
    assert_eq!(spent(&restored).1, Ok(Reason::Bucket(Bucket::Familiar)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_octets_at_all_are_an_image_or_a_fault_but_never_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..8),
        now in any::<u64>(),
    ) {
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut() {
            *first = VERSION;
        }
        let now = Moment::from_nanos(now);
        let _ = Gate::restore(settings(), keys(1), Some(&bytes), &records, now);
        let _ = Gate::restore(settings(), keys(1), None, &records, now);
    }

    #[test]
    fn a_damaged_image_is_restored_or_a_fault_and_the_gate_works_on(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        records in prop::collection::vec((any::<u8>(), any::<[u8; 38]>()), 0..8),
        now in any::<u64>(),
    ) {
        let mut image = busy(&mut Vec::new()).image(NOW);
        for (at, octet) in damage {
            let at = at.index(image.len());
            image[at] = octet;
        }
        // Records with a right kind and any content.
        let records = records.into_iter().map(|(kind, mut record)| {
            record[0] = 1 + kind % 2;
            record[..if kind % 2 == 0 { 34 } else { 38 }].to_vec()
        });
        let records: Vec<_> = records.collect();
        let now = Moment::from_nanos(now);
        if let Ok(gate) = Gate::restore(settings(), keys(1), Some(&image), &records, now) {
            let mut events = Vec::new();
            for n in 0..3 {
                guess(&gate, FAR, "anna", n, now, &mut events);
                guess(&gate, HOME, "anna", n, now, &mut events);
            }
            gate.tick(now, &mut events);
            gate.status(now);
            gate.explain(client(HOME), Some(&user("anna")), now);
            let image = gate.image(now);
            prop_assert!(Image::read(&image).is_ok());
        }
    }
}

#[test]
fn a_restart_finds_place_for_the_rows_of_a_table_that_is_nine_tenths_full() {
    use crate::gate::buckets::bucket::Row;
    use crate::gate::buckets::key::Key;

    const ROWS: u32 = 40_000;
    let mut large = settings();
    large.capacity.clients = ROWS as usize;
    let gate = Gate::new(large.clone(), keys(9), NOW);
    for number in 0..ROWS / 10 * 9 {
        let row = Row {
            arrival: NOW.as_nanos() + u64::from(number % 10_000 + 1) * 1_000_000_000,
            ..Row::default()
        };
        gate.buckets
            .put(Key::client(ClientKey::V4(number)), row, NOW);
    }
    let held = gate.status(NOW).rows_used;
    assert!(held > ROWS as usize / 100 * 89, "{held}");
    let mut kept = gate;
    for _ in 0..3 {
        kept = Gate::restore(large.clone(), keys(9), Some(&kept.image(NOW)), NONE, NOW).unwrap();
    }
    let now_held = kept.status(NOW).rows_used;
    assert!(now_held * 100 > held * 98, "{now_held} of {held}");
    // Of the 16,000 that owe the most nobody has been forgotten.
    let mut worst = 0;
    kept.buckets.for_each(|_, _, row| {
        worst += usize::from(row.arrival > NOW.as_nanos() + 5_000 * 1_000_000_000);
    });
    assert_eq!(worst, 16_000);
}
