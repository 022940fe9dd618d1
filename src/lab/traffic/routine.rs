//! routine - what honest users do: write mail at home and on the phone, travel, work in an office
//!
//! A `PlannedLogin` is one mail to be sent: one login, or two when the first is mistyped (one of ten is). Those who
//! read are looked at apart (`reading`): their programs log in every few minutes, and have the password stored. So are laptops that are taken along (`laptops`).
//! A mail program that is answered "not now" tries again every few minutes; `run` plays that.
//! Not here: what attackers do (`campaign`), phones with an old password (`campaign` too: they guess nothing,
//! but no server can know that).

mod laptops;
mod reading;

use std::collections::VecDeque;
use std::time::Duration;

use crate::traffic::crowd::Crowd;
use crate::traffic::people::{self, People};
use crate::traffic::planned::{FirstTry, PlannedLogin};
use crate::traffic::random::Random;
use crate::traffic::{DAY, HOUR, MINUTE, START, SimulationPlan};
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::doors::Door;
use gatepost_core::moment::Moment;

/// Logins of a hundred that are mistyped first.
const MISTYPED_PERCENT: u32 = 10;
/// Mails a person writes at a desk in a day, and on the phone.
const AT_DESK: u32 = 2;
const ON_PHONE: u32 = 1;
/// Users who begin a journey in a day, whatever the size of the server.
const TRIPS: u32 = 20;

/// A source of visits, a day's at a time.
pub(crate) struct Routine {
    random: Random,
    habit: Habit,
    day: u32,
    days: u32,
    /// How often each person's mail program was started.
    starts: Vec<u32>,
    today: VecDeque<PlannedLogin>,
}

/// Who does what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// All users write at home, and on a phone that gets another address every day.
    Daily,
    /// Some travel: first mail from a hotel or a foreign carrier, two more from there that day.
    Travel,
    /// The staff of the office write from its one address.
    Office,
    /// All users write from the webmail host once a day.
    Webmail,
    /// One account sends a hundred mails a day from the networks of a cloud.
    Cloud,
    /// People read every five minutes and send once a day, at home, by phone, and on journeys.
    Reading,
    /// All users write at home, and on a phone in four /16s of a large carrier; some travel within the country, and write on the
    /// phone and in a hotel.
    Roaming,
    /// People write on laptops, at home and on journeys, and on phones.
    Laptops,
    /// A crowd writes.
    Crowd(&'static Crowd),
}

impl Routine {
    /// A habit, for as long as the plan goes.
    pub(crate) fn new(habit: Habit, plan: &SimulationPlan) -> Self {
        Self {
            random: Random::new(plan.seed, habit.stream()),
            habit,
            day: 0,
            days: plan.days,
            starts: Vec::new(),
            today: VecDeque::new(),
        }
    }

    /// The next visit, in the order of time.
    pub(crate) fn next(&mut self, people: &People) -> Option<PlannedLogin> {
        while self.today.is_empty() && self.day < self.days {
            let mut visits = Vec::new();
            let morning = START + DAY * self.day;
            self.fill(people, morning, &mut visits);
            visits.sort_by_key(|visit| visit.at);
            self.today = visits.into();
            self.day += 1;
        }
        self.today.pop_front()
    }

    fn fill(&mut self, people: &People, morning: Moment, visits: &mut Vec<PlannedLogin>) {
        match self.habit {
            Habit::Daily => {
                for (number, person) in people.all() {
                    let phone = person.phone(&mut self.random);
                    self.several(AT_DESK, number, person.home, morning, visits);
                    self.several(ON_PHONE, number, phone, morning, visits);
                }
            }
            Habit::Travel => self.trips(people, morning, visits),
            Habit::Roaming => {
                for (number, person) in people.all() {
                    let phone = person.phone_at_home(&mut self.random);
                    self.several(AT_DESK, number, person.home, morning, visits);
                    self.several(ON_PHONE, number, phone, morning, visits);
                }
                self.trips(people, morning, visits);
            }
            Habit::Laptops => self.laptops(people, morning, visits),
            Habit::Reading => self.readers(people, morning, visits),
            Habit::Crowd(crowd) => visits.extend(crowd.day(self.day, people, &mut self.random)),
            Habit::Office => {
                for number in 0..people.staff() {
                    self.several(3, number, people::OFFICE, morning, visits);
                }
            }
            Habit::Webmail => {
                for number in 0..people.count() {
                    self.several(1, number, people::WEBMAIL, morning, visits);
                }
            }
            Habit::Cloud => {
                for _ in 0..100 {
                    let client = people::cloud(&mut self.random);
                    let at = morning + self.time_of_day();
                    let visit = self.visit(0, client, at);
                    let first_try = FirstTry::Right;
                    visits.push(PlannedLogin { first_try, ..visit });
                }
            }
        }
    }

    fn trips(&mut self, people: &People, morning: Moment, visits: &mut Vec<PlannedLogin>) {
        for _ in 0..TRIPS {
            let number = self.random.index(people.count() as usize) as u32;
            let arrived = morning + self.time_of_day();
            let hotel = people::hotel(&mut self.random);
            let abroad = match people.person(number) {
                Some(person) if self.habit == Habit::Roaming => {
                    person.phone_on_the_way(&mut self.random)
                }
                _ => people::abroad(&mut self.random),
            };
            for (after, client) in [
                (Duration::ZERO, hotel),
                (HOUR, abroad),
                (HOUR * 3, hotel),
                (HOUR * 4, abroad),
            ] {
                let visit = self.visit(number, client, arrived + after);
                visits.push(visit);
            }
        }
    }

    fn several(
        &mut self,
        times: u32,
        person: u32,
        client: ClientKey,
        morning: Moment,
        visits: &mut Vec<PlannedLogin>,
    ) {
        for _ in 0..times {
            let at = morning + self.time_of_day();
            visits.push(self.visit(person, client, at));
        }
    }

    fn visit(&mut self, person: u32, client: ClientKey, at: Moment) -> PlannedLogin {
        PlannedLogin {
            at,
            person,
            client,
            door: Door::Own,
            laptop: None,
            first_try: match self.random.happens(MISTYPED_PERCENT) {
                true => FirstTry::Mistyped(1),
                false => FirstTry::Right,
            },
        }
    }

    /// Between seven in the morning and seven in the evening, most of them at the full hour's begin.
    fn time_of_day(&mut self) -> Duration {
        let hour = HOUR * (7 + self.random.below(12) as u32);
        let rush = if self.random.happens(50) {
            MINUTE * 10
        } else {
            HOUR
        };
        hour + self.random.between(Duration::ZERO, rush)
    }
}

impl std::fmt::Debug for Routine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Routine({:?}, day {})", self.habit, self.day)
    }
}

impl Habit {
    const fn stream(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Travel => "travel",
            Self::Office => "office",
            Self::Webmail => "webmail",
            Self::Cloud => "cloud",
            Self::Reading => "reading",
            Self::Laptops => "laptops",
            Self::Roaming => "roaming",
            Self::Crowd(_) => "crowd",
        }
    }
}
