//! file - the file of the history: damaged, of another version, removed, or somebody's link

use super::*;

#[test]
fn what_is_damaged_or_of_a_later_version_is_put_aside_and_a_new_one_begun() {
    let noise = vec![b'x'; 20_000];
    let later = |path: &Path| {
        let connection = rusqlite::Connection::open(path).unwrap();
        connection
            .execute_batch(
                "PRAGMA user_version = 99; PRAGMA application_id = 1196451945; CREATE TABLE t(a)",
            )
            .unwrap();
    };
    let foreign = |path: &Path| {
        let connection = rusqlite::Connection::open(path).unwrap();
        connection.execute_batch("CREATE TABLE t(a)").unwrap();
    };
    let noise = |path: &Path| std::fs::write(path, &noise).unwrap();
    for (case, aside) in [
        ("noise", "history.db.damaged"),
        ("later", "history.db.version-99"),
        ("foreign", "history.db.damaged"),
    ] {
        let mut kept = Kept::new();
        let path = kept.path("history.db");
        match case {
            "noise" => noise(&path),
            "later" => later(&path),
            _ => foreign(&path),
        }
        let alice = kept.user("alice", Some(Trust::Familiar));
        kept.attempt("203.0.113.7", alice, AttemptVerdict::Refuse);
        kept.write();
        assert!(kept.path(aside).exists(), "{aside}");
        assert_eq!(kept.decisions(DecisionsOf::Everybody).len(), 1, "{aside}");
    }
}

#[test]
fn one_damaged_page_is_found_at_the_next_start() {
    let mut kept = Kept::new();
    let alice = kept.user("alice", Some(Trust::Familiar));
    for number in 0..59 {
        let client = format!("203.0.113.{number}");
        kept.attempt(&client, alice.clone(), AttemptVerdict::Refuse);
    }
    kept.write();
    let Kept {
        folder, historian, ..
    } = kept;
    drop(historian);
    let path = folder.path().join("history.db");
    let mut octets = std::fs::read(&path).unwrap();
    octets[4096..8192].fill(0xa5);
    std::fs::write(&path, octets).unwrap();
    let mut kept = Kept::in_folder(folder, Some(DAY));
    kept.attempt("203.0.113.7", alice, AttemptVerdict::Refuse);
    kept.write();
    assert!(kept.path("history.db.damaged").exists());
    assert_eq!(kept.decisions(DecisionsOf::Everybody).len(), 1);
}

#[test]
fn the_file_is_ours_alone_and_no_link_is_followed() {
    let mut kept = Kept::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let victim = elsewhere.path().join("victim");
    std::fs::write(&victim, "precious").unwrap();
    symlink(&victim, kept.path("history.db")).unwrap();
    let alice = kept.user("alice", Some(Trust::Familiar));
    kept.attempt("203.0.113.7", alice, AttemptVerdict::Refuse);
    kept.write();
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    assert_eq!(kept.decisions(DecisionsOf::Everybody).len(), 1);
    for name in ["history.db", "history.db-journal"] {
        let found = std::fs::symlink_metadata(kept.path(name)).unwrap();
        assert!(found.is_file(), "{name}");
        assert_eq!(found.mode() & 0o777, 0o600, "{name}");
    }
    // One that somebody opened to others is closed again.
    let open = std::fs::Permissions::from_mode(0o666);
    std::fs::set_permissions(kept.path("history.db"), open).unwrap();
    HistoryPlace::open(kept.folder.path())
        .unwrap()
        .prepare()
        .unwrap();
    let found = std::fs::metadata(kept.path("history.db")).unwrap();
    assert_eq!(found.mode() & 0o777, 0o600);
}

#[test]
fn a_file_that_was_removed_is_made_anew() {
    let mut kept = Kept::new();
    let alice = kept.user("alice", Some(Trust::Familiar));
    kept.attempt("203.0.113.7", alice.clone(), AttemptVerdict::Refuse);
    kept.write();
    for name in ["history.db", "history.db-journal"] {
        std::fs::remove_file(kept.path(name)).unwrap();
    }
    kept.attempt("203.0.113.8", alice, AttemptVerdict::Refuse);
    kept.write();
    assert_eq!(kept.decisions(DecisionsOf::Everybody).len(), 1);
}
