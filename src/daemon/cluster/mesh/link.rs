//! link - one TLS link with another machine of a mesh: dialled or accepted, and greeted
//!
//! Within a deadline as a whole: who says nothing is gone after five seconds. An accepted connection sees nothing of ours but the
//! handshake until it has shown that it has the secret.
//! Not here: what is said over it then (`run`), who may visit (`visitors`), which of two links stays (`server::sharing::by_mesh`).

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, Error};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsStream;

use super::frame::{ClockReading, FrameFault, LinkFrame, greeting_of_other_version, read_octets};
use super::greeting::{Greeting, LinkRefusal};
use super::{LinkIdentity, MeshClock, PeerAddress};
use crate::clock::Clock;
use crate::cluster::message::ProcessId;
use gatepost_core::moment::Moment;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(2);
/// How long handshake and greetings may take.
const GREETINGS: Duration = Duration::from_secs(5);

/// What every link of this machine begins with.
#[derive(Clone, Debug)]
pub struct LinkContext {
    /// By what the machines know each other.
    pub identity: LinkIdentity,
    /// This machine.
    pub name: String,
    /// All of them.
    pub machines: Vec<String>,
    /// A hash of those.
    pub list: u32,
    /// This run of it.
    pub process: ProcessId,
    /// This machine's clock.
    pub clock: Clock,
    /// When this run began.
    pub began: Moment,
    /// The clock that the machines have in common.
    pub common: MeshClock,
}

/// Which side of a link has dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialler {
    /// This machine.
    Here,
    /// The other one.
    There,
}

/// A link, greeted on both sides.
#[derive(Debug)]
pub struct MeshLink {
    pub(super) stream: BufReader<TlsStream<TcpStream>>,
    /// Who the other one is.
    pub greeting: Greeting,
    /// Who has dialled.
    pub dialler: Dialler,
    /// Where the other one is.
    pub address: SocketAddr,
}

/// Why there is no link, or none any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkFault {
    /// It could not be reached.
    #[error("no connection: {0}")]
    Connect(String),
    /// It did not answer in time.
    #[error("no answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// The connection was closed.
    #[error("the connection was closed")]
    Closed,
    /// It has another secret.
    #[error("it has another secret")]
    OtherSecret,
    /// It is no machine of a mesh.
    #[error("it is no gatepost with a mesh: {0}")]
    Stranger(String),
    /// It speaks another version.
    #[error("it speaks version {0} of what goes over links")]
    Version(u16),
    /// What it says makes no sense.
    #[error("what it says makes no sense: {0}")]
    Damaged(String),
    /// It wants no link.
    #[error("it refuses: {0}")]
    Refused(LinkRefusal),
    /// This machine wants none with that one.
    #[error("{machine} is refused: {why}")]
    Refuses {
        /// As it calls itself.
        machine: String,
        /// Why.
        why: LinkRefusal,
    },
    /// It is this very process.
    #[error("it is this process itself")]
    Itself,
}

impl LinkFault {
    /// Which kind it is, for those that are told by kind.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Silent(_) => "silent",
            Self::Closed => "closed",
            Self::OtherSecret => "other-secret",
            Self::Stranger(_) => "stranger",
            Self::Version(_) | Self::Refused(LinkRefusal::Version) => "version",
            Self::Damaged(_) => "damaged",
            Self::Refused(_) | Self::Refuses { .. } => "refused",
            Self::Itself => "itself",
        }
    }
}

impl From<FrameFault> for LinkFault {
    fn from(fault: FrameFault) -> Self {
        match fault {
            FrameFault::Stream(error) => error.into(),
            FrameFault::Length(_) => Self::Damaged(fault.to_string()),
        }
    }
}

/// An error of TLS or of the connection.
impl From<io::Error> for LinkFault {
    fn from(error: io::Error) -> Self {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref());
        match tls {
            Some(
                Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
                | Error::AlertReceived(AlertDescription::AccessDenied),
            ) => Self::OtherSecret,
            Some(error) => Self::Stranger(error.to_string()),
            None => Self::Closed,
        }
    }
}

/// Where a machine may be: the addresses of its name.
///
/// # Errors
/// The name has none, or nobody says.
pub async fn resolve(peer: &PeerAddress) -> Result<Vec<SocketAddr>, LinkFault> {
    let found = timeout(CONNECT, lookup_host((peer.host.as_str(), peer.port))).await;
    let found = found.map_err(|_| LinkFault::Silent(CONNECT))?;
    let found = found.map_err(|error| LinkFault::Connect(error.to_string()))?;
    Ok(found.collect())
}

impl MeshLink {
    /// Dials a machine at one of its addresses.
    ///
    /// # Errors
    /// Why there is no link.
    pub async fn dial(
        addresses: &[SocketAddr],
        context: &Arc<LinkContext>,
    ) -> Result<Self, LinkFault> {
        let connected = timeout(CONNECT, TcpStream::connect(addresses)).await;
        let connected = connected.map_err(|_| LinkFault::Silent(CONNECT))?;
        let stream = connected.map_err(|error| LinkFault::Connect(error.to_string()))?;
        let address = address_of(&stream)?;
        let entered = timeout(GREETINGS, async {
            // No name is sent, and none is looked at.
            let nobody = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::UNSPECIFIED).into());
            let stream = context.identity.connector.connect(nobody, stream).await?;
            let mut stream = BufReader::new(TlsStream::Client(stream));
            let asked = context.clock.now();
            say(&mut stream, &context.greeting()).await?;
            let greeting = context.listen(&mut stream, asked).await?;
            Ok(Self {
                stream,
                greeting,
                dialler: Dialler::Here,
                address,
            })
        });
        entered.await.unwrap_or(Err(LinkFault::Silent(GREETINGS)))
    }

    /// Lets a connection in.
    ///
    /// # Errors
    /// Why there is no link.
    pub async fn accept(stream: TcpStream, context: &Arc<LinkContext>) -> Result<Self, LinkFault> {
        let address = address_of(&stream)?;
        let entered = timeout(GREETINGS, async {
            let asked = context.clock.now();
            let stream = context.identity.acceptor.accept(stream).await?;
            let mut stream = BufReader::new(TlsStream::Server(stream));
            let greeting = context.listen(&mut stream, asked).await?;
            say(&mut stream, &context.greeting()).await?;
            Ok(Self {
                stream,
                greeting,
                dialler: Dialler::There,
                address,
            })
        });
        entered.await.unwrap_or(Err(LinkFault::Silent(GREETINGS)))
    }

    /// When the other process began, by this machine's clock.
    pub fn began(&self, now: Moment) -> Moment {
        now - self.greeting.age
    }

    /// Says why there is no link, and closes it.
    pub async fn refuse(mut self, why: LinkRefusal) {
        farewell(&mut self.stream, why).await;
    }
}

impl LinkContext {
    fn greeting(&self) -> LinkFrame {
        let now = self.clock.now();
        LinkFrame::Greeting(Greeting {
            process: self.process,
            age: now.since(self.began),
            common: self.common.get().of(now),
            reference: self.common.reference(),
            list: self.list,
            machines: u16::try_from(self.machines.len()).unwrap_or(u16::MAX),
            name: self.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }

    /// The other side's greeting. A side that is not to be linked is told why.
    async fn listen(
        &self,
        stream: &mut BufReader<TlsStream<TcpStream>>,
        asked: Moment,
    ) -> Result<Greeting, LinkFault> {
        let octets = read_octets(stream).await?;
        let answered = self.clock.now();
        let greeting = match LinkFrame::read(&octets) {
            Some(LinkFrame::Greeting(greeting)) => greeting,
            Some(LinkFrame::Refusal(why)) => return Err(LinkFault::Refused(why)),
            _ => {
                let version = greeting_of_other_version(&octets);
                farewell(stream, LinkRefusal::Version).await;
                return Err(match version {
                    Some(version) => LinkFault::Version(version),
                    None => LinkFault::Damaged("no greeting".to_owned()),
                });
            }
        };
        if greeting.process == self.process {
            // The other end is to know it too.
            say(stream, &self.greeting()).await?;
            return Err(LinkFault::Itself);
        }
        if !self.machines.contains(&greeting.name) {
            let why = LinkRefusal::NotListed;
            farewell(stream, why).await;
            let machine = greeting.name;
            return Err(LinkFault::Refuses { machine, why });
        }
        if self.machines.contains(&greeting.reference) {
            let reading = ClockReading {
                asked,
                common: greeting.common,
                reference: greeting.reference.clone(),
            };
            let between = (asked, answered);
            self.common.told(&greeting.name, &reading, between);
        }
        Ok(greeting)
    }
}

async fn say(
    stream: &mut BufReader<TlsStream<TcpStream>>,
    frame: &LinkFrame,
) -> Result<(), LinkFault> {
    stream.write_all(&frame.octets()).await?;
    Ok(stream.flush().await?)
}

/// Nobody waits for it to arrive.
async fn farewell(stream: &mut BufReader<TlsStream<TcpStream>>, why: LinkRefusal) {
    let said = async {
        say(stream, &LinkFrame::Refusal(why)).await?;
        Ok::<_, LinkFault>(stream.shutdown().await?)
    };
    let _ = timeout(CONNECT, said).await;
}

fn address_of(stream: &TcpStream) -> Result<SocketAddr, LinkFault> {
    let set = stream.set_nodelay(true);
    let address = set.and_then(|()| stream.peer_addr());
    address.map_err(|error| LinkFault::Connect(error.to_string()))
}

#[cfg(test)]
mod tests;
