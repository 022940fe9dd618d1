//! client - asks the operator's socket, one question after the other
//!
//! Blocking: the commands that use it do nothing else meanwhile. Not here: what to ask (`cli`).

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::message::{LONGEST, Request, Response};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientFault {
    /// Nobody listens.
    #[error(
        "no gatepost answers at {path}: {source}. Is it running, with the same [admin] socket, and may \
         you use it?"
    )]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the connection to gatepost broke: {0}")]
    Broken(#[from] io::Error),
    /// The answer was no message.
    #[error("gatepost answered what this version does not understand: {0}")]
    Strange(#[from] serde_json::Error),
}

/// A connection to a running Gatepost.
#[derive(Debug)]
pub struct Client(BufReader<UnixStream>);

impl Client {
    /// Connects to the socket.
    ///
    /// # Errors
    ///
    /// When nobody listens there.
    pub fn connect(path: &Path) -> Result<Self, ClientFault> {
        let stream = UnixStream::connect(path).map_err(|source| ClientFault::Connect {
            path: path.to_owned(),
            source,
        })?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Asks, and waits for the answer, at most 30 seconds.
    ///
    /// # Errors
    ///
    /// When the connection breaks, or the answer makes no sense.
    pub fn ask(&mut self, request: &Request) -> Result<Response, ClientFault> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        // One that has no place for us answers before it is asked, and closes.
        let sent = self.0.get_mut().write_all(&line);
        let mut answer = Vec::new();
        // An answer may be longer than a question: a hundred thousand bans.
        let mut bounded = (&mut self.0).take(64 * LONGEST as u64);
        if bounded.read_until(b'\n', &mut answer)? == 0 {
            sent?;
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(serde_json::from_slice(&answer)?)
    }
}
