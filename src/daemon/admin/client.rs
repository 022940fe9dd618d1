//! client - sends requests to the operator's socket, one after the other
//!
//! Blocking, because the commands that use it do nothing else meanwhile. Not here: the requests (`cli`).

use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::sockopt::socket_peercred;
use socket2::{Domain, SockAddr, Socket, Type};

use super::message::{LONGEST, Request, Response};
use crate::clock::Clock;

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
    /// It took the question, and does not answer.
    #[error(
        "the gatepost at the operator's socket{} has not answered for {} seconds; what was asked may be done later. If it stays \
         so: systemctl restart gatepost",
        .process.map(|number| format!(" (process {number})")).unwrap_or_default(),
        ANSWER_TIMEOUT.as_secs()
    )]
    Silent {
        /// Its process, where the kernel knows it.
        process: Option<i32>,
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
        let stream = connect(path).map_err(|source| match source.kind() {
            // Nobody has accepted those who wait already.
            io::ErrorKind::WouldBlock => AdminFault::Silent { process: None },
            _ => AdminFault::Connect {
                path: path.to_owned(),
                source,
            },
        })?;
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
        let answer = self.read_line().map_err(|fault| match fault.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => AdminFault::Silent {
                process: self.peer().map(|(process, _)| process),
            },
            _ => fault.into(),
        })?;
        if answer.is_empty() {
            sent?;
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(serde_json::from_slice(&answer)?)
    }

    /// A line, the whole of it within the time for an answer; nothing: the connection has ended.
    fn read_line(&mut self) -> io::Result<Vec<u8>> {
        let clock = Clock::start();
        let deadline = clock.now() + ANSWER_TIMEOUT;
        // An answer may be longer than a request: a hundred thousand bans.
        let longest = 64 * LONGEST;
        let mut line = Vec::new();
        while !line.ends_with(b"\n") && line.len() < longest {
            let left = deadline.since(clock.now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.0.get_ref().set_read_timeout(Some(left))?;
            let came = self.0.fill_buf()?;
            if came.is_empty() {
                break;
            }
            let end = came.iter().position(|octet| *octet == b'\n');
            let taken = end.map_or(came.len(), |end| end + 1);
            line.extend(came.iter().take(taken));
            self.0.consume(taken);
        }
        Ok(line)
    }
}

/// Connects without waiting: behind a socket whose owner accepts nobody one would wait for ever.
///
/// # Errors
///
/// [`io::ErrorKind::WouldBlock`] is that; all others are the operating system's.
pub fn connect(path: &Path) -> io::Result<UnixStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)?;
    socket.set_nonblocking(false)?;
    Ok(UnixStream::from(OwnedFd::from(socket)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn one_that_accepts_nobody_is_told_apart_from_one_that_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let absent = AdminClient::connect(&path).unwrap_err();
        assert!(absent.to_string().contains("Is it running"), "{absent}");
        let _listener = UnixListener::bind(&path).unwrap();
        let mut waiting = Vec::new();
        let silent = loop {
            match AdminClient::connect(&path) {
                Ok(client) => waiting.push(client),
                Err(fault) => break fault,
            }
        };
        assert!(matches!(silent, AdminFault::Silent { .. }), "{silent}");
        assert!(silent.to_string().contains("systemctl restart"), "{silent}");
    }
}
