//! siege - a botnet of many addresses beside users who log in at home, and what the default limits let through at once
//!
//! Not here: what is guessed, and at which doors (the tests).

use std::net::{IpAddr, Ipv4Addr};

use super::mail::NUMBERED;

pub(crate) const ADDRESSES: usize = 2_000;

/// The defaults: burst 100 and one more for ten known users; but for the sixth that is kept for retries.
pub(crate) const STRANGERS: usize = 100 + NUMBERED / 10 - (100 + NUMBERED / 10) / 6;
/// The defaults of the buckets for words and for unknown users, in the same way.
pub(crate) const WORDS: usize = 20 - 20 / 6;
pub(crate) const UNKNOWN: usize = 20 - 20 / 6;
/// Tokens that may come back while the test runs: for a machine on which it takes ten minutes.
pub(crate) const REFILL: usize = 7;

/// Where user `number` logs in.
pub(crate) fn home(number: usize) -> IpAddr {
    let network = u8::try_from(number).expect("few users");
    Ipv4Addr::new(127, 40, network, 1).into()
}

/// The attacking addresses: each in a network of its own, none near to a home.
pub(crate) fn attacker(number: usize) -> IpAddr {
    let (wide, narrow) = (60 + number / 250, number % 250);
    let octet = |value: usize| u8::try_from(value).expect("few addresses");
    Ipv4Addr::new(127, octet(wide), octet(narrow), 1).into()
}
