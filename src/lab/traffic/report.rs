//! report - the results of a simulated month, in numbers
//!
//! Filled while a trace is played, then only read: by tables, plots, JSON and the promises.
//! Not here: which of the numbers are promised (`promise`).

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use crate::traffic::ledger::Locality;
use crate::traffic::policy::{Asked, ClientAnswer, Outcome};
use crate::traffic::vouching::Vouching;
use crate::traffic::{Beside, DAY, HOUR, START, SimulationPlan};
use gatepost_core::gate::request::client::{ClientKey, RegionKey};
use gatepost_core::moment::Moment;

mod logins;

pub use logins::LoginStats;
pub(crate) use logins::{LoginProgress, Occasion};

/// Hours of one point of the plot.
const STEP_HOURS: u64 = 6;

/// One scenario, played before one policy.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The scenario's name.
    pub scenario: &'static str,
    /// The policy's name.
    pub policy: &'static str,
    /// Users of the server.
    pub mailboxes: usize,
    /// Simulated days.
    pub days: u32,
    /// What went on beside a crowd.
    pub beside: Beside,
    /// Seeds that it was played with; the sums are of all of them.
    pub seeds: u32,
    /// What attackers tried, and got.
    pub guesses: Guesses,
    /// What a stranger's guesses may come to in a day, where it is promised.
    pub bound: Option<u64>,
    /// Logins from a network where the user has logged in before.
    pub home: LoginStats,
    /// Logins from its neighbourhood.
    pub near: LoginStats,
    /// Logins from elsewhere.
    pub far: LoginStats,
    /// The first login of each user from each place that is not near one of theirs.
    pub first: LoginStats,
    /// All other logins.
    pub later: LoginStats,
    /// Phones with an old password.
    pub old_phones: OldPhones,
    /// Bans begun.
    pub bans: u64,
    /// Bans that a restart forgot.
    pub bans_lost: u64,
    /// The promises that were broken, a sentence each.
    pub broken: Vec<String>,
    /// The course of it, a point for every six hours.
    pub course: Vec<Point>,
}

/// What attackers tried, and what of it reached Postfix.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Guesses {
    /// Guesses in all.
    pub tried: u64,
    /// Those that Postfix was asked about.
    pub reached: u64,
    /// Of strangers, in a day: the mean of all days but the first, or of the first if it is the only one.
    pub per_day: f64,
    /// Of strangers, on the worst day but the first.
    pub worst_day: u64,
    /// Of strangers at one account, on the worst day but the first.
    pub worst_account: u64,
    /// Of strangers far from their victims, out of one IPv6 /32, on the worst day but the first.
    pub worst_region: u64,
    /// Accounts that logged in where guesses came from afterwards.
    pub vouching: usize,
    /// Accounts whose right password was found.
    pub lost: usize,
    /// From inside: out of a network where the victim logs in.
    pub inside: u64,
    /// Repetitions of a known wrong password that Postfix was asked about once more.
    pub again: u64,
}

/// Phones that go on with an old password.
#[derive(Clone, Debug, Default, Serialize)]
pub struct OldPhones {
    /// Tries.
    pub tries: u64,
    /// Those that Postfix was asked about.
    pub asked: u64,
    /// The shortest time between two of these, in seconds.
    pub shortest: Option<u64>,
    #[serde(skip)]
    last: Option<Moment>,
}

/// Six hours of the course.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Point {
    /// Guesses.
    pub tried: u32,
    /// Guesses that reached Postfix.
    pub reached: u32,
    /// Honest logins that met a refusal.
    pub refused: u32,
}

/// Fills a report.
#[derive(Debug)]
pub(crate) struct ReportBuilder {
    report: Report,
    /// Strangers' guesses that reached Postfix, by day.
    days: Vec<u64>,
    /// Of the day under way, by account.
    accounts: Vec<u64>,
    /// Of the day under way, by IPv6 /32, far ones alone.
    regions: HashMap<RegionKey, u64>,
    /// Who logged in from where guesses came later, and who from anywhere else.
    vouching: Vouching,
    /// Accounts whose right password was found.
    lost: HashSet<u32>,
    day: usize,
}

impl ReportBuilder {
    pub(crate) fn new(scenario: &'static str, policy: &'static str, plan: &SimulationPlan) -> Self {
        let points = u64::from(plan.days) * 24 / STEP_HOURS;
        Self {
            report: Report {
                scenario,
                policy,
                mailboxes: plan.mailboxes,
                days: plan.days,
                beside: plan.beside,
                seeds: 1,
                guesses: Guesses::default(),
                bound: None,
                home: LoginStats::default(),
                near: LoginStats::default(),
                far: LoginStats::default(),
                first: LoginStats::default(),
                later: LoginStats::default(),
                old_phones: OldPhones::default(),
                bans: 0,
                bans_lost: 0,
                broken: Vec::new(),
                course: vec![Point::default(); points as usize],
            },
            days: vec![0; plan.days as usize],
            accounts: vec![0; plan.mailboxes],
            regions: HashMap::new(),
            vouching: Vouching::default(),
            lost: HashSet::new(),
            day: 0,
        }
    }

    /// An attacker tried.
    pub(crate) fn guess(
        &mut self,
        person: Option<u32>,
        (client, locality): (ClientKey, Locality),
        outcome: Outcome,
        now: Moment,
    ) {
        self.point(now, |point| point.tried += 1);
        self.vouching.guess(client);
        let guesses = &mut self.report.guesses;
        guesses.tried += 1;
        match outcome.asked {
            Asked::Not => return,
            Asked::Again => {
                guesses.again += 1;
                return;
            }
            Asked::Once => guesses.reached += 1,
        }
        if locality == Locality::Home {
            guesses.inside += 1;
        } else {
            self.of_stranger(person, (client, locality), now);
        }
        self.point(now, |point| point.reached += 1);
    }

    /// Somebody logged in: a user, or an attacker who has the password.
    pub(crate) fn login(&mut self, person: u32, client: ClientKey) {
        self.vouching.login(person, client);
    }

    /// An attacker has found a right password.
    pub(crate) fn lose(&mut self, person: u32) {
        self.lost.insert(person);
    }

    fn of_stranger(
        &mut self,
        person: Option<u32>,
        (client, locality): (ClientKey, Locality),
        now: Moment,
    ) {
        let day = (now.since(START).as_secs() / DAY.as_secs()) as usize;
        if day != self.day {
            self.end_day();
            self.day = day;
        }
        if let Some(count) = self.days.get_mut(day) {
            *count += 1;
        }
        if let (Locality::Far, ClientKey::V6(_)) = (locality, client) {
            *self.regions.entry(client.region()).or_default() += 1;
        }
        if let Some(count) = person.and_then(|person| self.accounts.get_mut(person as usize)) {
            *count += 1;
        }
    }

    fn end_day(&mut self) {
        let most = self.accounts.iter().copied().max().unwrap_or(0);
        if self.day > 0 {
            let worst = &mut self.report.guesses.worst_account;
            *worst = most.max(*worst);
            let most = self.regions.values().copied().max().unwrap_or(0);
            let worst = &mut self.report.guesses.worst_region;
            *worst = most.max(*worst);
        }
        self.regions.clear();
        self.accounts.fill(0);
    }

    /// An old phone tried.
    pub(crate) fn old_phone(&mut self, outcome: Outcome, now: Moment) {
        let phones = &mut self.report.old_phones;
        phones.tries += 1;
        if outcome.asked == Asked::Not {
            return;
        }
        phones.asked += 1;
        if let Some(last) = phones.last.replace(now) {
            let gap = now.since(last).as_secs();
            phones.shortest = Some(phones.shortest.map_or(gap, |shortest| shortest.min(gap)));
        }
    }

    /// An honest login ended: logged in, or given up.
    pub(crate) fn visit(&mut self, past: &LoginProgress, answer: ClientAnswer, now: Moment) {
        let by_place = match past.locality {
            Locality::Home => &mut self.report.home,
            Locality::Near => &mut self.report.near,
            Locality::Far => &mut self.report.far,
        };
        by_place.count(past, answer, now);
        let by_turn = match past.occasion {
            Occasion::First => &mut self.report.first,
            Occasion::Later => &mut self.report.later,
        };
        by_turn.count(past, answer, now);
        if let Some(refused) = past.refused {
            self.point(refused, |point| point.refused += 1);
        }
    }

    /// The report, and what was counted elsewhere.
    pub(crate) fn finish(mut self, bans: u64, bans_lost: u64) -> Report {
        self.end_day();
        let settled = match self.days.get(1..) {
            Some(later) if !later.is_empty() => later,
            _ => &self.days,
        };
        let guesses = &mut self.report.guesses;
        guesses.worst_day = settled.iter().copied().max().unwrap_or(0);
        guesses.per_day = settled.iter().sum::<u64>() as f64 / settled.len().max(1) as f64;
        guesses.vouching = self.vouching.count();
        guesses.lost = self.lost.len();
        self.report.each(LoginStats::conclude);
        self.report.bans = bans;
        self.report.bans_lost = bans_lost;
        self.report
    }

    fn point(&mut self, at: Moment, change: impl FnOnce(&mut Point)) {
        let step = HOUR.as_secs() * STEP_HOURS;
        let at = at.since(START).as_secs() / step;
        if let Some(point) = self.report.course.get_mut(at as usize) {
            change(point);
        }
    }
}

impl Report {
    /// Adds another seed's report of the same scenario: sums of the logins, the worst of the guesses.
    pub(crate) fn add(&mut self, other: &Self) {
        let of = |report: &Self| {
            [
                &report.home,
                &report.near,
                &report.far,
                &report.first,
                &report.later,
            ]
            .map(Clone::clone)
        };
        let mut others = of(other).into_iter();
        self.each(|visits| {
            if let Some(other) = others.next() {
                visits.add(&other);
            }
        });
        let (guesses, more) = (&mut self.guesses, &other.guesses);
        guesses.tried += more.tried;
        guesses.reached += more.reached;
        guesses.inside += more.inside;
        guesses.again += more.again;
        guesses.per_day = f64::midpoint(guesses.per_day, more.per_day);
        guesses.worst_day = guesses.worst_day.max(more.worst_day);
        guesses.worst_account = guesses.worst_account.max(more.worst_account);
        guesses.worst_region = guesses.worst_region.max(more.worst_region);
        guesses.vouching = guesses.vouching.max(more.vouching);
        guesses.lost += more.lost;
        self.bans += other.bans;
        self.seeds += other.seeds;
    }

    fn each(&mut self, change: impl FnMut(&mut LoginStats)) {
        let Self {
            home,
            near,
            far,
            first,
            later,
            ..
        } = self;
        [home, near, far, first, later].into_iter().for_each(change);
    }

    /// Honest logins of all places.
    pub fn visits(&self) -> u64 {
        self.home.all + self.near.all + self.far.all
    }

    /// Honest logins that met a refusal, of all places.
    pub fn refused(&self) -> u64 {
        self.home.refused + self.near.refused + self.far.refused
    }

    /// How many days one point of the course stands for.
    pub fn point_days() -> f64 {
        STEP_HOURS as f64 / 24.0
    }
}
