//! campaign - streams of guesses: from which addresses, how often, at which accounts, with which passwords
//!
//! A [`Campaign`] is an endless stream of guesses out of four choices. It never looks at an answer: what
//! the policies see is the same. The paces are published ones: one try every 22 s, 39 s or 118 s of one
//! address; one or two an hour of each address in a /24; nine failures in 97 s of a pool (8,000 a day).
//! Not here: which campaigns meet in a scenario (`scenario`).

use std::ops::Range;
use std::time::Duration;

use crate::traffic::dictionary::Dictionary;
use crate::traffic::people::{self, People};
use crate::traffic::place::CrowdPlace;
use crate::traffic::policy::PasswordForm;
use crate::traffic::random::Random;
use crate::traffic::{START, SimulationPlan};
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::moment::Moment;

/// One guess.
#[derive(Debug)]
pub(crate) struct PlannedGuess {
    /// When.
    pub(crate) at: Moment,
    /// From where.
    pub(crate) client: ClientKey,
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

/// The addresses that guesses come from.
#[derive(Clone, Debug)]
pub(crate) enum AddressChoice {
    /// One.
    One(ClientKey),
    /// A pool of this size, one try each before the first comes again.
    Pool(u64),
    /// 250 neighbours in one /24.
    Neighbours,
    /// One SIM card that takes another address of the users' carrier for every try.
    SimCard,
    /// A customer's line that takes another /48 of one IPv6 /32 for every try.
    Prefixes,
    /// So many machines at a crowd's place, each at one of its addresses for a day.
    Place(CrowdPlace, u32),
    /// The holder of some accounts.
    Owned(OwnedAccounts),
}

/// Accounts that an attacker holds: at each address some right logins, then some guesses, then the next address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnedAccounts {
    /// How many: those with the numbers from 1 on.
    pub(crate) accounts: u32,
    /// From how many /16s, one address in each.
    pub(crate) addresses: u64,
    /// Right logins, each to another of the accounts.
    pub(crate) logins: u64,
    /// Guesses after them.
    pub(crate) guesses: u64,
}

/// The accounts that are tried.
#[derive(Clone, Debug)]
pub(crate) enum VictimChoice {
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

/// The passwords that are tried.
#[derive(Clone, Debug)]
pub(crate) enum PasswordChoice {
    /// A word for all accounts, then the next.
    Rows(GuessList),
    /// Any word.
    AnyOf(GuessList),
    /// The victim's name and a year.
    NameYear,
    /// Never the same twice, in no list.
    Unique,
    /// The same, but by a mechanism that hides it.
    Hidden,
    /// Of a hundred: sixty words, twenty with name and year, twenty unique.
    Mixed(GuessList),
    /// So many words of a hundred, the others unique.
    Words(GuessList, u32),
    /// One password per victim, again and again.
    Always(&'static str),
    /// The victim's password before the last change, again and again.
    Former,
    /// Never the same twice, but right in so many of a hundred tries.
    Leaked(u32),
}

/// A dictionary.
#[derive(Clone, Debug)]
pub(crate) struct GuessList(Dictionary);

impl GuessList {
    /// A thousand, nearly all in the shipped list.
    pub(crate) fn thousand(plan: &SimulationPlan) -> Self {
        Self(Dictionary::new(1_000, 90, plan.seed))
    }

    /// Twenty thousand, half of them in no list.
    pub(crate) fn twenty_thousand(plan: &SimulationPlan) -> Self {
        Self(Dictionary::new(20_000, 50, plan.seed))
    }
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
        }
    }

    /// The same, in these hours of every day.
    pub(crate) fn in_hours(self, hours: Range<u32>) -> Self {
        Self { hours, ..self }
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

impl OwnedAccounts {
    const fn round(self) -> u64 {
        self.logins + self.guesses
    }

    /// The account that is logged in to, if the `n`th try is no guess.
    fn login(self, n: u64) -> Option<u32> {
        let round = self.round().max(1);
        let before = n / round * self.logins;
        let login = n % round;
        (login < self.logins)
            .then(|| 1 + ((before + login) % u64::from(self.accounts.max(1))) as u32)
    }

    /// Where the `n`th try comes from.
    fn address(self, n: u64) -> ClientKey {
        let address = (n / self.round().max(1) % self.addresses.max(1)) as u32;
        ClientKey::V4(0xc100_0000_u32.wrapping_add(address << 16) | 7 << 8 | 7)
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
