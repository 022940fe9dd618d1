//! tests - lines of users before a Postfix of few processes

use proptest::prelude::*;

use super::line::LineOwner;
use super::*;
use crate::gate::request::client::NetworkKey;
use crate::gate::request::keys::UserId;

const KINDS: [PoolKind; 4] = [
    PoolKind::Familiar,
    PoolKind::Stranger,
    PoolKind::Exchange,
    PoolKind::StrangerExchange,
];

fn queue(at_once: usize, limit: Option<usize>) -> ProcessQueue<u32> {
    ProcessQueue::new(ProcessSettings { limit, at_once })
}

fn user(number: u64) -> ProcessLine {
    ProcessLine(LineOwner::Familiar(UserId(number)))
}

fn enter(queue: &ProcessQueue<u32>, owner: u64, waiter: u32) -> ProcessTicket {
    queue.enter(user(owner), Purpose::Login, waiter)
}

/// The waiters that get a process now, and their processes.
fn granted(queue: &ProcessQueue<u32>) -> (Vec<u32>, Vec<Process>) {
    queue.advance().into_iter().unzip()
}

#[track_caller]
fn nothing_is_kept(queue: &ProcessQueue<u32>) {
    assert_eq!(queue.counts(), ProcessCounts::default());
    let lines = queue.lock();
    assert!(lines.lines.is_empty(), "{lines:?}");
    for kind in KINDS {
        assert!(lines.pool(kind).order.is_empty(), "{lines:?}");
    }
}

#[test]
fn users_take_turns_however_many_attempts_one_of_them_has() {
    let queue = queue(1, None);
    let busy = queue.take(user(9), Purpose::Login).unwrap();
    for waiter in [10, 11, 12] {
        enter(&queue, 1, waiter);
    }
    enter(&queue, 2, 20);
    let mut process = busy;
    for waiter in [10, 20, 11, 12] {
        assert!(queue.advance().is_empty());
        queue.free(process);
        let mut next = queue.advance();
        let (first, given) = next.pop().unwrap();
        assert_eq!((first, next.len()), (waiter, 0));
        process = given;
    }
    queue.free(process);
    nothing_is_kept(&queue);
}

#[test]
fn one_user_holds_a_quarter_and_the_rest_is_there_for_others_at_once() {
    let queue = queue(8, None);
    let held = [(); 2].map(|()| queue.take(user(1), Purpose::Login).unwrap());
    assert!(queue.take(user(1), Purpose::Login).is_none());
    enter(&queue, 1, 10);
    assert!(queue.advance().is_empty());
    let other = queue.take(user(2), Purpose::Login).unwrap();
    let [first, second] = held;
    queue.free(first);
    let (waiters, given) = granted(&queue);
    assert_eq!(waiters, [10]);
    for process in given.into_iter().chain([second, other]) {
        queue.free(process);
    }
    nothing_is_kept(&queue);
}

fn stranger(number: u64) -> ProcessLine {
    ProcessLine(LineOwner::Stranger(UserId(number)))
}

#[test]
fn strangers_take_no_place_of_the_familiar_however_slow_they_are() {
    let queue = queue(16, None);
    let _slow: Vec<Process> = (0..16)
        .map(|owner| queue.take(stranger(owner), Purpose::Login).unwrap())
        .collect();
    for _ in 0..99 {
        queue.answered(stranger(1), Duration::from_secs(10));
    }
    let familiar = (0..99).map_while(|owner| queue.take(user(owner), Purpose::Login));
    assert_eq!(familiar.collect::<Vec<Process>>().len(), 16);
    assert_eq!(queue.counts().logins, 32);
}

#[test]
fn exchanges_have_a_number_of_their_own_and_take_no_logins_place() {
    let queue = queue(8, None);
    let exchange = |owner| queue.take(user(owner), Purpose::Exchange);
    let _held: Vec<Process> = (0..2).map(|owner| exchange(owner).unwrap()).collect();
    assert!(exchange(5).is_none());
    let logins = (0..8).map(|owner| queue.take(user(owner), Purpose::Login));
    let _logins: Vec<Process> = logins.map(Option::unwrap).collect();
    assert!(queue.take(user(17), Purpose::Login).is_none());
    assert_eq!((queue.counts().logins, queue.counts().exchanges), (8, 2));
}

#[test]
fn exchanges_of_strangers_take_no_place_of_the_familiar() {
    let queue = queue(8, None);
    let unnamed = ProcessLine::unnamed(NetworkKey::V4(9 << 8));
    let _held: Vec<Process> = [unnamed, unnamed, unnamed, stranger(1), stranger(2)]
        .map(|line| queue.take(line, Purpose::Exchange).unwrap())
        .into();
    assert!(queue.take(user(1), Purpose::Exchange).is_some());
}

#[test]
fn a_postfix_of_few_processes_keeps_most_of_them_for_logins() {
    let queue = queue(32, Some(9));
    let exchanges = (0..8).map_while(|owner| queue.take(user(owner), Purpose::Exchange));
    let exchanges: Vec<Process> = exchanges.collect();
    let logins = (0..9).map_while(|owner| queue.take(user(owner), Purpose::Login));
    let logins: Vec<Process> = logins.collect();
    // Eight, for one is the probe's.
    assert_eq!((exchanges.len(), logins.len()), (2, 6));
}

#[test]
fn who_has_logged_in_makes_room_for_a_login_but_not_for_a_process() {
    let queue = queue(1, Some(3));
    let mut first = queue.take(user(1), Purpose::Login).unwrap();
    assert!(queue.take(user(2), Purpose::Login).is_none());
    queue.logged_in(&mut first);
    let mut second = queue.take(user(2), Purpose::Login).unwrap();
    queue.logged_in(&mut second);
    queue.logged_in(&mut second);
    assert_eq!(queue.counts().logged_in, 2);
    enter(&queue, 3, 30);
    assert!(queue.advance().is_empty(), "all processes are taken");
    queue.free(first);
    let (waiters, given) = granted(&queue);
    assert_eq!(waiters, [30]);
    for process in given.into_iter().chain([second]) {
        queue.free(process);
    }
    nothing_is_kept(&queue);
}

#[test]
fn answers_that_come_soon_let_more_log_in_at_once_and_late_ones_fewer() {
    let queue = queue(18, None);
    let logins = |count| {
        let taken = (0..count).map_while(|owner| queue.take(user(owner), Purpose::Login));
        taken.collect::<Vec<Process>>()
    };
    let held = logins(99);
    assert_eq!(held.len(), 16);
    for _ in 0..9 {
        queue.answered(user(1), Duration::ZERO);
    }
    let more = logins(99);
    assert_eq!(held.len() + more.len(), 18);
    queue.answered(user(1), Duration::from_secs(5));
    held.into_iter().for_each(|process| queue.free(process));
    assert_eq!(logins(99).len() + more.len(), 9, "half of it");
}

#[test]
fn nobody_overtakes_who_waits() {
    let queue = queue(1, None);
    let busy = queue.take(user(1), Purpose::Login).unwrap();
    enter(&queue, 2, 20);
    queue.free(busy);
    assert!(queue.take(user(3), Purpose::Login).is_none());
    assert_eq!(granted(&queue).0, [20]);
}

#[test]
fn who_leaves_is_passed_over_and_forgotten() {
    let queue = queue(1, None);
    let busy = queue.take(user(1), Purpose::Login).unwrap();
    let gone = enter(&queue, 2, 20);
    enter(&queue, 3, 30);
    queue.leave(gone);
    queue.leave(gone);
    queue.free(busy);
    let (waiters, held) = granted(&queue);
    assert_eq!(waiters, [30]);
    held.into_iter().for_each(|process| queue.free(process));
    nothing_is_kept(&queue);
}

#[test]
fn more_processes_after_a_reload_are_given_out() {
    let queue = queue(1, None);
    let _busy = queue.take(user(1), Purpose::Login).unwrap();
    enter(&queue, 2, 20);
    queue.reconfigure(ProcessSettings {
        limit: None,
        at_once: 2,
    });
    assert_eq!(granted(&queue).0, [20]);
}

/// What somebody does.
#[derive(Clone, Copy, Debug)]
enum Step {
    Want(ProcessLine, Purpose),
    Leave(usize),
    LogIn(usize),
    Free(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let line = prop_oneof![(0..4u64).prop_map(user), (0..4u64).prop_map(stranger)];
    let purpose = prop_oneof![Just(Purpose::Login), Just(Purpose::Exchange)];
    prop_oneof![
        4 => (line, purpose).prop_map(|(line, purpose)| Step::Want(line, purpose)),
        1 => any::<usize>().prop_map(Step::Leave),
        2 => any::<usize>().prop_map(Step::LogIn),
        3 => any::<usize>().prop_map(Step::Free),
    ]
}

fn one_of<T>(all: &mut Vec<T>, which: usize) -> Option<T> {
    (!all.is_empty()).then(|| all.swap_remove(which % all.len()))
}

proptest! {
    #[test]
    fn no_limit_is_exceeded_nobody_waits_beside_a_free_process_and_nothing_is_kept(
        steps in prop::collection::vec(step(), 1..200),
        at_once in 1..9usize,
        limit in 2..12usize,
    ) {
        let queue = queue(at_once, Some(limit));
        let (mut held, mut tickets) = (Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Want(line, purpose) => match queue.take(line, purpose) {
                    Some(process) => held.push(process),
                    None => tickets.push(queue.enter(line, purpose, 0)),
                },
                Step::Leave(which) => {
                    if let Some(ticket) = one_of(&mut tickets, which) {
                        queue.leave(ticket);
                    }
                }
                Step::LogIn(which) => {
                    if let Some(mut process) = one_of(&mut held, which) {
                        queue.logged_in(&mut process);
                        held.push(process);
                    }
                }
                Step::Free(which) => {
                    if let Some(process) = one_of(&mut held, which) {
                        queue.free(process);
                    }
                }
            }
            held.extend(queue.advance().into_iter().map(|(_, process)| process));
            let counts = queue.counts();
            prop_assert_eq!(counts.logins + counts.exchanges + counts.logged_in, held.len());
            prop_assert!(held.len() < limit);
            let lines = queue.lock();
            prop_assert!(lines.exchange.held <= (at_once / 4).max(1));
            prop_assert!(lines.familiar.held <= at_once && lines.stranger.held <= at_once);
            for kind in KINDS {
                prop_assert!(lines.pool(kind).order.is_empty() || !lines.is_free(kind));
            }
        }
        for ticket in tickets {
            queue.leave(ticket);
        }
        held.into_iter().for_each(|process| queue.free(process));
        nothing_is_kept(&queue);
    }
}

#[test]
fn the_room_that_a_crowd_of_users_took_is_given_back() {
    let queue = queue(1, None);
    let tickets: Vec<_> = (1..=50_000)
        .map(|number| enter(&queue, number, 1))
        .collect();
    assert!(queue.lock().lines.capacity() >= 50_000);
    tickets.into_iter().for_each(|ticket| queue.leave(ticket));
    nothing_is_kept(&queue);
    assert!(queue.lock().lines.capacity() < 4_096);
}

#[test]
fn sessions_of_processes_that_were_stopped_take_processes_of_postfix_until_they_end() {
    let queue = queue(8, Some(5));
    queue.elsewhere(3);
    let held = queue.take(user(1), Purpose::Login).unwrap();
    assert!(queue.take(user(2), Purpose::Login).is_none());
    enter(&queue, 2, 20);
    assert!(queue.advance().is_empty());
    queue.elsewhere(2);
    let (waiters, given) = granted(&queue);
    assert_eq!(waiters, [20]);
    queue.elsewhere(0);
    for process in given.into_iter().chain([held]) {
        queue.free(process);
    }
    nothing_is_kept(&queue);
}
