//! splice - octets both ways after login
//!
//! Nothing is parsed any more: what one side sends goes to the other, in order, once. The end of a
//! side is passed on as the end of that direction (close_notify to FIN and back); the other goes on.
//! Not here: what was read before the hand-over (`session` brings it), closing the sockets (whoever
//! owns them drops them).
//! Not tokio's `copy_bidirectional`: its two buffers live as long as the session. Ours belongs to
//! the thread and is held only inside one poll; what a slow peer does not take is kept in a buffer
//! of its own, until it does. While one waits, nothing more is read for it.

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

mod lane;

use lane::{Lane, Stop};

/// How much one poll reads of one side before it writes, in octets.
const SCRATCH: usize = 64 * 1024;
/// How long a client may take to hang up after Postfix has; without that wait, what it still sends
/// would turn our close into a reset, which could cost it Postfix's last reply.
const LINGER: Duration = Duration::from_secs(10);
/// The idle deadline is looked at so many times before it passes.
const LOOKS: u32 = 4;

/// What crosses at the hand-over, before anything is read.
#[derive(Debug, Default)]
pub struct Handover {
    /// What the client sent behind its AUTH.
    pub to_upstream: Vec<u8>,
    /// Postfix's 235 as we render it, and what Postfix sent behind its own.
    pub to_client: Vec<u8>,
}

/// How long a splice may last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Without an octet either way. It ends up to a quarter later, so that octets cost no timer.
    pub idle: Duration,
    /// From the signal to drain.
    pub grace: Duration,
}

/// What was passed on, in octets, with the hand-over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// To Postfix.
    pub from_client: u64,
    /// To the client.
    pub to_client: u64,
}

/// Why a splice is over: whoever ended first. The log values (`Display`) are public API.
#[derive(Debug)]
pub enum End {
    /// The client closed.
    ClientClosed,
    /// Postfix closed.
    UpstreamClosed,
    /// The connection to the client failed.
    ClientLost(io::Error),
    /// The connection to Postfix failed.
    UpstreamLost(io::Error),
    /// Nobody sent anything for too long.
    Idle,
    /// We are stopping, and the time for that is up.
    Drained,
}

impl End {
    /// The log value.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::ClientClosed => "client-closed",
            Self::UpstreamClosed => "upstream-closed",
            Self::ClientLost(_) => "client-lost",
            Self::UpstreamLost(_) => "upstream-lost",
            Self::Idle => "idle",
            Self::Drained => "drained",
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Passes octets both ways until both directions are over, or a limit is.
///
/// A side that vanishes without a word (no close_notify, a reset) ends its direction; what it sent
/// before is still delivered. Neither stream is closed on return: drop them.
pub async fn splice<C, U>(
    client: &mut C,
    upstream: &mut U,
    handover: Handover,
    limits: Limits,
    drain: &mut Drain,
) -> (Tally, End)
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let look = limits.idle / LOOKS;
    let mut relay = Relay {
        up: Lane::new(handover.to_upstream),
        down: Lane::new(handover.to_client),
        end: None,
        clock: IdleClock::Watching { quiet: 0 },
        look,
    };
    let mut timer = pin!(tokio::time::sleep(look));
    let relayed = poll_fn(|cx| relay.poll(cx, client, upstream, timer.as_mut()));
    let grace = async {
        drain.begun().await;
        tokio::time::sleep(limits.grace).await;
    };
    let end = tokio::select! {
        biased;
        end = relayed => end,
        () = grace => End::Drained,
    };
    let tally = Tally {
        from_client: relay.up.passed(),
        to_client: relay.down.passed(),
    };
    (tally, end)
}

struct Relay {
    up: Lane,
    down: Lane,
    /// Why it will be over; the first reason counts.
    end: Option<End>,
    clock: IdleClock,
    look: Duration,
}

/// What the one timer is running for.
enum IdleClock {
    /// Looks whether anything moved since the last look.
    Watching { quiet: u32 },
    /// Postfix is gone; the client has until the timer fires.
    Lingering,
}

impl Relay {
    fn poll<C, U>(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut C,
        upstream: &mut U,
        mut timer: Pin<&mut Sleep>,
    ) -> Poll<End>
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
        self.note_ends();
        if up && down {
            return Poll::Ready(self.end.take().unwrap_or(End::ClientClosed));
        }
        if down && matches!(self.clock, IdleClock::Watching { .. }) {
            self.clock = IdleClock::Lingering;
            timer.set(tokio::time::sleep(LINGER));
        }
        self.poll_timer(cx, timer)
    }

    /// Ready when nothing moved for too long, or the client did not hang up in time.
    fn poll_timer(&mut self, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<End> {
        while timer.as_mut().poll(cx).is_ready() {
            let IdleClock::Watching { quiet } = &mut self.clock else {
                return Poll::Ready(self.end.take().unwrap_or(End::UpstreamClosed));
            };
            // Both are asked: each forgets what it tells.
            let moved = self.up.take_moved() | self.down.take_moved();
            *quiet = if moved { 0 } else { *quiet + 1 };
            if *quiet >= LOOKS {
                return Poll::Ready(End::Idle);
            }
            // From now, not from the last look: after a suspended machine wakes up, looks that were
            // missed are no quiet.
            timer.set(tokio::time::sleep(self.look));
        }
        Poll::Pending
    }

    fn note_ends(&mut self) {
        let stopped = self.up.take_stop().map(|stop| match stop {
            Stop::SourceEnded => End::ClientClosed,
            Stop::SourceFailed(fault) => End::ClientLost(fault),
            Stop::SinkFailed(fault) => End::UpstreamLost(fault),
        });
        let stopped = stopped.or_else(|| {
            self.down.take_stop().map(|stop| match stop {
                Stop::SourceEnded => End::UpstreamClosed,
                Stop::SourceFailed(fault) => End::UpstreamLost(fault),
                Stop::SinkFailed(fault) => End::ClientLost(fault),
            })
        });
        if self.end.is_none() {
            self.end = stopped;
        }
    }
}

/// Lends this thread's buffer. Nothing is kept in it from one call to the next.
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
