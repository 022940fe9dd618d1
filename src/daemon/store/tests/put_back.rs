//! put_back - a backup that is put back into the directory while its files are ours

use std::os::unix::fs::{PermissionsExt, chown};

use super::*;

/// How a backup is put back.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// As `cp -a` does: into the files that are there.
    Into,
    /// As `tar` does: they are removed first, and the new ones may get their inodes.
    Anew,
}

/// Puts one file back, with its time of change.
fn put_file(from: &Path, to: &Path, way: Way) {
    if way == Way::Anew && to.exists() {
        fs::remove_file(to).unwrap();
    }
    fs::write(to, fs::read(from).unwrap()).unwrap();
    let modified = fs::metadata(from).unwrap().modified().unwrap();
    let file = fs::File::options().write(true).open(to).unwrap();
    file.set_modified(modified).unwrap();
}

/// A state with anna, and bans of two clients, the second in a journal. Its files have the same length for any two addresses.
fn state(directory: &Path, bans: [u32; 2]) -> (Store, Gate) {
    let (mut store, gate) = anna(directory);
    ban(&mut store, &gate, bans[0]);
    // Debts have the time of their save: those of two states differ.
    let saved = NOW + Duration::from_secs(bans[0].into());
    store.save(&gate, saved).unwrap();
    ban(&mut store, &gate, bans[1]);
    (store, gate)
}

/// A running state, and a backup of another one.
fn with_backup() -> (tempfile::TempDir, PathBuf, PathBuf, Store, Gate) {
    let folder = tempfile::tempdir().unwrap();
    let (ours, backup) = (folder.path().join("state"), folder.path().join("backup"));
    drop(state(&backup, [1, 3]));
    let (store, gate) = state(&ours, [2, 4]);
    (folder, ours, backup, store, gate)
}

/// The files that got other names, by those.
fn aside(store: &mut Store) -> Vec<String> {
    let aside = store.take_aside();
    aside.iter().map(|path| name(path).to_owned()).collect()
}

#[test]
fn a_backup_that_is_put_into_our_files_is_set_aside_whole_and_ours_is_kept_whole() {
    for way in [Way::Into, Way::Anew] {
        let (_folder, ours, backup, mut store, gate) = with_backup();
        let files = names(&backup);
        let keys = fs::read(ours.join("keys")).unwrap();
        assert_eq!(files, ["changes.2", "debts", "keys", "known"]);
        let octets = |name: &String| fs::read(backup.join(name)).unwrap();
        let lengths = |at: &Path| fs::metadata(at.join("changes.2")).unwrap().len();
        assert_eq!(lengths(&ours), lengths(&backup));
        for file in &files {
            put_file(&backup.join(file), &ours.join(file), way);
        }
        assert_eq!(store.stay_in_place().unwrap(), DirectoryPlace::New);
        let found: Vec<_> = files.iter().map(|name| format!("{name}.found-1")).collect();
        assert_eq!(aside(&mut store), found, "{way:?}");
        for (file, found) in files.iter().zip(&found) {
            assert_eq!(fs::read(ours.join(found)).unwrap(), octets(file));
        }
        store.save(&gate, NOW).unwrap();
        assert_eq!(store.stay_in_place().unwrap(), DirectoryPlace::Same);
        assert!(store.take_aside().is_empty());
        drop(store);
        assert_eq!(fs::read(ours.join("keys")).unwrap(), keys, "{way:?}");
        let (gate, _) = restored(open(&ours).1);
        assert_eq!(banned(&gate), [client(2), client(4)], "{way:?}");
        assert_eq!(gate.known().0, 1);
        // As the log says.
        assert!(!ours.join("changes.3").exists());
        for file in &files {
            fs::rename(ours.join(format!("{file}.found-1")), ours.join(file)).unwrap();
        }
        let (gate, _) = restored(open(&ours).1);
        assert_eq!(banned(&gate), [client(1), client(3)], "{way:?}");
        assert_eq!(gate.known().0, 1);
    }
}

#[test]
fn any_file_alone_that_is_written_into_is_set_aside() {
    for way in [Way::Into, Way::Anew] {
        for file in ["changes.2", "debts", "keys", "known"] {
            let (_folder, ours, backup, mut store, gate) = with_backup();
            let keys = fs::read(ours.join("keys")).unwrap();
            put_file(&backup.join(file), &ours.join(file), way);
            ban(&mut store, &gate, 5);
            assert_eq!(aside(&mut store), [format!("{file}.found-1")], "{way:?}");
            store.save(&gate, NOW).unwrap();
            drop(store);
            assert!(!ours.join("changes.2").exists(), "the snapshot covers it");
            assert_eq!(fs::read(ours.join("keys")).unwrap(), keys, "{way:?} {file}");
            let (gate, _) = restored(open(&ours).1);
            assert_eq!(banned(&gate), [2, 4, 5].map(client), "{way:?} {file}");
            assert_eq!(gate.known().0, 1, "{way:?} {file}");
        }
    }
}

#[test]
fn another_owner_mode_or_time_makes_no_file_anothers() {
    let (_folder, ours, backup, mut store, gate) = with_backup();
    let old = fs::metadata(backup.join("known")).unwrap();
    let old = old.modified().unwrap() - Duration::from_secs(9);
    for name in names(&ours) {
        let path = ours.join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        if rustix::process::geteuid().is_root() {
            chown(&path, Some(12_345), Some(12_346)).unwrap();
        }
        assert_eq!(store.stay_in_place().unwrap(), DirectoryPlace::Same);
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(old).unwrap();
        assert_eq!(store.stay_in_place().unwrap(), DirectoryPlace::Same);
    }
    ban(&mut store, &gate, 5);
    // What the next process reads is its own, and a copy of it as well.
    drop(store);
    let (mut store, _) = open(&ours);
    let copy = backup.join("copy");
    fs::copy(ours.join("known"), &copy).unwrap();
    put_file(&copy, &ours.join("known"), Way::Anew);
    assert_eq!(store.stay_in_place().unwrap(), DirectoryPlace::Same);
    store.save(&gate, NOW).unwrap();
    assert!(store.take_aside().is_empty());
}

#[test]
fn what_is_found_at_the_start_is_ours_also_where_nobody_has_read_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("known.before"), "of a cluster").unwrap();
    fs::write(folder.path().join("keys.before"), "of a cluster").unwrap();
    let (mut store, gate) = anna(folder.path());
    assert_eq!(store.stay_in_place().unwrap(), DirectoryPlace::Same);
    store.adopt_users_key([7; 16], &gate, NOW);
    assert!(store.take_aside().is_empty());
}

#[test]
fn what_comes_while_a_snapshot_is_written_is_neither_overwritten_nor_removed() {
    let (_folder, ours, backup, mut store, gate) = with_backup();
    // The journal that the snapshot covers, and the snapshot's own place.
    let saving = store.begin_save().unwrap();
    put_file(
        &backup.join("changes.2"),
        &ours.join("changes.2"),
        Way::Into,
    );
    let saved = saving.write(&gate, NOW).unwrap();
    store.finish_save(saved);
    assert!(ours.join("changes.2").exists());
    let saving = store.begin_save().unwrap();
    assert_eq!(aside(&mut store), ["changes.2.found-1"]);
    put_file(&backup.join("known"), &ours.join("known"), Way::Into);
    let refused = saving.write(&gate, NOW).unwrap_err();
    assert!(matches!(&refused, StoreFault::Foreign(path) if *path == ours.join("known")));
    store.save(&gate, NOW).unwrap();
    assert_eq!(aside(&mut store), ["known.found-1"]);
    let is_same = |name: &str| {
        fs::read(ours.join(format!("{name}.found-1"))).unwrap()
            == fs::read(backup.join(name)).unwrap()
    };
    assert!(is_same("changes.2") && is_same("known"));
}

#[test]
fn the_last_save_looks_once_more_whether_the_keys_beside_it_are_ours() {
    let (_folder, ours, backup, mut store, gate) = with_backup();
    let keys = fs::read(ours.join("keys")).unwrap();
    let mut comes = ["keys", "known"].into_iter();
    let write = |saving: Saving| {
        let first = comes
            .next()
            .inspect(|name| put_file(&backup.join(name), &ours.join(name), Way::Into));
        let saved = saving.write(&gate, NOW);
        assert_eq!(saved.is_err(), first == Some("known"));
        saved
    };
    store.save_by(write).unwrap();
    assert_eq!(aside(&mut store), ["keys.found-1", "known.found-1"]);
    drop(store);
    assert_eq!(fs::read(ours.join("keys")).unwrap(), keys);
    assert_eq!(restored(open(&ours).1).0.known().0, 1);
}

#[test]
fn a_snapshot_that_began_before_a_backup_came_does_not_stand_for_the_keys() {
    let (_folder, ours, backup, mut store, gate) = with_backup();
    let saving = store.begin_save().unwrap();
    put_file(&backup.join("keys"), &ours.join("keys"), Way::Into);
    assert_eq!(store.stay_in_place().unwrap(), DirectoryPlace::New);
    let saved = saving.write(&gate, NOW).unwrap();
    store.finish_save(saved);
    assert!(store.has_moved() && !ours.join("keys").exists());
    store.save(&gate, NOW).unwrap();
    assert!(!store.has_moved() && ours.join("keys").exists());
}

#[test]
fn what_is_set_aside_at_once_has_one_number() {
    let (_folder, ours, backup, mut store, gate) = with_backup();
    for number in ["1", "2"] {
        let files: &[&str] = match number {
            "1" => &["known"],
            _ => &["debts", "keys", "known"],
        };
        for file in files {
            put_file(&backup.join(file), &ours.join(file), Way::Into);
        }
        store.save(&gate, NOW).unwrap();
        let found: Vec<_> = files
            .iter()
            .map(|name| format!("{name}.found-{number}"))
            .collect();
        assert_eq!(aside(&mut store), found);
    }
}

#[test]
fn what_has_another_name_is_told_also_where_the_next_file_cannot_be_renamed() {
    let (_folder, ours, backup, mut store, _) = with_backup();
    put_file(&backup.join("known"), &ours.join("known"), Way::Into);
    // With more behind it, its name would be longer than a name may be.
    let long = ours.join(format!("changes.{}9", "0".repeat(245)));
    fs::write(ours.join("changes.0"), "").unwrap();
    fs::write(&long, "").unwrap();
    assert!(store.stay_in_place().is_err());
    assert_eq!(aside(&mut store), ["changes.0.found-1"]);
    assert!(store.append(&[]).is_err(), "nothing is written beside them");
    fs::remove_file(long).unwrap();
    assert_eq!(store.stay_in_place().unwrap(), DirectoryPlace::New);
    assert_eq!(aside(&mut store), ["known.found-1"]);
}

#[test]
fn a_record_behind_what_another_has_just_written_does_not_make_that_ours() {
    let (_folder, ours, _, mut store, gate) = with_backup();
    fs::write(ours.join("changes.2"), "of another state").unwrap();
    let mut changes = Vec::new();
    gate.ban(client(5), NOW + Duration::from_secs(9), NOW, &mut changes);
    // As where it comes between our look and our write.
    store.journal.append(&store.directory, &changes).unwrap();
    assert_eq!(store.stay_in_place().unwrap(), DirectoryPlace::New);
    assert_eq!(aside(&mut store), ["changes.2.found-1"]);
}
