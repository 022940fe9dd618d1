//! client - sends requests to the operator's socket, one after the other
//!
//! Blocking, because the commands that use it do nothing else meanwhile. Not here: the requests (`cli`).

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::sockopt::socket_peercred;
use socket2::{Domain, SockAddr, Socket, Type};

use super::message::{LONGEST, Request, Response};

/// The deadline for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AdminFault {
    /// The socket does not answer.
    #[error(
        "no gatepost answers at {path}: {source}. Is it running, with the same [admin] socket, and may \
         you use it?"
    )]
    Connect {
        /// The socket.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The connection failed.
    #[error("the connection to gatepost failed: {0}")]
    Broken(#[from] io::Error),
    /// The answer could not be parsed.
    #[error("cannot understand gatepost's answer; are both of the same version? {0}")]
    Malformed(#[from] serde_json::Error),
}

/// A connection to a running Gatepost.
#[derive(Debug)]
pub struct AdminClient(BufReader<UnixStream>);

impl AdminClient {
    /// Connects to the socket.
    ///
    /// # Errors
    ///
    /// When the socket does not answer.
    pub fn connect(path: &Path) -> Result<Self, AdminFault> {
        let stream = connect(path).map_err(|source| AdminFault::Connect {
            path: path.to_owned(),
            source,
        })?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Process and user of the gatepost that answers, as the kernel knows them.
    pub fn peer(&self) -> Option<(i32, u32)> {
        let peer = socket_peercred(self.0.get_ref()).ok()?;
        Some((peer.pid.as_raw_nonzero().get(), peer.uid.as_raw()))
    }

    /// Sends a request and waits for the answer, at most 30 seconds.
    ///
    /// # Errors
    ///
    /// When the connection fails, or the answer cannot be parsed.
    pub fn ask(&mut self, request: &Request) -> Result<Response, AdminFault> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        // One that has no place for us answers before it is asked, and closes.
        let sent = self.0.get_mut().write_all(&line);
        let mut answer = Vec::new();
        // An answer may be longer than a request: a hundred thousand bans.
        let mut bounded = (&mut self.0).take(64 * LONGEST as u64);
        if bounded.read_until(b'\n', &mut answer)? == 0 {
            sent?;
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(serde_json::from_slice(&answer)?)
    }
}

/// Connects without waiting: behind a socket whose owner accepts nobody one would wait for ever.
fn connect(path: &Path) -> io::Result<UnixStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)?;
    socket.set_nonblocking(false)?;
    Ok(UnixStream::from(OwnedFd::from(socket)))
}
