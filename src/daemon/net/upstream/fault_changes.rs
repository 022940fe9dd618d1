//! fault_changes - which faults of a check are told: each kind once, until it works again
//!
//! A thousand sessions that meet a dead Postfix write one line, and one more when it has recovered; a fault of
//! another kind in between writes one more.
//! Not here: the checks (`health`, `login_state`).

use std::mem::Discriminant;

use crate::net::upstream::UpstreamFault;

/// The state of one check of an address.
#[derive(Debug, Default)]
pub(super) struct CheckState {
    /// The kinds of faults that were logged since it last worked.
    logged: Vec<Discriminant<UpstreamFault>>,
}

/// The change that a try brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HealthChange {
    None,
    Fault,
    Recovered,
}

impl CheckState {
    pub(super) fn note(&mut self, fault: Option<&UpstreamFault>) -> HealthChange {
        let Some(fault) = fault else {
            let had_worked = std::mem::take(&mut self.logged).is_empty();
            return if had_worked {
                HealthChange::None
            } else {
                HealthChange::Recovered
            };
        };
        let kind = std::mem::discriminant(fault);
        if self.logged.contains(&kind) {
            return HealthChange::None;
        }
        self.logged.push(kind);
        HealthChange::Fault
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::upstream::UpstreamStep;

    #[test]
    fn each_kind_of_fault_is_logged_once_until_recovery() {
        let mut check = CheckState::default();
        let unanswered = UpstreamFault::TimedOut(UpstreamStep::Connect);
        let escape = UpstreamFault::OffersStartTls;
        assert_eq!(check.note(None), HealthChange::None);
        assert_eq!(check.note(Some(&unanswered)), HealthChange::Fault);
        assert_eq!(check.note(Some(&escape)), HealthChange::Fault);
        for fault in [
            &unanswered,
            &escape,
            &UpstreamFault::TimedOut(UpstreamStep::Greeting),
        ] {
            assert_eq!(check.note(Some(fault)), HealthChange::None);
        }
        assert_eq!(check.note(None), HealthChange::Recovered);
        assert_eq!(check.note(None), HealthChange::None);
        assert_eq!(check.note(Some(&unanswered)), HealthChange::Fault);
    }
}
