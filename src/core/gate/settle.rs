//! settle - what the outcome of an attempt does
//!
//! Accept: the tokens go back, exactly those, and the pair is familiar. Reject: they stay spent, and
//! the wrong password is remembered. Defer: they go back. Stalled: as defer, unless the backend answers
//! others, for Dovecot delays clients that it has seen fail; a wrong password that is checked and then costs
//! nothing would be a guess beyond every bound. Abandoned: the client has a challenge, which tells about
//! the name, so it costs as a failure does. Unreported: Dovecot asked about it and has not told more, so it stays
//! paid. What the last three have paid is held (`held`) until more is
//! known: it goes back when the same password, or this user's next from there, is accepted. While the backend is
//! suspected to fail, a rejection is told as defer and charged as a rejection; its tokens go back when the same
//! password is accepted (`trust::doubts`).
//! Not here: judging (`judge`).

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::gate::buckets::credit::Need;
use crate::gate::buckets::held::HeldTokens;
use crate::gate::buckets::key::{BucketKey, Key};
use crate::gate::buckets::recent::Answer;
use crate::gate::buckets::spec::Bucket;
use crate::gate::buckets::tries::Novelty;
use crate::gate::case::{Basis, Case, Claim, SecretKind, Tokens};
use crate::gate::permit::Permit;
use crate::gate::request::attempt::{AuthOutcome, Trust};
use crate::gate::request::client::NetworkKey;
use crate::gate::request::settings::Mode;
use crate::gate::request::verdict::{FailureReply, Reason, Settled};
use crate::gate::trust::familiar::PairAge;
use crate::gate::trust::first_days::LoginBy;
use crate::gate::trust::passwords::PastPassword;
use crate::gate::trust::strikes::Offender;
use crate::gate::{Changes, Gate};
use crate::moment::Moment;

mod devices;
mod watch;

/// The backend is taken to work for so long after an answer of any kind.
const ANSWERS: Duration = Duration::from_secs(60);

const fn settled(outcome: AuthOutcome, reason: Option<Reason>) -> Settled {
    Settled {
        outcome,
        reply: FailureReply::Outcome,
        reason,
        suspicion: None,
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
            AuthOutcome::Accept | AuthOutcome::Reject
                if self.rules.load().is_decoy(claim.case.user) =>
            {
                self.decoy_tried(&claim, outcome, now, changes)
            }
            AuthOutcome::Accept => self.accepted(&claim, now, changes),
            AuthOutcome::Reject => self.rejected(&claim, now, changes),
            AuthOutcome::Defer => {
                self.give_back(&claim.tokens, now, changes);
                DEFERRED
            }
            AuthOutcome::Stalled => self.stalled(&claim, now, changes),
            AuthOutcome::Abandoned => self.abandoned(&claim, now),
            AuthOutcome::Unreported => {
                self.go_on_later(&claim, now);
                DEFERRED
            }
        };
        settled.reply = claim.reply;
        let answer = match settled.outcome {
            AuthOutcome::Accept => Answer::Accept,
            AuthOutcome::Reject => Answer::Reject,
            AuthOutcome::Defer
            | AuthOutcome::Stalled
            | AuthOutcome::Abandoned
            | AuthOutcome::Unreported => Answer::Defer,
        };
        let reason = settled.reason.unwrap_or(claim.grounds);
        let told = claim.case.decision(answer, reason, Duration::ZERO, now);
        self.recent.push(told);
        settled
    }

    /// Somebody tried a mailbox that nobody has. A right password is answered as a wrong one is.
    fn decoy_tried(
        &self,
        claim: &Claim,
        outcome: AuthOutcome,
        now: Moment,
        changes: &mut Changes,
    ) -> Settled {
        let rules = self.rules.load();
        let reason = Some(Reason::Decoy);
        if claim.basis != Basis::Listed {
            let client = claim.case.client;
            let network = claim.case.who.network;
            let offender = Offender { client, network };
            self.touch_trap(&rules, offender, now, changes);
        }
        match (rules.mode, outcome) {
            (Mode::DryRun, AuthOutcome::Accept) => settled(AuthOutcome::Accept, reason),
            _ => Settled {
                reason,
                ..self.rejected(claim, now, changes)
            },
        }
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
        if now.since(answered) >= ANSWERS {
            self.give_back(&claim.tokens, now, changes);
        } else {
            self.go_on_later(claim, now);
        }
        DEFERRED
    }

    /// It stays paid. The same again is a mail program that retries, and pays nothing more.
    fn go_on_later(&self, claim: &Claim, now: Moment) {
        let Case {
            client,
            user,
            guess,
            ..
        } = claim.case;
        self.tries.stalled(client, user, guess, now);
        self.hold(claim, now);
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
        if let Some(spent) = self.doubts.resolve(&claim.case) {
            self.give_back(&spent, now, changes);
        }
        if !claim.case.who.trust.is_familiar() && self.is_settling(&self.rules.load(), now) {
            for spent in self.typing_errors.take(&claim.case, now) {
                self.give_back(&spent, now, changes);
            }
        }
        self.tries.right(client, user, guess, now);
        self.seen.is_right(claim.case.word, user, now);
        self.turns_had.accepted(claim, now);
        self.outage.accepted(now, changes);
        self.settle_down(&claim.case, now, changes);
        if claim.basis != Basis::Listed {
            self.earn(&claim.case, now);
        }
        // All users of a webmail host come from its network, so that says nothing of a user.
        let network = Some(network).filter(|_| claim.basis != Basis::Listed);
        let suspicion = self.watch(claim, now, changes);
        self.logged_in(&claim.case, network, now, changes);
        let reason = suspicion.as_ref().map(|_| Reason::Stolen);
        Settled {
            suspicion,
            ..settled(AuthOutcome::Accept, reason)
        }
    }

    /// Whether most of those who log in are known already: then settling in is over before its time.
    fn settle_down(&self, case: &Case, now: Moment, changes: &mut Changes) {
        let since = Moment::from_nanos(self.settling.load(Ordering::Relaxed));
        if !self.is_settling(&self.rules.load(), now) {
            return;
        }
        let who = match case.who.known {
            true => LoginBy::Known,
            false => LoginBy::New,
        };
        if self.first_days.login(case.user, who, now.since(since)) {
            changes.extend(self.end_settling(now));
        }
    }

    /// A login earns its client a token that newcomers there may pay with.
    fn earn(&self, case: &Case, now: Moment) {
        let rules = self.rules.load();
        let Some(quota) = rules.earning else { return };
        let limit = rules.limit(Bucket::Client, case.who.users);
        let key = BucketKey::Keyed(Bucket::Client, Key::client(case.client));
        let need = match self.buckets.left(key, limit, now) < limit.burst() / 2 {
            true => Need::Short,
            false => Need::None,
        };
        let credit = self.buckets.credit();
        credit.login(case.client, case.user, quota, need, now);
    }

    /// Notes a login. One with another password than the last is recorded in any case: the record later shows which
    /// networks have had a login with that password.
    fn logged_in(
        &self,
        case: &Case,
        network: Option<NetworkKey>,
        now: Moment,
        changes: &mut Changes,
    ) {
        // As of when it was judged: what the operator took back meanwhile stays taken.
        let (user, judged) = (case.user, case.at);
        let password = case.guess.filter(|_| case.secret == SecretKind::Password);
        let noted = password.map(|guess| self.passwords.accepted(user, guess, now));
        let (novelty, changed) = noted.unwrap_or((Novelty::Repeat, None));
        match novelty {
            Novelty::New => changes.extend(self.familiar.note_login(user, network, judged, now)),
            Novelty::Repeat if case.who.in_network == Trust::Unproven => {
                changes.extend(self.familiar.note_login(user, network, judged, now));
            }
            Novelty::Repeat => self.login(user, network, judged, now, changes),
        }
        changes.extend(changed);
        self.device_logged_in(case, network, novelty, now, changes);
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
        let mut past = PastPassword::Unknown;
        if let Some(guess) = guess.filter(|_| claim.case.secret == SecretKind::Password) {
            let (was, changed) = self.passwords.refused(user, guess, now);
            past = was;
            changes.extend(changed);
        }
        match claim.basis {
            // An old device. As often as Postfix is asked again about what is known to be wrong, and no more.
            Basis::Paid | Basis::Settling
                if past == PastPassword::OnceRight && self.repeats.take(now) =>
            {
                self.give_back(&claim.tokens, now, changes);
                self.tries.wrong(client, user, guess, Novelty::Repeat, now);
            }
            Basis::Paid | Basis::Settling | Basis::Doubted => {
                self.doubts.resolve(&claim.case);
                self.tries.wrong(client, user, guess, Novelty::New, now);
                changes.extend(self.device_failed(claim, now));
                self.seen.note(word, user, network, now);
                if !who.trust.is_familiar() && self.is_settling(&self.rules.load(), now) {
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
        settled(AuthOutcome::Reject, None)
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
        if paid {
            // A success forgets it.
            changes.extend(self.device_failed(claim, now));
        }
        self.counters.refuse(Reason::Outage);
        Some(settled(AuthOutcome::Defer, Some(Reason::Outage)))
    }

    /// Keeps a guess that may be right. It counts as one of the client's tries, and a word in it counts as tried for this user.
    fn doubt(&self, case: &Case, tokens: Tokens, now: Moment) {
        self.doubts.keep(case, tokens, now);
        self.tries.refused(case.client, case.user, case.guess, now);
        if !case.who.trust.is_familiar() {
            self.seen.note(case.word, case.user, case.network, now);
        }
    }
}
