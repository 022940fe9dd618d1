//! busy - readers and the writer of one file wait for each other, each for a bounded time

use super::*;

/// Begins to read as another process does, and goes on until it is dropped.
fn reading(kept: &Kept) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(kept.path("history.db")).unwrap();
    connection
        .execute_batch("BEGIN; SELECT * FROM decisions")
        .unwrap();
    connection
}

#[test]
fn a_long_report_takes_no_row_from_the_history_and_is_no_fault() {
    let mut kept = Kept::new();
    let alice = kept.user("alice", Some(Trust::Familiar));
    kept.attempt("203.0.113.7", alice.clone(), AttemptVerdict::Refuse);
    kept.write();
    let report = reading(&kept);
    kept.attempt("203.0.113.8", alice, AttemptVerdict::Refuse);
    kept.tell(RecordedEvent::Act("did this".to_owned()));
    kept.historian.round();
    assert_eq!(kept.historian.fault, None);
    assert_eq!(kept.decisions(DecisionsOf::Everybody).len(), 1);
    drop(report);
    kept.historian.round();
    assert_eq!(kept.decisions(DecisionsOf::Everybody).len(), 2);
    assert_eq!(kept.reader().acts(Moment::EPOCH, 9).unwrap().len(), 1);
    assert_eq!(kept.limits.get(ResourceLimit::History), 0);
}

#[test]
fn who_reads_without_end_is_told_and_what_waits_is_kept_afterwards() {
    let mut kept = Kept::new();
    kept.tell(RecordedEvent::Act("did this".to_owned()));
    kept.write();
    let report = reading(&kept);
    kept.tell(RecordedEvent::Act("did that".to_owned()));
    kept.historian.wait_no_longer();
    kept.historian.round();
    let told = kept.historian.fault.clone();
    assert_eq!(told.as_deref(), Some("database is locked"));
    drop(report);
    (0..30).for_each(|_| kept.historian.round());
    assert_eq!(kept.historian.fault, None);
    assert_eq!(kept.reader().acts(Moment::EPOCH, 9).unwrap().len(), 2);
}

/// The file of an earlier version that was killed: in WAL, with rows that stand only there.
fn killed_in_wal() -> tempfile::TempDir {
    let mut kept = Kept::new();
    let alice = kept.user("alice", Some(Trust::Familiar));
    kept.attempt("203.0.113.7", alice, AttemptVerdict::Refuse);
    kept.tell(RecordedEvent::Act("did this".to_owned()));
    kept.write();
    let earlier = rusqlite::Connection::open(kept.path("history.db")).unwrap();
    earlier
        .query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))
        .unwrap();
    earlier
        .execute("INSERT INTO acts (at, did) VALUES (7, 'in the log')", [])
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    for end in ["", "-wal", "-shm"] {
        let name = format!("history.db{end}");
        std::fs::copy(kept.path(&name), folder.path().join(&name)).unwrap();
    }
    folder
}

#[test]
fn the_file_of_an_earlier_version_leaves_wal_and_loses_no_row() {
    let mut kept = Kept::in_folder(killed_in_wal(), Some(30 * DAY));
    kept.tell(RecordedEvent::Act("did that".to_owned()));
    kept.write();
    assert_eq!(kept.reader().acts(Moment::EPOCH, 9).unwrap().len(), 3);
    assert_eq!(kept.decisions(DecisionsOf::Everybody).len(), 1);
    for end in ["-wal", "-shm"] {
        assert!(!kept.path(&format!("history.db{end}")).exists(), "{end}");
    }
    let octets = std::fs::read(kept.path("history.db")).unwrap();
    assert_eq!(octets[18..20], [1, 1], "the versions that WAL is told by");
}

#[test]
fn a_reader_maps_nothing_of_the_file_of_an_earlier_version() {
    let folder = killed_in_wal();
    std::fs::remove_file(folder.path().join("history.db-shm")).unwrap();
    let kept = Kept::in_folder(folder, Some(30 * DAY));
    assert_eq!(kept.reader().acts(Moment::EPOCH, 9).unwrap().len(), 2);
    let mapped = |_: &rusqlite::Row<'_>| Ok(kept.path("history.db-shm").exists());
    let asked = kept.reader().ask("SELECT 1", [], mapped).unwrap();
    assert_eq!(asked, [false]);
}

#[test]
fn what_a_killed_process_has_begun_is_rolled_back_by_who_reads_first() {
    let mut kept = Kept::new();
    kept.tell(RecordedEvent::Act("did this".to_owned()));
    kept.write();
    let killed = tempfile::tempdir().unwrap();
    {
        let writing = rusqlite::Connection::open(kept.path("history.db")).unwrap();
        // So small a cache that what is not committed goes to the file.
        writing
            .execute_batch(
                "PRAGMA cache_size = 1; BEGIN; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
                 LIMIT 9999) INSERT INTO acts (at, did) SELECT i, 'begun' FROM n;",
            )
            .unwrap();
        for name in ["history.db", "history.db-journal"] {
            std::fs::copy(kept.path(name), killed.path().join(name)).unwrap();
        }
    }
    let kept = Kept::in_folder(killed, Some(30 * DAY));
    let acts = kept.reader().acts(Moment::EPOCH, 9).unwrap();
    assert_eq!(acts.len(), 1, "{acts:?}");
}

impl Historian {
    /// As after many rounds in which somebody read.
    fn wait_no_longer(&mut self) {
        self.busy = u32::MAX;
    }
}
