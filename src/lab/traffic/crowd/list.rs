//! list - the crowds, in figures
//!
//! Not here: what the figures mean (`crowd`), what is promised about them (`scenario::list`).

use super::{Accounts, Crowd, CrowdKnowledge, Passwords, Victims};
use crate::traffic::place::CrowdPlace;

/// 300 people whose office has moved behind a new address, and one of ten logins mistyped.
pub(crate) const OFFICE_10: Crowd = Crowd {
    users: 300,
    writers: 300,
    accounts: Accounts::Own,
    place: CrowdPlace::Shared(1),
    mails: 4,
    mistyped: 10,
    arrive: 8..10,
    until: 18,
    known: CrowdKnowledge::Elsewhere,
    passwords: Passwords::Stay,
    old_phones: 0,
    inside: 0,
    machines: 1,
    victims: Victims::Names,
};
pub(crate) const OFFICE_5: Crowd = Crowd {
    mistyped: 5,
    ..OFFICE_10
};
/// Accounts that the server has never seen.
pub(crate) const NEW_STAFF: Crowd = Crowd {
    known: CrowdKnowledge::Unseen,
    ..OFFICE_10
};
pub(crate) const OLD_PHONE: Crowd = Crowd {
    old_phones: 1,
    ..OFFICE_10
};
pub(crate) const OLD_PHONES: Crowd = Crowd {
    old_phones: 15,
    ..OFFICE_10
};
pub(crate) const COMMUTERS: Crowd = Crowd {
    place: CrowdPlace::Commute,
    mails: 6,
    ..OFFICE_10
};
pub(crate) const CONFERENCE: Crowd = Crowd {
    users: 300,
    writers: 200,
    mails: 5,
    arrive: 8..9,
    until: 20,
    ..OFFICE_10
};
pub(crate) const UNIVERSITY_10: Crowd = Crowd {
    users: 4_000,
    writers: 4_000,
    place: CrowdPlace::Shared(4),
    mails: 3,
    arrive: 8..14,
    until: 20,
    ..OFFICE_10
};
pub(crate) const UNIVERSITY_5: Crowd = Crowd {
    mistyped: 5,
    ..UNIVERSITY_10
};
pub(crate) const UNIVERSITY_2: Crowd = Crowd {
    mistyped: 2,
    ..UNIVERSITY_10
};
/// 80 infected phones, 25 guesses a day each.
pub(crate) const CARRIER: Crowd = Crowd {
    users: 500,
    writers: 500,
    place: CrowdPlace::Carrier,
    arrive: 7..20,
    until: 22,
    inside: 80 * 25,
    machines: 80,
    ..OFFICE_10
};
/// The exits are used by guessers too.
pub(crate) const EXITS: Crowd = Crowd {
    users: 200,
    writers: 200,
    place: CrowdPlace::Exits,
    arrive: 7..20,
    until: 22,
    inside: 1_200,
    machines: 12,
    ..OFFICE_10
};
pub(crate) const WEBMAIL: Crowd = Crowd {
    users: 500,
    writers: 500,
    arrive: 7..19,
    until: 22,
    ..OFFICE_10
};
pub(crate) const MOVED: Crowd = Crowd {
    users: 200,
    writers: 200,
    place: CrowdPlace::Company,
    mails: 5,
    arrive: 7..10,
    known: CrowdKnowledge::Nothing,
    ..OFFICE_10
};
pub(crate) const MOVED_LEARNT: Crowd = Crowd {
    known: CrowdKnowledge::Elsewhere,
    ..MOVED
};
pub(crate) const ROTATION: Crowd = Crowd {
    known: CrowdKnowledge::There { newcomers: 0 },
    passwords: Passwords::Change,
    ..OFFICE_10
};
pub(crate) const BREACH: Crowd = Crowd {
    known: CrowdKnowledge::There { newcomers: 0 },
    passwords: Passwords::Change,
    ..MOVED
};
/// 30 people of a company, a hundred letters each in an hour.
pub(crate) const MAIL_MERGE: Crowd = Crowd {
    users: 120,
    writers: 30,
    mails: 100,
    mistyped: 0,
    arrive: 10..11,
    until: 11,
    ..OFFICE_10
};
pub(crate) const SHARED_MAILBOX: Crowd = Crowd {
    users: 120,
    writers: 50,
    accounts: Accounts::Shared,
    known: CrowdKnowledge::There { newcomers: 0 },
    ..OFFICE_10
};
/// A guess every 80 s, from the first morning on.
pub(crate) const GUESSER_INSIDE: Crowd = Crowd {
    inside: 1_080,
    victims: Victims::Colleagues,
    ..OFFICE_10
};
/// The office is known; twenty people are new.
pub(crate) const INFECTED_PC: Crowd = Crowd {
    inside: 1_080,
    known: CrowdKnowledge::There { newcomers: 20 },
    ..OFFICE_10
};
pub(crate) const HOMES: Crowd = Crowd {
    place: CrowdPlace::Apart,
    arrive: 7..12,
    until: 22,
    ..OFFICE_10
};
pub(crate) const IPV6_HOMES: Crowd = Crowd {
    place: CrowdPlace::Prefix,
    known: CrowdKnowledge::There { newcomers: 0 },
    ..HOMES
};
pub(crate) const TRAVELLERS: Crowd = Crowd {
    users: 120,
    writers: 20,
    place: CrowdPlace::Travel,
    arrive: 7..19,
    until: 23,
    ..OFFICE_10
};
