//! backend - a small submission server, to stand behind Gatepost where there is no Postfix
//!
//! A real one as far as it goes: plain TCP on loopback, the PROXY protocol in, EHLO, AUTH PLAIN and
//! LOGIN, MAIL, RCPT, DATA, BDAT, RSET, NOOP, QUIT. Mails are counted and forgotten.
//! It imitates the two things of Postfix and Dovecot that matter in front of an attack: a fixed number of
//! server processes (further clients wait in the kernel's backlog), and *one* password checker, which
//! takes its time for each check while the others queue.
//! Not here: TLS, STARTTLS, XCLIENT, delivery. It binds loopback addresses only.
//! Its parsers are its own, so that it does not share the proxy's mistakes.
//! RFC 5321, RFC 4954, RFC 3030, PROXY protocol 2.2.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use gatepost_daemon::drain::Drain;

pub use self::checker::Checker;
pub use self::counters::{ClientFigures, Counters, Mail, Totals};

mod checker;
mod content;
mod conversation;
mod counters;
mod proxy;

/// How long a client may be silent: half of RFC 5321's five minutes.
const IDLE: Duration = Duration::from_secs(150);

/// How the backend behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name in banner and EHLO.
    pub hostname: String,
    /// Passwords by user name; names are compared in lower case.
    pub users: HashMap<String, String>,
    /// Who says who the client is.
    pub announced: Announced,
    /// How long the one checker is busy with one password. It sleeps, it does not compute: the
    /// queue in front of it is what is imitated, not the heat. The default is 45 ms, Dovecot's
    /// bcrypt at cost 10.
    pub check: Duration,
    /// Connections served at once; Postfix's default is 100.
    pub processes: usize,
}

/// Who says who the client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announced {
    /// The socket: nobody stands in front.
    #[cfg(test)]
    BySocket,
    /// A PROXY header, version 1 or 2, which every connection must begin with.
    ByProxyHeader,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hostname: "backend.test".to_owned(),
            users: HashMap::new(),
            announced: Announced::ByProxyHeader,
            check: Duration::from_millis(45),
            processes: 100,
        }
    }
}

/// A bound backend; [`Backend::run`] serves.
#[derive(Debug)]
pub struct Backend {
    listener: TcpListener,
    settings: Settings,
    counters: Arc<Counters>,
}

impl Backend {
    /// Binds `address`, which must be a loopback address; port 0 finds a free one.
    ///
    /// # Errors
    /// `InvalidInput` for another address, or what the system says.
    pub async fn bind(address: SocketAddr, settings: Settings) -> io::Result<Self> {
        if !address.ip().to_canonical().is_loopback() {
            let why = format!("{address}: the lab's backend listens on loopback only");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        Ok(Self {
            listener: TcpListener::bind(address).await?,
            settings,
            counters: Arc::default(),
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// What the system says.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// What it counts, also while it runs and after.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Serves until the drain begins, then tells every client 421 and returns when all are gone.
    pub async fn run(self, mut drain: Drain) {
        let checker = Arc::new(Checker::new(&self.settings));
        let processes = Arc::new(Semaphore::new(self.settings.processes));
        let sessions = TaskTracker::new();
        let hostname: Arc<str> = self.settings.hostname.into();
        loop {
            let next = async {
                let process = Arc::clone(&processes).acquire_owned().await;
                (process, self.listener.accept().await)
            };
            let (process, accepted) = tokio::select! {
                () = drain.begun() => break,
                next = next => next,
            };
            let Ok((stream, peer)) = accepted else {
                // Out of descriptors: the connection stays queued, so do not spin.
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            let session = Session {
                announced: self.settings.announced,
                hostname: Arc::clone(&hostname),
                counters: Arc::clone(&self.counters),
                checker: Arc::clone(&checker),
                drain: drain.clone(),
            };
            sessions.spawn(async move {
                session.run(stream, peer).await;
                drop(process);
            });
        }
        sessions.close();
        sessions.wait().await;
    }
}

/// What one connection needs of the backend.
struct Session {
    announced: Announced,
    hostname: Arc<str>,
    counters: Arc<Counters>,
    checker: Arc<Checker>,
    drain: Drain,
}

impl Session {
    async fn run(self, mut stream: TcpStream, peer: SocketAddr) {
        let open = self.counters.connected();
        let mut drain = self.drain.clone();
        let client = match self.announced {
            #[cfg(test)]
            Announced::BySocket => Ok(peer.ip()),
            Announced::ByProxyHeader => tokio::select! {
                () = drain.begun() => return,
                read = tokio::time::timeout(IDLE, proxy::read(&mut stream, peer)) => {
                    read.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
                }
            },
        };
        if let (Ok(client), Ok(())) = (client, stream.set_nodelay(true)) {
            // A client that breaks off is no event for a server that keeps no log.
            let _ = conversation::serve(stream, client.to_canonical(), &self).await;
        }
        drop(open);
    }
}

#[cfg(test)]
mod tests;
