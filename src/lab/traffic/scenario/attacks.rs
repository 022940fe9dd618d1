//! attacks - which campaigns meet in a scenario
//!
//! Not here: how a campaign works (`campaign`), what is promised about it (`list`).

use std::time::Duration;

use crate::traffic::campaign::{
    AddressChoice, Campaign, GuessList, OwnedAccounts, PasswordChoice, VictimChoice,
};
use crate::traffic::people::{self, mobile};
use crate::traffic::random::Random;
use crate::traffic::{DAY, MINUTE, SECOND, SimulationPlan};
use gatepost_core::gate::request::doors::Door;

/// The paces of single addresses, as published: a try every so many seconds.
const PACES: [u64; 3] = [22, 39, 118];

pub(super) fn no_campaign(_: &SimulationPlan) -> Vec<Campaign> {
    Vec::new()
}

pub(super) fn loud(plan: &SimulationPlan) -> Vec<Campaign> {
    let one = |(n, pace): (u64, u64)| {
        let choice = (
            AddressChoice::One(people::bot(n)),
            VictimChoice::Names(50),
            PasswordChoice::Mixed(GuessList::thousand(plan)),
        );
        Campaign::new(&format!("loud {pace}"), plan, SECOND * pace as u32, choice)
    };
    (0..).zip(PACES).map(one).collect()
}

/// A pool that empties the shared buckets, and one address that goes on a try every three seconds.
pub(super) fn hammer(plan: &SimulationPlan) -> Vec<Campaign> {
    let choice = (
        AddressChoice::One(people::bot(1 << 29)),
        VictimChoice::Any,
        PasswordChoice::Unique,
    );
    let mut campaigns = unique(plan);
    campaigns.push(Campaign::new("hammer", plan, SECOND * 3, choice));
    campaigns
}

/// 250 neighbours, each a try in 40 minutes.
pub(super) fn swarm(plan: &SimulationPlan) -> Vec<Campaign> {
    let choice = (
        AddressChoice::Neighbours,
        VictimChoice::Names(50),
        PasswordChoice::Mixed(GuessList::thousand(plan)),
    );
    vec![Campaign::new("swarm", plan, MINUTE * 40 / 250, choice)]
}

pub(super) fn pool(plan: &SimulationPlan) -> Vec<Campaign> {
    let choice = (
        AddressChoice::Pool(plan.pool),
        VictimChoice::Names(40),
        PasswordChoice::Mixed(GuessList::thousand(plan)),
    );
    vec![Campaign::daily("pool", plan, choice)]
}

/// A million addresses, a try each in 30 days.
pub(super) fn pool_of_a_million(plan: &SimulationPlan) -> Vec<Campaign> {
    let choice = (
        AddressChoice::Pool(1_000_000),
        VictimChoice::Names(40),
        PasswordChoice::Mixed(GuessList::twenty_thousand(plan)),
    );
    let every = DAY * 30 / 1_000_000;
    vec![Campaign::new("pool of a million", plan, every, choice)]
}

pub(super) fn spray(
    name: &str,
    plan: &SimulationPlan,
    victims: VictimChoice,
    with: PasswordChoice,
) -> Vec<Campaign> {
    vec![Campaign::daily(
        name,
        plan,
        (AddressChoice::Pool(plan.pool), victims, with),
    )]
}

pub(super) fn spray_rows_1k(plan: &SimulationPlan) -> Vec<Campaign> {
    let with = PasswordChoice::Rows(GuessList::thousand(plan));
    spray("rows of a thousand", plan, VictimChoice::InTurn, with)
}

pub(super) fn spray_rows_20k(plan: &SimulationPlan) -> Vec<Campaign> {
    let with = PasswordChoice::Rows(GuessList::twenty_thousand(plan));
    spray("rows of 20,000", plan, VictimChoice::InTurn, with)
}

pub(super) fn spray_any_1k(plan: &SimulationPlan) -> Vec<Campaign> {
    let with = PasswordChoice::AnyOf(GuessList::thousand(plan));
    spray("any of a thousand", plan, VictimChoice::Any, with)
}

pub(super) fn spray_any_20k(plan: &SimulationPlan) -> Vec<Campaign> {
    let with = PasswordChoice::AnyOf(GuessList::twenty_thousand(plan));
    spray("any of 20,000", plan, VictimChoice::Any, with)
}

pub(super) fn name_year(plan: &SimulationPlan) -> Vec<Campaign> {
    spray(
        "name and year",
        plan,
        VictimChoice::Any,
        PasswordChoice::NameYear,
    )
}

pub(super) fn unique(plan: &SimulationPlan) -> Vec<Campaign> {
    spray("unique", plan, VictimChoice::Any, PasswordChoice::Unique)
}

/// Who has read the source: each guess is tried once more after five minutes, and gets what is kept for retries.
pub(super) fn unique_again(plan: &SimulationPlan) -> Vec<Campaign> {
    let mut campaigns = unique(plan);
    campaigns.extend(unique_fresh(plan));
    let again = |campaign: Campaign| campaign.and_again(MINUTE * 5);
    campaigns.into_iter().map(again).collect()
}

/// Every address comes only once: a million of them in a fortnight and more.
pub(super) fn unique_fresh(plan: &SimulationPlan) -> Vec<Campaign> {
    let choice = (
        AddressChoice::Pool(1 << 30),
        VictimChoice::Any,
        PasswordChoice::Unique,
    );
    vec![Campaign::daily("unique, fresh", plan, choice)]
}

/// The same, and one of twenty is a customer of the users' carriers.
pub(super) fn unique_in_carriers(plan: &SimulationPlan) -> Vec<Campaign> {
    let choice = (
        AddressChoice::Carriers(5),
        VictimChoice::Any,
        PasswordChoice::Unique,
    );
    vec![Campaign::daily("unique, in carriers", plan, choice)]
}

pub(super) fn hidden(plan: &SimulationPlan) -> Vec<Campaign> {
    spray("hidden", plan, VictimChoice::Any, PasswordChoice::Hidden)
}

pub(super) fn one_account(plan: &SimulationPlan) -> Vec<Campaign> {
    spray(
        "one account",
        plan,
        VictimChoice::One(0),
        PasswordChoice::Unique,
    )
}

/// 24 addresses that each wait until their own bucket has a token again.
pub(super) fn patient(plan: &SimulationPlan) -> Vec<Campaign> {
    let choice = (
        AddressChoice::Pool(24),
        VictimChoice::Any,
        PasswordChoice::Unique,
    );
    vec![Campaign::new("patient", plan, MINUTE * 31 / 24, choice)]
}

/// Two addresses, one victim.
pub(super) fn patient_owner(plan: &SimulationPlan) -> Vec<Campaign> {
    let choice = (
        AddressChoice::Pool(2),
        VictimChoice::One(0),
        PasswordChoice::Unique,
    );
    vec![Campaign::new(
        "patient, one owner",
        plan,
        MINUTE * 16,
        choice,
    )]
}

pub(super) fn sim_card(plan: &SimulationPlan) -> Vec<Campaign> {
    let choice = (
        AddressChoice::SimCard,
        VictimChoice::Any,
        PasswordChoice::Unique,
    );
    vec![Campaign::new("SIM card", plan, SECOND * 22, choice)]
}

pub(super) fn valid_account(plan: &SimulationPlan) -> Vec<Campaign> {
    vec![owned("valid account", plan, (1, 1_000), (1, 7))]
}

/// Accounts of the attacker's own, addresses; logins and guesses at each address.
fn owned(
    name: &str,
    plan: &SimulationPlan,
    (accounts, addresses): (u32, u64),
    (logins, guesses): (u64, u64),
) -> Campaign {
    let owned = OwnedAccounts {
        accounts,
        addresses,
        logins,
        guesses,
    };
    let choice = (
        AddressChoice::Owned(owned),
        VictimChoice::Any,
        PasswordChoice::Unique,
    );
    Campaign::daily(name, plan, choice)
}

/// Each of five accounts logs in at every address, so that they vouch for one another.
pub(super) fn five_accounts(plan: &SimulationPlan) -> Vec<Campaign> {
    vec![owned("five accounts", plan, (5, 1_000), (5, 15))]
}

/// All guesses from one address, where all five log in.
pub(super) fn five_at_one_address(plan: &SimulationPlan) -> Vec<Campaign> {
    vec![owned("five at one address", plan, (5, 1), (5, 15))]
}

/// Twenty accounts, in pairs at 60 addresses, beside a flood of addresses that come once.
pub(super) fn twenty_accounts(plan: &SimulationPlan) -> Vec<Campaign> {
    let mut campaigns = unique_fresh(plan);
    campaigns.push(owned("twenty accounts", plan, (20, 60), (2, 8)));
    campaigns
}

/// Two guesses at the account of another between a login and the next, to have what they cost given back.
pub(super) fn laundering(plan: &SimulationPlan) -> Vec<Campaign> {
    vec![owned("laundering", plan, (5, 30), (1, 2))]
}

/// Leaked names and passwords: one of a hundred is still right.
pub(super) fn stuffing(plan: &SimulationPlan) -> Vec<Campaign> {
    let with = PasswordChoice::Leaked(1);
    let choice = (AddressChoice::Pool(1 << 30), VictimChoice::Any, with);
    vec![Campaign::daily("stuffing", plan, choice)]
}

/// One customer's lines, another /48 of the same /32 for every try.
pub(super) fn prefixes(plan: &SimulationPlan) -> Vec<Campaign> {
    let choice = (
        AddressChoice::Prefixes,
        VictimChoice::Any,
        PasswordChoice::Unique,
    );
    vec![Campaign::daily("prefixes", plan, choice)]
}

/// 200 addresses that each try the same wrong password all day long.
pub(super) fn oracle(plan: &SimulationPlan) -> Vec<Campaign> {
    let choice = (
        AddressChoice::Pool(200),
        VictimChoice::InTurn,
        PasswordChoice::Always("Immer-Dasselbe-9"),
    );
    vec![Campaign::new("oracle", plan, SECOND * 3, choice)]
}

/// A phone that tries its old password every minute for a week, and a PC that guesses at accounts
/// elsewhere every ten seconds.
pub(super) fn office(plan: &SimulationPlan) -> Vec<Campaign> {
    let choice = (
        AddressChoice::One(people::OFFICE),
        VictimChoice::One(0),
        PasswordChoice::Always("Das-Alte-Kennwort"),
    );
    let phone = Campaign::new("old phone", plan, MINUTE, choice).by_old_phone(DAY * 7);
    let choice = (
        AddressChoice::One(people::OFFICE),
        VictimChoice::Names(0),
        PasswordChoice::Mixed(GuessList::thousand(plan)),
    );
    let infected = Campaign::new("infected PC", plan, SECOND * 10, choice);
    vec![phone, infected]
}

/// The PC guesses at the colleagues.
pub(super) fn inside(plan: &SimulationPlan) -> Vec<Campaign> {
    let choice = (
        AddressChoice::One(people::OFFICE),
        VictimChoice::Below(people::OFFICE_STAFF),
        PasswordChoice::Unique,
    );
    vec![Campaign::new("inside", plan, SECOND * 39, choice)]
}

/// A phone with an old password in a carrier's network, for a fortnight.
pub(super) fn old_phone(plan: &SimulationPlan) -> Vec<Campaign> {
    let mut random = Random::new(plan.seed, "old phone's place");
    let choice = (
        AddressChoice::One(mobile(0, &mut random)),
        VictimChoice::One(0),
        PasswordChoice::Always("Das-Alte-Kennwort"),
    );
    let lasting: Duration = DAY * 14;
    let phone = Campaign::new("roaming phone", plan, MINUTE, choice).by_old_phone(lasting);
    let mut campaigns = pool(plan);
    campaigns.push(phone);
    campaigns
}

/// Ten guesses a second at all accounts, never from the same address twice, in the hour in which people begin to
/// work. More than four turns could check, even if they did nothing else.
pub(super) fn first_week(plan: &SimulationPlan) -> Vec<Campaign> {
    let choice = (
        AddressChoice::Pool(1 << 30),
        VictimChoice::Any,
        PasswordChoice::Unique,
    );
    vec![Campaign::new("first week", plan, SECOND / 10, choice).in_hours(7..8)]
}

/// Where a botnet tries its passwords that does not mind which door opens.
const DOORS: &[Door] = &[
    Door::Own,
    Door::Imap,
    Door::Pop3,
    Door::Sieve,
    Door::Submission,
];

fn over_doors(campaigns: Vec<Campaign>) -> Vec<Campaign> {
    let spread = |campaign: Campaign| campaign.over(DOORS);
    campaigns.into_iter().map(spread).collect()
}

pub(super) fn pool_over_doors(plan: &SimulationPlan) -> Vec<Campaign> {
    over_doors(pool(plan))
}

/// The passwords that are tried most, and names with years.
pub(super) fn words_over_doors(plan: &SimulationPlan) -> Vec<Campaign> {
    let with = PasswordChoice::AnyOf(GuessList::most_frequent());
    let mut campaigns = spray("most frequent", plan, VictimChoice::Any, with);
    campaigns.extend(name_year(plan));
    over_doors(campaigns)
}

pub(super) fn unique_over_doors(plan: &SimulationPlan) -> Vec<Campaign> {
    over_doors(unique_again(plan))
}

pub(super) fn one_account_over_doors(plan: &SimulationPlan) -> Vec<Campaign> {
    over_doors(one_account(plan))
}

/// What waits for a new server: loud ones and a pool.
pub(super) fn install(plan: &SimulationPlan) -> Vec<Campaign> {
    let mut campaigns = loud(plan);
    campaigns.extend(pool(plan));
    campaigns
}
