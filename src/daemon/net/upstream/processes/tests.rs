//! tests - waiting for a process, on a paused clock

use super::*;
use crate::drain;
use gatepost_core::gate::request::client::NetworkKey;

const PATIENCE: Duration = Duration::from_secs(60);

fn processes(at_once: usize) -> Processes {
    let settings = ProcessSettings {
        limit: None,
        at_once,
    };
    Processes::new(settings, Arc::default())
}

fn request(line: u32, drain: &Drain) -> ProcessRequest {
    ProcessRequest {
        line: ProcessLine::unnamed(NetworkKey::V4(line)),
        purpose: Purpose::Login,
        patience: PATIENCE,
        drain: drain.clone(),
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_gets_the_process_that_becomes_free() {
    let (processes, (_drainer, drain)) = (processes(1), drain::channel());
    let held = processes.wait(request(1, &drain)).await.unwrap();
    let waits = processes.wait(request(2, &drain));
    let (held, ()) = tokio::join!(waits, async { drop(held) });
    assert!(held.is_some());
    assert_eq!(processes.counts().logins, 1);
}

#[tokio::test(start_paused = true)]
async fn who_waits_in_vain_is_counted_and_leaves() {
    let (processes, (_drainer, drain)) = (processes(1), drain::channel());
    let _held = processes.wait(request(1, &drain)).await.unwrap();
    assert!(processes.wait(request(2, &drain)).await.is_none());
    let missed = |limit| processes.0.limits.get(limit);
    assert_eq!(missed(ResourceLimit::Processes), 1);
    assert_eq!(missed(ResourceLimit::RelayedExchanges), 0);
    assert_eq!(processes.counts().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn a_login_makes_room_for_the_next_and_its_end_for_one_more() {
    let (processes, (_drainer, drain)) = (processes(1), drain::channel());
    processes.reconfigure(ProcessSettings {
        limit: Some(3),
        at_once: 1,
    });
    let mut first = processes.wait(request(1, &drain)).await.unwrap();
    let waits = processes.wait(request(2, &drain));
    let (second, ()) = tokio::join!(waits, async { first.logged_in() });
    second.unwrap().logged_in();
    // That one is gone; another logs in, and all are taken.
    let mut third = processes.wait(request(3, &drain)).await.unwrap();
    third.logged_in();
    let waits = processes.wait(request(4, &drain));
    let (fourth, ()) = tokio::join!(waits, async { drop(first) });
    assert!(fourth.is_some());
}

#[tokio::test(start_paused = true)]
async fn the_end_of_gatepost_ends_the_waiting_and_is_no_miss() {
    let (processes, (drainer, drain)) = (processes(1), drain::channel());
    let _held = processes.wait(request(1, &drain)).await.unwrap();
    let waits = processes.wait(request(2, &drain));
    let (held, ()) = tokio::join!(waits, async { drainer.begin() });
    assert!(held.is_none());
    assert_eq!(processes.counts().waiting, 0);
    assert_eq!(processes.0.limits.get(ResourceLimit::Processes), 0);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_comes_too_late_for_its_waiter_is_the_next_ones() {
    let (processes, (_drainer, drain)) = (processes(1), drain::channel());
    let held = processes.wait(request(1, &drain)).await.unwrap();
    let mut gone = Box::pin(processes.wait(request(2, &drain)));
    let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(gone.as_mut().poll(cx)));
    assert!(polled.await.is_pending());
    // Given to who has just stopped waiting.
    drop(held);
    drop(gone);
    assert!(processes.wait(request(3, &drain)).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn new_settings_wake_who_waits() {
    let (processes, (_drainer, drain)) = (processes(1), drain::channel());
    let _held = processes.wait(request(1, &drain)).await.unwrap();
    let more = ProcessSettings {
        limit: None,
        at_once: 2,
    };
    let waits = processes.wait(request(2, &drain));
    let (held, ()) = tokio::join!(waits, async { processes.reconfigure(more) });
    assert!(held.is_some());
}
