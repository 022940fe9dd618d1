//! room - what goes when it is too old, or too much

use super::*;
use crate::clock::WallSteadiness;

#[test]
fn what_was_put_aside_goes_when_it_is_too_old_and_when_nothing_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let aside = [
        "history.db.damaged",
        "history.db.damaged-wal",
        "history.db.version-9",
    ];
    let others = [
        "history.db",
        "history.db.old",
        "history.db.version-9.gz",
        "state",
    ];
    for name in aside.iter().chain(&others) {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    let is_there = |name: &&str| folder.path().join(name).exists();
    let place = HistoryPlace::open(folder.path()).unwrap();
    let written = Clock::wall();
    place.remove_aside(written - DAY).unwrap();
    assert!(aside.iter().all(is_there));
    place.remove_aside(written + DAY).unwrap();
    assert!(!aside.iter().any(is_there));
    assert!(others.iter().all(is_there));
    std::fs::write(folder.path().join(aside[0]), "").unwrap();
    place.remove().unwrap();
    assert!(!is_there(&aside[0]) && !is_there(&"history.db"));
    // The historian does so in its rounds.
    let mut kept = Kept::new();
    kept.tell(RecordedEvent::Act("did this".to_owned()));
    kept.write();
    let (old, new) = (
        kept.path("history.db.damaged"),
        kept.path("history.db.version-2"),
    );
    for path in [&old, &new] {
        std::fs::write(path, "").unwrap();
    }
    let file = std::fs::File::options().write(true).open(&old).unwrap();
    let at = std::time::UNIX_EPOCH + Duration::from_secs(Clock::wall().as_seconds());
    file.set_modified(at - 31 * DAY).unwrap();
    let (now, wall) = (kept.clock.now(), Clock::wall());
    let mut rounds_after = |steady: Duration| {
        kept.historian.steadiness = WallSteadiness::new(now - steady, wall - steady);
        (0..300).for_each(|_| kept.historian.round());
    };
    // A clock that is ahead is put right meanwhile.
    rounds_after(Duration::from_secs(3000));
    assert!(old.exists());
    rounds_after(Duration::from_secs(3600));
    assert!(!old.exists() && new.exists());
}

#[test]
fn with_keep_0_nothing_is_kept_and_what_was_goes() {
    let mut kept = Kept::new();
    let alice = kept.user("alice", Some(Trust::Familiar));
    kept.attempt("203.0.113.7", alice.clone(), AttemptVerdict::Refuse);
    kept.write();
    let Kept { folder, .. } = kept;
    let mut kept = Kept::in_folder(folder, None);
    kept.attempt("203.0.113.7", alice, AttemptVerdict::Refuse);
    kept.write();
    let Kept {
        folder,
        historian,
        _recorder,
        ..
    } = kept;
    drop(_recorder);
    historian.run();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_is_too_old_and_what_is_too_much_goes_the_oldest_first() {
    let folder = tempfile::tempdir().unwrap();
    let place = HistoryPlace::open(folder.path()).unwrap();
    let database = Database::open(&place).unwrap();
    let connection = &database.connection;
    let now = Moment::from_seconds(1_000_000_000);
    let insert = |at: u64| {
        let row = "INSERT INTO acts (at, did) VALUES (?, 'x')";
        connection.execute(row, [at]).unwrap();
    };
    let count = || -> u64 {
        connection
            .query_row("SELECT count(*) FROM acts", [], |row| row.get(0))
            .unwrap()
    };
    let oldest = now.as_seconds() - DAY.as_secs();
    (oldest - 1..=oldest + 1).for_each(insert);
    super::prune::remove_old(connection, now - DAY).unwrap();
    assert_eq!(count(), 2, "the one that is older than a day");
    let most = BOUNDS
        .iter()
        .find(|bound| bound.table == "acts")
        .unwrap()
        .most;
    connection.execute_batch("BEGIN").unwrap();
    (0..most).for_each(|_| insert(now.as_seconds()));
    connection.execute_batch("COMMIT").unwrap();
    super::prune::remove_excess(connection).unwrap();
    assert_eq!(count(), most);
    let first: u64 = connection
        .query_row("SELECT min(at) FROM acts", [], |row| row.get(0))
        .unwrap();
    assert_eq!(first, now.as_seconds(), "the oldest two are gone");
}

#[test]
fn a_full_file_makes_room_for_what_is_new() {
    let mut kept = Kept::new();
    let stranger = kept.user("stranger", None);
    for number in 0..190 {
        kept.attempt(
            &format!("203.0.113.{number}"),
            stranger.clone(),
            AttemptVerdict::Refuse,
        );
    }
    kept.write();
    kept.historian.bound_pages();
    for number in 0..300 {
        let alice = kept.user(&format!("alice{number}"), Some(Trust::Familiar));
        kept.attempt("198.51.100.9", alice, AttemptVerdict::Refuse);
        kept.write();
    }
    let found = kept.decisions(DecisionsOf::Network("198.51.100.0/24".parse().unwrap()));
    assert_eq!(
        found[0].user.as_deref(),
        Some("alice299"),
        "the newest is there"
    );
    let strangers = kept.decisions(DecisionsOf::Network("203.0.113.0/24".parse().unwrap()));
    assert!(strangers.len() < 190, "{}", strangers.len());
}

impl Historian {
    /// The file may not grow any more.
    fn bound_pages(&mut self) {
        let (_, database) = self.open.as_mut().unwrap();
        let pages = "SELECT page_count FROM pragma_page_count";
        let pages: u32 = database
            .connection
            .query_row(pages, [], |row| row.get(0))
            .unwrap();
        let bound = format!("PRAGMA max_page_count = {pages}");
        database
            .connection
            .query_row(&bound, [], |_| Ok(()))
            .unwrap();
    }
}
