//! upstream - the connection to Postfix
//!
//! Connects, announces the client, sends EHLO with the client's name, and returns a [`Connected`] that can
//! try one login. Beside that, a probe without a client keeps health and capabilities up to date.
//! In `availability`: whether it is there; in `processes`: the wait for a process of Postfix; in `greeting`: everything before a
//! login; in `login`: AUTH and its outcome; in `usable`: whether a backend can be used; in `health`: since when; in
//! `login_state`: whose faults at AUTH count; in `fault_changes`: what is logged of them.
//! Every session tries for itself: what came of another's try decides for nobody else, for Postfix may have
//! recovered since. How many try at once is bounded by the processes.
//! Not here: whether an attempt is allowed (`gate`), what follows a login (`splice`).
//! A Postfix that offers STARTTLS, or accepts XCLIENT from the client, is refused: with either, a client
//! that has logged in once could act as any other user through the splice.
//! RFC 5321, RFC 4954, Postfix's XCLIENT_README.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::time::{sleep, timeout};

use crate::clock::Clock;
use gatepost_core::gate::request::client::ClientKey;
use gatepost_core::smtp::capabilities::Capabilities;
use gatepost_core::smtp::command::HeloName;
use gatepost_core::smtp::sasl::Mechanism;

pub use gatepost_core::gate::processes::{ProcessLine, Purpose};

pub use fault::{Complaint, UpstreamFault, UpstreamStep};
use login::GreetedClient;
pub use login::{Attempted, Connected, Exchange, LoggedIn, Round};
pub use processes::{HeldProcess, ProcessRequest, Processes};
pub use stranger::StrangerReplies;
pub use stream::Stream;
pub use usable::Usability;

mod availability;
mod command_stream;
mod fault;
mod fault_changes;
mod greeting;
mod health;
mod login;
mod login_state;
mod processes;
mod stranger;
mod stream;
mod usable;
mod xclient;

use command_stream::CommandStream;
use health::AddressHealth;
use usable::diagnose;

/// Where Postfix listens, and how it is told the client's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamSettings {
    /// Tried in this order, but those that did not answer last time are tried last.
    pub addresses: Vec<UpstreamAddress>,
    /// How the client's address is announced.
    pub announce: Announce,
    /// The name in EHLO when we probe.
    pub hostname: String,
    /// A backend must offer one of these.
    pub mechanisms: Vec<Mechanism>,
}

/// Where Postfix listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamAddress {
    /// A TCP socket.
    Tcp(SocketAddr),
    /// A UNIX socket.
    Unix(PathBuf),
}

/// As the config writes it: `127.0.0.1:10465`, `unix:/path`.
impl fmt::Display for UpstreamAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// How the client's address is announced to Postfix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announce {
    /// PROXY protocol, version 2.
    ProxyV2,
    /// PROXY protocol, version 1.
    ProxyV1,
    /// Postfix's XCLIENT.
    Xclient,
    /// Not announced.
    Nothing,
}

/// The deadlines for Postfix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// To accept a connection, for each address. 5 s.
    pub connect: Duration,
    /// From there to the reply to the last EHLO. 10 s; a Postfix that meanwhile answers others is only busy,
    /// and is given as long again.
    pub greeting: Duration,
    /// Before a Postfix that hung up before a login is tried again, if it answers others. 1 s.
    pub retry: Duration,
    /// To answer an AUTH; in a relayed exchange, each message. 30 s: Postfix itself gives Dovecot 10 s,
    /// and Dovecot delays failures by up to 15 s.
    pub login: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            greeting: Duration::from_secs(10),
            retry: Duration::from_secs(1),
            login: Duration::from_secs(30),
        }
    }
}

/// The client for which a connection to Postfix is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientOrigin {
    /// The client's address and port.
    pub client: SocketAddr,
    /// The address that the client connected to.
    pub listener: SocketAddr,
    /// The client's HELO name. Without one, its address is sent to Postfix.
    pub helo: Option<HeloName>,
}

/// Postfix, at one address or several.
#[derive(Debug)]
pub struct Upstream {
    endpoints: Vec<Arc<Endpoint>>,
    settings: UpstreamSettings,
    deadlines: Deadlines,
    processes: Processes,
    capabilities: watch::Sender<Option<Arc<Capabilities>>>,
    /// Held by the one caller at a time that asks a Postfix that is down.
    asking: Mutex<()>,
    /// How often that was done.
    asked_again: AtomicU64,
}

/// One address of Postfix.
#[derive(Debug)]
struct Endpoint {
    address: UpstreamAddress,
    health: AddressHealth,
}

/// The purpose of a connection.
#[derive(Clone, Copy, Debug)]
enum Party<'a> {
    /// For a client.
    Client(&'a ClientOrigin),
    /// For no client: a probe.
    Probe,
}

/// How long an address is tried.
#[derive(Clone, Copy, Debug)]
enum Effort {
    /// Once, with the greeting's deadline.
    Once,
    /// As long as it answers others, for this time at most.
    For(Duration),
}

impl Upstream {
    /// Not connected yet. Clients are connected as far as there are `processes`.
    pub fn new(
        settings: UpstreamSettings,
        deadlines: Deadlines,
        processes: Processes,
        clock: Clock,
    ) -> Self {
        let endpoint = |address: &UpstreamAddress| {
            Arc::new(Endpoint {
                address: address.clone(),
                health: AddressHealth::new(clock),
            })
        };
        Self {
            endpoints: settings.addresses.iter().map(endpoint).collect(),
            settings,
            deadlines,
            processes,
            capabilities: watch::Sender::new(None),
            asking: Mutex::new(()),
            asked_again: AtomicU64::new(0),
        }
    }

    /// The processes of Postfix.
    pub const fn processes(&self) -> &Processes {
        &self.processes
    }

    /// The capabilities in Postfix's last EHLO reply; none before the first.
    pub fn capabilities(&self) -> watch::Receiver<Option<Arc<Capabilities>>> {
        self.capabilities.subscribe()
    }

    /// Sends EHLO and QUIT to every address, without a client, and takes the capabilities from the first
    /// that answers. Run it at start and regularly: it detects that an address answers again.
    ///
    /// # Errors
    /// The last fault, if no address can be used. Faults are logged here, once each time an
    /// address had worked before.
    pub async fn probe(&self) -> Result<(), UpstreamFault> {
        let mut outcome = Err(UpstreamFault::NoAddress);
        for endpoint in &self.endpoints {
            match self.attempt(endpoint, Party::Probe, Effort::Once).await {
                Ok((commands, offered)) => {
                    if outcome.is_err() {
                        self.store_capabilities(offered);
                    }
                    // The result is not needed.
                    let _ = timeout(self.deadlines.greeting, commands.quit()).await;
                    outcome = Ok(());
                }
                Err(fault) if outcome.is_err() => outcome = Err(fault),
                Err(_) => {}
            }
        }
        outcome
    }

    /// Waits for a process of Postfix, in the line of a user.
    ///
    /// # Errors
    /// None was free in time, or we are stopping.
    pub async fn process(&self, request: ProcessRequest) -> Result<HeldProcess, UpstreamFault> {
        let held = self.processes.wait(request).await;
        held.ok_or(UpstreamFault::NoProcess)
    }

    /// Connects for a client that holds a process, ready for a login. A Postfix that is only busy is waited for
    /// as long as the client has `patience`.
    ///
    /// # Errors
    /// The last fault, if no address can be used; logged as in [`Upstream::probe`]. It is never
    /// counted against the client.
    pub async fn connect(
        &self,
        origin: &ClientOrigin,
        process: HeldProcess,
        patience: Duration,
    ) -> Result<Connected, UpstreamFault> {
        let mut endpoints: Vec<&Arc<Endpoint>> = self.endpoints.iter().collect();
        endpoints.sort_by_key(|endpoint| endpoint.health.is_dead());
        let party = Party::Client(origin);
        let mut fault = UpstreamFault::NoAddress;
        let mut left = endpoints.len();
        for endpoint in endpoints {
            left -= 1;
            let effort = match left {
                0 => Effort::For(patience),
                // Another address may be less busy.
                _ => Effort::Once,
            };
            match self.attempt(endpoint, party, effort).await {
                Ok((commands, offered)) => {
                    let capabilities = self.store_capabilities(offered);
                    let endpoint = Arc::clone(endpoint);
                    let client = GreetedClient {
                        network: ClientKey::new(origin.client.ip()).network(),
                        capabilities,
                    };
                    let deadline = self.deadlines.login;
                    let connected = Connected::new(commands, client, endpoint, deadline, process);
                    return Ok(connected);
                }
                Err(failed) => fault = failed,
            }
        }
        Err(fault)
    }

    /// Connects to one address and sends EHLO, and records the result. Returns what Postfix offers.
    async fn attempt(
        &self,
        endpoint: &Endpoint,
        party: Party<'_>,
        effort: Effort,
    ) -> Result<(CommandStream<Stream>, Capabilities), UpstreamFault> {
        let began = endpoint.health.begin();
        let reached = match effort {
            Effort::Once => self.greet(endpoint, party, Duration::ZERO).await,
            Effort::For(patience) => self.insist(endpoint, party, patience).await,
        };
        endpoint
            .health
            .note_greeting(&endpoint.address, party, began, reached.as_ref().err());
        reached
    }

    /// As [`greet`](Self::greet), and again where Postfix hung up before a login and answers others meanwhile: its
    /// processes end at their start while a busy Dovecot lets them wait. Nothing of the client's was sent then.
    async fn insist(
        &self,
        endpoint: &Endpoint,
        party: Party<'_>,
        patience: Duration,
    ) -> Result<(CommandStream<Stream>, Capabilities), UpstreamFault> {
        let tries = async {
            loop {
                let began = endpoint.health.begin();
                let reached = self.greet(endpoint, party, patience).await;
                if !reached.as_ref().is_err_and(UpstreamFault::is_early_end) {
                    return reached;
                }
                sleep(self.deadlines.retry).await;
                if !endpoint.health.has_answered_since(began) {
                    return reached;
                }
            }
        };
        let limit = self.deadlines.connect + patience.max(self.deadlines.greeting);
        let reached = timeout(limit, tries).await;
        reached.unwrap_or(Err(UpstreamFault::TimedOut(UpstreamStep::Greeting)))
    }

    async fn greet(
        &self,
        endpoint: &Endpoint,
        party: Party<'_>,
        patience: Duration,
    ) -> Result<(CommandStream<Stream>, Capabilities), UpstreamFault> {
        let stream = timeout(self.deadlines.connect, Stream::connect(&endpoint.address))
            .await
            .map_err(|_| UpstreamFault::TimedOut(UpstreamStep::Connect))?
            .map_err(|fault| {
                let lost = UpstreamFault::Lost(UpstreamStep::Connect, fault);
                diagnose(self.settings.announce, lost)
            })?;
        let mut commands = CommandStream::new(stream);
        let hello = commands.greet(party, &self.settings);
        match self.while_busy(endpoint, patience, hello).await {
            Some(Ok(offered)) => Ok((commands, offered)),
            Some(Err(fault)) => Err(fault),
            None => Err(UpstreamFault::TimedOut(commands.step())),
        }
    }

    /// Waits for `answer` up to the greeting's deadline, and on up to `patience` as long as others are answered
    /// meanwhile. None: it did not come.
    async fn while_busy<T>(
        &self,
        endpoint: &Endpoint,
        patience: Duration,
        answer: impl Future<Output = T>,
    ) -> Option<T> {
        let mut answer = pin!(answer);
        let mut left = patience.max(self.deadlines.greeting);
        while !left.is_zero() {
            let began = endpoint.health.begin();
            let period = left.min(self.deadlines.greeting);
            if let Ok(answered) = timeout(period, answer.as_mut()).await {
                return Some(answered);
            }
            if !endpoint.health.has_answered_since(began) {
                return None;
            }
            left -= period;
        }
        None
    }

    /// Stores what Postfix offers, and notifies the watchers if it has changed.
    fn store_capabilities(&self, offered: Capabilities) -> Arc<Capabilities> {
        let known = self.capabilities.borrow().clone();
        match known {
            Some(known) if *known == offered => known,
            _ => {
                let news = Arc::new(offered);
                self.capabilities.send_replace(Some(Arc::clone(&news)));
                news
            }
        }
    }
}

#[cfg(test)]
mod tests;
