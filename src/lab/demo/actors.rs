//! actors - the clients of the demo: eight honest users, and a botnet
//!
//! Not here: how they behave in a session (`lab::botnet`).

use std::time::Duration;

use crate::botnet::{self, AttackPlan, BotHabits, HonestPlan, HonestUser, user_address};

/// The people and their passwords.
pub(super) const PEOPLE: [(&str, &str); 8] = [
    ("ann@demo.gatepost.test", "green otter sings"),
    ("bob@demo.gatepost.test", "seven slow trains"),
    ("cleo@demo.gatepost.test", "paper moon harbour"),
    ("dan@demo.gatepost.test", "the kettle is late"),
    ("eve@demo.gatepost.test", "north of the orchard"),
    ("finn@demo.gatepost.test", "copper roof in rain"),
    ("gail@demo.gatepost.test", "borrowed bicycle bell"),
    ("hugo@demo.gatepost.test", "cinnamon for the judge"),
];

/// The account to try by hand.
pub(super) const VISITOR: (&str, &str) = ("visitor@demo.gatepost.test", "walk-in-and-look");

/// Addresses of the botnet; two of them guess more than the others.
pub(super) const BOTS: u32 = 400;
/// Its guesses a second.
pub(super) const GUESSES_A_SECOND: f64 = 40.0;
/// Visits a second of all people together.
const VISITS_A_SECOND: f64 = 2.0;

/// The people, each in their own network.
pub(super) fn people() -> Vec<HonestUser> {
    let person = |(number, (user, password)): (u32, &(&str, &str))| HonestUser {
        user: (*user).to_owned(),
        password: (*password).to_owned(),
        source: user_address(number).into(),
    };
    (0..).zip(&PEOPLE).map(person).collect()
}

/// What the people do in a demo of this length.
pub(super) fn honest(lasting: Duration) -> HonestPlan {
    HonestPlan {
        people: people(),
        visits: u64::MAX,
        rate: VISITS_A_SECOND,
        lasting,
        mistypes_percent: 10,
        mail_octets: 2048,
        at_once: 100,
    }
}

/// What the botnet does in a demo of this length. It knows the people's addresses, as botnets do.
pub(super) fn attack(lasting: Duration) -> AttackPlan {
    let usual = botnet::NAMES.iter().copied();
    let names = usual.chain(PEOPLE.iter().map(|(user, _)| *user));
    AttackPlan {
        names: names.map(ToOwned::to_owned).collect(),
        passwords: botnet::PASSWORDS.iter().map(ToString::to_string).collect(),
        addresses: BOTS,
        guesses: u64::MAX,
        rate: GUESSES_A_SECOND,
        lasting,
        per_session: 3,
        at_once: 300,
        habits: BotHabits {
            loud_percent: 20,
            ..BotHabits::default()
        },
    }
}
