//! queue - the order of what happens: by time, and at the same moment as it was queued
//!
//! Not here: what happens (`run`).

use super::SimulatedEvent;
use gatepost_core::moment::Moment;

/// Something that happens at a moment.
pub(super) struct QueuedEvent {
    pub(super) at: Moment,
    pub(super) order: u64,
    pub(super) event: SimulatedEvent,
}

impl PartialEq for QueuedEvent {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for QueuedEvent {}

impl PartialOrd for QueuedEvent {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for QueuedEvent {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}
