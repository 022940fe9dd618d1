//! tests - who computes next, in every order of coming and going

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;

use super::*;

/// Two of one network, and one of another.
const A: ClientKey = ClientKey::V4(0x7f00_0101);
const NEIGHBOUR: ClientKey = ClientKey::V4(0x7f00_0102);
const ELSEWHERE: ClientKey = ClientKey::V4(0x7f00_0201);

type Waiting<'a> = Pin<Box<dyn Future<Output = ComputingSlot<'a>> + 'a>>;

/// Who lets others go first gets its slot with the second look.
fn look<'a>(waiting: &mut Waiting<'a>) -> Option<ComputingSlot<'a>> {
    let mut context = Context::from_waker(Waker::noop());
    (0..2).find_map(|_| match waiting.as_mut().poll(&mut context) {
        Poll::Ready(slot) => Some(slot),
        Poll::Pending => None,
    })
}

fn stranger<'a>(computing: &'a Computing, client: ClientKey) -> Waiting<'a> {
    Box::pin(computing.slot(client, Standing::Stranger))
}

#[test]
fn strangers_use_all_cores_but_one_and_familiar_clients_all() {
    for (at_once, cores, familiar, strangers) in [
        (256, 1, 1, 1),
        (256, 2, 2, 1),
        (256, 8, 8, 7),
        (3, 8, 3, 3),
        (8, 8, 8, 7),
        (0, 0, 1, 1),
    ] {
        let computing = Computing::new(at_once, cores);
        for (standing, slots) in [
            (Standing::Familiar, familiar),
            (Standing::Stranger, strangers),
        ] {
            let mut waiting: Vec<Waiting<'_>> = (0..=slots)
                .map(|_| Box::pin(computing.slot(A, standing)) as Waiting<'_>)
                .collect();
            let held: Vec<_> = waiting.iter_mut().filter_map(look).collect();
            assert_eq!(held.len(), slots, "{standing}: {at_once} on {cores}");
        }
    }
}

#[test]
fn who_has_least_that_waits_is_next() {
    let computing = Computing::new(1, 1);
    let mut first = stranger(&computing, A);
    let mut held = look(&mut first);
    assert!(held.is_some());
    let mut waiting: Vec<_> = [A, A, A, NEIGHBOUR, ELSEWHERE, ELSEWHERE]
        .map(|client| stranger(&computing, client))
        .into();
    for waiter in &mut waiting {
        assert!(look(waiter).is_none());
    }
    // Clients that have nothing else waiting, the emptier network first; then the second ones, then the third.
    for next in [0, 4, 3, 1, 5, 2] {
        drop(held.take());
        for (index, waiter) in waiting.iter_mut().enumerate() {
            if index == next {
                held = look(waiter);
                assert!(held.is_some(), "{next}");
                *waiter = Box::pin(std::future::pending());
            } else {
                assert!(look(waiter).is_none(), "{index} before {next}");
            }
        }
    }
}

#[test]
fn who_stops_waiting_takes_no_slot_along() {
    let computing = Computing::new(1, 1);
    let held = look(&mut stranger(&computing, A));
    let mut leaves_before = stranger(&computing, A);
    let mut leaves_after = stranger(&computing, ELSEWHERE);
    let mut stays = stranger(&computing, NEIGHBOUR);
    for waiter in [&mut leaves_before, &mut leaves_after, &mut stays] {
        assert!(look(waiter).is_none());
    }
    drop(leaves_before);
    // It is the next one's now, who does not look at it.
    drop(held);
    drop(leaves_after);
    let held = look(&mut stays);
    assert!(held.is_some());
    drop(held);
    assert!(look(&mut stranger(&computing, A)).is_some());
}

#[test]
fn a_higher_limit_is_used_at_once() {
    let computing = Computing::new(1, 4);
    let _held = look(&mut stranger(&computing, A));
    let mut waiting: Vec<_> = (0..3).map(|_| stranger(&computing, A)).collect();
    assert!(waiting.iter_mut().all(|waiter| look(waiter).is_none()));
    computing.limit(3, 4);
    let held: Vec<_> = waiting.iter_mut().filter_map(look).collect();
    assert_eq!(held.len(), 2);
    computing.limit(1, 4);
    drop(held);
    assert!(look(&mut waiting.pop().unwrap()).is_none());
}

#[test]
fn every_fourth_step_lets_all_other_tasks_go_first() {
    let computing = Computing::new(1, 1);
    let mut context = Context::from_waker(Waker::noop());
    let at_once: Vec<_> = (0..8)
        .map(|_| {
            stranger(&computing, A)
                .as_mut()
                .poll(&mut context)
                .is_ready()
        })
        .collect();
    let expected = [true, true, true, false, true, true, true, false];
    assert_eq!(at_once, expected);
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Enter(u8),
    Look(usize),
    Stop(usize),
    Finish(usize),
    Limit(usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        5 => any::<u8>().prop_map(Event::Enter),
        5 => (0usize..16).prop_map(Event::Look),
        2 => (0usize..16).prop_map(Event::Stop),
        3 => (0usize..8).prop_map(Event::Finish),
        1 => (1usize..6).prop_map(Event::Limit),
    ]
}

proptest! {
    #[test]
    fn never_more_compute_than_may_and_nobody_is_forgotten(
        events in proptest::collection::vec(event(), 1..300),
    ) {
        let computing = Computing::new(2, 9);
        let (mut waiting, mut held) = (Vec::new(), Vec::new());
        for event in events {
            let before = computing.strangers.state().in_use;
            match event {
                Event::Enter(client) => {
                    let client = ClientKey::V4(u32::from(client) << 6);
                    waiting.push(stranger(&computing, client));
                }
                Event::Look(at) if at < waiting.len() => {
                    if let Some(slot) = look(&mut waiting[at]) {
                        held.push(slot);
                        drop(waiting.remove(at));
                    }
                }
                Event::Stop(at) if at < waiting.len() => drop(waiting.remove(at)),
                Event::Finish(at) if at < held.len() => drop(held.remove(at)),
                Event::Limit(at_once) => computing.limit(at_once, 9),
                Event::Look(_) | Event::Stop(_) | Event::Finish(_) => {}
            }
            let state = computing.strangers.state();
            prop_assert!(state.in_use <= before.max(state.slots));
            prop_assert!(held.len() <= state.in_use);
            prop_assert!(state.in_use >= state.slots || state.waiting.is_empty());
        }
        while !waiting.is_empty() {
            held.clear();
            let before = waiting.len();
            let mut index = 0;
            while index < waiting.len() {
                match look(&mut waiting[index]) {
                    Some(slot) => {
                        held.push(slot);
                        drop(waiting.remove(index));
                    }
                    None => index += 1,
                }
            }
            prop_assert!(waiting.len() < before, "nobody gets on");
        }
        drop(held);
        let state = computing.strangers.state();
        prop_assert_eq!(state.in_use, 0);
        prop_assert!(state.waiting.is_empty() && state.clients.is_empty() && state.networks.is_empty());
    }
}
