//! past - what the history says: past decisions in `explain`, and the answer of `report`
//!
//! Not here: the other messages (`message`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::SuspectedMessage;

/// Past decisions that were alike within ten minutes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastDecisionMessage {
    /// The time of the first, RFC 3339.
    pub at: String,
    /// The time of the last.
    pub last: String,
    /// How many.
    pub count: u64,
    /// Which service was asked: `smtp`, `imap`.
    pub door: String,
    /// The session's id, of the last.
    pub session: String,
    /// The client.
    pub client: String,
    /// Where it is, as a database says now.
    #[serde(default)]
    pub place: Option<String>,
    /// The user's name, escaped; none if the client did not come to it.
    pub user: Option<String>,
    /// How far the user was trusted there then: `familiar`, `unproven`, `near`, `far`.
    pub trust: Option<String>,
    /// `accept`, `reject`, `refuse`, `repeat`, `defer` or `cancel`.
    pub verdict: String,
    /// What that rests on.
    pub reason: Option<String>,
    /// Seconds that the client should have waited.
    pub wait_s: u64,
    /// Whether it was a login where the user was not at home before.
    pub new_place: bool,
}

/// What happened in a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportMessage {
    /// The name in the banner.
    pub hostname: String,
    /// When the time began, RFC 3339.
    pub since: String,
    /// When it ended: now.
    pub until: String,
    /// Since when there are counters, if that is later.
    pub kept_since: Option<String>,
    /// Whether logins can work now.
    pub logins_work: bool,
    /// Counters of the whole time, by the names of `status`, with `refused.REASON` and `turned-away.REASON`.
    pub counters: BTreeMap<String, u64>,
    /// The same counters since the process began, at the same moment: so that who follows `status` can go on from here.
    #[serde(default)]
    pub since_start: BTreeMap<String, u64>,
    /// The guesses by strangers that may reach the backend in a day, as it is configured now.
    pub bound_per_day: u64,
    /// And in this time.
    pub bound: u64,
    /// Seconds of one step.
    pub step_s: u64,
    /// The same counters by hours or days, the oldest first.
    pub steps: Vec<ReportStep>,
    /// Known users whose passwords others guessed at, the most first.
    pub attacked: Vec<Attacked>,
    /// Networks that guesses came from, the most first.
    pub attackers: Vec<Attacker>,
    /// Logins from new places, the latest first.
    pub new_places: Vec<PastDecisionMessage>,
    /// Refusals of users where they were at home, by no wish of the operator's.
    pub honest_refused: Vec<PastDecisionMessage>,
    /// The latest decisions of all that are kept.
    pub latest: Vec<PastDecisionMessage>,
    /// Accounts whose password is on the owner's list of known ones, the latest first.
    #[serde(default)]
    pub listed: Vec<ListedMessage>,
    /// Accounts whose password seems to be stolen now, the latest first.
    #[serde(default)]
    pub suspected: Vec<SuspectedMessage>,
    /// Passwords on that list; none: there is none.
    #[serde(default)]
    pub known_passwords: Option<u64>,
    /// When logins could not work.
    pub outages: Vec<OutageMessage>,
    /// Bans of networks, and those that operators made.
    pub bans: Vec<PastBanMessage>,
    /// What operators did.
    pub acts: Vec<ActMessage>,
    /// Why the history is not kept, where it is not.
    pub not_kept: Option<String>,
    /// Why the disk does not take the history now, where it does not.
    #[serde(default)]
    pub fault: Option<String>,
}

/// The counters of one step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportStep {
    /// When it began, RFC 3339.
    pub at: String,
    /// By name.
    pub counters: BTreeMap<String, u64>,
}

/// An account whose password is on the owner's list of known ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedMessage {
    /// The name, escaped.
    pub user: String,
    /// Since when that is known, RFC 3339.
    pub since: String,
}

/// A known user whose passwords others guessed at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attacked {
    /// The name, escaped.
    pub user: String,
    /// Tries that were refused.
    pub refused: u64,
    /// Guesses that the backend rejected.
    pub rejected: u64,
}

/// A network that guesses came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attacker {
    /// The network.
    pub network: String,
    /// Where it is, as a database says now.
    #[serde(default)]
    pub place: Option<String>,
    /// Tries that were refused.
    pub refused: u64,
    /// Guesses that the backend rejected.
    pub rejected: u64,
}

/// A time without logins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutageMessage {
    /// The backend's address; none: it rejected users who had logged in before.
    pub backend: Option<String>,
    /// Why.
    pub why: String,
    /// Since when, RFC 3339.
    pub began: String,
    /// Until when; none: it goes on.
    pub ended: Option<String>,
}

/// A ban of the past.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastBanMessage {
    /// The client or network.
    pub address: String,
    /// Since when, RFC 3339.
    pub began: String,
    /// Until when.
    pub until: String,
    /// `strikes`, `trap`, `neighbours` or `operator`.
    pub reason: String,
}

/// What an operator did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActMessage {
    /// When, RFC 3339.
    pub at: String,
    /// In the words that they got.
    pub did: String,
}
