//! people - the users of the simulated server: names, right passwords, and their networks
//!
//! Addresses are plain numbers here, and each kind of place has its own corner of them: homes in
//! 20.0.0.0/8, phones in 30.0.0.0/8 and 2a01::/16 or, of large carriers, in 31.0.0.0/8, one office, hotels, webmail, clouds, and the attackers'
//! in the upper half. No user shares a /24 with an attacker, unless a scenario says so.
//! Not here: what people do all day (`honest`).

use crate::traffic::dictionary::Dictionary;
use crate::traffic::random::Random;
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::client::{ClientKey, NetworkKey};
use gatepost_core::gate::request::place::SystemLookup;
use gatepost_core::moment::Moment;

/// Users of one office, if there are so many.
pub(crate) const OFFICE_STAFF: u32 = 50;
/// Mobile carriers.
const MOBILE: u32 = 4;
/// /16s of a large one, and parts of a country that have some of them each.
const REGIONS: u32 = 64;
const PARTS: u32 = 16;
/// People of one access provider, and so of one /16.
const PER_PROVIDER: usize = 500;

/// One user.
#[derive(Debug)]
pub(crate) struct Person {
    /// The login name.
    pub(crate) name: UserName,
    /// The first name: attackers try it with a year.
    pub(crate) first: &'static str,
    /// The right password.
    pub(crate) password: String,
    /// The one before: right until it was changed, if that happens at all.
    pub(crate) former: String,
    /// The line at home.
    pub(crate) home: ClientKey,
    /// The carrier of the phone.
    carrier: u32,
    /// Which of sixteen parts of a large carrier's network is the one at home.
    part: u32,
}

/// All users.
#[derive(Debug)]
pub(crate) struct People {
    persons: Vec<Person>,
}

/// What kind of passwords people have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PasswordStrength {
    /// Each their own, in no dictionary.
    Strong,
    /// Words followed by a year.
    Weak,
    /// The one or the other: so many of a hundred are weak.
    Mixed(u32),
}

impl People {
    /// So many people, each with a name, a password and a home of their own.
    pub(crate) fn new(mailboxes: usize, passwords: PasswordStrength, seed: u64) -> Self {
        let mut random = Random::new(seed, "people");
        let words = Dictionary::new(400, 100, seed ^ 1);
        let providers = 4 + mailboxes / PER_PROVIDER;
        let weak_password =
            |random: &mut Random| words.password(2 * random.index(200) + 1).to_owned();
        let persons = (0..mailboxes).map(|n| {
            let password = match passwords {
                PasswordStrength::Mixed(weak) if random.happens(weak) => weak_password(&mut random),
                PasswordStrength::Strong | PasswordStrength::Mixed(_) => {
                    format!("{}-{}", random.word(6), random.below(100))
                }
                PasswordStrength::Weak => weak_password(&mut random),
            };
            let (provider, line) = (n % providers, n / providers);
            let home = 20 << 24
                | (provider as u32 & 0xff) << 16
                | (1 + line as u32 % 250) << 8
                | (10 + line as u32 / 250 % 200);
            Person {
                name: name(n),
                first: FIRST.get(n % FIRST.len()).copied().unwrap_or("anna"),
                former: password.chars().rev().collect(),
                password,
                home: ClientKey::V4(home),
                carrier: n as u32 % MOBILE,
                part: n as u32 / MOBILE % PARTS,
            }
        });
        Self {
            persons: persons.collect(),
        }
    }

    /// How many.
    pub(crate) fn count(&self) -> u32 {
        self.persons.len() as u32
    }

    /// One of them.
    pub(crate) fn person(&self, number: u32) -> Option<&Person> {
        self.persons.get(number as usize)
    }

    /// All of them, numbered.
    pub(crate) fn all(&self) -> impl Iterator<Item = (u32, &Person)> {
        (0..).zip(&self.persons)
    }

    /// Those who work in the office.
    pub(crate) fn staff(&self) -> u32 {
        self.count().min(OFFICE_STAFF)
    }
}

impl Person {
    /// The password that is right at `now`, if all were changed at `change`.
    pub(crate) fn right(&self, change: Option<Moment>, now: Moment) -> &str {
        match change.is_some_and(|change| now < change) {
            true => &self.former,
            false => &self.password,
        }
    }

    /// The phone's address, somewhere in its carrier's network.
    pub(crate) fn phone(&self, random: &mut Random) -> ClientKey {
        mobile(self.carrier, random)
    }

    /// The phone's address at home, where its carrier is a large one: in one of four /16s.
    pub(crate) fn phone_at_home(&self, random: &mut Random) -> ClientKey {
        let few = REGIONS / PARTS;
        let region = self.part * few + random.below(u64::from(few)) as u32;
        of_large_carrier(self.carrier, region, random)
    }

    /// The same phone somewhere else in the country.
    pub(crate) fn phone_on_the_way(&self, random: &mut Random) -> ClientKey {
        let region = random.below(u64::from(REGIONS)) as u32;
        of_large_carrier(self.carrier, region, random)
    }
}

/// Any address of any large carrier.
pub(crate) fn any_of_large_carriers(random: &mut Random) -> ClientKey {
    ClientKey::V4(31 << 24 | random.below(1 << 24) as u32)
}

fn of_large_carrier(carrier: u32, region: u32, random: &mut Random) -> ClientKey {
    let host = random.below(1 << 16) as u32;
    ClientKey::V4(31 << 24 | (carrier * REGIONS + region) << 16 | host)
}

/// The autonomous systems of the large carriers, one each; of no other network.
#[derive(Debug)]
pub(crate) struct CarrierSystems;

impl SystemLookup for CarrierSystems {
    fn system(&self, network: NetworkKey) -> Option<u32> {
        match network {
            NetworkKey::V4(bits) if bits >> 24 == 31 => Some(64_500 + (bits >> 22 & 3)),
            NetworkKey::V4(_) | NetworkKey::V6(_) => None,
        }
    }
}

/// A phone somewhere in the network of the carrier with this number: every second speaks IPv6.
pub(crate) fn mobile(carrier: u32, random: &mut Random) -> ClientKey {
    let carrier = carrier % MOBILE;
    if carrier.is_multiple_of(2) {
        let host = random.below(1 << 16) as u32;
        ClientKey::V4(30 << 24 | carrier << 16 | host)
    } else {
        let region = 0x2a01_0000_u64 | u64::from(carrier);
        ClientKey::V6(region << 32 | random.below(1 << 32))
    }
}

/// The office's one address.
pub(crate) const OFFICE: ClientKey = ClientKey::V4(40 << 24 | 1 << 16 | 1 << 8 | 1);
/// The webmail host.
pub(crate) const WEBMAIL: ClientKey = ClientKey::V4(45 << 24 | 1 << 16 | 1 << 8 | 1);

/// A hotel's line, anywhere.
pub(crate) fn hotel(random: &mut Random) -> ClientKey {
    ClientKey::V4(50 << 24 | random.below(10 << 24) as u32)
}

/// A foreign carrier.
pub(crate) fn abroad(random: &mut Random) -> ClientKey {
    ClientKey::V4(60 << 24 | random.below(10 << 24) as u32)
}

/// One machine of a cloud that a mailer sends from: 6 /16s with 60 /24s each.
pub(crate) fn cloud(random: &mut Random) -> ClientKey {
    let (region, network) = (random.below(6) as u32, random.below(60) as u32);
    ClientKey::V4(80 << 24 | region << 16 | network << 8 | random.below(250) as u32)
}

/// Any /64 in any /48 of an attacker's IPv6 /32.
pub(crate) fn prefix(random: &mut Random) -> ClientKey {
    ClientKey::V6(0x2a0f_0666_u64 << 32 | random.below(1 << 32))
}

/// The `n`th of the attackers' addresses: no two alike in the first 2^30, scattered over all networks.
pub(crate) fn bot(n: u64) -> ClientKey {
    let scattered = (n as u32).wrapping_mul(0x9e37_79b1) & 0x3fff_ffff;
    ClientKey::V4(0x8000_0000 | scattered)
}

/// The `n`th address of one hostile /24.
pub(crate) fn neighbour(n: u64) -> ClientKey {
    ClientKey::V4(0xc000_0201 + (n % 250) as u32)
}

/// The account of this number.
fn name(n: usize) -> UserName {
    let first = FIRST.get(n % FIRST.len()).copied().unwrap_or_default();
    let last = LAST
        .get(n / FIRST.len() % LAST.len())
        .copied()
        .unwrap_or_default();
    let more = match n / (FIRST.len() * LAST.len()) {
        0 => String::new(),
        more => more.to_string(),
    };
    UserName::new(format!("{first}.{last}{more}@example.org").into_bytes())
}

#[rustfmt::skip]
const FIRST: [&str; 40] = [
    "anna", "bernd", "clara", "david", "elena", "frank", "greta", "hanno", "irene", "jonas",
    "karin", "lukas", "maria", "niels", "olivia", "peter", "quirin", "rosa", "stefan", "tanja",
    "ulrich", "vera", "walter", "xaver", "yasmin", "zeno", "astrid", "bruno", "carmen", "dieter",
    "emilia", "felix", "gudrun", "holger", "ingrid", "julian", "katrin", "lorenz", "monika", "norbert",
];
#[rustfmt::skip]
const LAST: [&str; 25] = [
    "meier", "schulz", "weber", "fischer", "becker", "hoffmann", "koch", "richter", "klein", "wolf",
    "neumann", "braun", "zimmer", "hartmann", "lange", "krause", "lehmann", "huber", "kaiser", "fuchs",
    "peters", "scholz", "vogel", "keller", "frank",
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ten_thousand_people_have_names_passwords_and_homes_of_their_own() {
        let people = People::new(10_000, PasswordStrength::Strong, 1);
        let distinct = |of: &dyn Fn(&Person) -> String| {
            let all: HashSet<String> = people.all().map(|(_, person)| of(person)).collect();
            all.len()
        };
        assert_eq!(distinct(&|person| person.name.to_string()), 10_000);
        assert_eq!(distinct(&|person| person.password.clone()), 10_000);
        assert_eq!(distinct(&|person| person.home.to_string()), 10_000);
    }

    #[test]
    fn a_million_bots_have_an_address_each() {
        let all: HashSet<ClientKey> = (0..1_000_000).map(bot).collect();
        assert_eq!(all.len(), 1_000_000);
    }
}
