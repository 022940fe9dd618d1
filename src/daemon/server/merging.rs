//! merging - what another machine tells, done here: in the gate, and to sessions
//!
//! What is no news does nothing. A ban by hand ends the sessions that it is about, as where it was given; so does an order to end
//! sessions, unless it comes so late that they are others.
//! Not here: what a fact means (`gate::merge`), how it comes here (`sharing`).

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::oneshot;

use super::listeners::ListenerContext;
use super::operator::Operator;
use crate::report::events;
use crate::report::record::{Forgotten, RecordedEvent};
use gatepost_core::gate::request::change::{BanCause, Change, Expulsion, Fact};
use gatepost_core::moment::Moment;

/// An order to end sessions is not carried out later than this.
const LATE: Duration = Duration::from_secs(60);
/// Orders that are remembered, so that none is carried out twice.
const ORDERS: usize = 256;

/// Takes facts of other machines in.
#[derive(Debug)]
pub(super) struct ClusterMerger {
    context: ListenerContext,
    operator: Operator,
    done: VecDeque<(Moment, Expulsion)>,
}

impl ClusterMerger {
    pub(super) fn new(context: &ListenerContext) -> Self {
        let now = context.services.judging.clock.now();
        Self {
            context: context.clone(),
            operator: Operator::new(context, now, None),
            done: VecDeque::new(),
        }
    }

    /// Takes in what the machine `name` tells; how many facts were news.
    pub(super) async fn merge(&mut self, name: &str, facts: &[Change]) -> u64 {
        let judging = &self.context.services.judging;
        let now = judging.clock.now();
        let mut changes = Vec::new();
        for fact in facts {
            judging.gate().merge(fact, now, &mut changes);
        }
        let orders = facts.iter().filter_map(|fact| match fact.fact {
            Fact::Expelled(whose) => Some((fact.at, whose)),
            _ => None,
        });
        let orders: Vec<_> = orders.collect();
        for (at, whose) in orders {
            self.expel(name, at, whose, now).await;
        }
        let by_hand = |change: &Change| matches!(change.fact, Fact::BanBegan(ban) if ban.cause == BanCause::Operator);
        if changes.iter().any(by_hand) {
            self.tell(name, "bans by hand", self.operator.end_barred().await, now);
        }
        self.forget(&changes, now);
        let news = changes.len() as u64;
        let notices = &self.context.services.judging.notices;
        notices.pass_in_turn(changes).await;
        news
    }

    async fn expel(&mut self, name: &str, at: Moment, whose: Expulsion, now: Moment) {
        if now.since(at) > LATE || self.done.contains(&(at, whose)) {
            return;
        }
        self.done.push_back((at, whose));
        if self.done.len() > ORDERS {
            self.done.pop_front();
        }
        let ended = self.operator.end(whose.into()).await;
        self.tell(name, "expelled", ended, now);
    }

    /// Tells log and history what an operator did at another machine.
    fn tell(&self, name: &str, what: &str, ended: usize, now: Moment) {
        let did = format!("{what}; {ended} sessions ended");
        events::operator(&did, &format_args!("the operator of {name}"));
        let did = format!("{did} (the operator of {name})");
        let recorder = &self.context.services.judging.recorder;
        recorder.tell(now, RecordedEvent::Act(did));
    }

    /// Who is forgotten elsewhere is so in this history and log too. Nobody waits for it.
    fn forget(&self, changes: &[Change], now: Moment) {
        let judging = &self.context.services.judging;
        for change in changes {
            if let Fact::UserForgotten(forgotten) = change.fact {
                let user = forgotten.user();
                judging.reporter.names.forget(user);
                let network = None;
                let whom = Forgotten { user, network };
                let (told, _) = oneshot::channel();
                let event = RecordedEvent::Forget(whom, told);
                judging.recorder.tell(now, event);
            }
        }
    }
}
