use std::fs;
use std::os::unix::fs::MetadataExt;

use super::*;

fn open(directory: &Path) -> (Store, Kept) {
    Store::open(&Settings {
        directory: directory.to_owned(),
    })
    .unwrap()
}

fn records(kept: &Kept) -> Vec<&[u8]> {
    kept.journal.iter().map(AsRef::as_ref).collect()
}

#[test]
fn what_was_saved_is_read_back_and_the_key_stays() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, first) = open(directory.path());
    assert!(first.image.is_none() && first.journal.is_empty() && first.set_aside.is_empty());
    store.save(|| b"image".to_vec()).unwrap();
    store.append([b"ban".as_slice(), b"another"]).unwrap();
    drop(store);
    let (_store, second) = open(directory.path());
    assert_eq!(second.image.as_deref(), Some(b"image".as_slice()));
    assert_eq!(records(&second), [b"ban".as_slice(), b"another"]);
    assert_eq!(second.keys.users, first.keys.users);
    assert_eq!(second.keys.rows, first.keys.rows);
}

#[test]
fn every_file_is_the_directory_owners_also_when_root_writes_it() {
    let directory = tempfile::tempdir().unwrap();
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(directory.path(), Some(12_345), Some(12_346)).unwrap();
    }
    let (mut store, _) = open(directory.path());
    store.save(|| b"image".to_vec()).unwrap();
    store.append([b"ban".as_slice()]).unwrap();
    let owner = directory.path().metadata().unwrap();
    for name in ["keys", "snapshot", "journal.1"] {
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
    let fault = Store::open(&Settings {
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
    let (mut store, _) = open(directory.path());
    store.append([b"before".as_slice()]).unwrap();
    store.save(|| b"image".to_vec()).unwrap();
    store.append([b"after".as_slice()]).unwrap();
    drop(store);
    assert_eq!(records(&open(directory.path()).1), [b"after".as_slice()]);
}

#[test]
fn a_journal_of_two_lives_is_read_in_order() {
    let directory = tempfile::tempdir().unwrap();
    for life in [b"one".as_slice(), b"two", b"three"] {
        open(directory.path()).0.append([life]).unwrap();
    }
    let (mut store, kept) = open(directory.path());
    assert_eq!(records(&kept), [b"one".as_slice(), b"two", b"three"]);
    store.save(|| b"image".to_vec()).unwrap();
    drop(store);
    assert!(open(directory.path()).1.journal.is_empty());
}

#[test]
fn a_journal_cut_anywhere_keeps_every_whole_record() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = open(directory.path());
    store.append([b"first".as_slice(), b"second"]).unwrap();
    drop(store);
    let path = directory.path().join("journal.1");
    let whole = fs::read(&path).unwrap();
    let first_ends = 8 + b"first".len();
    for cut in 0..whole.len() {
        fs::write(&path, whole.get(..cut).unwrap()).unwrap();
        let (_, kept) = open(directory.path());
        let expected = usize::from(cut >= first_ends);
        assert_eq!(kept.journal.len(), expected, "cut after {cut} octets");
        assert!(kept.set_aside.is_empty(), "a killed writer is no damage");
    }
}

#[test]
fn damaged_and_foreign_files_are_set_aside_and_named() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = open(directory.path());
    store.save(|| b"a good image".to_vec()).unwrap();
    drop(store);
    let snapshot = directory.path().join("snapshot");
    let mut octets = fs::read(&snapshot).unwrap();
    *octets.last_mut().unwrap() ^= 1;
    fs::write(&snapshot, octets).unwrap();
    fs::write(directory.path().join("journal.9"), [0x55; 100]).unwrap();
    fs::write(directory.path().join("keys"), b"what").unwrap();
    let (_store, kept) = open(directory.path());
    assert!(kept.image.is_none() && kept.journal.is_empty());
    let names: Vec<_> = kept
        .set_aside
        .iter()
        .map(|a| a.path.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "keys.damaged-1",
            "snapshot.damaged-1",
            "journal.9.damaged-1"
        ]
    );
    assert!(kept.set_aside.iter().all(|aside| aside.path.exists()));
}

#[test]
fn half_a_snapshot_never_replaces_a_whole_one() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = open(directory.path());
    store.save(|| b"old".to_vec()).unwrap();
    // A directory in the temporary file's place stands for a disk that refuses.
    fs::create_dir(directory.path().join("snapshot.new")).unwrap();
    store.append([b"ban".as_slice()]).unwrap();
    assert!(store.save(|| b"new".to_vec()).is_err());
    drop(store);
    let (_store, kept) = open(directory.path());
    assert_eq!(kept.image.as_deref(), Some(b"old".as_slice()));
    assert_eq!(
        records(&kept),
        [b"ban".as_slice()],
        "no record is lost with the failed snapshot"
    );
}

#[test]
fn no_snapshot_is_written_before_the_key_of_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        directory: folder.path().to_owned(),
    };
    // A key cannot be written where a folder stands in the way.
    let obstacle = folder.path().join("keys.new");
    std::fs::create_dir(&obstacle).unwrap();
    let (mut store, kept) = Store::open(&settings).unwrap();
    assert!(store.save(|| b"image".to_vec()).is_err());
    assert!(!folder.path().join("snapshot").exists());
    std::fs::remove_dir(&obstacle).unwrap();
    store.save(|| b"image".to_vec()).unwrap();
    drop(store);
    let (_store, again) = Store::open(&settings).unwrap();
    assert_eq!(again.keys.users, kept.keys.users);
}
