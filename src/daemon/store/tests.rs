//! tests - the state directory: what is found, kept, replaced and never lost

mod put_back;
mod replaced;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use super::*;
use gatepost_core::gate::Keys;
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::change::{BanEnd, BanEnding, Fact, Subject};
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::settings::GateSettings;
use gatepost_core::gate::state::file::StateFile;

const NOW: Moment = Moment::from_seconds(1_800_000_000);

fn open(directory: &Path) -> (Store, EarlierState) {
    Store::open(&StoreSettings {
        directory: directory.to_owned(),
    })
    .unwrap()
}

fn settings() -> GateSettings {
    let mut settings = GateSettings::default();
    settings.capacity.clients = 10_000;
    settings
}

fn keys(left: &EarlierState) -> Keys {
    Keys {
        users: left.keys.users,
        passwords: [0; 16],
        table: left.keys.rows,
    }
}

/// The gate that a start would build, and the soundness of each file by its name.
fn restored(left: EarlierState) -> (Gate, Vec<(String, Soundness)>) {
    let keys = keys(&left);
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let names: Vec<_> = left.files.iter().map(|found| name(&found.path)).collect();
    let files: Vec<StateFile> = left.files.into_iter().map(|found| found.file).collect();
    let (gate, reports) = Gate::restore(settings(), keys, &files, NOW);
    let sound = reports.into_iter().map(|report| report.soundness);
    (gate, names.into_iter().zip(sound).collect())
}

fn client(number: u32) -> Subject {
    Subject::Client(ClientKey::V4(number))
}

/// Bans a client, and journals that.
fn ban(store: &mut Store, gate: &Gate, number: u32) {
    let mut changes = Vec::new();
    let until = NOW + Duration::from_secs(86_400);
    gate.ban(client(number), until, NOW, &mut changes);
    store.append(&changes).unwrap();
}

fn banned(gate: &Gate) -> Vec<Subject> {
    let mut subjects: Vec<_> = gate.bans(NOW).iter().map(|ban| ban.subject).collect();
    subjects.sort();
    subjects
}

/// A gate that knows anna, in a new state directory.
fn anna(directory: &Path) -> (Store, Gate) {
    let (mut store, left) = open(directory);
    let gate = Gate::new(settings(), keys(&left), NOW);
    let name = UserName::new(b"anna".as_slice());
    gate.introduce(&name, None, NOW, &mut Vec::new());
    gate.finish_settling();
    store.save(&gate, NOW).unwrap();
    (store, gate)
}

fn names(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_may_not_be_read_now_keeps_its_name_and_what_makes_no_sense_does_not() {
    use rustix::io::Errno;
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    for (errno, stops) in [
        (Errno::ACCESS, true),
        (Errno::MFILE, true),
        (Errno::IO, false),
    ] {
        fs::write(folder.path().join("keys"), "sound, for all that is known").unwrap();
        let aside = find::set_aside_unread(&directory, "keys", errno.into());
        assert_eq!(aside.is_err(), stops, "{errno}");
        assert_eq!(folder.path().join("keys").exists(), stops, "{errno}");
    }
}

#[test]
fn what_was_saved_and_journaled_is_read_back_and_the_key_stays() {
    let directory = tempfile::tempdir().unwrap();
    let (first, left) = open(directory.path());
    assert_eq!(left.past, PastState::None);
    drop(first);
    let (mut store, gate) = anna(directory.path());
    ban(&mut store, &gate, 1);
    ban(&mut store, &gate, 2);
    drop(store);
    let (_store, second) = open(directory.path());
    assert_eq!(second.past, PastState::Some);
    assert_eq!(second.keys.users, left.keys.users);
    assert_eq!(second.keys.rows, left.keys.rows);
    let (gate, sound) = restored(second);
    let whole = |name: &str| (name.to_owned(), Soundness::Whole);
    assert_eq!(sound, ["changes.1", "debts", "known"].map(whole));
    assert_eq!(gate.known().0, 1);
    assert_eq!(banned(&gate), [client(1), client(2)]);
}

#[test]
fn every_file_is_the_directory_owners_also_when_root_writes_it() {
    let directory = tempfile::tempdir().unwrap();
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(directory.path(), Some(12_345), Some(12_346)).unwrap();
    }
    let (mut store, gate) = anna(directory.path());
    ban(&mut store, &gate, 1);
    let owner = directory.path().metadata().unwrap();
    for name in ["keys", "known", "debts", "changes.1"] {
        let file = directory.path().join(name).metadata().unwrap();
        assert_eq!(
            (file.uid(), file.gid()),
            (owner.uid(), owner.gid()),
            "{name}"
        );
        assert_eq!(file.mode() & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_second_process_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let _held = open(directory.path());
    let fault = Store::open(&StoreSettings {
        directory: directory.path().to_owned(),
    })
    .unwrap_err();
    assert!(
        matches!(&fault, StoreFault::Locked(path) if path == directory.path()),
        "{fault}"
    );
}

#[test]
fn a_snapshot_takes_the_journal_before_it_away_and_keeps_the_one_after() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, gate) = anna(directory.path());
    ban(&mut store, &gate, 1);
    store.save(&gate, NOW).unwrap();
    ban(&mut store, &gate, 2);
    drop(store);
    assert_eq!(
        names(directory.path()),
        ["changes.2", "debts", "keys", "known"]
    );
    let (gate, _) = restored(open(directory.path()).1);
    assert_eq!(banned(&gate), [client(1), client(2)]);
}

#[test]
fn journals_of_several_lives_are_all_read_until_a_snapshot_covers_them() {
    let directory = tempfile::tempdir().unwrap();
    let (store, gate) = anna(directory.path());
    drop(store);
    for number in 1..4 {
        let (mut store, _) = open(directory.path());
        assert_eq!(store.is_behind(), number > 1);
        ban(&mut store, &gate, number);
    }
    let (mut store, left) = open(directory.path());
    let (gate, _) = restored(left);
    assert_eq!(banned(&gate), [client(1), client(2), client(3)]);
    store.save(&gate, NOW).unwrap();
    assert!(!store.is_behind());
    assert_eq!(names(directory.path()), ["debts", "keys", "known"]);
}

#[test]
fn a_journal_cut_anywhere_keeps_every_whole_record() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, gate) = anna(directory.path());
    ban(&mut store, &gate, 1);
    let path = directory.path().join("changes.1");
    let first_ends = fs::read(&path).unwrap().len();
    ban(&mut store, &gate, 2);
    drop(store);
    let whole = fs::read(&path).unwrap();
    for cut in 0..whole.len() {
        fs::write(&path, whole.get(..cut).unwrap()).unwrap();
        let (gate, sound) = restored(open(directory.path()).1);
        let expected = usize::from(cut >= first_ends);
        assert_eq!(banned(&gate).len(), expected, "cut after {cut} octets");
        assert_eq!(sound[0].1, Soundness::Whole, "a killed writer is no damage");
    }
}

#[test]
fn half_a_long_record_alone_in_a_journal_is_no_damage() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, gate) = anna(directory.path());
    let mut changes = Vec::new();
    for number in 0..5 {
        gate.ban(
            client(number),
            NOW + Duration::from_secs(9),
            NOW,
            &mut changes,
        );
    }
    store.append(&changes).unwrap();
    drop(store);
    let path = directory.path().join("changes.1");
    let mut octets = fs::read(&path).unwrap();
    // The line, and a head that promises more than follows, and more than 64 octets of it.
    let line = octets.iter().position(|octet| *octet == b'\n').unwrap() + 1;
    octets.truncate(line + 16);
    octets[line + 8..line + 12].copy_from_slice(&1020_u32.to_le_bytes());
    octets.extend([9; 100]);
    fs::write(&path, octets).unwrap();
    let (mut store, left) = open(directory.path());
    let (_, sound) = restored(left);
    assert_eq!(sound[0], ("changes.1".to_owned(), Soundness::Whole));
    assert_eq!(store.keep(&path, sound[0].1).unwrap(), None);
}

#[test]
fn a_damaged_record_in_the_middle_hides_none_and_the_file_is_kept_once_it_is_covered() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, gate) = anna(directory.path());
    let path = directory.path().join("changes.1");
    ban(&mut store, &gate, 1);
    let first = fs::read(&path).unwrap().len();
    ban(&mut store, &gate, 2);
    ban(&mut store, &gate, 3);
    drop(store);
    let mut octets = fs::read(&path).unwrap();
    octets[first + 20] ^= 1;
    fs::write(&path, octets).unwrap();
    let (mut store, left) = open(directory.path());
    let (gate, sound) = restored(left);
    assert_eq!(banned(&gate), [client(1), client(3)]);
    assert_eq!(sound[0].1, Soundness::Damaged(1));
    let aside = store.keep(&path, sound[0].1).unwrap().unwrap();
    // What could be read is needed until it is saved elsewhere.
    assert!(path.exists() && !aside.path.exists());
    store.save(&gate, NOW).unwrap();
    assert!(!path.exists() && aside.path.exists());
}

#[test]
fn damage_to_a_snapshot_costs_its_damaged_part_and_the_file_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, gate) = anna(directory.path());
    ban(&mut store, &gate, 7);
    store.save(&gate, NOW).unwrap();
    drop(store);
    let debts = directory.path().join("debts");
    fs::write(&debts, b"gatepost state 2\nnothing of any use").unwrap();
    let (mut store, left) = open(directory.path());
    let (gate, sound) = restored(left);
    assert_eq!(gate.known().0, 1);
    assert_eq!(banned(&gate), [client(7)]);
    assert_eq!(sound[0], ("debts".to_owned(), Soundness::Damaged(1)));
    let aside = store.keep(&debts, sound[0].1).unwrap().unwrap();
    assert_eq!(aside.path, directory.path().join("debts.damaged-1"));
    store.save(&gate, NOW).unwrap();
    let kept = fs::read(&aside.path).unwrap();
    assert!(kept.ends_with(b"nothing of any use"));
    assert_ne!(fs::read(&debts).unwrap(), kept);
}

#[test]
fn a_file_of_a_later_version_waits_for_it_and_is_merged_when_it_comes() {
    let directory = tempfile::tempdir().unwrap();
    drop(anna(directory.path()));
    let known = directory.path().join("known");
    let ours = fs::read(&known).unwrap();
    fs::write(&known, b"gatepost state 3\nwhatever that means").unwrap();
    let (mut store, left) = open(directory.path());
    let (gate, sound) = restored(left);
    assert_eq!(gate.known().0, 0);
    assert_eq!(gate.settles_until(NOW), None, "enforcement stays on");
    let aside = store.keep(&known, sound[1].1).unwrap().unwrap();
    let waiting = directory.path().join("known.version-3");
    assert_eq!(aside.path, waiting);
    // This build goes on with what it has, and leaves that file alone.
    let name = UserName::new(b"bert".as_slice());
    gate.introduce(&name, None, NOW, &mut Vec::new());
    store.save(&gate, NOW).unwrap();
    drop(store);
    let (store, left) = open(directory.path());
    assert_eq!(left.waiting, std::slice::from_ref(&waiting));
    drop(store);
    // The other version comes back: here it is this one, with its own number on the file.
    fs::remove_file(&waiting).unwrap();
    let mine = directory.path().join("known.version-2");
    fs::write(&mine, ours).unwrap();
    let (mut store, left) = open(directory.path());
    let (gate, _) = restored(left);
    assert_eq!(gate.known().0, 2, "what both knew");
    store.save(&gate, NOW).unwrap();
    assert!(!mine.exists(), "merged");
}

#[test]
fn a_directory_with_nothing_but_other_versions_and_damage_is_not_new() {
    for name in [
        "known.version-9",
        "snapshot.damaged-1",
        "debts",
        "journal.4",
    ] {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(name), b"what").unwrap();
        assert_eq!(open(directory.path()).1.past, PastState::Some, "{name}");
    }
    for name in [
        "lost+found",
        "known.new",
        "known.new-0123456789abcdef0123456789abcdef",
        "notes.txt",
        "keys",
        "changes.18446744073709551615",
    ] {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(name), b"what").unwrap();
        assert_eq!(open(directory.path()).1.past, PastState::None, "{name}");
    }
}

#[test]
fn foreign_files_and_keys_are_set_aside_and_named() {
    let directory = tempfile::tempdir().unwrap();
    drop(anna(directory.path()));
    let journal = directory.path().join("changes.9");
    fs::write(&journal, [0x55; 100]).unwrap();
    fs::write(directory.path().join("keys"), b"what").unwrap();
    let (mut store, left) = open(directory.path());
    let FoundKeys::SetAside(aside) = left.found_keys.clone() else {
        panic!("{:?}", left.found_keys);
    };
    assert_eq!(aside.path, directory.path().join("keys.damaged-1"));
    let (_, sound) = restored(left);
    assert_eq!(sound[0], ("changes.9".to_owned(), Soundness::Foreign));
    let aside = store.keep(&journal, sound[0].1).unwrap().unwrap();
    assert_eq!(aside.path, directory.path().join("changes.9.damaged-1"));
    assert!(aside.path.exists());
}

#[test]
fn half_a_snapshot_never_replaces_a_whole_one() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = anna(directory.path());
    let old = fs::read(directory.path().join("known")).unwrap();
    let failed = replace::replace(&store.directory, "known", |out| {
        out.write_all(&[1; 1 << 20])?;
        Err(io::ErrorKind::StorageFull.into())
    });
    assert!(failed.is_err());
    assert_eq!(fs::read(directory.path().join("known")).unwrap(), old);
    assert_eq!(names(directory.path()), ["debts", "keys", "known"]);
}

#[test]
fn no_change_is_lost_with_a_snapshot_that_failed() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, gate) = anna(directory.path());
    // A directory in a snapshot's place stands for a disk that refuses.
    let obstacle = directory.path().join("debts");
    ban(&mut store, &gate, 1);
    let saving = store.begin_save().unwrap();
    fs::remove_file(&obstacle).unwrap();
    fs::create_dir(&obstacle).unwrap();
    assert!(saving.write(&gate, NOW).is_err());
    drop(store);
    let (store, left) = open(directory.path());
    let aside = &left.unreadable[0].path;
    assert_eq!(*aside, directory.path().join("debts.damaged-1"));
    assert_eq!(banned(&restored(left).0), [client(1)]);
    drop(store);
}

#[test]
fn no_snapshot_is_written_before_the_key_of_its_names() {
    use std::os::unix::fs::{PermissionsExt, chown};
    let folder = tempfile::tempdir().unwrap();
    if rustix::process::geteuid().is_root() {
        // Root then acts as this user, who may not do everything.
        chown(folder.path(), Some(12_345), Some(12_346)).unwrap();
    }
    let (mut store, left) = open(folder.path());
    let gate = Gate::new(settings(), keys(&left), NOW);
    let may = |mode| fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
    fs::remove_file(folder.path().join("keys")).unwrap();
    may(0o500);
    assert!(store.begin_save().is_err());
    may(0o700);
    store.save(&gate, NOW).unwrap();
    drop(store);
    assert_eq!(open(folder.path()).1.keys.users, left.keys.users);
}

#[test]
fn the_keys_of_tickets_are_kept_with_a_snapshot_for_their_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, left) = open(folder.path());
    let gate = Gate::new(settings(), keys(&left), NOW);
    assert_eq!(store.ticket_keys(), b"");
    store.save(&gate, NOW).unwrap();
    let path = folder.path().join("tickets");
    assert!(!path.exists(), "there are none");
    store.set_ticket_keys(vec![7; 56].into());
    store.save(&gate, NOW).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    drop(store);
    let (mut store, _) = open(folder.path());
    assert_eq!(store.ticket_keys(), [7; 56]);
    // The same again is no write; others are.
    let written = fs::metadata(&path).unwrap().ino();
    store.set_ticket_keys(vec![7; 56].into());
    store.save(&gate, NOW).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().ino(), written);
    store.set_ticket_keys(vec![8; 112].into());
    // They stand in nobody's way, and nothing stands in theirs.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    store.save(&gate, NOW).unwrap();
    assert!(folder.path().join("tickets.found-1").is_dir());
    drop(store);
    assert_eq!(open(folder.path()).0.ticket_keys(), [8; 112]);
}

#[test]
fn what_is_no_file_of_ticket_keys_is_set_aside_and_named() {
    for octets in [&b"what"[..], b"\x01\x00\x00\x00\x00\x00\x00\x00\x00", b""] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("tickets"), octets).unwrap();
        let (store, left) = open(folder.path());
        assert_eq!(store.ticket_keys(), b"");
        let [aside] = left.unreadable.as_slice() else {
            panic!("{:?}", left.unreadable);
        };
        assert_eq!(aside.path, folder.path().join("tickets.damaged-1"));
        assert_eq!(left.past, PastState::None, "no state was lost");
    }
}

/// What puts something in the place of a file.
type Trick = Box<dyn Fn(&Path)>;

#[test]
fn what_needs_no_record_makes_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = open(directory.path());
    let why = BanEnding::Expired;
    let subject = client(1);
    let expired = Fact::BanEnded(BanEnd { subject, why });
    store.append(&[Change::here(NOW, expired)]).unwrap();
    assert_eq!(names(directory.path()), ["keys"]);
}
