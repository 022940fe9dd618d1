//! tests - the order of journal and acknowledgement

use std::sync::mpsc as threads;

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::task::yield_now;

use super::*;
use crate::store::StoreSettings;
use gatepost_core::gate::request::change::{BanEnd, BanEnding, Subject};
use gatepost_core::moment::Moment;

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
    let mut disk = Disk::new(store);
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
        written: Some(written),
    };
    let persisting = tokio::spawn(async move { disk.persist(vec![notice]).await });
    for _ in 0..100 {
        yield_now().await;
    }
    assert_eq!(acknowledged.try_recv(), Err(TryRecvError::Empty));
    release.send(()).unwrap();
    acknowledged.await.unwrap();
    let journal = std::fs::read(folder.path().join("changes.1")).unwrap();
    assert!(journal.len() > 30, "the record is there: {journal:?}");
    persisting.await.unwrap();
    slow.join().unwrap();
}
