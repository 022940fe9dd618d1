//! tests - turns on a clock of their own

use proptest::prelude::*;

use super::*;
use std::time::Duration;

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

/// What may happen to a queue.
#[derive(Clone, Debug)]
enum Happening {
    Come(u32, QueueClass),
    Leave(usize),
    Finish(usize),
    Pass(u64),
}

fn class() -> impl Strategy<Value = QueueClass> {
    prop_oneof![
        Just(QueueClass::Probe),
        Just(QueueClass::AtHome),
        Just(QueueClass::Neighbour),
        Just(QueueClass::Ordinary),
        Just(QueueClass::Forgiven),
        Just(QueueClass::Frequent),
    ]
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let happening = prop_oneof![
        6 => (0u32..5, class()).prop_map(|(number, class)| Happening::Come(number, class)),
        2 => (0usize..20).prop_map(Happening::Leave),
        4 => (0usize..20).prop_map(Happening::Finish),
        1 => (0u64..12).prop_map(Happening::Pass),
    ];
    proptest::collection::vec(happening, 0..80)
}

/// A queue, and what it must do by the simplest of rules.
struct Model {
    queue: Queue<u32>,
    now: Moment,
    next: u32,
    /// Waiters in the order in which they came, with their networks.
    waiting: Vec<(u32, u32, Ticket)>,
    held: Vec<(u32, Turn)>,
}

impl Model {
    const AT_ONCE: usize = 4;

    fn happen(&mut self, happening: &Happening) {
        match *happening {
            Happening::Come(number, class) => {
                let ticket = self
                    .queue
                    .enter(network(number), class, self.next, self.now);
                self.waiting.push((self.next, number, ticket));
                self.next += 1;
            }
            Happening::Leave(index) if index < self.waiting.len() => {
                self.queue.leave(self.waiting.remove(index).2);
            }
            Happening::Finish(index) if index < self.held.len() => {
                self.queue.free(self.held.remove(index).1);
            }
            Happening::Pass(seconds) => self.now = self.now + Duration::from_secs(seconds),
            _ => {}
        }
        for woken in self.queue.advance(self.now) {
            self.wake(woken);
        }
        self.check();
    }

    fn wake(&mut self, woken: Woken<u32>) {
        let (waiter, turn) = match woken {
            Woken::Turn(waiter, turn) => (waiter, Some(turn)),
            Woken::Missed(waiter) => (waiter, None),
        };
        let mut waiting = self.waiting.iter();
        let index = waiting.position(|(other, ..)| *other == waiter);
        // It is found: only a waiter is woken, and only once.
        let (_, number, ticket) = self
            .waiting
            .remove(index.expect("woken twice, or after leaving"));
        assert_eq!(turn.is_none(), ticket.deadline() <= self.now);
        let older = self.waiting.iter().any(|(other, of, theirs)| {
            *of == number && (theirs.order.class, *other) < (ticket.order.class, waiter)
        });
        assert!(!older || turn.is_none(), "{waiter} overtook one of its own");
        self.held.extend(turn.map(|turn| (number, turn)));
    }

    fn check(&self) {
        let mut busy: Vec<u32> = self.held.iter().map(|(number, _)| *number).collect();
        busy.sort_unstable();
        busy.dedup();
        let several = self.held.len() - busy.len();
        assert!(several <= Self::AT_ONCE / 2, "{several} second turns");
        assert!(self.held.len() <= Self::AT_ONCE);
        let of_class = |class| {
            let of_class = |(_, turn): &&(u32, Turn)| turn.class == class;
            self.held.iter().filter(of_class).count()
        };
        let [forgiven, frequent] = [QueueClass::Forgiven, QueueClass::Frequent].map(of_class);
        assert!(forgiven <= 1, "{forgiven} of {} turns", Self::AT_ONCE);
        assert!(frequent <= 1, "{frequent} of {} turns", Self::AT_ONCE);
        let half_is_free = self.held.len() < Self::AT_ONCE / 2;
        // A network waits in the class of its best attempt.
        let is_best = |number: u32, class| {
            let mut others = self.waiting.iter().filter(|(_, of, _)| *of == number);
            others.all(|(_, _, other)| other.order.class >= class)
        };
        let could_go = |(_, number, ticket): &(u32, u32, Ticket)| {
            (half_is_free || !busy.contains(number))
                && (ticket.order.class != QueueClass::Forgiven || forgiven == 0)
                && (ticket.order.class != QueueClass::Frequent || frequent == 0)
                && is_best(*number, ticket.order.class)
        };
        assert!(
            self.held.len() == Self::AT_ONCE || !self.waiting.iter().any(could_go),
            "somebody waits beside a free turn"
        );
    }
}

proptest! {
    #[test]
    fn turns_are_never_exceeded_never_idle_and_every_waiter_is_woken_once(
        happenings in happenings()
    ) {
        let mut model = Model {
            queue: queue(Model::AT_ONCE),
            now: START,
            next: 0,
            waiting: Vec::new(),
            held: Vec::new(),
        };
        for happening in &happenings {
            model.happen(happening);
        }
        model.held.drain(..).for_each(|(_, turn)| model.queue.free(turn));
        // Every waiter that is left gets a turn.
        while !model.waiting.is_empty() {
            model.happen(&Happening::Finish(0));
        }
        while !model.held.is_empty() {
            model.happen(&Happening::Finish(0));
        }
        nothing_is_kept(&model.queue);
    }
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
