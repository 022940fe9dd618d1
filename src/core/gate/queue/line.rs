//! line - the attempts of one network that wait, and where the network stands among the others
//!
//! Not here: who gets a turn (`queue`).

use std::collections::BTreeMap;

use super::QueueClass;
use crate::gate::request::client::ClientKey;
use crate::moment::Moment;

/// The order of a network's waiters: by class, then by how many of the same client were before it, then by arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WaiterOrder {
    pub(super) class: QueueClass,
    pub(super) of_client: usize,
    pub(super) number: u64,
}

/// Whether a network that waits holds its share already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holder {
    BelowShare,
    AtShare,
}

/// Where a network stands among those that wait.
pub(super) type NetworkPlace = (QueueClass, Holder, u64);

/// Where the networks of a class begin.
pub(super) const fn first_of(class: QueueClass) -> NetworkPlace {
    (class, Holder::BelowShare, 0)
}

/// The attempts of one network.
#[derive(Debug)]
pub(super) struct NetworkLine<W> {
    /// Turns of it that are out.
    pub(super) held: usize,
    /// In `order`; none while the network may have no further turn, or nobody waits.
    pub(super) place: Option<NetworkPlace>,
    /// Whether somebody has logged in in it.
    pub(super) is_lifted: bool,
    pub(super) waiting: BTreeMap<WaiterOrder, LineWaiter<W>>,
}

#[derive(Debug)]
pub(super) struct LineWaiter<W> {
    pub(super) client: Option<ClientKey>,
    pub(super) deadline: Moment,
    pub(super) waiter: W,
}

impl<W> NetworkLine<W> {
    /// The class in which the network waits for a turn for an attempt of this one.
    pub(super) fn lifted(&self, class: QueueClass) -> QueueClass {
        match class {
            QueueClass::Ordinary if self.is_lifted => QueueClass::Neighbour,
            class => class,
        }
    }
}
