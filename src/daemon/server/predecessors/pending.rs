//! pending - orders that wait for processes that were stopped and do not answer
//!
//! A list for each, however often one is repeated. Beyond its bound all sessions of the process are meant: nobody stays whose sessions
//! were to end.
//! Not here: asking them again (`predecessors`).

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::SessionOrder;

/// Different orders that wait for one process.
const ORDERS: usize = 256;

/// So often a process is asked after its last order, once a second: longer than sessions may go on.
const TRIES: u32 = 86_400;

/// By process.
#[derive(Debug, Default)]
pub(super) struct PendingOrders(Mutex<BTreeMap<u32, OrderList>>);

/// An order, and the number of the last time that it was given.
pub(super) type NumberedOrder = (SessionOrder, u64);

#[derive(Debug)]
struct OrderList {
    orders: Vec<NumberedOrder>,
    given: u64,
    tries: u32,
}

/// What waits for a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OrdersLeft {
    /// Nothing.
    None,
    /// Something, for the first time: somebody has to ask.
    New,
    /// Something.
    Some,
}

impl PendingOrders {
    /// An order waits. The same one is not kept twice.
    pub(super) fn add(&self, process: u32, order: SessionOrder) -> OrdersLeft {
        let mut lists = self.lock();
        let left = match lists.contains_key(&process) {
            true => OrdersLeft::Some,
            false => OrdersLeft::New,
        };
        let list = lists.entry(process).or_insert_with(|| OrderList {
            orders: Vec::new(),
            given: 0,
            tries: 0,
        });
        list.given += 1;
        list.tries = TRIES;
        list.orders.retain(|(one, _)| *one != order);
        // limit: orders
        let order = match list.orders.len() >= ORDERS {
            true => SessionOrder::All,
            false => order,
        };
        if order == SessionOrder::All {
            list.orders.clear();
        }
        list.orders.push((order, list.given));
        left
    }

    /// What waits now; none: nothing, or it was tried often enough.
    pub(super) fn due(&self, process: u32) -> Option<Vec<NumberedOrder>> {
        let mut lists = self.lock();
        let list = lists.get_mut(&process)?;
        if list.tries == 0 {
            lists.remove(&process);
            return None;
        }
        list.tries -= 1;
        Some(list.orders.clone())
    }

    /// These were carried out. What was ordered meanwhile waits.
    pub(super) fn done(&self, process: u32, orders: &[NumberedOrder]) -> OrdersLeft {
        let mut lists = self.lock();
        if let Some(list) = lists.get_mut(&process) {
            list.orders.retain(|order| !orders.contains(order));
            if !list.orders.is_empty() {
                return OrdersLeft::Some;
            }
        }
        lists.remove(&process);
        OrdersLeft::None
    }

    /// The process has gone.
    pub(super) fn forget(&self, process: u32) {
        self.lock().remove(&process);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, OrderList>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::registry::Whose;
    use gatepost_core::gate::request::client::ClientKey;
    use gatepost_core::gate::request::verdict::Subject;

    fn order(number: u32) -> SessionOrder {
        SessionOrder::Whose(Whose::Place(Subject::Client(ClientKey::V4(number))))
    }

    #[test]
    fn one_asks_for_all_orders_and_what_is_ordered_meanwhile_waits() {
        let pending = PendingOrders::default();
        assert_eq!(pending.add(1, order(1)), OrdersLeft::New);
        assert_eq!(pending.add(1, order(1)), OrdersLeft::Some);
        assert_eq!(pending.add(1, SessionOrder::Barred), OrdersLeft::Some);
        assert_eq!(pending.add(2, order(1)), OrdersLeft::New);
        let due = pending.due(1).unwrap();
        let orders: Vec<_> = due.iter().map(|(order, _)| *order).collect();
        assert_eq!(orders, [order(1), SessionOrder::Barred]);
        // It may be about another ban by now.
        pending.add(1, SessionOrder::Barred);
        assert_eq!(pending.done(1, &due), OrdersLeft::Some);
        let due = pending.due(1).unwrap();
        assert_eq!(due.len(), 1);
        assert_eq!(pending.done(1, &due), OrdersLeft::None);
        assert_eq!(pending.due(1), None);
        assert_eq!(pending.add(1, order(1)), OrdersLeft::New);
        pending.forget(1);
        assert_eq!(pending.due(1), None);
        assert!(pending.due(2).is_some());
    }

    #[test]
    fn more_orders_than_are_kept_mean_all_sessions() {
        let pending = PendingOrders::default();
        for number in 0..ORDERS as u32 {
            pending.add(1, order(number));
        }
        pending.add(1, order(0));
        assert_eq!(pending.due(1).unwrap().len(), ORDERS);
        pending.add(1, order(ORDERS as u32));
        let due = pending.due(1).unwrap();
        let orders: Vec<_> = due.iter().map(|(order, _)| *order).collect();
        assert_eq!(orders, [SessionOrder::All]);
    }

    #[test]
    fn one_that_never_answers_is_not_asked_for_ever() {
        let pending = PendingOrders::default();
        pending.add(1, order(1));
        let tries = std::iter::from_fn(|| pending.due(1)).count();
        assert_eq!(tries, TRIES as usize);
        assert_eq!(pending.add(1, order(1)), OrdersLeft::New);
    }
}
