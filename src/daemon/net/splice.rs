//! splice - copies octets both ways after login
//!
//! Nothing is parsed but Postfix's closing reply, 221 or 421 (`farewell`): what one side sends goes to the other, in order, once. The end of a
//! side is copied on as the end of that direction (close_notify as FIN and back); the other continues.
//! Not here: what was read before the hand-over (`session` passes it in), closing the sockets (their
//! owner drops them).
//! Not tokio's `copy_bidirectional`: its two buffers live as long as the session. Here the buffer belongs to
//! the thread and is used only inside one poll. What a slow peer does not take is kept in a buffer
//! of its own until it does; meanwhile nothing more is read for it.

use std::cell::Cell;
use std::fmt;
use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Sleep;

use crate::drain::Drain;

mod control;
mod direction;
mod farewell;

pub use control::{EndOrder, SpliceControl, SpliceProgress};

use direction::{Direction, Stop};
use farewell::Farewell;

/// How much one poll reads of one side before it writes, in octets.
const SCRATCH: usize = 64 * 1024;
/// How long a client may stay connected after Postfix has closed (linger). Without it, what the client
/// still sends would turn our close into a reset, and Postfix's last reply could be lost.
const LINGER: Duration = Duration::from_secs(10);
/// How often the idle deadline is checked before it passes.
const IDLE_CHECKS: u32 = 4;

/// What is already read at the hand-over.
#[derive(Debug, Default)]
pub struct Handover {
    /// What the client sent after its AUTH.
    pub to_upstream: Vec<u8>,
    /// Postfix's 235 as we render it, and what Postfix sent after it.
    pub to_client: Vec<u8>,
}

/// How long a splice may last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpliceLimits {
    /// Without an octet either way. Detected up to a quarter later, so that octets need no timer.
    pub idle: Duration,
    /// After the drain begins.
    pub grace: Duration,
}

/// Octets copied, including the hand-over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpliceOctets {
    /// To Postfix.
    pub from_client: u64,
    /// To the client.
    pub to_client: u64,
}

/// Why a splice ended: the first event counts. The log values (`Display`) are public API.
#[derive(Debug)]
pub enum SpliceEnd {
    /// The client closed.
    ClientClosed,
    /// Postfix closed.
    UpstreamClosed,
    /// The connection to the client failed.
    ClientLost(io::Error),
    /// The connection to Postfix failed.
    UpstreamLost(io::Error),
    /// The client said QUIT and sent more behind it, so that Postfix's close broke the connection.
    SentBehindQuit(io::Error),
    /// Neither side sent anything for too long.
    Idle,
    /// Gatepost is stopping, and the grace time is over, or no operator could reach the session any more.
    Drained,
    /// The operator ended it.
    Expelled,
    /// It did not work, and its place at Postfix was needed.
    GaveWay,
}

impl SpliceEnd {
    /// The value in the log.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::ClientClosed => "client-closed",
            Self::UpstreamClosed => "upstream-closed",
            Self::ClientLost(_) => "client-lost",
            Self::UpstreamLost(_) => "upstream-lost",
            Self::SentBehindQuit(_) => "sent-behind-quit",
            Self::Idle => "idle",
            Self::Drained => "drained",
            Self::Expelled => "expelled",
            Self::GaveWay => "gave-way",
        }
    }
}

impl fmt::Display for SpliceEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Copies octets both ways until both directions have ended, a limit has passed, or `control` orders the end.
///
/// A side that ends without close_notify, or by a reset, ends its direction; what it sent
/// before is still delivered. Neither stream is closed on return: drop them.
pub async fn splice<C, U>(
    client: &mut C,
    upstream: &mut U,
    handover: Handover,
    limits: SpliceLimits,
    control: &SpliceControl,
    drain: &mut Drain,
) -> (SpliceOctets, SpliceEnd)
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let interval = limits.idle / IDLE_CHECKS;
    let mut relay = SpliceRelay {
        up: Direction::new(handover.to_upstream),
        down: Direction::of_replies(handover.to_client),
        end: None,
        timer_use: TimerUse::Idle { quiet: 0 },
        interval,
        told: SpliceOctets::default(),
        control,
    };
    let mut timer = pin!(tokio::time::sleep(interval));
    let relayed = poll_fn(|cx| relay.poll(cx, client, upstream, timer.as_mut()));
    let grace = async {
        drain.begun().await;
        tokio::time::sleep(limits.grace).await;
    };
    let end = tokio::select! {
        biased;
        end = relayed => end,
        end = control.ordered() => end,
        () = grace => SpliceEnd::Drained,
    };
    (relay.octets(), end)
}

struct SpliceRelay<'a> {
    up: Direction,
    down: Direction,
    /// Why it will end; the first reason counts.
    end: Option<SpliceEnd>,
    timer_use: TimerUse,
    interval: Duration,
    /// What `control` was last told.
    told: SpliceOctets,
    control: &'a SpliceControl,
}

/// What the one timer is used for.
enum TimerUse {
    /// Checks whether anything moved since the last check.
    Idle { quiet: u32 },
    /// Postfix has closed; the client may stay until the timer fires.
    Linger,
}

impl SpliceRelay<'_> {
    fn poll<C, U>(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut C,
        upstream: &mut U,
        mut timer: Pin<&mut Sleep>,
    ) -> Poll<SpliceEnd>
    where
        C: AsyncRead + AsyncWrite + Unpin,
        U: AsyncRead + AsyncWrite + Unpin,
    {
        let (up, down) = with_scratch(|scratch| {
            (
                self.up.poll(cx, client, upstream, scratch).is_ready(),
                self.down.poll(cx, upstream, client, scratch).is_ready(),
            )
        });
        self.tell_progress();
        self.note_ends();
        if up && down {
            return Poll::Ready(self.take_end(SpliceEnd::ClientClosed));
        }
        if down && matches!(self.timer_use, TimerUse::Idle { .. }) {
            self.timer_use = TimerUse::Linger;
            timer.set(tokio::time::sleep(LINGER));
        }
        self.poll_timer(cx, timer)
    }

    /// Ready when nothing moved for too long, or the linger time of the client is over.
    fn poll_timer(&mut self, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<SpliceEnd> {
        while timer.as_mut().poll(cx).is_ready() {
            let TimerUse::Idle { quiet } = &mut self.timer_use else {
                return Poll::Ready(self.take_end(SpliceEnd::UpstreamClosed));
            };
            // Both are called: each resets its flag.
            let moved = self.up.take_moved() | self.down.take_moved();
            *quiet = if moved { 0 } else { *quiet + 1 };
            if *quiet >= IDLE_CHECKS {
                return Poll::Ready(SpliceEnd::Idle);
            }
            // From now, not from the last check: after a machine was suspended, missed checks
            // do not count as idle.
            timer.set(tokio::time::sleep(self.interval));
        }
        Poll::Pending
    }

    fn octets(&self) -> SpliceOctets {
        SpliceOctets {
            from_client: self.up.copied(),
            to_client: self.down.copied(),
        }
    }

    fn tell_progress(&mut self) {
        let octets = self.octets();
        if octets != self.told {
            self.control.tell(SpliceProgress {
                octets: octets.from_client + octets.to_client,
                clients_turn: octets.from_client == self.told.from_client,
            });
            self.told = octets;
        }
    }

    fn note_ends(&mut self) {
        let stopped = self.up.take_stop().map(|stop| match stop {
            Stop::SourceEnded => SpliceEnd::ClientClosed,
            Stop::SourceFailed(fault) => SpliceEnd::ClientLost(fault),
            Stop::SinkFailed(fault) => SpliceEnd::UpstreamLost(fault),
        });
        let stopped = stopped.or_else(|| {
            self.down.take_stop().map(|stop| match stop {
                Stop::SourceEnded => SpliceEnd::UpstreamClosed,
                Stop::SourceFailed(fault) => SpliceEnd::UpstreamLost(fault),
                Stop::SinkFailed(fault) => SpliceEnd::ClientLost(fault),
            })
        });
        if self.end.is_none() {
            self.end = stopped;
        }
    }

    /// Why it ended, or `or`. A Postfix that has sent its closing reply (221 or 421) has closed, and what its client sent behind
    /// that made a reset of it. Looked at in the end: a write may fail before that reply is read.
    fn take_end(&mut self, or: SpliceEnd) -> SpliceEnd {
        match (self.end.take(), self.down.farewell()) {
            (Some(SpliceEnd::UpstreamLost(fault)), Some(Farewell::Quit)) => {
                SpliceEnd::SentBehindQuit(fault)
            }
            (Some(SpliceEnd::UpstreamLost(_)), Some(Farewell::Closing)) => {
                SpliceEnd::UpstreamClosed
            }
            (end, _) => end.unwrap_or(or),
        }
    }
}

/// Passes this thread's buffer to `work`. Nothing is kept in it between calls.
fn with_scratch<T>(work: impl FnOnce(&mut [u8]) -> T) -> T {
    thread_local! {
        static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    let mut buffer = BUFFER.take();
    buffer.resize(SCRATCH, 0);
    let outcome = work(&mut buffer);
    BUFFER.set(buffer);
    outcome
}

#[cfg(test)]
mod tests;
