//! health - whether an address of Postfix works; changes are logged once
//!
//! A thousand sessions that meet a dead Postfix write one line, and one more when it has recovered; a fault of
//! another kind in between writes one more. Greeting and login are separate checks: when Dovecot is down,
//! Postfix still greets, and fails at AUTH.
//! Not here: what is tried while Postfix is dead (`upstream`).

use std::mem::Discriminant;
use std::sync::{Mutex, PoisonError};

use tracing::{info, warn};

use crate::net::upstream::{UpstreamAddress, UpstreamFault};

/// The state of one address.
#[derive(Debug, Default)]
pub(super) struct AddressHealth {
    greeting: Mutex<CheckState>,
    login: Mutex<CheckState>,
}

/// The state of one check of an address.
#[derive(Debug, Default)]
struct CheckState {
    /// The last try got no answer.
    unanswered: bool,
    /// The kinds of faults that were logged since it last worked.
    logged: Vec<Discriminant<UpstreamFault>>,
}

/// The change that a try brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HealthChange {
    None,
    Fault,
    Recovered,
}

impl CheckState {
    fn note(&mut self, fault: Option<&UpstreamFault>) -> HealthChange {
        self.unanswered = fault.is_some_and(UpstreamFault::is_no_answer);
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

impl AddressHealth {
    /// Whether the last try to connect and greet got no answer.
    pub(super) fn is_dead(&self) -> bool {
        with_lock(&self.greeting, |check| check.unanswered)
    }

    /// Records the result of connecting and EHLO.
    pub(super) fn note_greeting(&self, address: &UpstreamAddress, fault: Option<&UpstreamFault>) {
        match (with_lock(&self.greeting, |check| check.note(fault)), fault) {
            (HealthChange::Fault, Some(fault)) => {
                warn!(upstream = %address, fault = fault.to_string(), "upstream fails");
            }
            (HealthChange::Recovered, _) => info!(upstream = %address, "upstream recovered"),
            _ => {}
        }
    }

    /// Records the result of an AUTH: 235 and 535 both mean that it works.
    pub(super) fn note_login(&self, address: &UpstreamAddress, fault: Option<&UpstreamFault>) {
        match (with_lock(&self.login, |check| check.note(fault)), fault) {
            (HealthChange::Fault, Some(fault)) => {
                warn!(upstream = %address, fault = fault.to_string(), "upstream fails at AUTH");
            }
            (HealthChange::Recovered, _) => {
                info!(upstream = %address, "upstream recovered at AUTH")
            }
            _ => {}
        }
    }
}

fn with_lock<T>(check: &Mutex<CheckState>, work: impl FnOnce(&mut CheckState) -> T) -> T {
    work(&mut check.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::upstream::Step;

    #[test]
    fn each_kind_of_fault_is_logged_once_until_recovery() {
        let mut check = CheckState::default();
        let unanswered = UpstreamFault::TimedOut(Step::Connect);
        let escape = UpstreamFault::OffersStartTls;
        assert_eq!(check.note(None), HealthChange::None);
        assert_eq!(check.note(Some(&unanswered)), HealthChange::Fault);
        assert!(check.unanswered);
        assert_eq!(check.note(Some(&escape)), HealthChange::Fault);
        assert!(!check.unanswered);
        for fault in [
            &unanswered,
            &escape,
            &UpstreamFault::TimedOut(Step::Greeting),
        ] {
            assert_eq!(check.note(Some(fault)), HealthChange::None);
        }
        assert_eq!(check.note(None), HealthChange::Recovered);
        assert_eq!(check.note(None), HealthChange::None);
        assert_eq!(check.note(Some(&unanswered)), HealthChange::Fault);
    }
}
