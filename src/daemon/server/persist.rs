//! persist - what becomes of the gate's events: journal, log, snapshots, periodic maintenance
//!
//! One task. Records go to the journal at once and in batches; a snapshot is written each minute and at
//! the end, beside the journal, so that a slow disk delays no login. A disk that refuses is told
//! once, and once more when it is well again.
//! Not here: files (`store`), the meaning of a record (`gate::image`).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, info};

use crate::drain::Drain;
use crate::judging::Notice;
use crate::report::events;
use crate::session::Services;
use crate::store::{Record, Saved, Store, StoreFault};
use gatepost_core::gate::Events;
use gatepost_core::gate::request::verdict::Event;

/// Notices taken into one write of the journal.
const BATCH: usize = 64;

/// The keeper of one Gatepost.
#[derive(Debug)]
pub(in crate::server) struct Keeper {
    services: Arc<Services>,
    notices: mpsc::Receiver<Notice>,
    /// Locked only where blocking is allowed, by one at a time.
    store: Arc<Mutex<Store>>,
    /// Whether the journal has octets that are not on the disk yet.
    unsynced: bool,
    /// Whether the disk has refused something since the last snapshot that it took.
    failing: bool,
    saving: Option<JoinHandle<Result<Saved, StoreFault>>>,
}

impl Keeper {
    /// A keeper that has done nothing yet.
    pub(in crate::server) fn new(
        services: Arc<Services>,
        notices: mpsc::Receiver<Notice>,
        store: Store,
    ) -> Self {
        let store = Arc::new(Mutex::new(store));
        Self {
            services,
            notices,
            store,
            unsynced: false,
            failing: false,
            saving: None,
        }
    }

    /// Keeps until `stop`, then saves a last time. `stop` comes when the last session is over.
    pub(in crate::server) async fn run(mut self, mut stop: Drain) {
        let mut second = interval(Duration::from_secs(1));
        let mut minute = interval(Duration::from_secs(60));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        minute.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick comes at once: nothing has happened that would be worth a snapshot.
        minute.tick().await;
        loop {
            tokio::select! {
                Some(notice) = self.notices.recv() => self.keep(notice).await,
                _ = second.tick() => self.each_second().await,
                _ = minute.tick() => self.begin_save().await,
                () = stop.begun() => break,
            }
        }
        self.finish().await;
    }

    /// Takes what is there, writes the journal once, tells those who wait, and the log.
    async fn keep(&mut self, first: Notice) {
        let mut records = Vec::new();
        let mut waiting = Vec::new();
        let more = std::iter::from_fn(|| self.notices.try_recv().ok()).take(BATCH);
        for notice in std::iter::once(first).chain(more) {
            take(notice.events, &mut records);
            waiting.extend(notice.written);
        }
        self.append(records).await;
        for acknowledge in waiting {
            // The session may have waited long enough.
            let _ = acknowledge.send(());
        }
    }

    async fn each_second(&mut self) {
        let mut events = Vec::new();
        self.services
            .judging
            .gate()
            .tick(self.services.judging.clock.now(), &mut events);
        let mut records = Vec::new();
        take(events, &mut records);
        self.append(records).await;
        if std::mem::take(&mut self.unsynced) {
            self.on_disk(Store::sync).await;
        }
        if self.saving.as_ref().is_some_and(JoinHandle::is_finished) {
            self.finish_save().await;
        }
    }

    async fn append(&mut self, records: Vec<Record>) {
        if !records.is_empty() {
            self.unsynced = true;
            self.on_disk(move |store| store.append(records.iter().map(AsRef::as_ref)))
                .await;
        }
    }

    async fn begin_save(&mut self) {
        if self.saving.is_some() {
            return;
        }
        let services = Arc::clone(&self.services);
        if let Some(saving) = self.on_disk(Store::begin_save).await {
            self.saving = Some(spawn_blocking(move || {
                saving.write(&services.judging.gate().image(services.judging.clock.now()))
            }));
        }
    }

    async fn finish_save(&mut self) {
        let Some(saving) = self.saving.take() else {
            return;
        };
        match saving.await {
            Ok(Ok(saved)) => {
                self.snapshot_taken();
                self.on_disk(|store| {
                    store.finish_save(saved);
                    Ok(())
                })
                .await;
            }
            Ok(Err(fault)) => self.refused(&fault),
            Err(panicked) => error!("the snapshot failed: {panicked}"),
        }
    }

    async fn finish(&mut self) {
        self.finish_save().await;
        self.notices.close();
        while let Some(notice) = self.notices.recv().await {
            self.keep(notice).await;
        }
        let services = Arc::clone(&self.services);
        self.on_disk(move |store| {
            store.save(|| services.judging.gate().image(services.judging.clock.now()))
        })
        .await;
    }

    /// Does something with the store where it may block, and tells what the disk made of it.
    async fn on_disk<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Store) -> Result<T, StoreFault> + Send + 'static,
    ) -> Option<T> {
        let store = Arc::clone(&self.store);
        let done =
            spawn_blocking(move || work(&mut store.lock().unwrap_or_else(PoisonError::into_inner)));
        match done.await {
            Ok(Ok(value)) => Some(value),
            Ok(Err(fault)) => {
                self.refused(&fault);
                None
            }
            Err(panicked) => {
                error!("the store failed: {panicked}");
                None
            }
        }
    }

    /// Tells that the disk does not take what it is given, once until it has taken a snapshot: a full disk
    /// still syncs, and takes a record now and then.
    fn refused(&mut self, fault: &StoreFault) {
        if !std::mem::replace(&mut self.failing, true) {
            error!(
                "the state cannot be kept: {fault}. The service goes on; what has changed since the last \
                 snapshot would not survive a restart"
            );
        }
    }

    /// A snapshot holds all that was refused before.
    fn snapshot_taken(&mut self) {
        if std::mem::take(&mut self.failing) {
            info!("the state is being kept again");
        }
    }
}

/// Logs the events, and takes the records out of them.
fn take(events: Events, records: &mut Vec<Record>) {
    for event in events {
        match event {
            Event::Journal(record) => records.push(record),
            Event::BanBegan {
                subject,
                until,
                cause,
                mode,
            } => {
                events::ban_began(subject, until, cause, mode);
            }
            Event::BanEnded { subject } => events::ban_ended(subject),
            Event::BackendSick => events::backend_sick(),
            Event::BackendWell => events::backend_well(),
        }
    }
}
