//! classes - which attempts go first, and how many turns each class has

use super::*;

#[test]
fn a_probe_goes_first_then_who_is_at_home_and_who_is_only_forgiven_last() {
    let queue = queue(1);
    queue.enter(network(9), QueueClass::Ordinary, 90, START);
    let mut turn = turn_of(&queue, 90);
    queue.enter(network(1), QueueClass::Forgiven, 10, START);
    queue.enter(network(2), QueueClass::Ordinary, 20, START);
    queue.enter(network(1), QueueClass::Ordinary, 11, START);
    queue.enter(network(4), QueueClass::Neighbour, 40, START);
    queue.enter(network(5), QueueClass::AtHome, 50, START);
    queue.enter(network(3), QueueClass::Probe, 30, START);
    for waiter in [30, 50, 20, 40, 11, 10] {
        queue.free(turn);
        turn = turn_of(&queue, waiter);
    }
    queue.free(turn);
    nothing_is_kept(&queue);
}

#[test]
fn a_network_where_somebody_has_logged_in_has_every_second_turn_beside_a_pool_and_keeps_its_order()
{
    let queue = queue(1);
    queue.enter(network(9), QueueClass::Ordinary, 90, START);
    let mut turn = turn_of(&queue, 90);
    for number in 2..5 {
        queue.enter(network(number), QueueClass::Ordinary, 10 * number, START);
    }
    queue.enter(network(1), QueueClass::Ordinary, 10, START);
    queue.enter(network(1), QueueClass::Neighbour, 11, START);
    for waiter in [10, 20, 11, 30, 40] {
        queue.free(turn);
        turn = turn_of(&queue, waiter);
    }
    queue.free(turn);
    nothing_is_kept(&queue);
}

#[test]
fn however_many_come_where_somebody_has_logged_in_a_stranger_has_a_turn() {
    let queue = queue(1);
    queue.enter(network(99), QueueClass::Ordinary, 99, START);
    let mut turn = turn_of(&queue, 99);
    for number in 1..65 {
        queue.enter(network(number), QueueClass::Neighbour, number, START);
    }
    queue.enter(network(70), QueueClass::Ordinary, 70, START);
    for waiter in [1, 70, 2, 3] {
        queue.free(turn);
        turn = turn_of(&queue, waiter);
    }
    queue.enter(network(71), QueueClass::Ordinary, 71, START);
    queue.free(turn);
    queue.free(turn_of(&queue, 71));
}

#[test]
fn probes_between_those_who_leave_turns_take_no_strangers_turn() {
    let queue = queue(1);
    for number in [1, 3] {
        queue.enter(network(number), QueueClass::Neighbour, number, START);
    }
    queue.enter(network(9), QueueClass::Ordinary, 9, START);
    queue.enter(network(2), QueueClass::Probe, 2, START);
    let mut turn = turn_of(&queue, 2);
    for waiter in [1, 4, 9, 5, 3] {
        queue.free(turn);
        turn = turn_of(&queue, waiter);
        // After each turn of another one the next probe.
        if waiter == 1 || waiter == 9 {
            let probe = if waiter == 1 { 4 } else { 5 };
            queue.enter(network(2), QueueClass::Probe, probe, START);
        }
    }
    queue.free(turn);
    nothing_is_kept(&queue);
}

#[test]
fn where_somebody_has_logged_in_a_network_holds_half_of_the_turns() {
    let queue = queue(4);
    for number in [2, 3] {
        queue.enter(network(number), QueueClass::Ordinary, 10 * number, START);
    }
    let mut held = granted(&queue);
    for waiter in [10, 11, 12] {
        queue.enter(network(1), QueueClass::Neighbour, waiter, START);
    }
    held.extend(granted(&queue));
    let waiters: Vec<u32> = held.iter().map(|(waiter, _)| *waiter).collect();
    assert_eq!(waiters, [20, 30, 10, 11]);
    // A third one waits for one of its own, or until half are free.
    queue.free(held.remove(0).1);
    assert!(granted(&queue).is_empty());
    queue.free(held.remove(2).1);
    held.push((12, turn_of(&queue, 12)));
    held.into_iter().for_each(|(_, turn)| queue.free(turn));
    nothing_is_kept(&queue);
}

#[test]
fn who_is_only_forgiven_has_one_turn_of_four_and_the_others_stay_free() {
    for (at_once, forgiven) in [(1, 1), (4, 1), (5, 2), (8, 2)] {
        let queue = queue(at_once);
        for number in 0..8 {
            queue.enter(network(number), QueueClass::Forgiven, number, START);
        }
        let mut held = granted(&queue);
        assert_eq!(held.len(), forgiven, "{at_once}");
        for number in 20..30 {
            queue.enter(network(number), QueueClass::Ordinary, number, START);
        }
        held.extend(granted(&queue));
        assert_eq!(held.len(), at_once);
    }
}

#[test]
fn who_was_let_in_often_comes_last_and_has_one_turn_of_four() {
    let queue = queue(4);
    for number in 0..20 {
        queue.enter(network(number), QueueClass::Frequent, number, START);
    }
    let frequent = turn_of(&queue, 0);
    for number in 20..23 {
        queue.enter(network(number), QueueClass::Ordinary, number, START);
    }
    let mut held = granted(&queue);
    assert_eq!(held.len(), 3, "however many wait");
    queue.enter(network(30), QueueClass::Forgiven, 30, START);
    queue.free(frequent);
    held.push((30, turn_of(&queue, 30)));
    let (_, turn) = held.remove(0);
    queue.free(turn);
    held.push((1, turn_of(&queue, 1)));
}

#[test]
fn the_line_of_those_who_are_only_forgiven_is_short_and_told_at_once() {
    let queue = queue(1);
    queue.enter(network(99), QueueClass::Ordinary, 99, START);
    let busy = turn_of(&queue, 99);
    let most = u32::try_from(MOST_FORGIVEN).unwrap();
    for number in 0..most {
        let ticket = queue.enter(network(number), QueueClass::Forgiven, number, START);
        assert_eq!(ticket.deadline(), START + DEADLINE);
    }
    let one_more = queue.enter(network(most), QueueClass::Forgiven, most, START);
    assert_eq!(one_more.deadline(), START);
    assert!(matches!(queue.advance(START)[..], [Woken::Missed(waiter)] if waiter == most));
    // For all others there is room.
    let other = queue.enter(network(50), QueueClass::Ordinary, 50, START);
    assert_eq!(other.deadline(), START + DEADLINE);
    queue.free(busy);
    let turn = turn_of(&queue, 50);
    queue.free(turn);
    let turn = turn_of(&queue, 0);
    queue.free(turn);
}
