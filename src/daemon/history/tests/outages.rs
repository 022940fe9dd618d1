//! outages - when an outage is over

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn outage(kept: &mut Kept, backend: &str) {
    kept.tell(RecordedEvent::Outage(OutageRecord {
        backend: Some(backend.to_owned()),
        why: Some("no answer".to_owned()),
    }));
}

/// The backends and the ends of their outages, the newest first.
fn ends(reader: &HistoryReader) -> Vec<(String, Option<Moment>)> {
    let found = reader.outages(Moment::EPOCH, 9).unwrap().into_iter();
    found.map(|one| (one.backend.unwrap(), one.ended)).collect()
}

/// A process that was killed in an outage, half an hour after the last thing that is known of it.
fn killed(now: Moment) -> Kept {
    let mut kept = Kept::new();
    outage(&mut kept, "10.0.0.1:465");
    kept.tell(RecordedEvent::Act("did this".to_owned()));
    kept.tell(RecordedEvent::Act("did that by a clock ahead".to_owned()));
    kept.write();
    assert_eq!(ends(&kept.reader())[0].1, None);
    let file = rusqlite::Connection::open(kept.path("history.db")).unwrap();
    let set = |change: &str, at: Moment| file.execute(change, [at.as_seconds()]).unwrap();
    set("UPDATE outages SET began = ?1", now - HOUR);
    set("UPDATE acts SET at = ?1", now - HOUR / 2);
    set("UPDATE acts SET at = ?1 WHERE did LIKE '%ahead'", now + DAY);
    drop(kept.historian);
    Kept::in_folder(kept.folder, Some(30 * DAY))
}

/// The same of a process whose thread has run and was stopped; nothing is to be written.
fn ends_once_stopped(kept: Kept) -> Vec<(String, Option<Moment>)> {
    let reader = kept.reader();
    let Kept {
        historian,
        _recorder,
        folder: _folder,
        ..
    } = kept;
    drop(_recorder);
    historian.run();
    ends(&reader)
}

#[test]
fn a_start_ends_the_outages_that_a_killed_process_left_at_the_last_thing_known() {
    let now = Moment::from_seconds(Clock::wall().as_seconds());
    let kept = killed(now);
    assert_eq!(ends_once_stopped(kept)[0].1, Some(now - HOUR / 2));
}

#[test]
fn an_outage_of_this_process_is_not_one_that_was_left() {
    let mut kept = killed(Clock::wall());
    outage(&mut kept, "10.0.0.1:465");
    kept.write();
    std::fs::remove_file(kept.path("history.db-journal")).unwrap();
    let copy = std::fs::read(kept.path("history.db")).unwrap();
    std::fs::remove_file(kept.path("history.db")).unwrap();
    std::fs::write(kept.path("history.db"), copy).unwrap();
    kept.tell(RecordedEvent::Act("did this".to_owned()));
    kept.write();
    let found = ends(&kept.reader());
    assert_eq!(found[0].1, None, "{found:?}");
    assert!(found[1].1.is_some(), "{found:?}");
}

#[test]
fn a_stop_ends_the_outages_that_go_on() {
    let mut kept = Kept::new();
    outage(&mut kept, "10.0.0.1:465");
    kept.write();
    assert!(ends_once_stopped(kept)[0].1.is_some());
}

#[test]
fn an_outage_ends_when_its_backend_leaves_the_config_and_others_go_on() {
    let mut kept = Kept::new();
    outage(&mut kept, "10.0.0.1:465");
    outage(&mut kept, "10.0.0.2:465");
    let gone = "10.0.0.1:465".to_owned();
    kept.tell(RecordedEvent::BackendGone(gone.clone()));
    kept.write();
    let found = ends(&kept.reader());
    assert_eq!(found[0].1, None, "{found:?}");
    assert!(found[1].0 == gone && found[1].1.is_some(), "{found:?}");
}
