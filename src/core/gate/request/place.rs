//! place - where an address is in the world, as a database of the operator's says; and rules by country
//!
//! A country is a word of two letters here. How it is found is not known here: the daemon reads the database and
//! says with each attempt what it found.
//! Not here: the database (the daemon's `places`), what a rule refuses (`gate::ladder`).
//! ISO 3166-1 alpha-2.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::gate::request::client::NetworkKey;

/// A country, by its two letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

impl Country {
    /// Two letters of ASCII, in any case. None: the text is something else.
    pub fn new(text: &str) -> Option<Self> {
        let letters: [u8; 2] = text.as_bytes().try_into().ok()?;
        let is_code = letters.iter().all(u8::is_ascii_alphabetic);
        is_code.then(|| Self(letters.map(|letter| letter.to_ascii_uppercase())))
    }

    /// The two letters, for the state.
    pub(in crate::gate) const fn letters(self) -> [u8; 2] {
        self.0
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = self.0.map(char::from);
        write!(f, "{first}{second}")
    }
}

/// What is known of the country of an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Located {
    /// No database with countries could be read: no rule by country holds.
    #[default]
    Unasked,
    /// The database does not say.
    Nowhere,
    /// It is here.
    In(Country),
}

impl Located {
    /// The country, if there is one.
    pub const fn country(self) -> Option<Country> {
        match self {
            Self::In(country) => Some(country),
            Self::Unasked | Self::Nowhere => None,
        }
    }
}

/// Whether rules by country hold for a user who is at home in the network of the attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtHome {
    /// Who has logged in from there is let in.
    #[default]
    Spare,
    /// They hold for everybody.
    Refuse,
}

/// By what a network is near one where a user has logged in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NearBy {
    /// Both are in one /16 (or /32).
    Region,
    /// That, or one autonomous system announces both, where a database says so.
    #[default]
    System,
}

/// Who can say which autonomous system announces a network.
pub trait SystemLookup: Send + Sync {
    /// Its number; none: it is not known.
    fn system(&self, network: NetworkKey) -> Option<u32>;
}

/// Rules by place: the section `[places]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlaceRules {
    /// Nobody from elsewhere may; empty: everybody may.
    pub only: Vec<Country>,
    /// Nobody from here may.
    pub deny: Vec<Country>,
    /// Whether they hold where the user is at home.
    pub at_home: AtHome,
    /// Which networks are near a user's own.
    pub near_by: NearBy,
}

impl PlaceRules {
    /// Whether an address that is located so may not log in.
    pub(in crate::gate) fn refuse(&self, located: Located, address: IpAddr) -> bool {
        match located {
            Located::Unasked => false,
            Located::Nowhere => !self.only.is_empty() && !is_private(address),
            Located::In(country) => {
                self.deny.contains(&country)
                    || !self.only.is_empty() && !self.only.contains(&country)
            }
        }
    }
}

/// Whether an address is of this machine or of a network of its own, which no database of the world's addresses lists.
pub(in crate::gate) fn is_private(address: IpAddr) -> bool {
    const CARRIER: [u8; 2] = [100, 64];
    match address {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            let is_carriers = [first, second & 0xc0] == CARRIER;
            v4.is_loopback() || v4.is_private() || v4.is_link_local() || is_carriers
        }
        IpAddr::V6(v6) => v6_is_private(v6),
    }
}

/// A client's IPv6 address is its /64: ::1 is `::` here.
fn v6_is_private(v6: Ipv6Addr) -> bool {
    let is_loopback = v6.segments().iter().take(4).all(|part| *part == 0);
    is_loopback || v6.is_unique_local() || v6.is_unicast_link_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn country(text: &str) -> Country {
        Country::new(text).unwrap()
    }

    #[test]
    fn a_country_is_two_letters_and_nothing_else() {
        assert_eq!(country("de"), country("DE"));
        assert_eq!(country("aT").to_string(), "AT");
        for none in ["", "D", "DEU", "D1", "\u{e4}", "D\n", "--", "Germany"] {
            assert_eq!(Country::new(none), None, "{none:?}");
        }
    }

    #[test]
    fn what_is_not_located_is_refused_by_only_and_not_by_deny() {
        let world: IpAddr = "198.51.100.7".parse().unwrap();
        let only = PlaceRules {
            only: vec![country("DE")],
            ..PlaceRules::default()
        };
        let deny = PlaceRules {
            deny: vec![country("RU")],
            ..PlaceRules::default()
        };
        let checked = |rules: &PlaceRules, located| rules.refuse(located, world);
        assert!(!checked(&only, Located::In(country("DE"))));
        assert!(checked(&only, Located::In(country("AT"))));
        assert!(checked(&only, Located::Nowhere));
        assert!(!checked(&only, Located::Unasked));
        assert!(!checked(&deny, Located::In(country("DE"))));
        assert!(checked(&deny, Located::In(country("RU"))));
        assert!(!checked(&deny, Located::Nowhere));
        assert!(!checked(&PlaceRules::default(), Located::Nowhere));
    }

    #[test]
    fn networks_of_ones_own_are_in_no_country_and_let_in() {
        let only = PlaceRules {
            only: vec![country("DE")],
            ..PlaceRules::default()
        };
        let refused = |text: &str| only.refuse(Located::Nowhere, text.parse().unwrap());
        for own in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.9",
            "172.31.255.1",
            "169.254.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "::",
            "fd00:1::",
            "fe80::",
        ] {
            assert!(!refused(own), "{own}");
        }
        for world in [
            "100.63.255.255",
            "100.128.0.1",
            "172.32.0.1",
            "2001:db8::",
            "8.8.8.8",
        ] {
            assert!(refused(world), "{world}");
        }
        // A database that places such an address is believed.
        assert!(only.refuse(Located::In(country("FR")), "10.1.2.3".parse().unwrap()));
    }
}
