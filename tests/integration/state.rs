//! state - a state directory as each version leaves it, read by this one
//!
//! `tests/state` has one directory for each version of the format, written once by a build of that
//! version, with what that build itself said of it (`tests/state/README.md`). Here: nothing of them is
//! lost, ever; and what a later version may add is passed over and counted.
//! Not here: damage (`gate::state`), the files' names and fates (`store`).

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gatepost_core::gate::permit::Verdict;
use gatepost_core::gate::queue::QueueClass;
use gatepost_core::gate::request::attempt::{AuthAttempt, AuthOutcome, Password, Secret, UserName};
use gatepost_core::gate::request::change::{Change, Subject};
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::device::Device;
use gatepost_core::gate::request::doors::Door;
use gatepost_core::gate::request::place::Located;
use gatepost_core::gate::request::settings::{GateSettings, Mode};
use gatepost_core::gate::state::file::{FileReport, Soundness};
use gatepost_core::gate::state::frame;
use gatepost_core::gate::{Gate, Keys};
use gatepost_core::moment::Moment;
use gatepost_daemon::store::{EarlierState, PastState, Store, StoreSettings};

mod devices;
mod stolen;

const NOW: Moment = Moment::from_seconds(1_800_000_000);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// The clients whose standing is compared.
const CLIENTS: [&str; 12] = [
    "203.0.113.7",
    "198.51.100.7",
    "192.0.2.1",
    "192.0.2.2",
    "192.0.2.9",
    "2001:db8:9:3::1",
    "2001:db8:1:2::1",
    "10.0.0.1",
    "10.0.9.9",
    "100.64.0.1",
    "198.18.0.1",
    "203.0.112.9",
];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/state")
}

fn settings(mode: Mode) -> GateSettings {
    let mut settings = GateSettings {
        mode,
        settling: Duration::ZERO,
        ..GateSettings::default()
    };
    // As when the first of these files were written.
    settings.bans.strikes = 3;
    settings.ladder = settings.ladder.without_retries();
    settings.stolen.limits.countries = 4;
    settings.stolen.limits.systems = 6;
    settings.capacity.clients = 10_000;
    settings.capacity.pairs = 1000;
    settings
}

fn client(text: &str) -> ClientKey {
    text.parse().unwrap()
}

fn user(name: &str) -> UserName {
    UserName::new(name.as_bytes())
}

fn open(directory: &Path) -> (Store, EarlierState) {
    Store::open(&StoreSettings {
        directory: directory.to_owned(),
    })
    .unwrap()
}

fn keys(left: &EarlierState) -> Keys {
    Keys {
        users: left.keys.users,
        passwords: [2; 16],
        table: left.keys.rows,
    }
}

/// A copy of a fixture, for the store locks and changes what it opens.
fn copy(fixture: &Path) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for file in fs::read_dir(fixture).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), directory.path().join(file.file_name())).unwrap();
    }
    directory
}

/// The gate that a start in this directory builds, five minutes after the last snapshot.
fn start(directory: &Path, mode: Mode) -> (Store, Gate, Vec<FileReport>) {
    let (store, left) = open(directory);
    assert_eq!(left.past, PastState::Some);
    let keys = keys(&left);
    let files: Vec<_> = left.files.into_iter().map(|found| found.file).collect();
    let (gate, reports) = Gate::restore(settings(mode), keys, &files, NOW + MINUTE * 5);
    (store, gate, reports)
}

/// All that the fixtures' `expected.txt` say.
fn described(gate: &Gate, now: Moment) -> String {
    let mut out = String::new();
    let status = gate.status(now);
    let (users, pairs) = (status.known_users, status.familiar_pairs);
    writeln!(out, "users {users} pairs {pairs} bans {}", status.bans).unwrap();
    for held in &status.shared {
        writeln!(out, "shared {} {}/{}", held.bucket, held.tokens, held.burst).unwrap();
    }
    for ban in gate.bans(now) {
        // Moments that must differ are a nanosecond apart.
        let left = (ban.until.since(now) + Duration::from_millis(500)).as_secs();
        let (subject, cause, mode) = (ban.subject, ban.cause, ban.mode);
        writeln!(out, "ban {subject} {left} s {cause} {mode}").unwrap();
    }
    for from in CLIENTS {
        let seen = gate.explain(client(from), Some(&user("anna")), now);
        let (standing, strikes) = (seen.standing, seen.strikes);
        let known = seen.user.unwrap().known;
        write!(out, "{from} {standing} strikes {strikes} known {known}").unwrap();
        for held in &seen.buckets {
            write!(out, " {}={}", held.bucket, held.tokens).unwrap();
        }
        out.push('\n');
    }
    out
}

/// Tries a password; what that changed, or what it was told in place of Postfix's answer.
fn tried(
    gate: &Gate,
    (name, from, device): (&str, &str, Option<Device>),
    (password, outcome): (&str, AuthOutcome),
    now: Moment,
) -> (Vec<Change>, Result<(), Verdict>) {
    let (user, secret) = (user(name), Secret::new(password.as_bytes().to_vec()));
    let attempt = AuthAttempt {
        session: 1,
        client: client(from),
        user: &user,
        password: Password::Shown(&secret),
        door: Door::Own,
        device,
        country: Located::default(),
        system: None,
    };
    let mut changes = Vec::new();
    let verdict = match gate.judge_in_turn(&attempt, QueueClass::Ordinary, now, &mut changes) {
        Verdict::Allow(permit) => {
            let _ = gate.settle(permit, outcome, now, &mut changes);
            Ok(())
        }
        other => Err(other),
    };
    (changes, verdict)
}

/// As [`tried`], where it must come to Postfix.
#[track_caller]
fn tried_there(
    gate: &Gate,
    attempt: (&str, &str, Option<Device>),
    tried: (&str, AuthOutcome),
    now: Moment,
) -> Vec<Change> {
    let (changes, verdict) = self::tried(gate, attempt, tried, now);
    verdict.unwrap_or_else(|verdict| panic!("{}: {verdict:?}", attempt.0));
    changes
}

fn guess(gate: &Gate, from: &str, name: &str, password: &str, now: Moment, store: &mut Store) {
    let guess = (password, AuthOutcome::Reject);
    let (changes, _) = tried(gate, (name, from, None), guess, now);
    store.append(&changes).unwrap();
}

/// Guesses that empty buckets of every kind, and bans for strikes, traps and neighbours.
fn attack(gate: &Gate, store: &mut Store) {
    for n in 0..30 {
        let word = format!("Zwiebel{n}kuchen");
        let mut guess = |from: &str, name, word: &str| {
            self::guess(gate, from, name, word, NOW, store);
        };
        guess("198.51.100.7", "ghost", &word);
        guess("203.0.113.7", "anna", &word);
        guess("203.0.112.9", "anna", &word);
        guess(&format!("2001:db8:9:{n}::1"), "bert", &word);
        guess(&format!("198.18.{n}.1"), "carl", "password");
    }
    for n in 0..9 {
        let from = format!("172.16.{n}.1");
        guess(gate, &from, "anna", "Birne9baum7", NOW, store);
    }
    for last in 1..6 {
        let from = format!("192.0.2.{last}");
        guess(gate, &from, "root", "x", NOW, store);
    }
}

/// What stands in every fixture: users, pairs, bans of every cause, buckets of every kind, strikes; some of it
/// in the snapshots, some in the journal after them.
fn live(directory: &Path, mode: Mode) {
    let (mut store, left) = open(directory);
    let gate = Gate::new(settings(mode), keys(&left), NOW);
    let mut changes = Vec::new();
    for (name, from, days) in [
        ("anna", "203.0.113.7", 1),
        ("bert", "2001:db8:1:2::1", 1),
        ("anna", "10.0.0.1", 1),
        ("dora", "10.1.0.1", 80),
    ] {
        let when = NOW - DAY * days;
        gate.learn(&user(name), client(from), when, NOW, &mut changes);
    }
    gate.introduce(&user("carl"), None, NOW, &mut changes);
    attack(&gate, &mut store);
    let network = Subject::Network(client("198.18.7.0").network());
    gate.ban(network, NOW + DAY * 400, NOW, &mut changes);
    for address in ["10.0.9.9", "10.0.9.10"] {
        let subject = Subject::Client(client(address));
        gate.ban(subject, NOW + DAY * 30, NOW, &mut changes);
    }
    store.append(&changes).unwrap();
    store.save(&gate, NOW).unwrap();
    let then = NOW + MINUTE;
    guess(
        &gate,
        "100.64.0.1",
        "ghost",
        "Apfel1kuchen",
        then,
        &mut store,
    );
    guess(&gate, "100.64.0.1", "root", "x", then, &mut store);
    changes.clear();
    let lifted = Subject::Client(client("10.0.9.10"));
    gate.unban(lifted, then, &mut changes);
    let subject = Subject::Client(client("2001:db8:77::1"));
    gate.ban(subject, then + DAY, then, &mut changes);
    store.append(&changes).unwrap();
    store.sync().unwrap();
}

/// Who logs in beside the others, and is taken back in one way or another.
const TAKEN_BACK: [(&str, &str); 6] = [
    ("emil", "203.0.114.7"),
    ("frieda", "203.0.115.7"),
    ("gustav", "203.0.116.7"),
    ("hanna", "203.0.117.7"),
    ("irma", "203.0.118.7"),
    ("jakob", "203.0.119.7"),
];

/// Of each of three kinds one in the snapshots and one in the journal after them: a user who was forgotten, a network that was taken
/// back, a password that was changed.
fn take_back(directory: &Path) {
    let (mut store, left) = open(directory);
    let gate = Gate::new(settings(Mode::Enforce), keys(&left), NOW);
    let mut changes = Vec::new();
    for (name, from) in TAKEN_BACK {
        gate.learn(&user(name), client(from), NOW - DAY, NOW, &mut changes);
    }
    let mut now = NOW;
    for (half, three) in TAKEN_BACK.chunks(3).enumerate() {
        gate.forget(&user(three[0].0), now, &mut changes);
        let network = client(three[1].1).network();
        gate.revoke(&user(three[1].0), Some(network), now, &mut changes);
        // A second network, in which there was no login since.
        let changed = three[2];
        gate.learn(
            &user(changed.0),
            client(ELSEWHERE),
            now - DAY * 3,
            now,
            &mut changes,
        );
        for (password, outcome) in [
            ("Birnbaum7Kirsche", AuthOutcome::Accept),
            ("Kirsche8Birnbaum", AuthOutcome::Accept),
            ("Birnbaum7Kirsche", AuthOutcome::Reject),
        ] {
            now = now + Duration::from_secs(1);
            let attempt = (changed.0, changed.1, None);
            changes.extend(tried_there(&gate, attempt, (password, outcome), now));
        }
        store.append(&changes).unwrap();
        changes.clear();
        if half == 0 {
            store.save(&gate, now).unwrap();
        }
        now = now + MINUTE;
    }
    store.sync().unwrap();
}

const ELSEWHERE: &str = "198.51.100.200";

/// What `expected.txt` says of those.
fn described_users(gate: &Gate, now: Moment) -> String {
    let mut out = String::new();
    for (name, from) in TAKEN_BACK {
        for from in [from, ELSEWHERE] {
            let told = gate
                .explain(client(from), Some(&user(name)), now)
                .user
                .unwrap();
            let (known, trust) = (told.known, told.trust);
            writeln!(out, "{name} {from} known {known} {trust}").unwrap();
        }
    }
    out
}

#[track_caller]
fn check_taken_back(fixture: &Path) {
    let expected = fs::read_to_string(fixture.join("expected.txt")).unwrap();
    let directory = copy(fixture);
    let now = NOW + MINUTE * 5;
    let (mut store, gate, reports) = start(directory.path(), Mode::Enforce);
    assert!(reports.iter().all(|report| *report == WHOLE), "{reports:?}");
    assert_eq!(
        described_users(&gate, now),
        expected,
        "{}",
        fixture.display()
    );
    store.save(&gate, now).unwrap();
    drop((store, gate));
    let (_store, again, _) = start(directory.path(), Mode::Enforce);
    assert_eq!(described_users(&again, now), expected);
    // An old log does not bring back what was taken away.
    for (name, from) in [TAKEN_BACK[0], TAKEN_BACK[1], TAKEN_BACK[3], TAKEN_BACK[4]] {
        let then = NOW - MINUTE;
        again.learn(&user(name), client(from), then, now, &mut Vec::new());
    }
    assert_eq!(described_users(&again, now), expected);
}

#[test]
fn what_was_taken_back_by_every_version_stays_so() {
    check_taken_back(&fixtures().join("v2-taken-back/enforce"));
}

#[test]
fn what_this_version_takes_back_is_left_for_a_fixture() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("state/taken-back");
    let _ = fs::remove_dir_all(&directory);
    take_back(&directory);
    let expected = fixtures().join("v2-taken-back/enforce/expected.txt");
    fs::copy(expected, directory.join("expected.txt")).unwrap();
    check_taken_back(&directory);
    let journal = fs::read(directory.join("changes.2")).unwrap();
    let kinds = kinds(&journal);
    for kind in [22, 23, 24] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
}

/// The kinds of record in a file.
fn kinds(octets: &[u8]) -> BTreeSet<u8> {
    let line = octets.iter().position(|octet| *octet == b'\n').unwrap() + 1;
    let mut rest = &octets[line..];
    let mut found = BTreeSet::new();
    while let Some((head, behind)) = rest.split_first_chunk::<16>() {
        let length = u32::from_le_bytes([head[8], head[9], head[10], head[11]]) as usize;
        found.insert(head[4]);
        rest = &behind[length..];
    }
    found
}

const MODES: [(&str, Mode); 2] = [("enforce", Mode::Enforce), ("dry-run", Mode::DryRun)];

const WHOLE: FileReport = FileReport {
    soundness: Soundness::Whole,
    skipped: 0,
    passed_over: 0,
};

#[track_caller]
fn check(fixture: &Path, mode: Mode) {
    let expected = fs::read_to_string(fixture.join("expected.txt")).unwrap();
    let directory = copy(fixture);
    let now = NOW + MINUTE * 5;
    let (mut store, gate, reports) = start(directory.path(), mode);
    assert!(!reports.is_empty());
    assert!(reports.iter().all(|report| *report == WHOLE), "{reports:?}");
    assert_eq!(described(&gate, now), expected, "{}", fixture.display());
    // And what this version makes of it is the same, once more.
    store.save(&gate, now).unwrap();
    drop((store, gate));
    let (_store, again, reports) = start(directory.path(), mode);
    assert!(reports.iter().all(|report| *report == WHOLE), "{reports:?}");
    assert_eq!(described(&again, now), expected);
}

#[test]
fn what_every_version_ever_wrote_is_read_whole() {
    for version in ["v1", "v2", "v2-credit"] {
        for (name, mode) in MODES {
            check(&fixtures().join(version).join(name), mode);
        }
    }
}

#[test]
fn this_version_reads_what_it_writes_and_leaves_it_for_a_fixture() {
    for (name, mode) in MODES {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("state")
            .join(name);
        let _ = fs::remove_dir_all(&directory);
        live(&directory, mode);
        let expected = fixtures().join("v2-credit").join(name).join("expected.txt");
        fs::copy(expected, directory.join("expected.txt")).unwrap();
        check(&directory, mode);
    }
}

#[test]
fn the_first_format_is_replaced_and_kept_for_an_older_build() {
    let directory = copy(&fixtures().join("v1/enforce"));
    let old = fs::read(directory.path().join("snapshot")).unwrap();
    let (mut store, gate, _) = start(directory.path(), Mode::Enforce);
    store.save(&gate, NOW + MINUTE * 5).unwrap();
    drop(store);
    let kept = directory.path().join("snapshot.version-1");
    assert_eq!(fs::read(kept).unwrap(), old);
    assert!(!directory.path().join("snapshot").exists());
    assert!(!directory.path().join("journal.2").exists());
    let (_store, left) = open(directory.path());
    assert_eq!(left.files.len(), 2, "known and debts");
}

/// One more section, kind of bucket, shared bucket, cause of a ban and kind of change, and every record longer
/// than this version's: what a later version may write.
fn later(octets: &[u8]) -> Vec<u8> {
    let line = octets.iter().position(|octet| *octet == b'\n').unwrap() + 1;
    let mut out = octets[..line].to_vec();
    let mut records = 0;
    let mut add = |number, record: &[u8]| {
        frame::push(&mut out, number, &[record, b"new"].concat());
        records += 1;
    };
    let mut rest = &octets[line..];
    let mut is_snapshot = false;
    while let Some((head, behind)) = rest.split_first_chunk::<16>() {
        let size = usize::from(u16::from_le_bytes([head[6], head[7]]));
        let length = u32::from_le_bytes([head[8], head[9], head[10], head[11]]) as usize;
        let number = head[4];
        is_snapshot |= number == 0xff;
        for record in behind[..length].chunks(size).filter(|_| number != 0xff) {
            add(number, record);
            for (section, at, unknown) in UNKNOWN {
                if number == section {
                    let mut record = record.to_vec();
                    record[at] = unknown;
                    add(number, &record);
                }
            }
        }
        rest = &behind[length..];
    }
    add(77, b"a section of which nothing is known yet");
    if is_snapshot {
        let records: u64 = records;
        frame::push(&mut out, 0xff, &records.to_le_bytes());
    }
    out
}

/// Where a record of this kind has a number that a later version may have more of, and one that it may have.
const UNKNOWN: [(u8, usize, u8); 5] = [
    (4, 27, 9),  // the cause of a ban
    (5, 0, 42),  // the kind of a bucket
    (6, 10, 9),  // a shared bucket
    (16, 27, 9), // the cause of a ban that began
    (18, 10, 9), // a shared bucket that changed
];

#[test]
fn what_a_later_version_adds_is_passed_over_and_counted_and_the_rest_is_read() {
    let ours = fixtures().join("v2/enforce");
    let theirs = fixtures().join("v2-and-more/enforce");
    for name in ["known", "debts", "changes.2"] {
        let written = later(&fs::read(ours.join(name)).unwrap());
        let committed = fs::read(theirs.join(name)).unwrap_or_default();
        assert!(written == committed, "{name} is as `later` writes it");
    }
    let directory = copy(&theirs);
    let (_store, gate, reports) = start(directory.path(), Mode::Enforce);
    for report in &reports {
        assert_eq!(report.soundness, Soundness::Whole);
        assert!(report.skipped > 1, "{report:?}");
    }
    let skipped = reports.iter().map(|report| report.skipped).sum::<u64>();
    assert_eq!(gate.restored().skipped, skipped);
    let expected = fs::read_to_string(ours.join("expected.txt")).unwrap();
    assert_eq!(described(&gate, NOW + MINUTE * 5), expected);
}
