//! at_door - an attempt at a door that knows no "later": it waits for its turn only for a moment
//!
//! Dovecot waits two seconds for an answer, and calls every refusal a wrong password. So who finds no turn in time is
//! judged without one, and its password waits a while instead. So is who finds too many waiting: Dovecot asks over a hundred
//! connections at most, and allows a login whose question is not answered in time.
//! Not here: the other ways of an attempt (`attempt`), who asks (`auth_policy`).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::attempt::{Granted, Unjudged};
use super::turns::{self, Held};
use super::{Asker, Judging, Refused};
use crate::drain::Drain;
use crate::report::limits::ResourceLimit;
use gatepost_core::gate::queue::QueueClass;
use gatepost_core::gate::request::attempt::{AuthAttempt, Password, UserName};
use gatepost_core::gate::sequence::{self, Begun};

/// How long an attempt waits for a turn at a door that knows no "later": Dovecot waits two seconds for an answer.
const TURN_AT_DOOR: Duration = Duration::from_secs(1);

/// How long a password waits that had no turn in time.
const NO_TURN: Duration = Duration::from_secs(5);

/// Questions that wait for a turn at once. The rest of Dovecot's connections are for those that are answered at once, so
/// that a flood of strangers keeps none from its answer.
const WAITING: usize = 32;

/// The places of questions that wait for a turn.
#[derive(Debug)]
pub(in crate::judging) struct DoorWaits(Semaphore);

impl Default for DoorWaits {
    fn default() -> Self {
        // limit: policy-turns
        Self(Semaphore::new(WAITING))
    }
}

impl Unjudged {
    /// Judges it at a door that knows no "later": it waits for its turn only for a moment, and goes on without one.
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
        let mut pace = Duration::ZERO;
        let judged = match self.first_stage(&attempt, &asker.drain()).await {
            Err(refused) => Err(refused),
            Ok(Begun::Granted(granted)) => Ok((granted, None)),
            Ok(Begun::Refused(refused)) => Err(refused.into()),
            Ok(Begun::Wait(class)) => {
                let judged = judging.soon(&attempt, class, asker.drain()).await;
                if let Ok((_, None)) = judged {
                    pace = NO_TURN;
                }
                judged
            }
        };
        let mut granted = self.granted(asker, user, judged)?;
        granted.delay = granted.delay.max(pace);
        if !granted.delay.is_zero() {
            granted.attempt.judging.counters.delayed.count();
        }
        Ok(granted)
    }
}

impl Judging {
    /// The second stage at a door that knows no "later": if no turn comes soon it goes on without one.
    async fn soon(
        &self,
        attempt: &AuthAttempt<'_>,
        class: QueueClass,
        mut drain: Drain,
    ) -> Result<(sequence::GrantedAttempt, Option<Held>), Refused> {
        let (queue, network) = (self.sequence.queue(), attempt.client.network());
        let since = self.clock.now();
        let in_turn = async {
            let held = turns::take(queue, network, class, since, since).await;
            self.when_idle(held).await
        };
        let turn = match self.door_waits.0.try_acquire() {
            Err(_) => {
                self.counters.limits.count(ResourceLimit::PolicyTurns);
                None
            }
            Ok(_place) => tokio::select! {
                biased;
                () = drain.begun() => return Err(Refused::Draining),
                turn = timeout(TURN_AT_DOOR, in_turn) => turn.ok().flatten(),
            },
        };
        if let Some(turn) = turn {
            return self.with_turn(turn, attempt).await;
        }
        let mut changes = Vec::new();
        let now = self.clock.now();
        let judged = self
            .sequence
            .without_turn(class, attempt, now, &mut changes);
        self.notices.pass(changes).await;
        judged.map(|granted| (granted, None)).map_err(Refused::from)
    }
}
