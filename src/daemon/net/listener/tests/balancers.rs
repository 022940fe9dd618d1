//! balancers - load balancers in front: whose address counts, how long their headers are waited for, and which connection gives way

use super::*;

fn behind_balancer() -> Listener {
    let settings = ListenerSettings {
        proxy_from: vec!["127.0.0.0/8".parse().unwrap()],
        ..settings("127.0.0.1:0")
    };
    Listener::bind(&settings, &Arc::default()).unwrap()
}

async fn next_balancer(listener: &mut Listener) -> Balancer {
    let unreachable = |_| panic!("a balancer is not judged");
    match timeout(SOON, listener.accept(unreachable)).await.unwrap() {
        Arrival::Balancer(balancer) => balancer,
        other => panic!("{other:?}"),
    }
}

/// A balancer that has sent these octets, and its end of the connection.
async fn balancer_with(
    listener: &mut Listener,
    from: &str,
    octets: &[u8],
) -> (TcpStream, Balancer) {
    let mut outside = connect_from(from, listener.local_addr()).await.unwrap();
    outside.write_all(octets).await.unwrap();
    (outside, next_balancer(listener).await)
}

#[tokio::test]
async fn admission_decides_on_a_balancers_client_not_on_the_balancer() {
    let mut listener = behind_balancer();
    let admission = admission();
    let announce = |client: &str| {
        let mut header = Vec::new();
        let client = client.parse().unwrap();
        let destination = "198.51.100.1:465".parse().unwrap();
        proxy_header::announce(Version::V2, client, destination, &mut header);
        header
    };

    let header = announce("203.0.113.7:1234");
    let (_outside, balancer) = balancer_with(&mut listener, "127.0.9.1", &header).await;
    let accepted = balancer
        .read_header(SOON, all_but(&admission, "127.0.9.1"))
        .await
        .unwrap();
    assert_eq!(accepted.client.to_string(), "203.0.113.7:1234");
    assert_eq!(accepted.listener.to_string(), "198.51.100.1:465");

    let header = announce("203.0.113.8:1234");
    let (mut outside, balancer) = balancer_with(&mut listener, "127.0.9.1", &header).await;
    let refused = balancer
        .read_header(SOON, all_but(&admission, "203.0.113.8"))
        .await
        .unwrap_err();
    assert!(matches!(
        refused,
        BalancerFault::TurnedAway(TurnedAway::Ban)
    ));
    // As one that connects itself, after a moment at the listener.
    assert!(timeout(Duration::ZERO, outside.read_u8()).await.is_err());
    let unreachable = |_| panic!("nobody connects");
    tokio::select! {
        arrival = listener.accept(unreachable) => panic!("{arrival:?}"),
        () = assert_reset(&mut outside) => {}
    }
}

#[tokio::test]
async fn a_health_check_is_admitted_by_its_own_address() {
    let mut listener = behind_balancer();
    let admission = admission();
    let mut header = Vec::new();
    proxy_header::announce_probe(Version::V2, &mut header);
    let (outside, balancer) = balancer_with(&mut listener, "127.0.9.3", &header).await;

    let accepted = balancer
        .read_header(SOON, all_but(&admission, "127.0.9.1"))
        .await
        .unwrap();

    assert_eq!(accepted.client, outside.local_addr().unwrap());
    assert_eq!(accepted.listener, listener.local_addr());
}

#[tokio::test]
async fn a_balancer_without_a_header_is_closed_at_the_deadline() {
    let mut listener = behind_balancer();
    let admission = admission();
    let (mut outside, balancer) = balancer_with(&mut listener, "127.0.9.3", b"").await;
    let fault = balancer
        .read_header(Duration::ZERO, all_but(&admission, "127.0.9.1"))
        .await
        .unwrap_err();
    assert!(matches!(fault, BalancerFault::Deadline));
    assert_eq!(outside.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(listener.headers.count(), 0);
}

#[tokio::test]
async fn a_client_that_is_no_balancer_is_not_asked_for_a_header() {
    let settings = ListenerSettings {
        proxy_from: vec!["127.0.9.9/32".parse().unwrap()],
        ..settings("127.0.0.1:0")
    };
    let mut listener = Listener::bind(&settings, &Arc::default()).unwrap();
    let admission = admission();
    let mut outside = connect_from("127.0.9.3", listener.local_addr())
        .await
        .unwrap();
    outside
        .write_all(b"PROXY TCP4 203.0.113.7 198.51.100.1 1234 465\r\n")
        .await
        .unwrap();
    let accepted = next_client(&mut listener, all_but(&admission, "127.0.9.1")).await;
    assert_eq!(accepted.client, outside.local_addr().unwrap());
}

#[tokio::test]
async fn beyond_the_pending_headers_a_silent_balancer_gives_way_to_another() {
    let mut listener = behind_balancer();
    let to = listener.local_addr();
    let crowd = "127.0.9.3".parse().unwrap();
    let mut held: Vec<_> = (1..HEADERS_PENDING)
        .map(|_| listener.headers.take(crowd).unwrap())
        .collect();
    let mut silent = connect_from("127.0.9.3", to).await.unwrap();
    let admission = admission();
    let reading = next_balancer(&mut listener)
        .await
        .read_header(SOON, all_but(&admission, "203.0.113.8"));
    let mut reading = Box::pin(reading);
    // Nobody was found silent yet.
    let mut refused = connect_from("127.0.9.4", to).await.unwrap();
    let unreachable = |_| panic!("a balancer is not judged");
    tokio::select! {
        arrival = listener.accept(unreachable) => panic!("{arrival:?}"),
        () = assert_reset(&mut refused) => {}
    }
    assert_eq!(listener.limits.get(ResourceLimit::ProxyHeaders), 1);
    assert!(timeout(Duration::ZERO, &mut reading).await.is_err());
    let _outside = connect_from("127.0.9.4", to).await.unwrap();
    let _balancer = next_balancer(&mut listener).await;
    assert!(matches!(reading.await, Err(BalancerFault::GaveWay)));
    assert_eq!(silent.read(&mut [0]).await.unwrap_or(0), 0);
    assert_eq!(listener.limits.get(ResourceLimit::ProxyHeaders), 2);
    held.clear();
    assert_eq!(listener.headers.count(), 1);
}

#[tokio::test]
async fn a_balancer_whose_header_lies_unread_is_not_silent() {
    let mut listener = behind_balancer();
    let to = listener.local_addr();
    let admission = admission();
    let mut outside = connect_from("127.0.9.3", to).await.unwrap();
    let balancer = next_balancer(&mut listener).await;
    let reading = balancer.read_header(SOON, all_but(&admission, "203.0.113.8"));
    outside
        .write_all(b"PROXY TCP4 203.0.113.7 198.51.100.1 1234 465\r\n")
        .await
        .unwrap();
    let crowd = "127.0.9.3".parse().unwrap();
    let _held: Vec<_> = (1..HEADERS_PENDING)
        .map(|_| listener.headers.take(crowd).unwrap())
        .collect();
    // The runtime has not seen its octets yet, and waits.
    let mut reading = Box::pin(reading);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(reading.as_mut().poll(&mut context).is_pending());
    assert!(listener.headers.take(crowd).is_none());
    assert!(reading.await.is_ok());
}
