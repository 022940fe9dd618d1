//! full_telling - what a machine tells part by part: all that it knows, what is of late, or what it told before
//!
//! Not here: when it is told (`sync`), what is told (`gate::tell`).

use crate::cluster::message::{ClusterTold, FullAnswer};
use gatepost_core::gate::Gate;
use gatepost_core::gate::request::change::Change;
use gatepost_core::gate::spent::UserDebt;
use gatepost_core::gate::tell::Telling;
use gatepost_core::moment::Moment;

/// Batches of users that are told in one round.
pub(super) const PER_ROUND: usize = 4;
/// Debts that are told in one round.
pub(super) const DEBTS: usize = 1920;

/// What is told unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unasked {
    Recent,
    /// The machine that answered this one knows less.
    All,
}

/// Why something is being told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TellingCause {
    Unasked(Unasked),
    /// Somebody has asked for all.
    Asked(FullAnswer),
    /// Somebody lacks letters after this number; the last number when it was told again.
    Lacked(u64, u64),
}

/// What is being told.
#[derive(Debug)]
pub(super) struct FullTelling {
    pub(super) cause: TellingCause,
    pub(super) facts: ToldFacts,
    /// What users owe: told to who has asked, behind all else. None: it is not looked up yet.
    debts: Option<Vec<UserDebt>>,
}

/// Where the facts are that are told.
#[derive(Debug)]
pub(super) enum ToldFacts {
    /// In the gate.
    Known(Telling),
    /// They were told before.
    Again(Vec<Change>),
    /// All are told.
    None,
}

/// What to tell next: what is no fact, then facts, then debts. An end stands behind all of it.
#[derive(Debug, Default)]
pub(in crate::server::sharing) struct NextTold {
    pub(in crate::server::sharing) letters: Vec<ClusterTold>,
    pub(in crate::server::sharing) facts: Vec<Change>,
    /// These facts were told before, after this number.
    pub(in crate::server::sharing) again: Option<u64>,
    pub(in crate::server::sharing) debts: Vec<UserDebt>,
    pub(in crate::server::sharing) end: Option<ClusterTold>,
}

impl FullTelling {
    /// One of which nothing was told yet.
    pub(super) const fn new(cause: TellingCause, facts: ToldFacts) -> Self {
        Self {
            cause,
            facts,
            debts: None,
        }
    }

    /// Tells the next part; whether that was all.
    pub(super) fn go_on(&mut self, gate: &Gate, now: Moment, told: &mut NextTold) -> bool {
        match &mut self.facts {
            ToldFacts::Known(telling) => {
                for _ in 0..PER_ROUND {
                    match gate.next_told(telling, now) {
                        Some(more) => told.facts.extend(more),
                        None => {
                            self.facts = ToldFacts::None;
                            break;
                        }
                    }
                }
            }
            ToldFacts::Again(facts) => {
                told.facts.append(facts);
                if let TellingCause::Lacked(since, _) = self.cause {
                    told.again = Some(since);
                }
                self.facts = ToldFacts::None;
            }
            ToldFacts::None => {}
        }
        if !matches!(self.facts, ToldFacts::None) {
            return false;
        }
        let cause = self.cause;
        let debts = self.debts.get_or_insert_with(|| match cause {
            TellingCause::Unasked(_) => Vec::new(),
            TellingCause::Asked(_) | TellingCause::Lacked(..) => gate.user_debts(now),
        });
        let rest = debts.len().saturating_sub(DEBTS);
        told.debts = debts.split_off(rest);
        if rest == 0 {
            told.end = match cause {
                TellingCause::Unasked(_) => None,
                TellingCause::Asked(answer) => Some(ClusterTold::Ends(answer)),
                TellingCause::Lacked(since, from) => Some(ClusterTold::ToldAgain { since, from }),
            };
        }
        rest == 0
    }
}
