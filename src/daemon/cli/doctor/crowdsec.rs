//! crowdsec - whether CrowdSec tells its decisions and takes our bans
//!
//! Told by the running Gatepost: a second program that asks with its key would take away what it is to be told.
//! Not here: the files (`config`).

use super::diagnosis::Diagnosis;
use super::{Config, MailMachine};
use crate::admin::message::LapiMessage;

const TOPIC: &str = "crowdsec";

/// Nothing where the config has no such section.
pub(super) fn look(machine: &MailMachine) -> Vec<Diagnosis> {
    let Config { crowdsec, .. } = &machine.config;
    if crowdsec.is_none() {
        return Vec::new();
    }
    let running = machine.running.as_ref();
    let Some(told) = running.map(|running| running.status.crowdsec.as_ref()) else {
        return vec![Diagnosis::note(
            TOPIC,
            "no gatepost is running that would ask CrowdSec",
        )];
    };
    let Some(told) = told else {
        let message = "the running gatepost does not know of [crowdsec] yet";
        return vec![Diagnosis::wrong(TOPIC, message, "restart gatepost")];
    };
    let decisions = told.decisions.as_ref().map(|lapi| {
        let good = format!("tells its decisions: {} in force", told.in_force);
        judge(lapi, &good, "does not tell its decisions")
    });
    let bans = told
        .bans
        .as_ref()
        .map(|lapi| judge(lapi, "takes bans", "does not take bans"));
    decisions.into_iter().chain(bans).collect()
}

fn judge(lapi: &LapiMessage, good: &str, bad: &str) -> Diagnosis {
    let reason = lapi.reason.as_deref().unwrap_or_default();
    match lapi.state.as_str() {
        "answers" => Diagnosis::good(TOPIC, good),
        "fails" => {
            let since = lapi.since.as_deref().unwrap_or_default();
            let message = format!("{bad} since {since}: {reason}");
            Diagnosis::wrong(
                TOPIC,
                message,
                "`cscli lapi status` tells whether it runs, `cscli bouncers list` and `cscli machines list` who may ask",
            )
        }
        _ => Diagnosis::note(TOPIC, format!("{good}: nothing has been tried yet")),
    }
}
