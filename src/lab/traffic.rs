//! traffic - synthetic months: honest users and attackers before one policy, and how each of them fares
//!
//! [`scenario`] names the traces, [`run`](fn@run::run) plays one of them through a [`policy::Policy`]: the
//! gate itself ([`gate_policy`]), or a model of something else (`lab::models`). Every trace is drawn from
//! a seed alone and never from what a policy answers, so all policies see the same; only clients that were
//! refused try again.
//! Not here: sockets and protocol (`lab::botnet`), tables and plots (`cli::simulate`, `lab::plot`).

pub(crate) mod campaign;
pub(crate) mod crowd;
pub mod gate_policy;
pub mod machines;
pub(crate) mod people;
pub mod policy;
pub mod promise;
pub mod random;
pub mod report;
pub(crate) mod routine;
pub mod run;
pub mod scenario;
pub mod stolen;

mod dictionary;
mod incident;
mod ledger;
mod place;
mod planned;
mod vouching;

use std::time::Duration;

use serde::Serialize;

use gatepost_core::gate::buckets::spec::Bucket;
use gatepost_core::gate::request::place::NearBy;
use gatepost_core::gate::request::settings::GateSettings;
use gatepost_core::moment::Moment;

/// When every simulated month begins: 2026-11-24T00:00:00Z.
pub const START: Moment = Moment::from_seconds(1_795_478_400);

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// How large, how long, and drawn from what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimulationPlan {
    /// Users of the server, at least 1.
    pub mailboxes: usize,
    /// Simulated days, at least 1.
    pub days: u32,
    /// The same seed gives the same month.
    pub seed: u64,
    /// Guesses a day of the attacks that have no cadence of their own.
    pub daily: u32,
    /// Addresses of the botnets that come back with theirs, at least 1.
    pub pool: u64,
    /// A part of the gate that is left out, to see what it is worth.
    pub without: Option<Ablation>,
    /// What goes on beside a crowd.
    pub beside: Beside,
    /// Machines that have one bound together, at least 1.
    pub machines: u32,
}

/// What goes on beside a crowd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Beside {
    /// Nothing.
    Nothing,
    /// The plan's number of guesses a day, of a pool that comes back with its addresses.
    Guesses,
}

impl SimulationPlan {
    /// Whether a botnet's addresses have come back so often that the first time hardly counts.
    pub fn returns(&self) -> bool {
        u64::from(self.days) * u64::from(self.daily) >= 20 * self.pool
    }

    /// When it is over.
    pub fn end(&self) -> Moment {
        START + DAY * self.days
    }
}

/// What is left out of the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ablation {
    /// Names, digits and signs stay on a password: only the very same one is the same word.
    Folding,
    /// No password is common before it was tried for two users.
    List,
    /// Unknown users pay from `strangers`.
    Unknown,
    /// `near` and `strangers` do not grow with the users.
    Scaling,
    /// No bucket keeps anything for clients that come for the first time.
    Newcomers,
    /// No bucket keeps anything for attempts that were refused and come again.
    Retries,
    /// No device is familiar.
    Devices,
    /// Nobody is near by the autonomous system.
    Systems,
}

impl Ablation {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Folding,
        Self::List,
        Self::Unknown,
        Self::Scaling,
        Self::Newcomers,
        Self::Retries,
        Self::Devices,
        Self::Systems,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Folding => "folding",
            Self::List => "list",
            Self::Unknown => "unknown",
            Self::Scaling => "scaling",
            Self::Newcomers => "newcomers",
            Self::Retries => "retries",
            Self::Devices => "devices",
            Self::Systems => "systems",
        }
    }

    /// Leaves it out of `settings`.
    pub(crate) fn apply(self, settings: &mut GateSettings) {
        let ladder = settings.ladder.clone();
        settings.ladder = match self {
            Self::Folding => ladder.without_folding(),
            Self::List => ladder.without_word_list(),
            Self::Unknown => ladder.without_bucket(Bucket::Unknown),
            Self::Devices => ladder.without_bucket(Bucket::Device),
            Self::Newcomers => ladder.without_newcomers(),
            Self::Retries => ladder.without_retries(),
            Self::Systems => {
                settings.places.near_by = NearBy::Region;
                ladder
            }
            Self::Scaling => {
                for bucket in [Bucket::Near, Bucket::Strangers] {
                    let limits = &mut settings.limits;
                    limits.change(bucket, |limit| limit.daily_per_user = Some(0));
                }
                ladder
            }
        };
    }
}

#[cfg(test)]
mod tests;
