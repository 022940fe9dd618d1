//! historian - the thread that keeps the history: takes what is told, and writes it in its own time
//!
//! New rows go to the disk within a second, counts within ten. Where the disk takes nothing, what waits is bounded, and
//! what is beyond it is counted. Damaged files and those of a later version are put aside, and a new one is begun.
//! Not here: what is put together (`tally`), the statements (`database`, `prune`).

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::{self, error::TrySendError};
use tracing::warn;

use super::HistorySettings;
use super::database::{Database, HistoryFault};
use super::detector::Detector;
use super::listed::ListedAccounts;
use super::place::HistoryPlace;
use super::prune;
use super::statements;
use super::tally::{HistoryTally, TransactionEnd, WhichRows};
use super::written::{Totals, WrittenTotals, grown};
use crate::clock::{Clock, WallSteadiness};
use crate::report::limits::{LimitCounters, ResourceLimit};
use crate::report::occurrence::Occurrence;
use crate::report::record::{Forgotten, Record, RecordedEvent};
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::moment::Moment;

mod listing;
mod opening;
mod waiting;

use waiting::may_wait;

/// How often new rows are written.
const ROUND: Duration = Duration::from_secs(1);

/// Rounds between two writings of counts, two removals of what is old, and two tries of a disk that took nothing.
const COUNTS: u32 = 10;
const PRUNING: u32 = 300;
const RETRY: u32 = 30;

/// Records that are taken before it is looked whether something must be written.
const BATCH: usize = 256;

/// How long records gather behind those that were taken. To wake the thread for each of them costs a session more than the record does.
const GATHERING: Duration = Duration::from_millis(20);

const HOUR: u64 = 3600;

/// How long nobody has set the wall clock when rows go for their age: with one that is a month ahead, all would.
const STEADY: Duration = Duration::from_secs(HOUR);

/// What was taken at once.
enum Batch {
    /// As much as may be, before it is looked whether something must be written.
    Full,
    /// Everything that was there.
    All,
    /// The end.
    Last,
}

/// Keeps the history of one Gatepost.
pub struct Historian {
    settings: HistorySettings,
    records: Receiver<Record>,
    totals: Box<dyn Fn() -> Totals + Send>,
    clock: Clock,
    limits: Arc<LimitCounters>,
    detector: Detector,
    /// None: not read yet.
    listed: Option<ListedAccounts>,
    occurrences: mpsc::Sender<Occurrence>,
    tally: HistoryTally,
    written: WrittenTotals,
    /// What is neither a decision nor a count, on its way to the disk.
    waiting: Vec<(Moment, RecordedEvent)>,
    pub(in crate::history) open: Option<(HistoryPlace, Database)>,
    /// Whether what an earlier process left is taken over.
    is_taken_over: bool,
    /// Why the disk takes nothing, as it was told.
    pub(in crate::history) fault: Option<String>,
    /// Writes in a row that found somebody reading.
    pub(in crate::history) busy: u32,
    rounds: u32,
    /// When the last round was over.
    last: Moment,
    pub(in crate::history) steadiness: WallSteadiness,
}

impl std::fmt::Debug for Historian {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Historian(..)")
    }
}

impl Historian {
    /// One that has opened nothing yet. What it cannot keep is counted in `limits`; what an operator wants to be told
    /// comes out of the other channel. What it has written of the counters, `written` says.
    pub fn new(
        settings: HistorySettings,
        (records, occurrences): (Receiver<Record>, mpsc::Sender<Occurrence>),
        (totals, written): (Box<dyn Fn() -> Totals + Send>, WrittenTotals),
        clock: Clock,
        limits: &Arc<LimitCounters>,
    ) -> Self {
        written.set(totals());
        Self {
            settings,
            records,
            written,
            totals,
            clock,
            limits: Arc::clone(limits),
            detector: Detector::default(),
            listed: None,
            occurrences,
            tally: HistoryTally::beginning(Clock::wall()),
            waiting: Vec::new(),
            open: None,
            is_taken_over: false,
            fault: None,
            busy: 0,
            rounds: 0,
            last: clock.now(),
            steadiness: WallSteadiness::new(clock.now(), Clock::wall()),
        }
    }

    /// Keeps it until [`RecordedEvent::Stop`], on this thread.
    pub fn run(mut self) {
        match self.settings.keep {
            None => self.remove(),
            Some(_) => self.take_over(),
        }
        loop {
            match self.records.recv_timeout(ROUND) {
                Ok(record) => match self.take_batch(record) {
                    Batch::Last => break,
                    Batch::Full => {}
                    Batch::All => thread::sleep(GATHERING),
                },
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.clock.now().since(self.last) >= ROUND {
                self.round();
                // From its end: who waited to read meanwhile has a second to begin.
                self.last = self.clock.now();
            }
        }
        let now = Clock::wall();
        self.write(WhichRows::All, now);
        if self.busy > 0 {
            self.write(WhichRows::All, now);
        }
        self.turn(now);
        self.tend(|database| Ok(statements::end_outages(&database.connection, now)?));
    }

    /// Takes one record, and those that have come behind it.
    fn take_batch(&mut self, first: Record) -> Batch {
        let mut first = Some(first);
        for _ in 0..BATCH {
            let Some(record) = first.take().or_else(|| self.records.try_recv().ok()) else {
                return Batch::All;
            };
            if !self.take(record) {
                return Batch::Last;
            }
        }
        Batch::Full
    }

    /// Takes one record; false: it was the last.
    pub(in crate::history) fn take(&mut self, record: Record) -> bool {
        if matches!(record.event, RecordedEvent::Stop) {
            return false;
        }
        self.announce(&record);
        let at = self.clock.on_wall(record.at);
        if self.settings.keep.is_none() && !matches!(record.event, RecordedEvent::Forget(..)) {
            if let RecordedEvent::Attempt(attempt) = &record.event {
                self.look_up_listed(attempt, at);
            }
            return true;
        }
        match record.event {
            RecordedEvent::Attempt(attempt) => {
                self.look_up_listed(&attempt, at);
                self.tally.take(&attempt, record.at, at);
            }
            RecordedEvent::Occurred(_) => {}
            RecordedEvent::Forget(forgotten, told) => {
                // An operator that is gone is told nothing.
                let _ = told.send(self.forget(forgotten).map_err(|fault| fault.to_string()));
            }
            ref event if self.waiting.len() >= may_wait(event) => {
                self.limits.count(ResourceLimit::History)
            }
            event => self.waiting.push((at, event)),
        }
        true
    }

    /// Passes on what an operator wants to be told at once.
    fn announce(&mut self, record: &Record) {
        let occurrence = self.detector.look(&record.event, record.at);
        self.pass_on(occurrence);
    }

    fn pass_on(&self, occurrence: Option<Occurrence>) {
        if let Some(occurrence) = occurrence
            && let Err(TrySendError::Full(_)) = self.occurrences.try_send(occurrence)
        {
            self.limits.count(ResourceLimit::Occurrences);
        }
    }

    pub(in crate::history) fn round(&mut self) {
        self.round_at(Clock::wall());
    }

    pub(in crate::history) fn round_at(&mut self, now: Moment) {
        self.rounds = self.rounds.wrapping_add(1);
        let steady = self.steadiness.look(self.clock.now(), now);
        if self.fault.is_some() && !self.rounds.is_multiple_of(RETRY) {
            self.turn(now);
            return;
        }
        let which = match self.rounds.is_multiple_of(COUNTS) || self.tally.is_over(now) {
            true => WhichRows::All,
            false => WhichRows::New,
        };
        self.write(which, now);
        self.turn(now);
        if self.rounds % PRUNING == 1 {
            self.tend(|database| prune::remove_excess(&database.connection));
            if steady >= STEADY {
                self.remove_old(now);
            }
        }
    }

    /// Closes what is over.
    fn turn(&mut self, now: Moment) {
        if self.tally.turn(self.clock.now(), now) {
            self.tend(|database| prune::close_hour(&database.connection, now));
        }
        let lost = std::mem::take(&mut self.tally.only_counted);
        self.limits.add(ResourceLimit::History, lost);
    }

    fn remove_old(&mut self, now: Moment) {
        let keep = self.settings.keep.unwrap_or_default();
        self.tend(|database| prune::remove_old(&database.connection, now - keep));
        if let Some((place, _)) = &self.open
            && let Err(fault) = place.remove_aside(now - keep)
        {
            warn!("what was put aside of the history cannot be removed: {fault}");
        }
    }

    /// Works on the file where it is open.
    fn tend(&mut self, work: impl FnOnce(&mut Database) -> Result<(), HistoryFault>) {
        let Some((place, database)) = &mut self.open else {
            return;
        };
        // Something else has its place: the next write puts that aside.
        if place.check().is_err() {
            return;
        }
        let done = place.act(|| work(database));
        self.tell(done);
    }

    /// Writes what waits.
    fn write(&mut self, which: WhichRows, now: Moment) {
        if self.settings.keep.is_none() {
            return;
        }
        let totals = (self.totals)();
        let grown = grown(&self.written.get(), &totals);
        let has_counts = which == WhichRows::All && (!grown.is_empty() || self.tally.has_counts());
        let has_rows = self.tally.rows(which).next().is_some();
        if !has_counts && !has_rows && self.waiting.is_empty() {
            return;
        }
        let hour = now.as_seconds() / HOUR * HOUR;
        let mut done = self.write_once(which, hour, &grown);
        if done.as_ref().is_err_and(HistoryFault::is_full) {
            self.tend(|database| prune::make_room(&database.connection));
            done = self.write_once(which, hour, &grown);
        }
        if done.is_ok() {
            self.waiting.clear();
            if which == WhichRows::All {
                self.written.set(totals);
            }
        }
        self.tell(done);
    }

    fn write_once(
        &mut self,
        which: WhichRows,
        hour: u64,
        grown: &[(String, u64)],
    ) -> Result<(), HistoryFault> {
        self.be_open()?;
        let Some((place, database)) = &mut self.open else {
            return Ok(());
        };
        let (tally, waiting, clock) = (&mut self.tally, &self.waiting, self.clock);
        let written = place.act(|| {
            database.write(|transaction| {
                for row in tally.rows(which) {
                    statements::put_decision(transaction, row)?;
                }
                for (at, event) in waiting {
                    statements::put_event(transaction, *at, event, clock)?;
                }
                match which {
                    WhichRows::New => Ok(()),
                    WhichRows::All => statements::put_counts(transaction, tally, hour, grown),
                }
            })
        });
        tally.end_writing(match written {
            Ok(()) => TransactionEnd::Committed,
            Err(_) => TransactionEnd::RolledBack,
        });
        written
    }

    fn forget(&mut self, forgotten: Forgotten) -> Result<u64, HistoryFault> {
        if let (Some(listed), None) = (&mut self.listed, forgotten.network) {
            listed.forget(forgotten.user.code());
        }
        if self.settings.keep.is_none() {
            return Ok(0);
        }
        let is_meant = |client: ClientKey| {
            let network = client.network();
            forgotten.network.is_none_or(|meant| network == meant)
        };
        // First to the file, so that all rows are counted there.
        self.write(WhichRows::All, Clock::wall());
        self.tally
            .forget(forgotten.user.code(), is_meant, forgotten.network.is_none());
        self.be_open()?;
        let Some((place, database)) = &self.open else {
            return Ok(0);
        };
        place.act(|| prune::forget(&database.connection, forgotten))
    }
}
