//! past - what the history says, as the operator's messages
//!
//! Read where blocking is allowed. Not here: the questions to the file (`history::reader`), the present (`explained`).

use std::collections::HashMap;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::warn;

use super::{Counts, Operator, present};
use crate::admin::message::{
    ActMessage, Attacked, Attacker, DecisionMessage, ListedMessage, OutageMessage, PastBanMessage,
    PastDecisionMessage, ProgramMessage, ReportMessage, ReportStep, Response,
};
use crate::clock::Clock;
use crate::history::{
    AttackedUser, AttackingNetwork, DecisionsOf, HistoryFault, HistoryReader, HourCount,
    ListedAccount, OperatorAct, PastBan, PastDecision, PastOutage, PastProgram, Totals,
};
use crate::places::Places;
use crate::report::events::timestamp;
use crate::server::keeping;
use crate::session::SessionId;
use gatepost_core::gate::request::client::{ClientKey, NetworkKey};
use gatepost_core::moment::Moment;

/// Past decisions that `explain` shows.
const SHOWN: usize = 20;

/// Programs that `explain` shows.
const PROGRAMS: usize = 10;

/// Rows of each list in a report.
const LISTED: usize = 20;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// The history is not waited for longer, so that an answer with three questions to it comes before the command gives up.
const LONGEST_READ: Duration = Duration::from_secs(8);

/// No question is about more.
const LONGEST: u64 = 366 * DAY;

/// A longer time is shown by days.
const BY_HOURS: u64 = 3 * DAY;

impl Operator {
    /// The past decisions of `of`, without those that are `shown` already. A history that cannot be read has none: the
    /// log says why.
    pub(super) async fn past(
        &self,
        of: DecisionsOf,
        shown: &[DecisionMessage],
    ) -> Vec<PastDecisionMessage> {
        let found = self.read(move |history| history.decisions(of, Moment::EPOCH, 2 * SHOWN));
        let found = found.await.unwrap_or_else(|fault| {
            warn!("{fault}");
            Vec::new()
        });
        let found = found.into_iter().map(decision);
        let found = found.filter(|one| !is_shown(one, shown));
        let mut found: Vec<_> = found.take(SHOWN).collect();
        locate_all(&mut found, &self.context.services.judging.places);
        found
    }

    /// The programs that the decisions of `of` came with, those that are remembered here too. A history that cannot be read
    /// has none: the log says why.
    pub(super) async fn programs(&self, of: DecisionsOf) -> Vec<ProgramMessage> {
        let found = self.read(move |history| history.programs(of, PROGRAMS));
        let found = found.await.unwrap_or_else(|fault| {
            warn!("{fault}");
            Vec::new()
        });
        let program = |one: PastProgram| ProgramMessage {
            ja4: one.label,
            last: timestamp(one.last),
        };
        found.into_iter().map(program).collect()
    }

    /// The client of a session of an earlier process, as far as the history has it.
    pub(super) async fn client_of_past_session(&self, id: &str) -> Option<ClientKey> {
        let id: SessionId = id.parse().ok()?;
        let of = DecisionsOf::Session(id.number());
        let found = self.read(move |history| history.decisions(of, Moment::EPOCH, 1));
        found.await.ok()?.first().map(|decision| decision.client)
    }

    /// What happened in the last `span` seconds, a year at most.
    pub(super) async fn report(&self, span: u64) -> Result<Response, String> {
        let (now, span) = (Clock::wall(), span.min(LONGEST));
        let since = now - Duration::from_secs(span);
        let status = present::status(&self.context, self.began);
        let context = self.context.clone();
        let totals = move || keeping::totals(&context);
        let gathered = self.read(move |history| gather(history, since, totals));
        let mut told = gathered.await?;
        locate(&mut told, &self.context.services.judging.places);
        told.hostname = self
            .context
            .services
            .config
            .load()
            .dialogue
            .hostname
            .clone();
        told.until = timestamp(now);
        told.logins_work = status.logins_work;
        if status.suspected > 0 {
            told.suspected = self.suspected(&self.names().await);
        }
        let known = &self.context.services.judging.known_passwords;
        told.known_passwords = known.count().map(|count| count as u64);
        told.fault = status.history_not_kept;
        told.bound_per_day = status.bound_per_day;
        let bound = u128::from(status.bound_per_day) * u128::from(span) / u128::from(DAY);
        told.bound = u64::try_from(bound).unwrap_or(u64::MAX);
        told.not_kept = match self.context.history.is_kept() {
            true => None,
            false => Some("[history] keep is 0".to_owned()),
        };
        Ok(Response::Report(Box::new(told)))
    }

    /// The names that the history has; where it cannot be read, none.
    pub(super) async fn past_names(&self, most: usize) -> HashMap<u64, String> {
        let found = self.read(move |history| history.names(most)).await;
        found.unwrap_or_else(|fault| {
            warn!("{fault}");
            HashMap::new()
        })
    }

    /// Since when it is known that a user's password is on the owner's list, by the user's id; where the history cannot
    /// be read, of none.
    pub(super) async fn listed(&self, most: usize) -> HashMap<u64, String> {
        let found = self.read(move |history| history.listed(most)).await;
        let found = found.unwrap_or_else(|fault| {
            warn!("{fault}");
            Vec::new()
        });
        found
            .into_iter()
            .map(|one| (one.id, timestamp(one.since)))
            .collect()
    }

    async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&HistoryReader) -> Result<T, HistoryFault> + Send + 'static,
    ) -> Result<T, String> {
        let history = self.context.history.clone();
        let answer = spawn_blocking(move || question(&history));
        match timeout(LONGEST_READ, answer).await {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(fault))) => Err(format!("the history cannot be read: {fault}")),
            Ok(Err(panicked)) => Err(panicked.to_string()),
            Err(_) => Err("the history cannot be read: the disk does not answer".to_owned()),
        }
    }
}

/// Whether the last of them is shown. Their times say nothing: the clock may have been set since.
fn is_shown(one: &PastDecisionMessage, shown: &[DecisionMessage]) -> bool {
    shown.iter().any(|shown| shown.session == one.session)
}

fn gather(
    history: &HistoryReader,
    since: Moment,
    totals: impl Fn() -> Totals,
) -> Result<ReportMessage, HistoryFault> {
    let (hours, since_start) = history.hours_until_now(since, totals)?;
    let span = Clock::wall().since(since).as_secs();
    let step_s = match span > BY_HOURS {
        true => DAY,
        false => HOUR,
    };
    let first = hours.first().map(|hour| hour.hour);
    let kept_since = history.kept_since()?.or(first);
    let kept_since = kept_since.filter(|kept| *kept > since);
    let places = history.decisions(DecisionsOf::NewPlaces, since, LISTED)?;
    let honest = history.decisions(DecisionsOf::HonestRefused, since, LISTED)?;
    let latest = history.decisions(DecisionsOf::Everybody, since, LISTED)?;
    Ok(ReportMessage {
        since: timestamp(since),
        kept_since: kept_since.map(timestamp),
        counters: sum(&hours),
        since_start,
        step_s,
        steps: steps(&hours, since, step_s),
        attacked: list(history.attacked(since, LISTED)?, attacked),
        attackers: list(history.attackers(since, LISTED)?, attacker),
        new_places: list(places, decision),
        honest_refused: list(honest, decision),
        latest: list(latest, decision),
        listed: list(history.listed(LISTED)?, listed),
        outages: list(history.outages(since, LISTED)?, outage),
        bans: list(history.bans(since, LISTED)?, ban),
        acts: list(history.acts(since, LISTED)?, act),
        ..ReportMessage::default()
    })
}

/// Adds where everything was, as the databases say now.
fn locate(report: &mut ReportMessage, places: &Places) {
    for decisions in [
        &mut report.new_places,
        &mut report.honest_refused,
        &mut report.latest,
    ] {
        locate_all(decisions, places);
    }
    for attacker in &mut report.attackers {
        let network = attacker.network.parse::<NetworkKey>().ok();
        let client = network.map(|network| ClientKey::new(network.address()));
        attacker.place = client.and_then(|client| places.find(client).shown());
    }
}

fn locate_all(decisions: &mut [PastDecisionMessage], places: &Places) {
    for one in decisions {
        let client = one.client.parse().ok();
        one.place = client.and_then(|client| places.find(client).shown());
    }
}

fn list<F, T>(found: Vec<F>, shown: impl Fn(F) -> T) -> Vec<T> {
    found.into_iter().map(shown).collect()
}

fn sum<'a>(hours: impl IntoIterator<Item = &'a HourCount>) -> Counts {
    let mut counters = Counts::new();
    for hour in hours {
        *counters.entry(hour.name.clone()).or_default() += hour.count;
    }
    counters
}

/// The counters by steps, without a gap: a time in which nothing was counted is one, too.
fn steps(hours: &[HourCount], since: Moment, step_s: u64) -> Vec<ReportStep> {
    let step_of = |at: Moment| at.as_seconds() / step_s;
    (step_of(since)..=step_of(Clock::wall()))
        .map(|step| ReportStep {
            at: timestamp(Moment::from_seconds(step * step_s)),
            counters: sum(hours.iter().filter(|hour| step_of(hour.hour) == step)),
        })
        .collect()
}

fn decision(one: PastDecision) -> PastDecisionMessage {
    PastDecisionMessage {
        at: timestamp(one.at),
        last: timestamp(one.last),
        count: one.count,
        door: one.door,
        session: SessionId::new(one.session).to_string(),
        client: one.client.to_string(),
        place: None,
        user: one.user,
        trust: one.trust,
        verdict: one.verdict,
        reason: one.reason,
        wait_s: one.wait_s,
        new_place: one.is_new_place,
    }
}

fn attacked(one: AttackedUser) -> Attacked {
    Attacked {
        user: one.user,
        refused: one.refused,
        rejected: one.rejected,
    }
}

fn attacker(one: AttackingNetwork) -> Attacker {
    Attacker {
        network: one.network,
        place: None,
        refused: one.refused,
        rejected: one.rejected,
    }
}

fn listed(one: ListedAccount) -> ListedMessage {
    ListedMessage {
        user: one.user,
        since: timestamp(one.since),
    }
}

fn outage(one: PastOutage) -> OutageMessage {
    OutageMessage {
        backend: one.backend,
        why: one.why,
        began: timestamp(one.began),
        ended: one.ended.map(timestamp),
    }
}

fn ban(one: PastBan) -> PastBanMessage {
    PastBanMessage {
        address: one.subject,
        began: timestamp(one.began),
        until: timestamp(one.ended.unwrap_or(one.until)),
        reason: match one.is_dry_run {
            false => one.cause,
            true => format!("{} (dry run)", one.cause),
        },
    }
}

fn act(one: OperatorAct) -> ActMessage {
    ActMessage {
        at: timestamp(one.at),
        did: one.did,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_already_is_known_by_its_session_also_when_the_clock_was_set() {
        let shown = [DecisionMessage {
            at: "2026-11-29T12:00:00Z".to_owned(),
            session: "GZ3K81M0Q".to_owned(),
            ..DecisionMessage::default()
        }];
        let past = |session: &str, last: &str| PastDecisionMessage {
            last: last.to_owned(),
            session: session.to_owned(),
            ..PastDecisionMessage::default()
        };
        for last in ["2026-11-28T12:00:00Z", "2026-11-30T12:00:00Z"] {
            assert!(is_shown(&past("GZ3K81M0Q", last), &shown));
            assert!(!is_shown(&past("GZ3K81M0P", last), &shown));
        }
    }
}
