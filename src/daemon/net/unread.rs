//! unread - whether a connection that is waited for is silent, or its octets lie unread in the socket
//!
//! Where no place is free, a silent connection may give way, and one whose question lies in the socket may not. The
//! runtime does not tell them apart: a new connection, and one that was read to its end, both wait for the kernel's word.
//! So the socket itself is looked at, once, when there is nothing to read.
//! Not here: who gives way (`http::seats`, `listener::header_places`).

use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::{SockRef, Socket};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_util::either::Either;

/// What may hold unread octets.
pub(super) trait MaybeSilent {
    /// Whether there is nothing to read, nor an end.
    fn is_silent(&self) -> bool;
}

impl MaybeSilent for TcpStream {
    fn is_silent(&self) -> bool {
        would_block(&SockRef::from(self))
    }
}

impl MaybeSilent for Socket {
    fn is_silent(&self) -> bool {
        would_block(self)
    }
}

impl<S: MaybeSilent> MaybeSilent for &mut S {
    fn is_silent(&self) -> bool {
        (**self).is_silent()
    }
}

fn would_block(socket: &Socket) -> bool {
    let looked = socket.peek(&mut [MaybeUninit::uninit()]);
    looked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// The socket once more, to look at while somebody else has the stream. None: there is no descriptor for it.
pub(super) fn again(stream: &Either<TcpStream, UnixStream>) -> Option<Socket> {
    let again = match stream {
        Either::Left(stream) => SockRef::from(stream).try_clone(),
        Either::Right(stream) => SockRef::from(stream).try_clone(),
    };
    again.ok()
}

/// A stream that tells the first time that it is waited for and silent.
pub(super) struct NotedSilence<S, F> {
    stream: S,
    /// None: it was told.
    tell: Option<F>,
}

impl<S, F> NotedSilence<S, F> {
    /// Calls `tell` once.
    pub(super) const fn new(stream: S, tell: F) -> Self {
        Self {
            stream,
            tell: Some(tell),
        }
    }
}

impl<S: AsyncRead + MaybeSilent + Unpin, F: FnOnce() + Unpin> AsyncRead for NotedSilence<S, F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_pending()
            && self.tell.is_some()
            && self.stream.is_silent()
            && let Some(tell) = self.tell.take()
        {
            tell();
        }
        read
    }
}
