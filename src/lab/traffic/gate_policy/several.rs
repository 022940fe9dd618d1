//! several - a gate that is one of several: what it tells the others, and what it is told
//!
//! Not here: which machine tells which, and when (`machines`).

use super::GatePolicy;
use gatepost_core::gate::request::change::Change;
use gatepost_core::gate::request::settings::GateSettings;
use gatepost_core::gate::{Changes, Gate};
use gatepost_core::moment::Moment;

impl GatePolicy {
    /// One of several machines: it has something to tell.
    pub(in crate::traffic) fn of_several(settings: GateSettings) -> Self {
        let policy = Self {
            told: Some(Vec::new()),
            ..Self::new(settings)
        };
        policy.gate().begin_telling_spent();
        policy
    }

    pub(in crate::traffic) const fn gate(&self) -> &Gate {
        self.judging.gate()
    }

    /// What the others are to know that they do not yet.
    pub(in crate::traffic) fn take_told(&mut self) -> Changes {
        self.keep_changes();
        self.told.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Takes in what another machine tells.
    pub(in crate::traffic) fn merge(&mut self, facts: &[Change], now: Moment) {
        for fact in facts {
            self.judging.gate().merge(fact, now, &mut self.changes);
        }
    }
}
