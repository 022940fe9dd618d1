//! waiting - handshakes that wait: for the client, which holds up nobody, and to compute

use super::*;

#[tokio::test(start_paused = true)]
async fn clients_that_stop_in_the_middle_hold_up_nobody() {
    let shelf = Shelf::with(&[&["mx.example.org"]]);
    let tls = shelf.load();
    tls.cap_handshakes(1);
    let hello = client_hello();
    let partly = stalled(&hello[..hello.len() - 1]).await;
    let complete = stalled(&hello).await;
    // Takes no octet of the answer either.
    let (near, mut far) = duplex(hello.len());
    far.write_all(&hello).await.unwrap();
    let stopped = async {
        tokio::join!(
            tls.accept(partly.0, STRANGER, DEADLINE),
            tls.accept(complete.0, STRANGER, DEADLINE),
            tls.accept(near, STRANGER, DEADLINE),
        )
    };
    let served = async {
        for version in BOTH {
            let client = Arc::new(shelf.client(&[version]));
            let met = meet(&tls, &client, "mx.example.org");
            // The clock goes on only when there is nothing left to do.
            let met = timeout(Duration::from_millis(1), met).await;
            assert!(met.expect("nobody is waited for").0.is_ok());
        }
    };
    let ((first, second, third), ()) = tokio::join!(biased; stopped, served);
    for fault in [first, second, third] {
        assert!(matches!(fault, Err(HandshakeFault::Deadline)), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_may_not_compute_until_its_deadline_is_told_apart() {
    let tls = Shelf::with(&[&["mx.example.org"]]).load();
    tls.cap_handshakes(1);
    let _slot = tls.computing.slot(STRANGER.key, STRANGER.standing).await;
    let (near, _far) = stalled(&client_hello()).await;
    let fault = tls.accept(near, STRANGER, DEADLINE).await.unwrap_err();
    assert!(matches!(fault, HandshakeFault::Busy), "{fault}");
}

#[tokio::test(start_paused = true)]
async fn while_a_stranger_computes_a_familiar_client_does_too() {
    let shelf = Shelf::with(&[&["mx.example.org"]]);
    let tls = shelf.load();
    tls.cap_handshakes(1);
    let _slot = tls.computing.slot(STRANGER.key, STRANGER.standing).await;
    for standing in [Standing::Familiar, Standing::Allow] {
        let familiar = HandshakeClient {
            standing,
            ..STRANGER
        };
        let (near, mut far) = stalled(&client_hello()).await;
        tokio::select! {
            fault = tls.accept(near, familiar, DEADLINE) => panic!("{fault:?}"),
            answer = far.read_u8() => assert_eq!(answer.unwrap(), 22, "a ServerHello"),
        }
    }
}

#[test]
fn the_future_of_a_handshake_is_small_and_send() {
    let tls = Shelf::with(&[&["mx.example.org"]]).load();
    let future = tls.accept(duplex(1).0, STRANGER, DEADLINE);
    let size = size_of_val(&future);
    assert!(size < 512, "{size} octets");
    fn may_be_spawned<T: Send>(_: T) {}
    may_be_spawned(future);
}
