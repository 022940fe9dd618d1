//! lane - one direction of a splice
//!
//! Reads what is there, writes what is taken, keeps the rest, passes on the end.
//! Not here: what the ends of two lanes mean together, and time (`splice`).
//! A lane whose sink is gone reads on and throws away, so that its source can end in peace.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// One direction: from a source to a sink.
#[derive(Debug)]
pub(super) struct Lane {
    /// Read, and not yet taken by the sink: what stands behind `taken`.
    left: Vec<u8>,
    taken: usize,
    stage: Stage,
    /// The sink holds octets that it may not have sent.
    unflushed: bool,
    moved: bool,
    passed: u64,
    stop: Option<Stop>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    /// The source ended; the sink has to be told, after what is left.
    Ending,
    /// The sink failed.
    Discarding,
    Done,
}

/// Why a lane does not go on.
#[derive(Debug)]
pub(super) enum Stop {
    SourceEnded,
    SourceFailed(io::Error),
    SinkFailed(io::Error),
}

/// What stands behind the octets that a read brought.
enum Then {
    More,
    Wait,
    End(Stop),
}

impl Lane {
    /// A lane that first delivers `left`.
    pub(super) fn new(left: Vec<u8>) -> Self {
        Self {
            left,
            taken: 0,
            stage: Stage::Open,
            unflushed: false,
            moved: false,
            passed: 0,
            stop: None,
        }
    }

    /// Octets that the sink has taken.
    pub(super) fn passed(&self) -> u64 {
        self.passed
    }

    /// Whether the sink took anything since the last call.
    pub(super) fn take_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// Why the lane stops, told once.
    pub(super) fn take_stop(&mut self) -> Option<Stop> {
        self.stop.take()
    }

    /// Moves what can be moved now. Ready when source and sink have both ended.
    ///
    /// It returns by itself when a side has nothing to give or to take, which tokio's sockets see
    /// to after a while (cooperative budget) even when they would have.
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
            match self.stage {
                Stage::Open => {
                    ready!(self.poll_left(cx, sink));
                    if self.stage == Stage::Open {
                        ready!(self.poll_move(cx, source, sink, scratch));
                    }
                }
                Stage::Ending => {
                    ready!(self.poll_left(cx, sink));
                    // A sink that cannot be told any more has ended all the same.
                    let _ = ready!(Pin::new(&mut *sink).poll_shutdown(cx));
                    self.stage = Stage::Done;
                }
                Stage::Discarding => match gather(cx, source, scratch).1 {
                    Then::More => {}
                    Then::Wait => return Poll::Pending,
                    Then::End(_) => self.stage = Stage::Done,
                },
                Stage::Done => return Poll::Ready(()),
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
        self.deliver(cx, sink, scratch.get(..octets).unwrap_or_default());
        match then {
            Then::More => Poll::Ready(()),
            Then::End(stop) => {
                self.stage = match self.stage {
                    Stage::Open => Stage::Ending,
                    _ => Stage::Done,
                };
                self.stop.get_or_insert(stop);
                Poll::Ready(())
            }
            Then::Wait => {
                if self.unflushed && self.left.is_empty() {
                    self.flush(cx, sink);
                }
                match self.stage {
                    Stage::Open => Poll::Pending,
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
        self.passed += octets as u64;
        self.moved = true;
        self.unflushed = true;
    }

    fn fail(&mut self, fault: io::Error) {
        self.stage = match self.stage {
            Stage::Open => Stage::Discarding,
            _ => Stage::Done,
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
/// is at most 16 KiB) become one large write. Says how many octets came, and what is behind them.
fn gather<R>(cx: &mut Context<'_>, source: &mut R, scratch: &mut [u8]) -> (usize, Then)
where
    R: AsyncRead + Unpin,
{
    let mut buffer = ReadBuf::new(scratch);
    let then = loop {
        if buffer.remaining() == 0 {
            break Then::More;
        }
        let before = buffer.filled().len();
        match Pin::new(&mut *source).poll_read(cx, &mut buffer) {
            Poll::Pending => break Then::Wait,
            Poll::Ready(Ok(())) if buffer.filled().len() > before => {}
            Poll::Ready(Ok(())) => break Then::End(Stop::SourceEnded),
            // An end without close_notify is an ordinary end: what was cut off, Postfix will miss.
            Poll::Ready(Err(fault)) if fault.kind() == io::ErrorKind::UnexpectedEof => {
                break Then::End(Stop::SourceEnded);
            }
            Poll::Ready(Err(fault)) => break Then::End(Stop::SourceFailed(fault)),
        }
    };
    (buffer.filled().len(), then)
}
