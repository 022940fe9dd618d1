//! health - whether an address of Postfix works, and since when; changes are logged once
//!
//! Greeting and login are separate checks: when Dovecot is down,
//! Postfix still greets, and fails at AUTH. A connection that is closed before its greeting and another that gets
//! none are what a Postfix shows whose master does not start processes for a while (master(8), service_throttle_time).
//! Not here: which faults are a change (`fault_changes`), whose faults at AUTH count (`login_state`), what makes an address usable (`usable`), what is tried while
//! Postfix is dead (`upstream`).

use std::sync::{Mutex, PoisonError};

use tracing::{info, warn};

use crate::clock::Clock;
use crate::net::upstream::fault_changes::{CheckState, HealthChange};
use crate::net::upstream::login_state::LoginState;
use crate::net::upstream::usable::Usability;
use crate::net::upstream::{Party, UpstreamAddress, UpstreamFault, UpstreamStep};
use gatepost_core::gate::request::client::NetworkKey;
use gatepost_core::moment::Moment;

/// So many tries in a row that failed are no accident, as a Postfix that restarts is.
const LASTING: u32 = 2;

/// The state of one address.
#[derive(Debug)]
pub(super) struct AddressHealth {
    greeting: Mutex<GreetingState>,
    login: Mutex<LoginState>,
    clock: Clock,
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
    usability: Usability,
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

impl Throttle {
    fn after(self, fault: Option<&UpstreamFault>) -> Self {
        use UpstreamFault::{DiesAtGreeting, Lost, TimedOut};
        const GREETING: UpstreamStep = UpstreamStep::Greeting;
        match (self, fault) {
            (_, None) => Self::None,
            (Self::None, Some(DiesAtGreeting | Lost(GREETING, _))) => Self::Died,
            (Self::Died, Some(TimedOut(GREETING))) => Self::Suspected,
            (so_far, Some(_)) => so_far,
        }
    }
}

impl GreetingState {
    /// Records the result of a try. No answer means nothing if a later try was answered.
    fn note(
        &mut self,
        party: Party<'_>,
        began: Began,
        fault: Option<&UpstreamFault>,
        now: Moment,
    ) -> HealthChange {
        let is_late = began.0 != self.answered;
        match fault {
            None => {
                self.unanswered = false;
                self.answered += 1;
                self.failed = 0;
                self.usability.found(None, now);
            }
            Some(fault) if fault.is_no_answer() && is_late => {}
            Some(fault) => {
                self.unanswered = fault.is_no_answer();
                // What Postfix has against one client it need not have against others.
                if self.unanswered || matches!(party, Party::Probe) {
                    self.usability.found(Some(fault), now);
                }
            }
        }
        if fault.is_some() && began.0 == self.answered {
            self.failed = self.failed.saturating_add(1);
        }
        self.throttle = self.throttle.after(fault);
        self.check.note(fault)
    }
}

impl AddressHealth {
    /// Nothing is known yet.
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            greeting: Mutex::default(),
            login: Mutex::default(),
            clock,
        }
    }

    /// Whether logins can be passed there: greeted as it must be, and the last AUTH was answered.
    pub(super) fn usability(&self) -> Usability {
        let greeting = self.greets();
        let now = self.clock.now();
        let failing = with_lock(&self.login, |login| login.failing(now));
        match failing {
            Some(failing) if greeting.is_usable() => failing,
            _ => greeting,
        }
    }

    /// Whether it greets as it must, whatever comes of logins.
    pub(super) fn greets(&self) -> Usability {
        with_lock(&self.greeting, |greeting| greeting.usability.clone())
    }

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
        party: Party<'_>,
        began: Began,
        fault: Option<&UpstreamFault>,
    ) {
        let now = self.clock.now();
        let (change, is_new_suspicion) = with_lock(&self.greeting, |greeting| {
            let before = greeting.throttle;
            let change = greeting.note(party, began, fault, now);
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
                warn!(upstream = %address, fault = fault.complaint().to_string(), "upstream fails");
            }
            (HealthChange::Recovered, _) => info!(upstream = %address, "upstream recovered"),
            _ => {}
        }
    }

    /// Records the result of an AUTH for a client of this network: 235 and 535 both mean that it works.
    pub(super) fn note_login(
        &self,
        address: &UpstreamAddress,
        network: NetworkKey,
        fault: Option<&UpstreamFault>,
    ) {
        let now = self.clock.now();
        let change = with_lock(&self.login, |login| login.note(network, fault, now));
        match (change, fault) {
            (HealthChange::Fault, Some(fault)) => {
                warn!(upstream = %address, fault = fault.complaint().to_string(), "upstream fails at AUTH");
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
    use crate::net::upstream::{ClientOrigin, UpstreamStep};

    #[test]
    fn a_closed_connection_and_then_silence_are_a_throttled_master() {
        let closed = UpstreamFault::DiesAtGreeting;
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
        let note = |greeting: &mut GreetingState, began, fault| {
            greeting.note(Party::Probe, began, fault, Moment::EPOCH);
        };
        let (early, late) = (Began(greeting.answered), Began(greeting.answered));
        note(&mut greeting, late, None);
        note(&mut greeting, early, Some(&unanswered));
        assert!(!greeting.unanswered, "Postfix was there a moment ago");
        let next = Began(greeting.answered);
        note(&mut greeting, next, Some(&unanswered));
        assert!(greeting.unanswered);
        note(&mut greeting, early, Some(&unanswered));
        assert!(greeting.unanswered);
        note(&mut greeting, next, Some(&UpstreamFault::OffersStartTls));
        assert!(!greeting.unanswered, "it answered");
    }

    #[test]
    fn one_try_that_failed_is_an_accident_and_two_without_an_answer_between_are_none() {
        let unanswered = UpstreamFault::TimedOut(UpstreamStep::Connect);
        let address = UpstreamAddress::Unix("/nowhere".into());
        let health = AddressHealth::new(Clock::start());
        let fail = |began| health.note_greeting(&address, Party::Probe, began, Some(&unanswered));
        let late = health.begin();
        fail(health.begin());
        assert!(!health.has_failed_lastingly());
        health.note_greeting(&address, Party::Probe, health.begin(), None);
        fail(late);
        fail(health.begin());
        assert!(!health.is_lastingly_dead(), "one of them began before");
        fail(health.begin());
        assert!(health.is_lastingly_dead() && health.has_failed_lastingly());
        let wrong = UpstreamFault::OffersStartTls;
        health.note_greeting(&address, Party::Probe, health.begin(), Some(&wrong));
        assert!(!health.is_lastingly_dead(), "it answered");
        health.note_greeting(&address, Party::Probe, health.begin(), None);
        assert!(!health.has_failed_lastingly());
    }

    #[test]
    fn what_postfix_has_against_one_client_does_not_count_for_all() {
        let mut greeting = GreetingState::default();
        let refused = UpstreamFault::OffersXclient;
        let origin = ClientOrigin {
            client: "203.0.113.7:1".parse().unwrap(),
            listener: "192.0.2.1:465".parse().unwrap(),
            helo: None,
        };
        greeting.note(Party::Probe, Began(0), None, Moment::EPOCH);
        let client = Party::Client(&origin);
        greeting.note(client, Began(1), Some(&refused), Moment::EPOCH);
        assert!(greeting.usability.is_usable());
        let ended = UpstreamFault::DiesAtGreeting;
        greeting.note(client, Began(1), Some(&ended), Moment::EPOCH);
        assert!(!greeting.usability.is_usable(), "it answers nobody");
        greeting.note(client, Began(1), None, Moment::EPOCH);
        assert!(greeting.usability.is_usable());
        greeting.note(Party::Probe, Began(2), Some(&refused), Moment::EPOCH);
        assert!(!greeting.usability.is_usable());
    }
}
