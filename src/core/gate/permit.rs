//! permit - the answers of the two stages, and the proof that the gate was asked
//!
//! Apart from the words of `request::verdict`, for a permit carries what the gate's tables know.
//! Only the first stage can tell an attempt to wait; only what was decided can be told to a client.
//! Not here: how an answer is found (`judge`), what an outcome does with a permit (`settle`).

use std::time::Duration;

use crate::gate::acquaintance::Acquaintance;
use crate::gate::case::{Basis, Claim};
use crate::gate::queue::QueueClass;
use crate::gate::request::keys::UserId;
use crate::gate::request::verdict::{Reason, Refusal};

/// The answer of the first stage, before an attempt has a turn at Postfix.
#[derive(Debug)]
#[must_use]
pub enum First {
    /// It needs no turn: this is the verdict.
    Decided(Verdict),
    /// Take a turn with this class, then ask again with `Gate::judge_in_turn`: it is not familiar, or the
    /// backend is suspected to fail.
    Wait(QueueClass),
}

/// The gate's verdict on one attempt.
#[derive(Debug)]
#[must_use]
pub enum Verdict {
    /// Forward it now, and settle the permit with the outcome.
    Allow(Permit),
    /// The same wrong password as a moment ago: answer 535 without asking Postfix.
    Repeat,
    /// Answer 454.
    Refuse(Refusal),
    /// At a door that knows no "later": ask again when another attempt of the client is settled, which holds what this one
    /// needs, or refuse it with this. Nothing was taken or noted.
    Crowded(Refusal),
}

impl From<Verdict> for First {
    fn from(verdict: Verdict) -> Self {
        Self::Decided(verdict)
    }
}

/// Proof that the gate was asked, and the tokens it took. Only the gate can make one.
///
/// A permit that is dropped unsettled keeps its tokens spent, as if the attempt had failed.
#[derive(Debug)]
#[must_use = "settle it with the outcome, or its tokens are lost"]
pub struct Permit {
    pub(in crate::gate) claim: Box<Claim>,
}

impl Permit {
    /// What the attempt is forwarded on: the last bucket it paid, or why it pays none.
    pub fn grounds(&self) -> Reason {
        self.claim.grounds
    }

    /// The user that it was given for.
    pub fn user(&self) -> UserId {
        self.claim.case.user
    }

    /// How well the user was known at the client when it was judged.
    pub fn acquaintance(&self) -> Acquaintance {
        Acquaintance::of(self.claim.case.user, &self.claim.case.who)
    }

    /// How long its password must wait before it is checked: then its tokens are there.
    pub fn delay(&self) -> Duration {
        self.claim.delay
    }

    /// The class in which it waits once more, to have a proof checked.
    pub fn class_in_exchange(&self) -> QueueClass {
        let class = self.claim.class.unwrap_or(QueueClass::Ordinary);
        class.in_exchange()
    }

    /// Whether tokens were taken for it: else it is no new guess, or nobody counts.
    pub fn holds_tokens(&self) -> bool {
        self.claim.tokens.iter().next().is_some()
    }

    /// What would have refused it, but for a dry run or settling in.
    pub fn would_refuse(&self) -> Option<Reason> {
        match self.claim.basis {
            Basis::Settling | Basis::DryRun => Some(self.claim.grounds),
            Basis::Listed | Basis::Paid | Basis::Repeat | Basis::Doubted => None,
        }
    }
}
