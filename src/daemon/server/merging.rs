//! merging - what another machine tells, done here: in the gate, and to sessions
//!
//! What is no news does nothing. A ban by hand ends the sessions that it is about, as where it was given; so does an order to end
//! sessions, unless it comes so late that they are others. A slow disk holds up what they tell once, not each part of it.
//! Not here: what a fact means (`gate::merge`), how it comes here (`sharing`).

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::oneshot;

use super::listeners::ListenerContext;
use super::operator::Operator;
use crate::report::events;
use crate::report::record::{Forgotten, RecordedEvent};
use gatepost_core::gate::Changes;
use gatepost_core::gate::request::change::{BanCause, Change, Expulsion, Fact};
use gatepost_core::moment::Moment;

/// An order to end sessions is not carried out later than this.
const LATE: Duration = Duration::from_secs(60);
/// A journal that was slow is not waited for so long.
const SLOW: Duration = Duration::from_secs(10);
/// Orders that are remembered, so that none is carried out twice.
const ORDERS: usize = 256;

/// Takes facts of other machines in.
#[derive(Debug)]
pub(super) struct ClusterMerger {
    context: ListenerContext,
    operator: Operator,
    orders: Orders,
    journal: JournalSpeed,
}

/// When the journal was slow last.
#[derive(Debug, Default)]
struct JournalSpeed(Option<Moment>);

/// Orders to end sessions that were carried out.
#[derive(Debug, Default)]
struct Orders(VecDeque<(Moment, Expulsion)>);

impl ClusterMerger {
    pub(super) fn new(context: &ListenerContext) -> Self {
        let now = context.services.judging.clock.now();
        Self {
            context: context.clone(),
            operator: Operator::new(context, now, None),
            orders: Orders::default(),
            journal: JournalSpeed::default(),
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
            let ended = self.context.end_barred().await;
            self.tell(name, "bans by hand", ended.sessions, now);
        }
        self.forget(&changes, now);
        let news = changes.len() as u64;
        self.pass_on(changes, now).await;
        news
    }

    /// Passes changes on to the journal. What it does not take is in the gate, and so in the next snapshot.
    async fn pass_on(&mut self, changes: Changes, now: Moment) {
        let notices = &self.context.services.judging.notices;
        match self.journal.is_slow(now) {
            true => notices.pass_at_once(changes),
            false => self.journal.note(notices.pass_in_turn(changes).await, now),
        }
    }

    async fn expel(&mut self, name: &str, at: Moment, whose: Expulsion, now: Moment) {
        if !self.orders.is_due(at, whose, now) {
            return;
        }
        let ended = self.operator.end(whose.into()).await;
        self.tell(name, "expelled", ended.sessions, now);
    }

    /// Tells log and history what an operator did at another machine.
    fn tell(&self, name: &str, what: &str, ended: usize, now: Moment) {
        let did = format!("{what}; {ended} sessions ended");
        events::operator(&did, &format_args!("the operator of {name}"));
        let did = format!("{did} (the operator of {name})");
        let recorder = &self.context.services.judging.recorder;
        recorder.tell(now, RecordedEvent::Act(did));
    }

    /// A user who was forgotten elsewhere is forgotten in this history and log too. Nobody waits for it.
    fn forget(&self, changes: &[Change], now: Moment) {
        let judging = &self.context.services.judging;
        for change in changes {
            if let Fact::UserForgotten(forgotten) = change.fact {
                let user = forgotten.user();
                judging.reporter.names.forget(user);
                let network = None;
                let target = Forgotten { user, network };
                let (told, _) = oneshot::channel();
                let event = RecordedEvent::Forget(target, told);
                judging.recorder.tell(now, event);
            }
        }
    }
}

impl JournalSpeed {
    fn is_slow(&self, now: Moment) -> bool {
        self.0.is_some_and(|at| now.since(at) < SLOW)
    }

    fn note(&mut self, in_time: bool, now: Moment) {
        self.0 = (!in_time).then_some(now);
    }
}

impl Orders {
    /// Whether this one is to be carried out: it will be then.
    fn is_due(&mut self, at: Moment, whose: Expulsion, now: Moment) -> bool {
        let order = (at, whose);
        if now.since(at) > LATE || self.0.contains(&order) {
            return false;
        }
        self.0.push_back(order);
        if self.0.len() > ORDERS {
            self.0.pop_front();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost_core::gate::request::change::Subject;
    use gatepost_core::gate::request::client::ClientKey;

    #[test]
    fn a_journal_that_was_slow_is_left_alone_for_a_while() {
        let now = Moment::from_seconds(1_800_000_000);
        let mut journal = JournalSpeed::default();
        journal.note(true, now);
        assert!(!journal.is_slow(now));
        journal.note(false, now);
        assert!(journal.is_slow(now + (SLOW - Duration::from_nanos(1))));
        assert!(!journal.is_slow(now + SLOW));
        journal.note(true, now + SLOW);
        assert!(!journal.is_slow(now));
    }

    #[test]
    fn an_order_is_carried_out_once_and_not_when_the_sessions_are_others() {
        let now = Moment::from_seconds(1_800_000_000);
        let whose = |n| Expulsion::Place(Subject::Client(ClientKey::V4(n)));
        let mut orders = Orders::default();
        assert!(orders.is_due(now, whose(1), now));
        assert!(!orders.is_due(now, whose(1), now), "it came twice");
        assert!(orders.is_due(now, whose(2), now), "another one");
        let later = now + Duration::from_nanos(1);
        assert!(orders.is_due(later, whose(1), later), "given once more");
        assert!(orders.is_due(now - LATE, whose(3), now));
        let too_late = now - LATE - Duration::from_nanos(1);
        assert!(!orders.is_due(too_late, whose(4), now));
        for n in 10..10 + ORDERS as u32 {
            assert!(orders.is_due(now, whose(n), now));
        }
        assert_eq!(orders.0.len(), ORDERS);
    }
}
