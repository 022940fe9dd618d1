//! explained - the gate's explanations as the operator's messages
//!
//! Nothing is decided here. Not here: the other answers (`present`).

use std::time::Duration;

use super::values::{ban, bucket, mode, time};
use crate::admin::message::{
    DecisionMessage, ExplanationMessage, FaultMessage, KnownUserMessage, LoginNetworkMessage,
    NewPlaceMessage, OutlookMessage, SuspicionMessage, UserDeviceMessage, UserMessage,
    UserNetworkMessage,
};
use crate::clock::Clock;
use crate::places::Places;
use crate::report::last_faults::LastFault;
use crate::session::SessionId;
use gatepost_core::gate::Gate;
use gatepost_core::gate::buckets::recent;
use gatepost_core::gate::explain::{
    self, KnownUser, Outlook, UserDeviceStanding, UserExplanation, UserNetwork,
};
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::client::{ClientKey, NetworkKey};
use gatepost_core::gate::request::device::DeviceTicket;
use gatepost_core::gate::request::keys::UserId;
use gatepost_core::gate::request::suspicion::{FarLogins, NewPlace, Suspicion};
use gatepost_core::gate::request::user_rule::{Mailbox, UserRule};
use gatepost_core::gate::request::verdict::{Reason, Refusal, Standing};
use gatepost_core::moment::Moment;

const ALLOW: &str = "allow";
const REFUSE: &str = "refuse";
/// Of attempts that are all answered the same.
const EVERY: &str = "every attempt";

/// The client that the session with this id came from, if the gate remembers a decision about it.
pub(super) fn client_of_session(gate: &Gate, id: &str) -> Option<ClientKey> {
    let id: SessionId = id.parse().ok()?;
    let decisions = gate.explain_session(id.number());
    decisions.first().map(|decision| decision.client)
}

/// Why a client is treated as it is.
pub(super) fn explanation(
    e: explain::Explanation,
    user: Option<&UserName>,
    clock: Clock,
) -> ExplanationMessage {
    let now = clock.now();
    let (told, outlooks) = outlook(&e, now);
    ExplanationMessage {
        client: e.client.to_string(),
        place: None,
        network: e.client.network().to_string(),
        user: user.map(ToString::to_string),
        trust: e.user.as_ref().map(|user| user.trust.to_string()),
        near_by_system: e.user.as_ref().is_some_and(|user| user.by_system),
        known: e.user.as_ref().map(|user| user.known),
        standing: standing(e.standing).to_owned(),
        strikes: u32::from(e.strikes),
        ban: e.ban.or(e.network_ban).map(|held| ban(held, clock)),
        decided: Vec::new(),
        buckets: e.buckets.iter().map(bucket).collect(),
        verdict: told.verdict,
        reason: told.reason,
        wait_s: told.wait_s,
        outlooks,
        mode: mode(e.mode, e.settling_until),
        last_fault: None,
        decisions: e.decisions.iter().map(|one| decision(one, clock)).collect(),
        past: Vec::new(),
        programs: Vec::new(),
    }
}

/// What a client did wrong.
pub(super) fn fault(last: LastFault, clock: Clock) -> FaultMessage {
    FaultMessage {
        at: time(last.at, clock),
        session: SessionId::new(last.session).to_string(),
        fault: last.fault.to_owned(),
    }
}

/// What would be answered now, and to which attempts where that is not to all the same.
fn outlook(e: &explain::Explanation, now: Moment) -> (OutlookMessage, Vec<OutlookMessage>) {
    let refused = |reason: Reason, wait| by(EVERY, Err(Refusal { reason, wait }));
    match (&e.user, e.standing) {
        (_, Standing::Deny) => (refused(Reason::DenyList, Duration::ZERO), Vec::new()),
        (_, Standing::Banned) => {
            let until = e.ban.into_iter().chain(e.network_ban).map(|ban| ban.until);
            let wait = until.max().unwrap_or(now).since(now);
            (refused(Reason::Ban, wait), Vec::new())
        }
        (_, Standing::Allow) => (by(EVERY, Ok(Reason::AllowList)), Vec::new()),
        (Some(user), _) => summed_up(vec![
            by("a new password", user.outlook),
            by("a common password", user.word),
        ]),
        (None, _) => match e.unnamed.certain {
            Some(Refusal { reason, wait }) => (refused(reason, wait), Vec::new()),
            None => summed_up(vec![
                by("a known user, a new password", e.unnamed.known),
                by("a known user, a common password", e.unnamed.word),
                by("an unknown user", e.unnamed.unknown),
            ]),
        },
    }
}

/// What all attempts have in common; or the first, said to depend on what is shown.
fn summed_up(each: Vec<OutlookMessage>) -> (OutlookMessage, Vec<OutlookMessage>) {
    let all = |verdict| each.iter().all(|one| one.verdict == verdict);
    let first = each.first().cloned().unwrap_or_default();
    // Of refusals alone the one that ends first.
    let soonest = each.iter().min_by_key(|one| one.wait_s).cloned();
    let told = match (all(ALLOW), all(REFUSE)) {
        (true, _) => first,
        (_, true) => soonest.unwrap_or(first),
        _ => OutlookMessage {
            verdict: "depends".to_owned(),
            ..first
        },
    };
    (told, each)
}

fn by(attempt: &str, outlook: Outlook) -> OutlookMessage {
    let (verdict, reason, wait) = match outlook {
        Ok(reason) => (ALLOW, reason, Duration::ZERO),
        Err(Refusal { reason, wait }) => (REFUSE, reason, wait),
    };
    OutlookMessage {
        attempt: attempt.to_owned(),
        verdict: verdict.to_owned(),
        reason: reason.to_string(),
        wait_s: wait.as_secs(),
    }
}

/// What is known of a user.
pub(super) fn user(
    name: &UserName,
    id: UserId,
    e: &UserExplanation,
    places: &Places,
    clock: Clock,
) -> UserMessage {
    let network = |one: &UserNetwork| UserNetworkMessage {
        network: one.network.to_string(),
        place: places.find(ClientKey::new(one.network.address())).shown(),
        since: time(one.since, clock),
        last_login: time(one.last, clock),
        trust: one.trust.to_string(),
        outlook: by("a new password", one.outlook),
    };
    UserMessage {
        user: name.to_string(),
        id: id.to_string(),
        known: e.known,
        trap: e.is_trap,
        rule: e.rule.as_ref().map(rule),
        last_login: e.last.map(|last| time(last, clock)),
        networks: e.networks.iter().map(network).collect(),
        suspicion: e.suspicion.as_ref().map(|one| suspicion(one, clock)),
        devices: e.devices.iter().map(|one| device(one, clock)).collect(),
        buckets: e.buckets.iter().map(bucket).collect(),
        mode: mode(e.mode, e.settling_until),
        decisions: e.decisions.iter().map(|one| decision(one, clock)).collect(),
        past: Vec::new(),
        programs: Vec::new(),
        decided: Vec::new(),
    }
}

fn suspicion(one: &Suspicion, clock: Clock) -> SuspicionMessage {
    let place = |place: &NewPlace| NewPlaceMessage {
        network: place.region.to_string(),
        country: place.country.map(|country| country.to_string()),
        system: place.system,
        at: time(place.at, clock),
    };
    SuspicionMessage {
        since: time(one.since, clock),
        cause: one.cause.to_string(),
        held: one.far_logins == FarLogins::Hold,
        places: one.places.iter().map(place).collect(),
    }
}

fn device(one: &UserDeviceStanding, clock: Clock) -> UserDeviceMessage {
    UserDeviceMessage {
        last_login: time(one.last, clock),
        came_back: one.ticket == DeviceTicket::Returned,
        familiar: one.is_familiar,
        wrong: u32::from(one.failures),
    }
}

/// One of the known users, with the name where the operator gave it.
pub(super) fn known_user(one: KnownUser, name: Option<String>, clock: Clock) -> KnownUserMessage {
    let network = |(network, last): (NetworkKey, Moment)| LoginNetworkMessage {
        network: network.to_string(),
        last_login: time(last, clock),
    };
    KnownUserMessage {
        user: name,
        id: one.id.to_string(),
        last_login: one.last.map(|last| time(last, clock)),
        networks: one.networks.into_iter().map(network).collect(),
        password_listed: None,
        devices: one.devices as u64,
    }
}

/// What the owner has set for one user, in words.
fn rule(rule: &UserRule) -> String {
    fn list(all: &[impl ToString]) -> String {
        let texts: Vec<String> = all.iter().map(ToString::to_string).collect();
        texts.join(", ")
    }
    let mut said = Vec::new();
    if rule.mailbox == Mailbox::Decoy {
        said.push("a decoy: nobody has this mailbox, and who tries it is banned".to_owned());
    }
    if !rule.networks.is_empty() {
        said.push(format!("only from {}", list(&rule.networks)));
    }
    if !rule.countries.is_empty() {
        said.push(format!("only from the countries {}", list(&rule.countries)));
    }
    if !rule.closed.is_empty() {
        let mut closed = rule.closed.clone();
        closed.dedup_by_key(|door| door.as_str());
        said.push(format!("not by {}", list(&closed)));
    }
    if let Some(sessions) = rule.sessions {
        said.push(format!("{sessions} sessions at once"));
    }
    match said.is_empty() {
        true => "nothing is set".to_owned(),
        false => said.join("; "),
    }
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Deny => "shut out by [networks] (deny, deny-files or only)",
        Standing::Banned => "banned",
        Standing::Allow => "on the allow list",
        Standing::Familiar => "a familiar network",
        Standing::Stranger => "a stranger",
    }
}

fn decision(decision: &recent::Decision, clock: Clock) -> DecisionMessage {
    DecisionMessage {
        at: time(decision.at, clock),
        session: SessionId::new(decision.session).to_string(),
        client: decision.client.to_string(),
        user: decision.user().map(|user| user.to_string()),
        verdict: decision.answer.to_string(),
        reason: decision.reason.to_string(),
        door: decision.door.to_string(),
        wait_s: decision.wait.as_secs(),
    }
}
