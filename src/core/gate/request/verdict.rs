//! verdict - what a verdict rests on: reasons, refusals, standings
//!
//! Every reason has one log value.
//! Not here: the verdicts themselves, for one carries a permit (`gate::permit`), how a verdict is
//! reached (`gate`), what changed with it (`change`), the replies to the client (`smtp::dialogue`).

use std::fmt;
use std::time::Duration;

use crate::gate::buckets::spec::{BUCKETS, Bucket};
use crate::gate::request::attempt::AuthOutcome;
pub use crate::gate::request::change::{BanCause, Subject};
use crate::gate::request::suspicion::Suspicion;

/// Why an attempt is refused, and for how long at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What refused it.
    pub reason: Reason,
    /// Until the same attempt could be allowed, as far as is known now.
    pub wait: Duration,
}

/// What a verdict rests on. The log values (`Display`) are public API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// On the allow list: never judged.
    AllowList,
    /// On the deny list: never admitted.
    DenyList,
    /// A bucket.
    Bucket(Bucket),
    /// A repetition of a wrong password.
    Repeat,
    /// A name that no honest user has.
    Trap,
    /// The client or its network is banned.
    Ban,
    /// No turn came before the deadline.
    Turn,
    /// The backend rejects many familiar pairs at once: it is failing.
    Outage,
    /// The owner lets nobody log in from this country.
    Country,
    /// The owner's rule for this user.
    UserRule,
    /// A mailbox that nobody has.
    Decoy,
    /// The user's password seems to be stolen, and the place is not familiar.
    Stolen,
}

impl Reason {
    /// How many there are.
    pub const COUNT: usize = BUCKETS.len() + 11;

    /// Every reason, in the order of the log's documentation.
    pub fn all() -> impl Iterator<Item = Self> {
        let buckets = BUCKETS.iter().map(|spec| Self::Bucket(spec.bucket));
        [Self::AllowList, Self::DenyList]
            .into_iter()
            .chain(buckets)
            .chain([
                Self::Repeat,
                Self::Trap,
                Self::Ban,
                Self::Turn,
                Self::Outage,
                Self::Country,
                Self::UserRule,
                Self::Decoy,
                Self::Stolen,
            ])
    }

    /// Its place in [`Self::all`].
    pub const fn place(self) -> usize {
        const AFTER: usize = 2 + BUCKETS.len();
        match self {
            Self::AllowList => 0,
            Self::DenyList => 1,
            Self::Bucket(bucket) => 2 + bucket as usize,
            Self::Repeat => AFTER,
            Self::Trap => AFTER + 1,
            Self::Ban => AFTER + 2,
            Self::Turn => AFTER + 3,
            Self::Outage => AFTER + 4,
            Self::Country => AFTER + 5,
            Self::UserRule => AFTER + 6,
            Self::Decoy => AFTER + 7,
            Self::Stolen => AFTER + 8,
        }
    }

    /// Whether it is the owner's order, which is nobody's fault and refuses users at home too.
    pub const fn is_ordered(self) -> bool {
        matches!(
            self,
            Self::DenyList
                | Self::Ban
                | Self::Country
                | Self::UserRule
                | Self::Decoy
                | Self::Stolen
        )
    }

    /// The log value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllowList => "allow-list",
            Self::DenyList => "deny-list",
            Self::Bucket(bucket) => bucket.spec().reason,
            Self::Repeat => "repeat",
            Self::Trap => "trap",
            Self::Ban => "ban",
            Self::Turn => "turn",
            Self::Outage => "backend-outage",
            Self::Country => "country",
            Self::UserRule => "user-rule",
            Self::Decoy => "decoy",
            Self::Stolen => "stolen",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a client is told that was not logged in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailureReply {
    /// What came of it: 535 or 454.
    #[default]
    Outcome,
    /// A refusal, whatever came of it, so that the reply does not tell whether the name is known.
    Refusal,
}

/// How a permit was settled.
#[derive(Debug)]
#[must_use]
pub struct Settled {
    /// What came of it: a rejection by a failing backend becomes `Defer`.
    pub outcome: AuthOutcome,
    /// What the client is told if it was not accepted.
    pub reply: FailureReply,
    /// The reason, where the gate changed the outcome, or has found that the password seems to be stolen.
    pub reason: Option<Reason>,
    /// The suspicion that began with it: the password is right, and seems to be stolen.
    pub suspicion: Option<Suspicion>,
}

/// How a client stands before it has said a word: what admission asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// On the deny list, never admitted.
    Deny,
    /// Not admitted: banned by the operator, or automatically where nobody is familiar.
    Banned,
    /// On the allow list.
    Allow,
    /// Somebody logged in from its network.
    Familiar,
    /// Nobody we know.
    Stranger,
}

/// The log value.
impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deny => "deny",
            Self::Banned => "banned",
            Self::Allow => "allow",
            Self::Familiar => "familiar",
            Self::Stranger => "stranger",
        })
    }
}
