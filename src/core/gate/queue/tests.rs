//! tests - turns on a clock of their own

use proptest::prelude::*;

use super::*;
use std::time::Duration;

mod classes;
mod model;

const DEADLINE: Duration = Duration::from_secs(15);
const START: Moment = Moment::from_seconds(1_795_478_400);

fn settings(at_once: usize) -> QueueSettings {
    QueueSettings {
        at_once,
        deadline: DEADLINE,
    }
}

/// Waiters are numbers.
fn queue(at_once: usize) -> Queue<u32> {
    Queue::new(settings(at_once))
}

fn network(number: u32) -> NetworkKey {
    NetworkKey::V4(number << 8)
}

/// The turns that are given now, and their takers; no waiter may have missed its deadline.
#[track_caller]
fn granted(queue: &Queue<u32>) -> Vec<(u32, Turn)> {
    let woken = queue.advance(START).into_iter().map(|woken| match woken {
        Woken::Turn(waiter, turn) => (waiter, turn),
        Woken::Missed(waiter) => panic!("{waiter} was sent away"),
    });
    woken.collect()
}

/// The one turn that is given now, to `waiter`.
#[track_caller]
fn turn_of(queue: &Queue<u32>, waiter: u32) -> Turn {
    let mut granted = granted(queue);
    let (first, turn) = granted.pop().expect("a turn");
    assert_eq!((first, granted.len()), (waiter, 0));
    turn
}

#[track_caller]
fn nothing_is_kept(queue: &Queue<u32>) {
    let lines = queue.lock();
    assert_eq!(lines.held, 0);
    assert!(lines.networks.is_empty(), "{lines:?}");
    assert!(lines.order.is_empty(), "{lines:?}");
    assert!(lines.deadlines.is_empty(), "{lines:?}");
}

#[test]
fn a_network_has_one_turn_and_another_does_not_wait_for_it() {
    let queue = queue(2);
    queue.enter(network(1), QueueClass::Ordinary, 10, START);
    let first = turn_of(&queue, 10);
    queue.enter(network(1), QueueClass::Ordinary, 11, START);
    queue.enter(network(2), QueueClass::Ordinary, 20, START);
    let other = turn_of(&queue, 20);
    queue.free(first);
    let second = turn_of(&queue, 11);
    queue.free(second);
    queue.free(other);
    nothing_is_kept(&queue);
}

#[test]
fn a_network_has_a_second_turn_while_half_are_free_and_nobody_else_waits() {
    let queue = queue(4);
    for waiter in 10..16 {
        queue.enter(network(1), QueueClass::Ordinary, waiter, START);
    }
    let crowd = granted(&queue);
    assert_eq!(crowd.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [10, 11]);
    for number in [2, 3] {
        queue.enter(network(number), QueueClass::Ordinary, 10 * number, START);
    }
    let mut others = granted(&queue);
    assert_eq!(others.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [20, 30]);
    // One of the crowd is done, and more than half are held: those without a turn come first.
    let [first, second] = <[(u32, Turn); 2]>::try_from(crowd).expect("two");
    queue.free(first.1);
    assert!(granted(&queue).is_empty());
    queue.enter(network(4), QueueClass::Ordinary, 40, START);
    others.push((40, turn_of(&queue, 40)));
    others.into_iter().for_each(|(_, turn)| queue.free(turn));
    let mut held = vec![second.1, turn_of(&queue, 12)];
    for waiter in [13, 14, 15] {
        queue.free(held.remove(0));
        held.push(turn_of(&queue, waiter));
    }
    held.into_iter().for_each(|turn| queue.free(turn));
    nothing_is_kept(&queue);
}

#[test]
fn the_first_to_come_is_first_and_a_crowd_holds_up_nobody_else() {
    let queue = queue(1);
    queue.enter(network(9), QueueClass::Ordinary, 90, START);
    let mut turn = turn_of(&queue, 90);
    for waiter in [10, 11, 12] {
        queue.enter(network(1), QueueClass::Ordinary, waiter, START);
    }
    queue.enter(network(2), QueueClass::Ordinary, 20, START);
    // The crowd's network goes to the back after each turn.
    for waiter in [10, 20, 11, 12] {
        assert!(granted(&queue).is_empty());
        queue.free(turn);
        turn = turn_of(&queue, waiter);
    }
    queue.free(turn);
    nothing_is_kept(&queue);
}

#[test]
fn no_turn_comes_at_the_deadline_and_one_comes_just_before_it() {
    let queue = queue(1);
    queue.enter(network(1), QueueClass::Ordinary, 10, START);
    let busy = turn_of(&queue, 10);
    let late = queue.enter(network(2), QueueClass::Ordinary, 20, START);
    queue.enter(
        network(3),
        QueueClass::Ordinary,
        30,
        START + Duration::from_nanos(1),
    );
    assert_eq!(late.deadline(), START + DEADLINE);
    assert_eq!(queue.next_deadline(), Some(late.deadline()));
    queue.free(busy);
    let mut woken = queue.advance(START + DEADLINE).into_iter();
    assert!(matches!(woken.next(), Some(Woken::Missed(20))));
    let Some(Woken::Turn(30, turn)) = woken.next() else {
        panic!("no turn for the one whose deadline is still to come");
    };
    assert!(woken.next().is_none());
    queue.free(turn);
    nothing_is_kept(&queue);
}

#[test]
fn a_waiter_that_leaves_leaves_no_trace_and_takes_no_turn() {
    let queue = queue(1);
    queue.enter(network(1), QueueClass::Ordinary, 10, START);
    let busy = turn_of(&queue, 10);
    let leaver = queue.enter(network(2), QueueClass::Ordinary, 20, START);
    queue.enter(network(3), QueueClass::Ordinary, 30, START);
    queue.leave(leaver);
    queue.leave(leaver);
    queue.free(busy);
    let turn = turn_of(&queue, 30);
    queue.free(turn);
    nothing_is_kept(&queue);
}

#[test]
fn without_turns_nobody_gets_one() {
    let queue = queue(0);
    queue.enter(network(1), QueueClass::Ordinary, 10, START);
    assert!(granted(&queue).is_empty());
    let woken = queue.advance(START + DEADLINE);
    assert!(matches!(woken[..], [Woken::Missed(10)]));
    nothing_is_kept(&queue);
}

#[test]
fn new_settings_hold_at_once_and_take_no_turn_away() {
    let queue = queue(2);
    for number in 0..4 {
        queue.enter(network(number), QueueClass::Ordinary, number, START);
    }
    let mut held = granted(&queue);
    assert_eq!(held.len(), 2);
    queue.reconfigure(settings(1));
    let (_, turn) = held.pop().unwrap();
    queue.free(turn);
    assert!(granted(&queue).is_empty());
    queue.reconfigure(settings(3));
    held.extend(granted(&queue));
    assert_eq!(held.len(), 3);
    held.into_iter().for_each(|(_, turn)| queue.free(turn));
    nothing_is_kept(&queue);
}

#[test]
fn a_network_holds_its_share_and_its_clients_take_turns() {
    let queue = Queue::with_share(settings(4), Share::Half);
    let client = |host| ClientKey::V4((1_u32 << 8) | host);
    let enter = |host, waiter| queue.enter_as(client(host), QueueClass::Ordinary, waiter, START);
    for waiter in [10, 11, 12, 13] {
        enter(1, waiter);
    }
    let [(10, first), (11, second)]: [(u32, Turn); 2] = granted(&queue).try_into().unwrap() else {
        panic!("not the first two");
    };
    assert!(queue.holds_share(network(1)) && !queue.holds_share(network(2)));
    // A neighbour's first waits behind no second of theirs.
    enter(2, 20);
    queue.enter(network(2), QueueClass::Ordinary, 30, START);
    let other = turn_of(&queue, 30);
    let mut turns = vec![other, second];
    let mut turn = first;
    for waiter in [20, 12, 13] {
        queue.free(turn);
        turn = turn_of(&queue, waiter);
    }
    turns.push(turn);
    turns.into_iter().for_each(|turn| queue.free(turn));
    nothing_is_kept(&queue);
}

#[test]
fn the_room_that_a_crowd_of_networks_took_is_given_back() {
    let queue = queue(1);
    let tickets: Vec<_> = (1..=50_000)
        .map(|number| queue.enter(network(number), QueueClass::Ordinary, number, START))
        .collect();
    assert!(queue.lock().networks.capacity() >= 50_000);
    tickets.into_iter().for_each(|ticket| queue.leave(ticket));
    nothing_is_kept(&queue);
    assert!(queue.lock().networks.capacity() < 4_096);
}
