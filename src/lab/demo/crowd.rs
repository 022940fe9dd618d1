//! crowd - who comes to the demo: eight people, and a botnet
//!
//! Not here: how they behave in a session (`lab::botnet`).

use std::time::Duration;

use crate::botnet::{self, Attack, Habits, Honest, Person, person_address};

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

/// The account for whoever tries by hand.
pub(super) const VISITOR: (&str, &str) = ("visitor@demo.gatepost.test", "walk-in-and-look");

/// Addresses of the botnet, two of them loud.
pub(super) const BOTS: u32 = 400;
/// Its guesses a second.
pub(super) const GUESSES_A_SECOND: f64 = 40.0;
/// Visits a second of all people together.
const VISITS_A_SECOND: f64 = 2.0;

/// The people, each in a network of his own.
pub(super) fn people() -> Vec<Person> {
    let person = |(number, (user, password)): (u32, &(&str, &str))| Person {
        user: (*user).to_owned(),
        password: (*password).to_owned(),
        source: person_address(number).into(),
    };
    (0..).zip(&PEOPLE).map(person).collect()
}

/// What the people do in a demo of this length.
pub(super) fn honest(lasting: Duration) -> Honest {
    Honest {
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
pub(super) fn attack(lasting: Duration) -> Attack {
    let usual = botnet::NAMES.iter().copied();
    let names = usual.chain(PEOPLE.iter().map(|(user, _)| *user));
    Attack {
        names: names.map(ToOwned::to_owned).collect(),
        passwords: botnet::PASSWORDS.iter().map(ToString::to_string).collect(),
        addresses: BOTS,
        guesses: u64::MAX,
        rate: GUESSES_A_SECOND,
        lasting,
        per_session: 3,
        at_once: 300,
        habits: Habits {
            loud_percent: 20,
            ..Habits::default()
        },
    }
}
