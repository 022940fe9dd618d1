//! watch - the live view: the state, who is busy, and the last attempts
//!
//! Not here: the state (`present`), what is remembered (`report::lately`).

use std::collections::HashMap;
use std::fmt::Display;

use super::Operator;
use super::values::{ban, time};
use crate::admin::message::{
    AttemptMessage, BusyMessage, SuspectedMessage, WATCH_ROWS, WatchMessage,
};
use crate::clock::Clock;
use crate::places::Places;
use crate::report::busiest::AttemptCounts;
use crate::report::lately::PastAttempt;
use gatepost_core::gate::explain::SuspectedUser;
use gatepost_core::moment::Moment;

impl Operator {
    /// How things stand, with the attempts whose number is above `after`.
    pub fn watch(&self, after: u64, now: Moment) -> WatchMessage {
        let clock = self.clock();
        let judging = &self.context.services.judging;
        let lately = &judging.reporter.lately;
        let busiest = lately.busiest(WATCH_ROWS, now);
        let bans = judging.gate().first_bans(WATCH_ROWS, now).into_iter();
        let attempts = lately.since(after);
        let status = self.status();
        let suspected = match status.suspected {
            0 => Vec::new(),
            _ => self.suspected(&judging.reporter.names.all()),
        };
        WatchMessage {
            status,
            since: time(busiest.since, clock),
            clients: busy(&busiest.clients),
            networks: busy(&busiest.networks),
            users: busy(&busiest.users),
            bans: bans.map(|entry| ban(entry, clock)).collect(),
            suspected,
            attempts: attempts
                .iter()
                .map(|one| attempt(one, &judging.places, clock))
                .collect(),
        }
    }

    /// Users whose password seems to be stolen, with those of these names that are theirs.
    pub(super) fn suspected<N: Display>(&self, names: &HashMap<u64, N>) -> Vec<SuspectedMessage> {
        let suspected = self.gate().suspected_users().into_iter();
        let message = |one: SuspectedUser| SuspectedMessage {
            user: names.get(&one.user.code()).map(ToString::to_string),
            id: one.user.to_string(),
            since: time(one.since, self.clock()),
            cause: one.cause.to_string(),
        };
        suspected.take(WATCH_ROWS).map(message).collect()
    }
}

fn busy(rows: &[(impl Display, AttemptCounts)]) -> Vec<BusyMessage> {
    let message = |(name, counts): &(_, AttemptCounts)| BusyMessage {
        name: ToString::to_string(name),
        attempts: counts.attempts,
        accepted: counts.accepted,
        rejected: counts.rejected,
        refused: counts.refused,
    };
    rows.iter().map(message).collect()
}

fn attempt(past: &PastAttempt, places: &Places, clock: Clock) -> AttemptMessage {
    AttemptMessage {
        number: past.number,
        at: time(past.at, clock),
        client: past.client.to_string(),
        place: places.find(past.client).shown(),
        user: past.user.clone(),
        verdict: past.verdict.as_str().to_owned(),
        reason: past.reason.map(ToOwned::to_owned),
        wait_s: past.wait.as_secs(),
    }
}
