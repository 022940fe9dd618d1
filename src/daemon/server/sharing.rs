//! sharing - tells the other machines what changed here, and takes in what they tell; in a task of its own
//!
//! Nobody waits for it: a login is judged by what is known here. While the store is away facts wait; what finds no room, and what a
//! machine may have missed, is made up for by telling all: who has missed something asks, and one of those who were there answers.
//! Not here: the store (`cluster::stream`), what is done with a fact (`merging`), who answers when (`sync`).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{error, info, warn};

use super::listeners::ListenerContext;
use super::merging::ClusterMerger;
use crate::clock::Clock;
use crate::cluster::common_clock::CommonClock;
use crate::cluster::message::{ClusterLetter, ClusterTold, FACTS, NumberedRecords, ProcessId};
use crate::cluster::secret::{ClusterSecret, SealFault};
use crate::cluster::store::{LenderFault, LenderSettings};
use crate::cluster::stream::{BATCH, RecordStream, StreamEntry, StreamPlace};
use crate::cluster::{ClusterSettings, OutboxFacts, SharingHealth};
use crate::drain::Drain;
use crate::store::key;
use gatepost_core::gate::Gate;
use gatepost_core::gate::request::change::Change;
use gatepost_core::gate::{spent, tell};
use gatepost_core::moment::Moment;

mod ledger;
mod sync;

use ledger::SpentLedger;
use sync::{FullSync, NextTold};

/// From one look at the stream to the next.
const ROUND: Duration = Duration::from_millis(200);
/// How long a store that does not answer is left alone.
const PAUSE: Duration = Duration::from_secs(1);
/// Batches of entries that are read in one round.
const READS: usize = 16;
/// Facts that are taken from the outbox in one round.
const AT_ONCE: usize = 4096;
/// What cannot be opened and is older says nothing about the machine as it is now.
const STALE: Duration = Duration::from_secs(60);
/// Octets of a fact, at most.
const LONGEST_FACT: usize = 64;

/// What the task works with.
struct Sharer {
    context: ListenerContext,
    settings: Arc<ClusterSettings>,
    secret: ClusterSecret,
    process: ProcessId,
    merger: ClusterMerger,
    sync: FullSync,
    outbox: OutboxFacts,
    /// Taken from the outbox, and not known to be in the store.
    unsent: Vec<Change>,
    ledger: SpentLedger,
    place: StreamPlace,
    common: CommonClock,
    health: SharingHealth,
}

/// Tells and is told until the drain begins.
pub(in crate::server) async fn share(context: ListenerContext, outbox: Option<OutboxFacts>) {
    let settings = context.cluster.settings.clone();
    let Some((settings, outbox)) = settings.zip(outbox) else {
        return;
    };
    let Some((store, path)) = settings.store.clone().zip(settings.secret.clone()) else {
        return;
    };
    let secret = match ClusterSecret::read(&path) {
        Ok(secret) => secret,
        Err(why) => {
            error!(path = %path.display(), "the secret of [cluster] cannot be read, and nothing is shared: {why}");
            return;
        }
    };
    let process = key::random();
    let mut sharer = Sharer {
        merger: ClusterMerger::new(&context),
        sync: FullSync::new(process),
        health: context.cluster.sharing.clone(),
        settings,
        secret,
        process,
        outbox,
        unsent: Vec::new(),
        ledger: SpentLedger::new(context.services.judging.gate().spent_as_of()),
        place: StreamPlace::default(),
        common: CommonClock::default(),
        context,
    };
    sharer.gate().begin_telling_spent();
    let mut drain = sharer.context.drain.clone();
    while let Err(fault) = sharer.serve(&store, &mut drain).await {
        sharer.cut_off(fault);
        tokio::select! {
            () = sleep(PAUSE) => {}
            () = drain.begun() => return,
        }
    }
}

impl Sharer {
    async fn serve(
        &mut self,
        store: &LenderSettings,
        drain: &mut Drain,
    ) -> Result<(), LenderFault> {
        let mut stream = tokio::select! {
            stream = RecordStream::connect(store) => stream?,
            () = drain.begun() => return Ok(()),
        };
        let mut round = interval(ROUND);
        round.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = round.tick() => {}
                // Whether it arrives or not, this machine is about to end; the next process tells of the last day.
                () = drain.begun() => {
                    let _ = self.publish(&mut stream).await;
                    return Ok(());
                }
            }
            self.read(&mut stream).await?;
            self.publish(&mut stream).await?;
            self.synchronise(&mut stream).await?;
        }
    }

    async fn read(&mut self, stream: &mut RecordStream) -> Result<(), LenderFault> {
        for _ in 0..READS {
            let asked = self.clock().now();
            let part = stream.read(&mut self.place).await?;
            let now = self.clock().now();
            self.common.set(part.time, asked, now);
            if self.health.shares(self.common.ahead(), now) {
                let name = &self.settings.name;
                info!(
                    name,
                    "the machines of [cluster] tell one another what they know"
                );
            }
            if part.missed {
                self.sync.missed();
            }
            let is_last = part.entries.len() < BATCH;
            for entry in part.entries {
                self.take(entry).await;
            }
            if is_last {
                break;
            }
        }
        self.health.set_whole(self.sync.is_whole());
        Ok(())
    }

    async fn take(&mut self, entry: StreamEntry) {
        let StreamEntry {
            machine,
            sealed,
            age,
        } = entry;
        let text = match self.secret.open(&machine, &sealed) {
            Ok(text) => text,
            // Of before the secret was changed, perhaps.
            Err(_) if age >= STALE => return self.health.dropped(),
            Err(fault) => return self.cannot_open(&machine, fault),
        };
        let letter = match ClusterLetter::read(&text) {
            Some(letter) if letter.process == self.process => return,
            Some(letter) => letter,
            None => return self.health.dropped(),
        };
        let now = self.clock().now();
        self.health.noted(&machine, None, now);
        match &letter.told {
            ClusterTold::Facts(octets) => match tell::read(octets, self.common.ahead()) {
                Some((facts, skipped)) => {
                    self.context.cluster.decided.note_told(&facts);
                    let news = self.merger.merge(&machine, &facts).await;
                    self.health.taken(news);
                    (0..skipped).for_each(|_| self.health.dropped());
                }
                None => self.health.dropped(),
            },
            ClusterTold::Spent(records) => {
                if let Some(at) = self.news(&letter, records, now) {
                    let spent = spent::read(&records.octets, 0);
                    self.gate().merge_spent(&spent, at, now);
                }
            }
            ClusterTold::Owed(records) => {
                if self.news(&letter, records, now).is_some() {
                    let debts = spent::read(&records.octets, self.common.ahead());
                    self.gate().merge_debts(&debts, now);
                }
            }
            ClusterTold::Hello
            | ClusterTold::Asks(_)
            | ClusterTold::Begins(_)
            | ClusterTold::Ends(_) => {}
        }
        self.sync.note(&letter, self.common.of(now), now);
    }

    /// When records were told that were not taken yet.
    fn news(
        &mut self,
        letter: &ClusterLetter,
        records: &NumberedRecords,
        now: Moment,
    ) -> Option<Moment> {
        let at = self.common.own(records.at);
        let is_news = self.ledger.is_news(letter.process, records.number, at, now);
        is_news.then_some(at)
    }

    /// Counts what is none of ours, and tells it of a machine once an hour.
    fn cannot_open(&self, machine: &str, fault: SealFault) {
        // Who tells it is not proven then.
        let listed = self.settings.machines.iter().any(|one| one == machine);
        let machine = if listed { machine } else { "" };
        if !self.health.noted(machine, Some(fault), self.clock().now()) {
            return;
        }
        match fault {
            SealFault::OtherSecret => error!(
                machine,
                "another secret of [cluster] there: until it is the same nothing is shared with that machine"
            ),
            SealFault::Version => warn!(
                machine,
                "records of a later version in the store of [cluster]: they are passed over"
            ),
            SealFault::Damaged => warn!(
                machine,
                "records in the store of [cluster] that are damaged, or not of a machine with the secret: they are passed over"
            ),
        }
    }

    /// Tells what has changed here.
    async fn publish(&mut self, stream: &mut RecordStream) -> Result<(), LenderFault> {
        while self.unsent.len() < AT_ONCE
            && let Some(change) = self.outbox.take()
        {
            self.unsent.push(change);
        }
        if self.outbox.has_lost() {
            self.sync.tell_recent();
        }
        self.context.cluster.decided.note_own(&self.unsent);
        let told = self.facts(&self.unsent);
        self.add(stream, told).await?;
        self.health.told(self.unsent.len() as u64);
        self.unsent.clear();
        self.publish_spent(stream).await
    }

    /// Tells what was spent here.
    async fn publish_spent(&mut self, stream: &mut RecordStream) -> Result<(), LenderFault> {
        let now = self.clock().now();
        let moments = (now, self.common.of(now));
        let gate = self.context.services.judging.gate();
        let machines = self.settings.machines.len();
        let told = self.ledger.next_unsent(gate, machines, moments).iter();
        let told = told.cloned().map(ClusterTold::Spent).collect();
        self.add(stream, told).await?;
        self.ledger.sent();
        Ok(())
    }

    /// Asks for all where something was missed, and tells all where others ask.
    async fn synchronise(&mut self, stream: &mut RecordStream) -> Result<(), LenderFault> {
        let now = self.clock().now();
        let common = self.common.of(now);
        let gate = self.context.services.judging.gate();
        let company = |since| self.health.has_company(since);
        let next = self.sync.next(gate, (now, common), company);
        let told = self.in_order(next, common);
        let added = self.add(stream, told).await;
        if added.is_err() {
            self.sync.interrupted(now);
        }
        added
    }

    fn in_order(&mut self, next: NextTold, common: Moment) -> Vec<ClusterTold> {
        let ahead = self.common.ahead();
        let mut told = next.letters;
        told.extend(self.facts(&next.facts));
        let debts = self.ledger.numbered(&next.debts, ahead, common);
        told.extend(debts.into_iter().map(ClusterTold::Owed));
        told.extend(next.end);
        told
    }

    async fn add(
        &self,
        stream: &mut RecordStream,
        told: Vec<ClusterTold>,
    ) -> Result<(), LenderFault> {
        let name = &self.settings.name;
        let process = self.process;
        let sealed = told.into_iter().filter_map(|told| {
            let letter = ClusterLetter { process, told };
            self.secret.seal(name, &letter.octets())
        });
        let sealed: Vec<Vec<u8>> = sealed.collect();
        match sealed.is_empty() {
            true => Ok(()),
            false => stream.add(name, &sealed).await,
        }
    }

    /// Facts in as many entries as they need.
    fn facts(&self, facts: &[Change]) -> Vec<ClusterTold> {
        let mut entries = Vec::new();
        let mut octets = Vec::new();
        for fact in facts {
            if octets.len() + LONGEST_FACT > FACTS {
                entries.push(ClusterTold::Facts(std::mem::take(&mut octets)));
            }
            let fact = self.context.cluster.decided.placed(fact);
            tell::write(&mut octets, &fact, self.common.ahead());
        }
        if !octets.is_empty() {
            entries.push(ClusterTold::Facts(octets));
        }
        entries
    }

    fn cut_off(&self, fault: LenderFault) {
        let why = fault.to_string();
        if self.health.cut_off(fault, self.clock().now()) {
            warn!(
                "this machine of [cluster] is cut off from the others: {why}. It goes on with what it knows, and tells the rest later"
            );
        }
    }

    fn gate(&self) -> &Gate {
        self.context.services.judging.gate()
    }

    fn clock(&self) -> Clock {
        self.context.services.judging.clock
    }
}
