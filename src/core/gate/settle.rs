//! settle - what the outcome of an attempt does
//!
//! Accept: the tokens go back, exactly those, and the pair is familiar. Reject: they stay spent, and
//! the wrong password is remembered. Defer: they go back. Stalled: as defer, unless the backend answers
//! others, for Dovecot delays clients that it has seen fail; a wrong password that is checked and then costs
//! nothing would be a guess beyond every bound. Abandoned: the client has a challenge, which tells about
//! the name, so it costs as a failure does. What the last two have paid is held (`held`) until more is
//! known: it goes back when the same password, or this user's next from there, is accepted. A failing
//! backend's rejections of familiar pairs count as defer.
//! Not here: judging (`judge`).

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::gate::buckets::held::HeldTokens;
use crate::gate::buckets::recent::Answer;
use crate::gate::buckets::tries::Novelty;
use crate::gate::case::{Basis, Case, Claim, SecretKind, Tokens};
use crate::gate::permit::Permit;
use crate::gate::request::attempt::{AuthOutcome, Trust};
use crate::gate::request::client::NetworkKey;
use crate::gate::request::verdict::{FailureReply, Reason, Settled};
use crate::gate::{Changes, Gate};
use crate::moment::Moment;

/// The backend is taken to work for so long after an answer of any kind.
const ANSWERS: Duration = Duration::from_secs(60);

const fn settled(outcome: AuthOutcome, reason: Option<Reason>) -> Settled {
    Settled {
        outcome,
        reply: FailureReply::Outcome,
        reason,
    }
}

const DEFERRED: Settled = settled(AuthOutcome::Defer, None);

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
        let mut settled = match outcome {
            AuthOutcome::Accept => self.accepted(&claim, now, changes),
            AuthOutcome::Reject => self.rejected(&claim, now, changes),
            AuthOutcome::Defer => {
                self.give_back(&claim.tokens, now, changes);
                DEFERRED
            }
            AuthOutcome::Stalled => self.stalled(&claim, now, changes),
            AuthOutcome::Abandoned => self.abandoned(&claim, now),
        };
        settled.reply = claim.reply;
        let answer = match settled.outcome {
            AuthOutcome::Accept => Answer::Accept,
            AuthOutcome::Reject => Answer::Reject,
            AuthOutcome::Defer | AuthOutcome::Stalled | AuthOutcome::Abandoned => Answer::Defer,
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
        let Case { client, guess, .. } = claim.case;
        if now.since(answered) >= ANSWERS {
            self.give_back(&claim.tokens, now, changes);
        } else {
            // The same again is a mail program that retries, and pays nothing more.
            self.tries.stalled(client, guess, now);
            self.hold(claim, now);
        }
        DEFERRED
    }

    /// The client left an exchange after Postfix's challenge: it has learnt what a guess would tell it of
    /// the name.
    fn abandoned(&self, claim: &Claim, now: Moment) -> Settled {
        let Case { client, user, .. } = claim.case;
        if matches!(claim.basis, Basis::Paid | Basis::Settling) {
            self.tries.wrong(client, user, None, Novelty::New, now);
        }
        self.hold(claim, now);
        DEFERRED
    }

    /// Keeps what was paid until more is known.
    fn hold(&self, claim: &Claim, now: Moment) {
        if matches!(claim.basis, Basis::Paid | Basis::Settling) {
            self.held.keep(HeldTokens {
                case: claim.case,
                tokens: claim.tokens,
                grounds: claim.grounds,
                basis: claim.basis,
                at: now,
            });
        }
    }

    fn accepted(&self, claim: &Claim, now: Moment, changes: &mut Changes) -> Settled {
        self.answered.store(now.as_nanos(), Ordering::Relaxed);
        let Case {
            client,
            network,
            user,
            guess,
            ..
        } = claim.case;
        self.give_back(&claim.tokens, now, changes);
        for held in self.held.accepted(&claim.case) {
            self.give_back(&held.tokens, now, changes);
        }
        self.tries.right(client, user, guess, now);
        self.outage.accepted(now, changes);
        // Everybody comes from the webmail host: its network says nothing of a user.
        let network = Some(network).filter(|_| claim.basis != Basis::Listed);
        self.logged_in(&claim.case, network, now, changes);
        settled(AuthOutcome::Accept, None)
    }

    /// Notes a login. With another password than the last one it is written down in any case: later it shows which
    /// networks have had a login with that.
    fn logged_in(
        &self,
        case: &Case,
        network: Option<NetworkKey>,
        now: Moment,
        changes: &mut Changes,
    ) {
        let user = case.user;
        let password = case.guess.filter(|_| case.secret == SecretKind::Password);
        let noted = password.map(|guess| self.passwords.accepted(user, guess, now));
        let (novelty, changed) = noted.unwrap_or((Novelty::Repeat, None));
        match novelty {
            Novelty::New => changes.push(self.familiar.note_login(user, network, now, now)),
            Novelty::Repeat if case.who.trust == Trust::Unproven => {
                changes.push(self.familiar.note_login(user, network, now, now));
            }
            Novelty::Repeat => self.login(user, network, now, now, changes),
        }
        changes.extend(changed);
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
        let new = matches!(claim.basis, Basis::Paid | Basis::Settling);
        if new && who.trust == Trust::Familiar {
            let refunded = self.outage.rejected(&claim.case, now, changes);
            if let Some(refunded) = refunded {
                return self.deferred_in_outage(claim, &refunded, now, changes);
            }
        }
        if let Some(guess) = guess.filter(|_| claim.case.secret == SecretKind::Password) {
            changes.extend(self.passwords.refused(user, guess, now));
        }
        match claim.basis {
            Basis::Paid | Basis::Settling => {
                self.tries.wrong(client, user, guess, Novelty::New, now);
                self.seen.note(word, user, network, now);
                if who.trust == Trust::Familiar && self.outage.is_on() {
                    // Seen in another session meanwhile: this case was refunded before it was noted.
                    self.tries.right(client, user, guess, now);
                }
            }
            Basis::Repeat => self.tries.wrong(client, user, guess, Novelty::Repeat, now),
            // Enforced, Postfix would not have been asked; listed, nobody counts.
            Basis::DryRun | Basis::Listed => {}
        }
        settled(AuthOutcome::Reject, None)
    }

    /// The backend's fault, not the client's; nor were the rejections that showed it the clients'.
    fn deferred_in_outage(
        &self,
        claim: &Claim,
        refunded: &[Case],
        now: Moment,
        changes: &mut Changes,
    ) -> Settled {
        self.give_back(&claim.tokens, now, changes);
        for case in refunded {
            self.tries.right(case.client, case.user, case.guess, now);
        }
        self.counters.refuse(Reason::Outage);
        settled(AuthOutcome::Defer, Some(Reason::Outage))
    }
}
