//! persist - what becomes of the gate's changes: journal, log, snapshots, periodic maintenance
//!
//! One task. Changes go to the journal at once and in batches; snapshots are written each minute and at
//! the end, beside the journal, so that a slow disk delays no login. A disk that refuses is told
//! once, and once more when it takes a snapshot again.
//! Not here: files (`store`), what a change is in octets (`gate::state`), what is told of one (`told`).

use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{error, info, warn};

use super::listeners::ListenerContext;
use super::lists::Lists;
use super::tickets;
use crate::clock::{Clock, WallWatch};
use crate::cluster::Outbox;
use crate::crowdsec::outbox::BanOutbox;
use crate::drain::Drain;
use crate::judging::{Acknowledge, Notice, WriteOutcome};
use crate::report::events;
use crate::session::Services;
use crate::store::{StateHealth, Store, StoreFault};
use gatepost_core::gate::Gate;
use gatepost_core::gate::request::change::Change;
use gatepost_core::moment::Moment;

mod save;
mod told;

use save::{RunningSave, SaveReason};
use told::log;

/// Notices taken into one write of the journal.
const BATCH: usize = 64;

/// A disk that has not answered for this long is told.
const SLOW_DISK: Duration = Duration::from_secs(10);

/// Seconds between tries to save a state that is not kept where it should be.
const RETRY: u32 = 5;

/// Persists the state of one Gatepost.
#[derive(Debug)]
pub(in crate::server) struct Persister {
    services: Arc<Services>,
    notices: mpsc::Receiver<Notice>,
    outbox: Outbox,
    bans: BanOutbox,
    lists: Arc<Lists>,
    disk: Disk,
    saving: RunningSave,
    wall: WallWatch,
    /// Whether the state directory is new to us, and the log says so.
    moved: bool,
    /// Seconds for which the state is not kept where it should be.
    unkept: u32,
}

/// The store, and how it fares.
#[derive(Debug)]
struct Disk {
    /// Locked only where blocking is allowed, by one at a time.
    store: Arc<Mutex<Store>>,
    clock: Clock,
    /// Whether the journal has octets that are not on the disk yet.
    unsynced: bool,
    /// Whether the disk has refused something that no snapshot holds yet.
    health: StateHealth,
    /// Whether it has refused something since the last snapshot began.
    refused_since_save: bool,
}

impl Persister {
    /// A persister that has written nothing yet. `shown` is what the wall clock showed at `start`; it may have been set since.
    pub(in crate::server) fn new(
        context: &ListenerContext,
        (notices, store): (mpsc::Receiver<Notice>, Store),
        (start, shown): (Moment, Moment),
    ) -> Self {
        let services = Arc::clone(&context.services);
        let clock = services.judging.clock;
        let gate = services.judging.gate();
        gate.set_wall(clock.now(), Clock::wall());
        Self {
            wall: WallWatch::new(start, shown),
            disk: Disk::new(store, context.state.clone(), clock),
            services,
            notices,
            outbox: context.cluster.outbox.clone(),
            bans: context.crowdsec.outbox.clone(),
            lists: Arc::clone(&context.lists),
            saving: RunningSave::default(),
            moved: false,
            unkept: 0,
        }
    }

    /// Persists until `stop`, then saves a last time. `stop` comes when the last session is over.
    pub(in crate::server) async fn run(mut self, mut stop: Drain) {
        let mut second = interval(Duration::from_secs(1));
        let mut minute = interval(Duration::from_secs(60));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        minute.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let behind = |store: &mut Store| Ok(store.is_behind());
        let is_ahead = self.services.judging.gate().restored().is_ahead;
        if self.disk.run(behind).await != Ok(true) && !is_ahead {
            // The first tick comes at once: nothing has happened that would be worth a snapshot.
            minute.tick().await;
        }
        loop {
            tokio::select! {
                Some(notice) = self.notices.recv() => self.take(notice).await,
                _ = second.tick() => self.each_second().await,
                _ = minute.tick() => self.begin_save(SaveReason::Due).await,
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
            // A slow disk keeps no other machine waiting.
            self.outbox.leave(&notice.changes);
            self.bans.leave(&notice.changes);
            log(&self.services.judging, &notice.changes);
        }
        self.disk.persist(notices).await;
    }

    async fn each_second(&mut self) {
        let mut changes = Vec::new();
        self.services
            .judging
            .gate()
            .tick(self.services.judging.clock.now(), &mut changes);
        log(&self.services.judging, &changes);
        // What the disk refuses is told, and shown in `status`.
        let _ = self.disk.append(changes).await;
        let _ = self.disk.sync().await;
        self.stay_in_place().await;
        self.watch_the_wall().await;
        if self.saving.is_over() && self.finish_save().await {
            self.begin_save(SaveReason::ClockSet).await;
        }
    }

    /// Goes on in a new directory where ours was removed or replaced, and brings the state there; tries again
    /// soon where the disk has refused something.
    async fn stay_in_place(&mut self) {
        let look = |store: &mut Store| {
            let stayed = store.stay_in_place();
            Ok((stayed.map(|_| store.has_moved()), store.take_aside()))
        };
        let (stayed, aside) = self.disk.run(look).await.unwrap_or((Ok(false), Vec::new()));
        let moved = stayed.unwrap_or_else(|fault| {
            self.disk.refused(&fault, &fault.cause().into());
            false
        });
        if moved && !std::mem::replace(&mut self.moved, moved) {
            warn!(
                "the state directory, or files in it, were removed or replaced: the state goes on in what has its name now"
            );
            self.for_lists(Lists::keep_again);
        }
        aside.iter().for_each(|path| told::set_aside(path));
        self.moved = moved;
        if !moved && self.disk.health.not_kept().is_none() {
            self.unkept = 0;
            return;
        }
        if self.unkept.is_multiple_of(RETRY) {
            self.begin_save(SaveReason::Due).await;
        }
        self.unkept = self.unkept.saturating_add(1);
    }

    /// Tells that the machine's clock was set, and reads lists again, which end on a date. Saves at once: a start takes the
    /// time away from what was written last.
    async fn watch_the_wall(&mut self) {
        let (now, wall) = (self.services.judging.clock.now(), Clock::wall());
        self.services.judging.gate().set_wall(now, wall);
        if let Some(step) = self.wall.look(now, wall) {
            events::clock_set(step);
            self.begin_save(SaveReason::ClockSet).await;
            self.for_lists(Lists::restore);
        }
    }

    /// Does something with the published lists, where it may block.
    fn for_lists(&self, work: fn(&Lists, &Gate, Clock)) {
        let (lists, services) = (Arc::clone(&self.lists), Arc::clone(&self.services));
        let judging = move || work(&lists, services.judging.gate(), services.judging.clock);
        drop(spawn_blocking(judging));
    }

    async fn begin_save(&mut self, why: SaveReason) {
        if !self.saving.is_free(why) {
            return;
        }
        if let Some(keys) = tickets::rotated(&self.services.tls) {
            let set = |store: &mut Store| {
                store.set_ticket_keys(keys);
                Ok(())
            };
            let _ = self.disk.run(set).await;
        }
        let services = Arc::clone(&self.services);
        if let Ok(saving) = self.disk.run(Store::begin_save).await {
            self.disk.refused_since_save = false;
            self.saving.begin(spawn_blocking(move || {
                saving.write(services.judging.gate(), services.judging.clock.now())
            }));
        }
    }

    /// True: another snapshot must follow.
    async fn finish_save(&mut self) -> bool {
        let Some((saving, again)) = self.saving.take() else {
            return false;
        };
        match saving.await {
            Ok(Ok(saved)) => {
                self.disk.snapshot_taken();
                let finish = |store: &mut Store| {
                    store.finish_save(saved);
                    Ok(())
                };
                let _ = self.disk.run(finish).await;
            }
            // It is set aside within a second, and told, and then the next snapshot follows.
            Ok(Err(StoreFault::Foreign(_))) => {}
            Ok(Err(fault)) => {
                self.disk.refused(&fault, &fault.cause().into());
            }
            Err(panicked) => error!("the snapshot failed: {panicked}"),
        }
        again
    }

    async fn finish(&mut self) {
        // The last one follows.
        let _ = self.finish_save().await;
        self.notices.close();
        while let Some(notice) = self.notices.recv().await {
            self.take(notice).await;
        }
        let services = Arc::clone(&self.services);
        let _ = self
            .disk
            .run(move |store| store.save(services.judging.gate(), services.judging.clock.now()))
            .await;
        let aside = self.disk.run(|store| Ok(store.take_aside())).await;
        aside
            .iter()
            .flatten()
            .for_each(|path| told::set_aside(path));
    }
}

impl Disk {
    fn new(store: Store, health: StateHealth, clock: Clock) -> Self {
        Self {
            store: Arc::new(Mutex::new(store)),
            clock,
            unsynced: false,
            health,
            refused_since_save: false,
        }
    }

    /// Writes notices to the journal with one write, then says what came of it: in this order, so that no
    /// client sees a ban that a crash would undo, and no operator reads of one that is not kept.
    async fn persist(&mut self, notices: Vec<Notice>) {
        let mut changes = Vec::new();
        let (mut sessions, mut operators) = (Vec::new(), Vec::new());
        for notice in notices {
            changes.extend(notice.changes);
            match notice.waiting {
                Acknowledge::Nobody => {}
                Acknowledge::ForJournal(session) => sessions.push(session),
                Acknowledge::ForDisk(operator) => operators.push(operator),
            }
        }
        let written = self.append(changes).await;
        for session in sessions {
            // It may have given up waiting.
            let _ = session.send(written.clone());
        }
        if !operators.is_empty() {
            let kept = match written {
                Ok(()) => self.sync().await,
                refused => refused,
            };
            for operator in operators {
                let _ = operator.send(kept.clone());
            }
        }
    }

    async fn append(&mut self, changes: Vec<Change>) -> WriteOutcome {
        if changes.is_empty() {
            return Ok(());
        }
        self.unsynced = true;
        self.run(move |store| store.append(&changes)).await
    }

    async fn sync(&mut self) -> WriteOutcome {
        match std::mem::take(&mut self.unsynced) {
            true => self.run(Store::sync).await,
            false => Ok(()),
        }
    }

    /// Does something with the store where it may block, and tells what the disk made of it.
    async fn run<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Store) -> Result<T, StoreFault> + Send + 'static,
    ) -> Result<T, Arc<str>> {
        let store = Arc::clone(&self.store);
        let mut done =
            spawn_blocking(move || work(&mut store.lock().unwrap_or_else(PoisonError::into_inner)));
        let done = match timeout(SLOW_DISK, &mut done).await {
            Ok(done) => done,
            Err(_) => {
                let why = "the disk does not answer";
                self.refused(&why, &why.into());
                done.await
            }
        };
        match done {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(fault)) => {
                let why = fault.cause().into();
                self.refused(&fault, &why);
                Err(why)
            }
            Err(panicked) => {
                error!("the store failed: {panicked}");
                Err("a fault of Gatepost's own".into())
            }
        }
    }

    /// Tells that the disk does not take what it is given, once until it has taken a snapshot: a full disk
    /// still syncs, and takes a record now and then.
    fn refused(&mut self, fault: &dyn Display, why: &Arc<str>) {
        self.refused_since_save = true;
        if self.health.refused(why, self.clock.now()) {
            error!(
                "the state cannot be saved: {fault}. The service goes on; what has changed since the last \
                 snapshot would not survive a restart"
            );
        }
    }

    /// A snapshot holds all that was refused before it began; of what came since it knows nothing.
    fn snapshot_taken(&mut self) {
        if !self.refused_since_save && self.health.recovered() {
            info!("state is being saved again");
        }
    }
}

#[cfg(test)]
mod tests;
