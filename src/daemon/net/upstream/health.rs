//! health - whether an address of Postfix works, told in the log when that changes
//!
//! A thousand sessions that meet a dead Postfix make one line, and one more when it is back; a fault of
//! another kind in between makes one more. Greeting and login are two matters: with Dovecot gone,
//! Postfix greets as ever and fails at AUTH.
//! Not here: what is tried while Postfix is dead (`upstream`).

use std::mem::Discriminant;
use std::sync::{Mutex, PoisonError};

use tracing::{info, warn};

use crate::net::upstream::{Address, UpstreamFault};

/// What is known of one address.
#[derive(Debug, Default)]
pub(super) struct Health {
    greeting: Mutex<Greeting>,
    login: Mutex<Matter>,
}

/// How its greeting fares.
#[derive(Debug, Default)]
struct Greeting {
    /// The last try met nobody.
    silent: bool,
    /// How many tries were answered.
    answered: u64,
    matter: Matter,
}

/// When a try began: how many had been answered by then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Began(u64);

/// What was told of one thing that an address does for us.
#[derive(Debug, Default)]
struct Matter {
    /// The kinds of faults that were told since it was last well.
    told: Vec<Discriminant<UpstreamFault>>,
}

/// What a try told that was not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    None,
    Fault,
    Well,
}

impl Greeting {
    /// Notes how a try went. That one met nobody says nothing where a later one was answered.
    fn note(&mut self, began: Began, fault: Option<&UpstreamFault>) -> News {
        match fault {
            None => {
                self.silent = false;
                self.answered += 1;
            }
            Some(fault) if fault.is_silence() => self.silent |= began.0 == self.answered,
            Some(_) => self.silent = false,
        }
        self.matter.note(fault)
    }
}

impl Matter {
    fn note(&mut self, fault: Option<&UpstreamFault>) -> News {
        let Some(fault) = fault else {
            let was_well = std::mem::take(&mut self.told).is_empty();
            return if was_well { News::None } else { News::Well };
        };
        let kind = std::mem::discriminant(fault);
        if self.told.contains(&kind) {
            return News::None;
        }
        self.told.push(kind);
        News::Fault
    }
}

impl Health {
    /// Whether the last try to greet met nobody.
    pub(super) fn is_dead(&self) -> bool {
        with(&self.greeting, |greeting| greeting.silent)
    }

    /// A try to greet begins.
    pub(super) fn begin(&self) -> Began {
        with(&self.greeting, |greeting| Began(greeting.answered))
    }

    /// Notes how connecting and EHLO went, in a try that `began` then.
    pub(super) fn note_greeting(
        &self,
        address: &Address,
        began: Began,
        fault: Option<&UpstreamFault>,
    ) {
        let news = with(&self.greeting, |greeting| greeting.note(began, fault));
        match (news, fault) {
            (News::Fault, Some(fault)) => {
                warn!(upstream = %address, fault = fault.to_string(), "upstream fails");
            }
            (News::Well, _) => info!(upstream = %address, "upstream is back"),
            _ => {}
        }
    }

    /// Notes how an AUTH went: 235 and 535 are both well.
    pub(super) fn note_login(&self, address: &Address, fault: Option<&UpstreamFault>) {
        match (with(&self.login, |matter| matter.note(fault)), fault) {
            (News::Fault, Some(fault)) => {
                warn!(upstream = %address, fault = fault.to_string(), "upstream fails at AUTH");
            }
            (News::Well, _) => info!(upstream = %address, "upstream checks passwords again"),
            _ => {}
        }
    }
}

fn with<M, T>(matter: &Mutex<M>, work: impl FnOnce(&mut M) -> T) -> T {
    work(&mut matter.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::upstream::Step;

    #[test]
    fn each_kind_of_fault_is_news_once_until_it_is_well_again() {
        let mut matter = Matter::default();
        let silent = UpstreamFault::TimedOut(Step::Connect);
        let escape = UpstreamFault::OffersStartTls;
        assert_eq!(matter.note(None), News::None);
        assert_eq!(matter.note(Some(&silent)), News::Fault);
        assert_eq!(matter.note(Some(&escape)), News::Fault);
        for fault in [&silent, &escape, &UpstreamFault::TimedOut(Step::Greeting)] {
            assert_eq!(matter.note(Some(fault)), News::None);
        }
        assert_eq!(matter.note(None), News::Well);
        assert_eq!(matter.note(None), News::None);
        assert_eq!(matter.note(Some(&silent)), News::Fault);
    }
    #[test]
    fn a_silence_counts_unless_a_later_try_was_answered() {
        let silent = UpstreamFault::TimedOut(Step::Greeting);
        let mut greeting = Greeting::default();
        let (early, late) = (Began(greeting.answered), Began(greeting.answered));
        greeting.note(late, None);
        greeting.note(early, Some(&silent));
        assert!(!greeting.silent, "Postfix was there a moment ago");
        let next = Began(greeting.answered);
        greeting.note(next, Some(&silent));
        assert!(greeting.silent);
        greeting.note(early, Some(&silent));
        assert!(greeting.silent);
        greeting.note(next, Some(&UpstreamFault::OffersStartTls));
        assert!(!greeting.silent, "somebody is there");
    }
}
