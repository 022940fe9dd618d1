//! door - what stands before the mail server, seen from the street
//!
//! A [`Knock`] is one login attempt together with the truth about it, which no door may look at before it
//! has let the attempt through. A door answers at once, or later (`wake`), when attempts wait for turns.
//! Not here: the doors themselves (`gatehouse`, `lab::models`).

use gatepost_core::gate::request::attempt::{Secret, UserName};
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::gate::request::verdict::Reason;
use gatepost_core::moment::Moment;

/// One login attempt.
#[derive(Debug)]
pub struct Knock {
    /// Where it comes from.
    pub client: ClientKey,
    /// As whom.
    pub user: UserName,
    /// With what.
    pub password: Secret,
    /// How it is sent.
    pub mechanism: Mechanism,
    /// What Postfix would say.
    pub truth: Truth,
}

/// How a password is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// PLAIN or LOGIN: it is seen.
    Plain,
    /// SCRAM: it is not.
    Scram,
}

/// What Postfix would say to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// 235.
    Right,
    /// 535: the account exists, the password is wrong.
    Wrong,
    /// 535: there is no such account.
    NoSuchUser,
    /// 535 whatever the password: Dovecot fails.
    Sick,
}

/// What the client sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 235.
    LoggedIn,
    /// 535.
    Wrong,
    /// 454, or a reset connection. Why, where the door says so.
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
    /// It checked a password that the door knew to be a wrong one already.
    Again,
}

/// How a knock ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What the client sees.
    pub answer: Answer,
    /// What Postfix had to do with it.
    pub asked: Asked,
}

/// Ended knocks, by their tickets.
pub type Ended = Vec<(u64, Outcome)>;

/// Something that happens to the door's machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// The state is written, as every minute.
    Snapshot,
    /// A stop in peace, and a start.
    Restart,
    /// kill -9, and a start from the last snapshot and the journal.
    Kill,
}

/// What stands before the mail server.
pub trait Door {
    /// Its name in tables.
    fn name(&self) -> &'static str;

    /// Somebody knocks. The end is pushed to `ended`, now or by a later [`Door::wake`].
    fn knock(&mut self, ticket: u64, knock: Knock, now: Moment, ended: &mut Ended);

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
    fn befall(&mut self, _mishap: Mishap, _now: Moment, _ended: &mut Ended) {}

    /// Bans so far.
    fn bans(&self) -> u64;

    /// Bans that a restart forgot.
    fn bans_lost(&self) -> u64 {
        0
    }
}
