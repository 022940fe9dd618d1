//! suspicion - when valid logins are not their owner's: what is counted of them, and what was found
//!
//! Not here: the counting (`trust::new_places`), what follows for those who log in (`ladder`), who is told (the daemon).

use std::fmt;

use crate::gate::request::client::RegionKey;
use crate::gate::request::keys::UserId;
use crate::gate::request::place::Country;
use crate::moment::Moment;

/// The rules about valid logins that nobody expects: the section `[stolen]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StolenSettings {
    /// What becomes of the logins of a user whose password seems to be stolen.
    pub far_logins: FarLogins,
    /// How many new places within a day are too many.
    pub limits: NewPlaceLimits,
    /// Users who are not watched: many people, or one who is everywhere.
    pub except: Vec<String>,
}

/// What becomes of logins from places that are not familiar, where a password seems to be stolen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FarLogins {
    /// They are let in, and the operator is told.
    #[default]
    Tell,
    /// They wait.
    Hold,
}

/// How many new places of one user within a day are too many; 0: that is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewPlaceLimits {
    /// Countries.
    pub countries: usize,
    /// Autonomous systems.
    pub systems: usize,
    /// Networks of the size of a carrier's (/16, or /32 in IPv6); those of one system count once.
    pub networks: usize,
    /// Failures from its network, beyond the user's own, that make one first login too many.
    pub guesses: u32,
}

impl Default for NewPlaceLimits {
    fn default() -> Self {
        Self {
            countries: 5,
            systems: 8,
            networks: 14,
            guesses: 5,
        }
    }
}

impl Default for StolenSettings {
    fn default() -> Self {
        Self {
            far_logins: FarLogins::Tell,
            limits: NewPlaceLimits::default(),
            except: Vec::new(),
        }
    }
}

/// Why a password seems to be stolen. The log values (`Display`) are public API, the numbers those of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SuspicionCause {
    /// Logins from too many countries.
    Countries = 1,
    /// Logins from too many autonomous systems.
    Systems = 2,
    /// Logins from too many networks.
    Networks = 3,
    /// A first login from a network that is guessing at others.
    Guesses = 4,
}

impl SuspicionCause {
    /// Every cause.
    pub const ALL: [Self; 4] = [
        Self::Countries,
        Self::Systems,
        Self::Networks,
        Self::Guesses,
    ];

    /// Whether logins may be held for it. Guesses need no password: who makes them in the network of a hotel must not shut
    /// its guests out, so they are told and no more.
    pub const fn may_hold(self) -> bool {
        !matches!(self, Self::Guesses)
    }
}

impl fmt::Display for SuspicionCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Countries => "countries",
            Self::Systems => "systems",
            Self::Networks => "networks",
            Self::Guesses => "guesses",
        })
    }
}

/// A place that was new to a user who logged in from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewPlace {
    /// Its neighbourhood: all of it is new.
    pub region: RegionKey,
    /// The autonomous system, where a database says it.
    pub system: Option<u32>,
    /// The country, where a database says it.
    pub country: Option<Country>,
    /// The first login.
    pub at: Moment,
}

/// A user whose password seems to be stolen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspicion {
    /// Since when.
    pub since: Moment,
    /// Why.
    pub cause: SuspicionCause,
    /// Whether the logins from places that are not familiar wait.
    pub far_logins: FarLogins,
    /// The new places, the oldest first.
    pub places: Vec<NewPlace>,
}

/// A new place of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserPlace {
    pub(in crate::gate) user: UserId,
    pub(in crate::gate) place: HeldPlace,
}

/// A place that was new to a user, as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) struct HeldPlace {
    pub(in crate::gate) region: RegionKey,
    pub(in crate::gate) system: Option<u32>,
    pub(in crate::gate) country: Option<Country>,
    /// The first login from there, in seconds since the epoch.
    pub(in crate::gate) at: u32,
}

/// Whose password seems to be stolen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StolenSuspicion {
    pub(in crate::gate) user: UserId,
    pub(in crate::gate) cause: SuspicionCause,
    /// In seconds since the epoch.
    pub(in crate::gate) since: u32,
}

/// A user whose password does not seem to be stolen any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClearedUser(pub(in crate::gate) UserId);
