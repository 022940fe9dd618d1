//! policy - what decides about login attempts before the mail server: the interface
//!
//! A [`LoginAttempt`] carries what Postfix is expected to say, which no policy may look at before it has let
//! the attempt through. A policy answers at once, or later (`wake`), when attempts wait for turns.
//! Not here: the policies themselves (`gate_policy`, `lab::models`).

use gatepost_core::gate::request::attempt::{Secret, UserName};
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::device::Device;
use gatepost_core::gate::request::doors::Door;
use gatepost_core::gate::request::verdict::Reason;
use gatepost_core::moment::Moment;

/// One login attempt.
#[derive(Debug)]
pub struct LoginAttempt {
    /// Where it comes from.
    pub client: ClientKey,
    /// Where it is made.
    pub door: Door,
    /// From which device, where its program keeps TLS tickets.
    pub device: Option<Device>,
    /// The user.
    pub user: UserName,
    /// With what.
    pub password: Secret,
    /// How it is sent.
    pub mechanism: PasswordForm,
    /// What Postfix says if it is asked.
    pub expected: Expected,
}

/// How a password is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordForm {
    /// PLAIN or LOGIN: it is seen.
    Plain,
    /// SCRAM: it is not.
    Scram,
}

/// What Postfix says to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// 235.
    Right,
    /// 535: the account exists, the password is wrong.
    Wrong,
    /// 535: there is no such account.
    NoSuchUser,
    /// 535 whatever the password: Dovecot fails.
    Outage,
}

/// What the client sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAnswer {
    /// 235.
    LoggedIn,
    /// 535.
    Wrong,
    /// 454 to a wrong password that was checked: the text asks to check the password, or to try later.
    FailedOrPutOff,
    /// 454, or a reset connection. Why, where the policy says so.
    Later(Option<Reason>),
    /// The connection broke: the machine restarted.
    Cut,
}

/// What Postfix had to do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nothing.
    Not,
    /// It checked a password.
    Once,
    /// It checked a password that the policy knew to be a wrong one already.
    Again,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What the client sees.
    pub answer: ClientAnswer,
    /// What Postfix had to do with it.
    pub asked: Asked,
}

/// Attempts that ended, by their tickets.
pub type Ended = Vec<(u64, Outcome)>;

/// What happens to the machine that the policy runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incident {
    /// The state is written, as every minute.
    Snapshot,
    /// An orderly stop, and a start.
    Restart,
    /// kill -9, and a start from the last snapshot and the journal.
    Kill,
}

/// What decides whether an attempt reaches the mail server.
pub trait Policy {
    /// Its name in tables.
    fn name(&self) -> &'static str;

    /// A client tries to log in. The end is pushed to `ended`, now or by a later [`Policy::wake`].
    fn log_in(&mut self, ticket: u64, attempt: LoginAttempt, now: Moment, ended: &mut Ended);

    /// When it wants to be woken.
    fn next(&self) -> Option<Moment> {
        None
    }

    /// The moment that it wanted to be woken at.
    fn wake(&mut self, _now: Moment, _ended: &mut Ended) {}

    /// An old log tells that `user` logged in from `client`.
    fn learn(&mut self, _user: &UserName, _client: ClientKey, _when: Moment, _now: Moment) {}

    /// The old logs are read.
    fn learnt(&mut self) {}

    /// Something happens to the machine.
    fn happen(&mut self, _incident: Incident, _now: Moment, _ended: &mut Ended) {}

    /// Bans so far.
    fn bans(&self) -> u64;

    /// Bans that a restart forgot.
    fn bans_lost(&self) -> u64 {
        0
    }
}
