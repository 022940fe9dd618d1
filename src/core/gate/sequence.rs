//! sequence - the one way of an attempt: first stage, turn, second stage, settlement
//!
//! Pure: the same sequence runs live (the daemon's `judging`), replays old logs, and simulates. An attempt
//! begins; it is granted, refused, or has to wait. An attempt that waits enters the queue, and asks again with the turn
//! that it gets, or is refused when none came. A granted attempt is settled, which frees its turn.
//! Not here: the rules (`judge`, `settle`), who is next (`queue`), waiting, clocks, and what is told.

use std::sync::Arc;

use crate::gate::permit::{First, Permit, Verdict};
use crate::gate::queue::{Queue, QueueClass, Turn};
use crate::gate::request::attempt::{AuthAttempt, AuthOutcome};
use crate::gate::request::settings::QueueSettings;
use crate::gate::request::verdict::{Refusal, Settled};
use crate::gate::{Changes, Gate};
use crate::moment::Moment;

/// The gate, and the queue before Postfix. `W` is what waits in the queue.
#[derive(Debug)]
pub struct JudgingSequence<W> {
    gate: Gate,
    queue: Arc<Queue<W>>,
}

/// What an attempt comes to at first.
#[derive(Debug)]
#[must_use]
pub enum Begun {
    /// It may be tried now.
    Granted(GrantedAttempt),
    /// It may not.
    Refused(RefusedAttempt),
    /// It enters the queue with this class; then [`JudgingSequence::in_turn`] or [`JudgingSequence::missed`].
    Wait(QueueClass),
}

/// The right to try one attempt at Postfix. [`JudgingSequence::settle`] it with the outcome.
///
/// Dropped, its turn is lost to all others, and its tokens to the client.
#[derive(Debug)]
#[must_use = "settle it with the outcome, or its turn and its tokens are lost"]
pub struct GrantedAttempt {
    permit: Permit,
    turn: Option<Turn>,
}

/// Why an attempt may not be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum RefusedAttempt {
    /// 454.
    Refuse(Refusal),
    /// 535: the same wrong password as a moment ago.
    Repeat,
    /// It may begin again when another attempt of its client is settled; else [`JudgingSequence::put_off`].
    Crowded(Refusal),
}

impl GrantedAttempt {
    /// The proof that it was judged.
    pub const fn permit(&self) -> &Permit {
        &self.permit
    }

    /// Whether it holds a turn: it is not familiar, and bounded.
    #[cfg(test)]
    pub const fn holds_turn(&self) -> bool {
        self.turn.is_some()
    }

    /// Takes its turn out, for a caller that keeps it apart.
    pub const fn take_turn(&mut self) -> Option<Turn> {
        self.turn.take()
    }

    /// With this turn, which is freed when it is settled.
    pub fn with_turn(self, turn: Option<Turn>) -> Self {
        Self { turn, ..self }
    }
}

impl<W> JudgingSequence<W> {
    /// Nobody waits yet.
    pub fn new(gate: Gate, settings: QueueSettings) -> Self {
        Self {
            gate,
            queue: Arc::new(Queue::new(settings)),
        }
    }

    /// The gate, for all that is no attempt.
    pub const fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The queue of those who must wait.
    pub const fn queue(&self) -> &Arc<Queue<W>> {
        &self.queue
    }

    /// The first stage of an attempt.
    pub fn begin(&self, attempt: &AuthAttempt<'_>, now: Moment, changes: &mut Changes) -> Begun {
        match self.gate.judge(attempt, now, changes) {
            First::Wait(class) => Begun::Wait(class),
            First::Decided(verdict) => match decided(verdict) {
                Ok(permit) => Begun::Granted(GrantedAttempt { permit, turn: None }),
                Err(refused) => Begun::Refused(refused),
            },
        }
    }

    /// The second stage, of an attempt that has its turn.
    ///
    /// # Errors
    ///
    /// It is refused, and its turn is free.
    pub fn in_turn(
        &self,
        turn: Turn,
        attempt: &AuthAttempt<'_>,
        now: Moment,
        changes: &mut Changes,
    ) -> Result<GrantedAttempt, RefusedAttempt> {
        match decided(self.gate.judge_in_turn(attempt, turn.class(), now, changes)) {
            Ok(permit) => Ok(GrantedAttempt {
                permit,
                turn: Some(turn),
            }),
            Err(refused) => {
                self.queue.free(turn);
                Err(refused)
            }
        }
    }

    /// The second stage of an attempt at a door that knows no "later", when no turn came in time: it pays like any
    /// other, and is granted without one.
    ///
    /// # Errors
    ///
    /// It is refused.
    pub fn without_turn(
        &self,
        class: QueueClass,
        attempt: &AuthAttempt<'_>,
        now: Moment,
        changes: &mut Changes,
    ) -> Result<GrantedAttempt, RefusedAttempt> {
        let permit = decided(self.gate.judge_in_turn(attempt, class, now, changes))?;
        Ok(GrantedAttempt { permit, turn: None })
    }

    /// No turn came for an attempt before its deadline. It costs nothing.
    pub fn missed(&self, attempt: &AuthAttempt<'_>, now: Moment) -> RefusedAttempt {
        RefusedAttempt::Refuse(self.gate.miss_turn(attempt, now))
    }

    /// An attempt in a crowd has waited for as long as it can. It costs nothing.
    pub fn put_off(
        &self,
        attempt: &AuthAttempt<'_>,
        refusal: Refusal,
        now: Moment,
    ) -> RefusedAttempt {
        RefusedAttempt::Refuse(self.gate.put_off(attempt, refusal, now))
    }

    /// Settles the permit with what Postfix made of the attempt, then frees its turn: the next in line
    /// is judged by what this one has shown.
    pub fn settle(
        &self,
        granted: GrantedAttempt,
        outcome: AuthOutcome,
        now: Moment,
        changes: &mut Changes,
    ) -> Settled {
        let GrantedAttempt { permit, turn } = granted;
        let settled = self.gate.settle(permit, outcome, now, changes);
        if let Some(turn) = turn {
            self.queue.free(turn);
        }
        settled
    }

    /// Frees the turn of an attempt that asks nothing of Postfix for a while; the permit stays.
    pub fn give_up_turn(&self, granted: &mut GrantedAttempt) {
        if let Some(turn) = granted.turn.take() {
            self.queue.free(turn);
        }
    }
}

fn decided(verdict: Verdict) -> Result<Permit, RefusedAttempt> {
    match verdict {
        Verdict::Allow(permit) => Ok(permit),
        Verdict::Repeat => Err(RefusedAttempt::Repeat),
        Verdict::Refuse(refusal) => Err(RefusedAttempt::Refuse(refusal)),
        Verdict::Crowded(refusal) => Err(RefusedAttempt::Crowded(refusal)),
    }
}
