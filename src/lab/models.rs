//! models - what stands before mail servers today, by their documented rules
//!
//! A [`Model`] is asked before Postfix is, and sees what Postfix answered; [`Modelled`] makes a policy of
//! it. Each is in its own file and names its source. They are models: what a manual leaves open is stated
//! in the file, and decided in the model's favour.
//! Not here: the gate (`traffic::gate_policy`).

use crate::traffic::policy::{Asked, ClientAnswer, Ended, Expected, LoginAttempt, Outcome, Policy};
use gatepost_core::gate::request::attempt::UserName;
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::moment::Moment;

mod anvil;
mod bucket;
mod fail2ban;
mod mailu;
mod smart_lockout;

/// A limiter, as its manual describes it.
pub trait Model {
    /// Its name in tables.
    fn name(&self) -> &'static str;

    /// Whether an attempt may go on to Postfix. It must not look at `expected`.
    fn admits(&mut self, attempt: &LoginAttempt, now: Moment) -> bool;

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
        Box::new(anvil::Anvil::default()),
        Box::new(mailu::Mailu::default()),
        Box::new(smart_lockout::SmartLockout::default()),
        Box::new(bucket::PerAddress::default()),
    ]
}

/// A model as a policy.
pub struct Modelled(Box<dyn Model>);

impl Modelled {
    /// The policy of a model.
    pub fn new(model: Box<dyn Model>) -> Self {
        Self(model)
    }
}

impl Policy for Modelled {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn log_in(&mut self, ticket: u64, attempt: LoginAttempt, now: Moment, ended: &mut Ended) {
        let outcome = if self.0.admits(&attempt, now) {
            self.0.observe(&attempt, attempt.expected, now);
            let answer = match attempt.expected {
                Expected::Right => ClientAnswer::LoggedIn,
                Expected::Wrong | Expected::NoSuchUser | Expected::Outage => ClientAnswer::Wrong,
            };
            let asked = Asked::Once;
            Outcome { answer, asked }
        } else {
            let answer = ClientAnswer::Later(None);
            let asked = Asked::Not;
            Outcome { answer, asked }
        };
        ended.push((ticket, outcome));
    }

    fn learn(&mut self, user: &UserName, client: ClientKey, when: Moment, _now: Moment) {
        self.0.learn(user, client, when);
    }

    fn bans(&self) -> u64 {
        self.0.bans()
    }
}

impl std::fmt::Debug for Modelled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Modelled({})", self.0.name())
    }
}

#[cfg(test)]
mod tests;
