//! class - which attempts get their turns first
//!
//! Not here: the turns (`queue`), which attempt is of which class (`judge`, `settling`).

/// Networks that may wait with attempts that are only forgiven. At one turn and 500 ms for a wrong password
/// the last of them waits 4 s.
pub(super) const MOST_FORGIVEN: usize = 8;
/// Each of the two last classes holds at most one turn of so many, rounded up. None is kept for it: who is before it, which buckets
/// and the count of accepted turns bound, may have all.
pub(super) const TURNS_PER_LOW_CLASS: usize = 4;

/// Which attempts go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QueueClass {
    /// A familiar pair while the backend is suspected to fail: its success shows that it works.
    Probe,
    /// A familiar pair whose client has just failed. Its own bucket bounds it, and how often its user was accepted so
    /// lately (`turns_had`).
    AtHome,
    /// No bucket refuses it, and somebody has logged in in its network: a crowd does not wait for all of a pool. All ordinary
    /// attempts of that network that wait are lifted with it, so that they stay in order.
    Neighbour,
    /// No bucket refuses it, or there is reason to think that it is honest.
    Ordinary,
    /// A bucket would refuse it, but for settling in or a dry run.
    Forgiven,
    /// The user is a stranger there, and was accepted so many times lately (`turns_had`): the holder of an account keeps
    /// no other out.
    Frequent,
}

impl QueueClass {
    /// The class in which an attempt of this one waits for a place among exchanges, and for its second turn there.
    pub const fn in_exchange(self) -> Self {
        match self {
            Self::Frequent => Self::Frequent,
            _ => Self::Ordinary,
        }
    }

    /// Whether it goes before ordinary attempts, and leaves every second turn to them.
    pub(super) const fn leaves_turns(self) -> bool {
        matches!(self, Self::AtHome | Self::Neighbour)
    }
}
