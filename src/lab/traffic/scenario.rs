//! scenario - the traces by name: who attacks, who lives there, and what is promised
//!
//! Honest people write mail and travel in all of them. Only promises that the manual makes are checked;
//! where it names a price instead, the figures stand in the report, and nothing is broken.
//! Not here: how the parts work (`attack`, `honest`, `incident`), what a promise means (`promise`).

use std::time::Duration;

use crate::traffic::attack::{Campaign, Origin, Whom, With, Words};
use crate::traffic::honest::{Habit, Routine};
use crate::traffic::incident::Incidents;
use crate::traffic::people::{self, Passwords, People, mobile};
use crate::traffic::promise::Promise;
use crate::traffic::random::Random;
use crate::traffic::{DAY, MINUTE, Plan, SECOND};
use gatepost_core::gate::request::settings::GateSettings;

mod list;

pub use list::SCENARIOS;

/// One trace.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What happens, in one line.
    pub about: &'static str,
    /// What the design promises about it.
    pub promises: &'static [Promise],
    attack: fn(&Plan) -> Vec<Campaign>,
    life: Life,
}

/// What is out of the ordinary in the life of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
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
    SickDovecot,
    /// Restarts every day.
    Restarts,
    /// The day of the install: nobody travels, fifty share an office, nothing is known.
    Install,
    /// The same, but the old logs were read.
    InstallLearnt,
}

/// What is known at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Who logged in from where in the last week.
    Learnt,
    /// Nothing.
    Strangers,
}

/// All that a stage needs.
#[derive(Debug)]
pub(crate) struct Cast {
    pub(crate) people: People,
    pub(crate) routines: Vec<Routine>,
    pub(crate) campaigns: Vec<Campaign>,
    pub(crate) incidents: Incidents,
    pub(crate) start: Start,
}

impl Scenario {
    /// The scenario of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        SCENARIOS.iter().find(|scenario| scenario.name == name)
    }

    /// The gate's rules in it: the defaults, but for what the plan leaves out and the scenario lists.
    pub fn settings(&self, plan: &Plan) -> GateSettings {
        let mut settings = GateSettings::default();
        if self.life == Life::ListedWebmail {
            settings.allow = vec![people::WEBMAIL.address().into()];
        }
        if let Some(without) = plan.without {
            without.apply(&mut settings);
        }
        settings
    }

    pub(crate) fn cast(&self, plan: &Plan) -> Cast {
        let mut habits = vec![Habit::Daily];
        habits.extend(match self.life {
            Life::Install | Life::InstallLearnt => None,
            _ => Some(Habit::Travel),
        });
        habits.extend(match self.life {
            Life::Office | Life::Install | Life::InstallLearnt => Some(Habit::Office),
            Life::Webmail | Life::ListedWebmail => Some(Habit::Webmail),
            Life::Cloud => Some(Habit::Cloud),
            _ => None,
        });
        let passwords = match self.life {
            Life::WeakPasswords => Passwords::Weak,
            _ => Passwords::Strong,
        };
        Cast {
            people: People::new(plan.mailboxes, passwords, plan.seed),
            routines: habits
                .into_iter()
                .map(|habit| Routine::new(habit, plan))
                .collect(),
            campaigns: (self.attack)(plan),
            incidents: match self.life {
                Life::SickDovecot => Incidents::SickDovecot,
                Life::Restarts => Incidents::Restarts,
                _ => Incidents::None,
            },
            start: match self.life {
                Life::Install => Start::Strangers,
                _ => Start::Learnt,
            },
        }
    }
}

/// The paces of single addresses, as published: a try every so many seconds.
const PACES: [u64; 3] = [22, 39, 118];

fn nobody(_: &Plan) -> Vec<Campaign> {
    Vec::new()
}

fn loud(plan: &Plan) -> Vec<Campaign> {
    let one = |(n, pace): (u64, u64)| {
        let choice = (
            Origin::One(people::bot(n)),
            Whom::Names(50),
            With::Mixed(Words::thousand(plan)),
        );
        Campaign::new(&format!("loud {pace}"), plan, SECOND * pace as u32, choice)
    };
    (0..).zip(PACES).map(one).collect()
}

/// A pool that empties the shared buckets, and one address that goes on a try every three seconds.
fn hammer(plan: &Plan) -> Vec<Campaign> {
    let choice = (Origin::One(people::bot(1 << 29)), Whom::Any, With::Unique);
    let mut campaigns = unique(plan);
    campaigns.push(Campaign::new("hammer", plan, SECOND * 3, choice));
    campaigns
}

/// 250 neighbours, each a try in 40 minutes.
fn swarm(plan: &Plan) -> Vec<Campaign> {
    let choice = (
        Origin::Neighbours,
        Whom::Names(50),
        With::Mixed(Words::thousand(plan)),
    );
    vec![Campaign::new("swarm", plan, MINUTE * 40 / 250, choice)]
}

fn pool(plan: &Plan) -> Vec<Campaign> {
    let choice = (
        Origin::Pool(plan.pool),
        Whom::Names(40),
        With::Mixed(Words::thousand(plan)),
    );
    vec![Campaign::daily("pool", plan, choice)]
}

/// A million addresses, a try each in 30 days.
fn pool_of_a_million(plan: &Plan) -> Vec<Campaign> {
    let choice = (
        Origin::Pool(1_000_000),
        Whom::Names(40),
        With::Mixed(Words::twenty_thousand(plan)),
    );
    let every = DAY * 30 / 1_000_000;
    vec![Campaign::new("pool of a million", plan, every, choice)]
}

fn spray(name: &str, plan: &Plan, whom: Whom, with: With) -> Vec<Campaign> {
    vec![Campaign::daily(
        name,
        plan,
        (Origin::Pool(plan.pool), whom, with),
    )]
}

fn spray_rows_1k(plan: &Plan) -> Vec<Campaign> {
    let with = With::Rows(Words::thousand(plan));
    spray("rows of a thousand", plan, Whom::InTurn, with)
}

fn spray_rows_20k(plan: &Plan) -> Vec<Campaign> {
    let with = With::Rows(Words::twenty_thousand(plan));
    spray("rows of 20,000", plan, Whom::InTurn, with)
}

fn spray_any_1k(plan: &Plan) -> Vec<Campaign> {
    let with = With::AnyOf(Words::thousand(plan));
    spray("any of a thousand", plan, Whom::Any, with)
}

fn spray_any_20k(plan: &Plan) -> Vec<Campaign> {
    let with = With::AnyOf(Words::twenty_thousand(plan));
    spray("any of 20,000", plan, Whom::Any, with)
}

fn name_year(plan: &Plan) -> Vec<Campaign> {
    spray("name and year", plan, Whom::Any, With::NameYear)
}

fn unique(plan: &Plan) -> Vec<Campaign> {
    spray("unique", plan, Whom::Any, With::Unique)
}

/// Every address comes only once: a million of them in a fortnight and more.
fn unique_fresh(plan: &Plan) -> Vec<Campaign> {
    let choice = (Origin::Pool(1 << 30), Whom::Any, With::Unique);
    vec![Campaign::daily("unique, fresh", plan, choice)]
}

fn hidden(plan: &Plan) -> Vec<Campaign> {
    spray("hidden", plan, Whom::Any, With::Hidden)
}

fn one_account(plan: &Plan) -> Vec<Campaign> {
    spray("one account", plan, Whom::One(0), With::Unique)
}

/// 24 addresses that each wait until their own bucket has a token again.
fn patient(plan: &Plan) -> Vec<Campaign> {
    let choice = (Origin::Pool(24), Whom::Any, With::Unique);
    vec![Campaign::new("patient", plan, MINUTE * 31 / 24, choice)]
}

/// Two addresses, one victim.
fn patient_owner(plan: &Plan) -> Vec<Campaign> {
    let choice = (Origin::Pool(2), Whom::One(0), With::Unique);
    vec![Campaign::new(
        "patient, one owner",
        plan,
        MINUTE * 16,
        choice,
    )]
}

fn sim_card(plan: &Plan) -> Vec<Campaign> {
    let choice = (Origin::SimCard, Whom::Any, With::Unique);
    vec![Campaign::new("SIM card", plan, SECOND * 22, choice)]
}

fn valid_account(plan: &Plan) -> Vec<Campaign> {
    let insider = 1.min(plan.mailboxes.saturating_sub(1)) as u32;
    let choice = (Origin::Insider(insider, 1_000), Whom::Any, With::Unique);
    vec![Campaign::daily("valid account", plan, choice)]
}

/// 200 addresses that each try the same wrong password all day long.
fn oracle(plan: &Plan) -> Vec<Campaign> {
    let choice = (
        Origin::Pool(200),
        Whom::InTurn,
        With::Always("Immer-Dasselbe-9"),
    );
    vec![Campaign::new("oracle", plan, SECOND * 3, choice)]
}

/// A phone that tries its old password every minute for a week, and a PC that guesses at accounts
/// elsewhere every ten seconds.
fn office(plan: &Plan) -> Vec<Campaign> {
    let choice = (
        Origin::One(people::OFFICE),
        Whom::One(0),
        With::Always("Das-Alte-Kennwort"),
    );
    let phone = Campaign::new("old phone", plan, MINUTE, choice).by_old_phone(DAY * 7);
    let choice = (
        Origin::One(people::OFFICE),
        Whom::Names(0),
        With::Mixed(Words::thousand(plan)),
    );
    let infected = Campaign::new("infected PC", plan, SECOND * 10, choice);
    vec![phone, infected]
}

/// The PC guesses at the colleagues.
fn inside(plan: &Plan) -> Vec<Campaign> {
    let choice = (
        Origin::One(people::OFFICE),
        Whom::Below(people::OFFICE_STAFF),
        With::Unique,
    );
    vec![Campaign::new("inside", plan, SECOND * 39, choice)]
}

/// A phone with an old password in a carrier's network, for a fortnight.
fn old_phone(plan: &Plan) -> Vec<Campaign> {
    let mut random = Random::new(plan.seed, "old phone's place");
    let choice = (
        Origin::One(mobile(0, &mut random)),
        Whom::One(0),
        With::Always("Das-Alte-Kennwort"),
    );
    let lasting: Duration = DAY * 14;
    let phone = Campaign::new("roaming phone", plan, MINUTE, choice).by_old_phone(lasting);
    let mut campaigns = pool(plan);
    campaigns.push(phone);
    campaigns
}

/// What waits for a new server: loud ones and a pool.
fn install(plan: &Plan) -> Vec<Campaign> {
    let mut campaigns = loud(plan);
    campaigns.extend(pool(plan));
    campaigns
}
