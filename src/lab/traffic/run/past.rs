//! past - what the policy knows when a simulation begins
//!
//! Not here: how a policy learns (`policy`).

use super::Simulation;
use crate::traffic::crowd::Crowd;
use crate::traffic::people;
use crate::traffic::random::Random;
use crate::traffic::scenario::StartKnowledge;
use crate::traffic::{DAY, START, SimulationPlan};

impl Simulation<'_> {
    /// The policy learns from the old logs, unless there are none.
    pub(super) fn learn_past(
        &mut self,
        start: StartKnowledge,
        crowd: Option<&'static Crowd>,
        plan: &SimulationPlan,
    ) {
        match start {
            StartKnowledge::Learnt | StartKnowledge::LearntRoaming => {}
            StartKnowledge::Strangers => return,
            StartKnowledge::Others => {
                self.policy.learnt();
                return;
            }
        }
        let mut random = Random::new(plan.seed, "past");
        let (yesterday, last_week) = (START - DAY, START - DAY * 5);
        for (number, person) in self.people.all() {
            let mut clients = vec![(person.home, yesterday)];
            clients.extend((0..3).map(|_| match start {
                StartKnowledge::LearntRoaming => (person.phone_at_home(&mut random), last_week),
                _ => (person.phone(&mut random), last_week),
            }));
            if number < self.people.staff() {
                clients.push((people::OFFICE, yesterday));
            }
            let there = crowd.map(|crowd| crowd.past(number, &self.people, &mut random));
            clients.extend(
                there
                    .into_iter()
                    .flatten()
                    .map(|client| (client, yesterday)),
            );
            for (client, when) in clients {
                self.policy.learn(&person.name, client, when, START);
                self.ledger.login(number, client.network(), when);
            }
        }
        self.policy.learnt();
    }
}
