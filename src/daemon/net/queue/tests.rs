//! tests - turns under paused time

use proptest::prelude::*;
use tokio::task::JoinHandle;

use super::*;

const DEADLINE: Duration = Duration::from_secs(15);

fn turns(at_once: usize) -> Turns {
    Turns::new(Settings {
        at_once,
        deadline: DEADLINE,
    })
}

fn network(number: u32) -> NetworkKey {
    NetworkKey::V4(number << 8)
}

/// Starts to wait, and has joined the line when it returns.
async fn wait(turns: &Turns, number: u32) -> JoinHandle<Option<Turn>> {
    let turns = turns.clone();
    let waiting = tokio::spawn(async move { turns.take(network(number)).await });
    tokio::task::yield_now().await;
    waiting
}

async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

fn nothing_is_kept(turns: &Turns, free: usize) {
    let queue = lock(&turns.queue);
    assert_eq!(queue.free, free);
    assert!(queue.networks.is_empty(), "{queue:?}");
    assert!(queue.order.is_empty(), "{queue:?}");
}

#[tokio::test(start_paused = true)]
async fn a_network_has_one_turn_and_another_does_not_wait_for_it() {
    let turns = turns(2);
    let first = turns.take(network(1)).await.unwrap();
    let second = wait(&turns, 1).await;
    let other = turns.take(network(2)).await.unwrap();
    assert!(!second.is_finished());
    drop(first);
    let second = second.await.unwrap().unwrap();
    drop((second, other));
    nothing_is_kept(&turns, 2);
}

#[tokio::test(start_paused = true)]
async fn whoever_came_first_is_first_and_a_crowd_holds_up_nobody_else() {
    let turns = turns(1);
    let busy = turns.take(network(9)).await.unwrap();
    let crowd = [
        wait(&turns, 1).await,
        wait(&turns, 1).await,
        wait(&turns, 1).await,
    ];
    let single = wait(&turns, 2).await;
    drop(busy);
    let [one, two, three] = crowd;
    let turn = one.await.unwrap().unwrap();
    settle().await;
    assert!(!single.is_finished());
    drop(turn);
    // The crowd's network goes to the back.
    let turn = single.await.unwrap().unwrap();
    settle().await;
    assert!(!two.is_finished());
    drop(turn);
    let turn = two.await.unwrap().unwrap();
    settle().await;
    assert!(!three.is_finished());
    drop(turn);
    drop(three.await.unwrap().unwrap());
    nothing_is_kept(&turns, 1);
}

#[tokio::test(start_paused = true)]
async fn no_turn_comes_after_the_deadline() {
    let turns = turns(1);
    let busy = turns.take(network(1)).await.unwrap();
    assert!(turns.take(network(1)).await.is_none());
    assert!(turns.take(network(2)).await.is_none());
    drop(busy);
    nothing_is_kept(&turns, 1);
    assert!(turns.take(network(2)).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn whoever_stops_waiting_leaves_no_trace_and_loses_no_turn() {
    let turns = turns(1);
    let busy = turns.take(network(1)).await.unwrap();
    let leaver = wait(&turns, 2).await;
    let waiter = wait(&turns, 3).await;
    leaver.abort();
    assert!(leaver.await.unwrap_err().is_cancelled());
    drop(busy);
    drop(waiter.await.unwrap().unwrap());
    nothing_is_kept(&turns, 1);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_was_granted_and_never_fetched_is_free_again() {
    let turns = turns(1);
    let busy = turns.take(network(1)).await.unwrap();
    let waiter = wait(&turns, 2).await;
    // Granted, but the task that would fetch it does not run any more.
    drop(busy);
    waiter.abort();
    assert!(waiter.await.unwrap_err().is_cancelled());
    nothing_is_kept(&turns, 1);
}

#[tokio::test(start_paused = true)]
async fn without_turns_nobody_gets_one() {
    assert!(turns(0).take(network(1)).await.is_none());
}

/// What may happen to a queue.
#[derive(Clone, Debug)]
enum Happening {
    Come(u32),
    Leave(usize),
    Finish(usize),
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let happening = prop_oneof![
        3 => (0u32..5).prop_map(Happening::Come),
        1 => (0usize..20).prop_map(Happening::Leave),
        2 => (0usize..20).prop_map(Happening::Finish),
    ];
    proptest::collection::vec(happening, 0..60)
}

/// Lets it happen and checks after every step.
async fn play(happenings: Vec<Happening>) {
    let turns = turns(3);
    let (mut waiting, mut held) = (Vec::new(), Vec::new());
    for happening in happenings {
        match happening {
            Happening::Come(number) => waiting.push((number, wait(&turns, number).await)),
            Happening::Leave(index) if index < waiting.len() => {
                let (_, leaver) = waiting.remove(index);
                leaver.abort();
                let _ = leaver.await;
            }
            Happening::Finish(index) if index < held.len() => drop(held.remove(index)),
            _ => {}
        }
        settle().await;
        let mut index = 0;
        while index < waiting.len() {
            if waiting[index].1.is_finished() {
                let (number, task) = waiting.remove(index);
                held.push((number, task.await.unwrap().unwrap()));
            } else {
                index += 1;
            }
        }
        let mut busy: Vec<u32> = held.iter().map(|(number, _)| *number).collect();
        busy.sort_unstable();
        busy.dedup();
        assert_eq!(busy.len(), held.len(), "two of one network");
        assert!(held.len() <= 3);
        let could_go = waiting.iter().any(|(number, _)| !busy.contains(number));
        assert!(
            held.len() == 3 || !could_go,
            "somebody waits beside a free turn"
        );
    }
    for (_, task) in waiting {
        task.abort();
        let _ = task.await;
    }
    drop(held);
    nothing_is_kept(&turns, 3);
}

proptest! {
    #[test]
    fn turns_are_never_exceeded_never_idle_and_never_lost(happenings in happenings()) {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
            .block_on(play(happenings));
    }
}
