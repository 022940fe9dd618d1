//! listing - bans in lists: for the operator, the page and snapshots
//!
//! Not here: how many there are (`kept`).

use std::ops::Bound;

use super::{Ban, Bans, HeldBan};
use crate::gate::request::change::Subject;
use crate::moment::Moment;

impl Bans {
    /// All bans, the one that ends first at the front.
    pub(in crate::gate) fn all(&self, now: Moment) -> Vec<(Subject, Ban)> {
        self.first(usize::MAX, now)
    }

    /// The `most` bans that end first. No other is looked at, but those that have just ended.
    pub(in crate::gate) fn first(&self, most: usize, now: Moment) -> Vec<(Subject, Ban)> {
        let book = self.read();
        let mut ends = book.ends.iter().peekable();
        let mut by_hand = book.ends_by_hand.iter().peekable();
        let next = || match (ends.peek(), by_hand.peek()) {
            (Some(end), Some(other)) if other < end => by_hand.next(),
            (Some(_), _) => ends.next(),
            (None, _) => by_hand.next(),
        };
        std::iter::from_fn(next)
            .filter_map(|(_, subject)| Some((*subject, book.get(*subject, now)?)))
            .take(most)
            .collect()
    }

    /// The next `most` bans behind `after` in the order of their subjects, over ones too: so that a
    /// snapshot can be written without a lock on all of them.
    pub(in crate::gate) fn batch(
        &self,
        after: Option<Subject>,
        most: usize,
    ) -> Vec<(Subject, HeldBan)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let book = self.read();
        let bans = book.bans.range((from, Bound::Unbounded)).take(most);
        bans.map(|(subject, held)| (*subject, *held)).collect()
    }
}
