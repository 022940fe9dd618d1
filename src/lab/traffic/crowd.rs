//! crowd - many honest people at addresses that they share, or that nobody has seen before
//!
//! A [`Crowd`] is a row of figures: how many write, from which kind of place, what the server knows of them, and
//! which machines at the same addresses guess. It makes the logins of a day, and the guesses from inside.
//! Not here: the crowds by name and their promises (`scenario::list`), what clients do when refused (`run`).

use std::ops::Range;
use std::time::Duration;

use crate::traffic::campaign::{AddressChoice, Campaign, GuessList, PasswordChoice, VictimChoice};
use crate::traffic::people::People;
use crate::traffic::place::CrowdPlace;
use crate::traffic::planned::{FirstTry, PlannedLogin};
use crate::traffic::random::Random;
use crate::traffic::{DAY, HOUR, MINUTE, START, SimulationPlan};
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::doors::Door;
use gatepost_core::moment::Moment;

mod list;

pub(crate) use list::*;

/// A phone that was forgotten tries its old password once in this time, day and night.
const OLD_PHONE_TRIES: Duration = MINUTE.saturating_mul(5);
/// A device has at most so many tries with the old password before its owner has typed the new one.
const FORMER_TRIES: u64 = 12;
/// Addresses of the attack beside a crowd, and existing accounts among a hundred of its guesses.
const BESIDE: (u64, u32) = (3_000, 33);
/// Words among a hundred of its passwords; the others are unique.
const BESIDE_WORDS: u32 = 60;

/// A crowd, in figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Crowd {
    /// Users of the server.
    pub(crate) users: u32,
    /// Those of them that belong to the crowd: the first ones.
    pub(crate) writers: u32,
    /// Whose accounts they use.
    pub(crate) accounts: Accounts,
    /// Where they write from.
    pub(crate) place: CrowdPlace,
    /// Mails that each of them sends in a day.
    pub(crate) mails: u32,
    /// Logins of a hundred that are mistyped first.
    pub(crate) mistyped: u32,
    /// The hours of a day in which the first two mails are sent; the others follow until `until`.
    pub(crate) arrive: Range<u32>,
    /// The hour of a day in which the last mail is sent.
    pub(crate) until: u32,
    /// What the server knows at the start.
    pub(crate) known: CrowdKnowledge,
    /// Whether everybody's password changes.
    pub(crate) passwords: Passwords,
    /// Forgotten phones at the place, each with the password of another user.
    pub(crate) old_phones: u32,
    /// Guesses in a day from the place.
    pub(crate) inside: u32,
    /// By so many machines.
    pub(crate) machines: u32,
    /// At which accounts.
    pub(crate) victims: Victims,
}

/// Whose accounts a crowd uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accounts {
    /// Each their own.
    Own,
    /// All of them one.
    Shared,
}

/// What the server knows of a crowd at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CrowdKnowledge {
    /// Nothing: it is the day of the install.
    Nothing,
    /// None of them, though it is long past the install.
    Unseen,
    /// Who logged in from home and by phone.
    Elsewhere,
    /// Who logged in from the place, too; but for so many newcomers.
    There {
        /// The last ones among the writers.
        newcomers: u32,
    },
}

/// Whether everybody's password changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passwords {
    /// No.
    Stay,
    /// On the second day, early; two devices of each user go on with the old one for an hour or less.
    Change,
}

/// At which accounts is guessed from inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Victims {
    /// Those of the colleagues, never the same password twice.
    Colleagues,
    /// Names of which two of five exist, with words, names with years and unique passwords.
    Names,
}

impl Crowd {
    /// When everybody's password changes.
    pub(crate) fn change(&self) -> Option<Moment> {
        (self.passwords == Passwords::Change).then_some(START + DAY + HOUR * 6)
    }

    /// All logins of the day with this number.
    pub(crate) fn day(&self, day: u32, people: &People, random: &mut Random) -> Vec<PlannedLogin> {
        let midnight = START + DAY * day;
        let mut visits = Vec::new();
        for writer in 0..self.writers {
            // What a writer has for the day: a hotel's line, a network at home.
            let mut today = Random::new(random.draw(), "today");
            let line = today.draw();
            for mail in 0..self.mails {
                let Some(person) = people.person(writer) else {
                    continue;
                };
                visits.push(PlannedLogin {
                    at: midnight + self.time(mail, random),
                    person: self.account(writer),
                    client: self.place.client(writer, person, mail, line, random),
                    door: Door::Own,
                    laptop: None,
                    first_try: self.first_try(day, mail, random),
                });
            }
        }
        visits
    }

    fn account(&self, writer: u32) -> u32 {
        match self.accounts {
            Accounts::Own => writer,
            Accounts::Shared => 0,
        }
    }

    fn time(&self, mail: u32, random: &mut Random) -> Duration {
        // In the morning at the desk, and with the phone that is brought along.
        let hours = match mail {
            0 | 1 => self.arrive.clone(),
            _ => self.arrive.start..self.until,
        };
        random.between(HOUR * hours.start, HOUR * hours.end)
    }

    fn first_try(&self, day: u32, mail: u32, random: &mut Random) -> FirstTry {
        let changed = self.passwords == Passwords::Change && day == 1;
        if changed && mail < 2 {
            return FirstTry::Former(1 + random.below(FORMER_TRIES) as u32);
        }
        // Who mistypes once may do so again.
        let again = |random: &mut Random| random.happens(self.mistyped);
        match (again(random), again(random)) {
            (true, true) => FirstTry::Mistyped(2),
            (true, false) => FirstTry::Mistyped(1),
            (false, _) => FirstTry::Right,
        }
    }

    /// From where the user with this number logged in before, as far as the server knows.
    pub(crate) fn past(&self, number: u32, people: &People, random: &mut Random) -> Vec<ClientKey> {
        let CrowdKnowledge::There { newcomers } = self.known else {
            return Vec::new();
        };
        match self.accounts {
            Accounts::Own if number >= self.writers.saturating_sub(newcomers) => Vec::new(),
            Accounts::Own => self.place.all_of(number, people, random),
            Accounts::Shared if number == 0 => (0..self.writers)
                .flat_map(|writer| self.place.all_of(writer, people, random))
                .collect(),
            Accounts::Shared => Vec::new(),
        }
    }

    /// Forgotten phones and guessers at the place.
    pub(crate) fn campaigns(&self, plan: &SimulationPlan) -> Vec<Campaign> {
        let phone = |number: u32| {
            let name = format!("forgotten phone {number}");
            let choice = (
                AddressChoice::Place(self.place, 1),
                VictimChoice::One(number),
                PasswordChoice::Former,
            );
            Campaign::new(&name, plan, OLD_PHONE_TRIES, choice).by_old_phone(DAY * plan.days)
        };
        let mut campaigns: Vec<Campaign> = (0..self.old_phones).map(phone).collect();
        if self.inside > 0 {
            let (victims, with) = match self.victims {
                Victims::Colleagues => (VictimChoice::Below(self.writers), PasswordChoice::Unique),
                Victims::Names => (
                    VictimChoice::Names(40),
                    PasswordChoice::Mixed(GuessList::thousand(plan)),
                ),
            };
            let choice = (
                AddressChoice::Place(self.place, self.machines),
                victims,
                with,
            );
            // It is there before the first colleague comes, since one hour or another.
            let before = HOUR * self.arrive.start.max(1);
            let began = Random::new(plan.seed, "began inside").between(Duration::ZERO, before);
            let every = DAY / self.inside;
            campaigns.push(Campaign::new("inside a crowd", plan, every, choice).from(began));
        }
        campaigns
    }
}

/// The attack beside a crowd: words for the most part, and most of the names do not exist.
pub(crate) fn beside(plan: &SimulationPlan) -> Campaign {
    let (pool, exist) = BESIDE;
    let choice = (
        AddressChoice::Pool(pool),
        VictimChoice::Names(exist),
        PasswordChoice::Words(GuessList::thousand(plan), BESIDE_WORDS),
    );
    Campaign::daily("beside a crowd", plan, choice)
}
