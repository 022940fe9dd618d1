//! line - which attempts wait together for a process of Postfix, and which take no place of others
//!
//! Words only. Not here: the lines themselves (`processes`).

use crate::gate::buckets::spec::Bucket;
use crate::gate::case::Basis;
use crate::gate::permit::Permit;
use crate::gate::request::attempt::Trust;
use crate::gate::request::client::NetworkKey;
use crate::gate::request::keys::UserId;
use crate::gate::request::verdict::Reason;

/// The line in which an attempt waits.
///
/// Strangers who name a user wait apart from where the user is familiar: they hold up no owner. Clients that the
/// operator has listed are no strangers; nor is a user whose network is unproven, but for what is paid as from far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProcessLine(pub(super) LineOwner);

/// Whose a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum LineOwner {
    Familiar(UserId),
    /// Where the user was familiar before the password was changed.
    Unproven(UserId),
    Stranger(UserId),
    Unnamed(NetworkKey),
}

/// What a process is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A login that Postfix can decide without the client.
    Login,
    /// A relayed exchange, in which Postfix waits for the client.
    Exchange,
}

impl ProcessLine {
    /// The line of the user that a permit is for.
    pub fn of(permit: &Permit) -> Self {
        let (case, paid) = (&permit.claim.case, permit.claim.grounds);
        Self(match (case.who.trust, permit.claim.basis) {
            (Trust::Familiar, _) | (_, Basis::Listed) => LineOwner::Familiar(case.user),
            (Trust::Device, _) if paid == Reason::Bucket(Bucket::Device) => {
                LineOwner::Familiar(case.user)
            }
            // It has no turn, and turns are what limits strangers. It may come from a thief of the old
            // password, so it does not wait in the owner's line.
            (Trust::Unproven | Trust::Device, _) if paid == Reason::Bucket(Bucket::Unproven) => {
                LineOwner::Unproven(case.user)
            }
            (Trust::Device | Trust::Unproven | Trust::Near | Trust::Far, _) => {
                LineOwner::Stranger(case.user)
            }
        })
    }

    /// The line of a network, for an exchange that has not named its user yet.
    pub const fn unnamed(network: NetworkKey) -> Self {
        Self(LineOwner::Unnamed(network))
    }
}

/// A line for one purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct LineKey {
    pub(super) line: ProcessLine,
    pub(super) purpose: Purpose,
}

/// Those who take no place of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PoolKind {
    /// Logins of users where they are familiar, or were before their password was changed.
    Familiar,
    /// Logins of strangers. How many there are is decided before (`queue`).
    Stranger,
    /// Relayed exchanges of users where they are familiar, or were before their password was changed.
    Exchange,
    /// All other relayed exchanges. How many there are is decided before, as for logins of strangers.
    StrangerExchange,
}

impl ProcessLine {
    /// Whether those who wait in it may be slow on purpose.
    pub(super) const fn is_strangers(self) -> bool {
        !matches!(self.0, LineOwner::Familiar(_))
    }
}

impl LineKey {
    /// Whose places it may take.
    pub(super) const fn kind(self) -> PoolKind {
        match (self.purpose, self.line.0) {
            (Purpose::Exchange, LineOwner::Familiar(_) | LineOwner::Unproven(_)) => {
                PoolKind::Exchange
            }
            (Purpose::Exchange, LineOwner::Stranger(_) | LineOwner::Unnamed(_)) => {
                PoolKind::StrangerExchange
            }
            (Purpose::Login, LineOwner::Familiar(_) | LineOwner::Unproven(_)) => PoolKind::Familiar,
            (Purpose::Login, LineOwner::Stranger(_) | LineOwner::Unnamed(_)) => PoolKind::Stranger,
        }
    }
}
