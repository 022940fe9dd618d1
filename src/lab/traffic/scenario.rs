//! scenario - the traces by name: who attacks, what is special about the server, and what is promised
//!
//! Honest users write mail and travel in all of them. Only promises that the manual makes are checked;
//! where it names a price instead, the figures stand in the report, and nothing is broken.
//! Not here: how the parts work (`campaign`, `routine`, `incident`), what a promise means (`promise`).

use crate::traffic::campaign::Campaign;
use crate::traffic::crowd::{self, Crowd, CrowdKnowledge};
use crate::traffic::incident::IncidentSchedule;
use crate::traffic::people::{self, PasswordStrength, People};
use crate::traffic::promise::{self, Promise};
use crate::traffic::report::Report;
use crate::traffic::routine::{Habit, Routine};
use crate::traffic::{Beside, SimulationPlan};
use gatepost_core::gate::request::doors::PolicyNonce;
use gatepost_core::gate::request::settings::GateSettings;

mod attacks;
mod list;

pub use list::{CROWDS, SCENARIOS};

/// One trace.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What happens, in one line.
    pub about: &'static str,
    /// What the design promises about it.
    pub promises: &'static [Promise],
    attack: fn(&SimulationPlan) -> Vec<Campaign>,
    life: Surroundings,
}

/// What is out of the ordinary on the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Surroundings {
    /// Nothing: people write at home, on the phone, and travel.
    Ordinary,
    /// Their passwords are words.
    WeakPasswords,
    /// Fifty of them share an office.
    Office,
    /// All of them also write from the webmail host.
    Webmail,
    /// The same, and the host stands in the allow list.
    ListedWebmail,
    /// A program in a cloud sends as one of them.
    Cloud,
    /// Dovecot fails an hour a day.
    FailingDovecot,
    /// Restarts every day.
    Restarts,
    /// Dovecot asks the gate at its doors, too; people read every five minutes and send once a day.
    Doors,
    /// They write on laptops, at home and on journeys, and half of their programs keep TLS tickets.
    Laptops,
    /// Their carriers are large ones, and they write on phones where they travel.
    Carriers,
    /// The day of the install: no user travels, fifty share an office, nothing is known.
    Install,
    /// The same, but the old logs were read.
    InstallLearnt,
    /// A crowd, and nobody else.
    Crowd(&'static Crowd),
}

/// What is known at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartKnowledge {
    /// Who logged in from where in the last week.
    Learnt,
    /// The same, where carriers are large.
    LearntRoaming,
    /// Nothing.
    Strangers,
    /// Nobody of those who write, though the server has been in use for long.
    Others,
}

/// How soon an honest client that was refused tries again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Every five minutes; the mistyped password is corrected after 20 s.
    Even,
    /// After five minutes, then after twice as long each time, up to an hour; the mistyped password is corrected
    /// after 20 to 60 s.
    Doubling,
}

/// Of a hundred people in a crowd so many have a word for a password.
const WEAK: u32 = 18;

/// All that a simulation needs.
#[derive(Debug)]
pub(crate) struct Participants {
    pub(crate) people: People,
    pub(crate) routines: Vec<Routine>,
    pub(crate) campaigns: Vec<Campaign>,
    pub(crate) incidents: IncidentSchedule,
    pub(crate) start: StartKnowledge,
    pub(crate) patience: Patience,
    pub(crate) crowd: Option<&'static Crowd>,
}

impl Scenario {
    /// The scenario of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        let mut all = SCENARIOS.iter().chain(CROWDS);
        all.find(|scenario| scenario.name == name)
    }

    /// How many users its server has, if it is a crowd's.
    pub fn users(&self) -> Option<usize> {
        self.crowd().map(|crowd| crowd.users as usize)
    }

    fn crowd(&self) -> Option<&'static Crowd> {
        match self.life {
            Surroundings::Crowd(crowd) => Some(crowd),
            _ => None,
        }
    }

    /// The gate's rules in it: the defaults, but for what the plan leaves out and the scenario lists.
    pub fn settings(&self, plan: &SimulationPlan) -> GateSettings {
        let mut settings = GateSettings::default();
        if self.life == Surroundings::ListedWebmail {
            settings.allow = vec![people::WEBMAIL.address().into()];
        }
        if self.life == Surroundings::Doors {
            settings.nonce = Some(PolicyNonce::new("a secret of the operator's"));
        }
        if let Some(without) = plan.without {
            without.apply(&mut settings);
        }
        settings
    }

    /// Writes down which promises of the scenario the report breaks.
    pub(crate) fn check(&self, plan: &SimulationPlan, report: &mut Report) {
        promise::check(self.promises, plan, report);
    }

    pub(crate) fn cast(&self, plan: &SimulationPlan) -> Participants {
        if let Some(crowd) = self.crowd() {
            return self.crowd_cast(crowd, plan);
        }
        let mut habits = match self.life {
            Surroundings::Doors => vec![Habit::Reading],
            Surroundings::Laptops => vec![Habit::Laptops],
            Surroundings::Carriers => vec![Habit::Roaming],
            Surroundings::Install | Surroundings::InstallLearnt => vec![Habit::Daily],
            _ => vec![Habit::Daily, Habit::Travel],
        };
        habits.extend(match self.life {
            Surroundings::Office | Surroundings::Install | Surroundings::InstallLearnt => {
                Some(Habit::Office)
            }
            Surroundings::Webmail | Surroundings::ListedWebmail => Some(Habit::Webmail),
            Surroundings::Cloud => Some(Habit::Cloud),
            _ => None,
        });
        let passwords = match self.life {
            Surroundings::WeakPasswords => PasswordStrength::Weak,
            _ => PasswordStrength::Strong,
        };
        Participants {
            people: People::new(plan.mailboxes, passwords, plan.seed),
            routines: habits
                .into_iter()
                .map(|habit| Routine::new(habit, plan))
                .collect(),
            campaigns: (self.attack)(plan),
            incidents: match self.life {
                Surroundings::FailingDovecot => IncidentSchedule::FailingDovecot,
                Surroundings::Restarts => IncidentSchedule::Restarts,
                _ => IncidentSchedule::None,
            },
            start: match self.life {
                Surroundings::Install => StartKnowledge::Strangers,
                Surroundings::Carriers => StartKnowledge::LearntRoaming,
                _ => StartKnowledge::Learnt,
            },
            patience: Patience::Even,
            crowd: None,
        }
    }

    fn crowd_cast(&self, crowd: &'static Crowd, plan: &SimulationPlan) -> Participants {
        let mut campaigns = (self.attack)(plan);
        campaigns.extend(crowd.campaigns(plan));
        if plan.beside == Beside::Guesses {
            campaigns.push(crowd::beside(plan));
        }
        Participants {
            people: People::new(plan.mailboxes, PasswordStrength::Mixed(WEAK), plan.seed),
            routines: vec![Routine::new(Habit::Crowd(crowd), plan)],
            campaigns,
            incidents: IncidentSchedule::None,
            start: match crowd.known {
                CrowdKnowledge::Nothing => StartKnowledge::Strangers,
                CrowdKnowledge::Unseen => StartKnowledge::Others,
                CrowdKnowledge::Elsewhere | CrowdKnowledge::There { .. } => StartKnowledge::Learnt,
            },
            patience: Patience::Doubling,
            crowd: Some(crowd),
        }
    }
}
