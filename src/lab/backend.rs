//! backend - a small submission server, to stand behind Gatepost where there is no Postfix
//!
//! It speaks what submission needs: plain TCP on loopback, the PROXY protocol in, EHLO, AUTH PLAIN and
//! LOGIN, MAIL, RCPT, DATA, BDAT, RSET, NOOP, QUIT. Mails are discarded.
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

pub use self::checker::PasswordChecker;
pub use self::counts::{BackendCounters, BackendTotals, ClientCounts, Mail};

mod checker;
mod content;
mod counts;
mod proxy;
mod smtp_session;

/// How long a client may send nothing: half of RFC 5321's five minutes.
const IDLE: Duration = Duration::from_secs(150);

/// How the backend behaves.
#[derive(Clone, Debug)]
pub struct BackendSettings {
    /// Its name in banner and EHLO.
    pub hostname: String,
    /// Passwords by user name; names are compared in lower case.
    pub users: HashMap<String, String>,
    /// Where the client's address comes from.
    pub client_source: ClientSource,
    /// How long the one checker is busy with one password. It sleeps, it does not compute: the
    /// queue in front of it is imitated, not the CPU time. The default is 45 ms, Dovecot's
    /// bcrypt at cost 10.
    pub check: Duration,
    /// Connections served at once; Postfix's default is 100.
    pub processes: usize,
}

/// Where a client's address comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientSource {
    /// The socket: there is no proxy in front.
    #[cfg(test)]
    Socket,
    /// A PROXY header, version 1 or 2, which every connection must begin with.
    ProxyHeader,
}

impl Default for BackendSettings {
    fn default() -> Self {
        Self {
            hostname: "backend.test".to_owned(),
            users: HashMap::new(),
            client_source: ClientSource::ProxyHeader,
            check: Duration::from_millis(45),
            processes: 100,
        }
    }
}

/// A bound backend; [`Backend::run`] serves.
#[derive(Debug)]
pub struct Backend {
    listener: TcpListener,
    settings: BackendSettings,
    counters: Arc<BackendCounters>,
}

impl Backend {
    /// Binds `address`, which must be a loopback address; port 0 finds a free one.
    ///
    /// # Errors
    /// `InvalidInput` for another address, or an error of the system.
    pub async fn bind(address: SocketAddr, settings: BackendSettings) -> io::Result<Self> {
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
    /// An error of the system.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// What it counts, also while it runs and after.
    pub fn counters(&self) -> Arc<BackendCounters> {
        Arc::clone(&self.counters)
    }

    /// Serves until the drain begins, then answers every client 421 and returns when all have left.
    pub async fn run(self, mut drain: Drain) {
        let checker = Arc::new(PasswordChecker::new(&self.settings));
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
            let session = BackendSession {
                client_source: self.settings.client_source,
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
struct BackendSession {
    client_source: ClientSource,
    hostname: Arc<str>,
    counters: Arc<BackendCounters>,
    checker: Arc<PasswordChecker>,
    drain: Drain,
}

impl BackendSession {
    async fn run(self, mut stream: TcpStream, peer: SocketAddr) {
        let open = self.counters.connected();
        let mut drain = self.drain.clone();
        let client = match self.client_source {
            #[cfg(test)]
            ClientSource::Socket => Ok(peer.ip()),
            ClientSource::ProxyHeader => tokio::select! {
                () = drain.begun() => return,
                read = tokio::time::timeout(IDLE, proxy::read(&mut stream, peer)) => {
                    read.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
                }
            },
        };
        if let (Ok(client), Ok(())) = (client, stream.set_nodelay(true)) {
            // A client that disconnects is no event for a server that keeps no log.
            let _ = smtp_session::serve(stream, client.to_canonical(), &self).await;
        }
        drop(open);
    }
}

#[cfg(test)]
mod tests;
