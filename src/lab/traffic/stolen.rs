//! stolen - honest people on their ways, and thieves who have a right password, and which of them the gate tells of
//!
//! All logins are valid. What differs is from where they come, and whether a database says where that is. No mail program keeps tickets: with
//! tickets fewer places are new. Each autonomous system has 64 /16s here; what it is for follows from its number.
//! Not here: guesses (`campaign`), what is counted (`gate::trust::new_places`).

use std::time::Duration;

use serde::Serialize;

use crate::traffic::random::Random;
use crate::traffic::{DAY, HOUR, START};
use gatepost_core::gate::permit::Verdict;
use gatepost_core::gate::queue::QueueClass;
use gatepost_core::gate::request::attempt::{AuthAttempt, AuthOutcome, Password, Secret, UserName};
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::doors::Door;
use gatepost_core::gate::request::place::{Country, Located};
use gatepost_core::gate::request::settings::GateSettings;
use gatepost_core::gate::{Gate, Keys};
use gatepost_core::moment::Moment;

/// Times that a phone gets another address in a day, and /16s of its carrier.
const ATTACHES: u32 = 6;
const CARRIERS: u64 = 24;
/// Countries in the world of this model.
const COUNTRIES: u64 = 90;
/// The first of the systems of each kind.
const LINES: u64 = 1;
const MOBILE: u64 = 100;
const WIFI: u64 = 200;
const VPN: u64 = 500;
const CLOUD: u64 = 600;
/// Exits of a VPN, and the countries where they are.
const EXITS: u64 = 60;
const EXIT_COUNTRIES: u64 = 30;

/// Who logs in, and from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WayOfLife {
    /// At home on a line that has another /16 every day, and by phone.
    Home,
    /// The same, and every month one of ten goes on a journey of four days, one in six of them through a country each day.
    Traveller,
    /// A phone with a foreign carrier's card all month.
    Roamer,
    /// A VPN with another exit every day.
    Vpn,
    /// A program at a cloud host that has 60 /16s in five countries.
    Cloud,
    /// A VPN with another exit at each login.
    Hopper,
    /// A mailbox that twenty people in five countries use at home and by phone.
    Team,
    /// A thief logs in so many times a day, each time from any network of the world.
    Stolen(u32),
}

/// What came of the people of one way of life.
#[derive(Clone, Debug, Serialize)]
pub struct SuspicionTally {
    /// Which.
    pub way: WayOfLife,
    /// How many.
    pub users: u32,
    /// Of how many of them it was told at least once.
    pub told: u32,
    /// Of the thieves that were told of: their logins until the first time, the median and the most.
    pub logins: Option<(u32, u32)>,
    /// And the hours.
    pub hours: Option<(u32, u32)>,
}

/// Whether a database says where an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceKnowledge {
    /// Country and system.
    Database,
    /// None is there.
    Nothing,
}

struct Spot {
    client: ClientKey,
    system: u64,
    country: u64,
}

struct PlacedLogin {
    at: Moment,
    user: usize,
    spot: Spot,
    is_thief: bool,
}

/// What a thief has done with one account.
#[derive(Clone, Debug, Default)]
struct Theft {
    logins: u32,
    first: Option<Moment>,
    is_told: bool,
}

/// Plays `users` of this way of life for so many days.
pub fn play(
    way: WayOfLife,
    users: u32,
    days: u32,
    knowledge: PlaceKnowledge,
    seed: u64,
) -> SuspicionTally {
    let names: Vec<UserName> = (0..users)
        .map(|n| UserName::new(format!("user{n}@example.org").into_bytes()))
        .collect();
    let gate = Gate::new(GateSettings::default(), KEYS, START - DAY * 8);
    gate.finish_settling();
    let mut visits = Vec::new();
    for (user, name) in names.iter().enumerate() {
        let mut random = Random::new(seed ^ (user as u64) << 8, "stolen");
        for past in past(way, user as u64, &mut random) {
            let when = START - DAY * 2;
            gate.learn(name, past.client, when, START, &mut Vec::new());
        }
        for day in 0..days {
            live(way, (user, day), &mut random, &mut visits);
        }
    }
    visits.sort_by_key(|visit| visit.at);
    watch(way, &gate, &names, &visits, knowledge)
}

const KEYS: Keys = Keys {
    users: [1; 16],
    passwords: [2; 16],
    table: [3; 16],
};

fn watch(
    way: WayOfLife,
    gate: &Gate,
    names: &[UserName],
    visits: &[PlacedLogin],
    knowledge: PlaceKnowledge,
) -> SuspicionTally {
    let secret = Secret::new(b"Korrekt-Pferd-Batterie".to_vec());
    let mut thefts = vec![Theft::default(); names.len()];
    let (mut told, mut swept) = (0, START);
    let (mut logins, mut hours) = (Vec::new(), Vec::new());
    for visit in visits {
        let mut changes = Vec::new();
        if visit.at.since(swept) >= HOUR {
            swept = visit.at;
            gate.tick(swept, &mut changes);
        }
        let Some((name, theft)) = names.get(visit.user).zip(thefts.get_mut(visit.user)) else {
            continue;
        };
        if visit.is_thief {
            theft.logins += 1;
            theft.first.get_or_insert(visit.at);
        }
        let attempt = attempt(visit, name, &secret, knowledge);
        let class = QueueClass::Ordinary;
        let Verdict::Allow(permit) = gate.judge_in_turn(&attempt, class, visit.at, &mut changes)
        else {
            continue;
        };
        let settled = gate.settle(permit, AuthOutcome::Accept, visit.at, &mut changes);
        if settled.suspicion.is_some() && !theft.is_told {
            theft.is_told = true;
            told += 1;
            logins.push(theft.logins);
            let since = theft.first.map_or(Duration::ZERO, |at| visit.at.since(at));
            hours.push((since.as_secs() / 3600) as u32);
        }
    }
    SuspicionTally {
        way,
        users: names.len() as u32,
        told,
        logins: middle_and_most(logins),
        hours: middle_and_most(hours),
    }
}

fn middle_and_most(mut numbers: Vec<u32>) -> Option<(u32, u32)> {
    numbers.sort_unstable();
    let middle = numbers.get(numbers.len() / 2)?;
    Some((*middle, *numbers.last()?))
}

fn attempt<'a>(
    visit: &PlacedLogin,
    user: &'a UserName,
    secret: &'a Secret,
    knowledge: PlaceKnowledge,
) -> AuthAttempt<'a> {
    let (country, system) = match knowledge {
        PlaceKnowledge::Nothing => (Located::default(), None),
        PlaceKnowledge::Database => (
            country(visit.spot.country).map_or(Located::Nowhere, Located::In),
            u32::try_from(visit.spot.system).ok(),
        ),
    };
    AuthAttempt {
        session: 1,
        client: visit.spot.client,
        user,
        password: Password::Shown(secret),
        door: Door::Own,
        device: None,
        country,
        system,
    }
}

fn country(number: u64) -> Option<Country> {
    let letter = |number: u64| char::from(b'A' + (number % 26) as u8);
    Country::new(&format!("{}{}", letter(number / 26), letter(number)))
}

/// Any address of one of the first so many /16s of a system.
fn spot(system: u64, regions: u64, country: u64, random: &mut Random) -> Spot {
    let region = system * 64 + random.below(regions);
    let host = random.below(1 << 16);
    Spot {
        client: ClientKey::V4((region << 16 | host) as u32),
        system,
        country,
    }
}

fn line(user: u64, country: u64, random: &mut Random) -> Spot {
    spot(LINES + country * 4 % 90 + user % 4, 12, country, random)
}

fn phone(country: u64, random: &mut Random) -> Spot {
    spot(MOBILE + country, CARRIERS, country, random)
}

/// A hotel, a café, a train, an airport: any of four providers of the country.
fn wifi(country: u64, random: &mut Random) -> Spot {
    let provider = random.below(3);
    spot(WIFI + country + COUNTRIES * provider, 40, country, random)
}

fn exit(random: &mut Random) -> Spot {
    let number = random.below(EXITS);
    spot(
        VPN + number % 12,
        1 + number / 12,
        number % EXIT_COUNTRIES,
        random,
    )
}

fn cloud(random: &mut Random) -> Spot {
    let country = random.below(5);
    spot(CLOUD, 60, country, random)
}

/// Where they had logged in before.
fn past(way: WayOfLife, user: u64, random: &mut Random) -> Vec<Spot> {
    let mut past = vec![line(user, 0, random)];
    past.extend((0..3).map(|_| phone(0, random)));
    if way == WayOfLife::Team {
        past.extend((0..20).map(|member| line(member, member % 5, random)));
        past.extend((0..20).map(|member| phone(member % 5, random)));
    }
    past
}

/// One day.
fn live(
    way: WayOfLife,
    (user, day): (usize, u32),
    random: &mut Random,
    visits: &mut Vec<PlacedLogin>,
) {
    let mut spots: Vec<Spot> = (0..ATTACHES).map(|_| phone(0, random)).collect();
    spots.push(line(user as u64, 0, random));
    match way {
        WayOfLife::Home => {}
        WayOfLife::Traveller => travel((user as u64, day), &mut spots, random),
        WayOfLife::Roamer => {
            let abroad = 1 + user as u64 % (COUNTRIES - 1);
            spots = (0..ATTACHES).map(|_| phone(abroad, random)).collect();
        }
        WayOfLife::Vpn => spots.push(exit(random)),
        WayOfLife::Hopper => spots.extend((0..6).map(|_| exit(random))),
        WayOfLife::Cloud => spots.extend((0..10).map(|_| cloud(random))),
        WayOfLife::Team => {
            spots = (0..20)
                .map(|member| line(member, member % 5, random))
                .collect();
            spots.extend((0..20 * ATTACHES).map(|n| phone(u64::from(n) % 5, random)));
        }
        WayOfLife::Stolen(logins) => {
            let stolen = (0..logins).map(|_| {
                let system = random.below(1000);
                let spot = spot(system, 64, system % COUNTRIES, random);
                (spot, true)
            });
            let stolen: Vec<_> = stolen.collect();
            add(stolen, (user, day), random, visits);
        }
    }
    let own = spots.into_iter().map(|spot| (spot, false)).collect();
    add(own, (user, day), random, visits);
}

/// A journey of four days, on the days that are this user's.
fn travel((user, day): (u64, u32), spots: &mut Vec<Spot>, random: &mut Random) {
    let month = u64::from(day) / 30;
    let mut fate = Random::new(user << 16 | month, "journey");
    let (goes, tours, begins) = (fate.happens(10), fate.below(6) == 0, fate.below(26));
    let Some(of_journey) = (u64::from(day) % 30)
        .checked_sub(begins)
        .filter(|n| *n < 4 && goes)
    else {
        return;
    };
    let country = |stop: u64| 1 + (user * 7 + stop * 13) % (COUNTRIES - 1);
    let here = country(if tours { of_journey } else { 0 });
    spots.clear();
    if of_journey == 0 {
        // By way of a third country, in half of the cases.
        spots.extend([line(user, 0, random), wifi(0, random)]);
        spots.extend(fate.happens(50).then(|| wifi(country(40), random)));
    } else if tours {
        spots.push(wifi(country(of_journey - 1), random));
    }
    let attaches = 0..ATTACHES;
    match fate.happens(50) {
        // A card of the country; else the own carrier's addresses wherever the phone is.
        true => spots.extend(attaches.map(|_| phone(here, random))),
        false => spots.extend(attaches.map(|_| phone(0, random))),
    }
    // The hotel, and where they go.
    spots.extend((0..1 + random.below(2)).map(|_| wifi(here, random)));
}

/// Some time in the day, in the order of `spots`.
fn add(
    spots: Vec<(Spot, bool)>,
    (user, day): (usize, u32),
    random: &mut Random,
    visits: &mut Vec<PlacedLogin>,
) {
    let begin = START + DAY * day;
    let step = DAY / (spots.len() as u32 + 1);
    for (n, (spot, is_thief)) in spots.into_iter().enumerate() {
        let at = begin + step * n as u32 + random.between(Duration::ZERO, step);
        visits.push(PlacedLogin {
            at,
            user,
            spot,
            is_thief,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_told_of_for_a_phone_and_a_line_that_change_their_networks() {
        for way in [WayOfLife::Home, WayOfLife::Roamer, WayOfLife::Vpn] {
            for knowledge in [PlaceKnowledge::Database, PlaceKnowledge::Nothing] {
                assert_eq!(play(way, 30, 8, knowledge, 1).told, 0, "{way:?}");
            }
        }
    }

    #[test]
    fn an_account_that_is_used_from_everywhere_is_told_of_after_a_few_logins() {
        for (knowledge, most) in [
            (PlaceKnowledge::Database, 12),
            (PlaceKnowledge::Nothing, 16),
        ] {
            let told = play(WayOfLife::Stolen(200), 20, 2, knowledge, 1);
            assert_eq!(told.told, 20, "each account once");
            let (_, logins) = told.logins.unwrap();
            assert!(logins <= most, "{told:?}");
        }
    }
}
