//! acquaintance - how well a user is known at a client, for those who keep what was decided
//!
//! Not here: what follows from it (`ladder`), all there is to say about a user (`explain`).

use crate::gate::Gate;
use crate::gate::request::attempt::{Trust, UserName};
use crate::gate::request::client::ClientKey;
use crate::gate::request::device::Device;
use crate::gate::request::keys::UserId;
use crate::gate::trust::familiar::Context;
use crate::moment::Moment;

/// A client that has named no user yet, and its device where that is known.
#[derive(Clone, Copy, Debug)]
pub struct ConnectedClient {
    /// The client.
    pub client: ClientKey,
    /// Its device.
    pub device: Option<Device>,
}

impl From<ClientKey> for ConnectedClient {
    fn from(client: ClientKey) -> Self {
        let device = None;
        Self { client, device }
    }
}

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
    pub fn acquaintance(
        &self,
        user: &UserName,
        visitor: impl Into<ConnectedClient>,
        now: Moment,
    ) -> Acquaintance {
        let ConnectedClient { client, device } = visitor.into();
        let user = self.user(user);
        let device = device.map(|device| self.keys.device(device));
        Acquaintance::of(user, &self.context_at(user, client.network(), device, now))
    }
}
