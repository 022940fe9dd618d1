//! campaign - streams of guesses: from which addresses, how often, at which accounts, with which passwords
//!
//! A [`Campaign`] is an endless stream of guesses out of four choices. It never looks at an answer: what
//! the policies see is the same. The paces are published ones: one try every 22 s, 39 s or 118 s of one
//! address; one or two an hour of each address in a /24; nine failures in 97 s of a pool (8,000 a day).
//! Not here: which campaigns meet in a scenario (`scenario`).

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use crate::traffic::people::{self, People};
use crate::traffic::policy::PasswordForm;
use crate::traffic::random::Random;
use crate::traffic::{START, SimulationPlan};
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::doors::Door;
use gatepost_core::moment::Moment;

mod choice;

pub(crate) use choice::*;

/// One guess.
#[derive(Clone, Debug)]
pub(crate) struct PlannedGuess {
    /// When.
    pub(crate) at: Moment,
    /// From where.
    pub(crate) client: ClientKey,
    /// At which door.
    pub(crate) door: Door,
    /// The victim; none: an account that does not exist.
    pub(crate) person: Option<u32>,
    /// The name that is sent.
    pub(crate) user: UserName,
    /// The password.
    pub(crate) password: String,
    /// How it is sent.
    pub(crate) mechanism: PasswordForm,
    /// Who sends it.
    pub(crate) sender: GuessSender,
}

/// Who sends a guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GuessSender {
    /// An attacker.
    Attacker,
    /// A phone whose owner has changed the password elsewhere.
    OldPhone,
    /// An attacker who logs in to an account that is their own, or is stolen.
    Holder,
}

/// A stream of guesses.
#[derive(Clone, Debug)]
pub(crate) struct Campaign {
    random: Random,
    at: Moment,
    until: Moment,
    every: Duration,
    count: u64,
    from: AddressChoice,
    victims: VictimChoice,
    with: PasswordChoice,
    sender: GuessSender,
    hours: Range<u32>,
    /// Those that it tries in turn.
    doors: &'static [Door],
    /// When each guess is tried once more.
    again: Option<Duration>,
    /// Those that are to be, the next one first.
    due_again: VecDeque<PlannedGuess>,
    /// The next new one.
    fresh: Option<PlannedGuess>,
}

impl Campaign {
    /// A campaign for as long as the plan goes, a guess about every `every`.
    pub(crate) fn new(
        name: &str,
        plan: &SimulationPlan,
        every: Duration,
        (from, victims, with): (AddressChoice, VictimChoice, PasswordChoice),
    ) -> Self {
        Self {
            random: Random::new(plan.seed, name),
            at: START,
            until: plan.end(),
            every,
            count: 0,
            from,
            victims,
            with,
            sender: GuessSender::Attacker,
            hours: 0..24,
            doors: &[Door::Own],
            again: None,
            due_again: VecDeque::new(),
            fresh: None,
        }
    }

    /// The same, in these hours of every day.
    pub(crate) fn in_hours(self, hours: Range<u32>) -> Self {
        Self { hours, ..self }
    }

    /// The same, spread over these doors.
    pub(crate) fn over(self, doors: &'static [Door]) -> Self {
        Self { doors, ..self }
    }

    /// The same, and each guess once more after this, as a mail program does that was refused.
    pub(crate) fn and_again(self, after: Duration) -> Self {
        Self {
            again: Some(after),
            ..self
        }
    }

    /// The same, but for the time before this.
    pub(crate) fn from(self, began: Duration) -> Self {
        Self {
            at: self.at + began,
            ..self
        }
    }

    /// The plan's number of guesses a day, from wherever.
    pub(crate) fn daily(
        name: &str,
        plan: &SimulationPlan,
        choice: (AddressChoice, VictimChoice, PasswordChoice),
    ) -> Self {
        let every = super::DAY / plan.daily.max(1);
        Self::new(name, plan, every, choice)
    }

    /// The same, sent by a phone with an old password, and no longer than `lasting`.
    pub(crate) fn by_old_phone(self, lasting: Duration) -> Self {
        Self {
            sender: GuessSender::OldPhone,
            until: self.until.min(START + lasting),
            ..self
        }
    }

    /// The next guess, in the order of time.
    pub(crate) fn next(&mut self, people: &People) -> Option<PlannedGuess> {
        let Some(again) = self.again else {
            return self.next_new(people);
        };
        if self.fresh.is_none() {
            self.fresh = self.next_new(people);
        }
        let first = self.due_again.front().map(|guess| guess.at);
        match &self.fresh {
            Some(fresh) if first.is_none_or(|first| fresh.at < first) => {
                let at = fresh.at + again;
                let copy = PlannedGuess {
                    at,
                    ..fresh.clone()
                };
                self.due_again.push_back(copy);
                self.fresh.take()
            }
            _ => self.due_again.pop_front(),
        }
    }

    fn next_new(&mut self, people: &People) -> Option<PlannedGuess> {
        self.at = self.at + self.random.around(self.every);
        let day = self.at.since(START).as_secs() / super::DAY.as_secs();
        let midnight = START + super::DAY * day as u32;
        let begin = midnight + super::HOUR * self.hours.start;
        if self.at < begin {
            self.at = begin;
        } else if self.at >= midnight + super::HOUR * self.hours.end {
            self.at = begin + super::DAY;
        }
        if self.at >= self.until {
            return None;
        }
        let n = self.count;
        self.count += 1;
        if let AddressChoice::Owned(owned) = self.from
            && let Some(number) = owned.login(n)
        {
            return self.right_login(number, owned.address(n), people);
        }
        let client = self.client(n);
        let person = self.person(n, people);
        let (user, password) = match person.and_then(|number| people.person(number)) {
            Some(victim) => {
                let password = match self.with {
                    PasswordChoice::Former => victim.former.clone(),
                    PasswordChoice::Leaked(percent) if self.random.happens(percent) => {
                        victim.password.clone()
                    }
                    _ => self.password(n, victim.first, people.count()),
                };
                (victim.name.clone(), password)
            }
            None => {
                let user = self.no_such_user();
                let password = self.password(n, "info", people.count());
                (user, password)
            }
        };
        Some(self.guess(client, person, user, password))
    }

    fn guess(
        &self,
        client: ClientKey,
        person: Option<u32>,
        user: UserName,
        password: String,
    ) -> PlannedGuess {
        PlannedGuess {
            at: self.at,
            client,
            door: self.door(),
            person,
            user,
            password,
            mechanism: match self.with {
                PasswordChoice::Hidden => PasswordForm::Scram,
                _ => PasswordForm::Plain,
            },
            sender: self.sender,
        }
    }

    /// Each door in turn, and another one each time for victims in turn.
    fn door(&self) -> Door {
        let many = self.doors.len().max(1) as u64;
        let turn = (self.count + self.count / many) % many;
        let door = self.doors.get(turn as usize);
        door.copied().unwrap_or_default()
    }

    fn right_login(&self, number: u32, client: ClientKey, people: &People) -> Option<PlannedGuess> {
        // A small server has fewer accounts than an attacker may hold.
        let number = number % people.count().max(1);
        let person = people.person(number)?;
        let password = person.password.clone();
        let guess = self.guess(client, Some(number), person.name.clone(), password);
        let sender = GuessSender::Holder;
        Some(PlannedGuess { sender, ..guess })
    }

    fn client(&mut self, n: u64) -> ClientKey {
        match self.from {
            AddressChoice::One(client) => client,
            AddressChoice::Pool(size) => people::bot(n % size.max(1)),
            AddressChoice::Neighbours => people::neighbour(n),
            AddressChoice::SimCard => people::mobile(0, &mut self.random),
            AddressChoice::Carriers(percent) if self.random.happens(percent) => {
                people::any_of_large_carriers(&mut self.random)
            }
            AddressChoice::Carriers(_) => people::bot(n),
            AddressChoice::Prefixes => people::prefix(&mut self.random),
            AddressChoice::Place(place, machines) => {
                let day = self.at.since(START).as_secs() / super::DAY.as_secs();
                place.of_guesser(self.random.below(u64::from(machines)), day)
            }
            AddressChoice::Owned(owned) => owned.address(n),
        }
    }

    fn person(&mut self, n: u64, people: &People) -> Option<u32> {
        let count = u64::from(people.count()).max(1);
        match self.victims {
            VictimChoice::InTurn => Some((n % count) as u32),
            VictimChoice::Any => Some(self.random.below(count) as u32),
            VictimChoice::Below(end) => Some(self.random.below(u64::from(end).min(count)) as u32),
            VictimChoice::One(person) => Some(person),
            VictimChoice::Names(percent) => {
                let exists = self.random.happens(percent);
                exists.then(|| self.random.below(count) as u32)
            }
        }
    }

    fn password(&mut self, n: u64, first: &str, accounts: u32) -> String {
        let random = &mut self.random;
        match &self.with {
            PasswordChoice::Rows(GuessList(words)) => {
                let row = n / u64::from(accounts.max(1));
                words.password(row as usize).to_owned()
            }
            PasswordChoice::AnyOf(GuessList(words)) => {
                words.password(random.index(words.len())).to_owned()
            }
            PasswordChoice::Words(GuessList(words), percent) if random.happens(*percent) => {
                words.password(random.index(words.len())).to_owned()
            }
            PasswordChoice::NameYear => name_year(first, random),
            PasswordChoice::Unique
            | PasswordChoice::Hidden
            | PasswordChoice::Former
            | PasswordChoice::Words(..)
            | PasswordChoice::Leaked(_) => {
                format!("{}{}", random.word(6), random.below(100))
            }
            PasswordChoice::Mixed(GuessList(words)) => match random.below(10) {
                0..6 => words.password(random.index(words.len())).to_owned(),
                6..8 => name_year(first, random),
                _ => format!("{}{}", random.word(6), random.below(100)),
            },
            PasswordChoice::Always(password) => (*password).to_owned(),
        }
    }

    /// A name out of ten thousand: the usual ones in one of five tries.
    fn no_such_user(&mut self) -> UserName {
        let random = &mut self.random;
        let name = match random.below(5) {
            0 => random.pick(USUAL).to_owned(),
            _ => format!("box{}", random.below(10_000)),
        };
        UserName::new(name.into_bytes())
    }
}

fn name_year(first: &str, random: &mut Random) -> String {
    format!("{first}{}", 1950 + random.below(77))
}

/// Names that attackers try everywhere.
#[rustfmt::skip]
const USUAL: &[&str] = &[
    "root", "admin", "info", "test", "support", "office", "sales", "contact", "scanner", "postmaster",
    "copier", "billing",
];
