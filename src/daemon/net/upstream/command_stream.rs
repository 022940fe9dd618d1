//! command_stream - sends commands to Postfix and reads its replies, one at a time
//!
//! Not here: which commands (`greeting`, `login`), and deadlines: the caller puts every future here under
//! one; [`CommandStream::step`] tells where it was when the deadline passed.
//! Never pipelined: a reply that was not asked for would be taken for the answer to the next command.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use crate::net::upstream::{UpstreamFault, UpstreamStep};
use gatepost_core::smtp::reply::{Reply, ReplyBuffer};

/// A connection to Postfix, and what was read from it.
#[derive(Debug)]
pub(super) struct CommandStream<S> {
    stream: S,
    replies: ReplyBuffer,
    step: UpstreamStep,
}

impl<S: AsyncRead + AsyncWrite + Unpin> CommandStream<S> {
    /// A connection before its first octet.
    pub(super) const fn new(stream: S) -> Self {
        Self {
            stream,
            replies: ReplyBuffer::new(),
            step: UpstreamStep::Greeting,
        }
    }

    /// The step that the session is in.
    pub(super) const fn step(&self) -> UpstreamStep {
        self.step
    }

    /// The connection, and what Postfix sent after its last reply.
    pub(super) fn into_parts(self) -> (S, Vec<u8>) {
        (self.stream, self.replies.into_rest())
    }

    /// Sends a command, in one write, and reads its reply.
    ///
    /// # Errors
    /// Everything that prevents a reply; any reply is a success.
    pub(super) async fn send_command(
        &mut self,
        step: UpstreamStep,
        command: &[u8],
    ) -> Result<Reply, UpstreamFault> {
        self.send(step, command).await?;
        self.read_reply().await
    }

    /// Sends octets as part of `step`.
    pub(super) async fn send(
        &mut self,
        step: UpstreamStep,
        octets: &[u8],
    ) -> Result<(), UpstreamFault> {
        self.step = step;
        if !self.replies.is_empty() {
            return Err(UpstreamFault::Unasked(step));
        }
        let written = async {
            self.stream.write_all(octets).await?;
            self.stream.flush().await
        };
        written
            .await
            .map_err(|fault| UpstreamFault::Lost(step, fault))
    }

    /// Reads the next reply.
    pub(super) async fn read_reply(&mut self) -> Result<Reply, UpstreamFault> {
        loop {
            match self.replies.next() {
                Ok(Some(reply)) => return Ok(reply),
                Ok(None) => self.read_more().await?,
                Err(fault) => return Err(UpstreamFault::Malformed(self.step, fault)),
            }
        }
    }

    /// Sends QUIT and reads its reply.
    pub(super) async fn quit(mut self) -> Result<(), UpstreamFault> {
        self.send_command(UpstreamStep::Quit, b"QUIT\r\n")
            .await
            .map(drop)
    }

    /// Reads once. The buffer exists only while there is something to read, so a session that
    /// waits for Postfix holds none.
    async fn read_more(&mut self) -> Result<(), UpstreamFault> {
        let Self {
            stream, replies, ..
        } = self;
        let read = poll_fn(|cx| {
            let mut octets = [0; 2048];
            let mut buffer = ReadBuf::new(&mut octets);
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
            replies.push(buffer.filled());
            Poll::Ready(Ok(buffer.filled().len()))
        });
        match read.await {
            Ok(0) => Err(UpstreamFault::Closed(self.step)),
            Ok(_) => Ok(()),
            Err(fault) => Err(UpstreamFault::Lost(self.step, fault)),
        }
    }
}
