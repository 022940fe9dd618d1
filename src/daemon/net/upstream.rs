//! upstream - the Postfix behind us
//!
//! Connects, says who the client is, says EHLO in the client's name, and gives a [`Connected`] that can
//! try one login. Beside that, a probe in nobody's name keeps health and capabilities fresh.
//! In `retry`: who may try an address that did not answer. In `greeting`: what is said before a login; in `login`: AUTH and its outcome; in `health`: what is
//! told in the log, once. Not here: whether an attempt may be made (`gate`), in what order (`turns`),
//! what follows a login (`splice`).
//! An upstream that would start TLS, or take XCLIENT from the client, gets no session: through a splice,
//! either lets whoever has logged in once go on as anybody, unseen.
//! RFC 5321, RFC 4954, Postfix's XCLIENT_README.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use gatepost_core::smtp::capabilities::Capabilities;
use gatepost_core::smtp::command::HeloName;

pub use fault::{Step, UpstreamFault};
pub use login::{Attempted, Connected, Exchange, LoggedIn, Round};
pub use stream::Stream;

mod conversation;
mod fault;
mod greeting;
mod health;
mod login;
mod retry;
mod stream;
mod xclient;

use conversation::Conversation;
use greeting::Party;
use health::Health;
use retry::{Next, Retries, Retry};

/// Where Postfix is, and how it learns who the client is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Tried in this order, but those that did not answer last time come last.
    pub addresses: Vec<Address>,
    /// How the client's address is announced.
    pub announce: Announce,
    /// Our name in EHLO when we probe.
    pub hostname: String,
}

/// Where Postfix listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A TCP socket.
    Tcp(SocketAddr),
    /// A UNIX socket.
    Unix(PathBuf),
}

/// As the config writes it: `127.0.0.1:10465`, `unix:/path`.
impl fmt::Display for Address {
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
    /// Not at all.
    Nothing,
}

/// How long Postfix may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// To take a connection, each address. 5 s.
    pub connect: Duration,
    /// From there to the reply to our last EHLO. 10 s.
    pub greeting: Duration,
    /// To answer an AUTH; in a relayed exchange, each message. 30 s: Postfix itself gives Dovecot 10 s,
    /// and Dovecot holds failures back for up to 15 s.
    pub login: Duration,
    /// To answer a try after one that failed; then another may begin beside it. 1 s.
    pub retry: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            greeting: Duration::from_secs(10),
            login: Duration::from_secs(30),
            retry: Duration::from_secs(1),
        }
    }
}

/// For whom a connection to Postfix is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The client.
    pub client: SocketAddr,
    /// Where the client connected to.
    pub listener: SocketAddr,
    /// What it called itself. Without a name, Postfix hears its address.
    pub helo: Option<HeloName>,
}

/// The Postfix behind us, at one address or several.
#[derive(Debug)]
pub struct Upstream {
    sites: Vec<Arc<Site>>,
    announce: Announce,
    hostname: String,
    deadlines: Deadlines,
    capabilities: watch::Sender<Option<Arc<Capabilities>>>,
}

/// One address of Postfix.
#[derive(Debug)]
struct Site {
    address: Address,
    health: Health,
    retries: Retries,
}

impl Upstream {
    /// Connects to nothing yet.
    pub fn new(settings: Settings, deadlines: Deadlines) -> Self {
        let site = |address| {
            Arc::new(Site {
                address,
                health: Health::default(),
                retries: Retries::default(),
            })
        };
        Self {
            sites: settings.addresses.into_iter().map(site).collect(),
            announce: settings.announce,
            hostname: settings.hostname,
            deadlines,
            capabilities: watch::Sender::new(None),
        }
    }

    /// What Postfix offers, as it said last; none before the first answer.
    pub fn capabilities(&self) -> watch::Receiver<Option<Arc<Capabilities>>> {
        self.capabilities.subscribe()
    }

    /// Whether some address answered last time it was tried, and what it offers is known.
    pub fn is_well(&self) -> bool {
        self.capabilities.borrow().is_some() && self.sites.iter().any(|site| !site.health.is_dead())
    }

    /// Says EHLO and QUIT at every address, in nobody's name, and takes the capabilities from the first
    /// that answers. Run it at start and regularly: it brings back an address that was given up.
    ///
    /// # Errors
    /// The last fault, if no address is fit for a session. Faults are logged here, once each time the
    /// address had been well before.
    pub async fn probe(&self) -> Result<(), UpstreamFault> {
        let mut outcome = Err(UpstreamFault::NoAddress);
        for site in &self.sites {
            match self.reach(site, Party::Nobody).await {
                Ok((conversation, offered)) => {
                    if outcome.is_err() {
                        self.learn(offered);
                    }
                    // Whatever it says to that.
                    let _ = timeout(self.deadlines.greeting, conversation.quit()).await;
                    outcome = Ok(());
                }
                Err(fault) if outcome.is_err() => outcome = Err(fault),
                Err(_) => {}
            }
        }
        outcome
    }

    /// Connects in a client's name, ready for a login.
    ///
    /// # Errors
    /// The last fault, if no address is fit for the session; logged as in [`Upstream::probe`]. No
    /// failure of the client.
    pub async fn connect(&self, origin: &Origin) -> Result<Connected, UpstreamFault> {
        let mut sites: Vec<&Arc<Site>> = self.sites.iter().collect();
        sites.sort_by_key(|site| site.health.is_dead());
        let mut last = UpstreamFault::NoAddress;
        for site in sites {
            match self.reach(site, Party::Client(origin)).await {
                Ok((conversation, offered)) => {
                    let capabilities = self.learn(offered);
                    let site = Arc::clone(site);
                    let deadline = self.deadlines.login;
                    return Ok(Connected::new(conversation, capabilities, site, deadline));
                }
                Err(fault) => last = fault,
            }
        }
        Err(last)
    }

    /// Connects to one address and says hello there. Gives what is offered to us.
    async fn reach(
        &self,
        site: &Site,
        party: Party<'_>,
    ) -> Result<(Conversation<Stream>, Capabilities), UpstreamFault> {
        if !site.health.is_dead() {
            return self.attempt(site, party).await;
        }
        match site.retries.next(|| site.health.is_dead()).await {
            Next::Go => self.attempt(site, party).await,
            Next::Try(retry) => self.retry(site, party, retry).await,
            Next::GiveUp => Err(UpstreamFault::Down),
        }
    }

    /// Tries an address that did not answer last time, while others wait for how that goes.
    async fn retry(
        &self,
        site: &Site,
        party: Party<'_>,
        retry: Retry,
    ) -> Result<(Conversation<Stream>, Capabilities), UpstreamFault> {
        let mut attempt = pin!(self.attempt(site, party));
        let reached = match timeout(self.deadlines.retry, attempt.as_mut()).await {
            Ok(reached) => reached,
            Err(_) => {
                retry.is_old();
                attempt.await
            }
        };
        if reached.as_ref().is_err_and(UpstreamFault::is_silence) {
            retry.failed();
        }
        reached
    }

    /// Connects, says hello, and keeps how that went.
    async fn attempt(
        &self,
        site: &Site,
        party: Party<'_>,
    ) -> Result<(Conversation<Stream>, Capabilities), UpstreamFault> {
        let began = site.health.begin();
        let reached = self.greet(site, party).await;
        site.health
            .note_greeting(&site.address, began, reached.as_ref().err());
        reached
    }

    async fn greet(
        &self,
        site: &Site,
        party: Party<'_>,
    ) -> Result<(Conversation<Stream>, Capabilities), UpstreamFault> {
        let stream = timeout(self.deadlines.connect, Stream::connect(&site.address))
            .await
            .map_err(|_| UpstreamFault::TimedOut(Step::Connect))?
            .map_err(|fault| UpstreamFault::Lost(Step::Connect, fault))?;
        let mut conversation = Conversation::new(stream);
        let hello = conversation.greet(self.announce, party, &self.hostname);
        let greeted = timeout(self.deadlines.greeting, hello).await;
        match greeted {
            Ok(Ok(offered)) => Ok((conversation, offered)),
            Ok(Err(fault)) => Err(fault),
            Err(_) => Err(UpstreamFault::TimedOut(conversation.step())),
        }
    }

    /// Keeps what Postfix offers, and tells the watchers if it is news.
    fn learn(&self, offered: Capabilities) -> Arc<Capabilities> {
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
