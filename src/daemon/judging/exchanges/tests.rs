//! tests - who has a place, who waits for one, and who loses one, under paused time

use std::pin::pin;

use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::Neighbourhood::{Familiar, Unfamiliar};
use super::*;

const NOW: Moment = Moment::from_seconds(1_795_478_400);
const SETTINGS: QueueSettings = QueueSettings {
    at_once: 4,
    deadline: Duration::from_secs(15),
};

fn exchanges() -> Arc<Exchanges> {
    Arc::new(Exchanges::new(SETTINGS))
}

fn client(net: u32, host: u32) -> ClientKey {
    ClientKey::V4((net << 8) | host)
}

async fn take(
    exchanges: &Exchanges,
    client: ClientKey,
    of: Neighbourhood,
) -> Option<ExchangePlace> {
    exchanges
        .take((client, QueueClass::Ordinary), of, NOW)
        .await
}

/// What comes after just this time.
async fn after<T>(time: Duration, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let early = timeout(
        time.saturating_sub(Duration::from_millis(1)),
        future.as_mut(),
    );
    assert!(time.is_zero() || early.await.is_err(), "it came early");
    let in_time = timeout(Duration::from_millis(2), future);
    in_time.await.expect("it came late")
}

/// Takes a place, and falls silent: whether it lost it within an hour.
async fn silent(
    exchanges: &Arc<Exchanges>,
    client: ClientKey,
    of: Neighbourhood,
) -> JoinHandle<bool> {
    let exchanges = Arc::clone(exchanges);
    let thinks = tokio::spawn(async move {
        let place = take(&exchanges, client, of).await.expect("a place");
        let wanted = timeout(Duration::from_secs(3_600), place.wanted(NOW)).await;
        wanted.is_ok()
    });
    tokio::task::yield_now().await;
    thinks
}

#[tokio::test(start_paused = true)]
async fn two_silent_clients_keep_nobody_out_and_the_longest_silent_goes() {
    let exchanges = exchanges();
    let first = silent(&exchanges, client(1, 1), Unfamiliar).await;
    let second = silent(&exchanges, client(1, 2), Unfamiliar).await;
    // It has its time to answer.
    let place = after(GRACE, take(&exchanges, client(1, 3), Unfamiliar)).await;
    assert!(place.is_some());
    assert!(first.await.unwrap());
    assert!(!second.is_finished(), "one place was enough");
}

#[tokio::test(start_paused = true)]
async fn who_is_not_silent_is_left_alone_and_the_others_wait_in_vain() {
    let exchanges = exchanges();
    let _one = take(&exchanges, client(1, 1), Unfamiliar).await.unwrap();
    let _two = take(&exchanges, client(1, 2), Unfamiliar).await.unwrap();
    let third = take(&exchanges, client(1, 3), Unfamiliar);
    assert!(after(SETTINGS.deadline, third).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_network_has_half_of_the_strangers_places() {
    let exchanges = exchanges();
    let _one = silent(&exchanges, client(1, 1), Unfamiliar).await;
    let two = silent(&exchanges, client(1, 2), Unfamiliar).await;
    let other = silent(&exchanges, client(2, 1), Unfamiliar).await;
    let third = silent(&exchanges, client(1, 3), Unfamiliar).await;
    tokio::time::sleep(GRACE * 4).await;
    // The third of a network waits for its own network's places.
    assert!(!two.is_finished() && !other.is_finished() && !third.is_finished());
    let one_is_left = take(&exchanges, client(3, 1), Unfamiliar);
    assert!(after(Duration::ZERO, one_is_left).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn familiar_networks_never_wait_for_strangers() {
    let exchanges = exchanges();
    for net in 1..=4 {
        drop(silent(&exchanges, client(net, 1), Unfamiliar).await);
    }
    let mut places = Vec::new();
    for host in 1..=4 {
        let place = after(Duration::ZERO, take(&exchanges, client(9, host), Familiar));
        places.push(place.await.unwrap());
    }
    assert_eq!(places[0].round(), FAMILIAR_ROUND);
    assert!(take(&exchanges, client(9, 5), Familiar).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn who_stops_waiting_or_being_silent_leaves_nothing() {
    let exchanges = exchanges();
    let place = take(&exchanges, client(1, 1), Unfamiliar).await.unwrap();
    tokio::select! {
        biased;
        () = place.wanted(NOW) => panic!("nobody wants it"),
        () = tokio::task::yield_now() => {}
    }
    assert!(exchanges.strangers.silent().is_empty());
    let more = take(&exchanges, client(1, 2), Unfamiliar).await.unwrap();
    tokio::select! {
        biased;
        _ = take(&exchanges, client(1, 3), Unfamiliar) => panic!("there is none"),
        () = tokio::task::yield_now() => {}
    }
    drop((place, more));
    assert!(exchanges.strangers.queue.next_deadline().is_none());
    assert!(
        !exchanges
            .strangers
            .queue
            .holds_share(client(1, 1).network())
    );
}
