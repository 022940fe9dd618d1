//! without_answer - a granted attempt whose client left its exchange, lost its place in it, or waits for a turn once more
//!
//! Not here: what Postfix's answer does (`attempt`).

use std::time::Duration;

use super::Granted;
use crate::judging::told::Told;
use crate::judging::{Asker, Refused, turns};
use crate::report::verdicts::AttemptVerdict;
use gatepost_core::gate::request::attempt::AuthOutcome;
use gatepost_core::gate::request::verdict::{Reason, Refusal};

impl Granted {
    /// The client called it off, or its time ran out, after a challenge that Postfix made for the name: it is
    /// charged as a failure.
    pub async fn abandon(self, asker: &(impl Asker + Sync)) {
        let (grounds, who) = (self.permit().grounds(), self.permit().acquaintance());
        let (attempt, user, ..) = self.end(AuthOutcome::Abandoned).await;
        let told = Told {
            reason: Some(grounds),
            who: Some(who),
            ..Told::of(AttemptVerdict::Cancel)
        };
        attempt.tell(asker, Some(&user), &told);
    }

    /// Its place among the exchanges is another client's now. It has had its challenge, so it is charged as if it
    /// had left, and refused.
    pub async fn displaced(self, asker: &(impl Asker + Sync)) -> Refused {
        let (attempt, user, ..) = self.end(AuthOutcome::Abandoned).await;
        attempt.without_place(asker, Some(&user))
    }

    /// Waits for a turn again, to have a proof checked.
    ///
    /// # Errors
    ///
    /// None came in time, or before its client was evicted. The client has had its challenge, so it is charged.
    pub async fn in_turn(mut self, asker: &(impl Asker + Sync)) -> Result<Self, Refused> {
        let judging = &self.attempt.judging;
        let network = asker.client().network();
        let queue = judging.sequence.queue();
        let class = self.permit().class_in_exchange();
        let now = judging.clock.now();
        self.turn = tokio::select! {
            biased;
            turn = turns::take(queue, network, class, now, now) => turn,
            () = asker.evicted() => None,
        };
        if self.turn.is_some() {
            return Ok(self);
        }
        let (attempt, user, ..) = self.end(AuthOutcome::Abandoned).await;
        let refusal = Refusal {
            reason: Reason::Turn,
            wait: Duration::ZERO,
        };
        Err(attempt.refuse(asker, Some(&user), Refused::Refuse(refusal)))
    }
}
