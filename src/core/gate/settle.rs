//! settle - what the outcome of an attempt does
//!
//! Accept: the tokens go back, exactly those, and the pair is familiar. Reject: they stay spent, and
//! the wrong password is remembered. Defer: they go back. Stalled: as defer, unless the backend answers
//! others, for Dovecot delays clients that it has seen fail; a wrong password that is checked and then costs
//! nothing would be a guess beyond every bound. While the backend is suspected to fail, a rejection is told as
//! defer and charged as a rejection; its tokens go back when the same password is accepted (`trust::doubts`).
//! Not here: judging (`judge`).

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::gate::buckets::recent::Answer;
use crate::gate::buckets::tries::Novelty;
use crate::gate::case::{Basis, Case, Claim, Tokens};
use crate::gate::permit::Permit;
use crate::gate::request::attempt::{AuthOutcome, Trust};
use crate::gate::request::verdict::{Reason, Settled};
use crate::gate::trust::familiar::PairAge;
use crate::gate::{Changes, Gate};
use crate::moment::Moment;

/// The backend is taken to work for so long after an answer of any kind.
const ANSWERS: Duration = Duration::from_secs(60);

const DEFERRED: Settled = Settled {
    outcome: AuthOutcome::Defer,
    reason: None,
};

impl Gate {
    /// Settles a permit with what Postfix made of the attempt. The answer is what the client is told.
    pub fn settle(
        &self,
        permit: Permit,
        outcome: AuthOutcome,
        now: Moment,
        changes: &mut Changes,
    ) -> Settled {
        let claim = permit.claim;
        let settled = match outcome {
            AuthOutcome::Accept => self.accepted(&claim, now, changes),
            AuthOutcome::Reject => self.rejected(&claim, now, changes),
            AuthOutcome::Defer => {
                self.give_back(&claim.tokens, now, changes);
                DEFERRED
            }
            AuthOutcome::Stalled => self.stalled(&claim, now, changes),
        };
        let answer = match settled.outcome {
            AuthOutcome::Accept => Answer::Accept,
            AuthOutcome::Reject => Answer::Reject,
            AuthOutcome::Defer | AuthOutcome::Stalled => Answer::Defer,
        };
        let reason = settled.reason.unwrap_or(claim.grounds);
        let told = claim.case.decision(answer, reason, Duration::ZERO, now);
        self.recent.push(told);
        settled
    }

    /// Gives tokens back, each to its bucket.
    pub(in crate::gate) fn give_back(&self, tokens: &Tokens, now: Moment, changes: &mut Changes) {
        for token in tokens.iter() {
            self.buckets.refund(*token, now, changes);
        }
    }

    /// The backend kept this one waiting. If it has answered others, that is about this client.
    fn stalled(&self, claim: &Claim, now: Moment, changes: &mut Changes) -> Settled {
        let answered = Moment::from_nanos(self.answered.load(Ordering::Relaxed));
        let Case {
            client,
            user,
            guess,
            ..
        } = claim.case;
        if now.since(answered) >= ANSWERS {
            self.give_back(&claim.tokens, now, changes);
        } else if claim.basis == Basis::Repeat {
            self.tries.wrong(client, user, guess, Novelty::Repeat, now);
        } else {
            // The same again is a mail program that retries, and earns no strike.
            self.tries.refused(client, guess, now);
        }
        DEFERRED
    }

    fn accepted(&self, claim: &Claim, now: Moment, changes: &mut Changes) -> Settled {
        self.answered.store(now.as_nanos(), Ordering::Relaxed);
        let Case {
            client,
            network,
            user,
            guess,
            at: judged,
            ..
        } = claim.case;
        self.give_back(&claim.tokens, now, changes);
        if let Some(spent) = self.doubts.resolve(&claim.case) {
            self.give_back(&spent, now, changes);
        }
        if claim.case.who.trust != Trust::Familiar && self.is_settling(&self.rules.load(), now) {
            for spent in self.typing_errors.take(&claim.case, now) {
                self.give_back(&spent, now, changes);
            }
        }
        self.tries.right(client, user, guess, now);
        self.outage.accepted(now, changes);
        // Everybody comes from the webmail host: its network says nothing of a user.
        let network = Some(network).filter(|_| claim.basis != Basis::Listed);
        // As of when it was judged: what the operator took back meanwhile stays taken.
        self.login(user, network, judged, now, changes);
        Settled {
            outcome: AuthOutcome::Accept,
            reason: None,
        }
    }

    fn rejected(&self, claim: &Claim, now: Moment, changes: &mut Changes) -> Settled {
        self.answered.store(now.as_nanos(), Ordering::Relaxed);
        let Case {
            client,
            network,
            user,
            guess,
            word,
            who,
            ..
        } = claim.case;
        if let Some(settled) = self.doubted(claim, now, changes) {
            return settled;
        }
        match claim.basis {
            Basis::Paid | Basis::Settling | Basis::Doubted => {
                self.doubts.resolve(&claim.case);
                self.tries.wrong(client, user, guess, Novelty::New, now);
                self.seen.note(word, user, network, now);
                if who.trust != Trust::Familiar && self.is_settling(&self.rules.load(), now) {
                    self.typing_errors.keep(&claim.case, claim.tokens, now);
                }
                if who.age == PairAge::Old && self.outage.is_suspected() {
                    // Seen in another session meanwhile: this one came into doubt before it was noted.
                    self.tries.right(client, user, guess, now);
                }
            }
            Basis::Repeat => self.tries.wrong(client, user, guess, Novelty::Repeat, now),
            // Enforced, Postfix would not have been asked; listed, nobody counts.
            Basis::DryRun | Basis::Listed => {}
        }
        Settled {
            outcome: AuthOutcome::Reject,
            reason: None,
        }
    }

    /// What a rejection comes to while the backend is suspected to fail: it tells nothing of the password. It
    /// stays paid all the same, for those who make the suspicion may be those who guess.
    fn doubted(&self, claim: &Claim, now: Moment, changes: &mut Changes) -> Option<Settled> {
        let Case { who, .. } = claim.case;
        let paid = matches!(claim.basis, Basis::Paid | Basis::Settling);
        if (paid || claim.basis == Basis::Doubted)
            && (who.trust, who.age) == (Trust::Familiar, PairAge::Old)
        {
            let rejection = (claim.case, claim.tokens);
            for (case, tokens) in self.outage.rejected(rejection, now, changes) {
                self.tries.right(case.client, case.user, case.guess, now);
                self.doubt(&case, tokens, now);
            }
        }
        if !self.outage.is_suspected() {
            return None;
        }
        if paid || claim.basis == Basis::Doubted {
            self.doubt(&claim.case, claim.tokens, now);
        }
        self.counters.refuse(Reason::Outage);
        Some(Settled {
            outcome: AuthOutcome::Defer,
            reason: Some(Reason::Outage),
        })
    }

    /// Keeps a guess that may be right. It is one of the client's tries, and its word was tried.
    fn doubt(&self, case: &Case, tokens: Tokens, now: Moment) {
        self.doubts.keep(case, tokens, now);
        self.tries.refused(case.client, case.guess, now);
        if case.who.trust != Trust::Familiar {
            self.seen.note(case.word, case.user, case.network, now);
        }
    }
}
