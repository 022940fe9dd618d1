//! conversation - commands to Postfix and its replies, one at a time
//!
//! Not here: which commands (`greeting`, `login`), and deadlines: every future here is to be wrapped in
//! one; [`Conversation::step`] says where it was when it ran out.
//! We never pipeline: what Postfix says unasked would be taken for the answer to the next command.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use crate::net::upstream::{Step, UpstreamFault};
use gatepost_core::smtp::reply::{Reply, ReplyBuffer};

/// One connection, and what was read of it.
#[derive(Debug)]
pub(super) struct Conversation<S> {
    stream: S,
    replies: ReplyBuffer,
    step: Step,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conversation<S> {
    /// A connection over which nothing was said.
    pub(super) const fn new(stream: S) -> Self {
        Self {
            stream,
            replies: ReplyBuffer::new(),
            step: Step::Greeting,
        }
    }

    /// Where the conversation is.
    pub(super) const fn step(&self) -> Step {
        self.step
    }

    /// The connection, and what Postfix sent behind its last reply.
    pub(super) fn into_parts(self) -> (S, Vec<u8>) {
        (self.stream, self.replies.into_rest())
    }

    /// Sends a command, in one write, and waits for its reply.
    ///
    /// # Errors
    /// Whatever keeps the reply from coming, whichever reply it is.
    pub(super) async fn ask(&mut self, step: Step, command: &[u8]) -> Result<Reply, UpstreamFault> {
        self.say(step, command).await?;
        self.hear().await
    }

    /// Sends octets that belong to `step`.
    pub(super) async fn say(&mut self, step: Step, octets: &[u8]) -> Result<(), UpstreamFault> {
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

    /// The next reply.
    pub(super) async fn hear(&mut self) -> Result<Reply, UpstreamFault> {
        loop {
            match self.replies.next() {
                Ok(Some(reply)) => return Ok(reply),
                Ok(None) => self.read_more().await?,
                Err(fault) => return Err(UpstreamFault::Nonsense(self.step, fault)),
            }
        }
    }

    /// Takes leave.
    pub(super) async fn quit(mut self) -> Result<(), UpstreamFault> {
        self.ask(Step::Quit, b"QUIT\r\n").await.map(drop)
    }

    /// Reads once. The buffer exists only while there is something to read, so that a session that
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
