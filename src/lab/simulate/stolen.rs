//! stolen - of which honest people and of which thieves the gate tells, as a table: `gatepost simulate --stolen`
//!
//! Not here: who they are (`traffic::stolen`).

use std::io::{self, Write};

use crate::numbers::thousands;
use crate::table::{Align, Style, render};
use crate::traffic::stolen::{PlaceKnowledge, SuspicionTally, WayOfLife, play};

/// Honest people of each way of life, and stolen accounts of each kind.
const USERS: u32 = 1_000;
const ACCOUNTS: u32 = 100;
const TEAMS: u32 = 10;
/// Days, which is a month.
const DAYS: u32 = 30;
/// So many of 1,000 honest users may be told of in a month.
const MOST_FALSE: u32 = 1;

/// The ways of life, with words for them, and whether a promise is made.
const WAYS: [(WayOfLife, &str, bool); 10] = [
    (
        WayOfLife::Home,
        "a line with another /16 a day, and a phone",
        true,
    ),
    (
        WayOfLife::Traveller,
        "the same; one of ten travels for four days",
        true,
    ),
    (
        WayOfLife::Roamer,
        "a phone with a foreign card all month",
        true,
    ),
    (WayOfLife::Vpn, "another exit of a VPN every day", true),
    (
        WayOfLife::Cloud,
        "a program at a cloud host with 60 /16s",
        true,
    ),
    (
        WayOfLife::Hopper,
        "another exit of a VPN at each login",
        false,
    ),
    (
        WayOfLife::Team,
        "a mailbox of twenty people in five countries",
        false,
    ),
    (
        WayOfLife::Stolen(200),
        "STOLEN, used 200 times a day",
        false,
    ),
    (WayOfLife::Stolen(24), "STOLEN, used 24 times a day", false),
    (WayOfLife::Stolen(4), "STOLEN, used 4 times a day", false),
];

/// Plays all, and prints; how many promises were broken.
pub(super) fn run(out: &mut dyn Write, style: Style, seed: u64) -> io::Result<usize> {
    let head = [
        "who",
        "users",
        "told, with a database",
        "logins until then",
        "hours",
        "told, without one",
        "logins until then",
        "hours",
    ];
    let mut rows = vec![head.map(ToString::to_string).to_vec()];
    let mut broken = 0;
    for (way, words, is_promised) in WAYS {
        let users = match way {
            WayOfLife::Stolen(_) => ACCOUNTS,
            WayOfLife::Team => TEAMS,
            _ => USERS,
        };
        let with = play(way, users, DAYS, PlaceKnowledge::Database, seed);
        let without = play(way, users, DAYS, PlaceKnowledge::Nothing, seed);
        if is_promised && with.told > MOST_FALSE {
            broken += 1;
        }
        let mut row = vec![words.to_owned(), thousands(u64::from(users))];
        row.extend(cells(&with));
        row.extend(cells(&without));
        rows.push(row);
    }
    writeln!(
        out,
        "{}",
        render(style, &[Align::Left, Align::Right], &rows)
    )?;
    writeln!(
        out,
        "{DAYS} days; logins and hours from the first of the thief's on, as median / most. No mail program keeps tickets.\n"
    )?;
    if broken > 0 {
        writeln!(
            out,
            "BROKEN stolen: more than {MOST_FALSE} of {USERS} honest users a month are told of"
        )?;
    }
    Ok(broken)
}

fn cells(told: &SuspicionTally) -> [String; 3] {
    let is_stolen = matches!(told.way, WayOfLife::Stolen(_));
    let pair = |both: Option<(u32, u32)>| match both.filter(|_| is_stolen) {
        Some((middle, most)) => format!("{middle} / {most}"),
        None => "-".to_owned(),
    };
    [
        thousands(u64::from(told.told)),
        pair(told.logins),
        pair(told.hours),
    ]
}
