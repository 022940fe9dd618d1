//! promise - what the manual promises, and whether a report keeps it
//!
//! Not here: which promises a scenario makes (`scenario`).

use crate::traffic::report::{LoginStats, Report};
use crate::traffic::{Beside, SimulationPlan};

/// The policy that the promises are about.
const GATE: &str = "gatepost";
/// Of a hundred travellers so many get in at the first try.
const TRAVELLERS: f64 = 95.0;
/// Guesses a day at one account by strangers: from near, from far, and from clients that users vouch for.
const ONE_ACCOUNT: u64 = 3 * 24;
/// Guesses a day from one IPv6 /32, far from where the victims log in.
const ONE_REGION: u64 = 360;
/// Guesses a day that an account allows where it logs in: one at each of two addresses.
const VOUCHED: u64 = 2;
/// The same while settling in.
const ONE_ACCOUNT_SETTLING: u64 = ONE_ACCOUNT + 96;
/// Those who are refused are let in when the mail program tries again, within a quarter of an hour, in seconds.
const RETRIED: u64 = 960;

/// Seconds between two questions about one old phone's password: the gate keeps their times by the second.
const ONCE_A_MINUTE: u64 = 59;

/// A promise that the manual makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// However large the botnet is, so many guesses a day by strangers, and so many at one account and from one
    /// IPv6 /32.
    Bound,
    /// The same while settling in.
    SettlingBound,
    /// Those who are refused are let in within a quarter of an hour.
    Retry,
    /// No user is refused in the networks they log in from.
    Home,
    /// Nor near them.
    Near,
    /// 95 of 100 travellers get in at the first try.
    Travellers,
    /// The same, before a botnet that comes back with its addresses.
    TravellersThen,
    /// No honest user is refused at all.
    Nobody,
    /// The same as `Crowd`, but calm alone.
    CalmCrowd {
        /// At their first login from a new place.
        first: u32,
        /// At all others.
        later: u32,
    },
    /// Of the people of a crowd at most so many are refused, in tenths of a percent.
    Crowd {
        /// At their first login from a new place.
        first: u32,
        /// At all others.
        later: u32,
    },
    /// Postfix is asked about a forgotten phone's password once a minute at most.
    OldPhones,
    /// A restart forgets no ban.
    Restarts,
}

/// The most guesses a day by strangers on a server with so many known users, a day after the first. `vouching`
/// of them log in where guesses come from.
pub fn bound(users: usize, vouching: usize) -> u64 {
    2 * (720 + 3 * users as u64) + 48 + 144 + VOUCHED * vouching as u64
}

/// The same while settling in.
pub fn settling_bound(users: usize, vouching: usize) -> u64 {
    bound(users, vouching) + 8_640 + 3 * users as u64
}

/// Writes down which of `promises` are broken.
pub(crate) fn check(promises: &[Promise], plan: &SimulationPlan, report: &mut Report) {
    // A gate with a part left out promises nothing.
    if report.policy != GATE || plan.without.is_some() {
        return;
    }
    // What logins earn for a client they earn at each machine.
    let vouching = report.guesses.vouching * plan.machines as usize;
    if promises.contains(&Promise::Bound) {
        report.bound = Some(bound(report.mailboxes, vouching));
    }
    if promises.contains(&Promise::SettlingBound) {
        report.bound = Some(settling_bound(report.mailboxes, vouching));
    }
    let found = promises
        .iter()
        .filter(|promise| plan.machines == 1 || promise.is_of_several());
    let found = found.map(|promise| promise.broken(plan, report));
    report.broken = found.flatten().collect();
}

impl Promise {
    /// Whether it holds for several machines together too, whatever becomes of the links between them. Users wait longer
    /// meanwhile.
    pub const fn is_of_several(self) -> bool {
        matches!(self, Self::Bound | Self::SettlingBound)
    }

    /// What is wrong, if it is.
    fn broken(self, plan: &SimulationPlan, report: &Report) -> Option<String> {
        match self {
            Self::Bound => over_bound(report, ONE_ACCOUNT, plan),
            Self::SettlingBound => over_bound(report, ONE_ACCOUNT_SETTLING, plan),
            Self::Retry => {
                let all = [&report.home, &report.near, &report.far];
                let waits = all.map(|visits| visits.longest_wait);
                let never: u64 = all.map(|visits| visits.never).iter().sum();
                let longest = waits.into_iter().max().unwrap_or(0);
                (never > 0 || longest > RETRIED)
                    .then(|| format!("{never} logins never got in, and one waited for {longest} s"))
            }
            Self::CalmCrowd { .. } if plan.beside != Beside::Nothing => None,
            Self::Crowd { first, later } | Self::CalmCrowd { first, later } => {
                too_many("first", &report.first, first)
                    .or_else(|| too_many("later", &report.later, later))
            }
            Self::Home => refused("at home", &report.home),
            Self::Near => refused("near home", &report.near),
            Self::Nobody => {
                let all = [&report.home, &report.near, &report.far];
                all.into_iter().find_map(|visits| refused("honest", visits))
            }
            Self::TravellersThen if !plan.returns() => None,
            Self::Travellers | Self::TravellersThen => {
                let percent = report.far.first_try_percent()?;
                (percent < TRAVELLERS).then(|| {
                    format!("{percent:.1} of 100 travellers got in at the first try, fewer than 95")
                })
            }
            Self::OldPhones => {
                let shortest = report
                    .old_phones
                    .shortest
                    .filter(|gap| *gap < ONCE_A_MINUTE)?;
                Some(format!(
                    "Postfix was asked about an old phone's password twice in {shortest} s"
                ))
            }
            Self::Restarts => {
                (report.bans_lost > 0).then(|| format!("restarts forgot {} bans", report.bans_lost))
            }
        }
    }
}

fn over_bound(report: &Report, of_account: u64, plan: &SimulationPlan) -> Option<String> {
    // Of one account and one network each machine counts alone while it is cut off.
    let machines = u64::from(plan.machines);
    let (of_account, of_region) = (of_account * machines, ONE_REGION * machines);
    let day = report.guesses.worst_day;
    if let Some(most) = report.bound.filter(|most| day > *most) {
        return Some(format!(
            "{day} guesses reached Postfix in a day, over the bound of {most}"
        ));
    }
    let region = report.guesses.worst_region;
    if region > of_region {
        return Some(format!(
            "{region} guesses a day from one IPv6 /32, over {of_region}"
        ));
    }
    let account = report.guesses.worst_account;
    (account > of_account)
        .then(|| format!("{account} guesses a day at one account, over {of_account}"))
}

fn too_many(which: &str, visits: &LoginStats, most: u32) -> Option<String> {
    let LoginStats { all, refused, .. } = visits;
    (refused * 1_000 > all * u64::from(most))
        .then(|| format!("{refused} of {all} {which} logins were refused, over {most} of 1,000"))
}

fn refused(where_: &str, visits: &LoginStats) -> Option<String> {
    let LoginStats { all, refused, .. } = visits;
    (*refused > 0).then(|| format!("{refused} of {all} logins {where_} were refused"))
}
