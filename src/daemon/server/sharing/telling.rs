//! telling - what a machine of a cluster tells and is told, whichever way it goes
//!
//! Takes what others tell into the gate, and has what happened here ready as entries.
//! Not here: the ways (`by_store`, `by_mesh`), what is done with a fact (`merging`), numbers against repetition (`ledger`).

use std::sync::Arc;

use super::ledger::SpentLedger;
use super::settling_in::OthersSettling;
use crate::clock::Clock;
use crate::cluster::common_clock::CommonClock;
use crate::cluster::message::{ClusterLetter, ClusterTold, FACTS, NumberedRecords, ProcessId};
use crate::cluster::{ClusterSettings, OutboxFacts, SharingHealth};
use crate::drain::Drain;
use crate::server::listeners::ListenerContext;
use crate::server::merging::ClusterMerger;
use crate::store::key;
use gatepost_core::gate::request::change::Change;
use gatepost_core::gate::spent::UserDebt;
use gatepost_core::gate::{Gate, MOST_AHEAD};
use gatepost_core::gate::{spent, tell};
use gatepost_core::moment::Moment;

/// Facts that are taken from the outbox in one round.
const AT_ONCE: usize = 4096;
/// Octets of a fact, at most.
const LONGEST_FACT: usize = 64;

/// What a machine tells and is told.
pub(super) struct FactExchange {
    pub(super) context: ListenerContext,
    pub(super) settings: Arc<ClusterSettings>,
    pub(super) process: ProcessId,
    pub(super) health: SharingHealth,
    /// Whether what is taken in may have been told long ago.
    pub(super) reads_the_past: bool,
    merger: ClusterMerger,
    others_settling: OthersSettling,
    outbox: OutboxFacts,
    ledger: SpentLedger,
}

impl FactExchange {
    /// Of a process that begins; from now on what is spent here is noted.
    pub(super) fn new(
        context: ListenerContext,
        settings: Arc<ClusterSettings>,
        outbox: OutboxFacts,
    ) -> Self {
        let gate = context.services.judging.gate();
        gate.begin_telling_spent();
        Self {
            merger: ClusterMerger::new(&context),
            others_settling: OthersSettling::new(&settings),
            health: context.cluster.sharing.clone(),
            reads_the_past: false,
            settings,
            process: key::random(),
            outbox,
            ledger: SpentLedger::new(gate.spent_as_of()),
            context,
        }
    }

    /// Takes in what another machine tells, of which the clock is in common.
    pub(super) async fn take(
        &mut self,
        machine: &str,
        letter: &ClusterLetter,
        common: CommonClock,
        now: Moment,
    ) {
        match &letter.told {
            ClusterTold::Facts(octets) => match tell::read(octets, common.ahead()) {
                Some((mut facts, skipped)) => {
                    // Of a clock that was put right since: as one of now it would undo what came after it.
                    facts.retain(|fact| !self.reads_the_past || fact.at <= now + MOST_AHEAD);
                    self.context.cluster.decided.note_told(&facts);
                    let news = self.merger.merge(machine, &facts).await;
                    self.health.taken(news);
                    (0..skipped).for_each(|_| self.health.dropped());
                }
                None => self.health.dropped(),
            },
            ClusterTold::Spent(records) => {
                if let Some(at) = self.news(letter, records, common, now) {
                    let spent = spent::read(&records.octets, 0);
                    self.gate().merge_spent(&spent, at, now);
                }
            }
            ClusterTold::Owed(records) => {
                if self.news(letter, records, common, now).is_some() {
                    let debts = spent::read(&records.octets, common.ahead());
                    self.gate().merge_debts(&debts, now);
                }
            }
            ClusterTold::Hello(told) => {
                let gate = self.context.services.judging.gate();
                self.others_settling
                    .note(machine, *told, gate, (common, now));
            }
            ClusterTold::Asks(_)
            | ClusterTold::Begins(_)
            | ClusterTold::Ends(_)
            | ClusterTold::Lacks(_)
            | ClusterTold::ToldAgain { .. } => {}
        }
    }

    /// When records were told that were not taken yet.
    fn news(
        &mut self,
        letter: &ClusterLetter,
        records: &NumberedRecords,
        common: CommonClock,
        now: Moment,
    ) -> Option<Moment> {
        let at = common.own(records.at);
        let is_news = self.ledger.is_news(letter.process, records.number, at, now);
        is_news.then_some(at)
    }

    /// What has changed here since the last look, and whether something was lost since.
    pub(super) fn changed_here(&mut self) -> (Vec<Change>, bool) {
        let next = std::iter::from_fn(|| self.outbox.take());
        let news: Vec<Change> = next.take(AT_ONCE).collect();
        self.context.cluster.decided.note_own(&news);
        (news, self.outbox.has_lost())
    }

    /// What was spent here since the last look.
    pub(super) fn spent(&mut self, common: CommonClock) -> Vec<ClusterTold> {
        let now = self.clock().now();
        let gate = self.context.services.judging.gate();
        let machines = self.settings.machines.len();
        let told = self.ledger.next(gate, machines, (now, common.of(now)));
        told.into_iter().map(ClusterTold::Spent).collect()
    }

    /// Facts in as many entries as they need, by a clock that is so many seconds ahead.
    pub(super) fn entries(&self, facts: &[Change], ahead: i64) -> Vec<ClusterTold> {
        let mut entries = Vec::new();
        let mut octets = Vec::new();
        for fact in facts {
            if octets.len() + LONGEST_FACT > FACTS {
                entries.push(ClusterTold::Facts(std::mem::take(&mut octets)));
            }
            let fact = self.context.cluster.decided.placed(fact);
            tell::write(&mut octets, &fact, ahead);
        }
        if !octets.is_empty() {
            entries.push(ClusterTold::Facts(octets));
        }
        entries
    }

    /// Debts in as many entries as they need.
    pub(super) fn debts(&mut self, debts: &[UserDebt], common: CommonClock) -> Vec<ClusterTold> {
        let at = common.of(self.clock().now());
        let debts = self.ledger.numbered(debts, common.ahead(), at);
        debts.into_iter().map(ClusterTold::Owed).collect()
    }

    pub(super) fn gate(&self) -> &Gate {
        self.context.services.judging.gate()
    }

    pub(super) fn clock(&self) -> Clock {
        self.context.services.judging.clock
    }

    pub(super) fn drain(&self) -> Drain {
        self.context.drain.clone()
    }
}
