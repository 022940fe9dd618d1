//! orders - the operator's orders at this machine that no state tells of later, kept for machines that may have missed them
//!
//! Not here: when they are told again (`sync`, `by_mesh`), what they say (`gate`).

use std::collections::VecDeque;
use std::time::Duration;

use gatepost_core::gate::request::change::{Change, Fact};
use gatepost_core::moment::Moment;

/// Orders that are kept, and for how long.
const ORDERS: usize = 1024;
const KEPT: Duration = Duration::from_secs(3600);

/// What was forgiven, and who was expelled.
#[derive(Debug, Default)]
pub(super) struct OrdersKept(VecDeque<Change>);

impl OrdersKept {
    /// Keeps what no state tells of later.
    pub(super) fn keep(&mut self, changes: &[Change], now: Moment) {
        let orders = changes
            .iter()
            .filter(|change| matches!(change.fact, Fact::Forgiven(_) | Fact::Expelled(_)));
        for order in orders {
            if self.0.len() >= ORDERS {
                self.0.pop_front();
            }
            self.0.push_back(*order);
        }
        self.0.retain(|order| now.since(order.at) < KEPT);
    }

    /// Those that are kept.
    pub(super) fn get(&self, now: Moment) -> Vec<Change> {
        let kept = self.0.iter();
        kept.filter(|order| now.since(order.at) < KEPT)
            .copied()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost_core::gate::request::change::{Expulsion, Subject};
    use gatepost_core::gate::request::client::ClientKey;

    #[test]
    fn orders_are_kept_for_a_while_and_fill_no_memory() {
        let now = Moment::from_seconds(1_800_000_000);
        let order = |n: u32, at| {
            let whose = Expulsion::Place(Subject::Client(ClientKey::V4(n)));
            Change::here(at, Fact::Expelled(whose))
        };
        let mut kept = OrdersKept::default();
        kept.keep(&[Change::here(now, Fact::BackendFailing)], now);
        assert_eq!(kept.get(now), []);
        kept.keep(&[order(1, now)], now);
        assert_eq!(kept.get(now + KEPT - Duration::from_nanos(1)).len(), 1);
        assert_eq!(kept.get(now + KEPT).len(), 0);
        let many: Vec<Change> = (0..ORDERS as u32 + 9).map(|n| order(n, now)).collect();
        kept.keep(&many, now);
        assert_eq!(kept.0.len(), ORDERS);
    }
}
