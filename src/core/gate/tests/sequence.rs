//! sequence - the whole way of attempts, through both stages and the queue between them

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::kit::*;
use crate::gate::Gate;
use crate::gate::buckets::spec::Bucket;
use crate::gate::queue::Woken;
use crate::gate::request::attempt::{AuthAttempt, AuthOutcome, Password, Secret, UserName};
use crate::gate::request::change::Change;
use crate::gate::request::client::ClientKey;
use crate::gate::request::doors::Door;
use crate::gate::request::place::Located;
use crate::gate::request::settings::QueueSettings;
use crate::gate::request::verdict::Reason;
use crate::gate::sequence::{Begun, GrantedAttempt, JudgingSequence, RefusedAttempt};
use crate::moment::Moment;

const AT_ONCE: usize = 3;
const DEADLINE: Duration = Duration::from_secs(15);

/// One attempt, as it waits in the queue.
#[derive(Debug)]
struct Try {
    client: ClientKey,
    user: UserName,
    password: Secret,
}

impl Try {
    fn new(from: &str, name: &str, password: &str) -> Self {
        Self {
            client: client(from),
            user: user(name),
            password: Secret::new(password.into()),
        }
    }

    fn attempt(&self) -> AuthAttempt<'_> {
        AuthAttempt {
            session: 7,
            client: self.client,
            user: &self.user,
            password: Password::Shown(&self.password),
            door: Door::Own,
            device: None,
            country: Located::default(),
            system: None,
        }
    }
}

/// A judging with a clock, and what came of all that was tried.
struct Court {
    judging: JudgingSequence<Try>,
    now: Moment,
    changes: Vec<Change>,
    granted: Vec<(ClientKey, GrantedAttempt)>,
    refused: Vec<RefusedAttempt>,
}

impl Court {
    fn new() -> Self {
        let gate = Gate::new(settings(), keys(), START);
        let mut changes = Vec::new();
        gate.learn(
            &user("anna"),
            client(HOME),
            START - DAY,
            START,
            &mut changes,
        );
        Self {
            judging: JudgingSequence::new(
                gate,
                QueueSettings {
                    at_once: AT_ONCE,
                    deadline: DEADLINE,
                },
            ),
            now: START,
            changes,
            granted: Vec::new(),
            refused: Vec::new(),
        }
    }

    fn try_(&mut self, from: &str, name: &str, password: &str) {
        let asked = Try::new(from, name, password);
        match self
            .judging
            .begin(&asked.attempt(), self.now, &mut self.changes)
        {
            Begun::Granted(granted) => self.granted.push((asked.client, granted)),
            Begun::Refused(refused) => self.refused.push(refused),
            Begun::Wait(class) => {
                let network = asked.client.network();
                self.judging.queue().enter(network, class, asked, self.now);
            }
        }
        self.advance();
    }

    fn pass(&mut self, span: Duration) {
        self.now = self.now + span;
        self.advance();
    }

    /// Until nobody is woken any more: a refusal in turn frees the turn for the next.
    fn advance(&mut self) {
        loop {
            let woken = self.judging.queue().advance(self.now);
            if woken.is_empty() {
                return;
            }
            for woken in woken {
                match woken {
                    Woken::Missed(asked) => {
                        let missed = self.judging.missed(&asked.attempt(), self.now);
                        self.refused.push(missed);
                    }
                    Woken::Turn(asked, turn) => {
                        let (attempt, now) = (asked.attempt(), self.now);
                        let judged = self.judging.in_turn(turn, &attempt, now, &mut self.changes);
                        match judged {
                            Ok(granted) => self.granted.push((asked.client, granted)),
                            Err(refused) => self.refused.push(refused),
                        }
                    }
                }
            }
        }
    }

    fn settle(&mut self, index: usize, outcome: AuthOutcome) {
        let (_, granted) = self.granted.remove(index);
        let settled = self
            .judging
            .settle(granted, outcome, self.now, &mut self.changes);
        assert_eq!(settled.outcome, outcome);
        self.advance();
    }

    /// Strangers with a turn, by network.
    fn in_turn(&self) -> BTreeMap<String, usize> {
        let mut networks = BTreeMap::new();
        for (client, granted) in &self.granted {
            if granted.holds_turn() {
                *networks.entry(client.network().to_string()).or_default() += 1;
            }
        }
        networks
    }
}

#[test]
fn a_familiar_pair_is_granted_at_once_beside_a_full_queue() {
    let mut court = Court::new();
    for n in 0..10 {
        court.try_(&format!("10.{n}.0.1"), "bert", "Zwiebel-kuchen-fest");
    }
    assert_eq!(court.granted.len(), AT_ONCE);
    court.try_(HOME, "anna", "Zwiebel-kuchen-fest");
    assert_eq!(court.granted.len(), AT_ONCE + 1);
    let (_, anna) = court.granted.last().unwrap();
    assert!(!anna.holds_turn());
    assert_eq!(anna.permit().grounds(), Reason::Bucket(Bucket::Familiar));
}

#[test]
fn settling_frees_the_turn_and_the_next_is_judged_by_what_it_has_shown() {
    let mut court = Court::new();
    court.try_(FAR, "bert", "Zwiebel-kuchen-fest");
    court.try_(FAR, "bert", "Zwiebel-kuchen-fest");
    assert_eq!((court.granted.len(), court.refused.len()), (1, 0));
    court.settle(0, AuthOutcome::Reject);
    // The same wrong password: answered without asking Postfix, and its turn is free again.
    assert_eq!(court.refused, [RefusedAttempt::Repeat]);
    court.try_(FAR, "bert", "Kartoffel-salat-fest");
    assert_eq!(court.granted.len(), 1);
}

#[test]
fn who_finds_no_turn_in_time_is_refused_for_that_and_pays_nothing() {
    let mut court = Court::new();
    court.try_(FAR, "bert", "Zwiebel-kuchen-fest");
    court.try_(FAR, "carl", "Kartoffel-salat-fest");
    court.pass(DEADLINE - Duration::from_nanos(1));
    assert_eq!(court.refused, []);
    court.pass(Duration::from_nanos(1));
    let [RefusedAttempt::Refuse(refusal)] = court.refused[..] else {
        panic!("{:?}", court.refused);
    };
    assert_eq!(refusal.reason, Reason::Turn);
    court.settle(0, AuthOutcome::Defer);
    assert_eq!(court.judging.gate().status(court.now).rows_used, 0);
}

#[test]
fn a_turn_that_is_given_up_is_the_next_ones_and_the_permit_stays() {
    let mut court = Court::new();
    court.try_(FAR, "bert", "Zwiebel-kuchen-fest");
    court.try_(FAR, "carl", "Kartoffel-salat-fest");
    court.judging.give_up_turn(&mut court.granted[0].1);
    court.advance();
    assert_eq!(court.granted.len(), 2);
    assert_eq!(court.in_turn().len(), 1);
    // Settled later, it frees nothing that it does not have.
    court.settle(0, AuthOutcome::Reject);
    court.try_(FAR, "dora", "Linsen-suppen-fest");
    assert_eq!(court.granted.len(), 1);
}

#[derive(Clone, Debug)]
enum Happening {
    Try { network: u8, user: u8 },
    Settle(usize),
    Pass(u64),
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let happening = prop_oneof![
        6 => (0u8..6, 0u8..4).prop_map(|(network, user)| Happening::Try { network, user }),
        3 => (0usize..12).prop_map(Happening::Settle),
        1 => (1u64..10).prop_map(Happening::Pass),
    ];
    proptest::collection::vec(happening, 0..60)
}

proptest! {
    #[test]
    fn every_attempt_is_granted_refused_or_missed_and_a_deferred_one_costs_nothing(
        happenings in happenings()
    ) {
        let mut court = Court::new();
        let (mut tried, mut settled) = (0, 0);
        for happening in happenings {
            match happening {
                Happening::Try { network, user } => {
                    tried += 1;
                    let (from, name) = (format!("10.{network}.0.1"), format!("user{user}"));
                    court.try_(&from, &name, &format!("Zwiebel{tried}kuchen{tried}fest"));
                }
                Happening::Settle(index) if index < court.granted.len() => {
                    settled += 1;
                    court.settle(index, AuthOutcome::Defer);
                }
                Happening::Settle(_) => {}
                Happening::Pass(seconds) => court.pass(Duration::from_secs(seconds)),
            }
            let in_turn = court.in_turn();
            prop_assert!(in_turn.values().all(|count| *count == 1), "{in_turn:?}");
            prop_assert!(in_turn.len() <= AT_ONCE, "{in_turn:?}");
        }
        court.pass(DEADLINE);
        while !court.granted.is_empty() {
            settled += 1;
            court.settle(0, AuthOutcome::Defer);
        }
        prop_assert_eq!(settled + court.refused.len(), tried);
        prop_assert_eq!(court.judging.queue().next_deadline(), None);
        let no_turn = |refused: &RefusedAttempt| {
            matches!(refused, RefusedAttempt::Refuse(refusal) if refusal.reason == Reason::Turn)
        };
        prop_assert!(court.refused.iter().all(no_turn), "{:?}", court.refused);
        prop_assert_eq!(court.judging.gate().status(court.now).rows_used, 0);
    }
}
