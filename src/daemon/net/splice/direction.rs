//! direction - one direction of a splice
//!
//! Reads what is available, writes what the sink takes, keeps the rest, passes on the end.
//! Not here: the meaning of both directions together, and time (`splice`).
//! If the sink has failed, the source is drained, so that it can close cleanly.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::farewell::{Farewell, LastReply};

/// One direction: from a source to a sink.
#[derive(Debug)]
pub(super) struct Direction {
    /// Read and not yet taken by the sink: what follows `taken`.
    left: Vec<u8>,
    taken: usize,
    state: DirectionState,
    /// The sink holds octets that it may not have sent.
    unflushed: bool,
    moved: bool,
    copied: u64,
    stop: Option<Stop>,
    /// How the source's last line begins; none: nobody asks.
    last_reply: Option<LastReply>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DirectionState {
    Open,
    /// The source ended; the sink is shut down after what is left.
    Ending,
    /// The sink failed.
    Discarding,
    Done,
}

/// Why a direction stops.
#[derive(Debug)]
pub(super) enum Stop {
    SourceEnded,
    SourceFailed(io::Error),
    SinkFailed(io::Error),
}

/// What follows the octets of a read.
enum AfterRead {
    More,
    Wait,
    End(Stop),
}

impl Direction {
    /// A direction that first delivers `left`.
    pub(super) fn new(left: Vec<u8>) -> Self {
        Self {
            left,
            taken: 0,
            state: DirectionState::Open,
            unflushed: false,
            moved: false,
            copied: 0,
            stop: None,
            last_reply: None,
        }
    }

    /// The direction from Postfix.
    pub(super) fn of_replies(left: Vec<u8>) -> Self {
        Self {
            last_reply: Some(LastReply::default()),
            ..Self::new(left)
        }
    }

    /// The closing reply of the source, if it has sent one.
    pub(super) fn farewell(&self) -> Option<Farewell> {
        self.last_reply.and_then(LastReply::farewell)
    }

    /// Octets that the sink has taken.
    pub(super) fn copied(&self) -> u64 {
        self.copied
    }

    /// Whether the sink took anything since the last call.
    pub(super) fn take_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// Why the direction stopped, returned once.
    pub(super) fn take_stop(&mut self) -> Option<Stop> {
        self.stop.take()
    }

    /// Moves what can be moved now. Ready when source and sink have both ended.
    ///
    /// It returns when a side has nothing to give or to take. tokio's sockets report that
    /// after a while even when they have (cooperative budget).
    pub(super) fn poll<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut R,
        sink: &mut W,
        scratch: &mut [u8],
    ) -> Poll<()>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        loop {
            match self.state {
                DirectionState::Open => {
                    ready!(self.poll_left(cx, sink));
                    if self.state == DirectionState::Open {
                        ready!(self.poll_move(cx, source, sink, scratch));
                    }
                }
                DirectionState::Ending => {
                    ready!(self.poll_left(cx, sink));
                    // A sink that cannot be shut down has ended as well.
                    let _ = ready!(Pin::new(&mut *sink).poll_shutdown(cx));
                    self.state = DirectionState::Done;
                }
                DirectionState::Discarding => match gather(cx, source, scratch).1 {
                    AfterRead::More => {}
                    AfterRead::Wait => return Poll::Pending,
                    AfterRead::End(_) => self.state = DirectionState::Done,
                },
                DirectionState::Done => return Poll::Ready(()),
            }
        }
    }

    /// Ready when the sink has taken what was left, or has failed.
    fn poll_left<W>(&mut self, cx: &mut Context<'_>, sink: &mut W) -> Poll<()>
    where
        W: AsyncWrite + Unpin,
    {
        while let Some(octets) = self.left.get(self.taken..).filter(|left| !left.is_empty()) {
            match ready!(write(cx, sink, octets)) {
                Ok(taken) => {
                    self.taken += taken;
                    self.note_taken(taken);
                }
                Err(fault) => {
                    self.fail(fault);
                    break;
                }
            }
        }
        self.left = Vec::new();
        self.taken = 0;
        Poll::Ready(())
    }

    /// Reads once and writes once. Pending when the source has no more for now.
    fn poll_move<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut R,
        sink: &mut W,
        scratch: &mut [u8],
    ) -> Poll<()>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let (octets, then) = gather(cx, source, scratch);
        let octets = scratch.get(..octets).unwrap_or_default();
        if let Some(last_reply) = &mut self.last_reply {
            last_reply.see(octets);
        }
        self.deliver(cx, sink, octets);
        match then {
            AfterRead::More => Poll::Ready(()),
            AfterRead::End(stop) => {
                self.state = match self.state {
                    DirectionState::Open => DirectionState::Ending,
                    _ => DirectionState::Done,
                };
                self.stop.get_or_insert(stop);
                Poll::Ready(())
            }
            AfterRead::Wait => {
                if self.unflushed && self.left.is_empty() {
                    self.flush(cx, sink);
                }
                match self.state {
                    DirectionState::Open => Poll::Pending,
                    _ => Poll::Ready(()),
                }
            }
        }
    }

    /// Writes what the sink takes and keeps the rest.
    fn deliver<W>(&mut self, cx: &mut Context<'_>, sink: &mut W, mut octets: &[u8])
    where
        W: AsyncWrite + Unpin,
    {
        while !octets.is_empty() {
            match write(cx, sink, octets) {
                Poll::Ready(Ok(taken)) => {
                    self.note_taken(taken);
                    octets = octets.get(taken..).unwrap_or_default();
                }
                Poll::Ready(Err(fault)) => return self.fail(fault),
                Poll::Pending => {
                    self.left = octets.to_vec();
                    return;
                }
            }
        }
    }

    fn flush<W>(&mut self, cx: &mut Context<'_>, sink: &mut W)
    where
        W: AsyncWrite + Unpin,
    {
        match Pin::new(sink).poll_flush(cx) {
            Poll::Ready(Ok(())) => self.unflushed = false,
            Poll::Ready(Err(fault)) => self.fail(fault),
            Poll::Pending => {}
        }
    }

    fn note_taken(&mut self, octets: usize) {
        self.copied += octets as u64;
        self.moved = true;
        self.unflushed = true;
    }

    fn fail(&mut self, fault: io::Error) {
        self.state = match self.state {
            DirectionState::Open => DirectionState::Discarding,
            _ => DirectionState::Done,
        };
        self.stop.get_or_insert(Stop::SinkFailed(fault));
    }
}

/// Writes once; a sink that takes nothing has failed.
fn write<W>(cx: &mut Context<'_>, sink: &mut W, octets: &[u8]) -> Poll<io::Result<usize>>
where
    W: AsyncWrite + Unpin,
{
    Poll::Ready(match ready!(Pin::new(sink).poll_write(cx, octets)) {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        other => other,
    })
}

/// Reads until the source has no more for now, or `scratch` is full: many small reads (a TLS record
/// is at most 16 KiB) become one large write. Returns the number of octets, and what follows them.
fn gather<R>(cx: &mut Context<'_>, source: &mut R, scratch: &mut [u8]) -> (usize, AfterRead)
where
    R: AsyncRead + Unpin,
{
    let mut buffer = ReadBuf::new(scratch);
    let then = loop {
        if buffer.remaining() == 0 {
            break AfterRead::More;
        }
        let before = buffer.filled().len();
        match Pin::new(&mut *source).poll_read(cx, &mut buffer) {
            Poll::Pending => break AfterRead::Wait,
            Poll::Ready(Ok(())) if buffer.filled().len() > before => {}
            Poll::Ready(Ok(())) => break AfterRead::End(Stop::SourceEnded),
            // An end without close_notify is treated as an ordinary end: Postfix detects missing data.
            Poll::Ready(Err(fault)) if fault.kind() == io::ErrorKind::UnexpectedEof => {
                break AfterRead::End(Stop::SourceEnded);
            }
            Poll::Ready(Err(fault)) => break AfterRead::End(Stop::SourceFailed(fault)),
        }
    };
    (buffer.filled().len(), then)
}
