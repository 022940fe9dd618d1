//! acquaintance - how well a user is known at a client, for those who keep what was decided
//!
//! Not here: what follows from it (`ladder`), all there is to say about a user (`explain`).

use crate::gate::Gate;
use crate::gate::request::attempt::{Trust, UserName};
use crate::gate::request::client::ClientKey;
use crate::gate::request::keys::UserId;
use crate::gate::trust::familiar::Context;
use crate::moment::Moment;

/// How well a user is known at a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acquaintance {
    /// The user.
    pub user: UserId,
    /// Whether this user has ever logged in, was learnt, introduced or listed.
    pub known: bool,
    /// How far the user is trusted in the client's network.
    pub trust: Trust,
}

impl Acquaintance {
    pub(in crate::gate) const fn of(user: UserId, who: &Context) -> Self {
        Self {
            user,
            known: who.known,
            trust: who.trust,
        }
    }
}

impl Gate {
    /// How well a user is known at a client. Takes nothing.
    pub fn acquaintance(&self, user: &UserName, client: ClientKey, now: Moment) -> Acquaintance {
        let user = self.user(user);
        Acquaintance::of(user, &self.context(user, client.network(), now))
    }
}
