//! peer - one linked machine: what is on its way to it, and how far it was told all that this one knows
//!
//! The queue to it has a limited length. What it does not take is not waited for: all is told again then.
//! Not here: what goes to all at once (`by_mesh`).

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::letter;
use crate::cluster::common_clock::CommonClock;
use crate::cluster::mesh::{Dialler, LinkId, MeshLink};
use crate::cluster::message::{ClusterTold, FullAnswer, ProcessId};
use crate::report::limits::ResourceLimit;
use crate::server::sharing::orders::OrdersKept;
use crate::server::sharing::sync::users;
use crate::server::sharing::telling::FactExchange;
use gatepost_core::gate::spent::UserDebt;
use gatepost_core::gate::tell::Telling;
use gatepost_core::moment::Moment;

/// Frames on their way to one machine: of 9 KiB each at most.
const QUEUE: usize = 256;
/// Frames for which there is always room, for what changes.
const ROOM: usize = 96;
/// Batches of users that are told in one round.
const PER_ROUND: usize = 8;
/// Debts that are told in one round.
const DEBTS: usize = 1920;

/// A linked machine.
pub(super) struct LinkedPeer {
    pub(super) id: LinkId,
    pub(super) process: ProcessId,
    /// When that began, by this machine's clock.
    began: Moment,
    pub(super) dialler: Dialler,
    /// Whether it has told all that it knew.
    pub(super) is_whole: bool,
    outgoing: mpsc::Sender<Arc<[u8]>>,
    told: AllTold,
}

/// How far a machine was told all.
enum AllTold {
    /// It is to be told.
    Due,
    Facts(Telling),
    Debts(Vec<UserDebt>),
    Whole,
}

impl LinkedPeer {
    /// It has been told nothing; and what is on its way to it.
    pub(super) fn new(
        id: LinkId,
        link: &MeshLink,
        now: Moment,
    ) -> (Self, mpsc::Receiver<Arc<[u8]>>) {
        // limit: cluster-facts
        let (outgoing, receiver) = mpsc::channel(QUEUE);
        let peer = Self {
            id,
            process: link.greeting.process,
            began: link.began(now),
            dialler: link.dialler,
            is_whole: false,
            outgoing,
            told: AllTold::Due,
        };
        (peer, receiver)
    }

    /// When its process began, and which that is.
    pub(super) fn age(&self) -> (Moment, ProcessId) {
        (self.began, self.process)
    }

    /// Sends a frame, if there is room.
    pub(super) fn offer(&mut self, frame: &Arc<[u8]>, exchange: &FactExchange) {
        if let Err(TrySendError::Full(_)) = self.outgoing.try_send(Arc::clone(frame)) {
            self.tell_all_again();
            let counters = &exchange.context.services.judging.counters;
            counters.limits.count(ResourceLimit::ClusterFacts);
        }
    }

    /// Sends a last frame, if there is room.
    pub(super) fn offer_last(self, frame: &Arc<[u8]>) {
        // Without it the other side finds the connection closed.
        let _ = self.outgoing.try_send(Arc::clone(frame));
    }

    /// It has told all that it knew, and what was spent there while it was linked with nobody: so the debts that it was told are
    /// too short, if it was told any.
    pub(super) fn has_told_all(&mut self, exchange: &FactExchange) {
        // Once a link, or both would tell each other without end.
        if !self.is_whole && matches!(self.told, AllTold::Debts(_) | AllTold::Whole) {
            let now = exchange.clock().now();
            self.told = AllTold::Debts(exchange.gate().user_debts(now));
        }
        self.is_whole = true;
    }

    /// Something did not find its way to it.
    pub(super) fn tell_all_again(&mut self) {
        self.told = AllTold::Due;
    }

    /// Tells the next part of all that this machine knows, if it was not told yet and there is room.
    pub(super) fn tell_more(
        &mut self,
        exchange: &mut FactExchange,
        orders: &OrdersKept,
        common: CommonClock,
    ) {
        for _ in 0..PER_ROUND {
            if self.outgoing.capacity() < ROOM || matches!(self.told, AllTold::Whole) {
                return;
            }
            for told in self.next_told(exchange, orders, common) {
                let frame = letter(exchange.process, told);
                self.offer(&frame, exchange);
            }
        }
    }

    fn next_told(
        &mut self,
        exchange: &mut FactExchange,
        orders: &OrdersKept,
        common: CommonClock,
    ) -> Vec<ClusterTold> {
        let now = exchange.clock().now();
        match &mut self.told {
            AllTold::Due => {
                self.told = AllTold::Facts(exchange.gate().begin_telling(Moment::EPOCH, now));
                exchange.entries(&orders.get(now), common.ahead())
            }
            AllTold::Facts(telling) => match exchange.gate().next_told(telling, now) {
                Some(facts) => exchange.entries(&facts, common.ahead()),
                None => {
                    self.told = AllTold::Debts(exchange.gate().user_debts(now));
                    Vec::new()
                }
            },
            AllTold::Debts(debts) => {
                let rest = debts.len().saturating_sub(DEBTS);
                let part = debts.split_off(rest);
                let mut told = exchange.debts(&part, common);
                if rest == 0 {
                    self.told = AllTold::Whole;
                    told.push(ClusterTold::Ends(FullAnswer {
                        asker: self.process,
                        at: common.of(now),
                        users: users(exchange.gate()),
                    }));
                }
                told
            }
            AllTold::Whole => Vec::new(),
        }
    }
}
