//! by_store - tells the other machines over a stream in their store what changed here, and takes in what they tell
//!
//! While the store is away facts wait; what finds no room, and what a machine may have missed, is made up for by telling all: who
//! has missed something asks, and one of those who were there answers.
//! Not here: the store (`cluster::stream`), what is told (`telling`), who answers when (`sync`).

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{error, info, warn};

use super::orders::OrdersKept;
use super::read_letters::ReadLetters;
use super::sync::{FullSync, NextTold};
use super::telling::FactExchange;
use super::told_letters::ToldLetters;
use crate::cluster::common_clock::CommonClock;
use crate::cluster::message::{ClusterTold, NumberedLetter};
use crate::cluster::secret::{ClusterSecret, SealFault};
use crate::cluster::store::{LenderFault, LenderSettings};
use crate::cluster::stream::{BATCH, CUT, RecordStream, StreamEntry, StreamLength, StreamPlace};
use crate::drain::Drain;
use gatepost_core::moment::Moment;

/// From one look at the stream to the next.
const ROUND: Duration = Duration::from_millis(200);
/// How long a store that does not answer is left alone.
const PAUSE: Duration = Duration::from_secs(1);
/// Batches of entries that are read in one round.
const READS: usize = 16;
/// What cannot be opened and is older says nothing about the machine as it is now.
const STALE: Duration = Duration::from_secs(60);

/// What the task works with.
struct StoreSharer {
    exchange: FactExchange,
    secret: ClusterSecret,
    sync: FullSync,
    told: ToldLetters,
    /// Letters on their way to the store: they go again, as they are, until it has taken them.
    unsent: Vec<Vec<u8>>,
    read: ReadLetters,
    orders: OrdersKept,
    /// Whether another process with this one's number was told.
    is_copied: bool,
    place: StreamPlace,
    /// Entries that are read at once: fewer where the way to the store is slow.
    batch: usize,
    /// When the stream was read last.
    read_at: Moment,
    length: StreamLength,
    common: CommonClock,
}

/// Tells and is told until the drain begins.
pub(super) async fn share(
    mut exchange: FactExchange,
    secret: ClusterSecret,
    store: &LenderSettings,
) {
    let mut drain = exchange.drain();
    // All that stands in the stream, until its end was read.
    exchange.reads_the_past = true;
    let mut sharer = StoreSharer {
        sync: FullSync::new(exchange.process),
        told: ToldLetters::new(exchange.process),
        unsent: Vec::new(),
        read: ReadLetters::default(),
        orders: OrdersKept::default(),
        is_copied: false,
        batch: BATCH,
        read_at: exchange.clock().now(),
        length: StreamLength::new(exchange.settings.machines.len()),
        exchange,
        secret,
        place: StreamPlace::default(),
        common: CommonClock::default(),
    };
    while let Err(fault) = sharer.serve(store, &mut drain).await {
        sharer.cut_off(&fault);
        tokio::select! {
            () = sleep(PAUSE) => {}
            () = drain.begun() => return,
        }
    }
}

impl StoreSharer {
    async fn serve(
        &mut self,
        store: &LenderSettings,
        drain: &mut Drain,
    ) -> Result<(), LenderFault> {
        let mut stream = tokio::select! {
            stream = RecordStream::connect(store) => stream?,
            () = drain.begun() => return Ok(()),
        };
        // So at least one record is written by each connection before it is said to share.
        self.sync.greet();
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
            self.shares();
        }
    }

    /// It was read and written. A store that is full or read-only can be read as ever, and shares nothing.
    fn shares(&self) {
        let now = self.exchange.clock().now();
        if self.exchange.health.shares(self.common.ahead(), now) {
            let name = &self.exchange.settings.name;
            info!(
                name,
                "the machines of [cluster] tell one another what they know"
            );
        }
    }

    async fn read(&mut self, stream: &mut RecordStream) -> Result<(), LenderFault> {
        let clock = self.exchange.clock();
        for _ in 0..READS {
            let asked = clock.now();
            let part = stream.read(&mut self.place, self.batch).await;
            let asked_for = self.batch;
            self.batch = match part {
                Err(LenderFault::Silent(_)) => (asked_for / 2).max(1),
                _ => (asked_for * 2).min(BATCH),
            };
            let part = part?;
            let now = clock.now();
            self.common.set(part.time, asked, now);
            if part.missed {
                self.sync.missed();
                // Of a shorter cut all would still be there: the store has lost it, and the numbers say what.
                if now.since(self.read_at) >= CUT {
                    self.read.begin_anew();
                }
            }
            self.read_at = now;
            let is_last = part.entries.len() < asked_for;
            for entry in part.entries {
                self.length.note(entry.sealed.len());
                self.take(entry).await;
            }
            if is_last {
                self.exchange.reads_the_past = false;
                break;
            }
        }
        let is_whole = self.sync.is_whole() && self.read.is_whole();
        self.exchange.health.set_whole(is_whole);
        Ok(())
    }

    async fn take(&mut self, entry: StreamEntry) {
        let StreamEntry {
            machine,
            sealed,
            age,
        } = entry;
        let health = &self.exchange.health;
        let text = match self.secret.open(&machine, &sealed) {
            Ok(text) => text,
            // Of before the secret was changed, perhaps.
            Err(_) if age >= STALE => return health.dropped(),
            Err(fault) => return self.cannot_open(&machine, fault),
        };
        let numbered = match NumberedLetter::read(&text) {
            Some(numbered) if numbered.letter.process == self.exchange.process => {
                return self.is_own(numbered.number);
            }
            Some(numbered) => numbered,
            None => return self.pass_over(&text),
        };
        let now = self.exchange.clock().now();
        health.noted(&machine, None, now);
        let common = self.common;
        let letter = &numbered.letter;
        self.exchange.take(&machine, letter, common, now).await;
        let moments = (now, common.of(now));
        self.sync.note(letter, self.exchange.gate(), moments);
        self.read.note(&numbered, now);
    }

    /// A letter of this process's number was read: its own, unless it says more than this process has.
    fn is_own(&mut self, number: u64) {
        if number > self.told.number() && !std::mem::replace(&mut self.is_copied, true) {
            error!(
                "another process in the store of [cluster] has this one's number: the machine was copied, or went back, with what \
                 was in its memory. The two spend one part twice: restart Gatepost on both"
            );
        }
    }

    /// Counts a letter of a kind that only a later version knows.
    fn pass_over(&mut self, text: &[u8]) {
        self.exchange.health.dropped();
        if let Some((number, process)) = NumberedLetter::head(text) {
            self.read.note_unknown(process, number);
        }
    }

    /// Counts what is none of ours, and tells it of a machine once an hour.
    fn cannot_open(&self, machine: &str, fault: SealFault) {
        let FactExchange {
            settings, health, ..
        } = &self.exchange;
        // Which machine tells it is not proven then.
        let listed = settings.machines.iter().any(|one| one == machine);
        let machine = if listed { machine } else { "" };
        let now = self.exchange.clock().now();
        if !health.noted(machine, Some(fault), now) {
            return;
        }
        match fault {
            SealFault::OtherSecret => error!(
                machine,
                "another secret of [cluster] there: until it is the same nothing is shared with that machine"
            ),
            SealFault::Version => warn!(
                machine,
                "records of another version in the store of [cluster]: they are passed over"
            ),
            SealFault::Damaged => warn!(
                machine,
                "records in the store of [cluster] that are damaged, or not of a machine with the secret: they are passed over"
            ),
        }
    }

    /// Tells what has changed here.
    async fn publish(&mut self, stream: &mut RecordStream) -> Result<(), LenderFault> {
        self.send(stream).await?;
        let (news, has_lost) = self.exchange.changed_here();
        if has_lost {
            self.sync.tell_recent();
        }
        self.tell(self.exchange.entries(&news, self.common.ahead()));
        self.told.keep(&news);
        self.orders.keep(&news, self.exchange.clock().now());
        self.exchange.health.told(news.len() as u64);
        let spent = self.exchange.spent(self.common);
        self.tell(spent);
        self.send(stream).await
    }

    /// Asks for what was missed, and tells what others ask for.
    async fn synchronise(&mut self, stream: &mut RecordStream) -> Result<(), LenderFault> {
        let now = self.exchange.clock().now();
        let common = self.common.of(now);
        let (asks, is_gone) = self.read.lacking((now, common));
        if is_gone {
            self.sync.missed();
        }
        self.tell(asks);
        self.sync.tell_again(&self.told, self.exchange.gate(), now);
        let company = |since| self.exchange.health.has_company(since);
        let next = self.sync.next(self.exchange.gate(), (now, common), company);
        // Before what is told of debts.
        if self.sync.orders_are_due(now) {
            let orders = self.orders.get(now);
            self.tell(self.exchange.entries(&orders, self.common.ahead()));
            self.told.keep(&orders);
        }
        self.tell_next(next);
        let sent = self.send(stream).await;
        if sent.is_err() {
            self.sync.interrupted(now);
        }
        sent
    }

    fn tell_next(&mut self, next: NextTold) {
        let facts = self.exchange.entries(&next.facts, self.common.ahead());
        let debts = self.exchange.debts(&next.debts, self.common);
        self.tell(next.letters);
        self.tell(facts);
        match next.again {
            Some(since) => self.told.keep_again(since, &next.facts),
            None if next.facts.is_empty() => {}
            None => self.told.keep_none(),
        }
        self.tell(debts);
        self.tell(next.end);
    }

    /// Numbers and seals what is told; it is on its way then.
    fn tell(&mut self, told: impl IntoIterator<Item = ClusterTold>) {
        let name = &self.exchange.settings.name;
        for told in told {
            let letter = self.told.letter(told);
            self.unsent.extend(self.secret.seal(name, &letter.octets()));
        }
    }

    async fn send(&mut self, stream: &mut RecordStream) -> Result<(), LenderFault> {
        if !self.unsent.is_empty() {
            let name = &self.exchange.settings.name;
            stream.add(name, &self.unsent, self.length.kept()).await?;
            self.unsent.clear();
        }
        Ok(())
    }

    fn cut_off(&self, fault: &LenderFault) {
        let why = fault.to_string();
        let now = self.exchange.clock().now();
        if self.exchange.health.cut_off(why.clone(), now) {
            warn!(
                "this machine of [cluster] is cut off from the others: {why}. It goes on with what it knows, and tells the rest later"
            );
        }
    }
}
