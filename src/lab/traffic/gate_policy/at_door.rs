//! at_door - an attempt at one of Dovecot's doors, as the gate sees it there
//!
//! Dovecot shows a hash of the password and waits two seconds for an answer, so the attempt waits for its turn only
//! for a moment, and its password for a while where none came. Both as the daemon's `judging::at_door` has them.
//! Not here: what is decided (`gate`), when (`gate_policy`).

use std::collections::VecDeque;
use std::time::Duration;

use crate::traffic::SECOND;
use crate::traffic::policy::{ClientAnswer, LoginAttempt, PasswordForm};
use gatepost_core::gate::queue::{QueueClass, Ticket};
use gatepost_core::gate::request::attempt::{AuthAttempt, Password};
use gatepost_core::gate::request::doors::{Door, PasswordHash, PolicyNonce};
use gatepost_core::gate::request::place::Located;
use gatepost_core::moment::Moment;

/// How long an attempt waits for a turn.
const TURN_AT_DOOR: Duration = SECOND;
/// How long a password waits that had no turn in time.
pub(super) const NO_TURN: Duration = SECOND.saturating_mul(5);

/// An attempt, and what Dovecot shows of its password.
#[derive(Debug)]
pub(super) struct ShownAttempt {
    pub(super) attempt: LoginAttempt,
    hash: Option<PasswordHash>,
    /// Where it waits, if it must.
    pub(super) class: QueueClass,
}

impl ShownAttempt {
    /// What is shown at its door. Dovecot writes names in small letters.
    pub(super) fn new(attempt: LoginAttempt, nonce: Option<&PolicyNonce>) -> Self {
        let is_shown =
            !attempt.door.has_later() && matches!(attempt.mechanism, PasswordForm::Plain);
        let hash = nonce.filter(|_| is_shown).map(|nonce| {
            let login = attempt.user.as_bytes().to_ascii_lowercase();
            nonce.hash(&login, attempt.password.expose())
        });
        Self {
            attempt,
            hash,
            class: QueueClass::Ordinary,
        }
    }

    /// What the gate is shown.
    pub(super) fn shown(&self, ticket: u64) -> AuthAttempt<'_> {
        let attempt = &self.attempt;
        AuthAttempt {
            session: ticket,
            client: attempt.client,
            user: &attempt.user,
            password: match (&self.hash, attempt.mechanism) {
                (Some(hash), _) => Password::Hashed(hash),
                (None, PasswordForm::Plain) if attempt.door.has_later() => {
                    Password::Shown(&attempt.password)
                }
                (None, PasswordForm::Plain | PasswordForm::Scram) => Password::Hidden,
            },
            door: attempt.door,
            device: attempt.device.filter(|_| attempt.door.has_later()),
            country: Located::default(),
            system: None,
        }
    }
}

/// Those at Dovecot's doors that wait for a turn, the first to stop waiting first.
#[derive(Debug, Default)]
pub(super) struct AtDoors(VecDeque<(Moment, u64, Ticket)>);

impl AtDoors {
    pub(super) fn push(&mut self, ticket: u64, place: Ticket, now: Moment) {
        self.0.push_back((now + TURN_AT_DOOR, ticket, place));
    }

    /// When the first stops waiting.
    pub(super) fn next(&self) -> Option<Moment> {
        self.0.front().map(|(at, ..)| *at)
    }

    /// The first one whose waiting is over.
    pub(super) fn pop(&mut self, now: Moment) -> Option<(u64, Ticket)> {
        self.next().filter(|at| *at <= now)?;
        self.0.pop_front().map(|(_, ticket, place)| (ticket, place))
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// What a client is told at this door: Dovecot has no "later".
pub(super) fn told(door: Door, answer: ClientAnswer) -> ClientAnswer {
    match answer {
        ClientAnswer::FailedOrPutOff | ClientAnswer::Later(_) if !door.has_later() => {
            ClientAnswer::Wrong
        }
        answer => answer,
    }
}
