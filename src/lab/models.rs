//! models - what stands before mail servers today, by their documented rules
//!
//! A [`Model`] is asked before Postfix is, and sees what Postfix answered; [`Modelled`] makes a policy of
//! it. Each is in its own file and names its source. They are models: what a manual leaves open is stated
//! in the file, and decided in the model's favour.
//! Not here: the gate (`traffic::gate_policy`).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::traffic::policy::{Asked, ClientAnswer, Ended, Expected, LoginAttempt, Outcome, Policy};
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::moment::Moment;

mod anvil;
mod bucket;
mod crowdsec;
mod dovecot;
mod fail2ban;
mod mailu;
mod smart_lockout;
mod stop_guessing;

/// A limiter, as its manual describes it.
pub trait Model {
    /// Its name in tables.
    fn name(&self) -> &'static str;

    /// Whether an attempt may go on to Postfix. It must not look at `expected`.
    fn admits(&mut self, attempt: &LoginAttempt, now: Moment) -> bool;

    /// How long an attempt waits before Postfix answers it.
    fn wait(&mut self, _attempt: &LoginAttempt, _now: Moment) -> Duration {
        Duration::ZERO
    }

    /// What Postfix answered to an attempt that went on.
    fn observe(&mut self, attempt: &LoginAttempt, said: Expected, now: Moment);

    /// A login of the past.
    fn learn(&mut self, _user: &UserName, _client: ClientKey, _when: Moment) {}

    /// Bans or lock-outs so far.
    fn bans(&self) -> u64 {
        0
    }
}

/// All models, with nothing seen yet.
pub fn all() -> Vec<Box<dyn Model>> {
    vec![
        Box::new(fail2ban::Fail2ban::constant()),
        Box::new(fail2ban::Fail2ban::with_increments()),
        Box::new(crowdsec::CrowdSec::default()),
        Box::new(dovecot::DovecotPenalty::default()),
        Box::new(anvil::Anvil::default()),
        Box::new(mailu::Mailu::default()),
        Box::new(smart_lockout::SmartLockout::default()),
        Box::new(stop_guessing::StopGuessing::default()),
        Box::new(bucket::PerAddress::default()),
    ]
}

/// A model as a policy.
pub struct Modelled {
    model: Box<dyn Model>,
    /// Those that wait for their answer, the next to be answered first.
    waiting: BTreeMap<(Moment, u64), LoginAttempt>,
}

impl Modelled {
    /// The policy of a model.
    pub fn new(model: Box<dyn Model>) -> Self {
        Self {
            model,
            waiting: BTreeMap::new(),
        }
    }
}

impl Modelled {
    /// Postfix is asked, and the model sees what it says.
    fn check(&mut self, attempt: &LoginAttempt, now: Moment) -> Outcome {
        self.model.observe(attempt, attempt.expected, now);
        let answer = match attempt.expected {
            Expected::Right => ClientAnswer::LoggedIn,
            Expected::Wrong | Expected::NoSuchUser | Expected::Outage => ClientAnswer::Wrong,
        };
        let asked = Asked::Once;
        Outcome { answer, asked }
    }
}

impl Policy for Modelled {
    fn name(&self) -> &'static str {
        self.model.name()
    }

    fn log_in(&mut self, ticket: u64, attempt: LoginAttempt, now: Moment, ended: &mut Ended) {
        if !self.model.admits(&attempt, now) {
            let answer = ClientAnswer::Later(None);
            let asked = Asked::Not;
            ended.push((ticket, Outcome { answer, asked }));
            return;
        }
        let wait = self.model.wait(&attempt, now);
        if wait.is_zero() {
            ended.push((ticket, self.check(&attempt, now)));
        } else {
            self.waiting.insert((now + wait, ticket), attempt);
        }
    }

    fn next(&self) -> Option<Moment> {
        self.waiting.keys().next().map(|(at, _)| *at)
    }

    fn wake(&mut self, now: Moment, ended: &mut Ended) {
        while self.next().is_some_and(|at| at <= now) {
            let Some(((_, ticket), attempt)) = self.waiting.pop_first() else {
                return;
            };
            ended.push((ticket, self.check(&attempt, now)));
        }
    }

    fn learn(&mut self, user: &UserName, client: ClientKey, when: Moment, _now: Moment) {
        self.model.learn(user, client, when);
    }

    fn bans(&self) -> u64 {
        self.model.bans()
    }
}

impl std::fmt::Debug for Modelled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Modelled({})", self.model.name())
    }
}

#[cfg(test)]
mod tests;
