//! tests - snapshot and journal: nothing is lost over a restart

mod changes;
mod clocks;
mod damage;
mod forgotten;
mod names;
mod revoked;

use std::time::Duration;

use super::file::{FileReport, Soundness, StateFile};
use super::{journal as journals, read};
use crate::gate::Gate;
use crate::gate::buckets::spec::Bucket;
use crate::gate::permit::Verdict;
use crate::gate::queue::QueueClass;
use crate::gate::request::attempt::{AuthAttempt, AuthOutcome, Password, Secret, Trust, UserName};
use crate::gate::request::change::{BanCause, Change, Subject};
use crate::gate::request::client::ClientKey;
use crate::gate::request::doors::Door;
use crate::gate::request::keys::Keys;
use crate::gate::request::names::{Domain, NameSettings, NamesSince};
use crate::gate::request::place::Located;
use crate::gate::request::settings::{GateSettings, Mode};
use crate::gate::request::verdict::{Reason, Standing};
use crate::moment::Moment;

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
    settings.bans.strikes = 3;
    settings.ladder = settings.ladder.without_retries();
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

/// The files in which these changes may be found, with snapshots of before and after them, in the orders in which they may be read.
fn orders(
    changes: &[Change],
    before: &[StateFile; 2],
    after: &[StateFile; 2],
) -> [Vec<StateFile>; 5] {
    let backwards: Vec<Change> = changes.iter().rev().copied().collect();
    let both = [before.as_slice(), after.as_slice()].concat();
    [
        vec![journal(changes)],
        vec![journal(&backwards), journal(changes)],
        [before.as_slice(), &[journal(changes)]].concat(),
        after.to_vec(),
        [&[journal(changes)], both.as_slice()].concat(),
    ]
}

fn guess(gate: &Gate, from: &str, name: &str, n: usize, now: Moment, changes: &mut Vec<Change>) {
    let (user, secret) = (
        user(name),
        Secret::new(format!("Zwiebel{n}kuchen").into_bytes()),
    );
    let attempt = AuthAttempt {
        session: 1,
        client: client(from),
        user: &user,
        password: Password::Shown(&secret),
        door: Door::Own,
        device: None,
        country: Located::default(),
        system: None,
    };
    if let Verdict::Allow(permit) = gate.judge_in_turn(&attempt, QueueClass::Ordinary, now, changes)
    {
        let _ = gate.settle(permit, AuthOutcome::Reject, now, changes);
    }
}

/// Debts, strikes, bans of all kinds, familiar pairs in IPv4 and IPv6.
fn busy(changes: &mut Vec<Change>) -> Gate {
    let gate = Gate::new(settings(), keys(2), NOW);
    for (name, from) in [
        ("anna", HOME),
        ("bert", "2001:db8:1:2::1"),
        ("anna", "10.0.0.1"),
    ] {
        gate.learn(&user(name), client(from), NOW - DAY, NOW, changes);
    }
    gate.introduce(&user("carl"), None, NOW, changes);
    for n in 0..30 {
        guess(&gate, FAR, "ghost", n, NOW, changes);
        guess(&gate, HOME, "anna", n, NOW, changes);
        guess(
            &gate,
            &format!("2001:db8:9:{n}::1"),
            "bert",
            n,
            NOW,
            changes,
        );
    }
    guess(&gate, "192.0.2.1", "root", 0, NOW, changes);
    let network = Subject::Network(client("192.0.2.1").network());
    gate.ban(network, NOW + DAY * 400, NOW, changes);
    gate
}

/// What a snapshot of the gate leaves: who is known, and what is owed.
fn image(gate: &Gate, now: Moment) -> [StateFile; 2] {
    gate.snapshots(now).unwrap()
}

fn journal(changes: &[Change]) -> StateFile {
    journals::file(changes)
}

fn restore_with(settings: GateSettings, files: &[StateFile], now: Moment) -> Gate {
    let (gate, reports) = Gate::restore(settings, keys(9), files, now);
    for report in reports {
        assert_eq!(report, WHOLE);
    }
    gate
}

fn restore(files: &[StateFile], now: Moment) -> Gate {
    restore_with(settings(), files, now)
}

const WHOLE: FileReport = FileReport {
    soundness: Soundness::Whole,
    skipped: 0,
    passed_over: 0,
};

/// What the files say, in an order that no hash map decides; when bans and buckets last changed is
/// another moment after each restart.
fn sorted(files: &[StateFile]) -> Vec<String> {
    let (left, _) = read::read(files);
    let mut seen = Vec::new();
    for mut snapshot in left.snapshots {
        snapshot
            .buckets
            .sort_by_key(|(key, _)| (key.kind.number(), key.id));
        snapshot.logins.sort();
        let bans: Vec<_> = snapshot
            .bans
            .iter()
            .map(|(of, held)| (of, held.ban))
            .collect();
        let shared: Vec<_> = snapshot.shared.iter().map(|(_, level)| level).collect();
        let head = snapshot.head.unwrap();
        seen.extend([
            format!("{:?}", (head.mode, head.at, head.settling)),
            format!("{:?}", snapshot.buckets),
            format!("{:?}", snapshot.logins),
            format!("{bans:?} {shared:?}"),
        ]);
    }
    seen
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

/// The bans, with the time left in seconds: moments that must differ are a nanosecond apart.
fn bans(gate: &Gate, now: Moment) -> Vec<(Subject, BanCause, Mode, u64)> {
    let left = |until: Moment| (until.since(now) + Duration::from_millis(500)).as_secs();
    let bans = gate.bans(now).into_iter();
    bans.map(|ban| (ban.subject, ban.cause, ban.mode, left(ban.until)))
        .collect()
}

/// What the shared buckets hold.
fn shared(gate: &Gate, now: Moment) -> Vec<u32> {
    let shared = gate.status(now).shared;
    shared.iter().map(|held| held.tokens).collect()
}

#[test]
fn an_image_restored_at_once_gives_the_same_image_under_other_table_keys() {
    let gate = busy(&mut Vec::new());
    let image = image(&gate, NOW);
    let restored = restore(&image, NOW);
    assert_eq!(sorted(&self::image(&restored, NOW)), sorted(&image));
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
    assert_eq!(bans(&restored, NOW), bans(&gate, NOW));
}

#[test]
fn what_is_forgiven_stays_forgiven_where_only_the_debts_could_not_be_saved() {
    let gate = busy(&mut Vec::new());
    let [_, debts] = image(&gate, NOW);
    let (then, mut changes) = (NOW + MINUTE, Vec::new());
    gate.forgive_client(client(FAR), then, &mut changes);
    let [known, _] = image(&gate, then + MINUTE);
    let restored = restore(&[known, debts, journal(&changes)], then + MINUTE);
    let seen = |gate: &Gate| holdings(gate, FAR, then + MINUTE);
    assert_eq!(seen(&restored), seen(&gate));
}

#[test]
fn debts_are_cut_to_one_burst_of_what_is_the_limit_now() {
    let gate = busy(&mut Vec::new());
    let image = image(&gate, NOW);
    let mut quick = settings();
    quick
        .limits
        .change(Bucket::Client, |limit| limit.base.every = MINUTE);
    let restored = restore_with(quick, &image, NOW);
    let later = NOW + MINUTE * 10;
    assert_eq!(holdings(&restored, FAR, later).0[0], 10);
}

#[test]
fn settling_in_goes_on_after_a_restart_and_is_not_begun_anew() {
    let mut settings = settings();
    settings.settling = DAY * 7;
    let gate = Gate::new(settings.clone(), keys(1), NOW);
    let restart = |gate: &Gate, at: Moment, then: Moment| {
        restore_with(settings.clone(), &image(gate, at), then)
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
fn that_settling_in_has_ended_is_read_in_the_journal_whatever_the_snapshots_say() {
    let mut settings = settings();
    settings.settling = DAY * 7;
    let gate = Gate::new(settings.clone(), keys(1), NOW);
    let before = image(&gate, NOW);
    let end = gate.end_settling(NOW + MINUTE).unwrap();
    assert!(end.is_awaited() && !end.concerns_others());
    assert_eq!(gate.end_settling(NOW + MINUTE), None, "once");
    let after = image(&gate, NOW + MINUTE);
    let restored = |files: &[StateFile]| restore_with(settings.clone(), files, NOW + DAY);
    assert!(!restored(&before).has_settled(NOW + DAY));
    for files in orders(&[end], &before, &after) {
        assert!(restored(&files).has_settled(NOW + DAY), "{}", files.len());
    }
}

#[test]
fn what_a_dry_run_left_is_cleared_at_the_start_without_it() {
    let mut dry = settings();
    dry.mode = Mode::DryRun;
    let gate = Gate::new(dry.clone(), keys(1), NOW);
    let mut changes = Vec::new();
    for n in 0..30 {
        guess(&gate, FAR, "ghost", n, NOW, &mut changes);
    }
    gate.learn(&user("anna"), client(HOME), NOW, NOW, &mut changes);
    let subject = Subject::Client(client("10.9.9.9"));
    gate.ban(subject, NOW + DAY, NOW, &mut changes);
    assert_eq!(gate.bans(NOW).len(), 2);
    let image = image(&gate, NOW);
    let with_journal = [image.as_slice(), &[journal(&changes)]].concat();
    let meant = restore(&with_journal, NOW);
    assert_eq!(meant.bans(NOW).len(), 1);
    assert_eq!(holdings(&meant, FAR, NOW).0[0], 10);
    let refused = meant
        .status(NOW)
        .shared
        .iter()
        .any(|held| held.tokens < held.burst);
    assert!(!refused);
    assert_eq!(meant.status(NOW).familiar_pairs, 1);
    assert_eq!(restore(&[journal(&changes)], NOW).bans(NOW).len(), 1);
    assert_eq!(restore_with(dry, &with_journal, NOW).bans(NOW).len(), 2);
}

#[test]
fn a_restored_image_judges_as_the_gate_that_wrote_it() {
    let gate = busy(&mut Vec::new());
    let restored = restore(&image(&gate, NOW), NOW);
    let spent = |gate: &Gate| {
        let seen = gate.explain(client("10.0.0.1"), Some(&user("anna")), NOW);
        (seen.user.unwrap().trust, seen.user.unwrap().outlook)
    };
    assert_eq!(spent(&restored), spent(&gate));
    assert_eq!(spent(&restored).1, Ok(Reason::Bucket(Bucket::Familiar)));
}

#[test]
fn a_restart_finds_place_for_the_rows_of_a_table_that_is_nine_tenths_full() {
    use crate::gate::buckets::bucket::BucketRow;
    use crate::gate::buckets::key::Key;

    const ROWS: u32 = 40_000;
    let mut large = settings();
    large.capacity.clients = ROWS as usize;
    let gate = Gate::new(large.clone(), keys(9), NOW);
    for number in 0..ROWS / 10 * 9 {
        let row = BucketRow {
            arrival: NOW.as_nanos() + u64::from(number % 10_000 + 1) * 1_000_000_000,
            ..BucketRow::default()
        };
        gate.buckets
            .put(Key::client(ClientKey::V4(number)), row, NOW);
    }
    let held = gate.status(NOW).rows_used;
    assert!(held > ROWS as usize / 100 * 89, "{held}");
    let mut kept = gate;
    for _ in 0..3 {
        kept = restore_with(large.clone(), &image(&kept, NOW), NOW);
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
