//! incident - what happens to the server itself: Dovecot fails, the machine restarts
//!
//! Not here: what the gate does about it (`gate::trust`, `gate::state`).

use std::time::Duration;

use crate::traffic::policy::Incident;
use crate::traffic::{DAY, HOUR, SECOND, START, SimulationPlan};
use gatepost_core::moment::Moment;

/// What happens, every day anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IncidentSchedule {
    /// Nothing.
    None,
    /// From noon to one Dovecot fails, and Postfix answers 535 to all.
    FailingDovecot,
    /// At three in the morning a restart; at three in the afternoon kill -9, 50 s after the snapshot.
    Restarts,
}

impl IncidentSchedule {
    /// Whether Dovecot fails.
    pub(crate) fn dovecot_fails(self, now: Moment) -> bool {
        let time = now.since(START).as_secs() % DAY.as_secs();
        let noon = (HOUR * 12).as_secs();
        self == Self::FailingDovecot && (noon..noon + HOUR.as_secs()).contains(&time)
    }

    /// What happens in a plan, in the order of time.
    pub(crate) fn schedule(self, plan: &SimulationPlan) -> Vec<(Moment, Incident)> {
        if self != Self::Restarts {
            return Vec::new();
        }
        let afternoon = HOUR * 15;
        let times: [(Duration, Incident); 3] = [
            (HOUR * 3, Incident::Restart),
            (afternoon, Incident::Snapshot),
            (afternoon + SECOND * 50, Incident::Kill),
        ];
        let days = (0..plan.days).map(|day| START + DAY * day);
        days.flat_map(|day| times.map(|(time, incident)| (day + time, incident)))
            .collect()
    }
}
