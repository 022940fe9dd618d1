//! repetition - a password that was tried before: told to be wrong, asked about again, or paid for
//!
//! Only a client's own password is told to be wrong, and only for a minute after Postfix said so: what strangers
//! use up never is a reason to say so. After that Postfix is asked again; what has no free check left pays.
//! A try that had no answer in time goes on with what it has paid.
//! Not here: what is known of a try (`tries`, `held`), the free checks (`buckets::repeats`).

use std::time::Duration;

use super::{Evaluation, JudgementStage};
use crate::gate::buckets::held::HeldTokens;
use crate::gate::buckets::recent::Answer;
use crate::gate::buckets::repeats;
use crate::gate::case::{Basis, Tokens};
use crate::gate::ladder::{Repetition, refusal};
use crate::gate::permit::Verdict;
use crate::gate::queue::QueueClass;
use crate::gate::request::settings::Mode;
use crate::gate::request::verdict::{FailureReply, Reason};

/// How long Postfix is not asked about a wrong password again, and a client is told 535 about its own. The time of
/// a rejection is kept in whole seconds, rounded down, so it is never longer ago than this.
pub(in crate::gate) const KNOWN_WRONG: Duration = Duration::from_secs(60);

/// What is to become of a repetition.
pub(super) enum Repeated<A> {
    /// Postfix rejected it just now: 535.
    KnownWrong,
    /// Postfix rejected it just now, from another client, and there is no free check: it is asked again after so long.
    Later(Duration),
    /// It must wait for a turn: this is its answer.
    Waits(A),
    /// Postfix is asked again, free of charge.
    AskAgain,
    /// It goes on with what it has paid.
    GoOn(Box<HeldTokens>),
    /// It pays as a new guess does.
    Pay,
}

impl<S: JudgementStage> Evaluation<'_, S> {
    /// What is to become of a password that was tried before. Only this client's own is told to be wrong, and
    /// only for a minute: what strangers use up never is a reason to say so.
    pub(super) fn repeated(&self, repetition: Repetition) -> Repeated<S::Answer> {
        let wrong = match repetition {
            Repetition::Stalled => return self.go_on(),
            Repetition::WrongHere(wrong) => wrong.at,
            Repetition::WrongElsewhere(at) => at,
        };
        let age = self.now.since(wrong);
        let is_fresh = age < KNOWN_WRONG;
        let is_due = match repetition {
            Repetition::WrongHere(_) if is_fresh => return Repeated::KnownWrong,
            Repetition::WrongHere(wrong) => repeats::is_due(wrong, self.now),
            Repetition::WrongElsewhere(_) | Repetition::Stalled => false,
        };
        let at_home = self.case.who.trust.is_at_home();
        let is_free = is_due || at_home && !is_fresh;
        let repeats = &self.gate.repeats;
        match self.stage.wait(QueueClass::Ordinary) {
            Some(wait) if is_free || repeats.has_token(self.now) => Repeated::Waits(wait),
            None if is_free || repeats.take(self.now) => Repeated::AskAgain,
            Some(_) | None if is_fresh => Repeated::Later(KNOWN_WRONG.saturating_sub(age)),
            Some(_) | None => Repeated::Pay,
        }
    }

    /// A try that had no answer in time goes on with what it has paid, in its turn; if that is gone, it pays.
    fn go_on(&self) -> Repeated<S::Answer> {
        let held = &self.gate.held;
        if let Some(wait) = self
            .stage
            .wait(self.class())
            .filter(|_| self.waits_as(self.case.who.trust))
        {
            return match held.has(&self.case, self.now) {
                true => Repeated::Waits(wait),
                false => Repeated::Pay,
            };
        }
        let taken = held.take(&self.case, self.now);
        taken.map_or(Repeated::Pay, |taken| Repeated::GoOn(Box::new(taken)))
    }

    pub(super) fn repeat(mut self, repeated: Repeated<S::Answer>) -> S::Answer {
        let is_enforced = self.rules.mode == Mode::Enforce;
        self.reply = self.question().failure_reply();
        match repeated {
            Repeated::Waits(wait) => wait,
            Repeated::GoOn(held) => self.allow(held.tokens, held.grounds, held.basis),
            Repeated::AskAgain | Repeated::Pay => {
                self.allow(Tokens::NONE, Reason::Repeat, Basis::Repeat)
            }
            Repeated::KnownWrong if self.reply == FailureReply::Refusal => {
                self.refuse(refusal(Reason::Repeat, KNOWN_WRONG))
            }
            Repeated::KnownWrong if is_enforced => {
                self.gate.counters.refuse(Reason::Repeat);
                self.tell(Answer::Repeat, Reason::Repeat, Duration::ZERO);
                Verdict::Repeat.into()
            }
            Repeated::Later(wait) if is_enforced => self.refuse(refusal(Reason::Repeat, wait)),
            Repeated::KnownWrong | Repeated::Later(_) => {
                match self.stage.wait(QueueClass::Ordinary) {
                    Some(wait) => wait,
                    None => self.allow(Tokens::NONE, Reason::Repeat, Basis::DryRun),
                }
            }
        }
    }
}
