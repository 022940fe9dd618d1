//! place - where the people of a crowd write from, and which addresses they share
//!
//! Each kind has a corner of the networks of its own, apart from those in `people`.
//! Not here: how many come, and when (`crowd`).

use crate::traffic::people::{People, Person, hotel};
use crate::traffic::random::Random;
use gatepost_core::gate::request::client::ClientKey;

/// Where the people of a crowd write from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CrowdPlace {
    /// So many addresses side by side, any of them at each login: an office, a conference, a university.
    Shared(u32),
    /// At home, by phone on the way, and then behind one shared address.
    Commute,
    /// A mobile carrier that has 64 addresses in each of 64 networks for all its phones, and gives each phone one
    /// of them for a day (RFC 4787, REQ-2).
    Carrier,
    /// Twelve exits of a VPN in three networks, any of them at each login.
    Exits,
    /// At home and by phone, each on lines of their own.
    Apart,
    /// At home, in IPv6: another /56 of the provider every day.
    Prefix,
    /// At home, by phone, thirty in one office, and every tenth mail in a hotel.
    Company,
    /// A hotel's line, another every day, and by phone abroad.
    Travel,
}

/// Those of a company who have a desk in its office.
const DESKS: u32 = 30;

impl CrowdPlace {
    /// Where this mail of a day is sent from. `line` is one number for all mails of the writer in the day.
    pub(crate) fn client(
        self,
        writer: u32,
        person: &Person,
        mail: u32,
        line: u64,
        random: &mut Random,
    ) -> ClientKey {
        match (self, mail) {
            (Self::Shared(_) | Self::Exits, _) => self.any(random),
            (Self::Carrier, _) => self.any(&mut Random::new(line, "carrier")),
            (Self::Commute | Self::Apart | Self::Company, 0) => person.home,
            (Self::Commute | Self::Apart | Self::Company, 1) => person.phone(random),
            (Self::Commute, _) => Self::Shared(1).any(random),
            (Self::Apart, _) => person.home,
            (Self::Company, _) if random.happens(10) => hotel(random),
            (Self::Company, _) if writer < DESKS => Self::Shared(1).any(random),
            (Self::Company, _) => person.home,
            (Self::Prefix, _) => prefix(line),
            (Self::Travel, mail) if mail % 2 == 1 => abroad(line),
            (Self::Travel, _) => hotel(&mut Random::new(line, "hotel")),
        }
    }

    /// Any of its shared addresses; the one address of a place that has but one.
    pub(crate) fn any(self, random: &mut Random) -> ClientKey {
        let among = |first: u32, count: u32, random: &mut Random| {
            ClientKey::V4(first + random.below(u64::from(count)) as u32)
        };
        match self {
            Self::Shared(count) => among(41 << 24 | 1 << 16 | 1 << 8 | 1, count, random),
            Self::Carrier => {
                let (network, address) = (random.below(64) as u32, random.below(64) as u32);
                ClientKey::V4(30 << 24 | (100 + network) << 8 | address)
            }
            Self::Exits => {
                let exit = random.below(12) as u32;
                ClientKey::V4(42 << 24 | (exit % 3) << 16 | (9 + exit / 3))
            }
            _ => Self::Shared(1).any(random),
        }
    }

    /// Where the machine of this number guesses from on a day: a phone and a tunnel keep their address.
    pub(crate) fn of_guesser(self, machine: u64, day: u64) -> ClientKey {
        self.any(&mut Random::new(machine << 32 | day, "guesser"))
    }

    /// Every kind of address that a writer used before, where they are known there.
    pub(crate) fn all_of(
        self,
        writer: u32,
        people: &People,
        random: &mut Random,
    ) -> Vec<ClientKey> {
        let Some(person) = people.person(writer) else {
            return Vec::new();
        };
        match self {
            Self::Shared(_) | Self::Commute => vec![self.any(random)],
            Self::Company if writer < DESKS => vec![self.any(random)],
            Self::Prefix => vec![prefix(random.draw())],
            Self::Apart => vec![person.home, person.phone(random)],
            _ => Vec::new(),
        }
    }
}

/// A /56 of an access provider; the client writes from one of its /64s.
fn prefix(line: u64) -> ClientKey {
    ClientKey::V6(0x2a02_0077_u64 << 32 | (line & 0x00ff_ffff) << 8 | 1)
}

fn abroad(line: u64) -> ClientKey {
    crate::traffic::people::abroad(&mut Random::new(line, "abroad"))
}
