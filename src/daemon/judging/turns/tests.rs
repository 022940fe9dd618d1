//! tests - waiting for turns under paused time

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use gatepost_core::gate::request::settings::QueueSettings;

const DEADLINE: Duration = Duration::from_secs(15);
const NOW: Moment = Moment::from_seconds(1_795_478_400);

fn queue(at_once: usize) -> Arc<Queue<Waiter>> {
    Arc::new(Queue::new(QueueSettings {
        at_once,
        deadline: DEADLINE,
    }))
}

fn network(number: u32) -> NetworkKey {
    NetworkKey::V4(number << 8)
}

async fn turn(queue: &Arc<Queue<Waiter>>, number: u32) -> Option<Held> {
    take(queue, network(number), QueueClass::Ordinary, NOW, NOW).await
}

/// Starts to wait, and has joined the line when it returns.
async fn wait(queue: &Arc<Queue<Waiter>>, number: u32) -> JoinHandle<Option<Held>> {
    let queue = Arc::clone(queue);
    let waiting = tokio::spawn(async move { turn(&queue, number).await });
    tokio::task::yield_now().await;
    waiting
}

/// All of `free` turns are to be had, and nobody waits.
#[track_caller]
fn nothing_is_kept(queue: &Arc<Queue<Waiter>>, free: u32) {
    assert_eq!(queue.next_deadline(), None);
    let held: Vec<Held> = (100..100 + free)
        .map(|number| take_now(queue, network(number), NOW).expect("a free turn"))
        .collect();
    assert!(take_now(queue, network(99), NOW).is_none());
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_is_dropped_wakes_the_next() {
    let queue = queue(1);
    let first = turn(&queue, 1).await.unwrap();
    let second = wait(&queue, 2).await;
    assert!(!second.is_finished());
    drop(first);
    drop(second.await.unwrap().unwrap());
    nothing_is_kept(&queue, 1);
}

#[tokio::test(start_paused = true)]
async fn no_turn_comes_after_the_deadline() {
    let queue = queue(1);
    let busy = turn(&queue, 1).await.unwrap();
    let moment = Duration::from_millis(1);
    let mut late = Box::pin(turn(&queue, 1));
    assert!(timeout(DEADLINE - moment, &mut late).await.is_err());
    assert!(timeout(moment * 2, late).await.unwrap().is_none());
    assert!(turn(&queue, 2).await.is_none());
    drop(busy);
    nothing_is_kept(&queue, 1);
    assert!(turn(&queue, 2).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_is_cancelled_leaves_no_trace_and_loses_no_turn() {
    let queue = queue(1);
    let busy = turn(&queue, 1).await.unwrap();
    let leaver = wait(&queue, 2).await;
    let waiter = wait(&queue, 3).await;
    leaver.abort();
    assert!(leaver.await.unwrap_err().is_cancelled());
    drop(busy);
    drop(waiter.await.unwrap().unwrap());
    nothing_is_kept(&queue, 1);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_was_granted_and_never_fetched_is_free_again() {
    let queue = queue(1);
    let busy = turn(&queue, 1).await.unwrap();
    let waiter = wait(&queue, 2).await;
    // Granted, but the task that would fetch it does not run any more.
    drop(busy);
    waiter.abort();
    assert!(waiter.await.unwrap_err().is_cancelled());
    nothing_is_kept(&queue, 1);
}

#[tokio::test(start_paused = true)]
async fn a_turn_for_a_waiter_that_is_gone_goes_on_to_the_next() {
    let queue = queue(1);
    let busy = turn(&queue, 1).await.unwrap();
    let (gone, receiver) = oneshot::channel();
    queue.enter(network(2), QueueClass::Ordinary, Waiter(gone), NOW);
    drop(receiver);
    let next = wait(&queue, 3).await;
    drop(busy);
    drop(next.await.unwrap().unwrap());
    nothing_is_kept(&queue, 1);
}

#[tokio::test(start_paused = true)]
async fn who_wants_a_turn_now_does_not_wait_for_one() {
    let queue = queue(1);
    let busy = turn(&queue, 1).await.unwrap();
    assert!(take_now(&queue, network(2), NOW).is_none());
    drop(busy);
    nothing_is_kept(&queue, 1);
}
