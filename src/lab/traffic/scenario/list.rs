//! list - all scenarios, in the order in which they are shown
//!
//! Not here: what they consist of (`scenario`).

use super::attacks::*;
use super::*;
use Promise::{
    Bound, Home, Near, Nobody, OldPhones, Restarts, Retry, SettlingBound, Travellers,
    TravellersThen,
};

const fn scenario(
    name: &'static str,
    about: &'static str,
    attack: fn(&SimulationPlan) -> Vec<Campaign>,
    life: Surroundings,
    promises: &'static [Promise],
) -> Scenario {
    Scenario {
        name,
        about,
        promises,
        attack,
        life,
    }
}

/// All scenarios.
#[rustfmt::skip]
pub const SCENARIOS: &[Scenario] = &[
    scenario("calm", "no attack; people roam, mistype and travel",
        no_campaign, Surroundings::Ordinary, &[Bound, Nobody]),
    scenario("loud", "three addresses, a try every 22, 39 and 118 s",
        loud, Surroundings::Ordinary, &[Bound, Home, Near, Travellers]),
    scenario("hammer", "one address, a try every 3 s, while a pool keeps all shared buckets empty",
        hammer, Surroundings::Ordinary, &[Bound, Home, Near, TravellersThen]),
    scenario("swarm", "250 neighbours in one /24, one or two tries an hour each",
        swarm, Surroundings::Ordinary, &[Bound, Home, Near, Travellers]),
    scenario("pool-10k", "a pool of addresses; usual names and real accounts, words, names with years, unique passwords",
        pool, Surroundings::Ordinary, &[Bound, Home, Near, Travellers]),
    scenario("pool-1m", "a million addresses, a try each in 30 days, a dictionary of 20,000",
        pool_of_a_million, Surroundings::Ordinary, &[Bound, Home, Near]),
    scenario("spray-rows-1k", "a dictionary of 1,000, word by word over all accounts",
        spray_rows_1k, Surroundings::Ordinary, &[Bound, Home, Near, Travellers]),
    scenario("spray-rows-20k", "a dictionary of 20,000, half of it in no list, word by word",
        spray_rows_20k, Surroundings::Ordinary, &[Bound, Home, Near, Travellers]),
    scenario("spray-any-1k", "the dictionary of 1,000 in random order",
        spray_any_1k, Surroundings::Ordinary, &[Bound, Home, Near, Travellers]),
    scenario("spray-any-20k", "the dictionary of 20,000 in random order",
        spray_any_20k, Surroundings::Ordinary, &[Bound, Home, Near, TravellersThen]),
    scenario("name-year", "the account's name and a year",
        name_year, Surroundings::Ordinary, &[Bound, Home, Near, Travellers]),
    scenario("unique", "never the same password twice, over all accounts",
        unique, Surroundings::Ordinary, &[Bound, Home, Near, TravellersThen]),
    scenario("unique-fresh", "the same, and never the same address twice",
        unique_fresh, Surroundings::Ordinary, &[Bound, Home, Near]),
    scenario("hidden", "unique passwords by SCRAM, which shows none of them",
        hidden, Surroundings::Ordinary, &[Bound, Home, Near, Travellers]),
    scenario("one-account", "all addresses of the pool at one account",
        one_account, Surroundings::Ordinary, &[Bound, Home, Near, TravellersThen]),
    scenario("patient", "24 addresses, a try each whenever their own bucket allows one",
        patient, Surroundings::Ordinary, &[Bound, Home, Near, Travellers]),
    scenario("patient-owner", "two such addresses at one account",
        patient_owner, Surroundings::Ordinary, &[Bound, Home, Near, Travellers]),
    scenario("sim-card", "one SIM card in the users' carrier, another address for every try",
        sim_card, Surroundings::Ordinary, &[Bound, Home]),
    scenario("valid-account", "the holder of one account logs in from 1,000 /16s and guesses from there",
        valid_account, Surroundings::Ordinary, &[Bound, Home, Near]),
    scenario("oracle", "200 addresses that repeat the same wrong password all day",
        oracle, Surroundings::Ordinary, &[Bound, Home, Near]),
    scenario("office", "50 people, a forgotten phone and an infected PC behind one address",
        office, Surroundings::Office, &[Bound, Nobody, OldPhones]),
    scenario("inside", "the infected PC guesses at its 50 colleagues",
        inside, Surroundings::Office, &[Bound]),
    scenario("old-phone", "a phone with an old password in a carrier's network, beside the pool",
        old_phone, Surroundings::Ordinary, &[Bound, Home, Near, Travellers, OldPhones]),
    scenario("weak", "the spray in random order, and all users have words for passwords",
        spray_any_20k, Surroundings::WeakPasswords, &[Bound, Home]),
    scenario("webmail", "all users also write from a webmail host, beside the pool",
        pool, Surroundings::Webmail, &[Bound, Home]),
    scenario("webmail-listed", "the same, with the host in networks.allow",
        pool, Surroundings::ListedWebmail, &[Bound, Home, Near, Travellers]),
    scenario("cloud", "a program in a cloud sends as one user from 360 networks, beside the pool",
        pool, Surroundings::Cloud, &[Bound, Home]),
    scenario("install", "nothing is known: the first days, with the pool and three loud addresses",
        install, Surroundings::Install, &[SettlingBound, Nobody]),
    scenario("first-week", "nothing is known, and in the morning a botnet tries ten new passwords a second from new addresses",
        first_week, Surroundings::Install, &[SettlingBound, Retry]),
    scenario("install-learnt", "the same after `gatepost learn`",
        install, Surroundings::InstallLearnt, &[Bound, Nobody]),
    scenario("outage", "Dovecot fails for an hour a day, beside the pool",
        pool, Surroundings::FailingDovecot, &[Bound, Home]),
    scenario("restart", "a restart and a kill -9 a day, beside the pool and three loud addresses",
        install, Surroundings::Restarts, &[Bound, Home, Near, Travellers, Restarts]),
];
