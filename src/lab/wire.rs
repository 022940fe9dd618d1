//! wire - lines and octets over a stream, for both ends of the lab
//!
//! Deliberately not `smtp::line`: the lab's ends must not share the proxy's mistakes. Deadlines are
//! the caller's. RFC 5321 section 2.3.8.

use std::io;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::io::{AsyncWriteExt as _, BufReader};

/// The longest line that is read, with its end: RFC 4954's 12,288 octets and CRLF.
pub(crate) const LINE_LIMIT: usize = 12_290;

/// A stream, read by lines or by octets and written in one piece a flush.
#[derive(Debug)]
pub(crate) struct Wire<S> {
    stream: BufReader<S>,
    out: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream: BufReader::new(stream),
            out: Vec::new(),
        }
    }

    /// The next line without its end (CRLF; a bare LF is taken too), or `None` at the end of the stream.
    ///
    /// # Errors
    /// `InvalidData` for a line over [`LINE_LIMIT`], `UnexpectedEof` for half a line.
    pub(crate) async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let limit = LINE_LIMIT as u64;
        let mut limited = (&mut self.stream).take(limit);
        limited.read_until(b'\n', &mut line).await?;
        if line.pop_if(|last| *last == b'\n').is_none() {
            return match line.len() {
                0 => Ok(None),
                LINE_LIMIT => Err(io::ErrorKind::InvalidData.into()),
                _ => Err(io::ErrorKind::UnexpectedEof.into()),
            };
        }
        line.pop_if(|last| *last == b'\r');
        Ok(Some(line))
    }

    /// Octets as they come; empty at the end of the stream. What was used must be passed to [`Self::consume`].
    pub(crate) async fn octets(&mut self) -> io::Result<&[u8]> {
        self.stream.fill_buf().await
    }

    /// The first `count` of [`Self::octets`] are used up.
    pub(crate) fn consume(&mut self, count: usize) {
        self.stream.consume(count);
    }

    /// Whether octets wait that were sent behind the last line taken: pipelining.
    pub(crate) fn has_more(&self) -> bool {
        !self.stream.buffer().is_empty()
    }

    /// Queues `octets` until the next [`Self::flush`].
    pub(crate) fn queue(&mut self, octets: &[u8]) {
        self.out.extend_from_slice(octets);
    }

    /// Sends what is queued.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        if !self.out.is_empty() {
            self.stream.write_all(&self.out).await?;
            self.out.clear();
        }
        self.stream.flush().await
    }

    /// The stream. What was read ahead is lost: ask [`Self::has_more`] first.
    pub(crate) fn into_inner(self) -> S {
        self.stream.into_inner()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(octets: Vec<u8>) -> io::Result<Vec<Vec<u8>>> {
        let (mut far, near) = tokio::io::duplex(64 * 1024);
        far.write_all(&octets).await?;
        drop(far);
        let mut wire = Wire::new(near);
        let mut lines = Vec::new();
        while let Some(line) = wire.line().await? {
            lines.push(line);
        }
        Ok(lines)
    }

    #[tokio::test]
    async fn a_line_ends_at_its_line_feed_and_an_empty_one_counts() {
        assert_eq!(
            lines(b"EHLO a\r\n\r\nx\n".to_vec()).await.unwrap(),
            [b"EHLO a".as_slice(), b"", b"x"]
        );
        let half = lines(b"half".to_vec()).await.unwrap_err();
        assert_eq!(half.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn the_longest_line_is_taken_and_one_octet_more_is_not() {
        let line = |octets: usize| [vec![b'x'; octets], b"\r\n".to_vec()].concat();
        let longest = LINE_LIMIT - 2;
        assert_eq!(lines(line(longest)).await.unwrap()[0].len(), longest);
        let fault = lines(line(longest + 1)).await.unwrap_err();
        assert_eq!(fault.kind(), io::ErrorKind::InvalidData);
    }
}
