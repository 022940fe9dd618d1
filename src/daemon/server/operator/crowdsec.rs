//! crowdsec - how Gatepost fares with CrowdSec, as the operator's messages
//!
//! Nothing is decided here.

use super::values::time;
use crate::admin::message::{CrowdsecMessage, LapiMessage, ListMessage};
use crate::clock::Clock;
use crate::crowdsec::{LapiState, SOURCE};
use crate::server::listeners::ListenerContext;
use gatepost_core::moment::Moment;

/// None: nobody has asked for it.
pub(super) fn present(context: &ListenerContext, now: Moment) -> Option<CrowdsecMessage> {
    let settings = context.crowdsec.settings.as_ref()?;
    let state = context.crowdsec.health.get();
    let clock = context.services.judging.clock;
    let listings = context.services.judging.gate().listings(now);
    let (host, port) = (&settings.url.host, settings.url.port);
    Some(CrowdsecMessage {
        address: match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        },
        decisions: settings.key.as_ref().map(|_| lapi(state.decides, clock)),
        in_force: listings.map_or(0, |(count, _)| count as u64),
        left_out: state.left_out,
        bans: settings.machine.as_ref().map(|_| lapi(state.takes, clock)),
        told: state.told,
        not_taken: state.not_taken,
    })
}

fn lapi(state: LapiState, clock: Clock) -> LapiMessage {
    let (state, since, reason) = match state {
        LapiState::NotAsked => ("not-asked", None, None),
        LapiState::Answers { since } => ("answers", Some(since), None),
        LapiState::Fails { since, why } => ("fails", Some(since), Some(why.to_string())),
    };
    LapiMessage {
        state: state.to_owned(),
        since: since.map(|since| time(since, clock)),
        reason,
    }
}

/// The decisions in force as one of the published lists.
pub(super) fn as_list(context: &ListenerContext, now: Moment) -> Option<ListMessage> {
    let judging = &context.services.judging;
    let (networks, until) = judging.gate().listings(now)?;
    Some(ListMessage {
        source: SOURCE.to_owned(),
        networks,
        until: time(until, judging.clock),
    })
}
