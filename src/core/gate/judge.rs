//! judge - the way of one attempt up the ladder, and what is taken on it
//!
//! [`Gate::judge`] looks, and refuses at once what a bucket would refuse anyway; an attempt that is not familiar is then
//! told to wait for a turn. [`Gate::judge_in_turn`] takes the tokens. A familiar pair pays from its own bucket and needs
//! no turn, unless its client has just failed.
//! The wait that a refusal names is that of its bucket (`buckets::limit`), or of its ban (`trust::strikes`).
//! A password that was tried before has rules of its own (`repetition`).
//! Not here: the steps themselves (`ladder`), what an outcome does (`settle`), the turns (`queue`).

use std::time::Duration;

use crate::gate::buckets::bucket::Token;
use crate::gate::buckets::key::{BucketKey, Key};
use crate::gate::buckets::limit::Limit;
use crate::gate::buckets::recent::Answer;
use crate::gate::buckets::route::Route;
use crate::gate::buckets::spec::Bucket;
use crate::gate::buckets::tries::{History, Past};
use crate::gate::case::{Basis, Case, Claim, Tokens};
use crate::gate::judge::stage::{BeforeTurn, InTurn, JudgementStage};
use crate::gate::ladder::{NO_STEP, Named, Question, STEPS, Short, StepFinding, refusal};
use crate::gate::permit::{First, Permit, Verdict};
use crate::gate::queue::QueueClass;
use crate::gate::request::attempt::{AuthAttempt, Trust};
use crate::gate::request::settings::Mode;
use crate::gate::request::verdict::{FailureReply, Reason, Refusal};
use crate::gate::rules::Rules;
use crate::gate::settling::Prospect;
use crate::gate::trust::ban::Ban;
use crate::gate::trust::familiar::{NetworkTrust, PairAge};
use crate::gate::{Changes, Gate};
use crate::moment::Moment;

/// How long after a client's last new failure its familiar pairs wait in turn too. A guesser who
/// fails less often than this keeps nobody waiting.
const FAILED_LATELY: Duration = Duration::from_secs(60);

mod credit;
mod crowd;
mod delay;
mod punishment;
mod repetition;
mod stage;

pub(in crate::gate) use repetition::KNOWN_WRONG;
use repetition::Repeated;

/// What a password in doubt may do.
enum Again<A> {
    /// It must wait for a turn: this is its answer.
    Wait(A),
    Ask,
    Refuse(Refusal),
}

/// What came of paying.
enum Payment<A> {
    /// It must wait for a turn: this is its answer.
    Waits(A),
    /// One token of each bucket, and the last bucket as its reason.
    Paid(Box<Tokens>, Reason),
}

impl Gate {
    /// Judges an attempt. It may have to wait: then take a turn and ask [`Gate::judge_in_turn`].
    pub fn judge(&self, attempt: &AuthAttempt<'_>, now: Moment, changes: &mut Changes) -> First {
        self.evaluate(attempt, BeforeTurn, now, changes)
    }

    /// Judges an attempt that has a turn of this class: it is never told to wait.
    pub fn judge_in_turn(
        &self,
        attempt: &AuthAttempt<'_>,
        class: QueueClass,
        now: Moment,
        changes: &mut Changes,
    ) -> Verdict {
        self.evaluate(attempt, InTurn(class), now, changes)
    }

    /// Notes that no turn came before the deadline. The attempt is answered 454 and costs nothing.
    pub fn miss_turn(&self, attempt: &AuthAttempt<'_>, now: Moment) -> Refusal {
        self.put_off(attempt, refusal(Reason::Turn, Duration::ZERO), now)
    }

    /// Notes that an attempt has waited for as long as it can, and is refused with this. It costs nothing.
    pub fn put_off(&self, attempt: &AuthAttempt<'_>, missed: Refusal, now: Moment) -> Refusal {
        let case = self.case(attempt, &self.rules.load(), now);
        self.counters.refuse_trusted(case.who.trust, missed.reason);
        // The same again is a mail program that retries, which speaks for it (`settling`).
        self.tries.refused(case.client, case.user, case.guess, now);
        let told = case.decision(Answer::Refuse, missed.reason, missed.wait, now);
        self.recent.push(told);
        missed
    }

    fn evaluate<S: JudgementStage>(
        &self,
        attempt: &AuthAttempt<'_>,
        stage: S,
        now: Moment,
        changes: &mut Changes,
    ) -> S::Answer {
        let rules = self.rules.load();
        let case = self.case(attempt, &rules, now);
        let evaluation = Evaluation {
            gate: self,
            rules: &rules,
            past: self.tries.past(case.client, case.user, case.guess, now),
            ban: self.bans.of(case.client, now),
            settling: self.is_settling(&rules, now),
            reply: FailureReply::Outcome,
            delay: Duration::ZERO,
            case,
            stage,
            now,
            changes,
        };
        evaluation.decide()
    }
}

/// One attempt in one stage, with all that its evaluation needs.
struct Evaluation<'a, S> {
    gate: &'a Gate,
    rules: &'a Rules,
    case: Case,
    past: Past,
    ban: Option<Ban>,
    settling: bool,
    /// How a failure of it will be told, by how the buckets stand before this attempt takes from them.
    reply: FailureReply,
    /// Until its tokens are there, at a door that can make it wait.
    delay: Duration,
    stage: S,
    now: Moment,
    changes: &'a mut Changes,
}

impl<S: JudgementStage> Evaluation<'_, S> {
    fn decide(mut self) -> S::Answer {
        for step in STEPS {
            match self.question().ask(step) {
                StepFinding::Pass => {}
                StepFinding::Allow(reason) => {
                    return self.allow(Tokens::NONE, reason, Basis::Listed);
                }
                StepFinding::Refuse(refusal) => return self.refuse(refusal),
                StepFinding::Repeat(repetition) => match self.repeated(repetition) {
                    // What is left for newcomers is not for a password that is known to be wrong.
                    Repeated::Pay if self.past.wrong_here.is_some() => {
                        self.past.history = History::Repeat;
                    }
                    Repeated::Pay => {}
                    repeated => return self.repeat(repeated),
                },
                StepFinding::Pay(trust) => {
                    match self.ask_again() {
                        Some(Again::Wait(answer)) => return answer,
                        Some(Again::Refuse(refusal)) => return self.refuse(refusal),
                        Some(Again::Ask) => {
                            self.reply = self.question().failure_reply();
                            return self.allow(Tokens::NONE, Reason::Repeat, Basis::Doubted);
                        }
                        None => {}
                    }
                    match self.pay_in_time(trust) {
                        Err(short) if self.question().goes_on(trust, &short) => {}
                        Err(short) => return self.refuse(short.refusal),
                        Ok(Payment::Waits(answer)) => return answer,
                        Ok(Payment::Paid(tokens, grounds)) => {
                            return self.allow(*tokens, grounds, Basis::Paid);
                        }
                    }
                }
            }
        }
        self.refuse(NO_STEP)
    }

    fn question(&self) -> Question<'_> {
        Question {
            gate: self.gate,
            rules: self.rules,
            client: self.case.client,
            attempt: Some(Named {
                case: &self.case,
                past: &self.past,
            }),
            network: self.case.who.network,
            ban: self.ban.as_ref(),
            settling: self.settling,
            now: self.now + self.delay,
        }
    }

    /// Whether an attempt that pays as one with this trust does waits for a turn.
    fn waits_as(&self, trust: Trust) -> bool {
        !trust.is_at_home() || self.failed_lately() || self.gate.outage.is_suspected()
    }

    /// A password that was rejected while the backend was suspected to fail. It is paid, and no new guess: Postfix is
    /// asked once more. While the suspicion lasts it is asked only now and then, for that costs the user nothing and
    /// Postfix a check. A password that its mechanism hides may be another one, so it pays anew each time, and must wait
    /// for longer: otherwise its user would have no token left when the suspicion is over. None: it is judged like any
    /// other.
    fn ask_again(&mut self) -> Option<Again<S::Answer>> {
        let wait = self.gate.doubts.rest(&self.case, self.now)?;
        // Others may feign the suspicion, and at such a door a refusal says that the password is wrong.
        let may_wait = self.case.door.has_later();
        if may_wait && self.gate.outage.is_suspected() && !wait.is_zero() {
            return Some(Again::Refuse(refusal(Reason::Outage, wait)));
        }
        self.case.guess?;
        if let Some(answer) = self.stage.wait(self.class()) {
            return Some(Again::Wait(answer));
        }
        let stranger = !self.case.who.trust.is_at_home();
        match stranger && !self.gate.repeats.take(self.now) {
            true => Some(Again::Refuse(refusal(Reason::Outage, Duration::ZERO))),
            false => Some(Again::Ask),
        }
    }

    /// The class in which it waits, if it must. A pair that gives a sign of an outage can also show that it is over. A
    /// pair that has given its sign already shows nothing more by another rejection, and does not get the class for that.
    fn class(&self) -> QueueClass {
        let trusted = (self.case.who.trust, self.case.who.age) == (Trust::Familiar, PairAge::Old);
        match self.case.who.network {
            _ if trusted
                && self.gate.outage.is_suspected()
                && !self.failed_lately()
                && !self.gate.doubts.has_of_pair(&self.case) =>
            {
                QueueClass::Probe
            }
            _ if self.gate.is_frequent(&self.case, self.now) => QueueClass::Frequent,
            // Others feign outages, and their old guesses cost nothing then.
            NetworkTrust::Familiar
                if self.case.who.trust.is_familiar()
                    && !self.gate.outage.is_suspected()
                    && !self.gate.has_had_many(&self.case, self.now) =>
            {
                QueueClass::AtHome
            }
            NetworkTrust::Familiar => QueueClass::Neighbour,
            NetworkTrust::Near | NetworkTrust::Unknown => QueueClass::Ordinary,
        }
    }

    fn failed_lately(&self) -> bool {
        let failed = self.past.failed;
        failed.is_some_and(|at| self.now.since(at) < FAILED_LATELY)
    }

    /// Looks first, so that a try which is refused anyway never shuts another one out; then takes,
    /// unless the try must wait for its turn.
    fn pay(&mut self, trust: Trust) -> Result<Payment<S::Answer>, Short> {
        let route = self.question().afford(trust)?;
        let reply = self.question().failure_reply();
        if let Some(payment) = self.pay_alike(reply) {
            return Ok(payment);
        }
        let in_turn = self.waits_as(trust);
        if let Some(wait) = self.stage.wait(self.class()).filter(|_| in_turn) {
            return Ok(Payment::Waits(wait));
        }
        self.reply = reply;
        let tokens = self.take_all(&route)?;
        Ok(Payment::Paid(Box::new(tokens), route.grounds()))
    }

    /// Takes a token of each bucket. Another attempt may have taken the last one since the look: then what
    /// was taken before goes back.
    fn take_all(&mut self, route: &Route) -> Result<Tokens, Short> {
        let mut tokens = Tokens::NONE;
        for due in route.iter() {
            match self.take(due.key, due.limit) {
                Ok(token) => tokens.push(token),
                Err(wait) => {
                    self.gate.give_back(&tokens, self.now, self.changes);
                    return Err(Short::of(due.key.bucket(), wait));
                }
            }
        }
        Ok(tokens)
    }

    fn take(&mut self, key: BucketKey, limit: Limit) -> Result<Token, Duration> {
        let at = self.now + self.delay;
        self.gate.buckets.take(key, limit, at, self.changes)
    }

    /// Takes a token of the client's own bucket.
    fn take_of_client(&mut self) -> Result<Token, Duration> {
        let bucket = Bucket::Client;
        let key = BucketKey::Keyed(bucket, Key::client(self.case.client));
        self.take(key, self.rules.limit(bucket, self.case.who.users))
    }

    fn refuse(mut self, mut refusal: Refusal) -> S::Answer {
        let meant = self.question().is_meant(refusal.reason);
        if !meant && self.rules.mode == Mode::Enforce {
            return self.forgive(refusal.reason);
        }
        match self.pay_instead(refusal.reason) {
            Some(Payment::Waits(answer)) => return answer,
            Some(Payment::Paid(tokens, grounds)) => {
                return self.allow(*tokens, grounds, Basis::Paid);
            }
            None => {}
        }
        if let Some(wait) = self.stage.wait(QueueClass::Forgiven).filter(|_| !meant) {
            return wait;
        }
        if meant && self.is_in_crowd(refusal) {
            return Verdict::Crowded(refusal).into();
        }
        self.punish(&mut refusal);
        if meant {
            let trust = self.case.who.trust;
            self.gate.counters.refuse_trusted(trust, refusal.reason);
            self.tell(Answer::Refuse, refusal.reason, refusal.wait);
            return Verdict::Refuse(refusal).into();
        }
        self.allow(Tokens::NONE, refusal.reason, Basis::DryRun)
    }

    /// While settling in, what another bucket would refuse goes through for what forgiving costs.
    fn forgive(mut self, reason: Reason) -> S::Answer {
        let prospect = Prospect::of(&self.case, self.past.repeated);
        let forgiven = match self.question().forgiveness(&self.case, prospect) {
            Err(short) => Err(short),
            Ok(route) => {
                let class = match self.gate.is_frequent(&self.case, self.now) {
                    true => QueueClass::Frequent,
                    false => prospect.class(),
                };
                if let Some(wait) = self.stage.wait(class) {
                    return wait;
                }
                // The buckets had tokens when it began to wait: a crowd may wait for the same few.
                if !self.stage.admits(prospect.class()) {
                    return self.refuse(refusal(Reason::Turn, Duration::ZERO));
                }
                self.take_all(&route)
            }
        };
        match forgiven {
            Ok(tokens) => self.allow(tokens, reason, Basis::Settling),
            Err(short) => self.refuse(short.refusal),
        }
    }

    fn allow(self, tokens: Tokens, grounds: Reason, basis: Basis) -> S::Answer {
        match basis {
            Basis::Settling | Basis::DryRun => {
                self.gate.counters.would_refuse(grounds);
                self.tell(Answer::WouldRefuse, grounds, Duration::ZERO);
            }
            Basis::Listed | Basis::Paid | Basis::Repeat | Basis::Doubted => {
                self.gate.counters.allow(grounds);
                self.tell(Answer::Allow, grounds, Duration::ZERO);
            }
        }
        let claim = Box::new(Claim {
            case: self.case,
            unsettled: self.gate.unsettled.hold(&tokens),
            tokens,
            grounds,
            basis,
            reply: self.reply,
            class: self.stage.class(),
            delay: self.delay,
        });
        Verdict::Allow(Permit { claim }).into()
    }

    fn tell(&self, answer: Answer, reason: Reason, wait: Duration) {
        let decision = self.case.decision(answer, reason, wait, self.now);
        self.gate.recent.push(decision);
    }
}

#[cfg(test)]
mod tests;
