//! tests - the order of journal and acknowledgement

use std::sync::mpsc as threads;

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::task::yield_now;

use super::*;
use crate::store::StoreSettings;
use gatepost_core::gate::request::change::{BanEnd, BanEnding, Fact, Subject};

const LIFTED: Change = Change::here(
    Moment::from_seconds(1_800_000_000),
    Fact::BanEnded(BanEnd {
        subject: Subject::Client(gatepost_core::gate::request::client::ClientKey::V4(1)),
        why: BanEnding::Lifted,
    }),
);

#[tokio::test]
async fn a_session_is_acknowledged_when_the_journal_has_its_change_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().to_owned();
    let (store, _) = Store::open(&StoreSettings { directory }).unwrap();
    let mut disk = Disk::new(store, StateHealth::default(), Clock::start());
    // A disk that takes its time, as long as we say.
    let (busy, is_busy) = threads::channel();
    let (release, released) = threads::channel::<()>();
    let store = Arc::clone(&disk.store);
    let slow = std::thread::spawn(move || {
        let _store = store.lock();
        busy.send(()).unwrap();
        released.recv().unwrap();
    });
    is_busy.recv().unwrap();
    let (written, mut acknowledged) = oneshot::channel();
    let notice = Notice {
        changes: vec![LIFTED],
        waiting: Acknowledge::ForJournal(written),
    };
    let persisting = tokio::spawn(async move { disk.persist(vec![notice]).await });
    for _ in 0..100 {
        yield_now().await;
    }
    assert_eq!(acknowledged.try_recv(), Err(TryRecvError::Empty));
    release.send(()).unwrap();
    assert_eq!(acknowledged.await.unwrap(), Ok(()));
    let journal = std::fs::read(folder.path().join("changes.1")).unwrap();
    assert!(journal.len() > 30, "the record is there: {journal:?}");
    persisting.await.unwrap();
    slow.join().unwrap();
}

#[tokio::test]
async fn an_operator_is_told_of_a_disk_that_refuses_and_status_shows_it_until_a_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("state");
    let settings = StoreSettings {
        directory: directory.clone(),
    };
    let (store, _) = Store::open(&settings).unwrap();
    let health = StateHealth::default();
    let mut disk = Disk::new(store, health.clone(), Clock::start());
    // A file in the directory's place stands for a disk that refuses.
    std::fs::remove_dir_all(&directory).unwrap();
    std::fs::write(&directory, "").unwrap();
    let told = async |disk: &mut Disk| {
        let (told, answer) = oneshot::channel();
        let notice = Notice {
            changes: vec![LIFTED],
            waiting: Acknowledge::ForDisk(told),
        };
        disk.persist(vec![notice]).await;
        answer.await.unwrap()
    };
    let refused = told(&mut disk).await.unwrap_err();
    assert!(refused.contains("Not a directory"), "{refused}");
    assert_eq!(health.not_kept().unwrap().why, refused);
    disk.snapshot_taken();
    assert!(health.not_kept().is_some(), "it began before the refusal");
    std::fs::remove_file(&directory).unwrap();
    assert_eq!(told(&mut disk).await, Ok(()));
    disk.refused_since_save = false;
    disk.snapshot_taken();
    assert_eq!(health.not_kept(), None);
}
