//! decided - what one machine of a cluster decides for all: a ban, a login, a forgetting
//!
//! Not here: the facts themselves (`change`), at which machine it was (the daemon's `cluster::decided`).

use super::change::{Change, Fact, ForgottenUser, Subject};
use super::client::NetworkKey;
use super::keys::UserId;
use crate::moment::Moment;

/// What one machine decides for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DecidedThing {
    /// A ban, with its end.
    Ban(Subject),
    /// A ban that was lifted.
    Lifted(Subject),
    /// A login of a user, or an introduction.
    Known(UserId),
    /// A login that makes a network familiar.
    Familiar(UserId, NetworkKey),
    /// A network, or all of them, that is no more familiar.
    Revoked(UserId, Option<NetworkKey>),
    /// A user who was forgotten.
    Forgotten(UserId),
}

impl Change {
    /// What it decides, and the moment by which this one is told from an earlier one.
    pub fn decides(&self) -> Option<(DecidedThing, Moment)> {
        let second = |second: u32| Moment::from_seconds(u64::from(second));
        Some(match self.fact {
            Fact::BanBegan(ban) => (DecidedThing::Ban(ban.subject), ban.until),
            Fact::BanEnded(end) => (DecidedThing::Lifted(end.subject), self.at),
            Fact::UserKnown(login) => (DecidedThing::Known(login.user), second(login.last)),
            Fact::PairFamiliar(login) => {
                let thing = DecidedThing::Familiar(login.user, login.network);
                (thing, second(login.last))
            }
            Fact::TrustRevoked(what) => (DecidedThing::Revoked(what.user, what.network), self.at),
            Fact::UserForgotten(ForgottenUser(user)) => (DecidedThing::Forgotten(user), self.at),
            _ => return None,
        })
    }
}
