//! at_door - an attempt at a door that knows no "later": it waits for its turn only for a moment
//!
//! Dovecot waits two seconds for an answer, and calls every refusal a wrong password. So an attempt that finds no turn in
//! time is judged without one, and its password waits a while instead. The same holds for an attempt that finds too many
//! waiting: Dovecot asks over a hundred connections at most, and allows a login whose question is not answered in time.
//! In a crowd behind one address, whose right logins hold each other's tokens, a question waits until one of them is
//! settled, and begins again.
//! Not here: the other ways of an attempt (`attempt`), who asks (`auth_policy`).

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::futures::Notified;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::{Sleep, sleep, timeout};

use super::attempt::{Granted, Unjudged};
use super::turns::Held;
use super::{Asker, Judging, Refused};
use crate::report::limits::ResourceLimit;
use gatepost_core::gate::queue::QueueClass;
use gatepost_core::gate::request::attempt::{AuthAttempt, Password, UserName};
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::verdict::Refusal;
use gatepost_core::gate::sequence::{Begun, GrantedAttempt, RefusedAttempt};

/// How long an attempt waits for a turn at a door that knows no "later": Dovecot waits two seconds for an answer.
const TURN_AT_DOOR: Duration = Duration::from_secs(1);

/// How long it waits in all, with what it waits for others of its crowd.
const LONGEST_AT_DOOR: Duration = Duration::from_millis(1_500);

/// How long a password waits that had no turn in time.
const NO_TURN: Duration = Duration::from_secs(5);

/// Questions that wait for a turn at once. The rest of Dovecot's connections are for those that are answered at once, so
/// that a flood of strangers keeps none from its answer.
const WAITING: usize = 32;

/// As many more, of clients that have something under way: many addresses that try once each have none.
const WAITING_IN_CROWD: usize = 32;

/// The places of questions that wait, and the news that something was settled.
#[derive(Debug)]
pub(in crate::judging) struct DoorWaits {
    anybody: Semaphore,
    crowd: Semaphore,
    settled: Notify,
}

impl Default for DoorWaits {
    fn default() -> Self {
        Self {
            // limit: policy-turns
            anybody: Semaphore::new(WAITING),
            // limit: policy-turns
            crowd: Semaphore::new(WAITING_IN_CROWD),
            settled: Notify::new(),
        }
    }
}

impl DoorWaits {
    /// An attempt was settled: what it held may be there for those who wait.
    pub(in crate::judging) fn settled(&self) {
        self.settled.notify_waiters();
    }
}

/// What is granted, with its turn.
type DoorGrant = (GrantedAttempt, Option<Held>);

/// Why a question may not be answered with a yes now.
enum DoorRefusal {
    Refused(Refused),
    /// Others of its client hold what it needs.
    Crowded(Refusal),
}

impl From<RefusedAttempt> for DoorRefusal {
    fn from(refused: RefusedAttempt) -> Self {
        match refused {
            RefusedAttempt::Crowded(refusal) => Self::Crowded(refusal),
            RefusedAttempt::Refuse(_) | RefusedAttempt::Repeat => Self::Refused(refused.into()),
        }
    }
}

impl Unjudged {
    /// Judges it at a door that knows no "later": it waits for its turn only for a moment, and goes on without one. When
    /// the drain begins, too: the state waits for it, and an answer without a judgement would cost a guesser nothing.
    ///
    /// # Errors
    ///
    /// It may not be tried.
    pub async fn judge_at_door(
        self,
        asker: &(impl Asker + Sync),
        user: &UserName,
        password: Password<'_>,
    ) -> Result<Granted, Refused> {
        let attempt = self.attempt_of(asker, user, password);
        let judging = Arc::clone(&self.judging);
        let mut question = WaitingQuestion {
            judging: &judging,
            over: Box::pin(sleep(LONGEST_AT_DOOR)),
            place: None,
            pace: Duration::ZERO,
        };
        let judged = question.decide(&self, &attempt).await;
        let pace = question.pace;
        let mut granted = self.granted(asker, user, judged)?;
        granted.delay = granted.delay.max(pace);
        if !granted.delay.is_zero() {
            granted.attempt.judging.counters.delayed.count();
        }
        Ok(granted)
    }
}

/// A question at a door that knows no "later", on its way.
struct WaitingQuestion<'a> {
    judging: &'a Judging,
    /// Its time is over.
    over: Pin<Box<Sleep>>,
    /// Its place among those that wait, once it has had to.
    place: Option<SemaphorePermit<'a>>,
    /// How long its password must wait because it had no turn.
    pace: Duration,
}

impl WaitingQuestion<'_> {
    /// Judges it until that is decided.
    async fn decide(
        &mut self,
        unjudged: &Unjudged,
        attempt: &AuthAttempt<'_>,
    ) -> Result<DoorGrant, Refused> {
        let judging = self.judging;
        loop {
            // Before it is judged: what is settled meanwhile is not missed.
            let mut settled = pin!(judging.door_waits.settled.notified());
            settled.as_mut().enable();
            let refusal = match self.judge(unjudged, attempt).await {
                Ok(granted) => return Ok(granted),
                Err(DoorRefusal::Refused(refused)) => return Err(refused),
                Err(DoorRefusal::Crowded(refusal)) => refusal,
            };
            if !self.is_settled(settled.as_mut()).await {
                let now = judging.clock.now();
                let refused = judging.sequence.put_off(attempt, refusal, now);
                return Err(refused.into());
            }
        }
    }

    /// Both stages, once.
    async fn judge(
        &mut self,
        unjudged: &Unjudged,
        attempt: &AuthAttempt<'_>,
    ) -> Result<DoorGrant, DoorRefusal> {
        match unjudged.begin(attempt).await {
            Begun::Granted(granted) => Ok((granted, None)),
            Begun::Refused(refused) => Err(refused.into()),
            Begun::Wait(class) => self.soon(attempt, class).await,
        }
    }

    /// The second stage: if no turn comes soon it goes on without one.
    async fn soon(
        &mut self,
        attempt: &AuthAttempt<'_>,
        class: QueueClass,
    ) -> Result<DoorGrant, DoorRefusal> {
        let judging = self.judging;
        let now = judging.clock.now();
        let in_turn = async {
            let held = judging.take_turn(attempt, class, now).await;
            judging.when_idle(held).await
        };
        let turn = match self.may_wait(attempt.client) {
            false => None,
            true => tokio::select! {
                biased;
                turn = timeout(TURN_AT_DOOR, in_turn) => turn.ok().flatten(),
                () = self.over.as_mut() => None,
            },
        };
        if let Some(turn) = turn {
            return Ok(judging.with_turn(turn, attempt).await?);
        }
        let mut changes = Vec::new();
        let now = judging.clock.now();
        let judged = judging
            .sequence
            .without_turn(class, attempt, now, &mut changes);
        judging.notices.pass(changes).await;
        let granted = judged?;
        self.pace = NO_TURN;
        Ok((granted, None))
    }

    /// Waits until an attempt is settled. False: none was in time, or too many wait.
    async fn is_settled(&mut self, settled: Pin<&mut Notified<'_>>) -> bool {
        if !self.may_wait_in_crowd() {
            return false;
        }
        tokio::select! {
            biased;
            () = self.over.as_mut() => false,
            () = settled => true,
        }
    }

    /// Whether it may wait for a turn.
    fn may_wait(&mut self, client: ClientKey) -> bool {
        let waits = &self.judging.door_waits;
        if self.place.is_none() {
            self.place = waits.anybody.try_acquire().ok();
        }
        let is_in_crowd = self.place.is_none() && self.judging.gate().has_unsettled(client);
        match is_in_crowd {
            true => self.may_wait_in_crowd(),
            false => self.has_place(),
        }
    }

    /// Whether it may wait for others of its client. No place of those for anybody: a guesser with some tries under way
    /// would take them all.
    fn may_wait_in_crowd(&mut self) -> bool {
        if self.place.is_none() {
            self.place = self.judging.door_waits.crowd.try_acquire().ok();
        }
        self.has_place()
    }

    fn has_place(&self) -> bool {
        if self.place.is_none() {
            let limits = &self.judging.counters.limits;
            limits.count(ResourceLimit::PolicyTurns);
        }
        self.place.is_some()
    }
}
