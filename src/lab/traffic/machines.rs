//! machines - several gates behind one name as one policy: a store that lends, links that are cut, a store that loses its data
//!
//! Each attempt comes to a machine drawn at random. What the machines tell one another arrives a fifth of a second later where
//! they are connected, and when they are again where they are not. What breaks, and when, is drawn from the seed.
//! Not here: one machine (`gate_policy`), the arithmetic of the store (`gate::buckets::lender`).

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::Serialize;

use crate::traffic::gate_policy::GatePolicy;
use crate::traffic::policy::{Ended, Incident, LoginAttempt, Policy};
use crate::traffic::random::Random;
use crate::traffic::{DAY, HOUR, MINUTE, START};
use gatepost_core::gate::buckets::lender::LenderModel;
use gatepost_core::gate::buckets::quota::Division;
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::change::Change;
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::settings::GateSettings;
use gatepost_core::gate::spent::SpentTime;
use gatepost_core::moment::Moment;

/// From one exchange of records to the next.
const ROUND: Duration = Duration::from_millis(200);
/// A machine is cut off once a day or two, the store is away twice a week and loses its data as often.
const CONNECTED: Duration = DAY;
const STORE_UP: Duration = Duration::from_secs(3 * 86_400);
const CUT: [Duration; 2] = [MINUTE, Duration::from_secs(12 * 3600)];
const STORE_DOWN: [Duration; 2] = [MINUTE, Duration::from_secs(2 * 3600)];
/// Of a hundred answers of the store so many never arrive, with what they lend.
const LOST: u32 = 2;
/// Buckets that a machine tells of in a round.
const TOLD: usize = 2048;

/// What went wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Troubles {
    /// Machines.
    pub machines: u32,
    /// Times that one of them was cut off.
    pub cuts: u64,
    /// Times that the store was away for all.
    pub outages: u64,
    /// Times that it had lost its data then.
    pub wiped: u64,
    /// Slices that were lent and never arrived.
    pub lost: u64,
    /// Restarts and kills of one machine.
    pub restarts: u64,
}

/// Several gates.
#[derive(Debug)]
pub struct MachinesPolicy {
    machines: Vec<ModelMachine>,
    lender: LenderModel,
    /// What was told, from the record with the number `first` on.
    records: VecDeque<(usize, ToldRecord)>,
    first: u64,
    told: Moment,
    /// Whether the store is there, and until when.
    store: Link,
    random: Random,
    troubles: Troubles,
}

/// One of them.
#[derive(Debug)]
struct ModelMachine {
    policy: GatePolicy,
    link: Link,
    /// The number of the next record that it takes.
    next: u64,
}

/// Whether something can be reached, and until when that is so.
#[derive(Clone, Copy, Debug)]
struct Link {
    is_up: bool,
    until: Moment,
}

#[derive(Debug)]
enum ToldRecord {
    Facts(Vec<Change>),
    Spent(Vec<SpentTime>, Moment),
}

impl MachinesPolicy {
    /// So many gates that know nobody.
    pub fn new(settings: &GateSettings, machines: NonZeroU32, seed: u64) -> Self {
        let mut random = Random::new(seed, "machines");
        let settings = GateSettings {
            division: Division::Lent(machines),
            ..settings.clone()
        };
        let mut link = |mean| Link {
            is_up: true,
            until: START + random.around(mean),
        };
        let machine = |_| ModelMachine {
            policy: GatePolicy::of_several(settings.clone()),
            link: link(CONNECTED),
            next: 0,
        };
        Self {
            machines: (0..machines.get()).map(machine).collect(),
            lender: LenderModel::default(),
            records: VecDeque::new(),
            first: 0,
            told: START,
            store: link(STORE_UP),
            random,
            troubles: Troubles {
                machines: machines.get(),
                ..Troubles::default()
            },
        }
    }

    /// What has gone wrong so far.
    pub const fn troubles(&self) -> Troubles {
        self.troubles
    }

    /// Cuts what is to be cut by now, and connects what is to be connected.
    fn pass(&mut self, now: Moment) {
        if self.store.until <= now {
            self.store = turned(self.store, &mut self.random, (STORE_UP, STORE_DOWN), now);
            match self.store.is_up {
                true if self.random.happens(50) => {
                    self.lender.lose_all();
                    self.troubles.wiped += 1;
                }
                true => {}
                false => self.troubles.outages += 1,
            }
        }
        for machine in &mut self.machines {
            if machine.link.until <= now {
                machine.link = turned(machine.link, &mut self.random, (CONNECTED, CUT), now);
                self.troubles.cuts += u64::from(!machine.link.is_up);
            }
        }
        if now.since(self.told) >= ROUND {
            self.told = now;
            self.share(now);
        }
    }

    /// What each has to tell, and what it is told.
    fn share(&mut self, now: Moment) {
        if !self.store.is_up {
            return;
        }
        for (number, machine) in self.machines.iter_mut().enumerate() {
            if !machine.link.is_up {
                continue;
            }
            let facts = machine.policy.take_told();
            if !facts.is_empty() {
                self.records.push_back((number, ToldRecord::Facts(facts)));
            }
            let spent = machine.policy.gate().take_spent(TOLD, now);
            if !spent.is_empty() {
                let record = ToldRecord::Spent(spent, now);
                self.records.push_back((number, record));
            }
        }
        let end = self.first + self.records.len() as u64;
        for (number, machine) in self.machines.iter_mut().enumerate() {
            if !machine.link.is_up {
                continue;
            }
            let read = machine.next.saturating_sub(self.first);
            let news = self
                .records
                .iter()
                .skip(usize::try_from(read).unwrap_or(usize::MAX));
            for (_, record) in news.filter(|(teller, _)| *teller != number) {
                match record {
                    ToldRecord::Facts(facts) => machine.policy.merge(facts, now),
                    ToldRecord::Spent(spent, at) => {
                        machine.policy.gate().merge_spent(spent, *at, now);
                    }
                }
            }
            machine.next = end;
        }
        // What all have read is needed no more.
        let read = self.machines.iter().map(|machine| machine.next).min();
        let gone = read.unwrap_or(end).saturating_sub(self.first);
        self.records.drain(..usize::try_from(gone).unwrap_or(0));
        self.first += gone;
    }

    /// A machine borrows what it may need.
    fn borrow(&mut self, number: usize, now: Moment) {
        let Some(machine) = self.machines.get(number) else {
            return;
        };
        if !(self.store.is_up && machine.link.is_up) {
            return;
        }
        let gate = machine.policy.gate();
        for request in gate.slice_requests(now) {
            let lend = self.lender.exchange(&request);
            match self.random.happens(LOST) {
                true => self.troubles.lost += u64::from(lend.tokens > 0),
                false => gate.lend(&request, lend, now, now),
            }
        }
    }

    fn each(&mut self, mut what: impl FnMut(&mut GatePolicy)) {
        for machine in &mut self.machines {
            what(&mut machine.policy);
        }
    }
}

impl Policy for MachinesPolicy {
    fn name(&self) -> &'static str {
        "gatepost"
    }

    fn log_in(&mut self, ticket: u64, attempt: LoginAttempt, now: Moment, ended: &mut Ended) {
        self.pass(now);
        let number = self.random.index(self.machines.len());
        self.borrow(number, now);
        if let Some(machine) = self.machines.get_mut(number) {
            machine.policy.log_in(ticket, attempt, now, ended);
        }
    }

    fn next(&self) -> Option<Moment> {
        let each = self.machines.iter();
        each.filter_map(|machine| machine.policy.next()).min()
    }

    fn wake(&mut self, now: Moment, ended: &mut Ended) {
        self.pass(now);
        self.each(|policy| {
            if policy.next().is_some_and(|at| at <= now) {
                policy.wake(now, ended);
            }
        });
    }

    fn learn(&mut self, user: &UserName, client: ClientKey, when: Moment, now: Moment) {
        self.each(|policy| policy.learn(user, client, when, now));
    }

    fn learnt(&mut self) {
        self.each(Policy::learnt);
    }

    fn happen(&mut self, incident: Incident, now: Moment, ended: &mut Ended) {
        self.pass(now);
        if incident == Incident::Snapshot {
            self.each(|policy| policy.happen(incident, now, ended));
            return;
        }
        self.troubles.restarts += 1;
        let number = self.random.index(self.machines.len());
        if let Some(machine) = self.machines.get_mut(number) {
            machine.policy.happen(incident, now, ended);
        }
    }

    fn bans(&self) -> u64 {
        let each = self.machines.iter();
        each.map(|machine| machine.policy.bans()).sum()
    }

    fn bans_lost(&self) -> u64 {
        let each = self.machines.iter();
        each.map(|machine| machine.policy.bans_lost()).sum()
    }
}

/// The other state of a link, and until when: up for about `up`, down for a time between two.
fn turned(
    link: Link,
    random: &mut Random,
    (up, [shortest, longest]): (Duration, [Duration; 2]),
    now: Moment,
) -> Link {
    let span = match link.is_up {
        false => random.around(up),
        // Short ones are more frequent than long ones.
        true if random.happens(50) => random.between(shortest, HOUR.min(longest)),
        true => random.between(shortest, longest),
    };
    Link {
        is_up: !link.is_up,
        until: now + span,
    }
}
