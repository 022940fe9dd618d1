//! peer - the client's side of the conversation: lines in, replies out
//!
//! Over any stream, in clear or in TLS. Holds no read buffer of its own but what a line
//! still misses: octets pass through the stack. Not here: what a line means (`smtp::dialogue`).

use std::future::poll_fn;
use std::io::{self, Write as _};
use std::pin::Pin;
use std::task::{Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use gatepost_core::smtp::line::{Following, Line, LineBuffer, LineFault};
use gatepost_core::smtp::reply::Reply;

/// Octets taken from the stream at once: most commands, and little enough for the stack.
const CHUNK: usize = 1024;

/// The client.
#[derive(Debug)]
pub(in crate::session) struct Peer<S> {
    stream: S,
    lines: LineBuffer,
}

/// A stream that may coalesce its last octets with its end.
///
/// The reply to QUIT and TLS's close_notify in one packet: a write less is 7 % of a session that never
/// logs in.
pub(in crate::session) trait WriteAndClose:
    AsyncRead + AsyncWrite + Unpin + Send
{
    /// How many of `octets` it holds back until [`AsyncWrite::poll_shutdown`]; the others are sent ahead.
    fn hold_until_close(&mut self, octets: &[u8]) -> io::Result<usize>;
}

impl WriteAndClose for TcpStream {
    fn hold_until_close(&mut self, _: &[u8]) -> io::Result<usize> {
        Ok(0)
    }
}

impl WriteAndClose for Box<TlsStream<TcpStream>> {
    fn hold_until_close(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.get_mut().1.writer().write(octets)
    }
}

/// What came of waiting for a line.
pub(in crate::session) enum LineEvent {
    /// A line.
    Line(Line),
    /// Something that is no line.
    Fault(LineFault),
    /// The end of the stream, between two lines.
    End,
}

impl<S: WriteAndClose> Peer<S> {
    /// A client that has said nothing yet.
    pub(in crate::session) fn new(stream: S) -> Self {
        Self {
            stream,
            lines: LineBuffer::new(),
        }
    }

    /// The stream, to be waited for.
    pub(in crate::session) const fn stream(&self) -> &S {
        &self.stream
    }

    /// Waits for a line of at most `limit` octets. Cancel-safe: what was read stays.
    pub(in crate::session) async fn read_line(&mut self, limit: usize) -> io::Result<LineEvent> {
        loop {
            match self.lines.next_line(limit) {
                Ok(Some(line)) => return Ok(LineEvent::Line(line)),
                Err(fault) => return Ok(LineEvent::Fault(fault)),
                Ok(None) => {}
            }
            // An end without close_notify is an end: rustls calls it an error.
            let ended = match poll_fn(|cx| self.poll_fill(cx)).await {
                Ok(taken) => taken == 0,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => true,
                Err(error) => return Err(error),
            };
            if ended {
                return match self.lines.len() {
                    0 => Ok(LineEvent::End),
                    _ => Err(io::ErrorKind::UnexpectedEof.into()),
                };
            }
        }
    }

    /// Whether octets are there already, without waiting for any.
    pub(in crate::session) async fn early_octets(&mut self) -> Following {
        poll_fn(|cx| {
            let _ = self.poll_fill(cx);
            Poll::Ready(())
        })
        .await;
        self.lines.following()
    }

    /// The line that a client sent before the banner, if it sent a whole one.
    pub(in crate::session) fn early_line(&mut self) -> Option<Line> {
        match self.lines.following() {
            Following::Octets => self.lines.next_line(CHUNK).ok().flatten(),
            Following::Nothing => None,
        }
    }

    /// Whether octets lie behind the line last taken.
    pub(in crate::session) fn following(&self) -> Following {
        self.lines.following()
    }

    /// Sends a reply.
    pub(in crate::session) async fn write(&mut self, reply: &Reply) -> io::Result<()> {
        let mut octets = Vec::with_capacity(256);
        reply.render(&mut octets);
        self.stream.write_all(&octets).await?;
        self.stream.flush().await
    }

    /// Sends the last reply before [`Peer::close`], or leaves it to that.
    pub(in crate::session) async fn write_last(&mut self, reply: &Reply) -> io::Result<()> {
        let mut octets = Vec::with_capacity(256);
        reply.render(&mut octets);
        let held = self.stream.hold_until_close(&octets)?;
        match octets.get(held..) {
            None | Some([]) => Ok(()),
            Some(ahead) => self.stream.write_all(ahead).await,
        }
    }

    /// Ends our side, with a close_notify where there is TLS.
    pub(in crate::session) async fn close(&mut self) {
        // A client that is gone needs no close_notify.
        let _ = self.stream.shutdown().await;
    }

    /// The stream, and the octets behind the line last taken.
    pub(in crate::session) fn into_parts(self) -> (S, Vec<u8>) {
        (self.stream, self.lines.into_rest())
    }

    fn poll_fill(&mut self, cx: &mut std::task::Context<'_>) -> Poll<io::Result<usize>> {
        let mut chunk = [0; CHUNK];
        let mut buffer = ReadBuf::new(&mut chunk);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        self.lines.push(buffer.filled());
        let taken = buffer.filled().len();
        zeroize::Zeroize::zeroize(&mut chunk);
        Poll::Ready(Ok(taken))
    }
}
