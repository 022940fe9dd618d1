//! replaced - names that others have prepared, and a directory that goes or is replaced

use super::*;

/// Everything that can have a name, but a file. These tests need root, as `tests/run` has it.
fn tricks(outside: &Path) -> Vec<(&'static str, Trick)> {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use std::os::unix::fs::symlink;
    let (target, dangling) = (outside.join("target"), outside.join("dangling"));
    let node = |kind: FileType, device| {
        move |at: &Path| mknodat(CWD, at, kind, Mode::RUSR | Mode::WUSR, device).unwrap()
    };
    vec![
        ("link", Box::new(move |at| symlink(&target, at).unwrap())),
        (
            "dangling",
            Box::new(move |at| symlink(&dangling, at).unwrap()),
        ),
        ("zeros", Box::new(|at| symlink("/dev/zero", at).unwrap())),
        ("fifo", Box::new(node(FileType::Fifo, 0))),
        ("socket", Box::new(node(FileType::Socket, 0))),
        ("folder", Box::new(|at| fs::create_dir(at).unwrap())),
        (
            "sparse",
            Box::new(|at| fs::File::create(at).unwrap().set_len(1 << 40).unwrap()),
        ),
    ]
}

#[test]
fn whatever_has_the_name_of_a_file_it_is_set_aside_and_nothing_is_done_through_it() {
    const NAMES: [&str; 8] = [
        "known",
        "debts",
        "keys",
        "changes.1",
        "changes.7",
        "snapshot",
        "journal.3",
        "known.version-2",
    ];
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().join("target");
    for (trick, make) in tricks(outside.path()) {
        let directory = tempfile::tempdir().unwrap();
        fs::write(&target, "not ours").unwrap();
        for name in NAMES {
            make(&directory.path().join(name));
        }
        let (mut store, left) = open(directory.path());
        assert_eq!(left.unreadable.len(), NAMES.len() - 1, "{trick}");
        assert!(matches!(left.found_keys, FoundKeys::SetAside(_)), "{trick}");
        assert_eq!(left.past, PastState::Some);
        let gate = restored(left).0;
        ban(&mut store, &gate, 1);
        store.save(&gate, NOW).unwrap();
        drop(store);
        let (gate, sound) = restored(open(directory.path()).1);
        assert_eq!(banned(&gate), [client(1)], "{trick}");
        assert!(sound.iter().all(|(_, sound)| *sound == Soundness::Whole));
        assert_eq!(fs::read(&target).unwrap(), b"not ours");
        assert_eq!(names(outside.path()), ["target"], "{trick}");
    }
}

#[test]
fn a_hard_link_is_read_and_never_written_through() {
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().join("target");
    fs::write(&target, "not ours").unwrap();
    let directory = tempfile::tempdir().unwrap();
    for name in ["known", "debts", "keys", "changes.1", "known.damaged-1"] {
        fs::hard_link(&target, directory.path().join(name)).unwrap();
    }
    let (mut store, left) = open(directory.path());
    let files: Vec<_> = left.files.iter().map(|found| found.path.clone()).collect();
    let (gate, sound) = restored(left);
    for (path, (_, sound)) in files.iter().zip(sound) {
        store.keep(path, sound).unwrap();
    }
    ban(&mut store, &gate, 1);
    store.save(&gate, NOW).unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"not ours");
}

#[test]
fn a_directory_that_goes_is_made_and_locked_again_and_keeps_what_comes() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("state");
    let (mut store, gate) = anna(&directory);
    ban(&mut store, &gate, 1);
    assert_eq!(store.stay_in_place().unwrap(), DirectoryPlace::Same);
    fs::rename(&directory, folder.path().join("old")).unwrap();
    ban(&mut store, &gate, 2);
    assert!(store.is_behind(), "what came before is nowhere yet");
    let settings = StoreSettings {
        directory: directory.clone(),
    };
    assert!(matches!(Store::open(&settings), Err(StoreFault::Locked(_))));
    store.save(&gate, NOW).unwrap();
    assert!(!store.is_behind());
    drop(store);
    let (gate, _) = restored(open(&directory).1);
    assert_eq!(banned(&gate), [client(1), client(2)]);
    assert_eq!(gate.known().0, 1, "under the keys that it was written with");
}

#[test]
fn a_state_that_is_put_in_the_place_of_ours_keeps_its_files_under_other_names() {
    let folder = tempfile::tempdir().unwrap();
    let (directory, backup) = (folder.path().join("state"), folder.path().join("backup"));
    let (mut other, gate) = anna(&backup);
    ban(&mut other, &gate, 1);
    other.save(&gate, NOW).unwrap();
    ban(&mut other, &gate, 3);
    drop(other);
    let before: Vec<_> = names(&backup);
    fs::write(backup.join("changes.41"), "").unwrap();
    let (mut store, gate) = anna(&directory);
    fs::rename(&directory, folder.path().join("old")).unwrap();
    fs::rename(&backup, &directory).unwrap();
    assert_eq!(store.stay_in_place().unwrap(), DirectoryPlace::New);
    assert_eq!(store.take_aside().len(), before.len() + 1);
    ban(&mut store, &gate, 2);
    assert!(directory.join("changes.42").exists());
    store.save(&gate, NOW).unwrap();
    assert_eq!(store.stay_in_place().unwrap(), DirectoryPlace::Same);
    drop(store);
    assert_eq!(banned(&restored(open(&directory).1).0), [client(2)]);
    // Given their names back, they are what they were.
    for name in names(&directory) {
        match name.split_once(".found-1") {
            Some((was, _)) => fs::rename(directory.join(&name), directory.join(was)).unwrap(),
            None if before.contains(&name) => {}
            None => fs::remove_file(directory.join(&name)).unwrap(),
        }
    }
    let (gate, _) = restored(open(&directory).1);
    assert_eq!(banned(&gate), [client(1), client(3)]);
    assert_eq!(gate.known().0, 1);
    // One that another process holds is not ours.
    fs::remove_dir_all(&directory).unwrap();
    let (mut store, _) = anna(&directory);
    fs::remove_dir_all(&directory).unwrap();
    let _theirs = open(&directory);
    assert!(matches!(store.append(&[]), Err(StoreFault::Locked(_))));
}

#[test]
fn a_snapshot_that_is_put_in_the_place_of_ours_is_not_overwritten_and_one_that_goes_is_written_again()
 {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("state");
    let (mut store, gate) = anna(&directory);
    store.save(&gate, NOW).unwrap();
    for _ in 0..3 {
        store.save(&gate, NOW).unwrap();
        assert_eq!(store.stay_in_place().unwrap(), DirectoryPlace::Same);
    }
    let backup = folder.path().join("backup");
    fs::write(&backup, "an earlier one").unwrap();
    fs::rename(&backup, directory.join("known")).unwrap();
    store.save(&gate, NOW).unwrap();
    assert_eq!(store.take_aside(), [directory.join("known.found-1")]);
    let aside = fs::read(directory.join("known.found-1")).unwrap();
    assert_eq!(aside, b"an earlier one");
    fs::remove_file(directory.join("known")).unwrap();
    store.save(&gate, NOW).unwrap();
    drop(store);
    assert_eq!(restored(open(&directory).1).0.known().0, 1);
}
