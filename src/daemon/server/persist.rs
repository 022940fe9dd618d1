//! persist - what becomes of the gate's changes: journal, log, snapshots, periodic maintenance
//!
//! One task. Changes go to the journal at once and in batches; snapshots are written each minute and at
//! the end, beside the journal, so that a slow disk delays no login. A disk that refuses is told
//! once, and once more when it takes a snapshot again.
//! Not here: files (`store`), what a change is in octets (`gate::state`).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, info};

use crate::drain::Drain;
use crate::judging::Notice;
use crate::report::events::{self, Reporter};
use crate::session::Services;
use crate::store::{Saved, Store, StoreFault};
use gatepost_core::gate::request::change::{Change, Fact};

/// Notices taken into one write of the journal.
const BATCH: usize = 64;

/// Persists the state of one Gatepost.
#[derive(Debug)]
pub(in crate::server) struct Persister {
    services: Arc<Services>,
    notices: mpsc::Receiver<Notice>,
    disk: Disk,
    saving: Option<JoinHandle<Result<Saved, StoreFault>>>,
}

/// The store, and how it fares.
#[derive(Debug)]
struct Disk {
    /// Locked only where blocking is allowed, by one at a time.
    store: Arc<Mutex<Store>>,
    /// Whether the journal has octets that are not on the disk yet.
    unsynced: bool,
    /// Whether the disk has refused something that no snapshot holds yet.
    failing: bool,
    /// Whether it has refused something since the last snapshot began.
    refused_since_save: bool,
}

impl Persister {
    /// One that has done nothing yet.
    pub(in crate::server) fn new(
        services: Arc<Services>,
        notices: mpsc::Receiver<Notice>,
        store: Store,
    ) -> Self {
        Self {
            services,
            notices,
            disk: Disk::new(store),
            saving: None,
        }
    }

    /// Persists until `stop`, then saves a last time. `stop` comes when the last session is over.
    pub(in crate::server) async fn run(mut self, mut stop: Drain) {
        let mut second = interval(Duration::from_secs(1));
        let mut minute = interval(Duration::from_secs(60));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        minute.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let behind = |store: &mut Store| Ok(store.is_behind());
        if self.disk.run(behind).await != Some(true) {
            // The first tick comes at once: nothing has happened that would be worth a snapshot.
            minute.tick().await;
        }
        loop {
            tokio::select! {
                Some(notice) = self.notices.recv() => self.take(notice).await,
                _ = second.tick() => self.each_second().await,
                _ = minute.tick() => self.begin_save().await,
                () = stop.begun() => break,
            }
        }
        self.finish().await;
    }

    /// Takes what has come, together.
    async fn take(&mut self, first: Notice) {
        let more = std::iter::from_fn(|| self.notices.try_recv().ok()).take(BATCH);
        let notices: Vec<_> = std::iter::once(first).chain(more).collect();
        for notice in &notices {
            log(&self.services.judging.reporter, &notice.changes);
        }
        self.disk.persist(notices).await;
    }

    async fn each_second(&mut self) {
        let mut changes = Vec::new();
        self.services
            .judging
            .gate()
            .tick(self.services.judging.clock.now(), &mut changes);
        log(&self.services.judging.reporter, &changes);
        self.disk.append(changes).await;
        self.disk.sync().await;
        if self.saving.as_ref().is_some_and(JoinHandle::is_finished) {
            self.finish_save().await;
        }
    }

    async fn begin_save(&mut self) {
        if self.saving.is_some() {
            return;
        }
        let services = Arc::clone(&self.services);
        if let Some(saving) = self.disk.run(Store::begin_save).await {
            self.disk.refused_since_save = false;
            self.saving = Some(spawn_blocking(move || {
                saving.write(services.judging.gate(), services.judging.clock.now())
            }));
        }
    }

    async fn finish_save(&mut self) {
        let Some(saving) = self.saving.take() else {
            return;
        };
        match saving.await {
            Ok(Ok(saved)) => {
                self.disk.snapshot_taken();
                self.disk
                    .run(|store| {
                        store.finish_save(saved);
                        Ok(())
                    })
                    .await;
            }
            Ok(Err(fault)) => self.disk.refused(&fault),
            Err(panicked) => error!("the snapshot failed: {panicked}"),
        }
    }

    async fn finish(&mut self) {
        self.finish_save().await;
        self.notices.close();
        while let Some(notice) = self.notices.recv().await {
            self.take(notice).await;
        }
        let services = Arc::clone(&self.services);
        self.disk
            .run(move |store| store.save(services.judging.gate(), services.judging.clock.now()))
            .await;
    }
}

impl Disk {
    fn new(store: Store) -> Self {
        Self {
            store: Arc::new(Mutex::new(store)),
            unsynced: false,
            failing: false,
            refused_since_save: false,
        }
    }

    /// Writes notices to the journal with one write, then acknowledges them: in this order, so that no
    /// client sees a ban that a crash would undo.
    async fn persist(&mut self, notices: Vec<Notice>) {
        let mut changes = Vec::new();
        let mut waiting = Vec::new();
        for notice in notices {
            changes.extend(notice.changes);
            waiting.extend(notice.written);
        }
        self.append(changes).await;
        for written in waiting {
            // The session may have given up waiting.
            let _ = written.send(());
        }
    }

    async fn append(&mut self, changes: Vec<Change>) {
        if !changes.is_empty() {
            self.unsynced = true;
            self.run(move |store| store.append(&changes)).await;
        }
    }

    async fn sync(&mut self) {
        if std::mem::take(&mut self.unsynced) {
            self.run(Store::sync).await;
        }
    }

    /// Does something with the store where it may block, and tells what the disk made of it.
    async fn run<T: Send + 'static>(
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
        self.refused_since_save = true;
        if !std::mem::replace(&mut self.failing, true) {
            error!(
                "the state cannot be saved: {fault}. The service goes on; what has changed since the last \
                 snapshot would not survive a restart"
            );
        }
    }

    /// A snapshot holds all that was refused before it began; of what came since it knows nothing.
    fn snapshot_taken(&mut self) {
        if self.failing && !self.refused_since_save {
            self.failing = false;
            info!("state is being saved again");
        }
    }
}

/// Logs what an operator wants to know.
fn log(reporter: &Reporter, changes: &[Change]) {
    for change in changes {
        match change.fact {
            Fact::BanBegan(ban) => {
                reporter.ban_began(ban.subject, ban.until, ban.cause, ban.mode, change.at);
            }
            Fact::BanEnded(end) => reporter.ban_ended(end.subject, change.at),
            Fact::BackendFailing => events::backend_outage(),
            Fact::BackendRecovered => events::backend_recovered(),
            Fact::SharedBucket(_)
            | Fact::UserKnown(_)
            | Fact::PairFamiliar(_)
            | Fact::Forgiven(_)
            | Fact::PasswordChanged(_)
            | Fact::TrustRevoked(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
