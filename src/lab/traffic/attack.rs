//! attack - who guesses, from where, at what pace, at whom, with what
//!
//! A [`Campaign`] is an endless stream of guesses out of four choices. It never looks at an answer: what
//! the doors see is the same. The paces are published ones: one try every 22 s, 39 s or 118 s of one
//! address; one or two an hour of each address in a /24; nine failures in 97 s of a pool (8,000 a day).
//! Not here: which campaigns meet in a scenario (`scenario`).

use std::time::Duration;

use crate::traffic::dictionary::Dictionary;
use crate::traffic::door::Mechanism;
use crate::traffic::people::{self, People};
use crate::traffic::random::Random;
use crate::traffic::{Plan, START};
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::moment::Moment;

/// One guess.
#[derive(Debug)]
pub struct Guess {
    /// When.
    pub at: Moment,
    /// From where.
    pub client: ClientKey,
    /// At whom; none: an account that does not exist.
    pub person: Option<u32>,
    /// The name that is sent.
    pub user: UserName,
    /// The password.
    pub password: String,
    /// How it is sent.
    pub mechanism: Mechanism,
    /// Who sends it.
    pub sender: Sender,
}

/// Who sends a guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// An attacker.
    Attacker,
    /// A phone whose owner has changed his password elsewhere.
    OldPhone,
}

/// Addresses.
#[derive(Clone, Debug)]
pub enum Origin {
    /// One.
    One(ClientKey),
    /// A pool of this size, one try each before the first comes again.
    Pool(u64),
    /// 250 neighbours in one /24.
    Neighbours,
    /// One SIM card that takes another address of the users' carrier for every try.
    SimCard,
    /// The holder of the account of this number, from so many /16s: a right login, then seven guesses.
    Insider(u32, u64),
}

/// Victims.
#[derive(Clone, Debug)]
pub enum Whom {
    /// Every account once, then every account again.
    InTurn,
    /// Any account.
    Any,
    /// Any account below this number.
    Below(u32),
    /// One account.
    One(u32),
    /// Names that do not exist, and so many accounts of a hundred tries.
    Names(u32),
}

/// Passwords.
#[derive(Clone, Debug)]
pub enum With {
    /// A word for all accounts, then the next.
    Rows(Words),
    /// Any word.
    AnyOf(Words),
    /// The victim's name and a year.
    NameYear,
    /// Never the same twice, in no list.
    Unique,
    /// The same, but by a mechanism that hides it.
    Hidden,
    /// Of a hundred: sixty words, twenty with name and year, twenty unique.
    Mixed(Words),
    /// One password per victim, again and again.
    Always(&'static str),
}

/// A dictionary.
#[derive(Clone, Debug)]
pub struct Words(Dictionary);

impl Words {
    /// A thousand, nearly all in the shipped list.
    pub fn thousand(plan: &Plan) -> Self {
        Self(Dictionary::new(1_000, 90, plan.seed))
    }

    /// Twenty thousand, half of them in no list.
    pub fn twenty_thousand(plan: &Plan) -> Self {
        Self(Dictionary::new(20_000, 50, plan.seed))
    }
}

/// A stream of guesses.
#[derive(Clone, Debug)]
pub struct Campaign {
    random: Random,
    at: Moment,
    until: Moment,
    every: Duration,
    count: u64,
    from: Origin,
    whom: Whom,
    with: With,
    sender: Sender,
}

impl Campaign {
    /// A campaign for as long as the plan goes, a guess about every `every`.
    pub fn new(
        name: &str,
        plan: &Plan,
        every: Duration,
        (from, whom, with): (Origin, Whom, With),
    ) -> Self {
        Self {
            random: Random::new(plan.seed, name),
            at: START,
            until: plan.end(),
            every,
            count: 0,
            from,
            whom,
            with,
            sender: Sender::Attacker,
        }
    }

    /// The plan's number of guesses a day, from wherever.
    pub fn daily(name: &str, plan: &Plan, choice: (Origin, Whom, With)) -> Self {
        let every = super::DAY / plan.daily.max(1);
        Self::new(name, plan, every, choice)
    }

    /// The same, sent by a phone with an old password, and no longer than `lasting`.
    pub fn by_old_phone(self, lasting: Duration) -> Self {
        Self {
            sender: Sender::OldPhone,
            until: self.until.min(START + lasting),
            ..self
        }
    }

    /// The next guess, in the order of time.
    pub fn next(&mut self, people: &People) -> Option<Guess> {
        self.at = self.at + self.random.around(self.every);
        if self.at >= self.until {
            return None;
        }
        let n = self.count;
        self.count += 1;
        if let Origin::Insider(person, regions) = self.from
            && n.is_multiple_of(8)
        {
            return self.right_login(person, n / 8 % regions, people);
        }
        let client = self.client(n);
        let person = self.person(n, people);
        let (user, password) = match person.and_then(|number| people.person(number)) {
            Some(victim) => {
                let password = self.password(n, victim.first, people.count());
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
    ) -> Guess {
        Guess {
            at: self.at,
            client,
            person,
            user,
            password,
            mechanism: match self.with {
                With::Hidden => Mechanism::Scram,
                _ => Mechanism::Plain,
            },
            sender: self.sender,
        }
    }

    fn right_login(&self, number: u32, region: u64, people: &People) -> Option<Guess> {
        let person = people.person(number)?;
        let password = person.password.clone();
        Some(self.guess(inside(region), Some(number), person.name.clone(), password))
    }

    fn client(&mut self, n: u64) -> ClientKey {
        match self.from {
            Origin::One(client) => client,
            Origin::Pool(size) => people::bot(n % size.max(1)),
            Origin::Neighbours => people::neighbour(n),
            Origin::SimCard => people::mobile(0, &mut self.random),
            Origin::Insider(_, regions) => inside(n / 8 % regions),
        }
    }

    fn person(&mut self, n: u64, people: &People) -> Option<u32> {
        let count = u64::from(people.count()).max(1);
        match self.whom {
            Whom::InTurn => Some((n % count) as u32),
            Whom::Any => Some(self.random.below(count) as u32),
            Whom::Below(end) => Some(self.random.below(u64::from(end).min(count)) as u32),
            Whom::One(person) => Some(person),
            Whom::Names(percent) => {
                let exists = self.random.happens(percent);
                exists.then(|| self.random.below(count) as u32)
            }
        }
    }

    fn password(&mut self, n: u64, first: &str, accounts: u32) -> String {
        let random = &mut self.random;
        match &self.with {
            With::Rows(Words(words)) => {
                let row = n / u64::from(accounts.max(1));
                words.password(row as usize).to_owned()
            }
            With::AnyOf(Words(words)) => words.password(random.index(words.len())).to_owned(),
            With::NameYear => name_year(first, random),
            With::Unique | With::Hidden => format!("{}{}", random.word(6), random.below(100)),
            With::Mixed(Words(words)) => match random.below(10) {
                0..6 => words.password(random.index(words.len())).to_owned(),
                6..8 => name_year(first, random),
                _ => format!("{}{}", random.word(6), random.below(100)),
            },
            With::Always(password) => (*password).to_owned(),
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

/// The insider's address in his `region`th /16.
fn inside(region: u64) -> ClientKey {
    ClientKey::V4(0xc100_0000_u32.wrapping_add((region as u32) << 16) | 7 << 8 | 7)
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
