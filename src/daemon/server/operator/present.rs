//! present - the values of the gate and of the listeners' context as the operator's messages
//!
//! Nothing is decided here.

use std::collections::BTreeMap;

use crate::admin::message::{
    CertificateMessage, DatabaseMessage, Fill, NotKeptMessage, Response, StatusMessage,
    UpstreamMessage,
};
use crate::clock::Clock;
use crate::judging::WriteOutcome;
use crate::net::admission::{AdmissionCounts, TurnedAway};
use crate::net::tls::Certificate;
use crate::net::upstream::{UpstreamAddress, Usability};
use crate::report::counters::Counters;
use crate::report::events::timestamp;
use crate::report::limits::{self, ResourceLimit};
use crate::report::writer;
use crate::server::listeners::ListenerContext;
use crate::session::Services;
use gatepost_core::gate::buckets::counters::Tally;
use gatepost_core::gate::explain::{self, Holding};
use gatepost_core::gate::processes::ProcessCounts;
use gatepost_core::gate::request::doors::Door;
use gatepost_core::gate::request::verdict::{BanCause, Reason};
use gatepost_core::moment::Moment;

use super::values::{bucket, mode, time};
use super::{Counts, cluster, crowdsec, process};

/// How things stand.
pub(super) fn status(context: &ListenerContext, began: Moment) -> StatusMessage {
    let services = &context.services;
    let clock = services.judging.clock;
    let now = clock.now();
    let gate = services.judging.gate().status(now);
    let admission = context.admission.counts();
    let upstream = &services.config.load().upstream;
    let backends: Vec<UpstreamMessage> = upstream.usability().map(backend(clock)).collect();
    StatusMessage {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: time(began, clock),
        uptime_s: now.since(began).as_secs(),
        mode: mode(gate.mode, gate.settling_until),
        settling_until: gate.settling_until.map(|until| time(until, clock)),
        logins_work: backends.iter().any(|one| one.state == USABLE) && !gate.backend_outage,
        upstream_up: upstream.is_up(),
        upstream: backends,
        backend_outage: gate.backend_outage,
        processes: processes(upstream.processes().counts()),
        sessions: admission.held as u64,
        logged_in: services.registry.logged_in() as u64,
        // Asked for where there is time to wait for the answer.
        left_over: 0,
        bans: gate.bans as u64,
        bans_by_reason: bans_by_reason(&gate),
        known_users: gate.known_users as u64,
        familiar_pairs: gate.familiar_pairs as u64,
        suspected: gate.suspected as u64,
        devices: gate.devices as u64,
        bound_per_day: bound_per_day(&gate.shared),
        cluster: cluster::present(context),
        crowdsec: crowdsec::present(context, now),
        buckets: gate.shared.iter().map(bucket).collect(),
        tables: tables(&gate),
        counters: counters(context),
        doors: doors(&services.judging.counters),
        limits: limits_that_acted(context, &gate),
        attempts: attempts(services),
        familiar_refused: familiar_refused(&gate),
        allowed: tallies(&gate, |tally| tally.allowed),
        refused: tallies(&gate, |tally| tally.refused),
        would_refuse: tallies(&gate, |tally| tally.would_refuse),
        turned_away: turned_away(admission.turned_away),
        handshakes_failed: handshakes_failed(services),
        certificates: certificates(services),
        state_not_kept: not_kept(context),
        history_not_kept: context.history.written().fault(),
        places: databases(services),
        process: process::read(),
    }
}

fn databases(services: &Services) -> Vec<DatabaseMessage> {
    let states = services.judging.places.states().into_iter();
    states
        .map(|state| DatabaseMessage {
            path: state.path.display().to_string(),
            in_use: state.in_use,
            fault: state.fault,
        })
        .collect()
}

fn turned_away(counts: impl IntoIterator<Item = u64>) -> Counts {
    let reasons = TurnedAway::ALL.iter().map(ToString::to_string);
    reasons.zip(counts).collect()
}

fn not_kept(context: &ListenerContext) -> Option<NotKeptMessage> {
    let clock = context.services.judging.clock;
    context.state.not_kept().map(|fault| NotKeptMessage {
        since: time(fault.since, clock),
        why: fault.why.to_string(),
    })
}

/// Attempts by verdict and reason.
fn attempts(services: &Services) -> BTreeMap<String, Counts> {
    let mut attempts: BTreeMap<String, Counts> = BTreeMap::new();
    for one in services.judging.reporter.verdicts.counts() {
        let verdict = attempts.entry(one.verdict.as_str().to_owned()).or_default();
        verdict.insert(one.reason.to_owned(), one.count);
    }
    attempts
}

/// Without the zeros: the list is what is wrong.
fn familiar_refused(gate: &explain::Status) -> Counts {
    let mut refused = tallies(gate, |tally| tally.familiar_refused);
    refused.retain(|_, count| *count > 0);
    refused
}

fn bans_by_reason(gate: &explain::Status) -> Counts {
    let causes = BanCause::ALL.iter().map(ToString::to_string);
    let counts = gate.bans_by_cause.iter().map(|count| *count as u64);
    causes.zip(counts).collect()
}

fn certificates(services: &Services) -> Vec<CertificateMessage> {
    let now = Clock::wall();
    let in_use = services.tls.certificates();
    let message = |one: &Certificate| CertificateMessage {
        names: one.names.iter().map(ToString::to_string).collect(),
        chain: one.chain.display().to_string(),
        expires: timestamp(one.expires),
        days_left: one.days_left(now),
        is_due: one.is_due(now),
        problem: one.date_problem(now).map(|problem| problem.to_string()),
    };
    in_use.iter().map(message).collect()
}

fn handshakes_failed(services: &Services) -> Counts {
    let by_cause = services.tls.failures.by_cause();
    by_cause
        .map(|(cause, count)| (cause.as_str().to_owned(), count))
        .collect()
}

/// The state of a backend that can be used.
const USABLE: &str = "usable";

/// An address of Postfix, and whether it can be used.
fn backend(clock: Clock) -> impl Fn((&UpstreamAddress, Usability)) -> UpstreamMessage {
    move |(address, usability)| {
        let (state, since, complaint) = match usability {
            Usability::Unknown => ("not-asked", None, None),
            Usability::Usable { since } => (USABLE, Some(since), None),
            Usability::Unusable { since, complaint } => ("unusable", Some(since), Some(complaint)),
        };
        let cure = complaint.as_ref().and_then(|complaint| complaint.cure);
        UpstreamMessage {
            address: address.to_string(),
            state: state.to_owned(),
            since: since.map(|since| time(since, clock)),
            cure: cure.map(ToOwned::to_owned),
            reason: complaint.map(|complaint| complaint.reason),
        }
    }
}

/// What was done; and if the disk does not have it, that too.
pub(super) fn kept(response: Response, kept: WriteOutcome) -> Response {
    let Err(why) = kept else {
        return response;
    };
    let did = match response {
        Response::Done { message }
        | Response::NotFound { message }
        | Response::Ended { message, .. } => message,
        Response::Learnt(more) => {
            let (pairs, users) = (more.pairs, more.users);
            format!("{pairs} pairs newly familiar, {users} users newly known")
        }
        Response::BansImported { banned, .. } => format!("{banned} banned"),
        _ => "done".to_owned(),
    };
    let message = format!("{did}, but not on disk: {why}");
    Response::NotKept { message }
}

/// What the shared buckets of all machines give back in a day: all that strangers can spend after the first.
fn bound_per_day(shared: &[Holding]) -> u64 {
    const DAY: u128 = 86_400_000_000_000;
    let a_day = |holding: &Holding| DAY / holding.whole.as_nanos().max(1);
    u64::try_from(shared.iter().map(a_day).sum::<u128>()).unwrap_or(u64::MAX)
}

fn processes(counts: ProcessCounts) -> Counts {
    [
        ("logins", counts.logins),
        ("exchanges", counts.exchanges),
        ("logged-in", counts.logged_in),
        ("waiting", counts.waiting),
    ]
    .map(|(name, count)| (name.to_owned(), count as u64))
    .into()
}

fn tables(gate: &explain::Status) -> BTreeMap<String, Fill> {
    let fill = |used: usize, capacity: usize, evicted| Fill {
        used: used as u64,
        capacity: capacity as u64,
        evicted,
    };
    BTreeMap::from([
        (
            "clients".to_owned(),
            fill(gate.rows_used, gate.rows, gate.rows_evicted),
        ),
        (
            "pairs".to_owned(),
            fill(gate.familiar_pairs, gate.pairs, gate.pairs_evicted),
        ),
    ])
}

fn counters(context: &ListenerContext) -> Counts {
    let counters = &context.services.judging.counters;
    [
        ("sessions", &counters.sessions),
        ("handshakes-failed", &counters.handshakes_failed),
        ("attempts", &counters.attempts),
        ("accepted", &counters.accepted),
        ("rejected", &counters.rejected),
        ("refused", &counters.refused),
        ("unjudged", &counters.unjudged),
        ("delayed", &counters.delayed),
        ("decoys-opened", &counters.decoys_opened),
        ("stolen-suspected", &counters.stolen_suspected),
        ("would-refuse", &counters.would_refuse),
        ("deferred", &counters.deferred),
        ("repeated", &counters.repeated),
        ("guesses", &counters.guesses),
        ("octets-in", &counters.octets_in),
        ("octets-out", &counters.octets_out),
    ]
    .into_iter()
    .map(|(name, counter)| (name.to_owned(), counter.get()))
    .chain(
        [
            ("evicted", context.admission.counts().evicted),
            (
                "state-skipped",
                context.services.judging.gate().restored().skipped,
            ),
            (
                "state-damaged",
                context.services.judging.gate().restored().damaged,
            ),
        ]
        .map(|(name, count)| (name.to_owned(), count)),
    )
    .collect()
}

fn turns_missed(gate: &explain::Status) -> u64 {
    let of_turns = |tally: &&Tally| tally.reason == Reason::Turn;
    let tallies = gate.tallies.iter().filter(of_turns);
    tallies.map(|tally| tally.refused).sum()
}

fn limits_that_acted(context: &ListenerContext, gate: &explain::Status) -> BTreeMap<String, u64> {
    let rows = limits::TABLE.iter();
    rows.map(|row| (row.name.to_owned(), acted(row.limit, context, gate)))
        .collect()
}

/// How often a limit acted. What admission, the gate, the filter and the log count themselves is asked there.
fn acted(limit: ResourceLimit, context: &ListenerContext, gate: &explain::Status) -> u64 {
    let admission = context.admission.counts();
    let away = |reason| away_for(&admission, reason);
    match limit {
        ResourceLimit::Sessions => admission.evicted + away(TurnedAway::Full),
        ResourceLimit::PerClient => admission.evicted_for_client + away(TurnedAway::Client),
        ResourceLimit::PerNetwork => admission.evicted_for_network + away(TurnedAway::Network),
        ResourceLimit::Connects => away(TurnedAway::Connects),
        ResourceLimit::FamiliarConnects => away(TurnedAway::FamiliarConnects),
        ResourceLimit::ConnectRates => admission.rates_forgotten,
        ResourceLimit::Turns => turns_missed(gate),
        ResourceLimit::Clients => gate.rows_evicted,
        ResourceLimit::Pairs => gate.pairs_evicted + gate.devices_evicted,
        ResourceLimit::Bans => gate.bans_evicted,
        ResourceLimit::HeldAttempts => gate.held_evicted,
        ResourceLimit::ClusterSpending => gate.untold,
        ResourceLimit::Credit => gate.credit_evicted,
        ResourceLimit::FilterCounts => context.filter.counts().not_counted,
        ResourceLimit::FilterProgram => context.filter.counts().not_fitting,
        ResourceLimit::LogQueue => writer::lines_lost(),
        ResourceLimit::Accepts
        | ResourceLimit::HeldRefusals
        | ResourceLimit::Connections
        | ResourceLimit::ProxyHeaders
        | ResourceLimit::PerUser
        | ResourceLimit::LoggedIn
        | ResourceLimit::Handshakes
        | ResourceLimit::Exchanges
        | ResourceLimit::Processes
        | ResourceLimit::RelayedExchanges
        | ResourceLimit::Notices
        | ResourceLimit::Acknowledgements
        | ResourceLimit::Operators
        | ResourceLimit::OperatorAccepts
        | ResourceLimit::OperatorRequests
        | ResourceLimit::History
        | ResourceLimit::Occurrences
        | ResourceLimit::ClusterFacts
        | ResourceLimit::ClusterVisitors
        | ResourceLimit::CrowdsecBans
        | ResourceLimit::PolicyConnections
        | ResourceLimit::HttpConnections
        | ResourceLimit::HttpStreams
        | ResourceLimit::PolicyPermits
        | ResourceLimit::PolicyTurns
        | ResourceLimit::PolicySecrets
        | ResourceLimit::PolicyHashes
        | ResourceLimit::LogLines => context.services.judging.counters.limits.get(limit),
    }
}

fn away_for(admission: &AdmissionCounts, reason: TurnedAway) -> u64 {
    let count = admission.turned_away.get(reason as usize);
    count.copied().unwrap_or_default()
}

/// What came of the attempts at each door that has had any.
fn doors(counters: &Counters) -> BTreeMap<String, Counts> {
    let mut doors = BTreeMap::<String, Counts>::new();
    for door in Door::ALL {
        let at = counters.of_door(door);
        let counted = [
            ("accepted", at.accepted.get()),
            ("rejected", at.rejected.get()),
            ("refused", at.refused.get()),
        ];
        if counted.iter().all(|(_, count)| *count == 0) {
            continue;
        }
        let told = doors.entry(door.as_str().to_owned()).or_default();
        for (name, count) in counted {
            *told.entry(name.to_owned()).or_default() += count;
        }
    }
    doors
}

fn tallies(gate: &explain::Status, pick: impl Fn(&Tally) -> u64) -> Counts {
    let named = |tally: &Tally| (tally.reason.to_string(), pick(tally));
    gate.tallies.iter().map(named).collect()
}
