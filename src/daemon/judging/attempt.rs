//! attempt - one attempt on its way: begun, judged, granted, settled
//!
//! Each state consumes the one before, and carries what that stage knows. The end of each is counted and
//! told here. Not here: the queue's shell (`turns`).

use std::fmt::Display;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::checks::BegunCheck;
use super::own::{AtPostfix, OwnPayment, TriedSecret};
use super::told::Told;
use super::turns::{self, Held};
use super::{Asker, ExchangePlace, Judging, Refused};
use crate::drain::Drain;
use crate::places::Whereabouts;
use crate::report::limits::ResourceLimit;
use crate::report::verdicts::AttemptVerdict;
use gatepost_core::gate::permit::Permit;
use gatepost_core::gate::queue::QueueClass;
use gatepost_core::gate::request::attempt::{AuthAttempt, AuthOutcome, Password, UserName};
use gatepost_core::gate::request::verdict::{Reason, Refusal, Settled};
use gatepost_core::gate::sequence::{self, Begun};
use gatepost_core::moment::Moment;

mod without_answer;

/// How long a client is told to wait for whose exchange Postfix has no place.
const NO_EXCHANGE: Duration = Duration::from_secs(10);

/// An attempt that has begun, and was not judged yet.
#[derive(Debug)]
#[must_use]
pub struct Unjudged {
    pub(super) judging: Arc<Judging>,
    pub(super) mechanism: &'static str,
    pub(super) began: Moment,
    /// Where its client is, looked up once.
    pub(super) place: OnceLock<Whereabouts>,
}

/// An attempt that may be tried at Postfix.
#[derive(Debug)]
#[must_use = "settle it with the outcome"]
pub struct Granted {
    pub(super) attempt: Unjudged,
    user: UserName,
    /// Its turn stands beside it: dropped, it is free.
    granted: sequence::GrantedAttempt,
    turn: Option<Held>,
    /// What is tried, where it is seen: asked about again by Dovecot, and when Postfix has accepted it.
    tried: TriedSecret,
    /// None: it waited for its turn.
    check: Option<BegunCheck>,
    /// How long its password must wait.
    pub(super) delay: Duration,
    /// Dovecot may ask about it.
    at_postfix: Option<AtPostfix>,
}

impl Unjudged {
    /// Judges it, and waits for its turn where it needs one.
    ///
    /// # Errors
    ///
    /// It may not be tried; what the client is told depends on why.
    pub async fn judge(
        self,
        asker: &(impl Asker + Sync),
        user: &UserName,
        password: Password<'_>,
    ) -> Result<Granted, Refused> {
        let attempt = self.attempt_of(asker, user, password);
        let judging = Arc::clone(&self.judging);
        let judged = match self.first_stage(&attempt, &asker.drain()).await {
            Err(refused) => Err(refused),
            Ok(Begun::Granted(granted)) => Ok((granted, None)),
            Ok(Begun::Refused(refused)) => Err(refused.into()),
            Ok(Begun::Wait(class)) => {
                let now = judging.clock.now();
                judging.in_turn(&attempt, class, asker, now).await
            }
        };
        let granted = self.granted(asker, user, judged)?;
        let tried = TriedSecret::of(password);
        Ok(Granted { tried, ..granted })
    }

    /// Judges an attempt whose mechanism hides the password, where the name comes first. An attempt that needs a turn
    /// waits for a place among the exchanges before it is judged, and for both no longer than for a turn. None: it needs
    /// neither.
    ///
    /// # Errors
    ///
    /// It may not be tried; what the client is told depends on why.
    pub async fn judge_exchange(
        self,
        asker: &(impl Asker + Sync),
        user: &UserName,
    ) -> Result<(Granted, Option<ExchangePlace>), Refused> {
        let attempt = self.attempt_of(asker, user, Password::Hidden);
        let judging = Arc::clone(&self.judging);
        let since = judging.clock.now();
        let (judged, place) = match self.first_stage(&attempt, &asker.drain()).await {
            Err(refused) => (Err(refused), None),
            Ok(Begun::Granted(granted)) => (Ok((granted, None)), None),
            Ok(Begun::Refused(refused)) => (Err(refused.into()), None),
            Ok(Begun::Wait(class)) => match judging.place(asker, class).await {
                Err(refused) => (Err(refused), None),
                Ok(None) => {
                    judging.counters.limits.count(ResourceLimit::Exchanges);
                    let missed = judging.sequence.missed(&attempt, judging.clock.now());
                    (Err(missed.into()), None)
                }
                Ok(place) => {
                    let judged = judging.in_turn(&attempt, class, asker, since).await;
                    (judged, place)
                }
            },
        };
        Ok((self.granted(asker, user, judged)?, place))
    }

    /// Not once the drain has begun: then the state may be the next process's, which gives the same tokens.
    async fn first_stage(
        &self,
        attempt: &AuthAttempt<'_>,
        drain: &Drain,
    ) -> Result<Begun, Refused> {
        match drain.has_begun() {
            true => Err(Refused::Draining),
            false => Ok(self.begin(attempt).await),
        }
    }

    /// Judges it by what needs no turn.
    pub(super) async fn begin(&self, attempt: &AuthAttempt<'_>) -> Begun {
        let judging = &self.judging;
        let mut changes = Vec::new();
        let now = judging.clock.now();
        let begun = judging.sequence.begin(attempt, now, &mut changes);
        judging.notices.pass(changes).await;
        begun
    }

    pub(super) fn granted(
        self,
        asker: &impl Asker,
        user: &UserName,
        judged: Result<(sequence::GrantedAttempt, Option<Held>), Refused>,
    ) -> Result<Granted, Refused> {
        match judged {
            Ok((granted, turn)) => {
                let now = self.judging.clock.now();
                let check = turn.is_none().then(|| self.judging.checks.begins(now));
                Ok(Granted {
                    delay: granted.permit().delay(),
                    attempt: self,
                    user: user.clone(),
                    granted,
                    turn,
                    tried: TriedSecret::Hidden,
                    check,
                    at_postfix: None,
                })
            }
            Err(refused) => Err(self.refuse(asker, Some(user), refused)),
        }
    }

    /// Goes on unless the client would be refused whatever its name: for CRAM-MD5. Takes nothing.
    ///
    /// # Errors
    ///
    /// It would be.
    pub fn peek(self, asker: &impl Asker) -> Result<Self, Refused> {
        let judging = &self.judging;
        match judging
            .gate()
            .peek(super::visitor(asker), judging.clock.now())
        {
            None => Ok(self),
            Some(refusal) => Err(self.refuse(asker, None, Refused::Refuse(refusal))),
        }
    }

    /// Waits for a place among the exchanges that hold Postfix before anybody is judged.
    ///
    /// # Errors
    ///
    /// There was none in time.
    pub async fn exchange(
        self,
        asker: &(impl Asker + Sync),
    ) -> Result<(Self, ExchangePlace), Refused> {
        let judging = Arc::clone(&self.judging);
        match judging.place(asker, QueueClass::Ordinary).await {
            Ok(Some(place)) => Ok((self, place)),
            Ok(None) => Err(self.displaced(asker)),
            Err(refused) => Err(self.refuse(asker, None, refused)),
        }
    }

    /// It has no place among the exchanges, or another client has that now: refused, and nothing is charged.
    pub fn displaced(self, asker: &impl Asker) -> Refused {
        self.without_place(asker, None)
    }

    fn without_place(self, asker: &impl Asker, user: Option<&UserName>) -> Refused {
        self.judging.counters.limits.count(ResourceLimit::Exchanges);
        let refusal = Refusal {
            reason: Reason::Turn,
            wait: NO_EXCHANGE,
        };
        self.refuse(asker, user, Refused::Refuse(refusal))
    }

    /// The client called it off before anybody was judged.
    pub fn cancel(self, asker: &impl Asker) {
        self.tell(asker, None, &Told::of(AttemptVerdict::Cancel));
    }

    /// Postfix began no exchange, for the reason `reply`.
    pub fn defer(self, asker: &impl Asker, reply: &dyn Display) {
        self.judging.counters.deferred.count();
        let told = Told {
            reply,
            ..Told::of(AttemptVerdict::Defer)
        };
        self.tell(asker, None, &told);
    }

    fn refuse(self, asker: &impl Asker, user: Option<&UserName>, refused: Refused) -> Refused {
        let counters = &self.judging.counters;
        let told = match refused {
            Refused::Refuse(refusal) => {
                counters.refused.count();
                counters.of_door(asker.door()).refused.count();
                Told::refused(refusal)
            }
            Refused::Repeat => {
                counters.repeated.count();
                Told {
                    reason: Some(Reason::Repeat),
                    ..Told::of(AttemptVerdict::Repeat)
                }
            }
            Refused::Draining => {
                counters.deferred.count();
                Told::of(AttemptVerdict::Defer)
            }
        };
        self.tell(asker, user, &told);
        refused
    }

    fn tell(&self, asker: &impl Asker, user: Option<&UserName>, told: &Told<'_>) {
        let begun = (self.mechanism, self.began);
        let who = (user, self.place(asker));
        self.judging.tell(asker, begun, who, told);
    }
}

impl Granted {
    /// The proof that it was judged.
    pub const fn permit(&self) -> &Permit {
        self.granted.permit()
    }

    /// The user that is tried.
    pub const fn user(&self) -> &UserName {
        &self.user
    }

    /// Settles it with what Postfix made of it, whose words are `reply`. The answer is what the client
    /// is told.
    pub async fn settle(
        self,
        asker: &(impl Asker + Sync),
        outcome: AuthOutcome,
        reply: &(dyn Display + Sync),
    ) -> Settled {
        let would_refuse = self.permit().would_refuse();
        let (grounds, who) = (self.permit().grounds(), self.permit().acquaintance());
        let check = self.check;
        let (attempt, user, settled, listed) = self.end(outcome).await;
        if (outcome, settled.reason) == (AuthOutcome::Accept, Some(Reason::Decoy)) {
            attempt
                .judging
                .tell_decoy(asker, &user, attempt.place(asker));
        }
        if let Some(suspicion) = &settled.suspicion {
            let told = (&user, attempt.place(asker));
            attempt.judging.tell_suspicion(asker, told, suspicion);
        }
        if let (AuthOutcome::Accept, Some(check)) = (settled.outcome, check) {
            let judging = &attempt.judging;
            judging.checks.accepted(check, judging.clock.now());
        }
        let counters = &attempt.judging.counters;
        if would_refuse.is_some() {
            counters.would_refuse.count();
        }
        let (verdict, counter) = match settled.outcome {
            AuthOutcome::Accept => (AttemptVerdict::Accept, &counters.accepted),
            AuthOutcome::Reject => (AttemptVerdict::Reject, &counters.rejected),
            AuthOutcome::Defer
            | AuthOutcome::Stalled
            | AuthOutcome::Abandoned
            | AuthOutcome::Unreported => (AttemptVerdict::Defer, &counters.deferred),
        };
        counter.count();
        if verdict == AttemptVerdict::Accept {
            let took = attempt.judging.clock.now().since(attempt.began);
            counters.durations.login.observe(took);
        }
        counters.of_door(asker.door()).settled(verdict);
        let told = Told {
            reason: Some(settled.reason.unwrap_or(grounds)),
            would_refuse,
            who: Some(who),
            listed,
            reply,
            ..Told::of(verdict)
        };
        attempt.tell(asker, Some(&user), &told);
        settled
    }

    /// It goes to Postfix now: from here on its Dovecot may ask about it.
    pub fn goes_to_postfix(&mut self, asker: &impl Asker) {
        let (permit, tried) = (self.permit(), self.tried.clone());
        let (user, payment) = (permit.user(), OwnPayment::of(permit));
        let who = (asker.client(), asker.session());
        let own = &self.attempt.judging.own;
        self.at_postfix = Some(own.enter(user, who, tried, payment));
    }

    /// How long its password must wait before it is checked.
    pub const fn delay(&self) -> Duration {
        self.delay
    }

    /// Whether it holds a turn.
    pub const fn holds_turn(&self) -> bool {
        self.turn.is_some()
    }

    /// Gives up its turn, if it has one: nothing is asked of Postfix for a while.
    pub fn give_up_turn(&mut self) {
        self.turn = None;
    }

    /// Tells the gate, which frees the turn; then those who keep its changes. The last: whether its password, which
    /// is right, is on the owner's list.
    async fn end(self, outcome: AuthOutcome) -> (Unjudged, UserName, Settled, Option<bool>) {
        let Self {
            attempt,
            user,
            granted,
            turn,
            tried,
            ..
        } = self;
        let judging = &attempt.judging;
        let mut changes = Vec::new();
        let granted = granted.with_turn(turn.and_then(Held::into_turn));
        let now = judging.clock.now();
        let settled = judging.sequence.settle(granted, outcome, now, &mut changes);
        let seen = tried.into_password();
        let right = seen.filter(|_| settled.outcome == AuthOutcome::Accept);
        let listed = right.and_then(|right| judging.known_passwords.lists(&right));
        turns::wake(judging.sequence.queue());
        judging.door_waits.settled();
        judging.notices.pass(changes).await;
        (attempt, user, settled, listed)
    }
}
