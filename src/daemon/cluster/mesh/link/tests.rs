//! tests - both ends of a link over loopback: who gets through, who does not, and what the other one is told
//!
//! Not here: what is told over it (the integration tests with several Gateposts).

use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::super::LinkEvent;
use super::*;
use crate::cluster::secret::ClusterSecret;

fn context(octet: u8, name: &str) -> Arc<LinkContext> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, [octet; 32]).unwrap();
    let clock = Clock::start();
    let mut process = [octet; 16];
    for (place, letter) in process.iter_mut().zip(name.bytes()) {
        *place = letter;
    }
    Arc::new(LinkContext {
        identity: LinkIdentity::of(&ClusterSecret::read(&path).unwrap()).unwrap(),
        name: name.to_owned(),
        machines: vec!["mx1".to_owned(), "mx2".to_owned()],
        list: 7,
        process,
        clock,
        began: clock.now(),
        common: MeshClock::new(name),
    })
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// What becomes of both ends: of who dials, and of who is dialled.
async fn link(
    dials: &Arc<LinkContext>,
    listens: &Arc<LinkContext>,
) -> (Result<MeshLink, LinkFault>, Result<MeshLink, LinkFault>) {
    let (listener, address) = listener().await;
    let here = async { MeshLink::dial(&[address], dials).await };
    let there = async { MeshLink::accept(listener.accept().await.unwrap().0, listens).await };
    tokio::join!(here, there)
}

#[tokio::test]
async fn machines_with_one_secret_are_linked_and_know_each_other() {
    let (here, there) = link(&context(1, "mx1"), &context(1, "mx2")).await;
    let (here, there) = (here.unwrap(), there.unwrap());
    assert_eq!(here.greeting.name, "mx2");
    assert_eq!(there.greeting.name, "mx1");
    assert_eq!(
        (here.dialler, there.dialler),
        (Dialler::Here, Dialler::There)
    );
    assert_eq!(here.greeting.machines, 2);
}

#[tokio::test]
async fn another_secret_is_known_as_one_on_both_sides() {
    let (here, there) = link(&context(1, "mx1"), &context(2, "mx2")).await;
    assert_eq!(here.unwrap_err(), LinkFault::OtherSecret);
    assert_eq!(there.unwrap_err(), LinkFault::OtherSecret);
}

#[tokio::test]
async fn who_is_not_on_the_list_is_told_so() {
    let (here, there) = link(&context(1, "mx3"), &context(1, "mx2")).await;
    assert_eq!(
        here.unwrap_err(),
        LinkFault::Refused(LinkRefusal::NotListed)
    );
    let machine = "mx3".to_owned();
    let why = LinkRefusal::NotListed;
    assert_eq!(there.unwrap_err(), LinkFault::Refuses { machine, why });
}

#[tokio::test]
async fn a_process_knows_itself() {
    let own = context(1, "mx1");
    let (here, there) = link(&own, &own).await;
    assert_eq!(there.unwrap_err(), LinkFault::Itself);
    assert_eq!(here.unwrap_err(), LinkFault::Itself);
}

#[tokio::test]
async fn strangers_see_nothing_and_are_known_as_such() {
    let own = context(1, "mx1");
    for said in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0x16, 3, 1, 0, 4, 1, 0, 0, 0],
        &[0; 70_000],
    ] {
        let (listener, address) = listener().await;
        let stranger = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            // The other side may close while this is written.
            let _ = stream.write_all(said).await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            answer
        };
        let accepted = async { MeshLink::accept(listener.accept().await.unwrap().0, &own).await };
        let (answer, accepted) = tokio::join!(stranger, accepted);
        assert!(
            matches!(accepted, Err(LinkFault::Stranger(_))),
            "{accepted:?}"
        );
        assert!(answer.len() < 16, "an alert at most: {answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_is_gone_after_a_while() {
    let (listener, address) = listener().await;
    let _stranger = TcpStream::connect(address).await.unwrap();
    let own = context(1, "mx1");
    let stream = listener.accept().await.unwrap().0;
    let within = GREETINGS + Duration::from_secs(1);
    let accepted = timeout(within, MeshLink::accept(stream, &own)).await;
    let fault = accepted.expect("in time").unwrap_err();
    assert_eq!(fault, LinkFault::Silent(GREETINGS));
}

#[tokio::test]
async fn a_later_version_is_told_from_damage_and_both_are_told_why() {
    let (listens, dials) = (context(1, "mx1"), context(1, "mx2"));
    let later = [0, 4, 0, 0, 9, 9];
    let damaged = [0, 3, 77, 1, 2];
    for (said, expected) in [
        (&later[..], LinkFault::Version(9)),
        (&damaged, LinkFault::Damaged("no greeting".to_owned())),
        (
            &[0xff, 0xff],
            LinkFault::Damaged("a frame of 65535 octets".to_owned()),
        ),
    ] {
        let (listener, address) = listener().await;
        let other = async {
            let stream = TcpStream::connect(address).await.unwrap();
            let nobody = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::UNSPECIFIED).into());
            let connector = &dials.identity.connector;
            let mut stream = connector.connect(nobody, stream).await.unwrap();
            stream.write_all(said).await.unwrap();
            stream.flush().await.unwrap();
            let read = read_octets(&mut stream).await;
            read.ok().and_then(|octets| LinkFrame::read(&octets))
        };
        let accepted =
            async { MeshLink::accept(listener.accept().await.unwrap().0, &listens).await };
        let (answer, accepted) = tokio::join!(other, accepted);
        let is_told = !matches!(said, [0xff, 0xff]);
        let refusal = LinkFrame::Refusal(LinkRefusal::Version);
        assert_eq!(answer, is_told.then_some(refusal));
        assert_eq!(accepted.unwrap_err(), expected);
    }
}

/// A link that runs: what it tells, what it is to send, and the other end of it.
struct Running {
    events: mpsc::Receiver<LinkEvent>,
    outgoing: mpsc::Sender<Arc<[u8]>>,
    other: MeshLink,
}

async fn running(queue: usize) -> Running {
    let (dials, listens) = (context(1, "mx1"), context(1, "mx2"));
    let (here, there) = link(&dials, &listens).await;
    let (events, told) = mpsc::channel(queue);
    let (outgoing, receiver) = mpsc::channel(8);
    let heard = Arc::default();
    let run = here.unwrap().run(7, dials, (events, receiver), heard);
    tokio::spawn(run);
    Running {
        events: told,
        outgoing,
        other: there.unwrap(),
    }
}

/// The next frame that is none of the clock's.
async fn next(link: &mut MeshLink) -> Option<LinkFrame> {
    loop {
        let octets = read_octets(&mut link.stream).await.ok()?;
        match LinkFrame::read(&octets) {
            Some(LinkFrame::Ping(_) | LinkFrame::Pong(_)) => {}
            other => return other,
        }
    }
}

#[tokio::test]
async fn letters_go_both_ways_and_what_is_not_known_is_passed_over() {
    let mut link = running(8).await;
    let letter = LinkFrame::Letter(vec![1, 2, 3]);
    link.outgoing.send(letter.octets().into()).await.unwrap();
    assert_eq!(next(&mut link.other).await, Some(letter.clone()));
    let unknown = [0, 3, 99, 1, 2];
    link.other.stream.write_all(&unknown).await.unwrap();
    say(&mut link.other.stream, &letter).await.unwrap();
    assert!(matches!(
        link.events.recv().await,
        Some(LinkEvent::Skipped(7))
    ));
    let told = link.events.recv().await;
    assert!(matches!(told, Some(LinkEvent::Letter(7, octets)) if octets == [1, 2, 3]));
    // The end of the queue is the end of the link, and the other side is told.
    drop(link.outgoing);
    let stops = LinkFrame::Refusal(LinkRefusal::Stops);
    assert_eq!(next(&mut link.other).await, Some(stops));
    let ended = link.events.recv().await;
    assert!(matches!(ended, Some(LinkEvent::Ended(7, _))));
}

#[tokio::test]
async fn a_frame_without_sense_ends_the_link() {
    let mut link = running(8).await;
    link.other.stream.write_all(&[0xff; 3]).await.unwrap();
    link.other.stream.flush().await.unwrap();
    let ended = link.events.recv().await;
    assert!(matches!(
        ended,
        Some(LinkEvent::Ended(7, LinkFault::Damaged(_)))
    ));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_taken_in_waits_with_the_one_who_tells_it() {
    let mut link = running(1).await;
    let letter = LinkFrame::Letter(vec![0; 9000]).octets();
    let mut sent = 0_usize;
    let flood = async {
        loop {
            link.other.stream.write_all(&letter).await.unwrap();
            sent += 1;
        }
    };
    // Until the sockets take no more.
    let full = timeout(Duration::from_secs(2), flood).await;
    assert!(full.is_err());
    // What the kernel holds of a connection.
    assert!(sent < 4_000, "{sent}");
    let told = link.events.recv().await;
    assert!(matches!(told, Some(LinkEvent::Letter(7, _))));
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_says_nothing_is_gone_after_five_seconds() {
    let mut link = running(8).await;
    let ended = timeout(Duration::from_secs(6), link.events.recv()).await;
    let ended = ended.expect("in time");
    let silent = LinkFault::Silent(Duration::from_secs(5));
    assert!(matches!(ended, Some(LinkEvent::Ended(7, fault)) if fault == silent));
}
