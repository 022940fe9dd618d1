//! health - whether an address of Postfix works; changes are logged once
//!
//! A thousand sessions that meet a dead Postfix write one line, and one more when it has recovered; a fault of
//! another kind in between writes one more. Greeting and login are separate checks: when Dovecot is down,
//! Postfix still greets, and fails at AUTH. A connection that is closed before its greeting and another that gets
//! none are what a Postfix shows whose master does not start processes for a while (master(8), service_throttle_time).
//! Not here: what is tried while Postfix is dead (`upstream`).

use std::mem::Discriminant;
use std::sync::{Mutex, PoisonError};

use tracing::{info, warn};

use crate::net::upstream::{UpstreamAddress, UpstreamFault, UpstreamStep};

/// So many tries in a row that failed are no accident, as a Postfix that restarts is.
const LASTING: u32 = 2;

/// The state of one address.
#[derive(Debug, Default)]
pub(super) struct AddressHealth {
    greeting: Mutex<GreetingState>,
    login: Mutex<CheckState>,
}

/// The state of an address's greeting.
#[derive(Debug, Default)]
struct GreetingState {
    /// The last try got no answer.
    unanswered: bool,
    /// How many tries were answered.
    answered: u64,
    /// How many have failed since, those that began before not counted.
    failed: u32,
    throttle: Throttle,
    check: CheckState,
}

/// What was seen, since somebody was answered, of a master that starts no process for a while.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Throttle {
    /// Nothing.
    #[default]
    None,
    /// A process died before its greeting.
    Died,
    /// Then there was no greeting.
    Suspected,
}

/// When a try began: how many had been answered by then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Began(u64);

/// The state of one check of an address.
#[derive(Debug, Default)]
struct CheckState {
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

impl Throttle {
    fn after(self, fault: Option<&UpstreamFault>) -> Self {
        use UpstreamFault::{Closed, Lost, TimedOut};
        const GREETING: UpstreamStep = UpstreamStep::Greeting;
        match (self, fault) {
            (_, None) => Self::None,
            (Self::None, Some(Closed(GREETING) | Lost(GREETING, _))) => Self::Died,
            (Self::Died, Some(TimedOut(GREETING))) => Self::Suspected,
            (so_far, Some(_)) => so_far,
        }
    }
}

impl GreetingState {
    /// Records the result of a try. No answer means nothing if a later try was answered.
    fn note(&mut self, began: Began, fault: Option<&UpstreamFault>) -> HealthChange {
        match fault {
            None => {
                self.unanswered = false;
                self.answered += 1;
                self.failed = 0;
            }
            Some(fault) if fault.is_no_answer() => self.unanswered |= began.0 == self.answered,
            Some(_) => self.unanswered = false,
        }
        if fault.is_some() && began.0 == self.answered {
            self.failed = self.failed.saturating_add(1);
        }
        self.throttle = self.throttle.after(fault);
        self.check.note(fault)
    }
}

impl CheckState {
    fn note(&mut self, fault: Option<&UpstreamFault>) -> HealthChange {
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
        with_lock(&self.greeting, |greeting| greeting.unanswered)
    }

    /// Whether the last tries to connect and greet got no answer.
    pub(super) fn is_lastingly_dead(&self) -> bool {
        with_lock(&self.greeting, |greeting| {
            greeting.unanswered && greeting.failed >= LASTING
        })
    }

    /// Whether the last tries to connect and greet failed, for whatever reason.
    pub(super) fn has_failed_lastingly(&self) -> bool {
        with_lock(&self.greeting, |greeting| greeting.failed >= LASTING)
    }

    /// A try to connect and greet begins.
    pub(super) fn begin(&self) -> Began {
        with_lock(&self.greeting, |greeting| Began(greeting.answered))
    }

    /// Whether somebody was answered since then.
    pub(super) fn has_answered_since(&self, began: Began) -> bool {
        with_lock(&self.greeting, |greeting| greeting.answered != began.0)
    }

    /// Records the result of connecting and EHLO, in a try that `began` then.
    pub(super) fn note_greeting(
        &self,
        address: &UpstreamAddress,
        began: Began,
        fault: Option<&UpstreamFault>,
    ) {
        let (change, is_new_suspicion) = with_lock(&self.greeting, |greeting| {
            let before = greeting.throttle;
            let change = greeting.note(began, fault);
            let now = greeting.throttle;
            (change, before != now && now == Throttle::Suspected)
        });
        if is_new_suspicion {
            warn!(
                upstream = %address,
                "Postfix seems to start no process: its master waits, for 60 s by default, after one has died at its \
                 start; the mail log says why it died, and service_throttle_time = 2s in main.cf shortens the wait"
            );
        }
        match (change, fault) {
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

fn with_lock<S, T>(state: &Mutex<S>, work: impl FnOnce(&mut S) -> T) -> T {
    work(&mut state.lock().unwrap_or_else(PoisonError::into_inner))
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

    #[test]
    fn a_closed_connection_and_then_silence_are_a_throttled_master() {
        let closed = UpstreamFault::Closed(UpstreamStep::Greeting);
        let silent = UpstreamFault::TimedOut(UpstreamStep::Greeting);
        let seen = |faults: &[Option<&UpstreamFault>]| {
            let after = |throttle: Throttle, fault: &Option<&UpstreamFault>| throttle.after(*fault);
            faults.iter().fold(Throttle::None, after)
        };
        let (closed, silent) = (Some(&closed), Some(&silent));
        assert_eq!(seen(&[closed, closed, silent]), Throttle::Suspected);
        assert_eq!(seen(&[closed, silent, closed]), Throttle::Suspected);
        assert_eq!(seen(&[silent, closed]), Throttle::Died);
        assert_eq!(seen(&[closed, None, silent]), Throttle::None);
        let at_auth = UpstreamFault::Closed(UpstreamStep::Auth);
        assert_eq!(seen(&[Some(&at_auth), silent]), Throttle::None);
    }

    #[test]
    fn a_silence_counts_unless_a_later_try_was_answered() {
        let unanswered = UpstreamFault::TimedOut(UpstreamStep::Greeting);
        let mut greeting = GreetingState::default();
        let (early, late) = (Began(greeting.answered), Began(greeting.answered));
        greeting.note(late, None);
        greeting.note(early, Some(&unanswered));
        assert!(!greeting.unanswered, "Postfix was there a moment ago");
        let next = Began(greeting.answered);
        greeting.note(next, Some(&unanswered));
        assert!(greeting.unanswered);
        greeting.note(early, Some(&unanswered));
        assert!(greeting.unanswered);
        greeting.note(next, Some(&UpstreamFault::OffersStartTls));
        assert!(!greeting.unanswered, "it answered");
    }

    #[test]
    fn one_try_that_failed_is_an_accident_and_two_without_an_answer_between_are_none() {
        let unanswered = UpstreamFault::TimedOut(UpstreamStep::Connect);
        let address = UpstreamAddress::Unix("/nowhere".into());
        let health = AddressHealth::default();
        let fail = |began| health.note_greeting(&address, began, Some(&unanswered));
        let late = health.begin();
        fail(health.begin());
        assert!(!health.has_failed_lastingly());
        health.note_greeting(&address, health.begin(), None);
        fail(late);
        fail(health.begin());
        assert!(!health.is_lastingly_dead(), "one of them began before");
        fail(health.begin());
        assert!(health.is_lastingly_dead() && health.has_failed_lastingly());
        let wrong = UpstreamFault::OffersStartTls;
        health.note_greeting(&address, health.begin(), Some(&wrong));
        assert!(!health.is_lastingly_dead(), "it answered");
        health.note_greeting(&address, health.begin(), None);
        assert!(!health.has_failed_lastingly());
    }
}
