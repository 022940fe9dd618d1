//! tests - a splice between in-memory streams, under paused time

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadBuf, duplex};
use tokio::task::JoinHandle;

use super::*;
use crate::drain;

const LIMITS: SpliceLimits = SpliceLimits {
    idle: Duration::from_secs(600),
    grace: Duration::from_secs(30),
};

#[expect(clippy::disallowed_methods, reason = "it is the paused clock")]
fn now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// A running splice, and both its far ends.
struct Setting {
    client: DuplexStream,
    postfix: DuplexStream,
    splice: JoinHandle<(SpliceOctets, SpliceEnd)>,
    control: Arc<SpliceControl>,
    drainer: drain::Drainer,
}

/// Starts a splice whose sockets hold `room` octets.
fn start(room: usize, handover: Handover) -> Setting {
    let (client, mut near_client) = duplex(room);
    let (postfix, mut near_postfix) = duplex(room);
    let (drainer, mut drain) = drain::channel();
    let control = Arc::new(SpliceControl::default());
    let its_control = Arc::clone(&control);
    let splice = tokio::spawn(async move {
        splice(
            &mut near_client,
            &mut near_postfix,
            handover,
            LIMITS,
            &its_control,
            &mut drain,
        )
        .await
    });
    Setting {
        client,
        postfix,
        splice,
        control,
        drainer,
    }
}

async fn expect(stream: &mut DuplexStream, octets: &[u8]) {
    let mut read = vec![0; octets.len()];
    stream.read_exact(&mut read).await.unwrap();
    assert_eq!(read, octets);
}

async fn expect_end(stream: &mut DuplexStream) {
    assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn octets_of_the_handover_are_sent_first_and_counted() {
    let handover = Handover {
        to_upstream: b"MAIL FROM:<>\r\n".to_vec(),
        to_client: b"235 2.7.0 ok\r\n".to_vec(),
    };
    let mut at = start(1024, handover);
    at.client.write_all(b"RCPT\r\n").await.unwrap();
    at.postfix.write_all(b"250 ok\r\n").await.unwrap();
    expect(&mut at.postfix, b"MAIL FROM:<>\r\nRCPT\r\n").await;
    expect(&mut at.client, b"235 2.7.0 ok\r\n250 ok\r\n").await;
    drop(at.client);
    expect_end(&mut at.postfix).await;
    drop(at.postfix);
    let (tally, end) = at.splice.await.unwrap();
    assert_eq!((tally.from_client, tally.to_client), (20, 22));
    assert!(matches!(end, SpliceEnd::ClientClosed), "{end}");
}

#[tokio::test(start_paused = true)]
async fn an_order_ends_a_session_and_its_progress_says_whose_turn_it_is() {
    for (order, expected) in [
        (EndOrder::Expelled, "expelled"),
        (EndOrder::GaveWay, "gave-way"),
        (EndOrder::Drained, "drained"),
    ] {
        let mut at = start(64, Handover::default());
        let progress = |octets, clients_turn| SpliceProgress {
            octets,
            clients_turn,
        };
        assert_eq!(at.control.progress(), progress(0, false));
        at.client.write_all(b"NOOP\r\n").await.unwrap();
        expect(&mut at.postfix, b"NOOP\r\n").await;
        assert_eq!(at.control.progress(), progress(6, false));
        at.postfix.write_all(b"250 ok\r\n").await.unwrap();
        expect(&mut at.client, b"250 ok\r\n").await;
        assert_eq!(at.control.progress(), progress(14, true));
        at.control.end(order);
        // The first one counts.
        at.control.end(EndOrder::Expelled);
        let (tally, end) = at.splice.await.unwrap();
        assert_eq!((tally.from_client, tally.to_client), (6, 8));
        assert_eq!(end.as_str(), expected);
        expect_end(&mut at.postfix).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_half_closed_client_still_gets_its_answer() {
    let mut at = start(64, Handover::default());
    at.client.write_all(b"QUIT\r\n").await.unwrap();
    at.client.shutdown().await.unwrap();
    expect(&mut at.postfix, b"QUIT\r\n").await;
    expect_end(&mut at.postfix).await;
    at.postfix.write_all(b"221 2.0.0 Bye\r\n").await.unwrap();
    drop(at.postfix);
    expect(&mut at.client, b"221 2.0.0 Bye\r\n").await;
    expect_end(&mut at.client).await;
    let (_, end) = at.splice.await.unwrap();
    assert!(matches!(end, SpliceEnd::ClientClosed), "{end}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stays_after_postfix_closed_is_closed_after_the_linger_time() {
    let mut at = start(64, Handover::default());
    at.postfix
        .write_all(b"421 4.4.2 timeout\r\n")
        .await
        .unwrap();
    drop(at.postfix);
    let began = now();
    expect(&mut at.client, b"421 4.4.2 timeout\r\n").await;
    expect_end(&mut at.client).await;
    // What it still sends is discarded, and does not extend the linger time.
    at.client.write_all(&[b'x'; 4096]).await.unwrap();
    let (_, end) = at.splice.await.unwrap();
    assert!(matches!(end, SpliceEnd::UpstreamClosed), "{end}");
    assert_eq!(began.elapsed(), LINGER);
}

#[tokio::test(start_paused = true)]
async fn one_blocked_direction_does_not_hold_up_the_other() {
    let mut at = start(16, Handover::default());
    // Postfix does not read: the client's direction blocks at once, permanently.
    let mut stuck = Box::pin(at.client.write_all(&[b'x'; 1_000_000]));
    tokio::select! {
        biased;
        _ = &mut stuck => panic!("a megabyte was taken"),
        () = tokio::task::yield_now() => {}
    }
    drop(stuck);
    for _ in 0..100 {
        at.postfix.write_all(b"250 ok\r\n").await.unwrap();
        expect(&mut at.client, b"250 ok\r\n").await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_splice_ends_after_the_deadline_and_at_most_a_quarter_more() {
    let mut at = start(64, Handover::default());
    let began = now();
    for _ in 0..10 {
        tokio::time::advance(LIMITS.idle - Duration::from_secs(1)).await;
        at.client.write_all(b"NOOP\r\n").await.unwrap();
        expect(&mut at.postfix, b"NOOP\r\n").await;
    }
    let spoke = began.elapsed();
    let (_, end) = at.splice.await.unwrap();
    assert!(matches!(end, SpliceEnd::Idle), "{end}");
    let quiet = began.elapsed() - spoke;
    assert!(
        quiet >= LIMITS.idle && quiet <= LIMITS.idle * 5 / 4,
        "{quiet:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_splice_goes_on_while_we_drain_and_ends_with_the_grace() {
    let mut at = start(64, Handover::default());
    at.client.write_all(b"DATA\r\n").await.unwrap();
    expect(&mut at.postfix, b"DATA\r\n").await;
    at.drainer.begin();
    tokio::task::yield_now().await;
    let began = now();
    tokio::time::advance(LIMITS.grace - Duration::from_secs(1)).await;
    at.postfix.write_all(b"354 go on\r\n").await.unwrap();
    expect(&mut at.client, b"354 go on\r\n").await;
    let (tally, end) = at.splice.await.unwrap();
    assert!(matches!(end, SpliceEnd::Drained), "{end}");
    assert_eq!(began.elapsed(), LIMITS.grace);
    assert_eq!((tally.from_client, tally.to_client), (6, 11));
}

/// One step of a scripted stream.
#[derive(Clone, Debug)]
enum ScriptStep {
    /// At most this many octets.
    Take(usize),
    /// Pending; wakes at once.
    Wait,
    /// A failure.
    Fail(io::ErrorKind),
}

/// A stream that returns and takes octets in scripted pieces, and records what was written.
#[derive(Debug)]
struct Scripted {
    gives: VecDeque<u8>,
    reads: VecDeque<ScriptStep>,
    writes: VecDeque<ScriptStep>,
    given: Arc<Mutex<ScriptedStream>>,
}

#[derive(Debug, Default)]
struct ScriptedStream {
    octets: Vec<u8>,
    unflushed: bool,
    ended: bool,
}

impl Scripted {
    fn new(
        gives: &[u8],
        reads: Vec<ScriptStep>,
        writes: Vec<ScriptStep>,
    ) -> (Self, Arc<Mutex<ScriptedStream>>) {
        let given = Arc::new(Mutex::new(ScriptedStream::default()));
        let stream = Self {
            gives: gives.iter().copied().collect(),
            reads: reads.into(),
            writes: writes.into(),
            given: Arc::clone(&given),
        };
        (stream, given)
    }
}

fn step(steps: &mut VecDeque<ScriptStep>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    match steps.pop_front().unwrap_or(ScriptStep::Take(usize::MAX)) {
        ScriptStep::Take(octets) => Poll::Ready(Ok(octets)),
        ScriptStep::Fail(kind) => Poll::Ready(Err(kind.into())),
        ScriptStep::Wait => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    }
}

impl AsyncRead for Scripted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let most = std::task::ready!(step(&mut self.reads, cx))?;
        let octets = most.min(buffer.remaining()).min(self.gives.len());
        let piece: Vec<u8> = self.gives.drain(..octets).collect();
        buffer.put_slice(&piece);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Scripted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let most = std::task::ready!(step(&mut self.writes, cx))?;
        let taken = octets.len().min(most);
        let mut given = self.given.lock().unwrap();
        assert!(!given.ended, "written behind the end");
        given.octets.extend_from_slice(&octets[..taken]);
        given.unflushed = true;
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.given.lock().unwrap().unflushed = false;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut given = self.given.lock().unwrap();
        given.ended = true;
        given.unflushed = false;
        Poll::Ready(Ok(()))
    }
}

fn run(
    mut client: Scripted,
    mut postfix: Scripted,
    handover: Handover,
) -> (SpliceOctets, SpliceEnd) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let (_drainer, mut drain) = drain::channel();
        splice(
            &mut client,
            &mut postfix,
            handover,
            LIMITS,
            &SpliceControl::default(),
            &mut drain,
        )
        .await
    })
}

#[test]
fn a_client_that_resets_has_delivered_what_it_sent() {
    let reads = vec![
        ScriptStep::Take(4),
        ScriptStep::Take(2),
        ScriptStep::Fail(io::ErrorKind::ConnectionReset),
    ];
    let (client, _) = Scripted::new(b"QUIT\r\n", reads, vec![]);
    let (postfix, seen) = Scripted::new(b"", vec![], vec![ScriptStep::Take(1), ScriptStep::Wait]);
    let (tally, end) = run(client, postfix, Handover::default());
    assert!(matches!(end, SpliceEnd::ClientLost(_)), "{end}");
    assert_eq!(tally.from_client, 6);
    let seen = seen.lock().unwrap();
    assert_eq!(seen.octets, b"QUIT\r\n");
    assert!(seen.ended, "Postfix has to see the end");
}

#[test]
fn a_client_that_ends_without_close_notify_has_closed() {
    let reads = vec![
        ScriptStep::Take(6),
        ScriptStep::Fail(io::ErrorKind::UnexpectedEof),
    ];
    let (client, _) = Scripted::new(b"QUIT\r\n", reads, vec![]);
    let (postfix, seen) = Scripted::new(b"", vec![ScriptStep::Wait, ScriptStep::Wait], vec![]);
    let (_, end) = run(client, postfix, Handover::default());
    assert!(matches!(end, SpliceEnd::ClientClosed), "{end}");
    assert_eq!(seen.lock().unwrap().octets, b"QUIT\r\n");
}

#[test]
fn replies_of_a_postfix_that_stopped_reading_still_arrive() {
    let refuses = vec![ScriptStep::Fail(io::ErrorKind::BrokenPipe)];
    let (client, written) = Scripted::new(&[b'x'; 200_000], vec![], vec![]);
    let (postfix, _) = Scripted::new(
        b"421 bye\r\n",
        vec![ScriptStep::Wait, ScriptStep::Wait],
        refuses,
    );
    let (tally, end) = run(client, postfix, Handover::default());
    assert!(matches!(end, SpliceEnd::UpstreamClosed), "{end}");
    assert_eq!(tally.from_client, 0);
    let written = written.lock().unwrap();
    assert_eq!(written.octets, b"421 bye\r\n");
    assert!(written.ended, "the client has to see the end");
}

#[test]
fn what_was_written_is_flushed_before_waiting() {
    let (client, written) = Scripted::new(b"", vec![ScriptStep::Wait; 3], vec![]);
    let (mut postfix, _) = Scripted::new(b"250 ok\r\n", vec![], vec![]);
    postfix.reads = vec![ScriptStep::Take(8), ScriptStep::Wait].into();
    let (mut client, mut postfix) = (client, postfix);
    let mut lane = Direction::new(Vec::new());
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let _ = lane.poll(&mut cx, &mut postfix, &mut client, &mut [0; 64]);
    let written = written.lock().unwrap();
    assert_eq!(written.octets, b"250 ok\r\n");
    assert!(!written.unflushed);
}

fn steps() -> impl Strategy<Value = Vec<ScriptStep>> {
    let step = prop_oneof![
        3 => (1usize..40).prop_map(ScriptStep::Take),
        1 => (1usize..100_000).prop_map(ScriptStep::Take),
        2 => Just(ScriptStep::Wait),
    ];
    proptest::collection::vec(step, 0..60)
}

proptest! {
    #[test]
    fn octets_arrive_once_and_in_order_for_any_segments(
        up in proptest::collection::vec(any::<u8>(), 0..200_000),
        down in proptest::collection::vec(any::<u8>(), 0..5_000),
        crossing_up in proptest::collection::vec(any::<u8>(), 0..2_000),
        crossing_down in proptest::collection::vec(any::<u8>(), 0..2_000),
        scripts in (steps(), steps(), steps(), steps()),
    ) {
        let (client, written) = Scripted::new(&up, scripts.0, scripts.1);
        let (postfix, seen) = Scripted::new(&down, scripts.2, scripts.3);
        let handover = Handover {
            to_upstream: crossing_up.clone(),
            to_client: crossing_down.clone(),
        };
        let (tally, _) = run(client, postfix, handover);
        let (seen, written) = (seen.lock().unwrap(), written.lock().unwrap());
        prop_assert!(seen.octets == [crossing_up, up].concat());
        prop_assert!(written.octets == [crossing_down, down].concat());
        prop_assert!(seen.ended && written.ended);
        prop_assert_eq!(tally.from_client, seen.octets.len() as u64);
        prop_assert_eq!(tally.to_client, written.octets.len() as u64);
    }
}

/// How it ends when Postfix says this, and its connection breaks with the next read.
fn broken_behind(replies: &[u8]) -> SpliceEnd {
    let sends = vec![ScriptStep::Take(12), ScriptStep::Wait, ScriptStep::Wait];
    let (client, _) = Scripted::new(b"QUIT\r\nNOOP\r\n", sends, vec![]);
    let reads = vec![
        ScriptStep::Take(replies.len()),
        ScriptStep::Fail(io::ErrorKind::ConnectionReset),
    ];
    let (postfix, _) = Scripted::new(replies, reads, vec![]);
    let (_, end) = run(client, postfix, Handover::default());
    end
}

#[test]
fn a_reset_behind_postfixs_leave_is_no_postfix_that_died() {
    for replies in [&b"250 ok\r\n221 2.0.0 Bye\r\n"[..], b"221 2.0.0 Bye\r\n"] {
        let end = broken_behind(replies);
        assert!(matches!(end, SpliceEnd::SentBehindQuit(_)), "{end}");
    }
    let end = broken_behind(b"421 4.7.0 mx1 Error: too many errors\r\n");
    assert!(matches!(end, SpliceEnd::UpstreamClosed), "{end}");
    for replies in [
        &b"250 ok\r\n"[..],
        b"221 2.0.0 Bye\r\n250 ok\r\n",
        b"250 221\r\n",
    ] {
        let end = broken_behind(replies);
        assert!(matches!(end, SpliceEnd::UpstreamLost(_)), "{end}");
    }
}
